"""Random values and conditions of ADQL, nearly always with types that go together.

Kinds are what values can be used for: ``whole`` and ``number`` in arithmetic, ``big`` and ``wild`` (extreme values) seldom, since a
query that overflows says little; ``text``, ``boolean``, ``timestamp``.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tap_service.adql import tree
from tap_service.adql.tokens import RESERVED
from tests.tap_service.fuzz.choices import Choices
from tests.tap_service.fuzz.printer import is_plain

USUAL = ("whole", "number", "text", "whole", "number", "boolean", "timestamp", "big", "wild")
_WHOLE = ("1", "0", "2", "3", "5", "7", "10", "1000", "16777217", "2147483647", "2147483648", "9223372036854775807", "32768")
_NUMBERS = ("0.5", "1.", ".25", "2.5", "1e1", "2.5E-1", "1E+2", "1000.0", "4500.5", "16777217.0", "90.0")
_TEXTS = (
    "Vega",
    "",
    "x",
    "zeta",
    "it's",
    "a",
    "e",
    "é",
    "α",
    "%",
    "_",
    "\\",
    "1.5",
    "VEGA",
    "100%",
    "{0}",
    "%s",
    "%(x)s",
    " ",
    "\n",
    '"',
    "$1",
    "--",
)
_PATTERNS = (
    "Vega",
    "%",
    "V%",
    "%a",
    "_eg_",
    "%e%a%",
    "",
    "100\\%",
    "a_b",
    "A%",
    "%é",
    "\\",
    "%\\%",
    "_",
    "__",
    "%'%",
    "[a-z]%",
    "\U0001f31f",
    "%(s)s%%",
)
_TIMES = (
    "2016-01-03",
    "2016-01-05T00:00:00",
    "2016-01-02T00:00:00.5",
    "2016-01-10 00:00:00",
    "1999-12-31T23:59:59",
    "2016-01-04T00:00:00Z",
)
_LENGTHS = (3, 1, 10, 5)


@dataclass(frozen=True)
class Column:
    """A column that a query may name."""

    label: str
    kind: str


@dataclass(frozen=True)
class Source:
    """A table of FROM: how it may be written before a dot, and its columns."""

    qualifiers: tuple[tuple[tree.Name, ...], ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Place:
    """Where an expression stands: what it may name, and which values of a group it may use instead of columns."""

    sources: tuple[Source, ...] = ()
    visible: tuple[Column, ...] = ()
    outer: tuple[Source, ...] = ()
    grouped: tuple[tuple[tree.Expression, str], ...] | None = None
    aggregates: bool = False


@dataclass(frozen=True)
class Made:
    """A query and the columns that it gives."""

    query: tree.Query
    columns: tuple[Column, ...]


@dataclass
class ValueMaker(ABC):
    """Makes the values of one query from one string of choices."""

    choices: Choices
    names: int = 0
    declared: dict[tree.ColumnReference, str] = field(default_factory=dict)
    size: int = 0

    @abstractmethod
    def query(self, depth: int, outer: tuple[Source, ...], kinds: tuple[str, ...], star: bool = True) -> Made:
        """A subquery; ``kinds`` are those of its columns, as many as there are, or empty for any."""

    @abstractmethod
    def from_clause(
        self, depth: int, outer: tuple[Source, ...]
    ) -> tuple[tuple[tree.TableReference, ...], tuple[Source, ...], tuple[Column, ...]]:
        """What a subquery reads."""

    # -- names

    def name(self, label: str) -> tree.Name:
        """A name for a label, delimited where it has to be or by chance."""
        if not is_plain(label) or label.upper() in RESERVED or label.upper() == "LIMIT" or self.choices.chance(10):
            return tree.Name(label, True)
        return tree.Name(label)

    def any_case(self, name: str) -> str:
        return self.choices.of((str, str.upper, str.capitalize, str))(name)

    def new_name(self, prefix: str) -> tree.Name:
        self.names += 1
        return tree.Name(f"{prefix}{self.names}")

    def reference(self, place: Place, column: Column, qualified: bool = False) -> tree.ColumnReference:
        """A column of ``place.visible``, written in one of the ways that mean it."""
        folded = column.label.casefold()
        owners = [source for source in place.sources if column in source.columns]
        alone = sum(other.label.casefold() == folded for other in place.visible) == 1
        qualifier: tuple[tree.Name, ...] = ()
        if owners and (qualified or not alone or self.choices.chance(35)):
            owner = self.choices.of(owners)
            qualifier = self.choices.of(owner.qualifiers)
            alone = sum(other.label.casefold() == folded for other in owner.columns) == 1
        found = tree.ColumnReference((*qualifier, self.written_column(column, alone)))
        self.declared[found] = column.label
        return found

    def written_column(self, column: Column, only: bool) -> tree.Name:
        name = self.name(column.label) if only else tree.Name(column.label, True)
        return name if name.delimited else replace(name, text=self.any_case(name.text))

    def column(self, kind: str, place: Place, qualified: bool = False) -> tree.ColumnReference | None:
        """A column of a kind; None where there is none."""
        found = [column for column in place.visible if column.kind in usable(kind)]
        if not found:
            return None
        return self.reference(place, self.choices.of(found), qualified)

    # -- values

    def leaf(self, kind: str, place: Place) -> tree.Expression:
        """A column, a value of the group, or a literal."""
        self.size += 1
        if place.grouped is not None:
            keys = [item for item, found in place.grouped if found in usable(kind)]
            if keys and not self.choices.chance(40):
                return self.choices.of(keys)
            if place.aggregates and self.choices.chance(70):
                return self.aggregate(kind, place)
        elif not self.choices.chance(25):
            if place.outer and self.choices.chance(30):
                source = self.choices.of(place.outer)
                outer = Place((source,), source.columns)
                if found := self.column(kind, outer, True):
                    return found
            if found := self.column(kind, place):
                return found
        return self.literal(kind)

    def literal(self, kind: str) -> tree.Expression:
        if self.choices.chance(4):
            return tree.NullLiteral()
        if kind == "whole":
            return tree.NumberLiteral(self.choices.of(_WHOLE[:8] if not self.choices.chance(5) else _WHOLE))
        if kind == "big":
            return tree.NumberLiteral(self.choices.of(_WHOLE))
        if kind in ("number", "wild"):
            return tree.NumberLiteral(self.choices.of(_NUMBERS))
        if kind == "boolean":
            return tree.BooleanLiteral(self.choices.chance(50))
        if kind == "timestamp":
            return tree.Cast(tree.StringLiteral(self.choices.of(_TIMES)), "TIMESTAMP")
        return tree.StringLiteral(self.choices.of(_TEXTS))

    def aggregate(self, kind: str, place: Place) -> tree.Expression:
        """An aggregate function that gives a value of a kind."""
        rows = replace(place, grouped=None, aggregates=False)
        distinct = self.choices.chance(20)
        if kind == "whole":
            form = self.choices.below(5)
            if form == 0:
                return tree.Call("COUNT", (), star=True)
            if form <= 2:
                return tree.Call("COUNT", (self.value(self.choices.of(USUAL), rows, 1),), distinct)
            return tree.Call(self.choices.of(("SUM", "MIN", "MAX")), (self.value("whole", rows, 1),), distinct)
        if kind == "number":
            return tree.Call(self.choices.of(("AVG", "SUM", "MIN", "MAX")), (self.value("number", rows, 1),), distinct)
        if kind == "boolean":
            return tree.Case(
                None, ((tree.Comparison(">", tree.Call("COUNT", (), star=True), tree.NumberLiteral("2")), tree.BooleanLiteral(True)),), None
            )
        return tree.Call(self.choices.of(("MIN", "MAX")), (self.value(kind, rows, 1),))

    def value(self, kind: str, place: Place, depth: int) -> tree.Expression:
        """A value of a kind."""
        self.size += 1
        if depth <= 0 or self.size > 60 or not self.choices.chance(45):
            return self.leaf(kind, place)
        if self.choices.chance(12):
            return self.alternative(kind, place, depth)
        if self.choices.chance(3) and kind not in ("boolean",):
            return self.scalar_query(kind, place)
        maker: Callable[[Place, int], tree.Expression] | None = {
            "whole": self.whole, "number": self.number, "text": self.text, "boolean": None, "timestamp": None, "big": self.big, "wild": self.wild,
        }[kind]  # fmt: skip
        return maker(place, depth - 1) if maker else self.leaf(kind, place)

    def alternative(self, kind: str, place: Place, depth: int) -> tree.Expression:
        """CASE in both forms, or COALESCE."""
        form = self.choices.below(3)
        if form == 0:
            values = tuple(self.value(kind, place, depth - 1) for _ in range(1 + self.choices.below(3)))
            return tree.Call("COALESCE", values)
        other = self.value(kind, place, depth - 1) if self.choices.chance(60) else None
        if form == 1:
            branches = tuple((self.condition(place, 1), self.value(kind, place, depth - 1)) for _ in range(1 + self.choices.below(2)))
            return tree.Case(None, branches, other)
        of = self.choices.of(("whole", "text", "number"))
        operand = self.value(of, place, 1)
        return tree.Case(
            operand, tuple((self.value(of, place, 0), self.value(kind, place, depth - 1)) for _ in range(1 + self.choices.below(2))), other
        )

    def scalar_query(self, kind: str, place: Place) -> tree.Expression:
        """A query of one row: an aggregate function without GROUP BY."""
        outer = self.outer_of(place)
        tables, sources, visible = self.from_clause(0, (Source((), ()),))
        inner = Place(sources, visible, outer)
        where = self.condition(inner, 1) if self.choices.chance(60) else None
        item = self.aggregate(kind, replace(inner, outer=()))
        return tree.ScalarQuery(tree.Query(tree.Select((tree.SelectItem(item),), tables, where=where)))

    def outer_of(self, place: Place) -> tuple[Source, ...]:
        """What a subquery here may name of the queries around it: nothing of a grouped one, and only what a qualifier tells."""
        return place.outer if place.grouped is not None else place.outer + place.sources

    def whole(self, place: Place, depth: int) -> tree.Expression:
        form = self.choices.below(100)
        if form < 45:
            return tree.Arithmetic(
                self.choices.of(("+", "-", "*", "/")), self.value("whole", place, depth), self.value("whole", place, depth)
            )
        if form < 55:
            return tree.Call("ABS", (self.value("whole", place, depth),))
        if form < 65:
            return tree.Call("MOD", (self.value("whole", place, depth), self.value("whole", place, depth)))
        if form < 70:
            return tree.Arithmetic("%", self.value("whole", place, depth), self.value("whole", place, depth))
        if form < 80:
            return tree.Sign(self.choices.of(("-", "+")), self.value("whole", place, depth))
        if form < 90:
            type_name = self.choices.of(("INTEGER", "BIGINT", "SMALLINT"))
            source = self.choices.of(("number", "whole", "digits", "boolean"))
            if source == "boolean":
                return tree.Cast(self.value("boolean", place, depth), "INTEGER")
            if source == "digits":
                return tree.Cast(tree.StringLiteral(self.choices.of(("1", "-7", " 12 ", "+3", "00"))), type_name)
            return tree.Cast(self.value(source, place, depth), type_name)
        if form < 94:
            return self.user_function(place, depth)
        return self.contains(place, depth)

    def user_function(self, place: Place, depth: int) -> tree.Expression:
        """A user-defined function that gives a whole number."""
        form = self.choices.below(4)
        if form == 0:
            return tree.Call("IVO_NOCASEMATCH", (self.value("text", place, depth), tree.StringLiteral(self.choices.of(_PATTERNS))))
        if form == 1:
            return tree.Call("IVO_HASHLIST_HAS", (self.value("text", place, depth), self.value("text", place, 0)))
        if form == 2:
            return tree.Call("IVO_INTERVAL_OVERLAPS", tuple(self.value("number", place, 0) for _ in range(4)))
        return tree.Call("GAIA_HEALPIX_INDEX", (tree.NumberLiteral(self.choices.of(("12", "5", "0"))), self.value("big", place, 0)))

    def number(self, place: Place, depth: int) -> tree.Expression:
        form = self.choices.below(100)
        if form < 35:
            kinds = self.choices.of((("number", "number"), ("number", "whole"), ("whole", "number")))
            operator = self.choices.of(("+", "-", "*", "/"))
            return tree.Arithmetic(operator, self.value(kinds[0], place, depth), self.value(kinds[1], place, depth))
        argument = self.value(self.choices.of(("number", "whole")), place, depth)
        if form < 60:
            name = self.choices.of(
                ("ABS", "FLOOR", "CEILING", "ROUND", "TRUNCATE", "SIN", "COS", "TAN", "COT", "ATAN", "DEGREES", "RADIANS")
            )
            return tree.Call(name, (argument,))
        if form < 70:  # within the domain of the function
            name = self.choices.of(("SQRT", "LOG", "LOG10", "EXP", "ACOS", "ASIN"))
            near = tree.Call("ABS", (argument,))
            safe: tree.Expression = near
            if name in ("LOG", "LOG10"):
                safe = tree.Arithmetic("+", near, tree.NumberLiteral("1"))
            elif name == "EXP":
                safe = tree.Arithmetic("/", argument, tree.NumberLiteral("100.0"))
            elif name in ("ACOS", "ASIN"):
                safe = tree.Call("SIN", (argument,))
            return tree.Call(name, (safe if not self.choices.chance(10) else argument,))
        if form < 76:
            return tree.Call(self.choices.of(("ROUND", "TRUNCATE")), (argument, self.digits()))
        if form < 80:
            return tree.Call("POWER", (argument, tree.NumberLiteral(self.choices.of(("2", "3", "0", "0.5", "1")))))
        if form < 84:
            return tree.Call("ATAN2", (argument, self.value("number", place, depth)))
        if form < 88:
            return tree.Call("MOD", (argument, self.value("number", place, depth)))
        if form < 92:
            type_name = self.choices.of(("DOUBLE", "REAL"))
            digits = tree.StringLiteral(self.choices.of(("1.5", "-2e1", " .25 ", "NaN", "7")))
            return tree.Cast(digits if self.choices.chance(30) else argument, type_name)
        if form < 94:
            return tree.Call("PI", ())
        if form < 96:
            return tree.Sign("-", argument)
        return self.measure(place, depth)

    def digits(self) -> tree.Expression:
        number = tree.NumberLiteral(self.choices.of(("1", "0", "2", "3")))
        return tree.Sign("-", number) if self.choices.chance(25) else number

    def big(self, place: Place, depth: int) -> tree.Expression:
        value = self.leaf("big", place)
        form = self.choices.below(4)
        if form == 0:
            return tree.Arithmetic(self.choices.of(("/", "%", "-", "+", "*")), value, self.value("whole", place, depth))
        return tree.Cast(value, "DOUBLE") if form == 1 else tree.Call("ABS", (value,)) if form == 2 else tree.Sign("-", value)

    def wild(self, place: Place, depth: int) -> tree.Expression:
        value = self.leaf("wild", place)
        form = self.choices.below(4)
        if form == 0:
            return tree.Arithmetic(self.choices.of(("+", "-", "*", "/")), value, self.value("number", place, depth))
        return tree.Cast(value, "REAL") if form == 1 else tree.Call("ABS", (value,)) if form == 2 else tree.Sign("-", value)

    def text(self, place: Place, depth: int) -> tree.Expression:
        form = self.choices.below(100)
        if form < 35:
            return tree.Arithmetic("||", self.value("text", place, depth), self.value("text", place, depth))
        if form < 65:
            return tree.Call(self.choices.of(("LOWER", "UPPER")), (self.value("text", place, depth),))
        length = self.choices.of(_LENGTHS) if self.choices.chance(40) else None
        kind = self.choices.of(("text", "whole", "number", "boolean", "timestamp", "big", "wild"))
        return tree.Cast(self.value(kind, place, depth), self.choices.of(("VARCHAR", "CHAR")), length)

    # -- places on the sky

    def point(self, place: Place) -> tuple[tree.Expression, tree.Expression]:
        """Longitude and latitude: the columns of a position, or constants."""
        if place.grouped is None and not self.choices.chance(30):
            for source in place.sources:
                if {"ra", "dec"} <= {column.label for column in source.columns} and source.qualifiers:
                    before = source.qualifiers[0]
                    return tree.ColumnReference((*before, tree.Name("ra"))), tree.ColumnReference((*before, tree.Name("dec")))
        lon = tree.NumberLiteral(self.choices.of(("56.75", "0", "359.5", "180.0")))
        lat: tree.Expression = tree.NumberLiteral(self.choices.of(("24.1", "0", "89.5", "45")))
        return lon, tree.Sign("-", lat) if self.choices.chance(30) else lat

    def region(self, place: Place, circle: bool) -> tree.Expression:
        frame = (tree.StringLiteral(self.choices.of(("ICRS", ""))),) if self.choices.chance(25) else ()
        centre = self.point(place)
        if not circle:
            return tree.Call("POINT", (*frame, *centre))
        radius = tree.NumberLiteral(self.choices.of(("20.3", "1.7", "75.1", "0.001")))
        if self.choices.chance(30):
            return tree.Call("CIRCLE", (*frame, tree.Call("POINT", centre), radius))
        return tree.Call("CIRCLE", (*frame, *centre, radius))

    def contains(self, place: Place, depth: int) -> tree.Expression:
        if self.choices.chance(50):
            return tree.Call("CONTAINS", (self.region(place, self.choices.chance(20)), self.region(place, True)))
        return tree.Call("INTERSECTS", (self.region(place, self.choices.chance(50)), self.region(place, True)))

    def measure(self, place: Place, depth: int) -> tree.Expression:
        form = self.choices.below(5)
        if form == 4 and isinstance(longitude := self.point(place)[0], tree.ColumnReference):
            return tree.Call("IN_UNIT", (longitude, tree.StringLiteral(self.choices.of(("arcmin", "rad", "mas", "arcsec")))))
        if form == 0:
            return tree.Call("DISTANCE", (*self.point(place), *self.point(place)))
        if form == 1:
            return tree.Call("DISTANCE", (self.region(place, False), self.region(place, False)))
        if form == 2:
            return tree.Call("AREA", (self.region(place, True),))
        return tree.Call(self.choices.of(("COORD1", "COORD2")), (self.region(place, False),))

    # -- conditions

    def condition(self, place: Place, depth: int) -> tree.Expression:
        """A condition, of any form that the grammar has."""
        self.size += 1
        if depth > 0 and self.size < 60 and self.choices.chance(30):
            form = self.choices.below(3)
            if form == 0:
                return tree.Not(self.condition(place, depth - 1))
            operands = tuple(self.condition(place, depth - 1) for _ in range(2 + self.choices.below(2)))
            return tree.And(operands) if form == 1 else tree.Or(operands)
        form = self.choices.below(100)
        kind = self.choices.of(("whole", "number", "text", "big", "wild", "timestamp"))
        if form < 45:
            other = self.choices.of(comparable(kind))
            operator = self.choices.of(("=", "<", ">", "<=", ">=", "<>"))
            return tree.Comparison(operator, self.value(kind, place, depth), self.value(other, place, depth))
        negated = self.choices.chance(35)
        if form < 55:
            return tree.IsNull(self.value(self.choices.of(USUAL), place, depth), negated)
        if form < 65:
            low, high = (self.value(self.choices.of(comparable(kind)), place, depth) for _ in range(2))
            return tree.Between(self.value(kind, place, depth), low, high, negated)
        if form < 75:
            values = tuple(self.value(self.choices.of(comparable(kind)), place, 0) for _ in range(1 + self.choices.below(4)))
            return tree.InList(self.value(kind, place, depth), values, negated)
        if form < 85:
            pattern: tree.Expression = tree.StringLiteral(self.choices.of(_PATTERNS))
            if self.choices.chance(10):
                pattern = self.value("text", place, 1)
            return tree.Like(self.value("text", place, depth), pattern, negated, self.choices.chance(40))
        if form < 89:
            left, right = self.value("boolean", place, depth), self.literal("boolean")
            return left if self.choices.chance(50) else tree.Comparison(self.choices.of(("=", "<>")), left, right)
        if form < 93:
            made = self.query(0, self.outer_of(place), ())
            return tree.Exists(made.query)
        if form < 97:
            made = self.query(0, self.outer_of(place), (self.choices.of(comparable(kind)),), star=False)
            return tree.InQuery(self.value(kind, place, depth), made.query, negated)
        side = self.contains(place, depth)
        return tree.Comparison("=", *((side, tree.NumberLiteral("1")) if self.choices.chance(50) else (tree.NumberLiteral("1"), side)))


def usable(kind: str) -> tuple[str, ...]:
    """The kinds of columns that serve as a value of a kind."""
    return {"number": ("number", "whole"), "wild": ("wild",), "big": ("big", "whole")}.get(kind, (kind,))


def comparable(kind: str) -> tuple[str, ...]:
    if kind in ("whole", "number", "big", "wild"):
        return (kind, "whole", "number", kind, "big", "wild")
    return (kind,)
