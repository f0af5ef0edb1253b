"""What single values come to, in plain Python: types, arithmetic, comparisons, casts and functions as SQL-92 and ADQL 2.1 have them.

Types are ``smallint integer bigint real double text boolean timestamp null condition``. NULL is None; a REAL is a float that float32
holds. Where PostgreSQL may refuse to compute (overflow, division by zero, a text that is no number), ComputeError is raised.
"""

import math
import re
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import Any

import numpy as np

Function = Callable[..., Any]

WHOLE = ("smallint", "integer", "bigint")
NUMBERS = (*WHOLE, "real", "double")
_BITS = {"smallint": 15, "integer": 31, "bigint": 63}


class ComputeError(Exception):
    """A value that cannot be computed; the database may find so too, or may have no need of the value."""


# -- types


def common_type(first: str, second: str) -> str:
    """The type of a value that may be of either type; a REAL beside any other number becomes DOUBLE."""
    if first == second or second == "null":
        return first
    if first == "null":
        return second
    if first in WHOLE and second in WHOLE:
        return max(first, second, key=WHOLE.index)
    if first in NUMBERS and second in NUMBERS:
        return "double"
    raise ComputeError(f"{first} and {second} have no type in common")


def in_range(value: int, type_: str) -> int:
    """A whole number that its type holds."""
    if -(1 << _BITS[type_]) <= value < 1 << _BITS[type_]:
        return value
    raise ComputeError(f"{value} is out of the range of {type_}")


def real(value: float) -> float:
    """A number rounded to float32."""
    if not math.isfinite(value):
        return value
    try:
        rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        raise ComputeError("overflow of a REAL") from None
    if rounded == 0 and value != 0:
        raise ComputeError("underflow of a REAL")
    return rounded


def converted(given: str, type_: str) -> Function | None:
    """How a value of a type becomes one of a wider type; None if it stays what it is."""
    if given in WHOLE and type_ == "double":
        return float
    return None


# -- arithmetic


def arithmetic(operator: str, left: str, right: str) -> tuple[str, Function]:
    """The type of ``left operator right`` and how two values that are not NULL are computed."""
    type_ = common_type(left, right)
    if type_ == "null":
        type_ = "double"
    if type_ in WHOLE:
        return type_, lambda a, b: in_range(_whole(operator, a, b), type_)
    if type_ == "real":
        return type_, lambda a, b: _checked(real(_float(operator, a, b)), operator, a, b)
    return type_, lambda a, b: _checked(_float(operator, float(a), float(b)), operator, a, b)


def _whole(operator: str, a: int, b: int) -> int:
    if operator == "+":
        return a + b
    if operator == "-":
        return a - b
    if operator == "*":
        return a * b
    if b == 0:
        raise ComputeError("division by zero")
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)  # towards zero
    return quotient if operator == "/" else a - b * quotient


def _float(operator: str, a: float, b: float) -> float:
    if operator == "+":
        return a + b
    if operator == "-":
        return a - b
    if operator == "*":
        return a * b
    if b == 0:
        if math.isnan(a):
            return a
        raise ComputeError("division by zero")
    return a / b


def _checked(result: float, operator: str, a: float, b: float) -> float:
    if math.isinf(result) and not math.isinf(a) and not math.isinf(b):
        raise ComputeError("overflow")
    if result == 0 and operator in "*/" and a != 0 and (b != 0 if operator == "*" else not math.isinf(b)):
        raise ComputeError("underflow")
    return result


def modulo(left: str, right: str) -> tuple[str, Function]:
    """MOD(x, y): the remainder with the sign of x, of decimal numbers where one is not whole."""
    type_ = common_type(left, right)
    if left in WHOLE and right in WHOLE:
        return type_, lambda a, b: in_range(_whole("%", a, b), type_)
    return "double", _decimal_modulo


def _decimal_modulo(a: float, b: float) -> float:
    if math.isnan(a) or math.isnan(b):
        return math.nan
    if b == 0 or math.isinf(a):
        raise ComputeError("division by zero")
    return float(a) if math.isinf(b) else float(_WIDE.remainder(_decimal(a), _decimal(b))) + 0.0  # decimals have no -0


_WIDE = Context(prec=700)


def _decimal(value: float) -> Decimal:
    """A double as the shortest decimal number that gives it again, which is what people take it for."""
    return Decimal(repr(float(value)))


# -- comparison


def order(type_: str) -> Function | None:
    """A value's place in the order of its type, for values that are not NULL; None where Python's own order serves.

    NaN equals NaN and lies above all numbers; texts are in the order of their UTF-8 bytes (the collation C).
    """
    if type_ in ("real", "double"):
        return lambda value: (1, 0.0) if value != value else (0, value)
    if type_ == "text":
        return str.encode
    return None


def compared(left: str, right: str) -> Function:
    """-1, 0 or 1 for two values that are not NULL."""
    if left in NUMBERS and right in NUMBERS and not (left in WHOLE and right in WHOLE):
        return _compared_floats
    if left == "text":
        return lambda a, b: 0 if a == b else -1 if a.encode() < b.encode() else 1
    return lambda a, b: 0 if a == b else -1 if a < b else 1


def _compared_floats(a: float, b: float) -> int:
    a, b = float(a), float(b)
    if a == b:
        return 0
    if a < b:
        return -1
    if a > b:
        return 1
    return 0 if a != a and b != b else 1 if a != a else -1


COMPARISONS: dict[str, Callable[[int], bool]] = {
    "=": lambda sign: sign == 0,
    "<>": lambda sign: sign != 0,
    "<": lambda sign: sign < 0,
    ">": lambda sign: sign > 0,
    "<=": lambda sign: sign <= 0,
    ">=": lambda sign: sign >= 0,
}


def like(text: str, pattern: str, any_case: bool) -> bool:
    """LIKE: ``%`` any characters, ``_`` one; no character escapes another. ILIKE folds ASCII letters."""
    if any_case:
        text, pattern = lower(text), lower(pattern)
    made = "".join({"%": ".*", "_": "."}.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(made, text, re.DOTALL) is not None


def lower(text: str) -> str:
    """The text with ASCII letters in lower case."""
    return text.encode().lower().decode()


def upper(text: str) -> str:
    """The text with ASCII letters in upper case."""
    return text.encode().upper().decode()


# -- casts

_INTEGER = re.compile(r"[ \t\n\r\f\v]*[+-]?\d+[ \t\n\r\f\v]*", re.ASCII)
_DECIMAL = re.compile(r"[ \t\n\r\f\v]*[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|inf|infinity)[ \t\n\r\f\v]*", re.ASCII | re.IGNORECASE)


def cast(given: str, type_: str, length: int | None = None, padded: bool = False) -> Function:
    """How a value of one type that is not NULL becomes one of another; text of a length is cut to it, and filled up with blanks for CHAR."""
    if type_ == "text":
        text = {
            "real": lambda value: float_text(value, True),
            "double": lambda value: float_text(value, False),
            "boolean": lambda value: "true" if value else "false",
            "timestamp": lambda value: value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f"),
        }.get(given, str)
        if length is None:
            return text
        return (lambda value: text(value)[:length].ljust(length)) if padded else (lambda value: text(value)[:length])
    if type_ in WHOLE:
        return _to_whole(given, type_)
    if type_ == "timestamp":
        return (lambda value: value) if given == "timestamp" else _timestamp
    if type_ == "real":
        return lambda value: _real_of(_parsed_float(value) if given == "text" else value)
    if type_ == "double":
        return _parsed_float if given == "text" else float
    return lambda value: value


def _real_of(value: float) -> float:
    return float(np.float32(np.int64(value))) if isinstance(value, int) else real(value)


def _to_whole(given: str, type_: str) -> Function:
    def from_text(value: str) -> int:
        if not _INTEGER.fullmatch(value):
            raise ComputeError(f"{value!r} is no whole number")
        return in_range(int(value), type_)

    def from_float(value: float) -> int:
        if not math.isfinite(value):
            raise ComputeError(f"{value} is no whole number")
        return in_range(round(Fraction(value)), type_)  # halves to even

    if given == "text":
        return from_text
    return from_float if given in ("real", "double") else lambda value: in_range(int(value), type_)


def _parsed_float(value: str) -> float:
    if not _DECIMAL.fullmatch(value):
        raise ComputeError(f"{value!r} is no number")
    number = float(value)
    if (math.isinf(number) and "inf" not in value.lower()) or (number == 0 and re.search("[1-9]", value.lower().partition("e")[0])):
        raise ComputeError(f"{value} is out of range")
    return number


def _timestamp(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError as error:
        raise ComputeError(str(error)) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def float_text(value: float, single: bool) -> str:
    """The shortest digits that give the number again, with an exponent from 1e15 (REAL: 1e6) and below 1e-4."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    sign = "-" if math.copysign(1, value) < 0 else ""
    mantissa, _, exponent = np.format_float_scientific(np.float32(abs(value)) if single else abs(value), trim="-").partition("e")
    digits, power = mantissa.replace(".", ""), int(exponent)
    if not -4 <= power < (6 if single else 15):
        return f"{sign}{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}e{'-' if power < 0 else '+'}{abs(power):02d}"
    if power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{digits}"
    digits = digits.ljust(power + 1, "0")
    return f"{sign}{digits[: power + 1]}{'.' if digits[power + 1 :] else ''}{digits[power + 1 :]}"


# -- functions of doubles


def _guarded(function: Function) -> Function:
    """A function of Python's math whose complaints are ComputeErrors, and whose underflow is one."""

    def compute(*values: float) -> float:
        try:
            result: float = function(*map(float, values))
        except (ValueError, OverflowError, ZeroDivisionError) as error:
            raise ComputeError(str(error)) from None
        return result

    return compute


def _rounded(mode: str) -> Function:
    def compute(value: float, digits: int | None = None) -> float:
        value = float(value)
        if not math.isfinite(value):
            return value
        if digits is None:
            return float(Decimal(value).quantize(Decimal(1), mode, _WIDE)) + 0.0
        return float(_decimal(value).quantize(Decimal(1).scaleb(-digits), mode, _WIDE)) + 0.0  # decimals have no -0

    return compute


def _power(base: float, exponent: float) -> float:
    result = math.pow(base, exponent)
    if result == 0 and base != 0 and math.isfinite(base) and math.isfinite(exponent):
        raise ComputeError("underflow")
    return result


def _exp(value: float) -> float:
    result = math.exp(value)
    if result == 0 and not math.isinf(value):
        raise ComputeError("underflow")
    return result


def _cot(value: float) -> float:
    tangent = math.tan(value)
    return math.copysign(math.inf, tangent) if tangent == 0 else 1 / tangent


DOUBLE_FUNCTIONS: dict[str, Function] = {
    "CEILING": _guarded(lambda x: float(np.ceil(x))),
    "FLOOR": _guarded(lambda x: float(np.floor(x))),
    "DEGREES": _guarded(math.degrees),
    "RADIANS": _guarded(math.radians),
    "EXP": _guarded(_exp),
    "LOG": _guarded(math.log),
    "LOG10": _guarded(math.log10),
    "POWER": _guarded(_power),
    "SQRT": _guarded(math.sqrt),
    "PI": lambda: math.pi,
    "ROUND": _rounded(ROUND_HALF_UP),
    "TRUNCATE": _rounded(ROUND_DOWN),
    "ACOS": _guarded(math.acos),
    "ASIN": _guarded(math.asin),
    "ATAN": _guarded(math.atan),
    "ATAN2": _guarded(math.atan2),
    "COS": _guarded(math.cos),
    "COT": _guarded(_cot),
    "SIN": _guarded(math.sin),
    "TAN": _guarded(math.tan),
}
"""Functions that take numbers, read as doubles, and give a double."""
