"""User-defined functions of places: the catalogue's examples, and an oracle for each."""

import re

import numpy as np
import psycopg
import pytest
from astropy import units
from astropy.coordinates import Distance, SkyCoord
from astropy.time import Time

from tap_service.adql import AdqlError, translate
from tap_service.adql.frames import FRAMES, rotated, rotation
from tap_service.table_set import TableSet, TapColumn, TapTable


def place(evaluate, expression, rows=None):
    found = evaluate(f"COORD1({expression}) AS lon, COORD2({expression}) AS lat", rows)
    return found[0] if rows is None else found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("ivo_healpix_index(0, 1, 1)", 4),
        ("ivo_healpix_index(17, 1, 1)", 81609757711),
        ("ivo_healpix_index(17, 359, -1)", 73009064944),
        ("ivo_healpix_index(0, POINT(1, 1))", 4),
        ("ivo_healpix_index(17, POINT('ICRS', 1, 1))", 81609757711),
        ("IVO_HEALPIX_INDEX(17, CENTROID(CIRCLE(359, -1, 3)))", 73009064944),
        ("ivo_healpix_index(12, NULL, 1)", None),
        ("gaia_healpix_index(12, 4295806720)", 4295806720 >> 35),
        ("gaia_healpix_index(6, 6917528997577384320)", 6917528997577384320 // 2**47),
        ("gaia_healpix_index(0, 6917528997577384320)", 11),
        ("gaia_healpix_index(3, NULL)", None),
    ],
)
def test_pixels_are_those_of_the_catalogues_examples(evaluate, expression, expected):
    assert evaluate(f"{expression} AS res") == [(expected,)]


def test_a_pixels_centre_is_that_of_the_catalogues_examples(evaluate):
    assert place(evaluate, "ivo_healpix_center(0, 6)") == pytest.approx((180.0, 0.0), abs=1e-12)
    center = place(evaluate, "ivo_healpix_center(17, ivo_healpix_index(17, 23.4, 56.7))")
    assert center == pytest.approx((23.399843462947466, 56.70016214363192), abs=1e-12)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("ivo_healpix_index(30, 1, 1)", "a HEALPix order here is a whole number from 0 to 29, not 30"),
        ("ivo_healpix_index(1.5, 1, 1)", "hpxorder of ivo_healpix_index is a whole number, but this is a number"),
        ("ivo_healpix_index(ra, 1, 1)", "hpxorder of ivo_healpix_index is a whole number"),
        ("ivo_healpix_index(1, CIRCLE(1, 1, 1))", "position of ivo_healpix_index is a POINT, but this is a CIRCLE"),
        ("ivo_healpix_index(1)", "ivo_healpix_index is called as ivo_healpix_index(hpxorder INTEGER, ra DOUBLE PRECISION"),
        ("ivo_healpix_center(17, 23.2)", "hpxindex of ivo_healpix_center is a whole number"),
        ("gaia_healpix_index(13, source_id)", "the order of gaia_healpix_index is a number from 0 to 12 in the query"),
        ("gaia_healpix_index(visits, source_id)", "the order of gaia_healpix_index is a number from 0 to 12 in the query"),
        ("COORD1(ivo_epoch_prop_pos(NULL, 1, 1, 1, 1, 1, 2016, 2000))", "the position and the epochs of ivo_epoch_prop_pos cannot be NULL"),
        ("COORD1(ivo_epoch_prop_pos(1, 1, 1, 1, 1, 1, NULL, 2000))", "the position and the epochs"),
        ("COORD1(ivo_geom_transform('ICRS', 'GALCTIC', POINT(1, 2)))", "did you mean 'GALACTIC'? Frames are ICRS, FK5, FK4, GALACTIC"),
        ("COORD1(ivo_geom_transform('icrs', 'GALACTIC', POINT(1, 2)))", "there is no frame 'icrs' here; did you mean 'ICRS'?"),
        ("COORD1(ivo_geom_transform(name, 'GALACTIC', POINT(1, 2)))", "the frames of ivo_geom_transform are written in quotes"),
        ("ivo_geom_transform('ICRS', 'GALACTIC', 3)", "geo of ivo_geom_transform is a POINT or a region, but this is a whole number"),
        ("ivo_hms_to_degrees(3)", "hms of ivo_hms_to_degrees is text, but this is a whole number"),
    ],
)
def test_a_wrong_argument_is_named_with_what_it_should_be(table_set: TableSet, expression, message):
    with pytest.raises(AdqlError, match=re.escape(message)) as caught:
        translate(f"SELECT {expression} FROM sky.main", table_set)
    assert caught.value.line == 1 and caught.value.column > 7


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("7.606083572, 11.79044105, 125, 300, -428.8, 52.51, 2016.0, 1992.25", (7.604061404627978, 11.7932703828279)),
        ("7.606083572, 11.79044105, 125, 300, -428.8, 52.51, 2016.0, 1875.0", (7.594068213694308, 11.807251375203935)),
        ("7.606083572, 11.79044105, 125, 300, -428.8, NULL, 2016.0, 1875.0", (7.594079587029898, 11.807235464326332)),
        ("7.606083572, 11.79044105, 125, 300, NULL, NULL, 2016.0, 1875.0", (7.594080321498365, 11.790440798509207)),
        # The catalogue's own value stands for a small parallax; infinitely far is as no radial velocity.
        ("7.606083572, 11.79044105, NULL, 300, -428.8, 52.51, 2016.0, 1875.0", (7.594079587029898, 11.807235464326332)),
        ("7.5, 11.5, NULL, NULL, NULL, NULL, 2016.0, 1875.0", (7.5, 11.5)),
    ],
)
def test_motion_is_that_of_the_catalogues_examples(evaluate, arguments, expected):
    assert place(evaluate, f"ivo_epoch_prop_pos({arguments})") == pytest.approx(expected, abs=2e-13)


def test_a_row_without_position_is_an_error_of_the_query(evaluate):
    with pytest.raises(psycopg.errors.NullValueNotAllowed, match="IS NOT NULL"):
        place(evaluate, "ivo_epoch_prop_pos(x, 1, 1, 1, 1, 1, 2016, 2000)")


def straight(ra, dec, parallax, pmra, pmdec, velocity, years):
    """Uniform motion in space, in Cartesian coordinates: an implementation of its own. Parsec, km/s."""
    ra, dec = np.radians(ra), np.radians(dec)
    outward = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    east = np.array([-np.sin(ra), np.cos(ra), 0])
    north = np.array([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)])
    distance = 1000 / parallax
    velocity_vector = velocity * outward + 4.740470446 * (pmra * east + pmdec * north) / parallax
    parsec_per_year = velocity_vector / 4.740470446 * np.pi / 648000
    x, y, z = outward * distance + parsec_per_year * years
    return np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))


STARS = [
    (269.452, 4.6934, 547.4506, -801.551, 10362.394, -110.51),  # as fast and near as any
    (219.902, -60.834, 750.81, -3679.25, 473.67, -22.4),
    (0.0001, 89.9, 10.0, 5000.0, -3000.0, 200.0),  # beside the pole and the origin
    (359.9999, -89.99, 5.0, 100.0, 100.0, -50.0),
    (123.4, 0.0, 0.1, -3.0, 7.0, 500.0),
]


@pytest.mark.parametrize("star", STARS)
@pytest.mark.parametrize("years", [-100.0, 16.0, 1000.0])
def test_motion_is_the_straight_line_of_two_other_implementations(evaluate, star, years):
    arguments = ", ".join(f"({value})" for value in star)
    ra, dec = place(evaluate, f"ivo_epoch_prop_pos({arguments}, 2016.0, {2016 + years})")
    assert (ra, dec) == pytest.approx(straight(*star, years), abs=1e-10)
    before = SkyCoord(
        star[0] * units.deg,
        star[1] * units.deg,
        distance=Distance(parallax=star[2] * units.mas),
        pm_ra_cosdec=star[3] * units.mas / units.yr,
        pm_dec=star[4] * units.mas / units.yr,
        radial_velocity=star[5] * units.km / units.s,
        obstime=Time(2016.0, format="jyear", scale="tcb"),
    )
    after = before.apply_space_motion(dt=years * units.yr)
    # astropy adds the special relativity of ERFA's pmsafe, which shows for the fastest only: below 1e-4 of the motion.
    motion = before.separation(after).deg
    assert after.separation(SkyCoord(ra * units.deg, dec * units.deg)).deg < 1e-3 * motion + 1e-9


@pytest.mark.parametrize(
    ("expression", "expected", "digits"),
    [
        ("ivo_geom_transform('ICRS', 'GALACTIC', POINT(120, -23))", (241.121831182, 3.62785788087), 1e-9),
        ("CENTROID(ivo_geom_transform('FK4', 'GALACTIC', CIRCLE(189.70303055, 22.96240006, 3)))", (275.00025405, 84.99996154), 1e-8),
        ("ivo_geom_transform('GALACTIC', 'FK5', POINT(5, 3))", (266.44721, -23.107310), 1e-5),
        ("ivo_geom_transform('GALACTIC', 'FK5', POINT(4, 4))", (264.95088, -23.434037), 1e-5),
        ("ivo_geom_transform('GALACTIC', 'FK5', POINT(4.5, 2))", (267.09936, -24.051919), 1e-5),
        ("ivo_geom_transform('ICRS', 'ICRS', POINT(200, -40))", (200.0, -40.0), 1e-12),
    ],
)
def test_frames_are_those_of_the_catalogues_examples(evaluate, expression, expected, digits):
    assert place(evaluate, expression) == pytest.approx(expected, abs=digits)


@pytest.mark.parametrize(("frame", "known"), [("GALACTIC", "galactic"), ("FK5", "fk5")])
def test_frames_turn_as_those_of_astropy(frame, known):
    rng = np.random.default_rng(5)
    for lon, lat in zip(rng.uniform(0, 360, 40), rng.uniform(-90, 90, 40), strict=True):
        coordinate = SkyCoord(lon, lat, unit="deg", frame="icrs").transform_to(known)
        turned = SkyCoord(*rotated(rotation("ICRS", frame), lon, lat), unit="deg", frame=known)
        assert coordinate.separation(turned).to_value("uas") < 0.01


@pytest.mark.parametrize("source", FRAMES)
@pytest.mark.parametrize("target", FRAMES)
def test_a_place_comes_back_from_every_frame(source, target):
    matrix = np.array(rotation(source, target))
    assert matrix @ matrix.T == pytest.approx(np.eye(3), abs=1e-15)
    assert np.linalg.det(matrix) == pytest.approx(1)
    assert matrix @ np.array(rotation(target, source)) == pytest.approx(np.eye(3), abs=1e-15)


def test_the_database_turns_columns_as_python_turns_constants(evaluate):
    rng = np.random.default_rng(6)
    rows = [
        (int(lat), float(lon), None, None, None, None)
        for lon, lat in zip(rng.uniform(-360, 720, 20), rng.uniform(-90, 90, 20), strict=True)
    ]
    rows += [(90, 0.0, None, None, None, None), (-90, 0.0, None, None, None, None), (0, 0.0, None, None, None, None)]
    found = place(evaluate, "ivo_geom_transform('ICRS', 'GALACTIC', POINT(x, i))", rows)
    for row, turned in zip(rows, found, strict=True):
        assert turned == pytest.approx(rotated(rotation("ICRS", "GALACTIC"), row[1], row[0]), abs=1e-12)
        assert 0 <= turned[0] <= 360
    assert place(evaluate, "ivo_geom_transform('ICRS', 'GALACTIC', POINT(x, 0))") == (None, None)


def test_a_circle_of_another_frame_is_still_found_through_the_index(table_set: TableSet):
    query = "SELECT source_id FROM sky.main WHERE 1 = CONTAINS(POINT(ra, dec), ivo_geom_transform('GALACTIC', 'ICRS', CIRCLE(10, 20, 0.1)))"
    statement = translate(query, table_set).statement.as_string(None)
    assert '"source_id" BETWEEN' in statement and "rotated_place" not in statement


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3:34:45.4", 53.6891666666666667),
        ("3h34m45.4s", 53.6891666666666667),
        ("3H34M45.4S", 53.6891666666666667),
        ("033445.4", 53.6891666666666667),
        (" 03h 34m 45.4s ", 53.6891666666666667),
        ("0:0:0", 0.0),
        ("23:59:59.", 359.995833333333333),
        ("24:00:00", None),
        ("3:60:00", None),
        ("3:34:60", None),
        ("-3:34:45", None),
        ("3:34", None),
        ("3h34:45.4", None),
        ("33445.4", None),
        ("three", None),
        ("", None),
        ("3:34:4.5.4", None),
    ],
)
def test_hours_are_read_in_three_forms_and_any_other_text_is_null(evaluate, text, expected):
    (found,) = evaluate(f"ivo_hms_to_degrees('{text}') AS res, ivo_hms_to_degrees(s) AS of_column", [(None, None, text, None, None, None)])
    assert found == pytest.approx((expected, expected), abs=1e-13) if expected is not None else found == (None, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("42:9:6.768", 42.15188),
        ("42d9m6.768s", 42.15188),
        ("42D9M6.768S", 42.15188),
        ("420906.768", 42.15188),
        ("-420906.768", -42.15188),
        ("-00:15:00", -0.25),
        ("+00:15:00", 0.25),
        ("-0d15m0s", -0.25),
        ("+0d15m0s", 0.25),
        ("-0:0:0", 0.0),
        ("359:0:0", 359.0),
        ("1:75:0", None),
        ("1:0:60", None),
        ("--1:0:0", None),
        ("1d 2m", None),
        ("1:2:3n", None),
    ],
)
def test_degrees_are_read_in_three_forms_with_their_sign(evaluate, text, expected):
    ((found,),) = evaluate(f"ivo_dms_to_degrees('{text}') AS res")
    assert found == pytest.approx(expected, abs=1e-13) if expected is not None else found is None


PIXELS = [
    ("gaia_healpix_index(5, b) = 7", True),
    ("7 = gaia_healpix_index(5, b)", True),
    ("gaia_healpix_index(5, b) < 7", True),
    ("7 < gaia_healpix_index(5, b)", True),
    ("gaia_healpix_index(5, b) <= 7", True),
    ("gaia_healpix_index(5, b) > 3 + 3", True),
    ("gaia_healpix_index(5, b) >= 7", True),
    ("gaia_healpix_index(12, b) BETWEEN 100000 AND 130000", True),
    ("gaia_healpix_index(5, b) IN (0, 7, 12287)", True),
    ("gaia_healpix_index(5, b) = 7 OR gaia_healpix_index(4, b) = 0", True),
    ("gaia_healpix_index(0, b) < 12", True),
    ("gaia_healpix_index(5, b) <> 7", False),
    ("gaia_healpix_index(5, b) = 7.0", False),
    ("gaia_healpix_index(5, b) = i", False),
    ("gaia_healpix_index(5, b) = -1", False),
    ("gaia_healpix_index(5, b) NOT IN (7, 8)", False),
    ("gaia_healpix_index(5, b) NOT BETWEEN 7 AND 8", False),
    ("gaia_healpix_index(5, b) <= 9223372036854775807", False),
    ("NOT gaia_healpix_index(5, b) = 7", None),
]


@pytest.mark.parametrize(("condition", "in_ranges"), PIXELS, ids=[row[0] for row in PIXELS])
def test_a_condition_on_the_pixel_of_a_source_id_is_a_range_of_it(evaluate, table_set: TableSet, condition, in_ranges):
    keys = [pixel << 49 for pixel in (0, 1, 6, 7, 8, 9, 12287)] + [(pixel << 49) - 1 for pixel in (1, 7, 8, 12288)] + [None]
    rows = [(7, None, None, None, None, key) for key in keys]
    found = evaluate("b", rows, tail=f"WHERE {condition} ORDER BY b")
    # The same condition as a value goes the way without ranges.
    again = evaluate("b", rows, tail=f"WHERE CASE WHEN {condition} THEN 1 END = 1 ORDER BY b")
    assert found == again
    query = f"SELECT ra FROM sky.main WHERE {condition}".replace(", b)", ", source_id)").replace("= i", "= flags")
    statement = translate(query, table_set).statement.as_string(None)
    if in_ranges is not None:
        assert (">>" not in statement) == in_ranges


def test_pixels_of_groups_stay_pixels(evaluate):
    rows = [(None, None, None, None, None, pixel << 49) for pixel in (7, 7, 8, 9)]
    tail = "WHERE gaia_healpix_index(5, b) < 9 GROUP BY gaia_healpix_index(5, b) HAVING gaia_healpix_index(5, b) = 7"
    assert evaluate("gaia_healpix_index(5, b) AS pixel, COUNT(*) AS n", rows, tail=tail) == [(7, 2)]


def test_functions_of_points_take_columns_of_points():
    table = TapTable("t", "p", None, (TapColumn("p", "double", "2", "point"),), permanent="pg_temp")
    query = "SELECT ivo_healpix_index(6, p) AS i, ivo_geom_transform('ICRS', 'GALACTIC', p) AS g FROM t.p"
    index, turned = translate(query, TableSet(1, (table,))).columns
    assert index.datatype == "long"
    assert (turned.datatype, turned.arraysize, turned.xtype) == ("double", "2", "point")
