"""Which columns a name may mean at a place in the query: the tables of FROM, and for a subquery those of the query around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NoReturn

from tap_service.adql.errors import AdqlNameError, QueryText
from tap_service.adql.tree import Name
from tap_service.adql.typed_tree import Expression
from tap_service.names import close_names, same_name


@dataclass(frozen=True)
class VisibleColumn:
    """A column and the name that it is found by."""

    label: str
    value: Expression

    @cached_property
    def folded(self) -> str:
        """The label without case."""
        return self.label.casefold()


@dataclass(frozen=True)
class VisibleTable:
    """A table of FROM: found by its alias, or without one by its name, alone or after its schema."""

    name: str
    schema: str | None
    columns: tuple[VisibleColumn, ...]
    original: str = ""
    """What an alias stands for, for messages."""

    def matches(self, qualifier: tuple[Name, ...]) -> bool:
        """Whether a qualifier means this table."""
        if len(qualifier) == 1:
            return same_name(self.name, qualifier[0].text, qualifier[0].delimited)
        return (
            len(qualifier) == 2
            and self.schema is not None
            and same_name(self.schema, qualifier[0].text, qualifier[0].delimited)
            and same_name(self.name, qualifier[1].text, qualifier[1].delimited)
        )

    def __str__(self) -> str:
        return self.name if self.schema is None else f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Scope:
    """``columns`` are what ``*`` gives, with the columns that USING merged first; ``tables`` keep their own."""

    tables: tuple[VisibleTable, ...]
    columns: tuple[VisibleColumn, ...]
    parent: Scope | None = None
    aliases: tuple[VisibleColumn, ...] = field(default=())
    """Names of the SELECT list, which GROUP BY and ORDER BY may use where no column has the name."""

    def column(self, parts: tuple[Name, ...], source: QueryText) -> VisibleColumn:
        """The column that a name means, here or in the queries around; AdqlNameError if none or several."""
        name, qualifier = parts[-1], parts[:-1]
        scope: Scope | None = self
        while scope is not None:
            if qualifier:
                if table := scope._table(qualifier, source):
                    return _one(name, table.columns, source, f"table {table}")
            elif found := _called(name, scope._by_label.get(name.text.casefold(), ())):
                return _one(name, found, source, "FROM")
            elif found := _called(name, scope.aliases):
                return _one(name, found, source, "the SELECT list")
            scope = scope.parent
        if qualifier:
            self._no_table(qualifier, source)
        return self._no_column(name, source)

    @cached_property
    def _by_label(self) -> dict[str, list[VisibleColumn]]:
        """The columns by their labels without case."""
        found: dict[str, list[VisibleColumn]] = {}
        for column in self.columns:
            found.setdefault(column.folded, []).append(column)
        return found

    def table(self, qualifier: tuple[Name, ...], source: QueryText) -> VisibleTable:
        """The table of this scope that ``t.*`` means."""
        return self._table(qualifier, source) or self._no_table(qualifier, source)

    def _table(self, qualifier: tuple[Name, ...], source: QueryText) -> VisibleTable | None:
        found = [table for table in self.tables if table.matches(qualifier)]
        if len(found) > 1:
            written = ".".join(map(str, qualifier))
            source.fail(AdqlNameError, f"{written} may mean {' or '.join(map(str, found))}; give each an alias", qualifier[0].place)
        return found[0] if found else None

    def _no_table(self, qualifier: tuple[Name, ...], source: QueryText) -> VisibleTable:
        written = ".".join(map(str, qualifier))
        for table in self._all_tables():
            if table.original and same_name(table.original.rpartition(".")[2], qualifier[-1].text, qualifier[-1].delimited):
                source.fail(AdqlNameError, f"{written} is called {table} in this query", qualifier[0].place)
        names = [str(table) for table in self._all_tables()]
        near = close_names(written, names, 1)
        guess = f"; did you mean {near[0]}?" if near else f"; there {'is' if len(names) == 1 else 'are'} {', '.join(names)}"
        source.fail(AdqlNameError, f"there is no table {written} in FROM{guess}", qualifier[0].place)

    def _no_column(self, name: Name, source: QueryText) -> NoReturn:
        labels = {column.label: str(table) for table in self._all_tables() for column in table.columns}
        near = close_names(name.text, labels)
        guess = f"; did you mean {' or '.join(near)}?" if near else ""
        if name.delimited and not near:
            quoted = name.text.replace("'", "''")
            guess = f"; double quotes are for names, text stands in single quotes: '{quoted}'"
        elif not near:
            guess = "; TAP_SCHEMA.columns lists what there is"
        where = " and ".join(str(table) for table in self.tables) or "FROM"
        source.fail(AdqlNameError, f"there is no column {name} in {where}{guess}", name.place)

    def _all_tables(self) -> list[VisibleTable]:
        tables: list[VisibleTable] = []
        scope: Scope | None = self
        while scope is not None:
            tables.extend(scope.tables)
            scope = scope.parent
        return tables


def _called(name: Name, columns: Iterable[VisibleColumn]) -> list[VisibleColumn]:
    """The columns that a name may mean."""
    if name.delimited:
        return [column for column in columns if column.label == name.text]
    folded = name.text.casefold()
    return [column for column in columns if column.folded == folded]


def _one(name: Name, columns: Sequence[VisibleColumn], source: QueryText, where: str) -> VisibleColumn:
    """The only column of that name."""
    found = _called(name, columns)
    if not found:
        near = close_names(name.text, (column.label for column in columns))
        guess = f"; did you mean {' or '.join(near)}?" if near else ""
        source.fail(AdqlNameError, f"there is no column {name} in {where}{guess}", name.place)
    if len(found) > 1:
        exact = [column for column in found if column.label == name.text]
        if len({column.label for column in found}) > 1 and len(exact) == 1:
            return exact[0]
        source.fail(AdqlNameError, f"{name} is in {where} more than once; write it with its table: t.{name}", name.place)
    return found[0]
