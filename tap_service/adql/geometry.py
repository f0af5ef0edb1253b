"""Geometry on the sky: the functions that make and compare places, and conditions that HEALPix ranges over a key can answer.

A place is a cap: a point, or a circle around one; coordinates are ICRS degrees. Separations are great circles by the haversine
formula, which keeps its precision below an arcsecond (Sinnott 1984, Sky and Telescope 68, 158).
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

from catalog.healpix import cone_ranges
from catalog.schema.column import ColumnType
from tap_service.adql.conversions import as_double, require
from tap_service.adql.errors import AdqlTypeError, AdqlUnsupportedError, QueryText
from tap_service.adql.typed_tree import (
    Arithmetic,
    Cap,
    ColumnValue,
    Comparison,
    Constant,
    Expression,
    Negative,
    Operation,
    Overlap,
    Separation,
    SkyKey,
)
from tap_service.adql.value_types import INTEGERS, REGIONS, Internal, Meaning

MOST_RANGES = 60
"""Up to so many ranges PostgreSQL plans an OR of BETWEENs well: milliseconds, and a true estimate of the rows."""

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
    return Cap(Meaning.of(Internal.POINT), lon, lat, place=place)


def _circle(arguments: Values, source: QueryText, place: int) -> Expression:
    arguments = _frame_taken_off("CIRCLE", arguments, source)
    if len(arguments) == 2 and isinstance(arguments[0], Cap):
        lon, lat = arguments[0].lon, arguments[0].lat
        require(arguments[0], (Internal.POINT,), "a POINT", source, "the centre of CIRCLE")
    elif len(arguments) == 3:
        lon, lat = _coordinates(arguments[:2], "CIRCLE", source)
    else:
        source.fail(AdqlTypeError, "CIRCLE takes longitude, latitude and radius in degrees, or a POINT and a radius", place)
    radius = as_double(arguments[-1], source, "the radius of CIRCLE")
    return Cap(Meaning.of(Internal.CIRCLE), lon, lat, radius, place=place)


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
        first = Cap(Meaning.of(Internal.POINT), *_coordinates(arguments[:2], "DISTANCE", source), place=arguments[0].place)
        second = Cap(Meaning.of(Internal.POINT), *_coordinates(arguments[2:], "DISTANCE", source), place=arguments[2].place)
        return Separation(Meaning.of(ColumnType.DOUBLE, "deg", "pos.angDistance"), first, second, place=place)
    if len(arguments) != 2:
        source.fail(AdqlTypeError, "DISTANCE takes two POINTs, or lon1, lat1, lon2, lat2 in degrees", place)
    first, second = (_cap(value, "DISTANCE", source, (Internal.POINT,)) for value in arguments)
    return Separation(Meaning.of(ColumnType.DOUBLE, "deg", "pos.angDistance"), first, second, place=place)


def _cap(value: Expression, name: str, source: QueryText, types: tuple[Internal, ...] = REGIONS) -> Cap:
    wanted = " or ".join(f"a {type_.value}" for type_ in types)
    require(value, types, wanted, source, f"an argument of {name}")
    if not isinstance(value, Cap):
        raise AssertionError(f"a value of type {value.meaning.type} is a {type(value).__name__}")
    return value


def _overlap(name: str, whole: bool) -> Callable[[Values, QueryText, int], Expression]:
    def build(arguments: Values, source: QueryText, place: int) -> Expression:
        if len(arguments) != 2:
            source.fail(AdqlTypeError, f"{name} takes two regions: {name}(POINT(ra, dec), CIRCLE(lon, lat, radius))", place)
        first, second = (_cap(value, name, source) for value in arguments)
        return Overlap(Meaning.of(ColumnType.INTEGER), first, second, whole, place=place)

    return build


def _of_cap(name: str, types: tuple[Internal, ...], build: Callable[[Cap], Expression]) -> Callable[[Values, QueryText, int], Expression]:
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
    "CENTROID": _of_cap("CENTROID", REGIONS, lambda cap: Cap(Meaning.of(Internal.POINT), cap.lon, cap.lat, place=cap.place)),
    "AREA": _of_cap("AREA", REGIONS, _area),
    "COORD1": _of_cap("COORD1", (Internal.POINT,), lambda cap: _coordinate(cap.lon)),
    "COORD2": _of_cap("COORD2", (Internal.POINT,), lambda cap: _coordinate(cap.lat)),
    "COORDSYS": _of_cap("COORDSYS", REGIONS, lambda cap: Constant(Meaning.of(ColumnType.TEXT), "ICRS", place=cap.place)),
}
"""The geometry functions by name."""


# -- cones


@dataclass(frozen=True)
class Cone:
    """A condition that a position of a relation lies within ``radius`` degrees of a constant centre (ICRS degrees)."""

    lon: ColumnValue
    lat: ColumnValue
    sky_key: SkyKey
    ra: float
    dec: float
    radius: float
    border_counts: bool

    def key(self) -> ColumnValue:
        """The column whose ranges cover the cone."""
        return ColumnValue(Meaning.of(ColumnType.BIGINT), self.lon.relation, self.sky_key.position.key)

    def ranges(self) -> list[tuple[int, int]] | None:
        """Ranges of the key (both ends inclusive) that hold every source in the cone whose key tells its place; None for the whole sky."""
        if self.radius < 0:
            return []
        if self.radius >= 180:
            return None
        return [(int(first), int(last) - 1) for first, last in few(cone_ranges(self.ra, self.dec, self.radius, self.sky_key.padding))]

    def limit(self) -> float:
        """The haversine of the radius, which the haversine of a separation is compared with."""
        return 2.0 if self.radius >= 180 else math.sin(math.radians(self.radius) / 2) ** 2


def few(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """At most MOST_RANGES ranges that hold the given ones: the smallest gaps are closed; the exact test drops what lies in them."""
    if len(ranges) <= MOST_RANGES:
        return ranges
    gaps = [later[0] - earlier[1] for earlier, later in itertools.pairwise(ranges)]
    kept = sorted(sorted(range(len(gaps)), key=gaps.__getitem__)[len(gaps) - MOST_RANGES + 1 :])
    firsts = [ranges[0][0], *(ranges[gap + 1][0] for gap in kept)]
    lasts = [*(ranges[gap][1] for gap in kept), ranges[-1][1]]
    return list(zip(firsts, lasts, strict=True))


_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "<>": "<>"}


def find_cone(condition: Comparison) -> Cone | None:
    """The cone that a comparison asks for, or None: CONTAINS or INTERSECTS against 1, or DISTANCE below a constant, either way round."""
    operator, left, right = condition.operator, condition.left, condition.right
    if isinstance(right, Overlap | Separation):
        operator, left, right = _MIRRORED[operator], right, left
    number = constant(right)
    if number is None:
        return None
    if isinstance(left, Separation) and operator in ("<", "<="):
        return _cone(left.first, left.second, number, operator == "<=")
    if isinstance(left, Overlap) and operator == "=" and number == 1:
        inner = 0.0 if left.first.radius is None else constant(left.first.radius)
        outer = 0.0 if left.second.radius is None else constant(left.second.radius)
        if inner is None or outer is None or inner < 0 or outer < 0:
            return None
        return _cone(left.first, left.second, outer - inner if left.whole else outer + inner, True)
    return None


def _cone(first: Cap, second: Cap, radius: float, border_counts: bool) -> Cone | None:
    """The cone if one place is a relation's position and the other is constant."""
    for place, centre in ((first, second), (second, first)):
        ra, dec = constant(centre.lon), constant(centre.lat)
        lon, lat = _column(place.lon), _column(place.lat)
        if ra is None or dec is None or lon is None or lat is None or lon.relation != lat.relation:
            continue
        sky_key = lon.relation.sky_key
        if sky_key is not None and (lon.name, lat.name) == (sky_key.position.lon, sky_key.position.lat):
            return Cone(lon, lat, sky_key, ra % 360.0, dec, radius, border_counts)
    return None


def _column(value: Expression) -> ColumnValue | None:
    return value if isinstance(value, ColumnValue) else None


def constant(value: Expression) -> float | int | None:
    """The number that an expression of literals gives, by PostgreSQL's rules (whole numbers divide to whole numbers); None for any other."""
    if isinstance(value, Constant):
        return value.value if isinstance(value.value, int | float) and not isinstance(value.value, bool) else None
    if isinstance(value, Negative):
        number = constant(value.operand)
        return None if number is None else -number
    if isinstance(value, Operation) and value.template == "CAST({0} AS double precision)":
        number = constant(value.arguments[0])
        return None if number is None else float(number)
    if not isinstance(value, Arithmetic):
        return None
    left, right = constant(value.left), constant(value.right)
    if left is None or right is None:
        return None
    if value.operator == "/":
        if right == 0:
            return None
        if value.meaning.type in INTEGERS:
            return abs(int(left)) // abs(int(right)) * (1 if (left < 0) == (right < 0) else -1)
        return _finite(left / right)
    return _finite({"+": left + right, "-": left - right, "*": left * right}[value.operator]) if value.operator in "+-*" else None


def _finite(number: float | int) -> float | int | None:
    """The number if a double can hold it."""
    try:
        return number if math.isfinite(number) else None
    except OverflowError:  # a whole number beyond 1.8e308
        return None
