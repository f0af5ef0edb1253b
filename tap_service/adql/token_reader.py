"""Reading tokens one after the other: what the parser's rules are written with, and the sentences for what was not expected."""

from collections.abc import Callable
from functools import cached_property
from typing import NoReturn, TypeVar

from tap_service.adql.errors import AdqlSyntaxError
from tap_service.adql.tokens import FUNCTION_WORDS, Token, TokenKind, reserved_words, tokens
from tap_service.names import close_names

_CLAUSES = ("FROM", "WHERE", "GROUP", "HAVING", "ORDER", "OFFSET", "UNION", "EXCEPT", "INTERSECT", "JOIN", "INNER", "LEFT", "NATURAL", "AS")

_T = TypeVar("_T")


class TokenReader:
    """A query's tokens and the place that has been reached in them."""

    def __init__(self, text: str, version: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.at = 0
        self.reserved = reserved_words(version)

    @property
    def token(self) -> Token:
        """The token that comes next."""
        return self.tokens[self.at]

    def ahead(self, count: int = 1) -> Token:
        """The token after that, or ``count`` further."""
        return self.tokens[min(self.at + count, len(self.tokens) - 1)]

    def sees(self, *keywords: str) -> bool:
        """Whether the next token is one of these."""
        return self.token.keyword in keywords

    def ended(self) -> bool:
        """Whether the text has been read to its end."""
        return self.token.kind is TokenKind.END

    def accept(self, *keywords: str) -> Token | None:
        """The next token if it is one of these, which is then behind us."""
        token = self.token
        if token.keyword and token.keyword in keywords:
            self.at += 1
            return token
        return None

    @cached_property
    def parentheses(self) -> dict[int, tuple[int, int]]:
        """For each ``(``: the first token that is no further ``(``, and the one behind its ``)``. Found in one pass, however deep they go."""
        last = len(self.tokens) - 1
        inside = last
        first: dict[int, int] = {}
        for at in range(last, -1, -1):
            if self.tokens[at].keyword == "(":
                first[at] = inside
            else:
                inside = at
        behind = dict.fromkeys(first, last)
        opened: list[int] = []
        for at, token in enumerate(self.tokens):
            if token.keyword == "(":
                opened.append(at)
            elif token.keyword == ")" and opened:
                behind[opened.pop()] = at + 1
        return {at: (first[at], behind[at]) for at in first}

    def expect(self, *keywords: str) -> Token:
        """The next token, which must be one of these."""
        return self.accept(*keywords) or self.fail_expecting(*keywords)

    def fail(self, message: str, token: Token | None = None) -> NoReturn:
        """Raise AdqlSyntaxError at a token, by default the next one."""
        raise AdqlSyntaxError(message, self.text, (token or self.token).place)

    def fail_expecting(self, *keywords: str, hint: str = "") -> NoReturn:
        """Say what was expected, and guess which word was meant for it, or give the hint."""
        token = self.token
        if token.keyword == "LIMIT" or (self.at and self.tokens[self.at - 1].keyword == "LIMIT"):
            limit = token if token.keyword == "LIMIT" else self.tokens[self.at - 1]
            self.fail("ADQL has no LIMIT; write SELECT TOP n at the beginning", limit)
        if self.at and self.tokens[self.at - 1].keyword == "MINUS" and token.keyword in ("SELECT", "("):
            self.fail("ADQL has no MINUS between queries; write EXCEPT", self.tokens[self.at - 1])
        if token.keyword == ";":
            self.fail("one query at a time: nothing may follow the ';'", token)
        before = self.tokens[self.at - 1] if self.at else None
        if token.keyword == "(" and before and before.keyword == "OVER":
            self.fail("ADQL has no window functions (OVER); use GROUP BY, or a derived table", before)
        if token.keyword == "=" and before and before.keyword == "=":
            self.fail("ADQL compares with a single =", before)
        for word in (token, before):
            if word and word.kind is TokenKind.WORD and word.keyword not in self.reserved:
                near = close_names(word.value, (*keywords, *_CLAUSES) if word is before else keywords, 1, 0.7)
                if near and near[0] != word.keyword:
                    self.fail(f"expected {_either(keywords)}; did you mean {near[0]} instead of {word.value!r}?", word)
        if token.kind is TokenKind.WORD and token.keyword in FUNCTION_WORDS:
            self.fail(self.reserved_name(token))
        self.fail(f"expected {_either(keywords)}, found {shown(token)}{hint}")

    @staticmethod
    def reserved_name(token: Token) -> str:
        """Why a reserved word is no name, and what to write."""
        return f'{token.value!r} is a reserved word of ADQL; to use it as a name write "{token.value}"'

    def list_of(self, rule: Callable[[], _T]) -> tuple[_T, ...]:
        """What a rule reads, as often as commas go on."""
        found = [rule()]
        while self.accept(","):
            found.append(rule())
        return tuple(found)

    def in_parentheses(self, rule: Callable[[], _T]) -> _T:
        """What a rule reads between ( and )."""
        self.expect("(")
        found = rule()
        self.expect(")")
        return found


def _either(keywords: tuple[str, ...]) -> str:
    return " or ".join(keywords)


def shown(token: Token) -> str:
    """A token as a message quotes it."""
    return "the end of the query" if token.kind is TokenKind.END else repr(token.text)
