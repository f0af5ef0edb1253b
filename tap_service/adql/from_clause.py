"""FROM: tables found in the table set or in WITH, queries, and joins; what names may mean afterwards."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from catalog.schema.column import ColumnType
from tap_service.adql import tree
from tap_service.adql.conversions import comparable
from tap_service.adql.errors import AdqlNameError, QueryText
from tap_service.adql.expressions import ExpressionResolver
from tap_service.adql.grouping import refuse_aggregates
from tap_service.adql.scope import Scope, VisibleColumn, VisibleTable
from tap_service.adql.typed_tree import (
    ColumnValue,
    CommonTableUse,
    Comparison,
    Connective,
    Expression,
    Operation,
    Relation,
    SkyKey,
    Source,
    StoredTable,
    SubqueryTable,
    TypedJoin,
    TypedQuery,
    TypedSelect,
)
from tap_service.adql.value_types import Internal, Meaning, common_type
from tap_service.names import close_names, same_name
from tap_service.table_set import UPLOADS, TableSet, TapTable

_CONDITION = Meaning(Internal.CONDITION)


@dataclass(frozen=True)
class FromClause:
    """What FROM gives: the SQL's sources, and what names may mean."""

    sources: tuple[Source, ...]
    tables: tuple[VisibleTable, ...]
    columns: tuple[VisibleColumn, ...]


@dataclass(frozen=True)
class CommonTable:
    """A table of WITH: its name, the SQL's name for it, and its query."""

    name: tree.Name
    sql_name: str
    query: TypedQuery


class FromResolver:
    """Resolves FROM clauses; numbers the relations so that no two of a statement share an alias."""

    def __init__(
        self,
        source: QueryText,
        table_set: TableSet,
        common: list[CommonTable],
        resolve_query: Callable[[tree.Query, Scope | None], TypedQuery],
    ) -> None:
        self.source = source
        self.table_set = table_set
        self.common = common
        self.resolve_query = resolve_query
        self.relations = 0

    def alias(self) -> str:
        """A new alias for a relation."""
        self.relations += 1
        return f"t{self.relations}"

    def resolve(self, nodes: tuple[tree.TableReference, ...], parent: Scope | None) -> FromClause:
        """A whole FROM clause; ``parent`` is the scope of the query around."""
        parts = [self.table_reference(node, parent) for node in nodes]
        tables = tuple(table for part in parts for table in part.tables)
        columns = tuple(column for part in parts for column in part.columns)
        self.check_names(tables, nodes[0].place)
        return FromClause(tuple(source for part in parts for source in part.sources), tables, columns)

    def check_names(self, tables: tuple[VisibleTable, ...], place: int) -> None:
        """AdqlNameError if two tables go by one name."""
        seen: set[tuple[str | None, str]] = set()
        for table in tables:
            key = (table.schema and table.schema.casefold(), table.name.casefold())
            if key in seen:
                self.source.fail(AdqlNameError, f"two tables in FROM are called {table}; give one an alias: AS a", place)
            seen.add(key)

    def table_reference(self, node: tree.TableReference, parent: Scope | None) -> FromClause:
        """A table, a query or a join."""
        if isinstance(node, tree.Join):
            return self.join(node, parent)
        if isinstance(node, tree.DerivedTable):
            query = self.resolve_query(node.query, parent)
            relation = Relation(self.alias(), carried_key(query))
            columns = columns_of(query, relation)
            return FromClause((SubqueryTable(relation, query),), (VisibleTable(node.alias.text, None, columns),), columns)
        if not isinstance(node, tree.TableName):
            raise AssertionError(f"the tree has no table reference {type(node).__name__}")
        return self.table_name(node)

    def table_name(self, node: tree.TableName) -> FromClause:
        """A table of WITH or of the table set."""
        name = node.parts[-1]
        if len(node.parts) == 1:
            for common in reversed(self.common):
                if same_name(common.name.text, name.text, name.delimited):
                    relation = Relation(self.alias(), carried_key(common.query))
                    columns = columns_of(common.query, relation)
                    visible = VisibleTable(node.alias.text if node.alias else common.name.text, None, columns)
                    return FromClause((CommonTableUse(relation, common.sql_name, common.query),), (visible,), columns)
        table = self.stored_table(node)
        relation, columns = columns_as(table, self.alias())
        visible = VisibleTable(table.name, table.schema, columns)
        if node.alias:
            visible = VisibleTable(node.alias.text, None, columns, table.qualified_name)
        return FromClause((StoredTable(relation, table.permanent or table.schema, table.name),), (visible,), columns)

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
        if schema is not None and same_name(UPLOADS, schema.text, schema.delimited):
            uploads = [table.qualified_name for table in self.table_set.tables if table.schema == UPLOADS]
            meant = close_names(written, uploads, 1) or tuple(uploads)
            guess = (
                f"did you mean {' or '.join(meant)}?"
                if uploads
                else f"no table came with the request: UPLOAD={name.text},param:... sends one"
            )
            self.source.fail(AdqlNameError, f"there is no table {written}; {guess}", node.place)
        near = [*self.table_set.suggest(name.text, schema.text if schema else None)]
        near += close_names(written, (common.name.text for common in self.common), 1)
        guess = f"; did you mean {' or '.join(near)}?" if near else "; TAP_SCHEMA.tables lists what there is"
        return self.source.fail(AdqlNameError, f"there is no table {written}{guess}", node.place)

    def join(self, node: tree.Join, parent: Scope | None) -> FromClause:
        """A join; its ON sees the tables of its two sides only."""
        left, right = self.table_reference(node.left, parent), self.table_reference(node.right, parent)
        tables = left.tables + right.tables
        self.check_names(tables, node.place)
        condition: Expression | None = None
        columns = left.columns + right.columns
        if node.natural or node.using:
            names = node.using or tuple(self.names_in_common(left, right, node))
            condition, columns = self.merged(names, left, right, node)
        elif node.condition is not None:
            condition = ExpressionResolver(self.source, Scope(tables, columns, parent), self.resolve_query).condition(node.condition)
            refuse_aggregates(condition, "ON", self.source)
        kind = "INNER" if node.kind == "CROSS" else node.kind
        return FromClause((TypedJoin(kind, left.sources[0], right.sources[0], condition),), tables, columns)

    @staticmethod
    def names_in_common(left: FromClause, right: FromClause, node: tree.Join) -> Iterator[tree.Name]:
        """The columns of NATURAL: those that both sides have, in the left one's order."""
        others = {column.label for column in right.columns}
        for column in left.columns:
            if column.label in others:
                yield tree.Name(column.label, True, place=node.place)

    def merged(
        self, names: tuple[tree.Name, ...], left: FromClause, right: FromClause, node: tree.Join
    ) -> tuple[Expression | None, tuple[VisibleColumn, ...]]:
        """USING as a condition, and the columns: the merged ones first (SQL-92 section 7.5), then what is left of each side."""
        conditions: list[Expression] = []
        shared: list[VisibleColumn] = []
        for name in names:
            first = Scope(left.tables, left.columns).column((name,), self.source).value
            second = Scope(right.tables, right.columns).column((name,), self.source).value
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


@lru_cache(maxsize=256)
def columns_as(table: TapTable, alias: str) -> tuple[Relation, tuple[VisibleColumn, ...]]:
    """A table under an alias and its columns: the same for every query, and wide tables would be slow to make anew."""
    relation = Relation(alias, SkyKey(table.position, table.padding, table.displaced) if table.position else None, table.is_union)
    columns = tuple(
        VisibleColumn(
            column.name,
            ColumnValue(
                Meaning(
                    text_if_json(column.type),
                    column.arraysize,
                    column.xtype,
                    column.unit,
                    column.ucd,
                    column.utype,
                    column.description,
                    column.datatype if column.datatype == "unicodeChar" else None,
                    table.source_release if column.name == "source_id" else None,
                ),
                relation,
                column.stored_name or column.name,
                column.type is ColumnType.JSON,
            ),
        )
        for column in table.columns
    )
    return relation, columns


def text_if_json(type_: ColumnType) -> ColumnType:
    """JSON is read as its text."""
    return ColumnType.TEXT if type_ is ColumnType.JSON else type_


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
