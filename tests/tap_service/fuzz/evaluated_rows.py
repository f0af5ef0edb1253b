"""Rows of the evaluator: put in order, cut, grouped, united; which of them an answer leaves open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tap_service.adql import tree
from tests.tap_service.fuzz.scalar_values import order

Row = tuple[Any, ...]


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


def marked(row: Row) -> Row:
    """A row by which equal rows are found: NaN equals NaN."""
    return tuple("NaN" if value != value else value for value in row)


def combined(operator: str, every: bool, left: list[Row], right: list[Row]) -> list[Row]:
    example: dict[Row, Row] = {}
    counts = []
    for rows in (left, right):
        counted: Counter[Row] = Counter()
        for row in rows:
            key = marked(row)
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


def groups(envs: list[Any], group_by: list[tuple[str, Callable[[Any], Any]]], outer: Any, width: int) -> list[Any]:
    """An environment for each group: one of its rows, and all of them."""
    if not group_by:
        rows = [env[0] for env in envs]
        return [(rows[0] if rows else (None,) * width, outer, rows)]
    groups: dict[Row, list[Row]] = {}
    for env in envs:
        key = tuple("NaN" if (found := value(env)) != found else found for _, value in group_by)
        groups.setdefault(key, []).append(env[0])
    return [(rows[0], outer, rows) for rows in groups.values()]


def in_order(
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
