"""A tree whose names mean nothing yet to a typed tree: tables and columns found, scopes kept, result columns named and described."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from catalog.schema.column import ColumnType
from tap_service.adql import tree
from tap_service.adql.conversions import comparable, converted
from tap_service.adql.errors import AdqlNameError, AdqlTypeError, AdqlUnsupportedError, QueryText
from tap_service.adql.expressions import ExpressionResolver
from tap_service.adql.scope import Scope, VisibleColumn, VisibleTable
from tap_service.adql.typed_tree import (
    Aggregate,
    ColumnValue,
    CommonTableUse,
    Comparison,
    Connective,
    Constant,
    Expression,
    Operation,
    Output,
    Relation,
    SkyKey,
    Source,
    StoredTable,
    SubqueryTable,
    TypedBody,
    TypedJoin,
    TypedOrder,
    TypedQuery,
    TypedSelect,
    TypedSetOperation,
    walk,
)
from tap_service.adql.value_types import Internal, Meaning, common_type, in_words
from tap_service.table_set import TableSet, TapTable, close_names, same_name

_CONDITION = Meaning(Internal.CONDITION)
_LONGEST_SQL_NAME = 63


def resolve(query: tree.Query, text: str, table_set: TableSet) -> TypedQuery:
    """The typed tree of a query on a set of tables; AdqlNameError, AdqlTypeError or AdqlUnsupportedError with their place."""
    return _QueryResolver(QueryText(text), table_set).query(query, None)


@dataclass(frozen=True)
class _From:
    """What FROM gives: the SQL's sources, and what names may mean."""

    sources: tuple[Source, ...]
    tables: tuple[VisibleTable, ...]
    columns: tuple[VisibleColumn, ...]


class _QueryResolver:
    """Resolves a query and all within it; numbers the relations so that no two share an alias."""

    def __init__(self, source: QueryText, table_set: TableSet) -> None:
        self.source = source
        self.table_set = table_set
        self.common: list[tuple[tree.Name, str, TypedQuery]] = []
        self.relations = 0

    def relation(self, sky_key: SkyKey | None) -> Relation:
        self.relations += 1
        return Relation(f"t{self.relations}", sky_key)

    # -- queries

    def query(self, node: tree.Query, parent: Scope | None) -> TypedQuery:
        for common in node.common_tables:
            self.common_table(common)
        order: tuple[TypedOrder, ...]
        if isinstance(node.body, tree.Select):
            select, scope = self.select(node.body, parent)
            order = tuple(self.order_of_select(item, select, scope) for item in node.order_by)
            if any(self.is_grouped_by(item) for item in order) and not select.group_by:
                self.check_grouping(select)
            body: TypedBody = select
        else:
            body = self.body(node.body, parent)
            order = tuple(self.order_of_outputs(item, body.outputs) for item in node.order_by)
        common_tables = tuple((name, query) for _, name, query in self.common) if node.common_tables else ()
        return TypedQuery(body, body.outputs, common_tables, order, node.offset)

    @staticmethod
    def is_grouped_by(item: TypedOrder) -> bool:
        return isinstance(item.key, Expression) and any(isinstance(part, Aggregate) for part in walk(item.key))

    def common_table(self, node: tree.CommonTable) -> None:
        if any(same_name(name.text, node.name.text, node.name.delimited) for name, _, _ in self.common):
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
        self.common.append((node.name, f"w{len(self.common) + 1}", query))

    def body(self, node: tree.Body, parent: Scope | None) -> TypedBody:
        if isinstance(node, tree.Select):
            return self.select(node, parent)[0]
        if isinstance(node, tree.Query):
            return self.query(node, parent)
        left, right = self.body(node.left, parent), self.body(node.right, parent)
        if len(left.outputs) != len(right.outputs):
            message = f"{node.operator} needs the same number of columns on both sides; here are {len(left.outputs)} and {len(right.outputs)}"
            self.source.fail(AdqlTypeError, message, node.place)
        types = [self.type_in_common(node, left, right, column) for column in range(len(left.outputs))]
        left, right = in_types(left, types), in_types(right, types)
        return TypedSetOperation(node.operator, node.all, left, right, left.outputs)

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
        found = self.from_clause(node.tables, parent)
        scope = Scope(found.tables, found.columns, parent)
        resolver = self.expressions(scope)
        items, outputs = self.select_list(node.items, resolver, scope)
        labelled = tuple(VisibleColumn(output.label, item) for output, item in zip(outputs, items, strict=True))
        where = resolver.condition(node.where) if node.where is not None else None
        self.refuse_aggregates(where, "WHERE")
        with_aliases = replace(scope, aliases=labelled)
        group_by = tuple(self.group_item(item, with_aliases) for item in node.group_by)
        having = resolver.condition(node.having) if node.having is not None else None
        select = TypedSelect(items, outputs, found.sources, node.distinct, node.top, where, group_by, having)
        if group_by or having is not None or any(isinstance(part, Aggregate) for item in items for part in walk(item)):
            self.check_grouping(select)
        return select, with_aliases

    def expressions(self, scope: Scope) -> ExpressionResolver:
        return ExpressionResolver(self.source, scope, self.query)

    def select_list(
        self, nodes: tuple[tree.SelectItem | tree.Star, ...], resolver: ExpressionResolver, scope: Scope
    ) -> tuple[tuple[Expression, ...], tuple[Output, ...]]:
        """The items with every star written out, and the columns that they make."""
        items: list[Expression] = []
        labels: list[str] = []
        for node in nodes:
            if isinstance(node, tree.Star):
                columns = scope.table(node.qualifier, self.source).columns if node.qualifier else scope.columns
                for column in columns:
                    items.append(replace(column.value, place=node.place))
                    labels.append(column.label)
                continue
            item = self.as_output(resolver.value(node.expression))
            items.append(item)
            labels.append(node.alias.text if node.alias else self.label(node.expression, item, len(items)))
        return tuple(items), tuple(outputs_of(items, labels))

    def as_output(self, item: Expression) -> Expression:
        """A value as a result column can hold it."""
        type_ = item.meaning.type
        if type_ is Internal.NULL:
            return converted(item, ColumnType.TEXT)
        if not isinstance(type_, ColumnType):
            message = f"{in_words(type_)} cannot be a column of the result yet; select COORD1(...) and COORD2(...)"
            self.source.fail(AdqlUnsupportedError, message, item.place)
        return item

    def label(self, node: tree.Expression, item: Expression, number: int) -> str:
        """A name for an item without alias: the column's, or one made of the function and its column."""
        if isinstance(node, tree.ColumnReference):
            return item.name if isinstance(item, ColumnValue) and same_name(item.name, node.parts[-1].text, False) else node.parts[-1].text
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
        self.refuse_aggregates(item, "GROUP BY")
        return item

    def refuse_aggregates(self, expression: Expression | None, clause: str) -> None:
        for part in walk(expression) if expression is not None else ():
            if isinstance(part, Aggregate):
                hint = "; conditions on groups go into HAVING" if clause == "WHERE" else ""
                self.source.fail(AdqlTypeError, f"an aggregate function cannot stand in {clause}{hint}", part.place)

    # -- groups

    def check_grouping(self, select: TypedSelect) -> None:
        """Every column stands in GROUP BY or within an aggregate, and no aggregate within another."""
        own = {relation.alias for source in select.sources for relation in relations(source)}
        for item in (*select.items, *((select.having,) if select.having is not None else ())):
            self.check_grouped(item, select.group_by, own)

    def check_grouped(self, expression: Expression, group_by: tuple[Expression, ...], own: set[str]) -> None:
        if expression in group_by:
            return
        if isinstance(expression, Aggregate):
            for argument in expression.arguments:
                self.refuse_aggregates(argument, "another aggregate function")
            return
        if isinstance(expression, ColumnValue) and expression.relation.alias in own:
            message = f"{expression.name} must stand in GROUP BY or within an aggregate function such as AVG or COUNT"
            self.source.fail(AdqlTypeError, message, expression.place)
        for child in expression.children():
            self.check_grouped(child, group_by, own)

    # -- ORDER BY

    def order_of_select(self, node: tree.OrderItem, select: TypedSelect, scope: Scope) -> TypedOrder:
        """An output by number or label, or any value of the query's rows."""
        if (number := self.output_number(node.expression, select.outputs)) is not None:
            return TypedOrder(number, node.descending)
        value = self.as_output(self.expressions(scope).value(node.expression))
        if value in select.items:
            return TypedOrder(select.items.index(value) + 1, node.descending)
        if select.distinct:
            self.source.fail(AdqlTypeError, "with DISTINCT, ORDER BY takes only what the SELECT list has", node.expression.place)
        if select.group_by or any(isinstance(part, Aggregate) for item in select.items for part in walk(item)):
            own = {relation.alias for source in select.sources for relation in relations(source)}
            self.check_grouped(value, select.group_by, own)
        return TypedOrder(value, node.descending)

    def order_of_outputs(self, node: tree.OrderItem, outputs: tuple[Output, ...]) -> TypedOrder:
        """A set operation is ordered by its columns alone."""
        number = self.output_number(node.expression, outputs)
        if number is None:
            names = ", ".join(output.label for output in outputs)
            self.source.fail(AdqlNameError, f"ORDER BY of a set operation takes one of its columns: {names}", node.expression.place)
        return TypedOrder(number, node.descending)

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

    # -- FROM

    def from_clause(self, nodes: tuple[tree.TableReference, ...], parent: Scope | None) -> _From:
        parts = [self.table_reference(node, parent) for node in nodes]
        tables = tuple(table for part in parts for table in part.tables)
        columns = tuple(column for part in parts for column in part.columns)
        self.check_names(tables, nodes[0].place)
        return _From(tuple(source for part in parts for source in part.sources), tables, columns)

    def check_names(self, tables: tuple[VisibleTable, ...], place: int) -> None:
        seen: set[tuple[str | None, str]] = set()
        for table in tables:
            key = (table.schema and table.schema.casefold(), table.name.casefold())
            if key in seen:
                self.source.fail(AdqlNameError, f"two tables in FROM are called {table}; give one an alias: AS a", place)
            seen.add(key)

    def table_reference(self, node: tree.TableReference, parent: Scope | None) -> _From:
        if isinstance(node, tree.Join):
            return self.join(node, parent)
        if isinstance(node, tree.DerivedTable):
            query = self.query(node.query, parent)
            relation = self.relation(carried_key(query))
            columns = columns_of(query, relation)
            return _From((SubqueryTable(relation, query),), (VisibleTable(node.alias.text, None, columns),), columns)
        if not isinstance(node, tree.TableName):
            raise AssertionError(f"the tree has no table reference {type(node).__name__}")
        return self.table_name(node)

    def table_name(self, node: tree.TableName) -> _From:
        name = node.parts[-1]
        if len(node.parts) == 1:
            for common, sql_name, query in reversed(self.common):
                if same_name(common.text, name.text, name.delimited):
                    relation = self.relation(carried_key(query))
                    columns = columns_of(query, relation)
                    visible = VisibleTable(node.alias.text if node.alias else common.text, None, columns)
                    return _From((CommonTableUse(relation, sql_name),), (visible,), columns)
        table = self.stored_table(node)
        sky_key = SkyKey(table.position, table.padding, table.displaced) if table.position else None
        relation = self.relation(sky_key)
        columns = tuple(
            VisibleColumn(
                column.name,
                ColumnValue(
                    Meaning(text_if_json(column.type), column.arraysize, column.xtype, column.unit, column.ucd, column.utype, column.description),
                    relation, column.name, column.type is ColumnType.JSON,
                ),
            )
            for column in table.columns
        )
        visible = VisibleTable(table.name, table.schema, columns)
        if node.alias:
            visible = VisibleTable(node.alias.text, None, columns, table.qualified_name)
        return _From((StoredTable(relation, table.permanent or table.schema, table.name),), (visible,), columns)

    def stored_table(self, node: tree.TableName) -> TapTable:
        """The table that a name means; AdqlNameError with the likeliest ones if it means none or several."""
        written = ".".join(map(str, node.parts))
        name, schema = node.parts[-1], node.parts[-2] if len(node.parts) > 1 else None
        found: tuple[TapTable, ...] = ()
        if len(node.parts) < 3:
            found = self.table_set.find(
                name.text, schema.text if schema else None, exact_name=name.delimited, exact_schema=bool(schema and schema.delimited)
            )
        if len(found) == 1:
            return found[0]
        if found:
            names = " or ".join(table.qualified_name for table in found)
            self.source.fail(AdqlNameError, f"{written} may mean {names}; write the schema too", node.place)
        near = [*self.table_set.suggest(name.text, schema.text if schema else None)]
        near += close_names(written, (common.text for common, _, _ in self.common), 1)
        guess = f"; did you mean {' or '.join(near)}?" if near else "; TAP_SCHEMA.tables lists what there is"
        return self.source.fail(AdqlNameError, f"there is no table {written}{guess}", node.place)

    def join(self, node: tree.Join, parent: Scope | None) -> _From:
        left, right = self.table_reference(node.left, parent), self.table_reference(node.right, parent)
        tables = left.tables + right.tables
        self.check_names(tables, node.place)
        condition: Expression | None = None
        columns = left.columns + right.columns
        if node.natural or node.using:
            names = node.using or tuple(self.names_in_common(left, right, node))
            condition, columns = self.merged(names, left, right, node)
        elif node.condition is not None:
            condition = self.expressions(Scope(tables, columns, parent)).condition(node.condition)
            self.refuse_aggregates(condition, "ON")
        kind = "INNER" if node.kind == "CROSS" else node.kind
        return _From((TypedJoin(kind, left.sources[0], right.sources[0], condition),), tables, columns)

    @staticmethod
    def names_in_common(left: _From, right: _From, node: tree.Join) -> Iterator[tree.Name]:
        """The columns of NATURAL: those that both sides have, in the left one's order."""
        others = {column.label for column in right.columns}
        for column in left.columns:
            if column.label in others:
                yield tree.Name(column.label, True, place=node.place)

    def merged(
        self, names: tuple[tree.Name, ...], left: _From, right: _From, node: tree.Join
    ) -> tuple[Expression | None, tuple[VisibleColumn, ...]]:
        """USING as a condition, and the columns: the merged ones first (SQL-92 section 7.5), then what is left of each side."""
        conditions: list[Expression] = []
        shared: list[VisibleColumn] = []
        for name in names:
            first = Scope(left.tables, left.columns).column((name,), self.source, name.place)
            second = Scope(right.tables, right.columns).column((name,), self.source, name.place)
            first, second = comparable(first, second, self.source, name.place)
            conditions.append(Comparison(_CONDITION, "=", first, second, place=name.place))
            value = second if node.kind == "RIGHT" else first
            if node.kind == "FULL":
                type_ = common_type(first.meaning.type, second.meaning.type)
                meaning = first.meaning if type_ is first.meaning.type else Meaning.of(type_ or ColumnType.TEXT, first.meaning.unit)
                value = Operation(meaning, "COALESCE({0}, {1})", (first, second), place=name.place)
            label = next(column.label for column in left.columns if same_name(column.label, name.text, name.delimited))
            shared.append(VisibleColumn(label, value))
        rest = tuple(
            column
            for column in (*left.columns, *right.columns)
            if not any(same_name(column.label, name.text, name.delimited) for name in names)
        )
        if not conditions:
            return None, rest
        condition = conditions[0] if len(conditions) == 1 else Connective(_CONDITION, "AND", tuple(conditions), place=node.place)
        return condition, (*shared, *rest)


def text_if_json(type_: ColumnType) -> ColumnType:
    """JSON is read as its text."""
    return ColumnType.TEXT if type_ is ColumnType.JSON else type_


def relations(source: Source) -> Iterator[Relation]:
    """The relations that a source is joined of."""
    if isinstance(source, TypedJoin):
        yield from relations(source.left)
        yield from relations(source.right)
    else:
        yield source.relation


def columns_of(query: TypedQuery, relation: Relation) -> tuple[VisibleColumn, ...]:
    """The columns of a query that is used as a table."""
    return tuple(VisibleColumn(output.label, ColumnValue(output.meaning, relation, output.sql_name)) for output in query.outputs)


def carried_key(query: TypedQuery) -> SkyKey | None:
    """The sky key that a query's rows keep: that of a relation whose position and key are all among its columns as they are."""
    if not isinstance(query.body, TypedSelect):
        return None
    names: dict[tuple[str, str], str] = {}
    for item, output in zip(query.body.items, query.body.outputs, strict=True):
        if isinstance(item, ColumnValue):
            names.setdefault((item.relation.alias, item.name), output.sql_name)
    for item in query.body.items:
        sky_key = item.relation.sky_key if isinstance(item, ColumnValue) else None
        if isinstance(item, ColumnValue) and sky_key is not None:
            position = sky_key.position
            lon, lat, key = (names.get((item.relation.alias, name)) for name in (position.lon, position.lat, position.key))
            if lon and lat and key:
                return replace(sky_key, position=replace(position, lon=lon, lat=lat, key=key))
    return None


def outputs_of(items: list[Expression], labels: list[str]) -> Iterator[Output]:
    """Columns with names that differ (without regard to case), valid as identifiers where they were made here."""
    taken = {label.casefold() for label in labels}
    used: set[str] = set()
    for number, (item, label) in enumerate(zip(items, labels, strict=True), 1):
        name, again = label, 2
        while name.casefold() in used or (name != label and name.casefold() in taken):
            name, again = f"{label}_{again}", again + 1
        used.add(name.casefold())
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


def in_types(body: TypedBody, types: list[ColumnType]) -> TypedBody:
    """A body with each column in the type given, which its values go into."""
    if all(output.meaning.type is type_ for output, type_ in zip(body.outputs, types, strict=True)):
        return body
    if isinstance(body, TypedQuery):
        inner = in_types(body.body, types)
        return replace(body, body=inner, outputs=_renamed(inner.outputs, body.outputs))
    if isinstance(body, TypedSetOperation):
        left, right = in_types(body.left, types), in_types(body.right, types)
        return replace(body, left=left, right=right, outputs=left.outputs)
    items = tuple(converted(item, type_) for item, type_ in zip(body.items, types, strict=True))
    outputs = tuple(replace(output, meaning=item.meaning) for output, item in zip(body.outputs, items, strict=True))
    return replace(body, items=items, outputs=outputs)


def _renamed(outputs: tuple[Output, ...], names: tuple[Output, ...]) -> tuple[Output, ...]:
    return tuple(replace(named, meaning=output.meaning) for output, named in zip(outputs, names, strict=True))
