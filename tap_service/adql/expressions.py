"""Values and conditions: names found, types checked, meanings given. One method a kind of node of the tree."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import singledispatchmethod

from catalog.schema.column import ColumnType
from tap_service.adql import tree
from tap_service.adql.constants import constant
from tap_service.adql.conversions import comparable, converted, in_one_type, require, timestamp
from tap_service.adql.errors import AdqlTypeError, AdqlUnsupportedError, QueryText
from tap_service.adql.functions import FUNCTIONS, SPECIAL, alternatives, call, unknown_function
from tap_service.adql.geometry import GEOMETRY, call_geometry, region_from_text, text_of_region
from tap_service.adql.key_ranges import BETWEEN
from tap_service.adql.scope import Scope
from tap_service.adql.typed_tree import (
    Arithmetic,
    Comparison,
    Connective,
    Constant,
    Expression,
    Membership,
    Negative,
    Operation,
    QueryValue,
    TypedQuery,
)
from tap_service.adql.udf import UDFS
from tap_service.adql.units import product
from tap_service.adql.value_types import INTEGERS, NUMBERS, ORDERED, REGIONS, Internal, Meaning, common_type, computed, in_words

_TEXT, _DOUBLE = ColumnType.TEXT, ColumnType.DOUBLE
_CONDITION = Meaning(Internal.CONDITION)
_CASTS = {
    "SMALLINT": ColumnType.SMALLINT,
    "INTEGER": ColumnType.INTEGER,
    "BIGINT": ColumnType.BIGINT,
    "REAL": ColumnType.REAL,
    "DOUBLE": ColumnType.DOUBLE,
    "CHAR": ColumnType.TEXT,
    "VARCHAR": ColumnType.TEXT,
    "TIMESTAMP": ColumnType.TIMESTAMP,
    "POINT": ColumnType.POINT,
    "CIRCLE": ColumnType.CIRCLE,
    "POLYGON": ColumnType.POLYGON,
}

_LONGEST = {"CHAR": 10_000, "VARCHAR": 10_485_760}
"""PostgreSQL's limit; CHAR, which is filled with blanks, ends long before, so that a short query makes no endless rows."""

ResolveQuery = Callable[[tree.Query, Scope], TypedQuery]


class ExpressionResolver:
    """Makes typed expressions of those in one scope; ``resolve_query`` does the subqueries."""

    def __init__(self, source: QueryText, scope: Scope, resolve_query: ResolveQuery) -> None:
        self.source = source
        self.scope = scope
        self.resolve_query = resolve_query

    def condition(self, node: tree.Expression) -> Expression:
        """A condition; a boolean column is one too. AdqlTypeError for any other value."""
        found = self.resolve(node)
        if found.meaning.type not in (Internal.CONDITION, ColumnType.BOOLEAN):
            hint = "; compare it with something" if isinstance(found.meaning.type, ColumnType) else ""
            self.source.fail(AdqlTypeError, f"expected a condition, but this is {in_words(found.meaning.type)}{hint}", found.place)
        return found

    def value(self, node: tree.Expression) -> Expression:
        """A value; AdqlTypeError for a condition."""
        found = self.resolve(node)
        if found.meaning.type is Internal.CONDITION:
            message = "a condition is no value here; write CASE WHEN ... THEN 1 ELSE 0 END"
            self.source.fail(AdqlTypeError, message, found.place)
        return found

    def values(self, nodes: tuple[tree.Expression, ...]) -> tuple[Expression, ...]:
        """Several values."""
        return tuple(self.value(node) for node in nodes)

    @singledispatchmethod
    def resolve(self, node: tree.Expression) -> Expression:
        """The typed form of an expression."""
        raise AssertionError(f"the tree has no expression {type(node).__name__}")

    # -- values

    @resolve.register
    def _(self, node: tree.NumberLiteral) -> Expression:
        if node.text.isdigit() and (len(node.text) < 20 and (number := int(node.text)) < 2**63):
            type_ = ColumnType.INTEGER if number < 2**31 else ColumnType.BIGINT
            return Constant(Meaning.of(type_), number, place=node.place)
        value = float(node.text)
        if not math.isfinite(value):
            self.source.fail(AdqlTypeError, f"{node.text} is larger than a double can hold (about 1.8e308)", node.place)
        return Constant(Meaning.of(_DOUBLE), value, place=node.place)

    @resolve.register
    def _(self, node: tree.StringLiteral) -> Expression:
        return Constant(Meaning.of(_TEXT), node.value, place=node.place)

    @resolve.register
    def _(self, node: tree.BooleanLiteral) -> Expression:
        return Constant(Meaning.of(ColumnType.BOOLEAN), node.value, place=node.place)

    @resolve.register
    def _(self, node: tree.NullLiteral) -> Expression:
        return Constant(Meaning(Internal.NULL), None, place=node.place)

    @resolve.register
    def _(self, node: tree.ColumnReference) -> Expression:
        return replace(self.scope.column(node.parts, self.source).value, place=node.place)

    @resolve.register
    def _(self, node: tree.Sign) -> Expression:
        if node.operator == "-" and isinstance(node.operand, tree.NumberLiteral) and node.operand.text == str(2**63):
            return Constant(Meaning.of(ColumnType.BIGINT), -(2**63), place=node.place)  # its 2**63 alone would be a double
        operand = self.value(node.operand)
        require(operand, (*NUMBERS, Internal.NULL), "a number", self.source, f"what stands after {node.operator}")
        if node.operator == "+" or operand.meaning.type is Internal.NULL:
            return operand
        type_ = operand.meaning.type
        return Negative(
            Meaning.of(computed(type_) if isinstance(type_, ColumnType) else type_, operand.meaning.unit), operand, place=node.place
        )

    @resolve.register
    def _(self, node: tree.Arithmetic) -> Expression:
        left, right = self.value(node.left), self.value(node.right)
        if node.operator == "||":
            for side in (left, right):
                require(side, (_TEXT, Internal.NULL), "text (CAST a number AS VARCHAR)", self.source, "what || joins")
            return Operation(Meaning.of(_TEXT), "({0} || {1})", (converted(left, _TEXT), converted(right, _TEXT)), place=node.place)
        for side in (left, right):
            hint = "; texts are joined with ||" if side.meaning.type is _TEXT and node.operator == "+" else ""
            if side.meaning.type not in (*NUMBERS, Internal.NULL):
                message = f"{node.operator} goes between numbers, but this is {in_words(side.meaning.type)}{hint}"
                self.source.fail(AdqlTypeError, message, side.place)
        type_ = common_type(left.meaning.type, right.meaning.type)
        if not isinstance(type_, ColumnType):
            type_ = _DOUBLE
        type_ = computed(type_)
        left, right = (converted(side, type_) if side.meaning.type is Internal.NULL else side for side in (left, right))
        if node.operator == "%":
            if type_ not in INTEGERS:
                self.source.fail(AdqlTypeError, "% goes between whole numbers; write MOD(x, y)", node.place)
            return Operation(Meaning.of(type_), "({0} % {1})", (left, right), place=node.place)
        return Arithmetic(Meaning.of(type_, _unit(node.operator, left, right)), node.operator, left, right, place=node.place)

    @resolve.register
    def _(self, node: tree.Call) -> Expression:
        arguments = self.values(node.arguments)
        if node.function in FUNCTIONS or node.function in SPECIAL:
            return call(node.function, arguments, node.distinct, node.star, self.source, node.place)
        if node.function not in GEOMETRY and node.function not in UDFS:
            unknown_function(node.function, (*GEOMETRY, *(udf.name for udf in UDFS.values())), self.source, node.place)
        if node.distinct or node.star:
            self.source.fail(AdqlTypeError, f"{node.function} takes neither DISTINCT nor *", node.place)
        if node.function in UDFS:
            return UDFS[node.function].call(arguments, self.source, node.place)
        return call_geometry(node.function, arguments, self.source, node.place)

    @resolve.register
    def _(self, node: tree.Cast) -> Expression:
        operand = self.value(node.operand)
        if node.type_name not in _CASTS:
            self.source.fail(AdqlUnsupportedError, f"CAST to {node.type_name} is not supported; types are {', '.join(_CASTS)}", node.place)
        type_ = _CASTS[node.type_name]
        self._check_cast(operand, type_)
        if operand.meaning.type is Internal.NULL:
            # A NULL with a type of its own: beside other values it does not take theirs.
            operand = Operation(Meaning.of(type_), f"CAST({{0}} AS {type_.postgres})", (operand,), place=node.place)
        if type_ is ColumnType.TIMESTAMP:
            if isinstance(operand, Constant) and operand.meaning.type is _TEXT and operand.value is not None:
                return timestamp(operand, self.source)
            return converted(operand, type_)
        if type_ in REGIONS and operand.meaning.type is _TEXT:
            return region_from_text(operand, type_, self.source)
        if type_ is not _TEXT:
            return converted(operand, type_)
        if operand.meaning.type in REGIONS:
            operand = text_of_region(operand)
        if operand.meaning.type is ColumnType.TIMESTAMP:
            iso = """to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')"""
            operand = Operation(Meaning.of(_TEXT), iso, (operand,), place=operand.place)
        if node.length is None:
            return converted(operand, _TEXT)
        longest = _LONGEST[node.type_name]
        if not 0 < node.length <= longest:
            self.source.fail(AdqlTypeError, f"{node.type_name}({node.length}) is no length of a text; use 1 to {longest}", node.place)
        if node.type_name == "CHAR":
            # Exactly so many characters, blanks behind (SQL-92 section 6.10); PostgreSQL's char(n) would lose them again.
            padded = f"rpad(CAST({{0}} AS text), {node.length})"
            return Operation(replace(Meaning.of(_TEXT), arraysize=str(node.length)), padded, (operand,), place=node.place)
        meaning = replace(Meaning.of(_TEXT), arraysize=f"{node.length}*")
        return Operation(meaning, f"CAST(CAST({{0}} AS varchar({node.length})) AS text)", (operand,), place=node.place)

    def _check_cast(self, operand: Expression, type_: ColumnType) -> None:
        """Numbers go into numbers and text, text into all, booleans into text and whole numbers, NULL into anything."""
        given = operand.meaning.type
        if type_ is _TEXT and isinstance(given, ColumnType) and (not given.is_array or given in REGIONS):
            return
        if given in (_TEXT, Internal.NULL, type_) or (given in NUMBERS and type_ in NUMBERS):
            return
        if given is ColumnType.BOOLEAN and type_ is ColumnType.INTEGER:
            return
        wanted = type_.name if type_ in REGIONS else type_.postgres
        self.source.fail(AdqlTypeError, f"{in_words(given)} cannot be cast to {wanted}", operand.place)

    @resolve.register
    def _(self, node: tree.Case) -> Expression:
        results = tuple(node_ for _, node_ in node.branches) + ((node.otherwise,) if node.otherwise is not None else ())
        values = in_one_type(self.values(results), self.source, "the results of CASE")
        operand = self.value(node.operand) if node.operand is not None else None
        conditions: list[Expression] = []
        for condition, _ in node.branches:
            if operand is None:
                conditions.append(self.condition(condition))
            else:
                conditions.append(self._comparison("=", operand, self.value(condition), condition.place))
        arguments: list[Expression] = []
        template = "CASE"
        for condition_, value in zip(conditions, values, strict=False):
            template += f" WHEN {{{len(arguments)}}} THEN {{{len(arguments) + 1}}}"
            arguments += [condition_, value]
        if node.otherwise is not None:
            template += f" ELSE {{{len(arguments)}}}"
            arguments.append(values[-1])
        return Operation(alternatives(values), f"{template} END", tuple(arguments), place=node.place)

    @resolve.register
    def _(self, node: tree.ScalarQuery) -> Expression:
        query = self._one_column(node.query, node.place)
        return QueryValue(query.outputs[0].meaning, query, place=node.place)

    def _one_column(self, node: tree.Query, place: int) -> TypedQuery:
        query = self.resolve_query(node, self.scope)
        if len(query.outputs) != 1:
            self.source.fail(AdqlTypeError, f"a query used as a value has one column, not {len(query.outputs)}", place)
        return query

    # -- conditions

    def _comparison(self, operator: str, left: Expression, right: Expression, place: int) -> Expression:
        left, right = comparable(left, right, self.source, place)
        if operator not in ("=", "<>"):
            for side in (left, right):
                if side.meaning.type not in (*ORDERED, Internal.NULL):
                    self.source.fail(AdqlTypeError, f"{in_words(side.meaning.type)} is compared with = and <>, not with {operator}", place)
        return Comparison(_CONDITION, operator, left, right, place=place)

    @resolve.register
    def _(self, node: tree.Comparison) -> Expression:
        return self._comparison(node.operator, self.value(node.left), self.value(node.right), node.place)

    @resolve.register
    def _(self, node: tree.Between) -> Expression:
        operand = self.value(node.operand)
        operand, low = comparable(operand, self.value(node.low), self.source, node.place)
        operand, high = comparable(operand, self.value(node.high), self.source, node.place)
        if any(value.meaning.type not in (*ORDERED, Internal.NULL) for value in (operand, low, high)):
            self.source.fail(AdqlTypeError, "BETWEEN goes with numbers, texts and timestamps", node.place)
        template = "({0} NOT BETWEEN {1} AND {2})" if node.negated else BETWEEN
        return Operation(_CONDITION, template, (operand, low, high), place=node.place)

    @resolve.register
    def _(self, node: tree.InList) -> Expression:
        operand = self.value(node.operand)
        if membership := self._membership(operand, node):
            return membership
        values = []
        for item in node.values:
            operand, value = comparable(operand, self.value(item), self.source, item.place)
            values.append(value)
        places = ", ".join(f"{{{number}}}" for number in range(1, len(values) + 1))
        return Operation(_CONDITION, f"({{0}} {'NOT ' if node.negated else ''}IN ({places}))", (operand, *values), place=node.place)

    def _membership(self, operand: Expression, node: tree.InList) -> Expression | None:
        """Numbers among literal numbers, or text among literal texts; None for anything else."""
        type_, values = operand.meaning.type, node.values
        if type_ is _TEXT and all(isinstance(item, tree.StringLiteral) for item in values):
            return Membership(_CONDITION, operand, _TEXT, tuple(item.value for item in values), node.negated, place=node.place)  # type: ignore[attr-defined]
        if type_ not in NUMBERS or not all(isinstance(item, tree.NumberLiteral) for item in values):
            return None
        texts = [item.text for item in values]  # type: ignore[attr-defined]
        numbers: tuple[int | float, ...]
        if type_ in INTEGERS and all(text.isdigit() and len(text) < 20 for text in texts) and (largest := max(map(int, texts))) < 2**63:
            numbers = tuple(map(int, texts))
            type_ = ColumnType.INTEGER if largest < 2**31 else ColumnType.BIGINT
        else:
            numbers, type_ = tuple(map(float, texts)), _DOUBLE
            if not all(map(math.isfinite, numbers)):
                return None
        return Membership(_CONDITION, operand, type_, numbers, node.negated, place=node.place)

    @resolve.register
    def _(self, node: tree.InQuery) -> Expression:
        query = self._one_column(node.query, node.place)
        subquery = QueryValue(query.outputs[0].meaning, query, place=node.place)
        operand, _ = comparable(self.value(node.operand), subquery, self.source, node.place)
        return Operation(_CONDITION, "({0} NOT IN {1})" if node.negated else "({0} IN {1})", (operand, subquery), place=node.place)

    @resolve.register
    def _(self, node: tree.Like) -> Expression:
        word = "ILIKE" if node.any_case else "LIKE"
        sides = [self.value(node.operand), self.value(node.pattern)]
        if node.escape is not None:
            sides.append(self.value(node.escape))
        for side in sides:
            require(side, (_TEXT, Internal.NULL), "text", self.source, f"what {word} compares")
        if len(sides) > 2 and not (isinstance(sides[2], Constant) and isinstance(sides[2].value, str) and len(sides[2].value) == 1):
            self.source.fail(AdqlTypeError, "ESCAPE takes one character in quotes: ESCAPE '!'", sides[2].place)
        texts = tuple(converted(side, _TEXT) for side in sides)
        # Without ESCAPE no character is one (SQL-92 section 8.5); PostgreSQL would take the backslash.
        escape = "{2}" if len(sides) > 2 else "''"
        return Operation(_CONDITION, f"({{0}} {'NOT ' if node.negated else ''}{word} {{1}} ESCAPE {escape})", texts, place=node.place)

    @resolve.register
    def _(self, node: tree.IsNull) -> Expression:
        operand = self.value(node.operand)
        if not isinstance(operand.meaning.type, ColumnType) and operand.meaning.type is not Internal.NULL:
            self.source.fail(AdqlTypeError, f"IS NULL asks about a value, but this is {in_words(operand.meaning.type)}", operand.place)
        return Operation(_CONDITION, "({0} IS NOT NULL)" if node.negated else "({0} IS NULL)", (operand,), place=node.place)

    @resolve.register
    def _(self, node: tree.Exists) -> Expression:
        query = self.resolve_query(node.query, self.scope)
        return Operation(_CONDITION, "EXISTS {0}", (QueryValue(_CONDITION, query, place=node.place),), place=node.place)

    @resolve.register
    def _(self, node: tree.Not) -> Expression:
        return Operation(_CONDITION, "(NOT {0})", (self.condition(node.operand),), place=node.place)

    @resolve.register
    def _(self, node: tree.And) -> Expression:
        return Connective(_CONDITION, "AND", tuple(self.condition(operand) for operand in node.operands), place=node.place)

    @resolve.register
    def _(self, node: tree.Or) -> Expression:
        return Connective(_CONDITION, "OR", tuple(self.condition(operand) for operand in node.operands), place=node.place)


def _unit(operator: str, left: Expression, right: Expression) -> str | None:
    """The unit of a sum, where a literal is taken to be in the other's unit; or of a product of two values.

    A literal factor may be a number or a change of unit (``ra * 3600``), so such a product has no unit that can be told.
    """
    literals = [constant(side) is not None for side in (left, right)]
    if operator in "+-":
        units = {side.meaning.unit for side, literal in zip((left, right), literals, strict=True) if not literal}
        return units.pop() if len(units) == 1 else None
    return None if any(literals) else product(left.meaning.unit, right.meaning.unit, 1 if operator == "*" else -1)
