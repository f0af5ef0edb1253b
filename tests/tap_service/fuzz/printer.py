"""Trees written as ADQL: ``parse(written(tree))`` is the tree again, in whatever spacing, case and with whatever comments.

A tree becomes a list of tokens, with parentheses where the grammar's binding asks for them and now and then where it does not; then
the tokens are joined.
"""

import re
from functools import singledispatch

from tap_service.adql import tree
from tests.tap_service.fuzz.choices import Choices

_OR, _AND, _NOT, _PREDICATE, _SUM, _PRODUCT, _SIGNED, _PRIMARY = range(8)
"""How tightly a rule of the grammar binds, loosest first."""

_SPACES = (" ", " ", " ", "\n", "\t", "  ", ' -- it\'s "a" comment; %s\n', "\r\n", " --\n")
_PLAIN = Choices(b"")


def written(query: tree.Query, style: Choices = _PLAIN) -> str:
    """The text of a query; ``style`` decides spaces, comments, case and needless parentheses."""
    return _joined(_Printer(style).query(query), style)


def _joined(words: list[str], style: Choices) -> str:
    text = ""
    for word in words:
        if text and (_must_part(text[-1], word[0]) or not style.chance(30)):
            text += style.of(_SPACES)
        text += word
    return text + (";" if style.chance(10) else "")


def _must_part(last: str, first: str) -> bool:
    """Whether two tokens would read as one, or as a comment, without a space between."""
    if last in "'\"":
        return first == last
    return ((last.isalnum() or last in "_.") and (first.isalnum() or first in "_.")) or (last == first == "-")


class _Printer:
    """Tokens of each kind of node."""

    def __init__(self, style: Choices) -> None:
        self.style = style

    def word(self, *words: str) -> list[str]:
        """Keywords in some case."""
        return [self.style.of((str.upper, str.upper, str.lower, str.capitalize))(word) for word in words]

    def name(self, name: tree.Name) -> str:
        if name.delimited:
            return str(name)
        return name.text

    def names(self, names: tuple[tree.Name, ...]) -> list[str]:
        """Names joined by dots, as one token: spaces beside the dots are rare."""
        parts = [self.name(name) for name in names]
        if not self.style.chance(5):
            return [".".join(parts)]
        return [token for part in parts for token in (".", part)][1:]

    def comma(self, parts: list[list[str]]) -> list[str]:
        return [token for part in parts for token in (",", *part)][1:]

    def parentheses(self, tokens: list[str]) -> list[str]:
        return ["(", *tokens, ")"]

    # -- queries

    def query(self, node: tree.Query) -> list[str]:
        tokens: list[str] = []
        if node.common_tables:
            tables = [
                [
                    self.name(table.name),
                    *(self.parentheses(self.comma([[self.name(name)] for name in table.columns])) if table.columns else []),
                    *self.word("AS"),
                    *self.parentheses(self.query(table.query)),
                ]
                for table in node.common_tables
            ]
            tokens += [*self.word("WITH"), *self.comma(tables)]
        tokens += self.parentheses(self.query(node.body)) if isinstance(node.body, tree.Query) else self.body(node.body)
        if node.order_by:
            items = [self.value(item.expression, _OR) + self.direction(item) for item in node.order_by]
            tokens += [*self.word("ORDER", "BY"), *self.comma(items)]
        if node.offset is not None:
            tokens += [*self.word("OFFSET"), str(node.offset)]
        return tokens

    def direction(self, item: tree.OrderItem) -> list[str]:
        if item.descending:
            return self.word("DESC")
        return self.word("ASC") if self.style.chance(30) else []

    def body(self, node: tree.Body) -> list[str]:
        if isinstance(node, tree.Query):
            return self.parentheses(self.query(node))
        if isinstance(node, tree.SetOperation):
            # The parentheses of an operand are a Query of their own in the tree; without them INTERSECT binds tighter, from the left.
            return self.body(node.left) + self.word(node.operator, *(("ALL",) if node.all else ())) + self.body(node.right)
        return self.select(node)

    def select(self, node: tree.Select) -> list[str]:
        tokens = self.word("SELECT", *(("DISTINCT",) if node.distinct else ("ALL",) if self.style.chance(5) else ()))
        if node.top is not None:
            tokens += [*self.word("TOP"), str(node.top)]
        tokens += self.comma([self.item(item) for item in node.items])
        tokens += [*self.word("FROM"), *self.comma([self.table(table) for table in node.tables])]
        if node.where is not None:
            tokens += [*self.word("WHERE"), *self.value(node.where, _OR)]
        if node.group_by:
            tokens += [*self.word("GROUP", "BY"), *self.comma([self.value(item, _OR) for item in node.group_by])]
        if node.having is not None:
            tokens += [*self.word("HAVING"), *self.value(node.having, _OR)]
        return tokens

    def item(self, node: tree.SelectItem | tree.Star) -> list[str]:
        if isinstance(node, tree.Star):
            return [".".join([*(self.name(name) for name in node.qualifier), "*"])]
        return self.value(node.expression, _OR) + self.alias(node.alias)

    def alias(self, name: tree.Name | None) -> list[str]:
        if name is None:
            return []
        return [*(self.word("AS") if not self.style.chance(30) else []), self.name(name)]

    # -- tables

    def table(self, node: tree.TableReference) -> list[str]:
        if isinstance(node, tree.TableName):
            return self.names(node.parts) + self.alias(node.alias)
        if isinstance(node, tree.DerivedTable):
            return self.parentheses(self.query(node.query)) + self.alias(node.alias)
        assert isinstance(node, tree.Join)
        right = self.table(node.right)
        tokens = self.table(node.left) + (self.word("NATURAL") if node.natural else [])
        if node.kind == "INNER":
            tokens += self.word("INNER") if self.style.chance(30) else []
        else:
            tokens += self.word(node.kind, *(("OUTER",) if node.kind != "CROSS" and self.style.chance(30) else ()))
        tokens += self.word("JOIN") + (self.parentheses(right) if isinstance(node.right, tree.Join) else right)
        if node.using:
            tokens += self.word("USING") + self.parentheses(self.comma([[self.name(name)] for name in node.using]))
        elif node.condition is not None:
            tokens += self.word("ON") + self.value(node.condition, _OR)
        return tokens

    # -- values and conditions

    def value(self, node: tree.Expression, least: int) -> list[str]:
        """A value where the grammar takes what binds at least so tightly."""
        tokens, binding = _tokens(node, self)
        return self.parentheses(tokens) if binding < least or self.style.chance(2) else tokens

    def negation(self, negated: bool) -> list[str]:
        return self.word("NOT") if negated else []


@singledispatch
def _tokens(node: tree.Expression, printer: _Printer) -> tuple[list[str], int]:
    """An expression's tokens, and how tightly they hold together."""
    raise AssertionError(f"nobody prints a {type(node).__name__}")


@_tokens.register
def _(node: tree.NumberLiteral, printer: _Printer) -> tuple[list[str], int]:
    return [node.text], _PRIMARY


@_tokens.register
def _(node: tree.StringLiteral, printer: _Printer) -> tuple[list[str], int]:
    cut = printer.style.below(len(node.value)) if 1 < len(node.value) < 200 and printer.style.chance(5) else 0
    parts = (node.value[:cut], node.value[cut:]) if cut else (node.value,)  # literals beside one another are one
    return ["'" + part.replace("'", "''") + "'" for part in parts], _PRIMARY


@_tokens.register
def _(node: tree.BooleanLiteral, printer: _Printer) -> tuple[list[str], int]:
    return printer.word("TRUE" if node.value else "FALSE"), _PRIMARY


@_tokens.register
def _(node: tree.NullLiteral, printer: _Printer) -> tuple[list[str], int]:
    return printer.word("NULL"), _PRIMARY


@_tokens.register
def _(node: tree.ColumnReference, printer: _Printer) -> tuple[list[str], int]:
    return printer.names(node.parts), _PRIMARY


@_tokens.register
def _(node: tree.Sign, printer: _Printer) -> tuple[list[str], int]:
    return [node.operator, *printer.value(node.operand, _SIGNED)], _SIGNED


@_tokens.register
def _(node: tree.Arithmetic, printer: _Printer) -> tuple[list[str], int]:
    binding = _SUM if node.operator in ("+", "-", "||") else _PRODUCT
    return [*printer.value(node.left, binding), node.operator, *printer.value(node.right, binding + 1)], binding


@_tokens.register
def _(node: tree.Call, printer: _Printer) -> tuple[list[str], int]:
    if node.star:
        inside = ["*"]
    else:
        every = node.function in ("COUNT", "SUM", "MIN", "MAX", "AVG") and printer.style.chance(10)
        quantifier = printer.word("DISTINCT") if node.distinct else printer.word("ALL") if every else []
        inside = quantifier + printer.comma([printer.value(argument, _OR) for argument in node.arguments])
    return [*printer.word(node.function), *printer.parentheses(inside)], _PRIMARY


@_tokens.register
def _(node: tree.Cast, printer: _Printer) -> tuple[list[str], int]:
    spellings = {
        "INTEGER": ("INTEGER", "INT"), "DOUBLE": ("DOUBLE PRECISION", "DOUBLE"), "CHAR": ("CHAR", "CHARACTER"),
        "VARCHAR": ("VARCHAR", "CHARACTER VARYING"),
    }  # fmt: skip
    type_name = printer.word(*printer.style.of(spellings.get(node.type_name, (node.type_name,))).split())
    length = printer.parentheses([str(node.length)]) if node.length is not None else []
    inside = [*printer.value(node.operand, _OR), *printer.word("AS"), *type_name, *length]
    return [*printer.word("CAST"), *printer.parentheses(inside)], _PRIMARY


@_tokens.register
def _(node: tree.Case, printer: _Printer) -> tuple[list[str], int]:
    tokens = printer.word("CASE") + (printer.value(node.operand, _OR) if node.operand is not None else [])
    for condition, value in node.branches:
        tokens += [*printer.word("WHEN"), *printer.value(condition, _OR), *printer.word("THEN"), *printer.value(value, _OR)]
    tokens += [*printer.word("ELSE"), *printer.value(node.otherwise, _OR)] if node.otherwise is not None else []
    return tokens + printer.word("END"), _PRIMARY


@_tokens.register
def _(node: tree.ScalarQuery, printer: _Printer) -> tuple[list[str], int]:
    return printer.parentheses(printer.query(node.query)), _PRIMARY


@_tokens.register
def _(node: tree.Comparison, printer: _Printer) -> tuple[list[str], int]:
    operator = printer.style.of(("<>", "!=")) if node.operator == "<>" else node.operator
    return [*printer.value(node.left, _SUM), operator, *printer.value(node.right, _SUM)], _PREDICATE


@_tokens.register
def _(node: tree.Between, printer: _Printer) -> tuple[list[str], int]:
    bounds = [*printer.value(node.low, _SUM), *printer.word("AND"), *printer.value(node.high, _SUM)]
    return [*printer.value(node.operand, _SUM), *printer.negation(node.negated), *printer.word("BETWEEN"), *bounds], _PREDICATE


@_tokens.register
def _(node: tree.InList, printer: _Printer) -> tuple[list[str], int]:
    values = printer.parentheses(printer.comma([printer.value(value, _OR) for value in node.values]))
    return [*printer.value(node.operand, _SUM), *printer.negation(node.negated), *printer.word("IN"), *values], _PREDICATE


@_tokens.register
def _(node: tree.InQuery, printer: _Printer) -> tuple[list[str], int]:
    query = printer.parentheses(printer.query(node.query))
    return [*printer.value(node.operand, _SUM), *printer.negation(node.negated), *printer.word("IN"), *query], _PREDICATE


@_tokens.register
def _(node: tree.Like, printer: _Printer) -> tuple[list[str], int]:
    word = printer.word("ILIKE" if node.any_case else "LIKE")
    return [*printer.value(node.operand, _SUM), *printer.negation(node.negated), *word, *printer.value(node.pattern, _SUM)], _PREDICATE


@_tokens.register
def _(node: tree.IsNull, printer: _Printer) -> tuple[list[str], int]:
    return [*printer.value(node.operand, _SUM), *printer.word("IS"), *printer.negation(node.negated), *printer.word("NULL")], _PREDICATE


@_tokens.register
def _(node: tree.Exists, printer: _Printer) -> tuple[list[str], int]:
    return [*printer.word("EXISTS"), *printer.parentheses(printer.query(node.query))], _PREDICATE


@_tokens.register
def _(node: tree.Not, printer: _Printer) -> tuple[list[str], int]:
    return [*printer.word("NOT"), *printer.value(node.operand, _NOT)], _NOT


@_tokens.register
def _(node: tree.And, printer: _Printer) -> tuple[list[str], int]:
    return _between("AND", node.operands, _NOT, printer), _AND


@_tokens.register
def _(node: tree.Or, printer: _Printer) -> tuple[list[str], int]:
    return _between("OR", node.operands, _AND, printer), _OR


def _between(word: str, operands: tuple[tree.Expression, ...], least: int, printer: _Printer) -> list[str]:
    tokens: list[str] = []
    for operand in operands:
        tokens += [*(printer.word(word) if tokens else []), *printer.value(operand, least)]
    return tokens


def is_plain(name: str) -> bool:
    """Whether a name needs no quotes for its characters."""
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) is not None
