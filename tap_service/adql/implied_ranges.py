"""What a region or a list says of one table's key, said of the keys that must equal it, where PostgreSQL would not see it.

A union of joins, such as surveys.survey_labels, takes constant conditions into its parts but no key of the other side of a join: it would
be read whole for every cone. PostgreSQL itself hands on equality with one constant only.
"""

from collections.abc import Iterator
from dataclasses import replace

from catalog.schema.column import ColumnType
from tap_service.adql.covers import Cover, find_cover, without_not
from tap_service.adql.key_ranges import BETWEEN
from tap_service.adql.sky_joins import conjunction, conjuncts
from tap_service.adql.typed_tree import (
    ColumnValue,
    Comparison,
    Connective,
    Constant,
    Expression,
    Membership,
    Operation,
    Source,
    TypedJoin,
    TypedSelect,
)
from tap_service.adql.value_types import Internal, Meaning

_CONDITION = Meaning(Internal.CONDITION)
_KEY = Meaning.of(ColumnType.BIGINT)


def with_implied_ranges(select: TypedSelect) -> TypedSelect:
    """The SELECT with what its WHERE implies for the keys of unions; the same rows."""
    where = conjuncts(select.where)
    if not any(isinstance(source, TypedJoin) for source in select.sources) and len(select.sources) < 2:
        return select
    sources = tuple(_joined(source, where) for source in select.sources)
    implied = [condition for equality in where for condition in _implied(equality, where)]
    return replace(select, sources=sources, where=conjunction([*where, *implied])) if implied else replace(select, sources=sources)


def _joined(source: Source, where: list[Expression]) -> Source:
    """A join with the implied conditions in its ON. WHERE drops every row without the first key, so it is right in outer joins too."""
    if not isinstance(source, TypedJoin):
        return source
    on = conjuncts(source.condition)
    # PostgreSQL asks of the conditions of a FULL JOIN that each compares the two sides.
    implied = [condition for equality in on for condition in _implied(equality, where)] if source.kind != "FULL" else []
    left, right = _joined(source.left, where), _joined(source.right, where)
    return replace(source, left=left, right=right, condition=conjunction([*on, *implied]))


def _implied(equality: Expression, where: list[Expression]) -> Iterator[Expression]:
    """What the conditions of WHERE say of the key of a union that must equal another column."""
    if not isinstance(equality, Comparison) or equality.operator != "=":
        return
    for known, key in ((equality.left, equality.right), (equality.right, equality.left)):
        if isinstance(known, ColumnValue) and isinstance(key, ColumnValue) and key.relation.is_union:
            for condition in where:
                asked = without_not(condition)
                if isinstance(asked, Membership) and not asked.negated and asked.operand == known:
                    yield replace(asked, operand=key)
                elif (cover := find_cover(asked)) is not None and _same(cover.key(), known):
                    yield from _ranges(cover, key)


def _same(first: ColumnValue, second: ColumnValue) -> bool:
    return first.relation == second.relation and first.name == second.name


def _ranges(cover: Cover, key: ColumnValue) -> Iterator[Expression]:
    """The ranges of a cover for another key."""
    ranges = cover.ranges()
    if not ranges:
        return
    parts: list[Expression] = [Operation(_CONDITION, BETWEEN, (key, Constant(_KEY, first), Constant(_KEY, last))) for first, last in ranges]
    if cover.sky_key.displaced:
        parts.append(Membership(_CONDITION, key, ColumnType.BIGINT, cover.sky_key.displaced, False))
    yield Connective(_CONDITION, "OR", tuple(parts))
