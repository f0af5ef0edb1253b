"""Expressions compiled to Python: a type, and a function of ``(row, row of the query around, rows of the group)``."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatchmethod
from typing import Any

from tap_service.adql import tree
from tests.tap_service.fuzz.evaluated_names import AGGREGATES, Scope
from tests.tap_service.fuzz.evaluated_rows import Answer, Column, Row
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

Compiled = tuple[str, Callable[[Any], Any]]

_DEGREES_IN = {"arcmin": 60.0, "arcsec": 3600.0, "mas": 3.6e6, "rad": math.pi / 180}
"""What IN_UNIT multiplies degrees with."""


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


class Expressions:
    """Makes functions of the expressions in one scope."""

    def __init__(self, query: Callable[[tree.Query, Scope], Plan], scope: Scope) -> None:
        self.query = query
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
        plan = self.query(node.query, self.scope)

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
        plan = self.query(node.query, self.scope)
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
        plan = self.query(node.query, self.scope)
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
