"""What an expression of literals comes to, so that a place or a radius written as a sum is known before the query runs."""

import math

from tap_service.adql.typed_tree import Arithmetic, Constant, Expression, Negative, Operation
from tap_service.adql.value_types import INTEGERS


def constant(value: Expression) -> float | int | None:
    """The number that an expression of literals gives, by PostgreSQL's rules (whole numbers divide to whole numbers); None for any other."""
    if isinstance(value, Constant):
        return value.value if isinstance(value.value, int | float) and not isinstance(value.value, bool) else None
    if isinstance(value, Negative):
        number = constant(value.operand)
        return None if number is None else -number
    if isinstance(value, Operation) and value.template == "CAST({0} AS double precision)":
        number = constant(value.arguments[0])
        return None if number is None else float(number)
    if not isinstance(value, Arithmetic):
        return None
    left, right = constant(value.left), constant(value.right)
    if left is None or right is None:
        return None
    if value.operator == "/":
        if right == 0:
            return None
        if value.meaning.type in INTEGERS:
            return abs(int(left)) // abs(int(right)) * (1 if (left < 0) == (right < 0) else -1)
        return _finite(left / right)
    return _finite({"+": left + right, "-": left - right, "*": left * right}[value.operator]) if value.operator in "+-*" else None


def _finite(number: float | int) -> float | int | None:
    """The number if a double can hold it."""
    try:
        return number if math.isfinite(number) else None
    except OverflowError:  # a whole number beyond 1.8e308
        return None
