"""Values of one type read as another: what PostgreSQL is told to cast, and constants that are simply written in the other type."""

from dataclasses import replace
from datetime import UTC, datetime

from catalog.schema.column import ColumnType
from tap_service.adql.errors import AdqlTypeError, QueryText
from tap_service.adql.typed_tree import Constant, Expression, Operation
from tap_service.adql.value_types import INTEGERS, NUMBERS, REGIONS, Internal, Meaning, ValueType, common_type, in_words

_TRUTH = {"true": True, "t": True, "1": True, "yes": True, "false": False, "f": False, "0": False, "no": False}


def converted(value: Expression, type_: ColumnType) -> Expression:
    """The value in another type, with its unit and description; the caller knows that the types go together."""
    if value.meaning.type is type_:
        return value
    plain = Meaning.of(type_)
    meaning = replace(value.meaning, type=type_, arraysize=plain.arraysize, xtype=plain.xtype, datatype=None)
    if isinstance(value, Constant) and value.value is None:
        return Constant(meaning, None, place=value.place)
    if isinstance(value, Constant) and type_ is ColumnType.DOUBLE and isinstance(value.value, int | float):
        return Constant(meaning, float(value.value), place=value.place)
    return Operation(meaning, f"CAST({{0}} AS {type_.postgres})", (value,), place=value.place)


def as_double(value: Expression, source: QueryText, what: str) -> Expression:
    """A number as double precision; AdqlTypeError if it is none. ``what`` names the value in the message."""
    require(value, (*NUMBERS, Internal.NULL), "a number", source, what)
    return converted(value, ColumnType.DOUBLE)


def require(value: Expression, types: tuple[ValueType, ...], wanted: str, source: QueryText, what: str) -> None:
    """AdqlTypeError unless the value has one of the types."""
    if value.meaning.type not in types:
        source.fail(AdqlTypeError, f"{what} must be {wanted}, but this is {in_words(value.meaning.type)}", value.place)


def in_one_type(values: tuple[Expression, ...], source: QueryText, what: str) -> tuple[Expression, ...]:
    """All values in the type that they have in common; NULLs take it too. ``what`` names them in the message."""
    type_: ValueType = Internal.NULL
    for value in values:
        together = common_type(type_, value.meaning.type)
        if together is None:
            message = f"{what} must have one type, but here {in_words(type_)} stands beside {in_words(value.meaning.type)}"
            source.fail(AdqlTypeError, message, value.place)
        type_ = together
    if not isinstance(type_, ColumnType):
        if type_ is not Internal.NULL:
            source.fail(AdqlTypeError, f"{what} must be values, but this is {in_words(type_)}", values[0].place)
        type_ = ColumnType.TEXT
    return tuple(converted(value, type_) for value in values)


def comparable(left: Expression, right: Expression, source: QueryText, place: int) -> tuple[Expression, Expression]:
    """Both sides of a comparison in types that PostgreSQL compares; numbers of different types stay as they are, so that indexes serve.

    A text constant beside a timestamp or boolean, and 0 or 1 beside a boolean, is read as one.
    """
    left, right = _read_as(left, right, source), _read_as(right, left, source)
    first, second = left.meaning.type, right.meaning.type
    for side in (left, right):
        if side.meaning.type in REGIONS:
            message = f"{in_words(side.meaning.type)} is compared by CONTAINS, INTERSECTS or DISTANCE"
            source.fail(AdqlTypeError, message, side.place)
    if (first in NUMBERS and second in NUMBERS) or Internal.NULL in (first, second):
        return left, right
    if first is not second or not isinstance(first, ColumnType):
        hint = ""
        if ColumnType.TEXT in (first, second) and (first in NUMBERS or second in NUMBERS):
            hint = "; write numbers without quotes, or CAST one side"
        source.fail(AdqlTypeError, f"{in_words(first)} cannot be compared with {in_words(second)}{hint}", place)
    return left, right


def _read_as(value: Expression, other: Expression, source: QueryText) -> Expression:
    """A constant read in the type of what it is compared with."""
    if not isinstance(value, Constant) or value.value is None:
        return value
    if other.meaning.type is ColumnType.TIMESTAMP and value.meaning.type is ColumnType.TEXT:
        return timestamp(value, source)
    if other.meaning.type is ColumnType.BOOLEAN and value.meaning.type in (ColumnType.TEXT, *INTEGERS):
        truth = _TRUTH.get(str(value.value).strip().lower())
        if truth is None:
            source.fail(AdqlTypeError, f"{value.value!r} is no boolean; write 'true' or 'false'", value.place)
        return Constant(Meaning.of(ColumnType.BOOLEAN), truth, place=value.place)
    return value


def timestamp(value: Constant, source: QueryText) -> Constant:
    """A text constant as a timestamp: DALI 1.1 section 3.3.3, UTC where no zone is written."""
    try:
        moment = datetime.fromisoformat(str(value.value).strip())
    except ValueError:
        source.fail(AdqlTypeError, f"{value.value!r} is no timestamp; write YYYY-MM-DD or YYYY-MM-DDThh:mm:ss", value.place)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return Constant(Meaning.of(ColumnType.TIMESTAMP), moment.isoformat(), place=value.place)
