"""A typed tree to one PostgreSQL statement, composed of identifiers, literals and templates: no text of the query passes through."""

from collections.abc import Iterator

from psycopg import sql

from catalog.healpix import MARGIN
from catalog.schema.column import ColumnType
from tap_service.adql.covers import find_cover, without_not
from tap_service.adql.implied_ranges import with_implied_ranges
from tap_service.adql.key_ranges import key_condition
from tap_service.adql.region_sql import GEOMETRY_NODES, covered, geometry
from tap_service.adql.sky_joins import with_lookups
from tap_service.adql.typed_tree import (
    Arithmetic,
    ColumnValue,
    CommonTableUse,
    Comparison,
    Connective,
    Constant,
    Expression,
    Membership,
    Negative,
    Operation,
    PixelOfKey,
    QueryValue,
    SkyJoin,
    Source,
    StoredTable,
    SubqueryTable,
    TypedBody,
    TypedJoin,
    TypedOrder,
    TypedQuery,
    TypedSelect,
    TypedSetOperation,
)
from tap_service.table_set import STORED_UPLOADS

SQL = sql.SQL
_COMMA = SQL(", ")
_AS = SQL(" AS ")


def to_postgres(query: TypedQuery, limit: int | None = None) -> sql.Composed:
    """The statement; its columns are ``query.outputs`` in order and type. Run it without parameters: a ``%`` in it stands for itself.

    Args:
        query: what the resolver made.
        limit: the most rows that the whole statement may give, below any TOP of its own; None for no limit.
    """
    return sql.Composed(list(_flat(_query(query, limit))))


def _flat(composed: sql.Composable) -> Iterator[sql.Composable]:
    """The parts without nesting, so that rendering never runs deep."""
    pending = [composed]
    while pending:
        part = pending.pop()
        if type(part) is sql.Composed:  # isinstance() of psycopg's abstract classes takes ten times as long
            pending.extend(reversed(list(part)))
        else:
            yield part


# -- queries


def _query(query: TypedQuery, limit: int | None = None) -> sql.Composed:
    parts: list[sql.Composable] = []
    if query.common_tables:
        tables = [SQL("{} AS ({})").format(sql.Identifier(name), _query(table)) for name, table in query.common_tables]
        parts.append(SQL("WITH ") + _COMMA.join(tables))
    body = query.body
    if isinstance(body, TypedSelect):
        parts.append(_select(body))
        limit = min((count for count in (body.top, limit) if count is not None), default=None)
    elif isinstance(body, TypedQuery):
        parts.append(SQL("SELECT * FROM ({}) AS inside").format(_query(body)))  # it has an order or limit of its own
    else:
        parts.append(_set_operation(body))
    if query.order_by:
        parts.append(SQL("ORDER BY ") + _COMMA.join(_order(item) for item in query.order_by))
    if limit is not None:
        parts.append(SQL("LIMIT {}").format(sql.Literal(limit)))
    if query.offset:
        parts.append(SQL("OFFSET {}").format(sql.Literal(query.offset)))
    return SQL(" ").join(parts)


def _set_operation(body: TypedSetOperation) -> sql.Composed:
    operator = SQL(f" {body.operator} ALL " if body.all else f" {body.operator} ")  # one of three words of the grammar
    return _operand(body.left) + operator + _operand(body.right)


def _operand(body: TypedBody) -> sql.Composed:
    """An operand of a set operation, in parentheses."""
    if isinstance(body, TypedSetOperation):
        return SQL("({})").format(_set_operation(body))
    return SQL("({})").format(_query(body if isinstance(body, TypedQuery) else TypedQuery(body, body.outputs)))


def _order(item: TypedOrder) -> sql.Composed:
    key = sql.Composed([sql.Literal(item.key)]) if isinstance(item.key, int) else _value(item.key)
    return key + SQL(" DESC" if item.descending else " ASC")


def _select(select: TypedSelect) -> sql.Composed:
    select = with_lookups(with_implied_ranges(select))
    items = [_item(item, output.sql_name) for item, output in zip(select.items, select.outputs, strict=True)]
    statement = SQL("SELECT DISTINCT " if select.distinct else "SELECT ") + _COMMA.join(items)
    statement += SQL(" FROM ") + _COMMA.join(_source(source) for source in select.sources)
    if select.where is not None:
        statement += SQL(" WHERE ") + _condition(select.where)
    if select.group_by:
        statement += SQL(" GROUP BY ") + _COMMA.join(SQL("({})").format(_value(item)) for item in select.group_by)
    if select.having is not None:
        statement += SQL(" HAVING ") + _value(select.having)
    return statement


def _item(item: Expression, name: str) -> sql.Composable:
    """A value of the SELECT list under its name, which a column has already."""
    if isinstance(item, ColumnValue) and item.name == name and not item.is_json:
        return sql.Identifier(item.relation.alias, name)
    return sql.Composed([_value(item), _AS, sql.Identifier(name)])


def _source(source: Source) -> sql.Composed:
    if isinstance(source, TypedJoin):
        condition = SQL("TRUE") if source.condition is None else _condition(source.condition)
        kind = SQL(f" {source.kind} JOIN ")  # one of four words of the grammar
        return SQL("(") + _source(source.left) + kind + _source(source.right) + SQL(" ON ") + condition + SQL(")")
    if isinstance(source, SkyJoin):
        return _sky_join(source)
    alias = sql.Identifier(source.relation.alias)
    if isinstance(source, StoredTable):
        return SQL("{} AS {}").format(sql.Identifier(source.schema, source.name), alias)
    if isinstance(source, SubqueryTable):
        return SQL("({}) AS {}").format(_query(source.query), alias)
    if isinstance(source, CommonTableUse):
        return SQL("{} AS {}").format(sql.Identifier(source.name), alias)
    raise AssertionError(f"no SQL for a {type(source).__name__}")


def _sky_join(join: SkyJoin) -> sql.Composed:
    """A lookup for each row of the left side. OFFSET 0 keeps it whole: flattened, PostgreSQL might read the whole relation for each row."""
    relation = join.found.relation
    assert relation.sky_key is not None
    position, displaced = relation.sky_key.position, relation.sky_key.displaced
    alias, key = sql.Identifier(relation.alias), sql.Identifier(relation.alias, position.key)
    found, near = _source(join.found), _value(join.near)
    # Both conditions on latitude, and a comparison with a constant instead of one of distances: PostgreSQL takes each for true of every two hundredth row.
    conditions = SQL(
        "{} BETWEEN cover.first AND cover.last AND {} BETWEEN cover.south AND cover.north AND CASE WHEN {} THEN 1 END = 1"
    ).format(key, sql.Identifier(relation.alias, position.lat), near)
    listed = SQL("CAST({} AS bigint[])").format(sql.Literal(list(displaced)))
    if displaced:
        conditions += SQL(" AND {} <> ALL ({})").format(key, listed)
    rows = SQL(
        "SELECT {0}.* FROM functions.sky_cover({1}, {2}, {3}) AS cover CROSS JOIN LATERAL (SELECT * FROM {4} WHERE {5} OFFSET 0) AS {0}"
    ).format(
        alias,
        _value(join.lon),
        _value(join.lat),
        SQL("CAST({} AS double precision) + {}").format(_value(join.reach), sql.Literal(relation.sky_key.padding + MARGIN)),
        found,
        conditions,
    )
    if displaced:
        rows += SQL(" UNION ALL SELECT {}.* FROM {} WHERE {} = ANY ({}) AND {}").format(alias, found, key, listed, near)
    lookup = SQL("LATERAL ({}) AS {}").format(rows, alias)
    if join.left is None:
        return lookup
    condition = SQL("TRUE") if join.condition is None else _condition(join.condition)
    kind = SQL(f" {join.kind} JOIN ")  # INNER or LEFT
    return SQL("(") + _in_order_of_the_sky(join.left, join) + kind + lookup + SQL(" ON ") + condition + SQL(")")


def _in_order_of_the_sky(source: Source, join: SkyJoin) -> sql.Composed:
    """An upload in strips of a degree, so that rows looked up one after the other lie near one another in the index."""
    if not isinstance(source, StoredTable) or source.schema != STORED_UPLOADS:
        return _source(source)
    alias = sql.Identifier(source.relation.alias)
    strips = SQL("floor({}) * 360 + {}").format(_value(join.lat), _value(join.lon))
    return SQL("(SELECT * FROM {} ORDER BY {}) AS {}").format(_source(source), strips, alias)


# -- values and conditions


def _condition(expression: Expression) -> sql.Composed:
    """A condition that must hold: constant regions in it get their ranges. As a value, a condition goes through _value."""
    expression = without_not(expression)
    if isinstance(expression, Connective):
        return SQL("({})").format(SQL(f" {expression.operator} ").join(_condition(operand) for operand in expression.operands))
    if (on_key := key_condition(expression)) is not None:
        return _value(on_key)
    if (cover := find_cover(expression)) is not None:
        return covered(cover, expression, _value)
    return _value(expression)


def _value(expression: Expression) -> sql.Composed:
    if isinstance(expression, ColumnValue):
        name = sql.Identifier(expression.relation.alias, expression.name)
        return SQL("CAST({} AS text)").format(name) if expression.is_json else sql.Composed([name])
    if isinstance(expression, Constant):
        return _constant(expression)
    if isinstance(expression, Operation):
        return SQL(expression.template).format(*(_value(argument) for argument in expression.arguments))  # written in this package
    if isinstance(expression, Arithmetic | Comparison):
        operator = SQL(f" {expression.operator} ")  # one of the grammar's signs
        # Nested, not added: + copies both sides, which a long sum would pay for at every term.
        return sql.Composed([SQL("("), _value(expression.left), operator, _value(expression.right), SQL(")")])
    if isinstance(expression, Connective):
        return SQL("({})").format(SQL(f" {expression.operator} ").join(_value(operand) for operand in expression.operands))
    if isinstance(expression, PixelOfKey):
        return SQL("({} >> {})").format(_value(expression.key), sql.Literal(expression.shift))
    if isinstance(expression, Membership):
        # An array that is one literal: as many literals would each be parsed and planned.
        test = SQL("({} <> ALL (CAST({} AS {}[])))") if expression.negated else SQL("({} = ANY (CAST({} AS {}[])))")
        return test.format(_value(expression.operand), sql.Literal(list(expression.values)), SQL(expression.type.postgres))
    if isinstance(expression, Negative):
        return SQL("(- {})").format(_value(expression.operand))
    if isinstance(expression, GEOMETRY_NODES):
        return geometry(expression, _value)
    if isinstance(expression, QueryValue):
        return SQL("({})").format(_query(expression.query))
    raise AssertionError(f"no SQL for a {type(expression).__name__}")


def _constant(constant: Constant) -> sql.Composed:
    """A literal with its type, so that PostgreSQL takes no decimal number for numeric, and no whole one in ORDER BY for a position."""
    type_ = constant.meaning.type
    if constant.value is None:
        return SQL("CAST(NULL AS {})").format(SQL(type_.postgres)) if isinstance(type_, ColumnType) else sql.Composed([SQL("NULL")])
    literal = sql.Literal(constant.value)
    if not isinstance(type_, ColumnType):
        raise AssertionError(f"a literal of type {type_}")
    return SQL("CAST({} AS {})").format(literal, SQL(type_.postgres))
