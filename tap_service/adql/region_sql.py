"""Geometry of the typed tree as SQL: places and regions as arrays, separations, overlaps, and covers with their exact test.

What is simple is written out, so that PostgreSQL evaluates it in place; all else goes through the functions of sql/functions/regions.sql,
which take a value once, however large the expression that gives it.
"""

import math
from collections.abc import Callable

from psycopg import sql

from catalog.schema.column import ColumnType
from catalog.spherical_polygon import SphericalPolygon
from tap_service.adql.constants import constant
from tap_service.adql.covers import Cone, Cover
from tap_service.adql.geometry import HAVERSINE, SEPARATION, is_position
from tap_service.adql.typed_tree import (
    Arithmetic,
    Box,
    Cap,
    ColumnValue,
    Constant,
    Expression,
    Negative,
    Operation,
    Overlap,
    Polygon,
    Separation,
    walk,
)

SQL = sql.SQL
_COMMA = SQL(", ")
Value = Callable[[Expression], sql.Composed]
"""Emits any expression."""

GEOMETRY_NODES = (Box, Cap, Overlap, Polygon, Separation)
_MOST_NODES_REPEATED = 12
_LEAST_FOR_COSINE = 1.0
"""Degrees from which the cosine of a separation tells it well enough to be worth a look."""
_COSINE = "(sin(radians({1})) * {3} + cos(radians({1})) * {4} * cos(radians({0} - {2})))"
"""Cosine of the angle between (lon, lat) = ({0}, {1}) in degrees and the place at longitude {2} whose latitude has sine {3} and cosine {4}."""
_OUTLINE_SIZE = 20_000.0
"""A polygon's radius in the units that it is drawn in. PostgreSQL's polygons take differences below 1e-6 for nothing: here 5e-11 of the radius."""


def geometry(expression: Expression, value: Value) -> sql.Composed:
    """A node of GEOMETRY_NODES."""
    if isinstance(expression, Separation):
        return _separation(expression.first, expression.second, value)
    if isinstance(expression, Overlap):
        return _overlap(expression, value)
    if isinstance(expression, Cap):
        parts = [expression.lon, expression.lat, *([expression.radius] if expression.radius is not None else [])]
        return _call("sky_point" if expression.radius is None else "sky_circle", *map(value, parts))
    if isinstance(expression, Box):
        return _call("sky_box", *map(value, (expression.lon, expression.lat, expression.width, expression.height)))
    if isinstance(expression, Polygon):
        if expression.shape is not None:
            return _array(expression.shape.coordinates)
        return _call("sky_polygon", SQL("ARRAY[{}]").format(_COMMA.join(map(value, expression.coordinates))))
    raise AssertionError(f"no geometry: {type(expression).__name__}")


def covered(cover: Cover, condition: Expression, value: Value) -> sql.Composed:
    """Ranges of the key, which an index answers, and the exact test, which settles the border."""
    exact = _haversine(cover, value) if isinstance(cover, Cone) and cover.settles else value(condition)
    ranges = cover.ranges()
    if ranges is None:
        return SQL("({})").format(exact)
    if not ranges:
        return sql.Composed([SQL("FALSE")])
    key = value(cover.key())
    parts = [SQL("{} BETWEEN {} AND {}").format(key, sql.Literal(first), sql.Literal(last)) for first, last in ranges]
    if cover.sky_key.displaced:
        parts.append(SQL("{} IN ({})").format(key, _COMMA.join(sql.Literal(one) for one in cover.sky_key.displaced)))
    return SQL("(({}) AND {})").format(SQL(" OR ").join(parts), exact)


def _haversine(cone: Cone, value: Value) -> sql.Composed:
    lon, lat = value(cone.lon), value(cone.lat)
    haversine = SQL(HAVERSINE).format(lon, lat, _number(cone.ra), _number(cone.dec))
    exact = haversine + SQL(" <= " if cone.border_counts else " < ") + _number(cone.limit())
    if not _LEAST_FOR_COSINE <= cone.radius < 180:
        return exact
    # Two fifths of the haversine's time: the cosine settles all but the places within 1e-12 of the border's.
    cosine = SQL(_COSINE).format(
        lon, lat, _number(cone.ra), _number(math.sin(math.radians(cone.dec))), _number(math.cos(math.radians(cone.dec)))
    )
    border = math.cos(math.radians(cone.radius))
    return SQL("({0} > {1} OR ({0} > {2} AND {3}))").format(cosine, _number(border + 1e-12), _number(border - 1e-12), exact)


def _separation(first: Cap, second: Cap, value: Value) -> sql.Composed:
    places = [value(part) for part in (first.lon, first.lat, second.lon, second.lat)]
    if _on_sky(first) and _on_sky(second):
        return SQL(SEPARATION).format(*places)
    return _call("separation", *places)


def _overlap(overlap: Overlap, value: Value) -> sql.Composed:
    """1 or 0: of caps by the separation of their centres, of a place and a polygon of numbers on the polygon's plane."""
    first, second = overlap.first, overlap.second
    if isinstance(first, Cap) and isinstance(second, Cap) and all(map(_repeatable, (first, second))):
        inner, outer = _radius(first, value), _radius(second, value)
        separation = _separation(first, second, value)
        if not overlap.whole:
            return SQL("CAST({} <= {} + {} AS integer)").format(separation, inner, outer)
        if first.radius is None or (second.radius is not None and (constant(second.radius) or 180.0) < 180):
            return SQL("CAST({} + {} <= {} AS integer)").format(separation, inner, outer)
    if overlap.whole and isinstance(first, Cap) and first.radius is None and isinstance(second, Polygon) and second.shape is not None:
        return SQL("CAST({} AS integer)").format(_holds(second.shape, value(first.lon), value(first.lat)))
    return _call("region_contains" if overlap.whole else "region_intersects", value(first), value(second))


def _radius(cap: Cap, value: Value) -> sql.Composable:
    """The radius, NULL below 0."""
    if cap.radius is None or constant(cap.radius) is not None:
        return SQL("0") if cap.radius is None else value(cap.radius)
    return SQL("CASE WHEN {0} >= 0 THEN {0} END").format(value(cap.radius))


def _holds(shape: SphericalPolygon, lon: sql.Composed, lat: sql.Composed) -> sql.Composed:
    unit = _OUTLINE_SIZE / math.tan(math.radians(shape.radius))
    vertices = ",".join(f"({float(x * unit)!r},{float(y * unit)!r})" for x, y in shape.on_plane())
    outline = SQL("CAST({} AS polygon)").format(sql.Literal(f"({vertices})"))
    return _call("outline_holds", outline, _number(unit), _number(shape.middle[0]), _number(shape.middle[1]), lon, lat)


def _on_sky(cap: Cap) -> bool:
    """Whether the centre is known to be a place, or NULL: numbers have been checked by the resolver, positions by ingest."""
    return is_position(cap) or (isinstance(cap.lon, Constant) and isinstance(cap.lat, Constant))


def _repeatable(region: Cap) -> bool:
    """Whether all values are small and always the same, so that the SQL may name them more than once."""
    nodes = list(walk(region))
    return len(nodes) <= _MOST_NODES_REPEATED and all(
        isinstance(node, Cap | ColumnValue | Constant | Negative | Arithmetic)
        or (isinstance(node, Operation) and (node.template.startswith(("CAST({0} AS ", "({0})["))))
        for node in nodes
    )


def _call(name: str, *arguments: sql.Composable) -> sql.Composed:
    return SQL("{}({})").format(sql.Identifier("functions", name), _COMMA.join(arguments))


def _array(numbers: tuple[float, ...]) -> sql.Composed:
    text = ",".join(repr(float(number)) for number in numbers)
    return SQL("CAST({} AS {})").format(sql.Literal(f"{{{text}}}"), SQL(ColumnType.POLYGON.postgres))


def _number(number: float) -> sql.Composed:
    return SQL("CAST({} AS double precision)").format(sql.Literal(float(number)))
