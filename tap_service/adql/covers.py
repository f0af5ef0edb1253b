"""Constant regions of the sky as ranges of a HEALPix key: conditions that a B-tree answers, with an exact test for the border."""

import itertools
import math
from dataclasses import dataclass

from catalog.healpix import cone_ranges
from catalog.schema.column import ColumnType
from tap_service.adql.constants import constant
from tap_service.adql.typed_tree import Cap, ColumnValue, Comparison, Expression, Overlap, Separation, SkyKey
from tap_service.adql.value_types import Meaning

MOST_RANGES = 60
"""Up to so many ranges PostgreSQL plans an OR of BETWEENs well: milliseconds, and a true estimate of the rows."""


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
