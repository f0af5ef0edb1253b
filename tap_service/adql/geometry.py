"""Geometry on the sky: the functions that make and compare points, circles, boxes and polygons (ADQL 2.1 section 4.2).

All are in ICRS degrees. The deprecated coordinate system before the arguments may name another frame of ``frames``: what is written
in it is turned to ICRS at once. Where the standard leaves it open:

- A longitude may be any number; it comes out between 0 and 360. A latitude beyond 90 degrees, a radius below 0, sizes of a box that do
  not lie between 0 and 180, and a polygon that no hemisphere holds are refused where they are constant, and NULL where they come from
  rows; so is every place with a NULL coordinate. A polygon whose edges cross is refused where it is constant; one from a row holds
  what its border winds around, and its AREA and CENTROID take what it winds around clockwise from what it winds around the other way.
- A polygon is the side of its edges that lies within a hemisphere, whichever way round it is written. It comes out as DALI 1.1 section
  3.3.7 has it, counter-clockwise as seen from inside the sphere.
- The border of a region belongs to it. Two points contain each other where they are one.
- INTERSECTS with a POINT is CONTAINS.
- DISTANCE is by the haversine formula, which keeps its precision below an arcsecond (Sinnott 1984, Sky and Telescope 68, 158).
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from catalog.errors import UsageError
from catalog.schema.column import ColumnType
from catalog.spherical_polygon import box, longitude, polygon
from tap_service.adql.constants import constant
from tap_service.adql.conversions import as_double, require
from tap_service.adql.errors import AdqlTypeError, AdqlUnsupportedError, QueryText
from tap_service.adql.frames import FRAMES, OTHER_NAMES, Matrix, rotated, rotation
from tap_service.adql.region_text import RegionTextError, WrittenRegion, read_dali, read_stcs
from tap_service.adql.typed_tree import Box, Cap, ColumnValue, Constant, Expression, Operation, Overlap, Polygon, Separation
from tap_service.adql.value_types import REGIONS, Meaning, in_words

HAVERSINE = "(power(sin(radians({1} - {3}) / 2), 2) + cos(radians({1})) * cos(radians({3})) * power(sin(radians({0} - {2}) / 2), 2))"
"""Haversine of the angle between (lon, lat) = ({0}, {1}) and ({2}, {3}) in degrees."""

SEPARATION = f"(degrees(2 * asin(least(1, sqrt({HAVERSINE})))) + 0 * ({{0}} + {{1}} + {{2}} + {{3}}))"
"""Angle between the two places, degrees; the last term keeps an unknown place unknown, because LEAST passes over NULL."""

_DOUBLE, _DEGREES = ColumnType.DOUBLE, Meaning.of(ColumnType.DOUBLE, "deg")
_POINT = Meaning.of(ColumnType.POINT, "deg", "pos.eq")
_CIRCLE = Meaning.of(ColumnType.CIRCLE, "deg", "pos.outline")
_POLYGON = Meaning.of(ColumnType.POLYGON, "deg", "pos.outline")
_SEPARATION = Meaning.of(_DOUBLE, "deg", "pos.angDistance")

Values = tuple[Expression, ...]
Build = Callable[[Values, QueryText, int], Expression]


def call_geometry(name: str, arguments: Values, source: QueryText, place: int) -> Expression:
    """A function of GEOMETRY applied to its arguments; columns of float32 numbers with an xtype of geometry are regions too."""
    return GEOMETRY[name](tuple(map(_double_region, arguments)), source, place)


def _double_region(value: Expression) -> Expression:
    meaning = {type_.xtype: type_ for type_ in REGIONS}.get(value.meaning.xtype)
    if value.meaning.type is not ColumnType.VECTOR or meaning is None:
        return value
    return Operation(
        replace(value.meaning, type=meaning), "CAST(functions.unpack_vector({0}) AS double precision[])", (value,), place=value.place
    )


# -- regions made


def _frame_taken_off(name: str, arguments: Values, source: QueryText) -> tuple[str, Values]:
    """The frame that the deprecated coordinate system before the arguments names, ICRS without one, and the other arguments."""
    first = arguments[0] if arguments else None
    if first is None or first.meaning.type is not ColumnType.TEXT:
        return "ICRS", arguments
    if not isinstance(first, Constant):
        source.fail(AdqlUnsupportedError, f"the coordinate system of {name} is written in quotes: 'ICRS', or leave it out", first.place)
    return known_frame(str(first.value or ""), source, first.place), arguments[1:]


def known_frame(text: str, source: QueryText, place: int) -> str:
    """The frame of a coordinate system such as ``ICRS GEOCENTER``; an empty or unknown one is ICRS."""
    words = text.upper().split()
    frame = OTHER_NAMES.get(words[0], words[0]) if words else "ICRS"
    if frame not in FRAMES:
        message = f"positions are in ICRS, the coordinate system may be one of {', '.join(FRAMES)} or be left out, but not {text!r}"
        source.fail(AdqlUnsupportedError, message, place)
    return frame


def _placed(lon: Expression, lat: Expression, frame: str, what: str, source: QueryText) -> tuple[Expression, Expression]:
    """Longitude and latitude in a frame as numbers in ICRS; a constant latitude must lie within -90 and 90."""
    lon, lat = as_double(lon, source, f"the longitude of {what}"), as_double(lat, source, f"the latitude of {what}")
    degrees = constant(lon), constant(lat)
    if degrees[1] is not None and not -90 <= degrees[1] <= 90:
        source.fail(AdqlTypeError, f"a latitude of {degrees[1]:g} degrees is not on the sky; it lies between -90 and 90", lat.place)
    if degrees[0] is not None:
        lon = Constant(lon.meaning, longitude(float(degrees[0])), place=lon.place)
    if degrees[1] is not None:
        lat = Constant(lat.meaning, float(degrees[1]), place=lat.place)
    return (lon, lat) if frame == "ICRS" else _turned(lon, lat, rotation(frame, "ICRS"))


def as_cap(value: Expression) -> Expression:
    """A column of points or circles as a Cap of its elements, so that covers and joins see its centre; any other value as it is."""
    if not isinstance(value, ColumnValue) or value.meaning.type not in (ColumnType.POINT, ColumnType.CIRCLE):
        return value
    lon, lat, radius = (Operation(_DEGREES, f"({{0}})[{number}]", (value,), place=value.place) for number in (1, 2, 3))
    return Cap(value.meaning, lon, lat, radius if value.meaning.type is ColumnType.CIRCLE else None, place=value.place)


def coordinates_of(point: Expression) -> tuple[Expression, Expression]:
    """Longitude and latitude of a POINT."""
    point = as_cap(point)
    if isinstance(point, Cap):
        return point.lon, point.lat
    lon, lat = (Operation(_DEGREES, f"({{0}})[{number}]", (point,), place=point.place) for number in (1, 2))
    return lon, lat


def turned(region: Expression, matrix: Matrix, source: QueryText, place: int) -> Expression:
    """A region in the axes that a rotation leads to."""
    region = as_cap(region)
    if isinstance(region, Cap):
        lon, lat = _turned(region.lon, region.lat, matrix)
        return replace(region, lon=lon, lat=lat, place=place)
    if isinstance(region, Polygon):
        coordinates = tuple(value for pair in _pairs(region.coordinates) for value in _turned(*pair, matrix))
        numbers = [number for number in map(constant, coordinates) if number is not None]
        if len(numbers) == len(coordinates):
            return constant_polygon(tuple(numbers), source, place)
        return replace(region, coordinates=coordinates, place=place)
    return Operation(region.meaning, f"functions.rotated_region({{0}}, {_matrix(matrix)})", (region,), place=place)


def _turned(lon: Expression, lat: Expression, matrix: Matrix) -> tuple[Expression, Expression]:
    """A place in turned axes; a constant one stays constant, so that an index can find what is there."""
    degrees = constant(lon), constant(lat)
    if degrees[0] is not None and degrees[1] is not None:
        lon_degrees, lat_degrees = rotated(matrix, degrees[0], degrees[1])
        return Constant(_DEGREES, lon_degrees, place=lon.place), Constant(_DEGREES, lat_degrees, place=lat.place)
    template = f"(functions.rotated_place({{0}}, {{1}}, {_matrix(matrix)}))"
    return Operation(_DEGREES, f"{template}[1]", (lon, lat), place=lon.place), Operation(
        _DEGREES, f"{template}[2]", (lon, lat), place=lat.place
    )


def _matrix(matrix: Matrix) -> str:
    return f"ARRAY[{', '.join(repr(element) for row in matrix for element in row)}]::double precision[]"


def _point(arguments: Values, source: QueryText, place: int) -> Expression:
    frame, arguments = _frame_taken_off("POINT", arguments, source)
    if len(arguments) != 2:
        source.fail(AdqlTypeError, "POINT takes a longitude and a latitude in degrees: POINT(ra, dec)", place)
    lon, lat = _placed(*arguments, frame, "POINT", source)
    return Cap(_POINT, lon, lat, place=place)


def _circle(arguments: Values, source: QueryText, place: int) -> Expression:
    frame, arguments = _frame_taken_off("CIRCLE", arguments, source)
    if len(arguments) != 3 and not _begins_with_point(arguments, 2):
        source.fail(AdqlTypeError, "CIRCLE takes longitude, latitude and radius in degrees, or a POINT and a radius", place)
    radius = as_double(arguments[-1], source, "the radius of CIRCLE")
    degrees = constant(radius)
    if degrees is not None and degrees < 0:
        source.fail(AdqlTypeError, f"a radius of {degrees:g} degrees is below 0", radius.place)
    if len(arguments) == 3:
        lon, lat = _placed(*arguments[:2], frame, "CIRCLE", source)
        return Cap(_CIRCLE, lon, lat, radius, place=place)
    centre = as_cap(arguments[0])
    if isinstance(centre, Cap):
        return Cap(_CIRCLE, centre.lon, centre.lat, radius, place=place)
    return Operation(_CIRCLE, "functions.sky_circle({0}, {1})", (centre, radius), place=place)


def _begins_with_point(arguments: Values, count: int) -> bool:
    return len(arguments) == count and arguments[0].meaning.type is ColumnType.POINT


def _box(arguments: Values, source: QueryText, place: int) -> Expression:
    frame, arguments = _frame_taken_off("BOX", arguments, source)
    if len(arguments) != 4 and not _begins_with_point(arguments, 3):
        source.fail(AdqlTypeError, "BOX takes longitude, latitude, width and height in degrees, or a POINT, width and height", place)
    width, height = as_double(arguments[-2], source, "the width of BOX"), as_double(arguments[-1], source, "the height of BOX")
    if len(arguments) == 4:
        lon, lat = _placed(*arguments[:2], "ICRS", "BOX", source)
    else:
        centre = as_cap(arguments[0])
        if not isinstance(centre, Cap):
            return Operation(_POLYGON, "functions.sky_box({0}, {1}, {2})", (centre, width, height), place=place)
        lon, lat, frame = centre.lon, centre.lat, "ICRS"
    numbers = [constant(value) for value in (lon, lat, width, height)]
    known = [number for number in numbers if number is not None]
    for size, value in zip(numbers[2:], (width, height), strict=True):
        if size is not None and not 0 < size < 180:
            source.fail(AdqlTypeError, f"a BOX of {size:g} degrees: its sizes lie between 0 and 180", value.place)
    if len(known) == 4:
        upright: Expression = constant_polygon(box(*known).coordinates, source, place)
    else:
        upright = Box(_POLYGON, lon, lat, width, height, place=place)
    return upright if frame == "ICRS" else turned(upright, rotation(frame, "ICRS"), source, place)


def _polygon(arguments: Values, source: QueryText, place: int) -> Expression:
    frame, arguments = _frame_taken_off("POLYGON", arguments, source)
    usage = "POLYGON takes three or more places, as longitudes and latitudes in degrees or as POINTs: POLYGON(lon1, lat1, lon2, lat2, lon3, lat3)"
    points = [value for value in arguments if value.meaning.type is ColumnType.POINT]
    if points and len(points) < len(arguments):
        other = next(value for value in arguments if value.meaning.type is not ColumnType.POINT)
        source.fail(AdqlTypeError, f"POLYGON takes POINTs or numbers, not both, but this is {in_words(other.meaning.type)}", other.place)
    if len(arguments) < (3 if points else 6) or (not points and len(arguments) % 2):
        source.fail(AdqlTypeError, usage, place)
    coordinates: list[Expression] = []
    if points:
        caps = [as_cap(point) for point in points]
        if not all(isinstance(cap, Cap) for cap in caps):
            parts = " || ".join(f"coalesce({{{number}}}, '{{{{NaN, NaN}}}}')" for number in range(len(points)))  # || would pass over NULL
            return Operation(_POLYGON, f"functions.sky_polygon({parts})", tuple(points), place=place)
        for cap in caps:
            coordinates += [cap.lon, cap.lat] if isinstance(cap, Cap) else []
    else:
        for lon, lat in zip(arguments[::2], arguments[1::2], strict=True):
            coordinates += _placed(lon, lat, frame, "POLYGON", source)
    numbers = [number for number in map(constant, coordinates) if number is not None]
    if len(numbers) == len(coordinates):
        return constant_polygon(tuple(numbers), source, place)
    return Polygon(_POLYGON, tuple(coordinates), place=place)


def constant_polygon(coordinates: tuple[float, ...], source: QueryText, place: int) -> Polygon:
    """A polygon of numbers; AdqlTypeError if they make none."""
    try:
        shape = polygon(coordinates)
    except UsageError as error:
        source.fail(AdqlTypeError, str(error), place)
    return Polygon(_POLYGON, tuple(Constant(_DEGREES, number, place=place) for number in shape.coordinates), shape, place=place)


def _region(arguments: Values, source: QueryText, place: int) -> Expression:
    text = arguments[0] if len(arguments) == 1 else None
    if not isinstance(text, Constant) or not isinstance(text.value, str):
        source.fail(AdqlTypeError, "REGION takes one text in quotes: REGION('CIRCLE ICRS 56.75 24.12 1.0')", place)
    return _written(lambda: read_stcs(str(text.value)), source, text.place)


def _written(read: Callable[[], WrittenRegion], source: QueryText, place: int) -> Expression:
    """A region out of a text."""
    try:
        region = read()
    except RegionTextError as error:
        source.fail(AdqlUnsupportedError if error.valid else AdqlTypeError, str(error), place)
    arguments: Values = (
        Constant(Meaning.of(ColumnType.TEXT), region.frame, place=place),
        *(Constant(_DEGREES, number, place=place) for number in region.numbers),
    )
    return GEOMETRY[region.kind](arguments, source, place)


def region_from_text(value: Expression, type_: ColumnType, source: QueryText) -> Expression:
    """CAST of text to a POINT, CIRCLE or POLYGON, written as DALI has it (DALI 1.1 section 3.3): numbers with spaces between."""
    if isinstance(value, Constant) and isinstance(value.value, str):
        text = value.value
        return _written(lambda: read_dali(type_.name, text), source, value.place)
    meaning = {ColumnType.POINT: _POINT, ColumnType.CIRCLE: _CIRCLE, ColumnType.POLYGON: _POLYGON}[type_]
    return Operation(meaning, f"functions.region_from_text('{type_.xtype}', {{0}})", (value,), place=value.place)


def text_of_region(value: Expression) -> Expression:
    """CAST of a POINT, CIRCLE or POLYGON to text, written as DALI has it."""
    return Operation(Meaning.of(ColumnType.TEXT), "array_to_string({0}, ' ')", (value,), place=value.place)


# -- regions compared


def _geometry(value: Expression, name: str, source: QueryText, types: tuple[ColumnType, ...] = REGIONS) -> Expression:
    words = [f"a {type_.name}" for type_ in types]
    require(value, types, " or ".join((", ".join(words[:-1]), words[-1])) if words[1:] else words[0], source, f"an argument of {name}")
    return as_cap(value)


def _distance(arguments: Values, source: QueryText, place: int) -> Expression:
    if len(arguments) == 4:
        caps = [Cap(_POINT, *_placed(lon, lat, "ICRS", "DISTANCE", source), place=lon.place) for lon, lat in _pairs(arguments)]
        return Separation(_SEPARATION, caps[0], caps[1], place=place)
    if len(arguments) != 2:
        source.fail(AdqlTypeError, "DISTANCE takes two POINTs, or lon1, lat1, lon2, lat2 in degrees", place)
    first, second = (_geometry(value, "DISTANCE", source, (ColumnType.POINT,)) for value in arguments)
    if isinstance(first, Cap) and isinstance(second, Cap):
        return Separation(_SEPARATION, first, second, place=place)
    return Operation(_SEPARATION, "functions.separation({0}, {1})", (first, second), place=place)


def _pairs(arguments: Values) -> Iterator[tuple[Expression, Expression]]:
    return zip(arguments[::2], arguments[1::2], strict=True)


def _overlap(name: str, whole: bool) -> Build:
    def build(arguments: Values, source: QueryText, place: int) -> Expression:
        if len(arguments) != 2:
            source.fail(AdqlTypeError, f"{name} takes two regions: {name}(POINT(ra, dec), CIRCLE(lon, lat, radius))", place)
        first, second = (_geometry(value, name, source) for value in arguments)
        if not whole and second.meaning.type is ColumnType.POINT:
            first, second = second, first
        return Overlap(Meaning.of(ColumnType.INTEGER), first, second, whole or first.meaning.type is ColumnType.POINT, place=place)

    return build


# -- numbers of regions


def _of_one(name: str, types: tuple[ColumnType, ...], build: Callable[[Expression, int], Expression]) -> Build:
    def checked(arguments: Values, source: QueryText, place: int) -> Expression:
        if len(arguments) != 1:
            source.fail(AdqlTypeError, f"{name} takes one argument, not {len(arguments)}", place)
        return build(_geometry(arguments[0], name, source, types), place)

    return checked


def _area(region: Expression, place: int) -> Expression:
    return Operation(Meaning.of(_DOUBLE, "deg**2", "phys.angArea"), "functions.region_area({0})", (region,), place=place)


def _centroid(region: Expression, place: int) -> Expression:
    if isinstance(region, Cap) and (region.radius is None or constant(region.radius) is not None):
        return Cap(_POINT, region.lon, region.lat, place=place)
    return Operation(_POINT, "functions.region_centroid({0})", (region,), place=place)


def _coordinate(number: int) -> Callable[[Expression, int], Expression]:
    def build(point: Expression, place: int) -> Expression:
        if not isinstance(point, Cap):
            return Operation(_DEGREES, f"(functions.sky_point({{0}}))[{number}]", (point,), place=place)
        value = (point.lon, point.lat)[number - 1]
        meaning = Meaning.of(_DOUBLE, "deg", value.meaning.ucd)
        degrees = constant(point.lon), constant(point.lat)
        if degrees[0] is not None and degrees[1] is not None:
            return Constant(meaning, longitude(float(degrees[0])) if number == 1 else float(degrees[1]), place=place)
        if is_position(point):
            return Operation(meaning, "{0}", (value,), place=place)
        return Operation(meaning, f"({{0}})[{number}]", (point,), place=place)

    return build


def is_position(cap: Cap) -> bool:
    """Whether a cap's centre is the position of a relation, as its columns give it: a place on the sky, or NULL."""
    lon, lat = cap.lon, cap.lat
    if not isinstance(lon, ColumnValue) or not isinstance(lat, ColumnValue) or lon.relation != lat.relation:
        return False
    sky_key = lon.relation.sky_key
    return sky_key is not None and (lon.name, lat.name) == (sky_key.position.lon, sky_key.position.lat)


GEOMETRY: dict[str, Build] = {
    "POINT": _point,
    "CIRCLE": _circle,
    "BOX": _box,
    "POLYGON": _polygon,
    "REGION": _region,
    "DISTANCE": _distance,
    "CONTAINS": _overlap("CONTAINS", True),
    "INTERSECTS": _overlap("INTERSECTS", False),
    "CENTROID": _of_one("CENTROID", REGIONS, _centroid),
    "AREA": _of_one("AREA", REGIONS, _area),
    "COORD1": _of_one("COORD1", (ColumnType.POINT,), _coordinate(1)),
    "COORD2": _of_one("COORD2", (ColumnType.POINT,), _coordinate(2)),
    "COORDSYS": _of_one("COORDSYS", REGIONS, lambda region, place: Constant(Meaning.of(ColumnType.TEXT), "ICRS", place=place)),
}
"""The geometry functions by name."""
