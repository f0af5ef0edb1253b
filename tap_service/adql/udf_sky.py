"""User-defined functions of places: HEALPix, motion, frames, sexagesimal text.

ivo_... by the IVOA's catalogue of ADQL user-defined functions (EN 1.2), gaia_... by the Gaia archive.
"""

from catalog.schema.column import ColumnType
from tap_service.adql.constants import constant
from tap_service.adql.errors import AdqlTypeError, QueryText
from tap_service.adql.frames import FRAMES, rotation
from tap_service.adql.geometry import coordinates_of, turned
from tap_service.adql.typed_tree import Cap, Constant, Expression, Operation, PixelOfKey
from tap_service.adql.user_function import UserFunction, Values, function
from tap_service.adql.value_types import Meaning
from tap_service.names import close_names

_DEEPEST = 29
_SOURCE_LEVEL = 12
"""HEALPix level of a source_id, which is the pixel shifted by _SOURCE_BITS (Gaia DR3 documentation, section 20.1.1)."""
_SOURCE_BITS = 35

_DEGREES = Meaning.of(ColumnType.DOUBLE, "deg")
_PIXEL = Meaning.of(ColumnType.BIGINT, None, "pos.healpix")


def _point(lon: Expression, lat: Expression, place: int) -> Cap:
    return Cap(Meaning.of(ColumnType.POINT), lon, lat, place=place)


def _known_order(value: Expression, deepest: int, source: QueryText) -> None:
    """AdqlTypeError for an order that is written out and not among 0 to ``deepest``."""
    order = constant(value)
    if order is not None and not 0 <= order <= deepest:
        source.fail(AdqlTypeError, f"a HEALPix order here is a whole number from 0 to {deepest}, not {order}", value.place)


def _healpix_index(arguments: Values, source: QueryText, place: int) -> Expression:
    _known_order(arguments[0], _DEEPEST, source)
    return Operation(_PIXEL, "functions.healpix_index({0}, {1}, {2})", arguments, place=place)


def _healpix_index_of_point(arguments: Values, source: QueryText, place: int) -> Expression:
    order, point = arguments
    return _healpix_index((order, *coordinates_of(point)), source, place)


def _healpix_center(arguments: Values, source: QueryText, place: int) -> Expression:
    _known_order(arguments[0], _DEEPEST, source)
    lon = Operation(_DEGREES, "functions.healpix_lon({0}, {1})", arguments, place=place)
    lat = Operation(_DEGREES, "functions.healpix_lat({0}, {1})", arguments, place=place)
    return _point(lon, lat, place)


def _gaia_healpix_index(arguments: Values, source: QueryText, place: int) -> Expression:
    order = constant(arguments[0])
    if order is None or not 0 <= order <= _SOURCE_LEVEL:
        source.fail(
            AdqlTypeError, f"the order of gaia_healpix_index is a number from 0 to {_SOURCE_LEVEL} in the query", arguments[0].place
        )
    shift = _SOURCE_BITS + 2 * (_SOURCE_LEVEL - int(order))
    return PixelOfKey(_PIXEL, arguments[1], shift, place=place)


_PROPAGATED = "(functions.propagated_place({0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}))"


def _epoch_prop_pos(arguments: Values, source: QueryText, place: int) -> Expression:
    for value in (*arguments[:2], *arguments[6:]):
        if isinstance(value, Constant) and value.value is None:
            source.fail(AdqlTypeError, "the position and the epochs of ivo_epoch_prop_pos cannot be NULL", value.place)
    lon, lat = (Operation(_DEGREES, f"{_PROPAGATED}[{element}]", arguments, place=place) for element in (1, 2))
    return _point(lon, lat, place)


def _frame(value: Expression, source: QueryText) -> str:
    """A frame that is written out; AdqlTypeError with what there is for any other value."""
    known = ", ".join(FRAMES)
    if not isinstance(value, Constant) or not isinstance(value.value, str):
        source.fail(AdqlTypeError, f"the frames of ivo_geom_transform are written in quotes; there are {known}", value.place)
    if value.value not in FRAMES:
        near = close_names(value.value, FRAMES, 1)
        guess = f"did you mean '{near[0]}'? " if near else ""
        source.fail(AdqlTypeError, f"there is no frame {value.value!r} here; {guess}Frames are {known}, in capitals", value.place)
    return value.value


def _geom_transform(arguments: Values, source: QueryText, place: int) -> Expression:
    matrix = rotation(_frame(arguments[0], source), _frame(arguments[1], source))
    return turned(arguments[2], matrix, source, place)


SKY_FUNCTIONS: tuple[UserFunction, ...] = (
    function(
        "The number, in the nested scheme, of the HEALPix pixel of an order (0 to 29) that a place lies in.",
        ("ivo_healpix_index(hpxorder INTEGER, ra DOUBLE PRECISION, dec DOUBLE PRECISION) -> BIGINT", _healpix_index),
        ("ivo_healpix_index(hpxorder INTEGER, position POINT) -> BIGINT", _healpix_index_of_point),
    ),
    function(
        "The centre of a HEALPix pixel, given by its order (0 to 29) and its number in the nested scheme.",
        ("ivo_healpix_center(hpxorder INTEGER, hpxindex BIGINT) -> POINT", _healpix_center),
    ),
    function(
        "The number, in the nested scheme, of the HEALPix pixel of an order (0 to 12, written out) where a Gaia source was detected, read from its "
        "source_id; the source itself may lie a few arcsec outside of it.",
        ("gaia_healpix_index(norder INTEGER, source_id BIGINT) -> BIGINT", _gaia_healpix_index),
    ),
    function(
        "The place at out_epoch of a source that moves uniformly through space; deg, mas, mas/yr (pmra with cos dec), km/s, Julian years. A NULL "
        "parallax means infinitely far, NULL motions mean 0, a NULL place or epoch is an error.",
        (
            "ivo_epoch_prop_pos(ra DOUBLE PRECISION, dec DOUBLE PRECISION, parallax DOUBLE PRECISION, pmra DOUBLE PRECISION, "
            "pmdec DOUBLE PRECISION, radial_velocity DOUBLE PRECISION, ref_epoch DOUBLE PRECISION, out_epoch DOUBLE PRECISION) -> POINT",
            _epoch_prop_pos,
        ),
    ),
    function(
        f"A POINT or region in another reference frame, by a plain rotation; frames are {', '.join(FRAMES)} (FK4 at B1950, FK5 and "
        "ECLIPTIC at J2000), written out in capitals.",
        ("ivo_geom_transform(from_sys TEXT, to_sys TEXT, geo GEOMETRY) -> GEOMETRY", _geom_transform),
    ),
    function(
        "Degrees of hours, minutes and seconds written h:m:s, hhmmss or hHmMsS; NULL for any other text.",
        ("ivo_hms_to_degrees(hms TEXT) -> DOUBLE PRECISION", "functions.hms_to_degrees({0})"),
        unit="deg",
    ),
    function(
        "Degrees of degrees, minutes and seconds written d:m:s, ddmmss or dDmMsS, with or without a sign; NULL for any other text.",
        ("ivo_dms_to_degrees(dms TEXT) -> DOUBLE PRECISION", "functions.dms_to_degrees({0})"),
        unit="deg",
    ),
)
