"""Where aggregate functions may stand, and which columns a grouped query may show (SQL-92 section 7.9)."""

from collections.abc import Iterator

from tap_service.adql.errors import AdqlTypeError, AdqlUnsupportedError, QueryText
from tap_service.adql.typed_tree import (
    Aggregate,
    ColumnValue,
    Expression,
    QueryValue,
    Relation,
    SkyJoin,
    Source,
    TypedJoin,
    TypedSelect,
    every_column,
    walk,
)


def relations(source: Source) -> Iterator[Relation]:
    """The relations that a source is joined of."""
    if isinstance(source, TypedJoin):
        yield from relations(source.left)
        yield from relations(source.right)
    elif isinstance(source, SkyJoin):
        if source.left is not None:
            yield from relations(source.left)
        yield source.found.relation
    else:
        yield source.relation


def has_aggregate(expression: Expression) -> bool:
    """Whether an aggregate function stands in an expression, subqueries apart."""
    return any(isinstance(part, Aggregate) for part in walk(expression))


def is_grouped(select: TypedSelect) -> bool:
    """Whether the rows of a SELECT are groups."""
    return bool(select.group_by) or select.having is not None or any(has_aggregate(item) for item in select.items)


def refuse_aggregates(expression: Expression | None, clause: str, source: QueryText) -> None:
    """AdqlTypeError if an aggregate function stands where rows are not yet grouped."""
    for part in walk(expression) if expression is not None else ():
        if isinstance(part, Aggregate):
            hint = "; conditions on groups go into HAVING" if clause == "WHERE" else ""
            source.fail(AdqlTypeError, f"an aggregate function cannot stand in {clause}{hint}", part.place)


def check_grouping(select: TypedSelect, source: QueryText) -> None:
    """Every column stands in GROUP BY or within an aggregate, and no aggregate within another; AdqlTypeError where not."""
    for item in (*select.items, *((select.having,) if select.having is not None else ())):
        check_grouped(item, select, source)


def check_grouped(expression: Expression, select: TypedSelect, source: QueryText) -> None:
    """The same for one value of a grouped SELECT."""
    own = {relation.alias for table in select.sources for relation in relations(table)}
    _check(expression, select.group_by, own, source)


def _check(expression: Expression, group_by: tuple[Expression, ...], own: set[str], source: QueryText) -> None:
    if expression in group_by:
        return
    if isinstance(expression, Aggregate):
        columns = [column for argument in expression.arguments for column in every_column(argument)]
        if columns and not any(column.relation.alias in own for column in columns):
            message = "an aggregate function over columns of the query around this one is not supported; give it a query in FROM"
            source.fail(AdqlUnsupportedError, message, expression.place)
        for argument in expression.arguments:
            refuse_aggregates(argument, "another aggregate function", source)
        return
    columns = list(every_column(expression.query)) if isinstance(expression, QueryValue) else []
    for column in [expression] if isinstance(expression, ColumnValue) else columns:
        if column.relation.alias in own and column not in group_by:
            message = f"{column.name} must stand in GROUP BY or within an aggregate function such as AVG or COUNT"
            source.fail(AdqlTypeError, message, column.place)
    for child in expression.children():
        _check(child, group_by, own, source)
