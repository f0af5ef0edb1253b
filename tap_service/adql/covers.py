"""Constant regions of the sky as ranges of a HEALPix key: conditions that a B-tree answers, with an exact test for the border."""

import itertools
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

from catalog.healpix import cone_ranges, polygon_ranges
from catalog.schema.column import ColumnType
from catalog.spherical_polygon import SphericalPolygon
from tap_service.adql.constants import constant
from tap_service.adql.geometry import is_position
from tap_service.adql.typed_tree import (
    Box,
    Cap,
    ColumnValue,
    Comparison,
    Connective,
    Expression,
    Operation,
    Overlap,
    Polygon,
    Separation,
    SkyKey,
)
from tap_service.adql.value_types import Meaning

MOST_RANGES = 60
"""Up to so many ranges PostgreSQL plans an OR of BETWEENs well: milliseconds, and a true estimate of the rows."""

MOST_VERTICES = 500
"""Polygons with more are covered by the circle around them, because their own ranges would take longer to find than they save."""


@dataclass(frozen=True)
class Cover(ABC):
    """A condition that a position of a relation, (lon, lat), lies in or near a constant region."""

    lon: ColumnValue
    lat: ColumnValue
    sky_key: SkyKey

    def key(self) -> ColumnValue:
        """The column whose ranges cover the region."""
        return ColumnValue(Meaning.of(ColumnType.BIGINT), self.lon.relation, self.sky_key.position.key)

    @abstractmethod
    def ranges(self) -> list[tuple[int, int]] | None:
        """Ranges of the key (both ends inclusive) that hold every source in the region whose key tells its place; None for the whole sky."""


@dataclass(frozen=True)
class Cone(Cover):
    """Within ``radius`` degrees of a constant centre (ICRS degrees); ``settles`` where the condition asks for no more than that."""

    ra: float
    dec: float
    radius: float
    border_counts: bool = True
    settles: bool = True

    def ranges(self) -> list[tuple[int, int]] | None:
        """The cone's ranges."""
        if self.radius < 0:
            return []
        if self.radius >= 180:
            return None
        return _inclusive(cone_ranges(self.ra, self.dec, self.radius, self.sky_key.padding))

    def limit(self) -> float:
        """The haversine of the radius, which the haversine of a separation is compared with."""
        return 2.0 if self.radius >= 180 else math.sin(math.radians(self.radius) / 2) ** 2


@dataclass(frozen=True)
class Patch(Cover):
    """Within ``reach`` degrees of a constant polygon."""

    polygon: SphericalPolygon
    reach: float

    def ranges(self) -> list[tuple[int, int]] | None:
        """The padded polygon's ranges."""
        if self.polygon.radius + self.reach >= 180:
            return None
        if len(self.polygon.vertices) > MOST_VERTICES:
            return _inclusive(cone_ranges(*self.polygon.middle, self.polygon.radius + self.reach, self.sky_key.padding))
        return _inclusive(polygon_ranges(self.polygon, self.reach + self.sky_key.padding, MOST_RANGES))


def _inclusive(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(first, last - 1) for first, last in few(ranges)]


def few(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """At most MOST_RANGES ranges that hold the given ones: the smallest gaps are closed; the exact test drops what lies in them."""
    if len(ranges) <= MOST_RANGES:
        return ranges
    gaps = [later[0] - earlier[1] for earlier, later in itertools.pairwise(ranges)]
    kept = sorted(sorted(range(len(gaps)), key=gaps.__getitem__)[len(gaps) - MOST_RANGES + 1 :])
    firsts = [ranges[0][0], *(ranges[gap + 1][0] for gap in kept)]
    lasts = [*(ranges[gap][1] for gap in kept), ranges[-1][1]]
    return list(zip(firsts, lasts, strict=True))


# -- conditions

MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "<>": "<>"}
_OPPOSITE = {"<": ">=", ">": "<=", "<=": ">", ">=": "<", "=": "<>", "<>": "="}
_BETWEEN, _NOT_BETWEEN, _NOT = "({0} BETWEEN {1} AND {2})", "({0} NOT BETWEEN {1} AND {2})", "(NOT {0})"


def without_not(condition: Expression) -> Expression:
    """The same condition with NOT moved into comparisons, AND and OR, so that a region under it may be seen; NULL stays NULL."""
    if not isinstance(condition, Operation) or condition.template != _NOT:
        return condition
    inner = condition.arguments[0]
    if isinstance(inner, Comparison):
        return replace(inner, operator=_OPPOSITE[inner.operator])
    if isinstance(inner, Connective):
        opposite = tuple(without_not(replace(condition, arguments=(operand,))) for operand in inner.operands)
        return replace(inner, operator="OR" if inner.operator == "AND" else "AND", operands=opposite)
    if isinstance(inner, Operation) and inner.template in (_BETWEEN, _NOT_BETWEEN):
        return replace(inner, template=_NOT_BETWEEN if inner.template == _BETWEEN else _BETWEEN)
    if isinstance(inner, Operation) and inner.template == _NOT:
        return without_not(inner.arguments[0])
    return condition


def find_cover(condition: Expression) -> Cover | None:
    """The region that a position must lie in or near where a condition holds: CONTAINS or INTERSECTS that must be 1, DISTANCE that must
    lie below a constant, either way round; None for any other condition."""
    if isinstance(condition, Operation) and condition.template == _BETWEEN:
        value, low, high = condition.arguments
        below, above = constant(low), constant(high)
        if isinstance(value, Separation) and above is not None:
            return _near(value, above, True, settles=False)
        if isinstance(value, Overlap) and below is not None and 0 < below <= 1:
            return _overlapping(value, settles=False)
    if not isinstance(condition, Comparison):
        return None
    operator, left, right = condition.operator, condition.left, condition.right
    if isinstance(right, Overlap | Separation):
        operator, left, right = MIRRORED[operator], right, left
    number = constant(right)
    if number is None:
        return None
    if isinstance(left, Separation) and operator in ("<", "<=", "="):
        return _near(left, number, operator != "<", settles=operator != "=")
    if isinstance(left, Overlap) and _holds(1, operator, number) and not _holds(0, operator, number):
        return _overlapping(left, settles=True)
    return None


def _holds(value: int, operator: str, number: float) -> bool:
    return {
        "<": value < number,
        ">": value > number,
        "<=": value <= number,
        ">=": value >= number,
        "=": value == number,
        "<>": value != number,
    }[operator]


def _near(separation: Separation, radius: float, border_counts: bool, settles: bool) -> Cone | None:
    for place, centre in ((separation.first, separation.second), (separation.second, separation.first)):
        if is_position(place) and (at := _constant_place(centre)) is not None:
            return _cone(place, at, radius, border_counts, settles)
    return None


def _overlapping(overlap: Overlap, settles: bool) -> Cover | None:
    """What CONTAINS or INTERSECTS asks of the position at which one of the two regions lies."""
    first, second = overlap.first, overlap.second
    for region, other in ((first, second), (second, first)):
        if not isinstance(region, Cap | Box) or (around := _position(region)) is None:
            continue
        reach = _reach(region)
        if overlap.whole and region is first:
            # Its middle lies within the other, and a circle of known size further inside.
            inset = -reach if reach is not None and isinstance(region, Cap) else 0.0
            cover = _around(around, other, inset, settles and reach is not None and isinstance(region, Cap))
        elif reach is None:
            continue
        elif overlap.whole:
            # Every place of the other lies within its reach.
            cover = _holding(around, other, reach, settles and isinstance(region, Cap))
        else:
            cover = _around(around, other, reach, settles and isinstance(region, Cap))
        if cover is not None:
            return cover
    return None


def _around(position: Cap, region: Expression, reach: float, settles: bool) -> Cover | None:
    """The position lies within ``reach`` of a constant region, or so far inside its border."""
    if isinstance(region, Polygon) and region.shape is not None:
        lon, lat, sky_key = _columns(position)
        return Patch(lon, lat, sky_key, region.shape, max(reach, 0.0))
    radius = _reach(region) if isinstance(region, Cap) else None
    at = _constant_place(region) if isinstance(region, Cap) else None
    if radius is None or at is None:
        return None
    whole_sky = radius >= 180 or (reach < 0 and radius + reach >= 180)
    return _cone(position, at, 180.0 if whole_sky else radius + reach, True, settles and not (whole_sky and reach < 0))


def _holding(position: Cap, region: Expression, reach: float, settles: bool) -> Cone | None:
    """The position lies so near to a constant region that all of it is within reach."""
    if isinstance(region, Polygon) and region.shape is not None:
        return _cone(position, region.shape.vertices[0], reach, True, False)
    radius = _reach(region) if isinstance(region, Cap) else None
    at = _constant_place(region) if isinstance(region, Cap) else None
    if radius is None or at is None:
        return None
    return _cone(position, at, reach if reach >= 180 else reach - radius, True, settles and reach < 180)


def _reach(region: Expression) -> float | None:
    """How far a cap or box extends from its middle, degrees, where that is constant."""
    if isinstance(region, Cap):
        return 0.0 if region.radius is None else constant(region.radius)
    if isinstance(region, Box):
        width, height = constant(region.width), constant(region.height)
        if width is not None and height is not None:
            return math.degrees(math.atan(math.hypot(math.tan(math.radians(width) / 2), math.tan(math.radians(height) / 2)))) + 1e-9
    return None


def _position(region: Cap | Box) -> Cap | None:
    """The middle of a region, where that is a relation's position."""
    middle = Cap(region.meaning, region.lon, region.lat)
    return middle if is_position(middle) else None


def _constant_place(cap: Cap) -> tuple[float, float] | None:
    lon, lat = constant(cap.lon), constant(cap.lat)
    return None if lon is None or lat is None else (lon % 360.0, lat)


def _columns(position: Cap) -> tuple[ColumnValue, ColumnValue, SkyKey]:
    lon, lat = position.lon, position.lat
    if not isinstance(lon, ColumnValue) or not isinstance(lat, ColumnValue) or lon.relation.sky_key is None:
        raise AssertionError("this is no relation's position")
    return lon, lat, lon.relation.sky_key


def _cone(position: Cap, at: tuple[float, float], radius: float, border_counts: bool, settles: bool) -> Cone:
    lon, lat, sky_key = _columns(position)
    return Cone(lon, lat, sky_key, at[0], at[1], radius, border_counts, settles)
