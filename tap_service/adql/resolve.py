"""A tree whose names mean nothing yet to a typed tree: tables and columns found, scopes kept, result columns named and described."""

from collections.abc import Iterator
from dataclasses import replace

from catalog.schema.column import ColumnType
from tap_service.adql import tree
from tap_service.adql.conversions import converted
from tap_service.adql.errors import AdqlNameError, AdqlTypeError, AdqlUnsupportedError, QueryText
from tap_service.adql.expressions import ExpressionResolver
from tap_service.adql.from_clause import CommonTable, FromResolver
from tap_service.adql.grouping import check_grouped, check_grouping, has_aggregate, is_grouped, refuse_aggregates
from tap_service.adql.scope import Scope, VisibleColumn
from tap_service.adql.typed_tree import (
    ColumnValue,
    Constant,
    Expression,
    Output,
    TypedBody,
    TypedOrder,
    TypedQuery,
    TypedSelect,
    TypedSetOperation,
)
from tap_service.adql.value_types import ORDERED, Internal, Meaning, common_arraysize, common_datatype, common_type, in_words
from tap_service.names import same_name
from tap_service.table_set import TableSet

_CONDITION = Meaning(Internal.CONDITION)
_LONGEST_SQL_NAME = 63


def resolve(query: tree.Query, text: str, table_set: TableSet) -> TypedQuery:
    """The typed tree of a query on a set of tables; AdqlNameError, AdqlTypeError or AdqlUnsupportedError with their place."""
    return _QueryResolver(QueryText(text), table_set).query(query, None)


class _QueryResolver:
    """Resolves a query and all within it; numbers the relations so that no two share an alias."""

    def __init__(self, source: QueryText, table_set: TableSet) -> None:
        self.source = source
        self.common: list[CommonTable] = []
        self.from_resolver = FromResolver(self.source, table_set, self.common, self.query)

    # -- queries

    def query(self, node: tree.Query, parent: Scope | None) -> TypedQuery:
        for common in node.common_tables:
            self.common_table(common)
        order: tuple[TypedOrder, ...]
        if isinstance(node.body, tree.Select):
            select, scope = self.select(node.body, parent)
            order = tuple(self.order_of_select(item, select, scope) for item in node.order_by)
            if any(isinstance(item.key, Expression) and has_aggregate(item.key) for item in order):
                check_grouping(select, self.source)
            body: TypedBody = select
        else:
            body = self.body(node.body, parent)
            order = tuple(self.order_of_outputs(item, body.outputs) for item in node.order_by)
        common_tables = tuple((table.sql_name, table.query) for table in self.common) if node.common_tables else ()
        return TypedQuery(body, body.outputs, common_tables, order, node.offset)

    def common_table(self, node: tree.CommonTable) -> None:
        if any(same_name(name.text, node.name.text, node.name.delimited) for name in (common.name for common in self.common)):
            self.source.fail(AdqlNameError, f"WITH defines {node.name} twice", node.name.place)
        query = self.query(node.query, None)
        if node.columns:
            if len(node.columns) != len(query.outputs):
                message = f"{node.name} names {len(node.columns)} columns, but its query has {len(query.outputs)}"
                self.source.fail(AdqlTypeError, message, node.name.place)
            outputs = tuple(
                replace(output, label=name.text, name=name.text) for output, name in zip(query.outputs, node.columns, strict=True)
            )
            query = replace(query, outputs=outputs)
        self.common.append(CommonTable(node.name, f"w{len(self.common) + 1}", query))

    def body(self, node: tree.Body, parent: Scope | None) -> TypedBody:
        if isinstance(node, tree.Select):
            return self.select(node, parent)[0]
        if isinstance(node, tree.Query):
            return self.query(node, parent)
        left, right = self.body(node.left, parent), self.body(node.right, parent)
        if len(left.outputs) != len(right.outputs):
            message = (
                f"{node.operator} needs the same number of columns on both sides; here are {len(left.outputs)} and {len(right.outputs)}"
            )
            self.source.fail(AdqlTypeError, message, node.place)
        types = [self.type_in_common(node, left, right, column) for column in range(len(left.outputs))]
        left, right = in_types(left, types), in_types(right, types)
        return TypedSetOperation(node.operator, node.all, left, right, outputs_of_both(left, right))

    def type_in_common(self, node: tree.SetOperation, left: TypedBody, right: TypedBody, column: int) -> ColumnType:
        """The type of a column of a set operation; a NULL takes the other side's."""
        first, second = left.outputs[column], right.outputs[column]
        types = [Internal.NULL if only_null(body, column) else body.outputs[column].meaning.type for body in (left, right)]
        type_ = common_type(types[0], types[1])
        if type_ is Internal.NULL:
            return ColumnType.TEXT
        if not isinstance(type_, ColumnType):
            both = f"{in_words(first.meaning.type)} ({first.name}) and {in_words(second.meaning.type)} ({second.name})"
            self.source.fail(AdqlTypeError, f"{node.operator} cannot put {both} in one column", node.place)
        return type_

    # -- SELECT

    def select(self, node: tree.Select, parent: Scope | None) -> tuple[TypedSelect, Scope]:
        found = self.from_resolver.resolve(node.tables, parent)
        scope = Scope(found.tables, found.columns, parent)
        resolver = self.expressions(scope)
        items, outputs = self.select_list(node.items, resolver, scope)
        labelled = tuple(VisibleColumn(output.label, item) for output, item in zip(outputs, items, strict=True))
        where = resolver.condition(node.where) if node.where is not None else None
        refuse_aggregates(where, "WHERE", self.source)
        with_aliases = replace(scope, aliases=labelled)
        group_by = tuple(self.group_item(item, with_aliases) for item in node.group_by)
        having = resolver.condition(node.having) if node.having is not None else None
        select = TypedSelect(items, outputs, found.sources, node.distinct, node.top, where, group_by, having)
        if is_grouped(select):
            check_grouping(select, self.source)
        return select, with_aliases

    def expressions(self, scope: Scope) -> ExpressionResolver:
        return ExpressionResolver(self.source, scope, self.query)

    def select_list(
        self, nodes: tuple[tree.SelectItem | tree.Star, ...], resolver: ExpressionResolver, scope: Scope
    ) -> tuple[tuple[Expression, ...], tuple[Output, ...]]:
        """The items with every star written out, and the columns that they make."""
        items: list[Expression] = []
        labels: list[str] = []
        starred: list[str | None] = []
        for node in nodes:
            if isinstance(node, tree.Star):
                columns = scope.table(node.qualifier, self.source).columns if node.qualifier else scope.columns
                for column in columns:
                    items.append(replace(column.value, place=node.place))
                    labels.append(column.label)
                    starred.append(column.value.relation.alias if isinstance(column.value, ColumnValue) else None)
                continue
            item = self.as_output(resolver.value(node.expression))
            items.append(item)
            labels.append(node.alias.text if node.alias else self.label(node.expression, scope, len(items)))
            starred.append(None)
        return tuple(items), tuple(outputs_of(items, labels, starred))

    def as_output(self, item: Expression) -> Expression:
        """A value as a result column can hold it."""
        type_ = item.meaning.type
        if type_ is Internal.NULL:
            return converted(item, ColumnType.TEXT)
        if not isinstance(type_, ColumnType):
            message = f"{in_words(type_)} cannot be a column of the result yet; select COORD1(...) and COORD2(...)"
            self.source.fail(AdqlUnsupportedError, message, item.place)
        return item

    def label(self, node: tree.Expression, scope: Scope, number: int) -> str:
        """A name for an item without alias: the column's, or one made of the function and its column."""
        if isinstance(node, tree.ColumnReference):
            return scope.column(node.parts, self.source).label
        if isinstance(node, tree.Call):
            only = node.arguments[0] if len(node.arguments) == 1 else None
            column = only.parts[-1] if isinstance(only, tree.ColumnReference) else None
            of = "all" if node.star else column.text if column and not column.delimited else str(number)
            return f"{node.function.lower()}_{of}"
        return f"column_{number}"

    def group_item(self, node: tree.Expression, scope: Scope) -> Expression:
        if isinstance(node, tree.NumberLiteral):
            self.source.fail(AdqlTypeError, "GROUP BY takes columns and expressions, not positions", node.place)
        item = self.as_output(self.expressions(scope).value(node))
        refuse_aggregates(item, "GROUP BY", self.source)
        return item

    # -- ORDER BY

    def order_of_select(self, node: tree.OrderItem, select: TypedSelect, scope: Scope) -> TypedOrder:
        """An output by number or label, or any value of the query's rows."""
        if (number := self.output_number(node.expression, select.outputs)) is not None:
            self.check_order(select.outputs[number - 1].meaning, node.expression.place)
            return TypedOrder(number, node.descending)
        value = self.as_output(self.expressions(scope).value(node.expression))
        self.check_order(value.meaning, node.expression.place)
        if value in select.items:
            return TypedOrder(select.items.index(value) + 1, node.descending)
        if select.distinct:
            self.source.fail(AdqlTypeError, "with DISTINCT, ORDER BY takes only what the SELECT list has", node.expression.place)
        if is_grouped(select) or has_aggregate(value):
            check_grouped(value, select, self.source)
        return TypedOrder(value, node.descending)

    def order_of_outputs(self, node: tree.OrderItem, outputs: tuple[Output, ...]) -> TypedOrder:
        """A set operation is ordered by its columns alone."""
        number = self.output_number(node.expression, outputs)
        if number is None:
            names = ", ".join(output.label for output in outputs)
            self.source.fail(AdqlNameError, f"ORDER BY of a set operation takes one of its columns: {names}", node.expression.place)
        self.check_order(outputs[number - 1].meaning, node.expression.place)
        return TypedOrder(number, node.descending)

    def check_order(self, meaning: Meaning, place: int) -> None:
        """Rows are ordered by what has an order; the database would take an array's bytes for one."""
        if meaning.type not in (*ORDERED, ColumnType.BOOLEAN):
            self.source.fail(AdqlTypeError, f"rows cannot be ordered by {in_words(meaning.type)}", place)

    def output_number(self, node: tree.Expression, outputs: tuple[Output, ...]) -> int | None:
        """The output, from 1, that a position number or a bare label means; None if it means none."""
        if isinstance(node, tree.NumberLiteral):
            if not node.text.isdigit() or not 1 <= float(node.text) <= len(outputs):
                message = f"ORDER BY {node.text}: columns are numbered 1 to {len(outputs)}"
                self.source.fail(AdqlNameError, message, node.place)
            return int(float(node.text))
        if not isinstance(node, tree.ColumnReference) or len(node.parts) > 1:
            return None
        name = node.parts[0]
        found = [number for number, output in enumerate(outputs, 1) if same_name(output.label, name.text, name.delimited)]
        if len(found) > 1:
            message = f"{name} is in the SELECT list more than once; order by its number, {' or '.join(map(str, found))}"
            self.source.fail(AdqlNameError, message, node.place)
        return found[0] if found else None


def outputs_of(items: list[Expression], labels: list[str], starred: list[str | None]) -> Iterator[Output]:
    """Columns with names that differ (without regard to case), valid as identifiers where they were made here.

    ``starred`` is the relation of an item that a star stands for. The columns of one table keep names that differ by case alone: those of
    an uploaded table are what its writer called them.
    """
    taken = {label.casefold() for label in labels}
    used: dict[str, dict[str, str | None]] = {}
    for number, (item, label, table) in enumerate(zip(items, labels, starred, strict=True), 1):
        name, again = label, 2
        others = used.get(name.casefold(), {})
        if others and (table is None or name in others or set(others.values()) != {table}):
            while name.casefold() in used or (name != label and name.casefold() in taken):
                name, again = f"{label}_{again}", again + 1
        used.setdefault(name.casefold(), {})[name] = table
        sql_name = name if len(name.encode()) <= _LONGEST_SQL_NAME else f"{name.encode()[:50].decode(errors='ignore')} {number}"
        yield Output(label, name, sql_name, item.meaning)


def only_null(body: TypedBody, column: int) -> bool:
    """Whether a column is written as NULL and so has no type of its own."""
    if isinstance(body, TypedSetOperation):
        return only_null(body.left, column) and only_null(body.right, column)
    if isinstance(body, TypedQuery):
        return only_null(body.body, column)
    item = body.items[column]
    return isinstance(item, Constant) and item.value is None


def outputs_of_both(left: TypedBody, right: TypedBody) -> tuple[Output, ...]:
    """The columns of a set operation: the left side's, as long as those of both."""
    outputs = []
    for column, output in enumerate(left.outputs):
        known = [body.outputs[column].meaning for body in (left, right) if not only_null(body, column)] or [output.meaning]
        releases = {body.outputs[column].meaning.source_release for body in (left, right)}
        meaning = replace(
            output.meaning,
            arraysize=common_arraysize(meaning.arraysize for meaning in known),
            datatype=common_datatype(meaning.datatype for meaning in known),
            source_release=releases.pop() if len(releases) == 1 else None,
        )
        outputs.append(replace(output, meaning=meaning))
    return tuple(outputs)


def in_types(body: TypedBody, types: list[ColumnType]) -> TypedBody:
    """A body with each column in the type given, which its values go into."""
    if all(output.meaning.type is type_ for output, type_ in zip(body.outputs, types, strict=True)):
        return body
    if isinstance(body, TypedQuery):
        inner = in_types(body.body, types)
        return replace(body, body=inner, outputs=_renamed(inner.outputs, body.outputs))
    if isinstance(body, TypedSetOperation):
        left, right = in_types(body.left, types), in_types(body.right, types)
        return replace(body, left=left, right=right, outputs=outputs_of_both(left, right))
    items = tuple(converted(item, type_) for item, type_ in zip(body.items, types, strict=True))
    outputs = tuple(replace(output, meaning=item.meaning) for output, item in zip(body.outputs, items, strict=True))
    return replace(body, items=items, outputs=outputs)


def _renamed(outputs: tuple[Output, ...], names: tuple[Output, ...]) -> tuple[Output, ...]:
    return tuple(replace(named, meaning=output.meaning) for output, named in zip(outputs, names, strict=True))
