"""What a user-defined function is (ADQL 2.1 section 2.3.3): the signatures that it is declared under, which its arguments are checked
against, and the SQL or the tree that a call becomes.

A signature is written as TAPRegExt 1.0 section 2.3 has it, ``f(a T, b T) -> T``; types are those of ADQL, and for functions that the
IVOA's catalogue declares so, TEXT, NUMERIC, GEOMETRY and arrays.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from catalog.schema.column import ColumnType
from tap_service.adql.conversions import converted, timestamp
from tap_service.adql.errors import AdqlTypeError, QueryText
from tap_service.adql.typed_tree import Aggregate, Constant, Expression, Operation
from tap_service.adql.value_types import INTEGERS, NUMBERS, REGIONS, Internal, Meaning, ValueType, in_words

Values = tuple[Expression, ...]
Build = Callable[[Values, QueryText, int], Expression]
"""Makes the value of a call of its checked arguments; errors point into the query."""

_FORM = re.compile(r"(\w+)\((.*)\) -> (.+)")

_RESULTS = {
    "SMALLINT": ColumnType.SMALLINT,
    "INTEGER": ColumnType.INTEGER,
    "BIGINT": ColumnType.BIGINT,
    "REAL": ColumnType.DOUBLE,
    "DOUBLE PRECISION": ColumnType.DOUBLE,
    "TEXT": ColumnType.TEXT,
}
"""Result types that a template gives; the others have builders."""


@dataclass(frozen=True)
class _Taken:
    """What a parameter takes: types, the type that it is converted to (None: as it is), and the words for it."""

    types: tuple[ValueType, ...]
    read_as: ColumnType | None
    words: str


_PARAMETERS = {
    "INTEGER": _Taken(INTEGERS, ColumnType.INTEGER, "a whole number"),
    "BIGINT": _Taken(INTEGERS, ColumnType.BIGINT, "a whole number"),
    "REAL": _Taken(NUMBERS, ColumnType.DOUBLE, "a number"),
    "DOUBLE PRECISION": _Taken(NUMBERS, ColumnType.DOUBLE, "a number"),
    "NUMERIC": _Taken(NUMBERS, None, "a number"),
    "TEXT": _Taken((ColumnType.TEXT,), ColumnType.TEXT, "text"),
    "TIMESTAMP": _Taken((ColumnType.TIMESTAMP, ColumnType.TEXT), ColumnType.TIMESTAMP, "a timestamp, or text that holds one"),
    "POINT": _Taken((ColumnType.POINT,), None, "a POINT"),
    "GEOMETRY": _Taken(REGIONS, None, "a POINT or a region"),
    "REAL[]": _Taken((ColumnType.VECTOR,), ColumnType.VECTOR, "an array column of packed numbers"),
}


@dataclass(frozen=True)
class Signature:
    """One declared form: ``str`` gives it back as it was written."""

    name: str
    parameters: tuple[tuple[str, str], ...]
    """(name, type) of each."""
    result: str

    @classmethod
    def read(cls, text: str) -> "Signature":
        """A signature from its text; ValueError if it is none."""
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is no signature")
        parameters = tuple((part.split(" ", 1)[0], part.split(" ", 1)[1]) for part in match[2].split(", ") if part)
        unknown = {type_ for _, type_ in parameters} - set(_PARAMETERS)
        if unknown:
            raise ValueError(f"{text!r} has unknown types {unknown}")
        return cls(match[1], parameters, match[3])

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{name} {type_}' for name, type_ in self.parameters)}) -> {self.result}"

    def fits(self, arguments: Values) -> bool:
        """Whether the arguments have the number and the types of this form."""
        return len(arguments) == len(self.parameters) and all(
            argument.meaning.type in (*_PARAMETERS[type_].types, Internal.NULL)
            for argument, (_, type_) in zip(arguments, self.parameters, strict=True)
        )

    def taken(self, arguments: Values, source: QueryText) -> Values:
        """The arguments as the parameters take them; AdqlTypeError names the first that does not go."""
        return tuple(
            self._taken(argument, name, _PARAMETERS[type_], source)
            for argument, (name, type_) in zip(arguments, self.parameters, strict=True)
        )

    def _taken(self, argument: Expression, name: str, takes: _Taken, source: QueryText) -> Expression:
        given = argument.meaning.type
        if given is Internal.NULL:
            read_as = takes.read_as or ColumnType.DOUBLE
            if takes.types[0] in REGIONS:
                source.fail(AdqlTypeError, f"{name} of {self.name} is {takes.words}, and cannot be NULL here", argument.place)
            return converted(argument, read_as)
        if given not in takes.types:
            source.fail(
                AdqlTypeError,
                f"{name} of {self.name} is {takes.words}, but this is {in_words(given)}; it is called as {self}",
                argument.place,
            )
        if takes.read_as is ColumnType.TIMESTAMP and isinstance(argument, Constant) and given is ColumnType.TEXT:
            return timestamp(argument, source)
        return argument if takes.read_as is None else converted(argument, takes.read_as)


@dataclass(frozen=True)
class Form:
    """A signature and what a call of that form becomes."""

    signature: Signature
    build: Build


@dataclass(frozen=True)
class UserFunction:
    """A user-defined function under one name; ``description`` is what clients show beside its signatures."""

    name: str
    description: str
    forms: tuple[Form, ...]

    @property
    def signatures(self) -> tuple[str, ...]:
        """The forms as /capabilities declares them, one feature each."""
        return tuple(str(form.signature) for form in self.forms)

    def call(self, arguments: Values, source: QueryText, place: int) -> Expression:
        """The function applied; AdqlTypeError if no form takes the arguments."""
        form = next((form for form in self.forms if form.signature.fits(arguments)), None)
        if form is None:
            form = next((form for form in self.forms if len(form.signature.parameters) == len(arguments)), None)
        if form is None:
            source.fail(
                AdqlTypeError, f"{self.name} is called as {' or '.join(self.signatures)}; here are {len(arguments)} arguments", place
            )
        return form.build(form.signature.taken(arguments, source), source, place)


def function(description: str, *forms: tuple[str, str | Build], unit: str | None = None, ucd: str | None = None) -> UserFunction:
    """A function from its signatures, each with a template (``{0}`` is the first argument) or a builder."""
    made = []
    for text, what in forms:
        signature = Signature.read(text)
        made.append(Form(signature, _of_template(signature, what, unit, ucd) if isinstance(what, str) else what))
    return UserFunction(made[0].signature.name, description, tuple(made))


def aggregate(description: str, *forms: tuple[str, str]) -> UserFunction:
    """A function over a group of rows, from signatures and templates."""
    signatures = [(Signature.read(text), template) for text, template in forms]
    made = tuple(Form(signature, _of_template(signature, template, None, None, Aggregate)) for signature, template in signatures)
    return UserFunction(signatures[0][0].name, description, made)


def _of_template(signature: Signature, template: str, unit: str | None, ucd: str | None, kind: type[Operation] = Operation) -> Build:
    meaning = Meaning.of(_RESULTS[signature.result], unit, ucd)
    return lambda arguments, source, place: kind(meaning, template, arguments, place=place)
