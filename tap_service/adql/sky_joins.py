"""Joins on position: a relation whose rows are found by their place is looked up for each row of the others, by ranges of its key.

PostgreSQL would test every pair of rows. Here the relations of inner joins are put in a new order, so that the few rows come first (an
upload, a relation within a constant cone or a list of identifiers), and each relation with a position that a condition ties to those
before it becomes a lookup: ranges that cover the disc around the place (functions.sky_cover), then the condition itself. LEFT and RIGHT
joins become lookups where the side that may be missing is the one to look up. What fits no lookup stays as it is written.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

from catalog.schema.column import ColumnType
from tap_service.adql.constants import constant
from tap_service.adql.covers import MIRRORED, find_cover, without_not
from tap_service.adql.geometry import is_position
from tap_service.adql.grouping import is_grouped, relations
from tap_service.adql.typed_tree import (
    Arithmetic,
    Cap,
    ColumnValue,
    CommonTableUse,
    Comparison,
    Connective,
    Constant,
    Expression,
    Membership,
    Overlap,
    Separation,
    SkyJoin,
    Source,
    StoredTable,
    SubqueryTable,
    TypedJoin,
    TypedSelect,
    every_column,
)
from tap_service.adql.value_types import Internal, Meaning
from tap_service.table_set import STORED_UPLOADS

_CONDITION = Meaning(Internal.CONDITION)
_DOUBLE = Meaning.of(ColumnType.DOUBLE)
_Found = StoredTable | SubqueryTable | CommonTableUse


@dataclass(frozen=True)
class _Tie:
    """A condition that rows of ``found`` lie within ``reach`` of a place that the relations ``needs`` give."""

    found: str
    lon: Expression
    lat: Expression
    reach: Expression
    near: Expression
    needs: frozenset[str]


def with_lookups(select: TypedSelect) -> TypedSelect:
    """The SELECT with its joins on position as lookups."""
    where = conjuncts(select.where)
    own = frozenset(relation.alias for source in select.sources for relation in relations(source))
    sources, left_over = _Arrangement(own).arranged(select.sources, where)
    if sources == select.sources:
        return select
    return replace(select, sources=sources, where=conjunction(left_over))


def conjuncts(condition: Expression | None) -> list[Expression]:
    """The conditions that AND joins."""
    if condition is None:
        return []
    if isinstance(condition, Connective) and condition.operator == "AND":
        return [part for operand in condition.operands for part in conjuncts(operand)]
    return [condition]


def conjunction(conditions: Sequence[Expression]) -> Expression | None:
    """The conditions joined by AND; None for none."""
    if len(conditions) < 2:
        return conditions[0] if conditions else None
    return Connective(_CONDITION, "AND", tuple(conditions))


class _Arrangement:
    """Puts the sources of one SELECT, whose relations are ``own``, in an order with lookups."""

    def __init__(self, own: frozenset[str]) -> None:
        self.own = own

    def arranged(self, sources: tuple[Source, ...], where: list[Expression]) -> tuple[tuple[Source, ...], list[Expression]]:
        """The sources, and what is left of WHERE; both as they were where there is nothing to look up."""
        inner: list[Source] = []
        on: list[Expression] = []
        for source in sources:
            self._flatten(source, inner, on)
        findable = {leaf.relation.alias: leaf for leaf in inner if _is_findable(leaf)}
        ties = [tie for condition in (*on, *where) for tie in _ties(condition, findable)]
        if not any(self._order(inner, on, where, ties)[1]):
            return tuple(self._outer(source) for source in sources), where
        return self._chain(inner, on, where, ties)

    def _flatten(self, source: Source, inner: list[Source], on: list[Expression]) -> None:
        """The sources that inner joins put together, and their conditions."""
        if isinstance(source, TypedJoin) and source.kind == "INNER":
            self._flatten(source.left, inner, on)
            self._flatten(source.right, inner, on)
            on += conjuncts(source.condition)
        else:
            inner.append(source)

    def _outer(self, source: Source) -> Source:
        """A source with lookups in the outer joins within it."""
        if not isinstance(source, TypedJoin):
            return source
        if source.kind == "INNER":
            return replace(source, left=self._outer(source.left), right=self._outer(source.right))
        left, right = (self._one(side) for side in (source.left, source.right))
        given, wanted = (right, left) if source.kind == "RIGHT" else (left, right)
        if source.kind != "FULL" and _is_findable(wanted):
            there = {relation.alias for relation in relations(given)}
            conditions = conjuncts(source.condition)
            for condition in conditions:
                for tie in _ties(condition, {wanted.relation.alias: wanted}):
                    if tie.needs & self.own and tie.needs & self.own <= there:
                        return _lookup("LEFT", given, wanted, tie, [other for other in conditions if other is not condition])
        return replace(source, left=left, right=right)

    def _one(self, source: Source) -> Source:
        """The same for one side of an outer join, which no condition from outside may change."""
        (arranged, *more), left_over = self.arranged((source,), [])
        assert not more and not left_over
        return arranged

    def _order(
        self, inner: list[Source], on: list[Expression], where: list[Expression], ties: list[_Tie]
    ) -> tuple[list[Source], list[_Tie | None]]:
        """The sources in the order in which they are joined, each with the tie that it is looked up by, or None."""
        conditions = [_aliases(condition) & self.own for condition in (*on, *where)]
        limited = {alias for condition in (*on, *where) for alias in _limited(condition)}
        remaining = [(_aliases_of(source), source) for source in inner]
        placed: set[str] = set()
        order: list[Source] = []
        by: list[_Tie | None] = []

        def next_step() -> tuple[int, _Tie | None]:
            for number, (aliases, _) in enumerate(remaining):
                for tie in ties:
                    # What depends on the query around alone is ready from the start.
                    if aliases == {tie.found} and tie.needs & self.own <= placed:
                        return number, tie
            for number, (aliases, _) in enumerate(remaining):
                if placed and any(aliases & names and names <= placed | aliases for names in conditions if names & placed):
                    return number, None
            weights = [_weight(source, aliases & limited) for aliases, source in remaining]
            return weights.index(min(weights)), None

        while remaining:
            number, tie = next_step()
            aliases, source = remaining.pop(number)
            placed |= aliases
            order.append(source)
            by.append(tie)
        return order, by

    def _chain(
        self, inner: list[Source], on: list[Expression], where: list[Expression], ties: list[_Tie]
    ) -> tuple[tuple[Source, ...], list[Expression]]:
        """The sources joined one after the other, and what is left of WHERE."""
        order, by = self._order(inner, on, where, ties)
        used = [tie.near for tie in by if tie is not None]
        left_on = [condition for condition in on if not any(condition is near for near in used)]
        left_over = [condition for condition in where if not any(condition is near for near in used)]
        chain: Source | None = None
        placed: set[str] = set()
        for source, tie in zip(order, by, strict=True):
            placed |= _aliases_of(source)
            ready = [condition for condition in left_on if _aliases(condition) & self.own <= placed]
            if chain is not None:
                left_on = [condition for condition in left_on if not any(condition is one for one in ready)]
            if tie is not None:
                assert isinstance(source, _Found)
                chain = _lookup("INNER", chain, source, tie, ready if chain is not None else [])
            elif chain is None:
                chain = self._outer(source)
            else:
                chain = TypedJoin("INNER", chain, self._outer(source), conjunction(ready))
        assert chain is not None
        return (chain,), [*left_on, *left_over]


def _is_findable(source: Source) -> TypeGuard[_Found]:
    """Whether rows of a source can be looked up by their key: of a table, or of a query that only picks and filters."""
    if not isinstance(source, _Found) or source.relation.sky_key is None:
        return False
    if isinstance(source, StoredTable):
        return True
    query = source.query
    if not isinstance(query.body, TypedSelect) or query.order_by or query.offset or query.common_tables:
        return False
    return query.body.top is None and not query.body.distinct and not is_grouped(query.body)


def _lookup(kind: str, left: Source | None, found: _Found, tie: _Tie, others: list[Expression]) -> SkyJoin:
    return SkyJoin(kind, left, found, tie.lon, tie.lat, tie.reach, tie.near, conjunction(others))


def _aliases(part: object) -> frozenset[str]:
    return frozenset(column.relation.alias for column in every_column(part))


def _aliases_of(source: Source) -> set[str]:
    return {relation.alias for relation in relations(source)}


def _weight(source: Source, limited: set[str]) -> int:
    """What comes first: the fewer rows, as far as the query tells."""
    if limited:
        return 0
    if isinstance(source, StoredTable):
        return 1 if source.schema == STORED_UPLOADS else 3
    return 2


def _limited(condition: Expression) -> Iterator[str]:
    """The relation that a condition confines to a constant region or to constant identifiers."""
    cover = find_cover(without_not(condition))
    if cover is not None:
        yield cover.lon.relation.alias
    elif isinstance(condition, Membership) and not condition.negated and _is_key(condition.operand):
        yield from _aliases(condition.operand)
    elif isinstance(condition, Comparison) and condition.operator == "=":
        for side, other in ((condition.left, condition.right), (condition.right, condition.left)):
            if _is_key(side) and isinstance(other, Constant):
                yield from _aliases(side)


def _is_key(value: Expression) -> bool:
    return isinstance(value, ColumnValue) and value.relation.sky_key is not None and value.name == value.relation.sky_key.position.key


def _ties(condition: Expression, findable: Mapping[str, Source]) -> Iterator[_Tie]:
    """The ways to read a condition as: rows of a findable relation lie near a place of others."""
    asked = without_not(condition)
    if isinstance(asked, Comparison):
        operator, left, right = asked.operator, asked.left, asked.right
        if isinstance(right, Overlap | Separation):
            operator, left, right = MIRRORED[operator], right, left
        if isinstance(left, Separation) and operator in ("<", "<=", "="):
            yield from _near(condition, left.first, left.second, right, findable)
        elif isinstance(left, Overlap) and operator == "=" and constant(right) == 1:
            first, second = left.first, left.second
            if isinstance(first, Cap) and isinstance(second, Cap):
                yield from _near(condition, first, second, _reach(first, second, left.whole), findable)


def _near(condition: Expression, first: Cap, second: Cap, reach: Expression, findable: Mapping[str, Source]) -> Iterator[_Tie]:
    for place, centre in ((first, second), (second, first)):
        if not is_position(place):
            continue
        (found,) = _aliases(place.lon)
        needs = _aliases((centre.lon, centre.lat, reach))
        if found in findable and needs and found not in needs:
            yield _Tie(found, centre.lon, centre.lat, reach, condition, needs)


def _reach(first: Cap, second: Cap, whole: bool) -> Expression:
    """Degrees within which the centres of two caps lie where the first lies within the second, as a whole or at all."""
    inner, outer = first.radius, second.radius
    if whole or inner is None:
        return outer or Constant(_DOUBLE, 0.0)
    return Arithmetic(_DOUBLE, "+", inner, outer) if outer is not None else inner
