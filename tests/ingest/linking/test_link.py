"""Rows to sources on real PostgreSQL: no neighbour is lost, identifiers lead, and the same tables always give the same links."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import healpy as hp
import numpy as np
import pyarrow.parquet as pq
import pytest
from psycopg import sql

from catalog.database import Database, Role
from catalog.errors import UsageError
from catalog.healpix import ARCSEC, pixel_offset
from catalog.schema.survey_link import LinkFlag
from ingest.linking.epoch import at_epoch
from ingest.linking.link import LinkedSurvey, link_surveys
from ingest.linking.rules import FAST_MAS_YR
from ingest.load import add_paths
from ingest.sky.identifiers import displaced, moved, source_ids

DR3 = "gaia_dr3"
Put = Callable[..., None]


def links(database: Database, survey: str = "apogee", release_id: int = 1) -> list[tuple[Any, ...]]:
    """Every link of a survey, by its key."""
    with database.connect(Role.WORKER) as connection:
        query = """SELECT set_name, survey_id, source_id, method, separation_arcsec, n_candidates, link_flags, ambiguous, is_primary
            FROM store.survey_link WHERE release_id = %s AND survey = %s ORDER BY set_name, survey_id COLLATE "C" """
        return connection.execute(query, (release_id, survey)).fetchall()


def one(found: list[LinkedSurvey]) -> LinkedSurvey:
    (result,) = found
    return result


class Sky:
    """Crowded fields of sources displaced from their pixels, some of them fast, and what a survey sees of them at another epoch."""

    def __init__(self, seed: int, epoch: float, n: int = 2_400) -> None:
        random = np.random.default_rng(seed)
        middle_ra = np.array([0.0, 45.0, 180.0, 300.0, 77.0])[np.arange(n) % 5]
        middle_dec = np.array([0.0, 41.8103149, 89.999, -88.0, 20.0])[np.arange(n) % 5]
        angle = random.uniform(0, 2 * np.pi, n)
        self.ra, self.dec = moved(middle_ra, middle_dec, 60.0 * ARCSEC * np.sqrt(random.random(n)), angle)
        detected = displaced(self.ra, self.dec, random, share=1.0, n_far=12)
        self.source_id = source_ids(*detected, random)
        speed = np.where(np.arange(n) % 10 == 0, random.uniform(FAST_MAS_YR, 6_000.0, n), random.gamma(1.5, 20.0, n))
        speed[::100] = FAST_MAS_YR * random.uniform(0.98, 1.02, len(speed[::100]))  # on both sides of the limit
        speed[5::20] = FAST_MAS_YR * random.uniform(0.7, 0.99, len(speed[5::20]))  # that the ranges have to reach for
        self.pmra, self.pmdec = speed * np.sin(angle * 7), speed * np.cos(angle * 7)
        self.pmra[1::50] = self.pmdec[1::50] = np.nan
        self.g = random.uniform(8, 20, n)
        self.then = at_epoch(self.ra, self.dec, self.pmra, self.pmdec, np.full(n, np.nan), np.full(n, np.nan), np.full(n, epoch - 2016.0))
        seen = random.choice(n, n // 2, replace=False)
        self.row_ra, self.row_dec = moved(self.then[0][seen], self.then[1][seen], ARCSEC * random.gamma(1.0, 0.6, len(seen)), angle[seen])
        self.survey_id = np.array([f"row{number:05d}" for number in random.permutation(len(seen))], object)

    def sources(self) -> dict[str, Any]:
        return {
            "source_id": self.source_id, "ra": self.ra, "dec": self.dec, "ref_epoch": np.full(len(self.ra), 2016.0), "pmra": self.pmra,
            "pmdec": self.pmdec, "phot_g_mean_mag": self.g,
        }  # fmt: skip

    def nearest(self, radius: float) -> dict[str, tuple[int | None, float | None, int]]:
        """Source, separation and number of sources within the radius of each row, by trying every pair."""
        found: dict[str, tuple[int | None, float | None, int]] = {}
        for name, ra, dec in zip(self.survey_id, self.row_ra, self.row_dec, strict=True):
            # By vectors in space, not by the haversine of the code.
            apart = _angle(ra, dec, *self.then)
            inside = np.flatnonzero(apart <= radius)
            best = inside[np.lexsort((self.source_id[inside], apart[inside]))[:1]]
            found[name] = (int(self.source_id[best[0]]), float(apart[best[0]]), len(inside)) if len(best) else (None, None, 0)
        return found


def _angle(ra: float, dec: float, others_ra: np.ndarray, others_dec: np.ndarray) -> np.ndarray:
    def vector(lon: Any, lat: Any) -> np.ndarray:
        lon, lat = np.radians(lon), np.radians(lat)
        return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)

    difference = np.linalg.norm(vector(others_ra, others_dec) - vector(ra, dec), axis=-1)
    return np.asarray(np.degrees(2 * np.arcsin(difference / 2)) * 3600)


@pytest.mark.parametrize(
    ("survey", "epoch", "radius"), [("apogee", 2000.0, 1.0), ("lamost", 2016.0, 1.0), ("galah", 2015.5, 1.0), ("unwise", 2015.5, 0.5)]
)
def test_no_source_is_lost_however_displaced_or_fast_it_is(survey: str, epoch: float, radius: float, put: Put, database: Database) -> None:
    sky = Sky(3, epoch)
    put(database, "gaia_source", sky.sources())
    put(database, survey, {"survey_id": sky.survey_id, "ra": sky.row_ra, "dec": sky.row_dec})
    result = one(link_surveys(database, DR3, surveys=[survey]))
    expected = sky.nearest(radius)
    found = {row[1]: (row[2], row[4], row[5]) for row in links(database, survey)}
    assert len(found) == len(expected) == result.rows
    assert {name: (link[0], link[2]) for name, link in found.items()} == {name: (link[0], link[2]) for name, link in expected.items()}
    for name, (_, apart, _) in expected.items():
        assert found[name][1] == pytest.approx(apart, abs=1e-6)
    fast = {int(s) for s, speed in zip(sky.source_id, np.hypot(sky.pmra, sky.pmdec), strict=True) if speed > FAST_MAS_YR}
    assert sum(link[0] in fast for link in found.values()) > 50
    displaced_far = set(sky.source_id[:12].tolist())
    assert displaced_far & {link[0] for link in found.values()}


def test_real_sources_find_themselves_also_those_that_lie_outside_their_pixel(put: Put, database: Database, real_data: Path) -> None:
    table = pq.read_table(
        real_data / "labels" / "gaia_source_1457.parquet", columns=["source_id", "ra", "dec", "pmra", "pmdec", "phot_g_mean_mag"]
    )
    gaia = {name: np.asarray(table[name].to_numpy(zero_copy_only=False)) for name in table.column_names}
    n = len(gaia["source_id"])
    put(database, "gaia_source", gaia | {"ref_epoch": np.full(n, 2016.0)})
    years = np.full(n, -16.0)
    nothing = np.full(n, np.nan)
    ra, dec = at_epoch(gaia["ra"], gaia["dec"], gaia["pmra"], gaia["pmdec"], nothing, nothing, years)
    put(database, "apogee", {"survey_id": gaia["source_id"].astype(str).astype(object), "ra": ra, "dec": dec})
    assert one(link_surveys(database, DR3)).by_method == {"position": n}
    assert {int(row[1]) for row in links(database)} == {row[2] for row in links(database)} == set(gaia["source_id"].tolist())
    assert max(row[4] for row in links(database)) < 1e-6
    assert (np.asarray(pixel_offset(gaia["source_id"], gaia["ra"], gaia["dec"])) > 0).sum() == 8


# --- which source it is -------------------------------------------------------------------------------------------------------

PIXEL = 100_000_000 << 35
RA, DEC = (float(value) for value in hp.pix2ang(1 << 12, 100_000_000, nest=True, lonlat=True))
A, B, C, X = (PIXEL | (number << 7) for number in range(1, 5))
"""A stands on the survey's position, B 0.6 arcsec north and 2 mag brighter, C 20 arcsec north; X has a spectrum only."""
_NAN = float("nan")


def _field(put: Put, database: Database, release: str = DR3) -> None:
    put(
        database, "gaia_source",
        {
            "source_id": np.array([A, B, C]), "ra": np.full(3, RA), "dec": DEC + np.array([0.0, 0.6, 20.0]) * ARCSEC, "phot_g_mean_mag": [15.0, 13.0, 12.0],
            "ref_epoch": np.full(3, 2016.0),
        },
        release,
    )  # fmt: skip
    with database.connect(Role.WORKER) as connection:
        release_id = connection.execute("SELECT release_id FROM store.release WHERE name = %s", (release,)).fetchone()
        connection.execute(
            "INSERT INTO store.xp_spectrum (release_id, source_id, layout, head, file_id) VALUES (%s, %s, %s, %s, 0)",
            (*(release_id or ()), X, 0, b""),
        )


def _id_map(put: Put, database: Database, pairs: list[tuple[str, int, int, float, float]], release: str = DR3) -> None:
    put(
        database, "id_map",
        {
            name: np.array(values, object if name == "from_system" else None)
            for name, values in zip(
                ("from_system", "from_source_id", "source_id", "angular_distance", "magnitude_difference"), zip(*pairs, strict=True), strict=True
            )
        },
        release,
    )  # fmt: skip


F = LinkFlag
CASES: dict[str, tuple[dict[str, Any], list[tuple[str, int, int, float, float]], tuple[Any, ...]]] = {
    # a row of GALAH: identifiers and position -> (source, method, flags, ambiguous)
    "an identifier of the release's own numbering is taken": ({"dr3_source_id": A}, [], (A, "given", F.SEVERAL_IN_RADIUS | F.SECOND_BRIGHTER, False)),
    "also where another source is nearer": (
        {"dr3_source_id": B}, [], (B, "given", F.SEVERAL_IN_RADIUS | F.NOT_THE_NEAREST | F.SECOND_NEARLY_AS_NEAR, True),
    ),
    "a far one is kept with a flag": (
        {"dr3_source_id": C}, [], (C, "given", F.SEVERAL_IN_RADIUS | F.FAR | F.NOT_THE_NEAREST | F.SECOND_NEARLY_AS_NEAR, True),
    ),
    "one that has a spectrum and no gaia_source row is kept": (
        {"dr3_source_id": X}, [], (X, "given", F.SEVERAL_IN_RADIUS | F.NO_POSITION, False),
    ),
    "one that the release does not have gives way to the position": (
        {"dr3_source_id": 77}, [], (A, "position", F.SEVERAL_IN_RADIUS | F.SECOND_BRIGHTER | F.GIVEN_UNKNOWN, True),
    ),
    "a number of another release is not taken for one's own": (
        {"dr2_source_id": C}, [("dr2", C, B, 10.0, 0.0)],
        (B, "neighbourhood", F.SEVERAL_IN_RADIUS | F.NOT_THE_NEAREST | F.SECOND_NEARLY_AS_NEAR, True),
    ),
    "of several neighbours the nearest is taken": (
        {"dr2_source_id": 5}, [("dr2", 5, B, 200.0, 0.0), ("dr2", 5, A, 3.0, 1.0)],
        (A, "neighbourhood", F.SEVERAL_IN_RADIUS | F.SECOND_BRIGHTER | F.SEVERAL_NEIGHBOURS, True),
    ),
    "of those as near the one most alike in magnitude": (
        {"dr2_source_id": 5}, [("dr2", 5, B, 3.0, 0.9), ("dr2", 5, A, 3.0, -0.1)],
        (A, "neighbourhood", F.SEVERAL_IN_RADIUS | F.SECOND_BRIGHTER | F.SEVERAL_NEIGHBOURS, True),
    ),
    "a neighbour that the release does not have is none": (
        {"dr2_source_id": 5}, [("dr2", 5, 99, 0.0, 0.0), ("dr2", 5, A, 3.0, 0.1)],
        (A, "neighbourhood", F.SEVERAL_IN_RADIUS | F.SECOND_BRIGHTER, False),
    ),
    "the release's own numbering goes before a neighbour": (
        {"dr3_source_id": A, "dr2_source_id": 5}, [("dr2", 5, C, 0.0, 0.0)], (A, "given", F.SEVERAL_IN_RADIUS | F.SECOND_BRIGHTER, False),
    ),
    "without a neighbourhood table an older number counts for nothing": (
        {"dr2_source_id": B}, [], (A, "position", F.SEVERAL_IN_RADIUS | F.SECOND_BRIGHTER, True),
    ),
    "with one that does not know it the row is told to": (
        {"dr2_source_id": 6}, [("dr2", 5, A, 0.0, 0.0)], (A, "position", F.SEVERAL_IN_RADIUS | F.SECOND_BRIGHTER | F.GIVEN_UNKNOWN, True),
    ),
    "a second source nearly as near is told of": (
        {"dec": DEC + 0.31 * ARCSEC}, [], (B, "position", F.SEVERAL_IN_RADIUS | F.SECOND_NEARLY_AS_NEAR, True),
    ),
    "one source within the radius is sure": ({"dec": DEC - 0.5 * ARCSEC}, [], (A, "position", F(0), False)),
    "none is none": ({"dec": DEC - 1.1 * ARCSEC}, [], (None, None, F(0), False)),
    "a row without position is linked by its identifier": ({"ra": _NAN, "dec": _NAN, "dr3_source_id": B}, [], (B, "given", F.NO_POSITION, False)),
    "a row with neither is not linked": ({"ra": _NAN, "dec": _NAN}, [], (None, None, F(0), False)),
}  # fmt: skip


def _clear(database: Database, *tables: str) -> None:
    """Survey rows and links go, Gaia's sources stay."""
    with database.connect(Role.OWNER) as connection:
        for table in (*tables, "survey_link", "survey_linking"):
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier("store", table)))


def test_which_source_a_row_is(put: Put, database: Database, subtests: pytest.Subtests) -> None:
    _field(put, database)
    for name, (given, neighbours, expected) in CASES.items():
        with subtests.test(name):
            if neighbours:
                _id_map(put, database, neighbours)
            put(database, "galah", {"survey_id": ["row"], "ra": [RA], "dec": [DEC]} | {key: [value] for key, value in given.items()})
            link_surveys(database, DR3)
            (row,) = links(database, "galah")
            assert (row[2], row[3], LinkFlag(row[6]), row[7]) == expected
            assert (row[4] is None) == (row[2] is None or LinkFlag.NO_POSITION in LinkFlag(row[6]))
        _clear(database, "galah", "id_map")


def test_a_numbering_that_a_row_tells_is_the_one_that_counts(put: Put, database: Database) -> None:
    _field(put, database)
    _id_map(put, database, [("dr2", A, B, 1.0, 0.0)])
    sets = {"set_name": ["seismic", "seismic", "clusters"], "survey_id": ["1", "2", "1"], "given_source_id": np.array([A, A, A])}
    put(database, "reference_label", sets | {"id_system": ["dr2", "dr3", None]})
    link_surveys(database, DR3)
    found = {row[:2]: (row[2], row[3], row[8]) for row in links(database, "reference_label")}
    assert found == {
        ("seismic", "1"): (B, "neighbourhood", True),
        ("seismic", "2"): (A, "given", True),
        ("clusters", "1"): (None, None, False),
    }


# survey, what tells the numbering -> which Gaia release's number it is: A in dr3, B by the neighbourhood table of dr2, None not taken
NUMBERINGS: dict[str, tuple[str, dict[str, Any], int | None]] = {
    "LAMOST DR8 gives numbers of Gaia DR2": ("lamost", {"survey_release": "dr8", "gaia_source_id": A}, B),
    "those of LAMOST DR10 are not known": ("lamost", {"survey_release": "dr10", "gaia_source_id": A}, None),
    "nor those of a file that does not tell its release": ("lamost", {"gaia_source_id": A}, None),
    "astroNN with Gaia's epoch 2016.0": ("astronn", {"ref_epoch": 2016.0, "given_source_id": A}, A),
    "astroNN with Gaia's epoch 2015.5": ("astronn", {"ref_epoch": 2015.5, "given_source_id": A}, B),
    "astroNN without Gaia's epoch": ("astronn", {"given_source_id": A}, None),
    "APOGEE DR16": ("apogee", {"survey_release": "dr16", "gaia_source_id": A}, B),
}


def test_a_number_is_never_taken_for_one_of_another_gaia_release(put: Put, database: Database, subtests: pytest.Subtests) -> None:
    _field(put, database)
    _id_map(put, database, [("dr2", A, B, 1.0, 0.0)])
    for name, (survey, columns, expected) in NUMBERINGS.items():
        with subtests.test(name):
            obsid = {"obsid": [1]} if survey == "lamost" else {}
            put(database, survey, {"survey_id": ["row"]} | obsid | {column: [value] for column, value in columns.items()})
            link_surveys(database, DR3)
            (row,) = links(database, survey)
            assert row[2] == expected
        _clear(database, survey)


def test_the_2mass_counterpart_of_its_name_goes_before_the_nearest_source(put: Put, database: Database) -> None:
    _field(put, database)
    put(
        database,
        "tmass_best_neighbour",
        {"source_id": np.array([B, C]), "original_ext_source_id": ["01234567+0123456", "99999999+9999999"]},
    )
    names = ["2M01234567+0123456", "2M99999999+9999999", "AP01234567+0123456"]
    put(database, "apogee", {"survey_id": ["by name", "too far", "no 2MASS name"], "apogee_id": names, "ra": [RA] * 3, "dec": [DEC] * 3})
    link_surveys(database, DR3)
    found = {row[1]: (row[2], row[3]) for row in links(database)}
    assert found == {"by name": (B, "crossmatch_2mass"), "too far": (A, "position"), "no 2MASS name": (A, "position")}


def test_of_several_sources_with_one_2mass_counterpart_the_nearest_is_taken_and_told_of(put: Put, database: Database) -> None:
    _field(put, database)
    put(database, "tmass_best_neighbour", {"source_id": np.array([A, B]), "original_ext_source_id": ["01234567+0123456"] * 2})
    row = {"apogee_id": ["2M01234567+0123456"], "ra": [RA], "dec": [DEC + 0.5 * ARCSEC], "gaiaedr3_source_id": [77]}
    put(database, "apogee", {"survey_id": ["mates"]} | row)
    link_surveys(database, DR3)
    ((_, _, source, method, _, _, flags, ambiguous, _),) = links(database)
    assert (source, method, ambiguous) == (B, "crossmatch_2mass", True)
    assert LinkFlag.SEVERAL_NEIGHBOURS in LinkFlag(flags)
    assert LinkFlag.GIVEN_UNKNOWN in LinkFlag(flags)  # the identifier led nowhere, the name of 2MASS did


def test_links_of_two_releases_follow_their_own_numbers(put: Put, with_releases: Database) -> None:
    database = with_releases
    _field(put, database, "sim_dr3")
    _field(put, database, "sim_dr4")
    _id_map(put, database, [("dr3", A, C, 0.0, 0.0)], "sim_dr4")
    for release in ("sim_dr3", "sim_dr4"):
        put(database, "apogee", {"survey_id": ["row"], "gaiaedr3_source_id": np.array([A])}, release)
        link_surveys(database, release)
    assert [row[2:4] for row in links(database, release_id=101)] == [(A, "given")]
    assert [row[2:4] for row in links(database, release_id=102)] == [(C, "neighbourhood")]


# --- which row of a source to use ---------------------------------------------------------------------------------------------

DUPLICATES: dict[str, tuple[str, dict[str, list[Any]], str | None]] = {
    "the highest S/N": ("apogee", {"snr": [100.0, 300.0, 200.0], "extratarg": [0, 0, 0]}, "b"),
    "never a row that APOGEE marks as a duplicate": ("apogee", {"snr": [100.0, 300.0, 200.0], "extratarg": [0, 16, 0]}, "c"),
    "also where no other is left": ("apogee", {"snr": [100.0, 300.0, 200.0], "extratarg": [16, 17, 31]}, None),
    "unknown bits are none, unknown S/N comes last": ("apogee", {"snr": [_NAN, 3.0, _NAN], "extratarg": [None, None, 0]}, "b"),
    "the smallest name of equal ones": ("apogee", {"snr": [5.0, 5.0, 5.0]}, "a"),
    "LAMOST: the highest S/N in g": ("lamost", {"snrg": [30.0, 20.0, 40.0], "obsid": [1, 2, 3]}, "c"),
    "LAMOST: then the first observation": ("lamost", {"snrg": [30.0, 30.0, 30.0], "obsid": [10, 9, 100]}, "b"),
    "GALAH: the one that the survey would use": ("galah", {"flag_repeat": [1, 0, 1], "snr_c2_iraf": [90.0, 20.0, 95.0]}, "b"),
    "GALAH: then the highest S/N": ("galah", {"flag_repeat": [0, 0, 1], "snr_c2_iraf": [90.0, 91.0, 95.0]}, "b"),
}


def test_which_row_of_a_source_is_primary(put: Put, database: Database, subtests: pytest.Subtests) -> None:
    _field(put, database)
    for name, (survey, columns, expected) in DUPLICATES.items():
        with subtests.test(name):
            put(database, survey, {"survey_id": ["a", "b", "c"], "ra": [RA] * 3, "dec": [DEC] * 3} | columns)
            put(database, survey, {"survey_id": ["elsewhere"], "ra": [RA], "dec": [DEC + 1.0]})
            link_surveys(database, DR3)
            assert [row[1] for row in links(database, survey) if row[8]] == ([] if expected is None else [expected])
        _clear(database, survey)


def test_rows_that_are_another_surveys_spectra_take_its_links(put: Put, database: Database) -> None:
    _field(put, database)
    plan = {"obsdate": ["2015-10-24"], "planid": ["GAC01"], "spid": np.array([3], np.int16), "fiberid": np.array([7], np.int16)}
    put(database, "lamost", {"survey_id": ["1"], "obsid": [1], "ra": [RA], "dec": [DEC + 0.6 * ARCSEC]} | plan)
    put(database, "hot_payne", {"survey_id": ["20151024-GAC01-03-007", "20151024-GAC01-03-008"]})
    put(database, "apogee", {"survey_id": ["x"], "apogee_id": ["2M1"], "gaiaedr3_source_id": [C]})
    put(database, "reference_label", {"set_name": ["seismic"], "survey_id": ["KIC 1"], "apogee_id": ["2M1"]})
    link_surveys(database, DR3)
    assert [row[1:4] for row in links(database, "hot_payne")] == [
        ("20151024-GAC01-03-007", B, "position"),
        ("20151024-GAC01-03-008", None, None),
    ]
    assert [row[1:4] for row in links(database, "reference_label")] == [("KIC 1", C, "given")]


def test_another_surveys_link_of_the_star_goes_before_a_match_by_a_position_of_unknown_epoch(put: Put, database: Database) -> None:
    _field(put, database)
    place = {"ra": [RA], "dec": [DEC]}
    put(
        database,
        "apogee",
        {"survey_id": ["x"], "apogee_id": ["2M1"], "telescope": ["apo25m"], "location_id": [7], "gaiaedr3_source_id": [C]},
    )
    put(database, "galah", {"survey_id": ["140"], "sobject_id": [140], "dr3_source_id": [B]})
    put(database, "astronn", {"survey_id": ["x"], "apogee_id": ["2M1"], "telescope": ["apo25m"], "location_id": [7]} | place)
    put(
        database,
        "reference_label",
        {"set_name": ["s"] * 3, "survey_id": ["1", "2", "3"], "apogee_id": ["2M1", None, None], "sobject_id": [None, 140, None]}
        | {name: values * 3 for name, values in place.items()},
    )
    link_surveys(database, DR3)
    assert [row[2:4] for row in links(database, "astronn")] == [(C, "given")]
    assert [row[2:4] for row in links(database, "reference_label")] == [(C, "given"), (B, "given"), (A, "position")]


# --- when ---------------------------------------------------------------------------------------------------------------------


def _lamost_file(path: Path) -> Path:
    text = "obsid,obsdate,planid,spid,fiberid,snrg,teff,teff_err,logg,logg_err,feh,feh_err,ra,dec\n"
    path.write_text(text + f"11,2015-10-24,GAC01,3,7,50,5000,50,4.5,0.1,0.1,0.05,{RA},{DEC + 0.1 * ARCSEC}\n")
    return path


def test_nothing_is_linked_twice_and_what_comes_later_is_linked_then(archive: Any, database: Database, tmp_path: Path) -> None:
    survey = _lamost_file(tmp_path / "lamost.csv")
    sources = archive.csv(tmp_path / "sources.csv", [archive.source(A, RA, DEC), archive.source(C, RA, DEC + 20 * ARCSEC)])
    assert link_surveys(database, DR3) == []
    add_paths(database, DR3, [survey], work=True)
    first = one(link_surveys(database, DR3))
    assert (first.relinked, first.by_method) == (True, {"none": 1})
    assert not one(link_surveys(database, DR3)).relinked
    add_paths(database, DR3, [sources], work=True)
    second = one(link_surveys(database, DR3))
    assert (second.relinked, second.by_method) == (True, {"position": 1})
    for again in (False, True):
        assert one(link_surveys(database, DR3, again=again)).relinked == again
    assert [row[2] for row in links(database, "lamost")] == [A]


def test_the_order_of_loading_does_not_matter(
    archive: Any, database: Database, emptied: Callable[[Database], None], tmp_path: Path
) -> None:
    files = [
        _lamost_file(tmp_path / "lamost.csv"),
        archive.csv(tmp_path / "sources.csv", [archive.source(A, RA, DEC), archive.source(B, RA, DEC)]),
    ]
    seen = []
    for order in (files, files[::-1]):
        for path in order:
            add_paths(database, DR3, [path], work=True)
            link_surveys(database, DR3)
        seen.append(links(database, "lamost"))
        emptied(database)
        with database.connect(Role.OWNER) as connection:
            connection.execute("TRUNCATE store.lamost, store.survey_link, store.survey_linking")
    assert seen[0] == seen[1]
    assert seen[0][0][2:4] == (A, "position")  # the smaller number of two at one place


def test_linkers_at_once_link_once(put: Put, database: Database) -> None:
    _field(put, database)
    put(database, "galah", {"survey_id": ["a"], "ra": [RA], "dec": [DEC]})
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: one(link_surveys(database, DR3)), range(4)))
    assert sorted(result.relinked for result in found) == [False, False, False, True]
    assert {tuple(result.by_method.items()) for result in found} == {(("position", 1),)}


def test_a_survey_without_rules_and_a_release_that_is_not_there_are_told(database: Database) -> None:
    with pytest.raises(UsageError, match=r"no rules to link ravee; surveys are apogee"):
        link_surveys(database, DR3, surveys=["ravee"])
    with pytest.raises(UsageError, match="gaia_dr9"):
        link_surveys(database, "gaia_dr9")
