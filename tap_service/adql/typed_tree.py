"""The tree of a query whose names are found and whose values have types: what the resolver makes and the emitter reads.

Templates are SQL with ``{0}``, ``{1}`` for the arguments; they are written in this package, never taken from a query.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields

from catalog.schema.column import ColumnType, Position
from catalog.spherical_polygon import SphericalPolygon
from tap_service.adql.value_types import Meaning


@dataclass(frozen=True)
class OutputColumn:
    """A column of the result: a valid VOTable FIELD, and the type in which the database sends it."""

    name: str
    datatype: str
    arraysize: str | None
    xtype: str | None
    unit: str | None
    ucd: str | None
    utype: str | None
    description: str | None
    type: ColumnType
    source_release: str | None = None
    """The schema of the release whose sources the column identifies, such as gaiadr3."""


@dataclass(frozen=True)
class SkyKey:
    """How rows of a relation are found by place: TapTable's position, padding and displaced keys."""

    position: Position
    padding: float
    displaced: tuple[int, ...]


@dataclass(frozen=True)
class Relation:
    """Something that rows come from, under an alias that no other relation of the statement has."""

    alias: str
    sky_key: SkyKey | None = field(default=None, compare=False, repr=False)
    is_union: bool = field(default=False, compare=False)
    """Whether it is a view of several tables' rows one after the other."""


@dataclass(frozen=True)
class Expression:
    """A value or condition with its meaning; ``place`` is its offset in the query's text."""

    meaning: Meaning
    place: int = field(default=0, compare=False, kw_only=True)

    def children(self) -> Iterator["Expression"]:
        """The values that this one is made of; a subquery's own are not among them."""
        for part in fields(self):
            value = getattr(self, part.name)
            for child in value if isinstance(value, tuple) else (value,):
                if isinstance(child, Expression):
                    yield child


@dataclass(frozen=True)
class ColumnValue(Expression):
    """A column of a relation; ``is_json`` columns are read as their text."""

    relation: Relation
    name: str
    is_json: bool = field(default=False, compare=False)

    def children(self) -> Iterator[Expression]:
        """None; SELECT * asks hundreds of columns."""
        return iter(())


@dataclass(frozen=True)
class Constant(Expression):
    """A literal; None is NULL. TIMESTAMP constants are ISO texts with their zone."""

    value: int | float | str | bool | None


@dataclass(frozen=True)
class Operation(Expression):
    """A template over arguments: functions, operators and predicates."""

    template: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True)
class Aggregate(Operation):
    """A template over a group of rows."""


@dataclass(frozen=True)
class Arithmetic(Expression):
    """``+ - * /`` of two numbers, kept apart from Operation so that constant ones can be worked out."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class PixelOfKey(Expression):
    """The HEALPix pixel of a coarser order that a key tells: the key without its lower bits; kept apart because conditions on it are ranges."""

    key: Expression
    shift: int


@dataclass(frozen=True)
class Negative(Expression):
    """``-x``."""

    operand: Expression


@dataclass(frozen=True)
class Comparison(Expression):
    """``= <> < > <= >=``, kept apart because a cone is one."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Membership(Expression):
    """``x [NOT] IN`` literals, which stand as values of one type: tens of thousands are one node and one literal of the SQL."""

    operand: Expression
    type: ColumnType
    values: tuple[int | float | str, ...]
    negated: bool


@dataclass(frozen=True)
class Connective(Expression):
    """AND or OR."""

    operator: str
    operands: tuple[Expression, ...]


@dataclass(frozen=True)
class Cap(Expression):
    """A point (``radius`` None) or a circle on the sky: centre and radius in degrees, each a value."""

    lon: Expression
    lat: Expression
    radius: Expression | None = None


@dataclass(frozen=True)
class Polygon(Expression):
    """A polygon on the sky: lon1, lat1, lon2, lat2, ... in degrees, each a value; ``shape`` is the polygon where all are constant."""

    coordinates: tuple[Expression, ...]
    shape: SphericalPolygon | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Box(Expression):
    """A BOX of which something is not constant: centre and sizes in degrees, each a value. Constant ones are a Polygon."""

    lon: Expression
    lat: Expression
    width: Expression
    height: Expression


@dataclass(frozen=True)
class Separation(Expression):
    """DISTANCE of two points, degrees."""

    first: Cap
    second: Cap


@dataclass(frozen=True)
class Overlap(Expression):
    """CONTAINS (first within second) or INTERSECTS, the integer 1 or 0; NULL where a place is unknown.

    Each side is a Cap, a Polygon, a Box, or any other value of a type of geometry.
    """

    first: Expression
    second: Expression
    whole: bool
    """Whether the first must lie within the second as a whole (CONTAINS)."""


@dataclass(frozen=True)
class QueryValue(Expression):
    """A subquery within an expression."""

    query: "TypedQuery"


# -- where rows come from


@dataclass(frozen=True)
class StoredTable:
    """A view of the publication under its permanent schema name."""

    relation: Relation
    schema: str
    name: str


@dataclass(frozen=True)
class SubqueryTable:
    """A query in FROM."""

    relation: Relation
    query: "TypedQuery"


@dataclass(frozen=True)
class CommonTableUse:
    """A table of WITH, by its name in the SQL, and what it stands for."""

    relation: Relation
    name: str
    query: "TypedQuery" = field(compare=False, repr=False)


@dataclass(frozen=True)
class TypedJoin:
    """A join with its condition; None joins every row with every row."""

    kind: str
    left: "Source"
    right: "Source"
    condition: Expression | None


@dataclass(frozen=True)
class SkyJoin:
    """A join in which a relation's rows are looked up by their place for each row of ``left`` (sky_joins).

    ``left`` is None where the centre comes from the query around. ``near`` is the condition on the two places, which holds nowhere
    further than ``reach`` degrees from (``lon``, ``lat``); ``condition`` is what else the join asks for.
    """

    kind: str
    left: "Source | None"
    found: StoredTable | SubqueryTable | CommonTableUse
    lon: Expression
    lat: Expression
    reach: Expression
    near: Expression
    condition: Expression | None


Source = StoredTable | SubqueryTable | CommonTableUse | TypedJoin | SkyJoin


# -- queries


@dataclass(frozen=True)
class Output:
    """A column of a query: ``label`` is the name that the writer asked for, ``name`` the unique one, ``sql_name`` what PostgreSQL calls it."""

    label: str
    name: str
    sql_name: str
    meaning: Meaning


@dataclass(frozen=True)
class TypedSelect:
    """One SELECT; ``items`` stand in the order of ``outputs``."""

    items: tuple[Expression, ...]
    outputs: tuple[Output, ...]
    sources: tuple[Source, ...]
    distinct: bool
    top: int | None
    where: Expression | None
    group_by: tuple[Expression, ...]
    having: Expression | None


@dataclass(frozen=True)
class TypedSetOperation:
    """UNION, EXCEPT or INTERSECT of two bodies whose columns have equal types; the outputs are the left one's."""

    operator: str
    all: bool
    left: "TypedBody"
    right: "TypedBody"
    outputs: tuple[Output, ...]


@dataclass(frozen=True)
class TypedOrder:
    """One item of ORDER BY: the number of an output (from 1) or a value."""

    key: int | Expression
    descending: bool


@dataclass(frozen=True)
class TypedQuery:
    """A whole query."""

    body: "TypedBody"
    outputs: tuple[Output, ...]
    common_tables: tuple[tuple[str, "TypedQuery"], ...] = ()
    order_by: tuple[TypedOrder, ...] = ()
    offset: int | None = None


TypedBody = TypedSelect | TypedSetOperation | TypedQuery


def walk(expression: Expression) -> Iterator[Expression]:
    """The expression and all it is made of, without descending into subqueries."""
    pending = [expression]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(node.children())


def every_column(part: object) -> Iterator[ColumnValue]:
    """The columns that an expression or query names, subqueries included."""
    if isinstance(part, ColumnValue):
        yield part
    elif isinstance(part, tuple):
        for item in part:
            yield from every_column(item)
    elif isinstance(part, Expression | TypedQuery | TypedSelect | TypedSetOperation | TypedOrder | TypedJoin | SkyJoin | SubqueryTable):
        for member in fields(part):
            yield from every_column(getattr(part, member.name))
