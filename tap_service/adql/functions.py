"""Every function of the language that is not geometry: what it takes, what it gives, and its SQL (ADQL 2.1 sections 2.3 and 4).

A template's ``{0}`` is the first argument. Arguments declared DOUBLE are cast, so PostgreSQL never picks a numeric variant.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import NoReturn

from catalog.schema.column import ColumnType
from tap_service.adql.conversions import as_double, converted, in_one_type, require
from tap_service.adql.errors import AdqlNameError, AdqlTypeError, QueryText
from tap_service.adql.substitutes import instead
from tap_service.adql.typed_tree import Aggregate, Constant, Expression, Operation
from tap_service.adql.units import conversion_factor
from tap_service.adql.value_types import INTEGERS, NUMBERS, ORDERED, Internal, Meaning, common_arraysize, common_datatype, common_type
from tap_service.names import close_names

_SMALLINT, _BIGINT, _REAL, _DOUBLE, _TEXT = (
    ColumnType.SMALLINT,
    ColumnType.BIGINT,
    ColumnType.REAL,
    ColumnType.DOUBLE,
    ColumnType.TEXT,
)

Values = tuple[Expression, ...]


class Takes(Enum):
    """What a parameter takes."""

    DOUBLE = "a number"
    NUMBER = "a number "
    INTEGER = "a whole number"
    BIGINT = "a whole number "
    TEXT = "text"
    ORDERED = "a number, text or a timestamp"
    ANYTHING = "a value"


@dataclass(frozen=True)
class Function:
    """A function: parameters (the last ``optional`` may be left out), the meaning of its result, and a template for each count of arguments."""

    parameters: tuple[Takes, ...]
    result: Callable[[Values], Meaning]
    templates: tuple[str, ...]
    aggregate: bool = False

    def template(self, arguments: Values) -> str:
        """The SQL for these arguments."""
        return self.templates[len(arguments) - (len(self.parameters) - len(self.templates) + 1)]

    def counts(self) -> range:
        """How many arguments it takes."""
        return range(len(self.parameters) - len(self.templates) + 1, len(self.parameters) + 1)


def _double(unit: str | None = None) -> Callable[[Values], Meaning]:
    return lambda values: Meaning.of(_DOUBLE, unit)


def _as_given(values: Values) -> Meaning:
    return replace(values[0].meaning, ucd=None, utype=None, description=None)


def _double_in_unit(values: Values) -> Meaning:
    return Meaning.of(_DOUBLE, values[0].meaning.unit)


_STATISTICS = {"mean": "Mean", "min": "Minimum", "max": "Maximum", "": "Sum"}


def _statistic(name: str, type_of: Callable[[Values], ColumnType] | None = None) -> Callable[[Values], Meaning]:
    """A statistic of a column: its unit, its UCD with the statistic's word behind, and no longer the main one."""

    def meaning(values: Values) -> Meaning:
        of = values[0].meaning
        words = [word for word in (of.ucd or "").split(";") if word and word != "meta.main"]
        ucd = ";".join((*words, f"stat.{name}")) if words and name else ";".join(words) or None
        plain = Meaning.of(type_of(values)) if type_of else of
        description = of.description and f"{_STATISTICS[name]} of: {of.description}"
        return Meaning(plain.type, plain.arraysize, plain.xtype, of.unit, ucd, None, description, datatype=plain.datatype)

    return meaning


def _sum_type(values: Values) -> ColumnType:
    return _BIGINT if values[0].meaning.type in INTEGERS else _DOUBLE


_EXACTLY = "CAST(CAST({} AS text) AS numeric)"
"""A double as the decimal number that it is written as; a direct cast to numeric keeps 15 digits only."""

_OF_DOUBLE = (Takes.DOUBLE,)
_TWO_DOUBLES = (Takes.DOUBLE, Takes.DOUBLE)

FUNCTIONS: dict[str, Function] = {
    # mathematics
    "ABS": Function((Takes.NUMBER,), _as_given, ("abs({0})",)),
    "CEILING": Function(_OF_DOUBLE, _double_in_unit, ("ceil({0})",)),
    "FLOOR": Function(_OF_DOUBLE, _double_in_unit, ("floor({0})",)),
    "DEGREES": Function(_OF_DOUBLE, _double("deg"), ("degrees({0})",)),
    "RADIANS": Function(_OF_DOUBLE, _double("rad"), ("radians({0})",)),
    "EXP": Function(_OF_DOUBLE, _double(), ("exp({0})",)),
    "LOG": Function(_OF_DOUBLE, _double(), ("ln({0})",)),
    "LOG10": Function(_OF_DOUBLE, _double(), ("log({0})",)),
    "POWER": Function(_TWO_DOUBLES, _double(), ("power({0}, {1})",)),
    "SQRT": Function(_OF_DOUBLE, _double(), ("sqrt({0})",)),
    "PI": Function((), _double(), ("pi()",)),
    "RAND": Function((Takes.BIGINT,), _double(), ("random()", "functions.random_of({0})")),
    "ROUND": Function(
        (Takes.DOUBLE, Takes.INTEGER),
        _double_in_unit,
        ("functions.rounded({0})", f"CAST(round({_EXACTLY.format('{0}')}, {{1}}) AS double precision)"),
    ),
    "TRUNCATE": Function(
        (Takes.DOUBLE, Takes.INTEGER),
        _double_in_unit,
        ("trunc({0})", f"CAST(trunc({_EXACTLY.format('{0}')}, {{1}}) AS double precision)"),
    ),
    # trigonometry, in radians
    "ACOS": Function(_OF_DOUBLE, _double("rad"), ("acos({0})",)),
    "ASIN": Function(_OF_DOUBLE, _double("rad"), ("asin({0})",)),
    "ATAN": Function(_OF_DOUBLE, _double("rad"), ("atan({0})",)),
    "ATAN2": Function(_TWO_DOUBLES, _double("rad"), ("atan2({0}, {1})",)),
    "COS": Function(_OF_DOUBLE, _double(), ("cos({0})",)),
    "COT": Function(_OF_DOUBLE, _double(), ("cot({0})",)),
    "SIN": Function(_OF_DOUBLE, _double(), ("sin({0})",)),
    "TAN": Function(_OF_DOUBLE, _double(), ("tan({0})",)),
    # text
    "LOWER": Function((Takes.TEXT,), _as_given, ("lower({0})",)),
    "UPPER": Function((Takes.TEXT,), _as_given, ("upper({0})",)),
    # aggregates
    "COUNT": Function((Takes.ANYTHING,), lambda values: Meaning.of(_BIGINT, None, "meta.number"), ("count({0})",), True),
    "AVG": Function(_OF_DOUBLE, _statistic("mean", lambda values: _DOUBLE), ("avg({0})",), True),
    "SUM": Function((Takes.NUMBER,), _statistic("", _sum_type), ("sum({0})",), True),
    "MIN": Function((Takes.ORDERED,), _statistic("min"), ("min({0})",), True),
    "MAX": Function((Takes.ORDERED,), _statistic("max"), ("max({0})",), True),
}

SPECIAL = ("COALESCE", "IN_UNIT", "MOD")
"""Functions whose result depends on more than the table says."""


def call(name: str, arguments: Values, distinct: bool, star: bool, source: QueryText, place: int) -> Expression:
    """A function of FUNCTIONS or SPECIAL applied to its arguments; errors name the argument."""
    if star:
        if name != "COUNT":
            source.fail(AdqlTypeError, f"only COUNT takes *, not {name}", place)
        return Aggregate(Meaning.of(_BIGINT, None, "meta.number"), "count(*)", (), place=place)
    if name in SPECIAL:
        if distinct:
            source.fail(AdqlTypeError, f"DISTINCT goes with {_aggregates()}, not with {name}", place)
        return {"COALESCE": _coalesce, "IN_UNIT": _in_unit, "MOD": _mod}[name](arguments, source, place)
    function = FUNCTIONS[name]
    if len(arguments) not in function.counts():
        counts = " or ".join(str(count) for count in function.counts())
        source.fail(AdqlTypeError, f"{name} takes {counts} argument{'' if counts == '1' else 's'}, not {len(arguments)}", place)
    if distinct and not function.aggregate:
        source.fail(AdqlTypeError, f"DISTINCT goes with {_aggregates()}, not with {name}", place)
    values = tuple(
        _taken(value, takes, source, f"argument {number} of {name}" if len(arguments) > 1 else f"the argument of {name}")
        for number, (value, takes) in enumerate(zip(arguments, function.parameters, strict=False), 1)
    )
    meaning = function.result(values)
    if name == "SUM":
        values = tuple(converted(value, _DOUBLE) if value.meaning.type is _REAL else value for value in values)
    template = function.template(values).replace("({0}", "(DISTINCT {0}", 1) if distinct else function.template(values)
    if name == "SUM" and values[0].meaning.type is _BIGINT:
        template = f"CAST({template} AS bigint)"
    return (Aggregate if function.aggregate else Operation)(meaning, template, values, place=place)


def _taken(value: Expression, takes: Takes, source: QueryText, what: str) -> Expression:
    """An argument as its parameter takes it."""
    if takes is Takes.DOUBLE:
        return as_double(value, source, what)
    if takes is Takes.NUMBER:
        require(value, (*NUMBERS, Internal.NULL), takes.value.strip(), source, what)
        return converted(value, _DOUBLE) if value.meaning.type is Internal.NULL else value
    if takes in (Takes.INTEGER, Takes.BIGINT):
        require(value, (*INTEGERS, Internal.NULL), takes.value.strip(), source, what)
        return converted(value, ColumnType.INTEGER if takes is Takes.INTEGER else _BIGINT)
    if takes is Takes.TEXT:
        require(value, (_TEXT, Internal.NULL), takes.value, source, what)
        return converted(value, _TEXT)
    if takes is Takes.ORDERED:
        require(value, (*ORDERED, Internal.NULL), takes.value, source, what)
    if value.meaning.type is Internal.NULL:
        return converted(value, _TEXT)
    if not isinstance(value.meaning.type, ColumnType):
        require(value, tuple(ColumnType), takes.value, source, what)
    return value


def _coalesce(arguments: Values, source: QueryText, place: int) -> Expression:
    """COALESCE(a, ...): the first that is not NULL."""
    if not arguments:
        source.fail(AdqlTypeError, "COALESCE takes at least one argument", place)
    values = in_one_type(arguments, source, "the arguments of COALESCE")
    places = ", ".join(f"{{{number}}}" for number in range(len(values)))
    return Operation(alternatives(values), f"COALESCE({places})", values, place=place)


def alternatives(values: Values) -> Meaning:
    """The meaning of a value that is one of several of one type: their unit and UCD where all that have a history agree."""
    known = [value.meaning for value in values if not isinstance(value, Constant)]
    units, ucds = {meaning.unit for meaning in known}, {meaning.ucd for meaning in known}
    first = values[0].meaning
    written = [value.meaning for value in values if not (isinstance(value, Constant) and value.value is None)]
    arraysize = common_arraysize(meaning.arraysize for meaning in written) if written else first.arraysize
    unit, ucd = (found.pop() if len(found) == 1 else None for found in (units, ucds))
    return Meaning(first.type, arraysize, first.xtype, unit, ucd, datatype=common_datatype(meaning.datatype for meaning in written))


def _mod(arguments: Values, source: QueryText, place: int) -> Expression:
    """MOD(x, y) with the sign of x: exact for whole numbers, through numeric for others, where PostgreSQL has none."""
    if len(arguments) != 2:
        source.fail(AdqlTypeError, f"MOD takes 2 arguments, not {len(arguments)}", place)
    values = tuple(_taken(value, Takes.NUMBER, source, f"argument {number} of MOD") for number, value in enumerate(arguments, 1))
    type_ = common_type(values[0].meaning.type, values[1].meaning.type)
    if type_ in INTEGERS:
        return Operation(Meaning.of(type_), "mod({0}, {1})", values, place=place)
    values = tuple(converted(value, _DOUBLE) for value in values)
    template = f"CAST(mod({_EXACTLY.format('{0}')}, {_EXACTLY.format('{1}')}) AS double precision)"
    return Operation(Meaning.of(_DOUBLE), template, values, place=place)


def _in_unit(arguments: Values, source: QueryText, place: int) -> Expression:
    """IN_UNIT(x, 'unit'): the value in another unit of VOUnits that is a multiple of its own (ADQL 2.1 section 4.5)."""
    if len(arguments) != 2 or not (isinstance(arguments[1], Constant) and isinstance(arguments[1].value, str)):
        source.fail(AdqlTypeError, "IN_UNIT takes a number and a unit in quotes: IN_UNIT(ra, 'rad')", place)
    value, wanted = as_double(arguments[0], source, "argument 1 of IN_UNIT"), arguments[1]
    unit = str(wanted.value).strip()
    if value.meaning.unit is None:
        source.fail(AdqlTypeError, f"this value has no unit, so it cannot be given in {unit!r}", value.place)
    if not unit:
        source.fail(AdqlTypeError, "IN_UNIT goes to a unit, and this text is empty", wanted.place)
    factor = conversion_factor(value.meaning.unit, unit)
    if isinstance(factor, str):
        source.fail(AdqlTypeError, factor, wanted.place)
    meaning = replace(value.meaning, unit=unit, utype=None, description=None)
    return Operation(meaning, "({0} * {1})", (value, Constant(Meaning.of(_DOUBLE), factor)), place=place)


def _aggregates() -> str:
    return ", ".join(name for name, function in FUNCTIONS.items() if function.aggregate)


def unknown_function(name: str, others: Iterable[str], source: QueryText, place: int) -> NoReturn:
    """Say that there is no such function, and what there is; ``others`` are functions known elsewhere."""
    if other := instead(name):
        source.fail(AdqlNameError, f"there is no function {name} here{other}", place)
    names = sorted((*FUNCTIONS, *SPECIAL, *others), key=str.casefold)
    near = close_names(name, names, 1)
    guess = f"did you mean {near[0]}? " if near else ""
    source.fail(AdqlNameError, f"there is no function {name} here; {guess}Functions are {', '.join(names)}", place)
