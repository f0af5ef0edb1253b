"""A query's tree on plain Python rows: what the service's answer is compared with.

It knows the tree alone, nothing of the resolver or of SQL: names are looked up here, types are worked out here, conditions have three
values (True, False, None for unknown), and rows are lists that are filtered, joined, grouped, sorted and cut. A compiled expression is
its type and a function of ``(row, row of the query around, rows of the group)``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from functools import singledispatchmethod
from typing import Any

from tap_service.adql import tree
from tests.tap_service.fuzz.fixed_tables import SCHEMA, TABLES
from tests.tap_service.fuzz.oracle_geometry import angle, cap_area
from tests.tap_service.fuzz.scalar_values import (
    COMPARISONS,
    DOUBLE_FUNCTIONS,
    WHOLE,
    ComputeError,
    arithmetic,
    cast,
    common_type,
    compared,
    converted,
    in_range,
    like,
    lower,
    modulo,
    order,
    upper,
)

Row = tuple[Any, ...]
Compiled = tuple[str, Callable[[Any], Any]]

_DEGREES_IN = {"arcmin": 60.0, "arcsec": 3600.0, "mas": 3.6e6, "rad": math.pi / 180}
"""What IN_UNIT multiplies degrees with."""
AGGREGATES = ("COUNT", "SUM", "AVG", "MIN", "MAX")
_MOST_ROWS = 20_000
"""Rows that FROM clauses may make in one query, those of subqueries counted as often as they run."""


class AmbiguousError(Exception):
    """The query leaves open which rows a TOP or OFFSET in it takes."""


class TooLargeError(Exception):
    """More rows than plain Python should join."""


@dataclass(frozen=True)
class Column:
    """A column of a result; the label is None where the writer gave no name."""

    label: str | None
    type: str


@dataclass(frozen=True)
class Answer:
    """All rows before TOP and OFFSET, in order; ``ties`` are the ends of the runs of rows whose place among one another is open."""

    columns: tuple[Column, ...]
    rows: list[Row]
    ties: list[int]
    offset: int
    top: int | None

    def cut(self) -> tuple[int, int]:
        """The first row that TOP and OFFSET let through, and the one behind the last."""
        first = min(self.offset, len(self.rows))
        return first, len(self.rows) if self.top is None else min(first + self.top, len(self.rows))

    def settled(self) -> list[Row]:
        """The rows that TOP and OFFSET let through; AmbiguousError if that is open."""
        first, last = self.cut()
        start = 0
        for end in self.ties:
            if (start < first < end or start < last < end) and any(row != self.rows[start] for row in self.rows[start:end]):
                raise AmbiguousError
            start = end
        return self.rows[first:last]


# -- names


def same(declared: str | None, name: tree.Name) -> bool:
    """Whether a name means a declared one: with case if it is delimited."""
    return declared is not None and (declared == name.text if name.delimited else declared.casefold() == name.text.casefold())


@dataclass(frozen=True)
class Visible:
    """A column that a name may mean, and its value in a row."""

    label: str | None
    type: str
    value: Callable[[Row], Any]


@dataclass(frozen=True)
class Table:
    """A table of FROM."""

    name: str
    schema: str | None
    columns: tuple[Visible, ...]

    def matches(self, qualifier: tuple[tree.Name, ...]) -> bool:
        """Whether a qualifier means this table."""
        return same(self.name, qualifier[-1]) and (len(qualifier) == 1 or same(self.schema, qualifier[0]))


@dataclass
class Scope:
    """What names mean in a query; ``reaches_out`` is set when one is found in the queries around."""

    tables: tuple[Table, ...]
    columns: tuple[Visible, ...]
    parent: Scope | None
    aliases: dict[str, tree.Expression] = field(default_factory=dict)
    reaches_out: bool = False

    def find(self, parts: tuple[tree.Name, ...]) -> tuple[int, Visible] | None:
        """How many queries further out a column is, and the column."""
        scope: Scope | None = self
        passed: list[Scope] = []
        while scope is not None:
            if column := scope.own(parts):
                for inner in passed:
                    inner.reaches_out = True
                return len(passed), column
            passed.append(scope)
            scope = scope.parent
        return None

    def own(self, parts: tuple[tree.Name, ...]) -> Visible | None:
        """A column of this query's own tables."""
        columns = self.columns
        if len(parts) > 1:
            columns = next((table.columns for table in self.tables if table.matches(parts[:-1])), ())
        found = [column for column in columns if same(column.label, parts[-1])]
        exact = [column for column in found if column.label == parts[-1].text]
        return exact[0] if len(exact) == 1 else found[0] if len(found) == 1 else None


def _shifted(columns: tuple[Visible, ...], by: int) -> tuple[Visible, ...]:
    """The same columns in rows that have others before them."""
    return tuple(Visible(c.label, c.type, lambda row, c=c: c.value(row[by:])) for c in columns)


# -- queries


@dataclass
class Plan:
    """A query ready to run: its columns, and its answer for a row of the query around."""

    columns: tuple[Column, ...]
    answer: Callable[[Any], Answer]
    correlated: bool
    known: list[Row] | None = None

    def rows(self, outer: Any) -> list[Row]:
        """The rows; computed once where they do not depend on the query around."""
        if self.correlated:
            return self.answer(outer).settled()
        if self.known is None:
            self.known = self.answer(None).settled()
        return self.known


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
            return _sorted(plan.columns, pairs, keys, types, node.order_by, node.offset or 0, None)

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
            rows = _combined(node.operator, node.all, first, second, types)
            return Answer(columns, rows, [len(rows)], 0, None)

        return Plan(columns, answer, left.correlated or right.correlated)

    def select(self, node: tree.Select, parent: Scope | None, order_by: tuple[tree.OrderItem, ...], offset: int) -> Plan:
        source = self.from_clause(node.tables, parent)
        scope = Scope(source.tables, source.columns, parent)
        scope.reaches_out = self._from_reaches_out
        make = Expressions(self, scope)
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
                envs = _groups(envs, group_by, outer, source.width)
                if having is not None:
                    envs = [env for env in envs if having(env) is True]
            pairs = [(tuple([value(env) for _, value in items]), env) for env in envs]
            if node.distinct:
                seen: dict[Any, Any] = {}
                for pair in pairs:
                    seen.setdefault(_key(pair[0], columns), pair)
                pairs = list(seen.values())
            return _sorted(tuple(columns), pairs, keys, types, order_by, offset, node.top)

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
            for a, b in zip(first, _shifted(tuple(b for b in second if b), left.width), strict=True):
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
            value = Expressions(self, scope).compile(node.condition)[1]  # type: ignore[arg-type]
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
    tables = left.tables + tuple(Table(t.name, t.schema, _shifted(t.columns, left.width)) for t in right.tables)
    columns = left.columns + _shifted(right.columns, left.width)
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


# -- sets, groups, order


def _key(row: Row, columns: tuple[Column, ...] | list[Column]) -> Row:
    """A row by which equal rows are found: NaN equals NaN."""
    return tuple("NaN" if value != value else value for value in row)


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


def _combined(operator: str, every: bool, left: list[Row], right: list[Row], types: list[str]) -> list[Row]:
    columns = [Column(None, type_) for type_ in types]
    example: dict[Row, Row] = {}
    counts = []
    for rows in (left, right):
        counted: Counter[Row] = Counter()
        for row in rows:
            key = _key(row, columns)
            example.setdefault(key, row)
            counted[key] += 1
        counts.append(counted)
    first, second = counts
    if operator == "UNION":
        total = first + second
    elif operator == "EXCEPT":
        total = first - second if every else Counter({key: 1 for key in first if key not in second})
    else:
        total = first & second
    return [example[key] for key, count in total.items() for _ in range(count if every else 1)]


def _groups(envs: list[Any], group_by: list[Compiled], outer: Any, width: int) -> list[Any]:
    """An environment for each group: one of its rows, and all of them."""
    if not group_by:
        rows = [env[0] for env in envs]
        return [(rows[0] if rows else (None,) * width, outer, rows)]
    groups: dict[Row, list[Row]] = {}
    for env in envs:
        key = tuple("NaN" if (found := value(env)) != found else found for _, value in group_by)
        groups.setdefault(key, []).append(env[0])
    return [(rows[0], outer, rows) for rows in groups.values()]


def _sorted(
    columns: tuple[Column, ...],
    pairs: list[tuple[Row, Any]],
    keys: list[Callable[[Any], Any]],
    types: list[str],
    order_by: tuple[tree.OrderItem, ...],
    offset: int,
    top: int | None,
) -> Answer:
    """The rows in order, NULL above all values."""
    keyed: list[tuple[Any, Row]] = []
    places = [order(type_) for type_ in types]
    for pair in pairs:
        values = [key(pair) for key in keys]
        keyed.append(
            (
                tuple(
                    (1, 0) if value is None else (0, place(value) if place else value) for value, place in zip(values, places, strict=True)
                ),
                pair[0],
            )
        )
    for number in reversed(range(len(keys))):
        keyed.sort(key=lambda one, number=number: one[0][number], reverse=order_by[number].descending)
    ties = [end for end in range(1, len(keyed) + 1) if end == len(keyed) or keyed[end][0] != keyed[end - 1][0]]
    return Answer(columns, [row for _, row in keyed], ties, offset, top)


def has_aggregate(node: object) -> bool:
    """Whether an aggregate function stands in a part of a query, subqueries apart."""
    if isinstance(node, tree.Call) and node.function in AGGREGATES:
        return True
    return any(has_aggregate(child) for child in children(node))


def children(node: object) -> Iterator[tree.Node]:
    """The nodes that an expression is made of, without those of subqueries."""
    if not isinstance(node, tree.Node) or isinstance(node, tree.Query):
        return
    for part in fields(node):
        yield from _nodes(getattr(node, part.name))


def _nodes(value: object) -> Iterator[tree.Node]:
    if isinstance(value, tuple):
        for item in value:
            yield from _nodes(item)
    elif isinstance(value, tree.Node):
        yield value


# -- expressions


class Expressions:
    """Makes functions of the expressions in one scope."""

    def __init__(self, evaluator: Evaluator, scope: Scope) -> None:
        self.evaluator = evaluator
        self.scope = scope

    def unaliased(self, node: tree.Expression) -> tree.Expression:
        """What a name of the SELECT list stands for, where it is no column's."""
        if isinstance(node, tree.ColumnReference) and len(node.parts) == 1 and self.scope.own(node.parts) is None:
            return self.scope.aliases.get(node.parts[0].text.casefold(), node)
        return node

    @singledispatchmethod
    def compile(self, node: tree.Expression) -> Compiled:
        """The type of an expression, and its value in an environment."""
        raise AssertionError(f"nobody evaluates a {type(node).__name__}")

    @compile.register
    def _(self, node: tree.NumberLiteral) -> Compiled:
        if node.text.isdigit() and int(node.text) < 2**63:
            number = int(node.text)
            return ("integer" if number < 2**31 else "bigint"), lambda env: number
        value = float(node.text)
        return "double", lambda env: value

    @compile.register
    def _(self, node: tree.StringLiteral) -> Compiled:
        return "text", lambda env: node.value

    @compile.register
    def _(self, node: tree.BooleanLiteral) -> Compiled:
        return "boolean", lambda env: node.value

    @compile.register
    def _(self, node: tree.NullLiteral) -> Compiled:
        return "null", lambda env: None

    @compile.register
    def _(self, node: tree.ColumnReference) -> Compiled:
        found = self.scope.find(node.parts)
        assert found is not None, f"no column {'.'.join(map(str, node.parts))}"
        depth, column = found

        def value(env: Any) -> Any:
            for _ in range(depth):
                env = env[1]
            return column.value(env[0])

        return column.type, value

    @compile.register
    def _(self, node: tree.Sign) -> Compiled:
        type_, operand = self.compile(node.operand)
        if node.operator == "+" or type_ == "null":
            return type_, operand
        if type_ in WHOLE:
            return type_, _strict(lambda a: in_range(-a, type_), operand)
        return type_, _strict(lambda a: -a, operand)

    @compile.register
    def _(self, node: tree.Arithmetic) -> Compiled:
        (left, a), (right, b) = self.compile(node.left), self.compile(node.right)
        if node.operator == "||":
            return "text", _strict(lambda x, y: x + y, a, b)
        type_, compute = arithmetic(node.operator, left, right)
        return type_, _strict(compute, a, b)

    @compile.register
    def _(self, node: tree.Cast) -> Compiled:
        given, operand = self.compile(node.operand)
        type_ = {"CHAR": "text", "VARCHAR": "text"}.get(node.type_name, node.type_name.lower())
        return type_, _strict(cast(given, type_, node.length, node.type_name == "CHAR"), operand)

    @compile.register
    def _(self, node: tree.Case) -> Compiled:
        results = [self.compile(value) for _, value in node.branches]
        results.append(self.compile(node.otherwise) if node.otherwise is not None else ("null", lambda env: None))
        type_, values = _in_one_type(results)
        if node.operand is None:
            tests = [self.compile(condition)[1] for condition, _ in node.branches]
        else:
            tests = [self.comparison("=", node.operand, condition) for condition, _ in node.branches]

        def value(env: Any) -> Any:
            for test, result in zip(tests, values, strict=False):
                if test(env) is True:
                    return result(env)
            return values[-1](env)

        return type_, value

    @compile.register
    def _(self, node: tree.ScalarQuery) -> Compiled:
        plan = self.evaluator.query(node.query, self.scope)

        def value(env: Any) -> Any:
            rows = plan.rows(env)
            if len(rows) > 1:
                raise ComputeError("more than one row in a query used as a value")
            return rows[0][0] if rows else None

        return plan.columns[0].type, value

    # -- conditions

    def comparison(self, operator: str, left: tree.Expression, right: tree.Expression) -> Callable[[Any], Any]:
        (first, a), (second, b) = self.compile(left), self.compile(right)
        compare, holds = compared(first, second), COMPARISONS[operator]
        return _strict(lambda x, y: holds(compare(x, y)), a, b)

    @compile.register
    def _(self, node: tree.Comparison) -> Compiled:
        return "condition", self.comparison(node.operator, node.left, node.right)

    @compile.register
    def _(self, node: tree.Between) -> Compiled:
        inside = _all((self.comparison(">=", node.operand, node.low), self.comparison("<=", node.operand, node.high)))
        return "condition", _negated(inside) if node.negated else inside

    @compile.register
    def _(self, node: tree.InList) -> Compiled:
        equal = _any(tuple(self.comparison("=", node.operand, value) for value in node.values))
        return "condition", _negated(equal) if node.negated else equal

    @compile.register
    def _(self, node: tree.InQuery) -> Compiled:
        plan = self.evaluator.query(node.query, self.scope)
        type_, operand = self.compile(node.operand)
        compare = compared(type_, plan.columns[0].type)

        def value(env: Any) -> bool | None:
            own = operand(env)
            found: bool | None = False
            for (other,) in plan.rows(env):
                if own is None or other is None:
                    found = None
                elif compare(own, other) == 0:
                    return True
            return found

        return "condition", _negated(value) if node.negated else value

    @compile.register
    def _(self, node: tree.Like) -> Compiled:
        (_, text), (_, pattern) = self.compile(node.operand), self.compile(node.pattern)
        found = _strict(lambda a, b: like(a, b, node.any_case), text, pattern)
        return "condition", _negated(found) if node.negated else found

    @compile.register
    def _(self, node: tree.IsNull) -> Compiled:
        _, operand = self.compile(node.operand)
        return "condition", (lambda env: operand(env) is not None) if node.negated else (lambda env: operand(env) is None)

    @compile.register
    def _(self, node: tree.Exists) -> Compiled:
        plan = self.evaluator.query(node.query, self.scope)
        return "condition", lambda env: bool(plan.rows(env))

    @compile.register
    def _(self, node: tree.Not) -> Compiled:
        return "condition", _negated(self.compile(node.operand)[1])

    @compile.register
    def _(self, node: tree.And) -> Compiled:
        return "condition", _all(tuple(self.compile(operand)[1] for operand in node.operands))

    @compile.register
    def _(self, node: tree.Or) -> Compiled:
        return "condition", _any(tuple(self.compile(operand)[1] for operand in node.operands))

    # -- functions

    @compile.register
    def _(self, node: tree.Call) -> Compiled:
        name = node.function
        if name in AGGREGATES:
            return self.aggregate(node)
        compiled = [self.compile(argument) for argument in node.arguments]
        values = [value for _, value in compiled]
        if name in DOUBLE_FUNCTIONS:
            return "double", _strict(DOUBLE_FUNCTIONS[name], *values)
        if name == "ABS":
            type_ = "double" if compiled[0][0] == "null" else compiled[0][0]
            return type_, _strict(lambda x: in_range(abs(x), type_) if type_ in WHOLE else abs(x), *values)
        if name == "MOD":
            type_, compute = modulo(compiled[0][0], compiled[1][0])
            return type_, _strict(compute, *values)
        if name == "COALESCE":
            type_, values = _in_one_type(compiled)
            return type_, lambda env: next((found for value in values if (found := value(env)) is not None), None)
        if name in ("LOWER", "UPPER"):
            return "text", _strict(lower if name == "LOWER" else upper, *values)
        if name == "IN_UNIT":
            factor = _DEGREES_IN[node.arguments[1].value]  # type: ignore[attr-defined]
            return "double", _strict(lambda x: x * factor, values[0])
        if name.startswith(("IVO_", "GAIA_")):
            return self.user_function(name, values)
        return self.geometry(node, compiled)

    def user_function(self, name: str, values: list[Callable[[Any], Any]]) -> Compiled:
        """Functions of the IVOA's catalogue and of the Gaia archive."""
        if name == "IVO_NOCASEMATCH":
            return "integer", _strict(lambda text, pattern: int(like(text, pattern, True)), *values)
        if name == "IVO_HASHLIST_HAS":
            return "integer", _strict(lambda items, item: int(items != "" and lower(item) in lower(items).split("#")), *values)
        if name == "GAIA_HEALPIX_INDEX":
            return "bigint", _strict(lambda level, source_id: source_id // (1 << 35 + 2 * (12 - level)), *values)
        assert name == "IVO_INTERVAL_OVERLAPS"
        place = order("double")
        below = [
            _strict(lambda a, b: place(float(a)) <= place(float(b)), values[first], values[last])
            for first, last in ((0, 1), (2, 3), (0, 3), (2, 1))
        ]
        overlaps = _all(tuple(below))
        return "integer", lambda env: None if (found := overlaps(env)) is None else int(found)

    def aggregate(self, node: tree.Call) -> Compiled:
        """A function of the values, NULLs apart, that an expression has in the rows of the group."""
        if node.star:
            return "bigint", lambda env: len(env[2])
        type_, argument = self.compile(node.arguments[0])
        compute = _AGGREGATES[node.function](type_)

        def value(env: Any) -> Any:
            found = [one for row in env[2] if (one := argument((row, env[1], None))) is not None]
            if node.distinct:
                found = list({("NaN" if one != one else one): one for one in found}.values())
            return compute(found)

        given = "text" if type_ == "null" else type_
        return {"COUNT": "bigint", "AVG": "double", "SUM": "bigint" if type_ in WHOLE else "double"}.get(node.function, given), value

    def geometry(self, node: tree.Call, compiled: list[Compiled]) -> Compiled:
        """Places: a point is (lon, lat), a circle (lon, lat, radius)."""
        if isinstance(node.arguments[0], tree.StringLiteral):
            compiled = compiled[1:]  # the frame
        values = [value for _, value in compiled]
        if node.function == "POINT":
            return "point", _strict(lambda lon, lat: (float(lon), float(lat)), *values)
        if node.function == "CIRCLE":
            if len(values) == 2:
                return "circle", _strict(lambda point, radius: (*point, float(radius)), *values)
            return "circle", _strict(lambda lon, lat, radius: (float(lon), float(lat), float(radius)), *values)
        if node.function == "DISTANCE":
            if len(values) == 4:
                return "double", _strict(angle, *values)
            return "double", _strict(lambda a, b: angle(*a, *b), *values)
        if node.function == "AREA":
            return "double", _strict(lambda region: cap_area(region[2]) if len(region) == 3 else 0.0, *values)
        if node.function in ("COORD1", "COORD2"):
            return "double", _strict(lambda point: point[int(node.function[-1]) - 1], *values)
        if node.function == "CONTAINS":
            return "integer", _strict(lambda a, b: int(angle(*a[:2], *b[:2]) + _radius(a) <= _radius(b)), *values)
        if node.function == "INTERSECTS":
            return "integer", _strict(lambda a, b: int(angle(*a[:2], *b[:2]) <= _radius(a) + _radius(b)), *values)
        raise AssertionError(f"nobody evaluates {node.function}")


def _radius(region: Row) -> float:
    return region[2] if len(region) == 3 else 0.0


def _strict(compute: Callable[..., Any], *values: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function of values that is NULL where one of them is."""

    def value(env: Any) -> Any:
        found = [read(env) for read in values]
        return None if None in found else compute(*found)

    if len(values) == 2:
        first, second = values

        def of_two(env: Any) -> Any:
            a, b = first(env), second(env)
            return None if a is None or b is None else compute(a, b)

        return of_two
    return value


def _negated(condition: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def value(env: Any) -> bool | None:
        found = condition(env)
        return None if found is None else not found

    return value


def _all(conditions: tuple[Callable[[Any], Any], ...]) -> Callable[[Any], Any]:
    def value(env: Any) -> bool | None:
        known: bool | None = True
        for condition in conditions:
            found = condition(env)
            if found is False:
                return False
            if found is None:
                known = None
        return known

    return value


def _any(conditions: tuple[Callable[[Any], Any], ...]) -> Callable[[Any], Any]:
    return _negated(_all(tuple(_negated(condition) for condition in conditions)))


def _in_one_type(compiled: list[Compiled]) -> tuple[str, list[Callable[[Any], Any]]]:
    """Values in the type that they have in common."""
    type_ = "null"
    for given, _ in compiled:
        type_ = common_type(type_, given)
    values = []
    for given, value in compiled:
        convert = converted(given, type_)
        values.append(_strict(convert, value) if convert else value)
    return ("text" if type_ == "null" else type_), values


def _sum(type_: str) -> Callable[[list[Any]], Any]:
    if type_ in WHOLE:
        return lambda values: in_range(sum(values), "bigint") if values else None
    return lambda values: _float_sum(values) if values else None


def _float_sum(values: list[float]) -> float:
    total = 0.0
    for value in values:
        total += value
    if total in (float("inf"), float("-inf")) and not any(value in (float("inf"), float("-inf")) for value in values):
        raise ComputeError("overflow")
    return total


def _mean(values: list[Any]) -> float | None:
    if not values:
        return None
    floats = [float(value) for value in values]
    return _float_sum(floats) / len(floats)


def _extreme(type_: str, largest: bool) -> Callable[[list[Any]], Any]:
    place = order(type_)
    choose = max if largest else min
    return lambda values: choose(values, key=place) if values else None  # type: ignore[type-var]


_AGGREGATES: dict[str, Callable[[str], Callable[[list[Any]], Any]]] = {
    "COUNT": lambda type_: len,
    "SUM": _sum,
    "AVG": lambda type_: _mean,
    "MIN": lambda type_: _extreme(type_, False),
    "MAX": lambda type_: _extreme(type_, True),
}


def evaluate(query: tree.Query) -> Answer:
    """The answer to a whole query; ComputeError, AmbiguousError or TooLargeError where there is none to compare with."""
    plan = Evaluator().query(query, None)
    return plan.answer(None)
