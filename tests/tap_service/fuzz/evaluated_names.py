"""What names mean to the evaluator: tables and columns in their scopes; and what stands in a part of a query."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from tap_service.adql import tree
from tests.tap_service.fuzz.evaluated_rows import Row

AGGREGATES = ("COUNT", "SUM", "AVG", "MIN", "MAX")


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


def shifted(columns: tuple[Visible, ...], by: int) -> tuple[Visible, ...]:
    """The same columns in rows that have others before them."""
    return tuple(Visible(c.label, c.type, lambda row, c=c: c.value(row[by:])) for c in columns)


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
