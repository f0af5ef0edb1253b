"""Geometry on the sky: the functions that make and compare places.

A place is a cap: a point, or a circle around one; coordinates are ICRS degrees. Separations are great circles by the haversine
formula, which keeps its precision below an arcsecond (Sinnott 1984, Sky and Telescope 68, 158).
"""

from collections.abc import Callable

from catalog.schema.column import ColumnType
from tap_service.adql.constants import constant
from tap_service.adql.conversions import as_double, require
from tap_service.adql.errors import AdqlTypeError, AdqlUnsupportedError, QueryText
from tap_service.adql.typed_tree import (
    Cap,
    Constant,
    Expression,
    Operation,
    Overlap,
    Separation,
)
from tap_service.adql.value_types import REGIONS, Meaning

HAVERSINE = "(power(sin(radians({1} - {3}) / 2), 2) + cos(radians({1})) * cos(radians({3})) * power(sin(radians({0} - {2}) / 2), 2))"
"""Haversine of the angle between (lon, lat) = ({0}, {1}) and ({2}, {3}) in degrees."""

SEPARATION = f"(degrees(2 * asin(least(1, sqrt({HAVERSINE})))) + 0 * ({{0}} + {{1}} + {{2}} + {{3}}))"
"""Angle between the two places, degrees; the last term keeps an unknown place unknown, because LEAST passes over NULL."""

_CIRCLE_AREA = "(720 * 180 / pi() * power(sin(radians({0}) / 2), 2))"
"""Solid angle of a cap of radius {0} degrees: 4 pi sin^2(r/2) steradian, here in square degrees."""

Values = tuple[Expression, ...]


# -- functions


def _frame_taken_off(name: str, arguments: Values, source: QueryText) -> Values:
    """The arguments without the deprecated coordinate system before them, which must be ICRS where it stands."""
    first = arguments[0] if arguments else None
    if isinstance(first, Constant) and isinstance(first.value, str):
        words = first.value.upper().split()
        if words and words[0] not in ("ICRS", "UNKNOWNFRAME"):
            source.fail(
                AdqlUnsupportedError,
                f"positions are in ICRS: {name} takes 'ICRS' or no coordinate system, not {first.value!r}",
                first.place,
            )
        return arguments[1:]
    return arguments


def _point(arguments: Values, source: QueryText, place: int) -> Expression:
    arguments = _frame_taken_off("POINT", arguments, source)
    if len(arguments) != 2:
        source.fail(AdqlTypeError, "POINT takes a longitude and a latitude in degrees: POINT(ra, dec)", place)
    lon, lat = _coordinates(arguments, "POINT", source)
    return Cap(Meaning.of(ColumnType.POINT), lon, lat, place=place)


def _circle(arguments: Values, source: QueryText, place: int) -> Expression:
    arguments = _frame_taken_off("CIRCLE", arguments, source)
    if len(arguments) == 2 and isinstance(arguments[0], Cap):
        lon, lat = arguments[0].lon, arguments[0].lat
        require(arguments[0], (ColumnType.POINT,), "a POINT", source, "the centre of CIRCLE")
    elif len(arguments) == 3:
        lon, lat = _coordinates(arguments[:2], "CIRCLE", source)
    else:
        source.fail(AdqlTypeError, "CIRCLE takes longitude, latitude and radius in degrees, or a POINT and a radius", place)
    radius = as_double(arguments[-1], source, "the radius of CIRCLE")
    return Cap(Meaning.of(ColumnType.CIRCLE), lon, lat, radius, place=place)


def _coordinates(arguments: Values, name: str, source: QueryText) -> tuple[Expression, Expression]:
    """Longitude and latitude as numbers; a constant latitude must lie within -90 and 90."""
    lon, lat = (
        as_double(value, source, f"the {which} of {name}") for value, which in zip(arguments, ("longitude", "latitude"), strict=True)
    )
    latitude = constant(lat)
    if latitude is not None and not -90 <= latitude <= 90:
        source.fail(AdqlTypeError, f"a latitude of {latitude:g} degrees is not on the sky; it lies between -90 and 90", lat.place)
    return lon, lat


def _distance(arguments: Values, source: QueryText, place: int) -> Expression:
    if len(arguments) == 4:
        first = Cap(Meaning.of(ColumnType.POINT), *_coordinates(arguments[:2], "DISTANCE", source), place=arguments[0].place)
        second = Cap(Meaning.of(ColumnType.POINT), *_coordinates(arguments[2:], "DISTANCE", source), place=arguments[2].place)
        return Separation(Meaning.of(ColumnType.DOUBLE, "deg", "pos.angDistance"), first, second, place=place)
    if len(arguments) != 2:
        source.fail(AdqlTypeError, "DISTANCE takes two POINTs, or lon1, lat1, lon2, lat2 in degrees", place)
    first, second = (_cap(value, "DISTANCE", source, (ColumnType.POINT,)) for value in arguments)
    return Separation(Meaning.of(ColumnType.DOUBLE, "deg", "pos.angDistance"), first, second, place=place)


def _cap(value: Expression, name: str, source: QueryText, types: tuple[ColumnType, ...] = (ColumnType.POINT, ColumnType.CIRCLE)) -> Cap:
    wanted = " or ".join(f"a {type_.name}" for type_ in types)
    require(value, types, wanted, source, f"an argument of {name}")
    if isinstance(value, Cap):
        return value
    parts = [Operation(Meaning.of(ColumnType.DOUBLE), f"({{0}})[{number}]", (value,), place=value.place) for number in (1, 2, 3)]
    return Cap(value.meaning, parts[0], parts[1], parts[2] if value.meaning.type is ColumnType.CIRCLE else None, place=value.place)


def _overlap(name: str, whole: bool) -> Callable[[Values, QueryText, int], Expression]:
    def build(arguments: Values, source: QueryText, place: int) -> Expression:
        if len(arguments) != 2:
            source.fail(AdqlTypeError, f"{name} takes two regions: {name}(POINT(ra, dec), CIRCLE(lon, lat, radius))", place)
        first, second = (_cap(value, name, source) for value in arguments)
        return Overlap(Meaning.of(ColumnType.INTEGER), first, second, whole, place=place)

    return build


def _of_cap(name: str, types: tuple[ColumnType, ...], build: Callable[[Cap], Expression]) -> Callable[[Values, QueryText, int], Expression]:
    def checked(arguments: Values, source: QueryText, place: int) -> Expression:
        if len(arguments) != 1:
            source.fail(AdqlTypeError, f"{name} takes one argument, not {len(arguments)}", place)
        return build(_cap(arguments[0], name, source, types))

    return checked


def _area(cap: Cap) -> Expression:
    radius = cap.radius or Constant(Meaning.of(ColumnType.DOUBLE), 0.0)
    return Operation(Meaning.of(ColumnType.DOUBLE, "deg**2", "phys.angArea"), _CIRCLE_AREA, (radius,), place=cap.place)


def _coordinate(value: Expression) -> Expression:
    """A coordinate taken out of a POINT: degrees, whatever it was made of."""
    meaning = Meaning.of(ColumnType.DOUBLE, "deg", value.meaning.ucd)
    return Operation(meaning, "{0}", (value,), place=value.place)


GEOMETRY: dict[str, Callable[[Values, QueryText, int], Expression]] = {
    "POINT": _point,
    "CIRCLE": _circle,
    "DISTANCE": _distance,
    "CONTAINS": _overlap("CONTAINS", True),
    "INTERSECTS": _overlap("INTERSECTS", False),
    "CENTROID": _of_cap("CENTROID", REGIONS, lambda cap: Cap(Meaning.of(ColumnType.POINT), cap.lon, cap.lat, place=cap.place)),
    "AREA": _of_cap("AREA", REGIONS, _area),
    "COORD1": _of_cap("COORD1", (ColumnType.POINT,), lambda cap: _coordinate(cap.lon)),
    "COORD2": _of_cap("COORD2", (ColumnType.POINT,), lambda cap: _coordinate(cap.lat)),
    "COORDSYS": _of_cap("COORDSYS", REGIONS, lambda cap: Constant(Meaning.of(ColumnType.TEXT), "ICRS", place=cap.place)),
}
"""The geometry functions by name."""
