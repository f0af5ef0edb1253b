"""Conditions on the HEALPix pixel that a source_id tells, as ranges of the source_id itself, which its index answers.

The pixel of a coarser order is the key without its lower bits, so ``pixel = n`` says that the key lies between n and n + 1 shifted up.
"""

from catalog.schema.column import ColumnType
from tap_service.adql.constants import constant
from tap_service.adql.typed_tree import Comparison, Connective, Constant, Expression, Membership, Operation, PixelOfKey
from tap_service.adql.value_types import Internal, Meaning

BETWEEN = "({0} BETWEEN {1} AND {2})"
_MOST_PIXELS = 60
"""Of a list of pixels: more ranges than that are dearer to plan than they save."""
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "="}
_CONDITION = Meaning(Internal.CONDITION)


def key_condition(condition: Expression) -> Expression | None:
    """The same condition on the key; None where there is no pixel in it or no range that says it."""
    if isinstance(condition, Comparison):
        left, operator, right = condition.left, condition.operator, condition.right
        if isinstance(right, PixelOfKey) and operator in _MIRRORED:
            left, operator, right = right, _MIRRORED[operator], left
        pixel = constant(right)
        if not isinstance(left, PixelOfKey) or not isinstance(pixel, int) or operator not in _MIRRORED:
            return None
        low = pixel + 1 if operator == ">" else pixel if operator in ("=", ">=") else None
        high = pixel if operator == "<" else pixel + 1 if operator in ("=", "<=") else None
        return _range(left, low, high)
    if isinstance(condition, Operation) and condition.template == BETWEEN and isinstance(condition.arguments[0], PixelOfKey):
        low, high = (constant(bound) for bound in condition.arguments[1:])  # type: ignore[assignment]
        return _range(condition.arguments[0], low, high + 1) if isinstance(low, int) and isinstance(high, int) else None
    if isinstance(condition, Membership) and isinstance(condition.operand, PixelOfKey) and not condition.negated:
        if len(condition.values) > _MOST_PIXELS:
            return None
        ranges = [_range(condition.operand, pixel, pixel + 1) for pixel in condition.values if isinstance(pixel, int)]
        if len(ranges) < len(condition.values) or None in ranges:
            return None
        return Connective(_CONDITION, "OR", tuple(part for part in ranges if part is not None))
    return None


def _range(pixel: PixelOfKey, low: int | None, high: int | None) -> Expression | None:
    """Keys from those of pixel ``low`` to below those of ``high``; None where a bound is no bigint."""
    parts = []
    for operator, bound in ((">=", low), ("<", high)):
        if bound is None:
            continue
        if not 0 <= bound << pixel.shift < 2**63:
            return None
        parts.append(Comparison(_CONDITION, operator, pixel.key, Constant(Meaning.of(ColumnType.BIGINT), bound << pixel.shift)))
    return parts[0] if len(parts) == 1 else Connective(_CONDITION, "AND", tuple(parts))
