"""A query's tree on plain Python rows: what the service's answer is compared with.

It knows the tree alone, nothing of the resolver or of SQL: names are looked up here, types are worked out here, conditions have three
values (True, False, None for unknown), and rows are lists that are filtered, joined, grouped, sorted and cut.

evaluator                queries and FROM
evaluated_names          what names mean
evaluated_expressions    values and conditions, by scalar_values and oracle_geometry
evaluated_rows           rows sorted, cut, grouped, united
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tap_service.adql import tree
from tests.tap_service.fuzz.evaluated_expressions import Compiled, Expressions, Plan
from tests.tap_service.fuzz.evaluated_names import Scope, Table, Visible, has_aggregate, same, shifted
from tests.tap_service.fuzz.evaluated_rows import Answer, Column, Row, TooLargeError, combined, groups, in_order, marked
from tests.tap_service.fuzz.fixed_tables import SCHEMA, TABLES
from tests.tap_service.fuzz.scalar_values import common_type, compared, converted

_MOST_ROWS = 20_000
"""Rows that FROM clauses may make in one query, those of subqueries counted as often as they run."""


@dataclass(frozen=True)
class From:
    """A FROM clause, or a part of it: its rows are as wide as its columns."""

    tables: tuple[Table, ...]
    columns: tuple[Visible, ...]
    width: int
    rows: Callable[[Any], list[Row]]


class Evaluator:
    """Makes a plan of a query; keeps the tables of WITH."""

    def __init__(self) -> None:
        self.common: list[tuple[tree.Name, tuple[Column, ...], Plan]] = []
        self.left = _MOST_ROWS

    def spend(self, rows: int) -> None:
        """Count rows; TooLargeError when there have been too many."""
        self.left -= rows
        if self.left < 0:
            raise TooLargeError

    def query(self, node: tree.Query, parent: Scope | None) -> Plan:
        """A query with all that belongs to it."""
        for table in node.common_tables:
            plan = self.query(table.query, None)
            columns = plan.columns
            if table.columns:
                columns = tuple(Column(name.text, column.type) for name, column in zip(table.columns, columns, strict=True))
            self.common.append((table.name, columns, plan))
        if isinstance(node.body, tree.Select):
            return self.select(node.body, parent, node.order_by, node.offset or 0)
        plan = self.body(node.body, parent)
        numbers = [self.output_number(item.expression, plan.columns) for item in node.order_by]
        assert None not in numbers
        keys = [lambda pair, n=n: pair[0][n - 1] for n in numbers]
        types = [plan.columns[n - 1].type for n in numbers if n is not None]

        def answer(outer: Any) -> Answer:
            pairs = [(row, row) for row in plan.rows(outer)]
            return in_order(plan.columns, pairs, keys, types, node.order_by, node.offset or 0, None)

        return Plan(plan.columns, answer, plan.correlated)

    def body(self, node: tree.Body, parent: Scope | None) -> Plan:
        if isinstance(node, tree.Query):
            return self.query(node, parent)
        if isinstance(node, tree.Select):
            return self.select(node, parent, (), 0)
        left, right = self.body(node.left, parent), self.body(node.right, parent)
        types = [common_type(_null_or_type(node.left, left, i), _null_or_type(node.right, right, i)) for i in range(len(left.columns))]
        types = ["text" if type_ == "null" else type_ for type_ in types]
        columns = tuple(Column(column.label, type_) for column, type_ in zip(left.columns, types, strict=True))

        def answer(outer: Any) -> Answer:
            first, second = (_in_types(plan, types, outer) for plan in (left, right))
            rows = combined(node.operator, node.all, first, second)
            return Answer(columns, rows, [len(rows)], 0, None)

        return Plan(columns, answer, left.correlated or right.correlated)

    def select(self, node: tree.Select, parent: Scope | None, order_by: tuple[tree.OrderItem, ...], offset: int) -> Plan:
        source = self.from_clause(node.tables, parent)
        scope = Scope(source.tables, source.columns, parent)
        scope.reaches_out = self._from_reaches_out
        make = Expressions(self.query, scope)
        items: list[Compiled] = []
        columns: list[Column] = []
        for item in node.items:
            if isinstance(item, tree.Star):
                for column in source.columns if not item.qualifier else next(t for t in source.tables if t.matches(item.qualifier)).columns:
                    items.append((column.type, lambda env, column=column: column.value(env[0])))
                    columns.append(Column(column.label, column.type))
                continue
            type_, value = make.compile(item.expression)
            label = item.alias.text if item.alias else None
            if label is None and isinstance(item.expression, tree.ColumnReference):
                found = scope.find(item.expression.parts)
                label = found[1].label if found else None
            items.append((type_, value))
            columns.append(Column(label, "text" if type_ == "null" else type_))
            if label is not None:
                scope.aliases.setdefault(label.casefold(), item.expression)
        where = make.compile(node.where)[1] if node.where is not None else None
        group_by = [make.compile(make.unaliased(key)) for key in node.group_by]
        having = make.compile(node.having)[1] if node.having is not None else None
        grouped = bool(node.group_by) or having is not None or any(map(has_aggregate, node.items))
        keys: list[Callable[[Any], Any]] = []
        types: list[str] = []
        for key in order_by:
            number = self.output_number(key.expression, tuple(columns))
            type_, value = items[number - 1] if number is not None else make.compile(make.unaliased(key.expression))
            keys.append(lambda pair, value=value: value(pair[1]))
            types.append(type_)

        def answer(outer: Any) -> Answer:
            envs: list[Any] = [(row, outer, None) for row in source.rows(outer)]
            self.spend(len(envs))
            if where is not None:
                envs = [env for env in envs if where(env) is True]
            if grouped:
                envs = groups(envs, group_by, outer, source.width)
                if having is not None:
                    envs = [env for env in envs if having(env) is True]
            pairs = [(tuple([value(env) for _, value in items]), env) for env in envs]
            if node.distinct:
                seen: dict[Any, Any] = {}
                for pair in pairs:
                    seen.setdefault(marked(pair[0]), pair)
                pairs = list(seen.values())
            return in_order(tuple(columns), pairs, keys, types, order_by, offset, node.top)

        return Plan(tuple(columns), answer, scope.reaches_out)

    def output_number(self, node: tree.Expression, columns: tuple[Column, ...]) -> int | None:
        """The column, from 1, that an item of ORDER BY means by number or label."""
        if isinstance(node, tree.NumberLiteral):
            return int(node.text)
        if isinstance(node, tree.ColumnReference) and len(node.parts) == 1:
            found = [number for number, column in enumerate(columns, 1) if same(column.label, node.parts[0])]
            return found[0] if found else None
        return None

    # -- FROM

    _from_reaches_out = False

    def from_clause(self, nodes: tuple[tree.TableReference, ...], parent: Scope | None) -> From:
        self._from_reaches_out = False
        reaches_out = False
        parts: list[From] = []
        for node in nodes:
            parts.append(self.table(node, parent))
            reaches_out = reaches_out or self._from_reaches_out
        whole = parts[0]
        for part in parts[1:]:
            whole = _product(whole, part, "INNER", lambda row: lambda env: True, parent, self.spend)
        self._from_reaches_out = reaches_out
        return whole

    def table(self, node: tree.TableReference, parent: Scope | None) -> From:
        if isinstance(node, tree.Join):
            return self.join(node, parent)
        if isinstance(node, tree.DerivedTable):
            plan = self.query(node.query, parent)
            self._from_reaches_out = self._from_reaches_out or plan.correlated
            return _one_table(node.alias.text, None, plan.columns, plan.rows)
        assert isinstance(node, tree.TableName)
        if len(node.parts) == 1:
            for name, columns, plan in reversed(self.common):
                if same(name.text, node.parts[0]):
                    return _one_table(node.alias.text if node.alias else name.text, None, columns, plan.rows)
        table = next(table for table in TABLES if same(table.name, node.parts[-1]))
        columns = tuple(Column(column.name, column.type) for column in table.columns)
        rows = list(table.rows)
        if node.alias:
            return _one_table(node.alias.text, None, columns, lambda outer: rows)
        return _one_table(table.name, SCHEMA, columns, lambda outer: rows)

    def join(self, node: tree.Join, parent: Scope | None) -> From:
        left, right = self.table(node.left, parent), self.table(node.right, parent)
        names: tuple[tree.Name, ...] = node.using
        if node.natural:
            labels = {column.label for column in right.columns}
            names = tuple(tree.Name(column.label or "", True) for column in left.columns if column.label in labels)
        both = _product(left, right, node.kind, lambda row: lambda env: True, parent, self.spend)
        if names:
            first = [Scope(left.tables, left.columns, None).own((name,)) for name in names]
            second = [Scope(right.tables, right.columns, None).own((name,)) for name in names]
            shared, tests = [], []
            for a, b in zip(first, shifted(tuple(b for b in second if b), left.width), strict=True):
                assert a is not None
                tests.append((compared(a.type, b.type), a.value, b.value))
                type_, value = (b.type, b.value) if node.kind == "RIGHT" else (a.type, a.value)
                if node.kind == "FULL":
                    type_ = common_type(a.type, b.type)
                    value = _first_known((a.value, converted(a.type, type_)), (b.value, converted(b.type, type_)))
                shared.append(Visible(a.label, type_, value))
            rest = tuple(c for c in both.columns if not any(same(c.label, name) for name in names))

            def equal(env: Any) -> bool:
                return all(
                    a(env[0]) is not None and b(env[0]) is not None and compare(a(env[0]), b(env[0])) == 0 for compare, a, b in tests
                )

            return From(
                both.tables, (*shared, *rest), both.width, _product(left, right, node.kind, lambda scope: equal, parent, self.spend).rows
            )
        if node.condition is None:
            return both
        reached = [False]

        def condition(scope: Scope) -> Callable[[Any], Any]:
            value = Expressions(self.query, scope).compile(node.condition)[1]  # type: ignore[arg-type]
            reached[0] = scope.reaches_out
            return value

        joined = _product(left, right, node.kind, condition, parent, self.spend)
        self._from_reaches_out = self._from_reaches_out or reached[0]
        return joined


def _one_table(name: str, schema: str | None, columns: tuple[Column, ...], rows: Callable[[Any], list[Row]]) -> From:
    visible = tuple(Visible(column.label, column.type, lambda row, i=i: row[i]) for i, column in enumerate(columns))
    return From((Table(name, schema, visible),), visible, len(columns), rows)


def _product(
    left: From,
    right: From,
    kind: str,
    condition: Callable[[Scope], Callable[[Any], Any]],
    parent: Scope | None,
    spend: Callable[[int], None],
) -> From:
    """Two parts of FROM joined by a condition, which is made once the columns of both are known."""
    tables = left.tables + tuple(Table(t.name, t.schema, shifted(t.columns, left.width)) for t in right.tables)
    columns = left.columns + shifted(right.columns, left.width)
    holds = condition(Scope(tables, columns, parent))

    def rows(outer: Any) -> list[Row]:
        first, second = left.rows(outer), right.rows(outer)
        spend(len(first) * len(second))
        found: list[Row] = []
        matched: set[int] = set()
        for a in first:
            lonely = True
            for number, b in enumerate(second):
                row = a + b
                if holds((row, outer, None)) is True:
                    found.append(row)
                    matched.add(number)
                    lonely = False
            if lonely and kind in ("LEFT", "FULL"):
                found.append(a + (None,) * right.width)
        if kind in ("RIGHT", "FULL"):
            found += [(None,) * left.width + b for number, b in enumerate(second) if number not in matched]
        return found

    return From(tables, columns, left.width + right.width, rows)


def _first_known(*values: tuple[Callable[[Row], Any], Callable[[Any], Any] | None]) -> Callable[[Row], Any]:
    def value(row: Row) -> Any:
        for read, convert in values:
            found = read(row)
            if found is not None:
                return convert(found) if convert else found
        return None

    return value


def _null_or_type(body: tree.Body, plan: Plan, number: int) -> str:
    """The type of a column of an operand: none where it is NULL alone."""
    return "null" if _only_null(body, number) else plan.columns[number].type


def _only_null(body: tree.Body, number: int) -> bool:
    if isinstance(body, tree.SetOperation):
        return _only_null(body.left, number) and _only_null(body.right, number)
    if isinstance(body, tree.Query):
        return _only_null(body.body, number)
    item = body.items[number] if len(body.items) > number else None
    value = item.expression if isinstance(item, tree.SelectItem) else None
    while isinstance(value, tree.Sign):
        value = value.operand
    return isinstance(value, tree.NullLiteral)


def _in_types(plan: Plan, types: list[str], outer: Any) -> list[Row]:
    converters = [converted(column.type, type_) for column, type_ in zip(plan.columns, types, strict=True)]
    return [
        tuple(value if convert is None or value is None else convert(value) for value, convert in zip(row, converters, strict=True))
        for row in plan.rows(outer)
    ]


def evaluate(query: tree.Query) -> Answer:
    """The answer to a whole query; ComputeError, AmbiguousError or TooLargeError where there is none to compare with."""
    plan = Evaluator().query(query, None)
    return plan.answer(None)
