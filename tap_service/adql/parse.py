"""Tokens to tree, by recursive descent: one method a rule of the grammar (ADQL 2.1 appendix A), its name the rule's.

Beyond the grammar, because people write it: CASE, scalar subqueries, CROSS JOIN, ``%``, TRUE and FALSE, IS NULL on any value, LIKE with ESCAPE.
"""

from catalog.errors import UsageError
from tap_service.adql import tree
from tap_service.adql.errors import AdqlSyntaxError
from tap_service.adql.substitutes import instead
from tap_service.adql.token_reader import TokenReader, shown
from tap_service.adql.tokens import FUNCTION_WORDS, Token, TokenKind

VERSIONS = ("2.0", "2.1")
TOO_DEEP = "the query is nested too deeply to be read; write it with fewer parentheses, signs or terms in one expression"

_BETWEEN_VALUES = frozenset(
    (
        "SELECT",
        "FROM",
        "WHERE",
        "GROUP",
        "HAVING",
        "ORDER",
        "AND",
        "OR",
        "AS",
        "IS",
        "IN",
        "LIKE",
        "BETWEEN",
        "ON",
        "WHEN",
        "THEN",
        "ELSE",
        "END",
    )
)
_LARGEST = 2**63 - 1
_TYPES = (
    "SMALLINT",
    "INTEGER",
    "INT",
    "BIGINT",
    "REAL",
    "DOUBLE",
    "CHAR",
    "CHARACTER",
    "VARCHAR",
    "TIMESTAMP",
    "POINT",
    "CIRCLE",
    "POLYGON",
)


def parse(text: str, version: str = "2.1") -> tree.Query:
    """The tree of a query; AdqlSyntaxError tells what was expected, where.

    Args:
        text: the query; one ``;`` at its end is accepted.
        version: ``2.0`` or ``2.1``; they differ in five reserved words.
    """
    if version not in VERSIONS:
        raise UsageError(f"there is no ADQL {version} here; use {' or '.join(VERSIONS)}")
    try:
        return _Parser(text, version).whole_query()
    except RecursionError:
        raise AdqlSyntaxError(TOO_DEEP, text, 0) from None


class _Parser(TokenReader):
    """A method for each rule."""

    # -- queries

    def whole_query(self) -> tree.Query:
        if self.ended():
            self.fail("the query is empty; a query begins with SELECT")
        query = self.query(with_allowed=True)
        if self.accept(";") and not self.ended():
            self.fail("one query at a time: nothing may follow the ';'")
        if not self.ended():
            if self.sees(")"):
                self.fail("this ) closes nothing")
            if self.sees("TOP"):
                self.fail("TOP stands right after SELECT (and DISTINCT)")
            self.fail_expecting("the end of the query")
        return query

    def query(self, with_allowed: bool = False) -> tree.Query:
        place = self.token.place
        common: tuple[tree.CommonTable, ...] = ()
        if with_token := self.accept("WITH"):
            if not with_allowed:
                self.fail("WITH stands only at the beginning of the whole query", with_token)
            if self.sees("RECURSIVE"):
                self.fail("ADQL has no recursive WITH")
            common = self.list_of(self.common_table)
        body = self.set_expression()
        order: tuple[tree.OrderItem, ...] = ()
        if self.accept("ORDER"):
            self.expect("BY")
            order = self.list_of(self.order_item)
        offset = self.whole_number("OFFSET") if self.accept("OFFSET") else None
        if isinstance(body, tree.Query) and not (common or order or offset is not None):
            return body  # only parentheses around a query
        return tree.Query(body, common, order, offset, place=place)

    def common_table(self) -> tree.CommonTable:
        place = self.token.place
        name = self.name()
        columns = self.in_parentheses(lambda: self.list_of(self.name)) if self.sees("(") else ()
        self.expect("AS")
        return tree.CommonTable(name, columns, self.in_parentheses(self.query), place=place)

    def order_item(self) -> tree.OrderItem:
        place = self.token.place
        expression = self.expression()
        direction = self.accept("ASC", "DESC")
        return tree.OrderItem(expression, direction is not None and direction.keyword == "DESC", place=place)

    def set_expression(self) -> tree.Body:
        left = self.set_term()
        while operator := self.accept("UNION", "EXCEPT"):
            left = tree.SetOperation(operator.keyword, self.all_or_distinct(), left, self.set_term(), place=operator.place)
        return left

    def set_term(self) -> tree.Body:
        left = self.set_primary()
        while operator := self.accept("INTERSECT"):
            left = tree.SetOperation(operator.keyword, self.all_or_distinct(), left, self.set_primary(), place=operator.place)
        return left

    def all_or_distinct(self) -> bool:
        return self.accept("ALL") is not None

    def set_primary(self) -> tree.Body:
        return self.in_parentheses(self.query) if self.sees("(") else self.select()

    def select(self) -> tree.Select:
        place = self.expect("SELECT").place
        quantifier = self.accept("DISTINCT", "ALL")
        top = self.whole_number("TOP") if self.accept("TOP") else None
        if top is not None and self.sees("DISTINCT", "ALL"):
            self.fail(f"{self.token.keyword} stands before TOP: SELECT {self.token.keyword} TOP {top}")
        items = self.list_of(self.select_item)
        if self.ended():
            self.fail("every query reads a table: SELECT ... FROM ... is missing its FROM")
        self.expect("FROM")
        tables = self.list_of(self.table_reference)
        where = self.expression() if self.accept("WHERE") else None
        group: tuple[tree.Expression, ...] = ()
        if self.accept("GROUP"):
            self.expect("BY")
            group = self.list_of(self.expression)
        having = self.expression() if self.accept("HAVING") else None
        distinct = quantifier is not None and quantifier.keyword == "DISTINCT"
        return tree.Select(items, tables, distinct, top, where, group, having, place=place)

    def whole_number(self, after: str) -> int:
        token = self.token
        if token.kind is not TokenKind.NUMBER or not token.value.isdigit():
            self.fail(f"{after} is followed by a whole number without sign, found {shown(token)}")
        if len(token.value) > 19 or int(token.value) > _LARGEST:
            self.fail(f"{after} {token.value} is more rows than a table can have", token)
        self.at += 1
        return int(token.value)

    def select_item(self) -> tree.SelectItem | tree.Star:
        place = self.token.place
        if self.accept("*"):
            return tree.Star(place=place)
        if star := self.qualified_star():
            return star
        expression = self.expression()
        return tree.SelectItem(expression, self.alias(), place=place)

    def qualified_star(self) -> tree.Star | None:
        """``t.*`` or ``s.t.*``; nothing is read if what follows is something else."""
        start, at = self.token, self.at
        while self.tokens[at].kind in (TokenKind.WORD, TokenKind.DELIMITED) and self.tokens[at + 1].keyword == ".":
            at += 2
            if self.tokens[at].keyword == "*":
                qualifier = tuple(self.dotted_name(star_follows=True))
                self.expect("*")
                return tree.Star(qualifier, place=start.place)
        return None

    # -- tables

    def table_reference(self) -> tree.TableReference:
        left = self.table_primary()
        while True:
            place = self.token.place
            natural = self.accept("NATURAL") is not None
            kind = "INNER"
            if word := self.accept("INNER", "CROSS", "LEFT", "RIGHT", "FULL"):
                kind = word.keyword
                if kind in ("LEFT", "RIGHT", "FULL"):
                    self.accept("OUTER")
            elif not natural and not self.sees("JOIN"):
                return left
            self.expect("JOIN")
            right = self.table_primary()
            condition: tree.Expression | None = None
            using: tuple[tree.Name, ...] = ()
            if not natural and kind != "CROSS":
                if self.accept("USING"):
                    using = self.in_parentheses(lambda: self.list_of(self.name))
                elif self.accept("ON"):
                    condition = self.expression()
                else:
                    self.fail_expecting("ON", "USING", hint="; write JOIN t ON a.x = t.x, or JOIN t USING (x)")
            left = tree.Join(kind, left, right, natural, condition, using, place=place)

    def table_primary(self) -> tree.TableReference:
        place = self.token.place
        if self.sees("("):
            if self.opens_query():
                query = self.in_parentheses(self.query)
                alias = self.alias()
                if alias is None:
                    self.fail("a query in FROM needs a name: (SELECT ...) AS t")
                return tree.DerivedTable(query, alias, place=place)
            return self.in_parentheses(self.table_reference)
        parts = tuple(self.dotted_name())
        return tree.TableName(parts, self.alias(), place=place)

    def opens_query(self) -> bool:
        """Whether the parentheses that open here hold a query, however many there are."""
        if self.ahead().keyword not in ("(", "SELECT", "WITH"):
            return False
        inside, _ = self.parentheses[self.at]
        if self.tokens[inside].keyword not in ("SELECT", "WITH"):
            return False
        if inside == self.at + 1:
            return True
        # ((SELECT ..) UNION ..) is a query; ((SELECT ..) AS t JOIN ..) and ((SELECT ..) + 1) are not
        _, behind = self.parentheses[self.at + 1]
        return self.tokens[behind].keyword in ("UNION", "EXCEPT", "INTERSECT", "ORDER", "OFFSET", ")", "")

    # -- names

    def name(self) -> tree.Name:
        token = self.token
        if token.kind is TokenKind.DELIMITED:
            self.at += 1
            return tree.Name(token.value, True, place=token.place)
        if token.kind is not TokenKind.WORD:
            self.fail_expecting("a name")
        if token.keyword in self.reserved:
            self.fail(self.reserved_name(token))
        self.at += 1
        return tree.Name(token.value, place=token.place)

    def dotted_name(self, star_follows: bool = False) -> list[tree.Name]:
        """Names joined by dots; next to a dot a reserved word passes as a name, as in ``public.x``."""
        parts: list[tree.Name] = []
        while True:
            token = self.token
            beside_dot = bool(parts) or self.ahead().keyword == "."
            if token.kind is TokenKind.WORD and beside_dot:
                self.at += 1
                parts.append(tree.Name(token.value, place=token.place))
            else:
                parts.append(self.name())
            if not self.accept("."):
                return parts
            if star_follows and self.sees("*"):
                return parts

    def alias(self) -> tree.Name | None:
        if self.accept("AS"):
            return self.name()
        token = self.token
        if token.kind is TokenKind.DELIMITED or (token.kind is TokenKind.WORD and self.may_be_alias(token)):
            return self.name()
        return None

    def may_be_alias(self, token: Token) -> bool:
        if token.keyword in self.reserved or token.keyword == "LIMIT":
            return False
        return not (token.keyword == "OFFSET" and self.ahead().kind is TokenKind.NUMBER)

    # -- conditions and values, loosest binding first

    def expression(self) -> tree.Expression:
        place = self.token.place
        operands = [self.conjunction()]
        while self.accept("OR"):
            operands.append(self.conjunction())
        return operands[0] if len(operands) == 1 else tree.Or(tuple(operands), place=place)

    def conjunction(self) -> tree.Expression:
        place = self.token.place
        operands = [self.negation()]
        while self.accept("AND"):
            operands.append(self.negation())
        return operands[0] if len(operands) == 1 else tree.And(tuple(operands), place=place)

    def negation(self) -> tree.Expression:
        if token := self.accept("NOT"):
            return tree.Not(self.negation(), place=token.place)
        return self.predicate()

    def predicate(self) -> tree.Expression:
        place = self.token.place
        if self.accept("EXISTS"):
            return tree.Exists(self.in_parentheses(self.query), place=place)
        left = self.sum()
        if operator := self.accept("=", "<>", "!=", "<", ">", "<=", ">="):
            if operator.keyword == "=" and self.sees("="):
                self.fail("ADQL compares with a single =", operator)
            return tree.Comparison("<>" if operator.keyword == "!=" else operator.keyword, left, self.sum(), place=operator.place)
        if self.accept("IS"):
            negated = self.accept("NOT") is not None
            self.expect("NULL")
            return tree.IsNull(left, negated, place=place)
        negated = self.accept("NOT") is not None
        if self.accept("BETWEEN"):
            low = self.sum()
            self.expect("AND")
            return tree.Between(left, low, self.sum(), negated, place=place)
        if word := self.accept("LIKE", "ILIKE"):
            pattern = self.sum()
            escape = self.primary() if self.accept("ESCAPE") else None
            return tree.Like(left, pattern, negated, word.keyword == "ILIKE", escape, place=place)
        if self.accept("IN"):
            if not self.sees("("):
                self.fail_expecting("(")
            if self.opens_query():
                return tree.InQuery(left, self.in_parentheses(self.query), negated, place=place)
            return tree.InList(left, self.in_parentheses(self.in_values), negated, place=place)
        if negated:
            self.fail_expecting("BETWEEN", "LIKE", "ILIKE", "IN")
        return left

    def in_values(self) -> tuple[tree.Expression, ...]:
        """The values of IN. Literals are taken as they stand: people send tens of thousands of identifiers."""
        found: list[tree.Expression] = []
        while True:
            token = self.token
            if token.kind in (TokenKind.NUMBER, TokenKind.STRING) and self.ahead().keyword in (",", ")"):
                literal = tree.NumberLiteral if token.kind is TokenKind.NUMBER else tree.StringLiteral
                found.append(literal(token.value, place=token.place))
                self.at += 1
            else:
                found.append(self.expression())
            if not self.accept(","):
                return tuple(found)

    def sum(self) -> tree.Expression:
        left = self.product()
        while operator := self.accept("+", "-", "||"):
            left = tree.Arithmetic(operator.keyword, left, self.product(), place=operator.place)
        return left

    def product(self) -> tree.Expression:
        left = self.signed()
        while operator := self.accept("*", "/", "%"):
            if operator.keyword == "*" and self.sees("*"):
                self.fail("ADQL has no ** operator; write POWER(x, y)", operator)
            left = tree.Arithmetic(operator.keyword, left, self.signed(), place=operator.place)
        return left

    def signed(self) -> tree.Expression:
        if sign := self.accept("+", "-"):
            return tree.Sign(sign.keyword, self.signed(), place=sign.place)
        return self.primary()

    def primary(self) -> tree.Expression:
        token = self.token
        if token.kind is TokenKind.NUMBER:
            self.at += 1
            return tree.NumberLiteral(token.value, place=token.place)
        if token.kind is TokenKind.STRING:
            return self.string()
        if self.sees("("):
            if self.opens_query():
                return tree.ScalarQuery(self.in_parentheses(self.query), place=token.place)
            return self.in_parentheses(self.expression)
        if token.kind is TokenKind.WORD and (special := self.keyword_value()):
            return special
        if token.kind is TokenKind.WORD and self.ahead().keyword == "(":
            if token.keyword not in self.reserved or token.keyword in FUNCTION_WORDS:
                return self.call()
            if token.keyword in ("ALL", "ANY", "SOME"):
                self.fail(f"ADQL has no comparison with {token.keyword} of a query; compare with (SELECT MAX(...) ...) or use IN")
            self.fail(f"{token.value!r} is a reserved word of ADQL, not a function here{instead(token.keyword)}")
        if token.kind in (TokenKind.WORD, TokenKind.DELIMITED):
            if token.keyword in self.reserved and self.ahead().keyword != ".":
                if token.keyword in _BETWEEN_VALUES:
                    self.fail(f"expected a value before {token.keyword}")
                if token.keyword in FUNCTION_WORDS:
                    self.fail(f'{token.value} is a function and needs (...); for a column of that name write "{token.value}"')
            return tree.ColumnReference(tuple(self.dotted_name()), place=token.place)
        if token.kind is TokenKind.END:
            self.fail("the query ends where a value was expected")
        return self.fail(f"expected a value, found {shown(token)}")

    def string(self) -> tree.StringLiteral:
        """A string; literals with only white space between them are one (SQL-92 section 5.3)."""
        first = self.token
        parts = []
        while self.token.kind is TokenKind.STRING:
            parts.append(self.token.value)
            self.at += 1
        return tree.StringLiteral("".join(parts), place=first.place)

    def keyword_value(self) -> tree.Expression | None:
        """What begins with a keyword of its own: NULL, TRUE, FALSE, CAST, CASE."""
        place = self.token.place
        if self.ahead().keyword == ".":
            return None
        if self.accept("NULL"):
            return tree.NullLiteral(place=place)
        if word := self.accept("TRUE", "FALSE"):
            return tree.BooleanLiteral(word.keyword == "TRUE", place=place)
        if self.accept("CAST"):
            return self.in_parentheses(lambda: self.cast(place))
        if self.accept("CASE"):
            return self.case(place)
        return None

    def cast(self, place: int) -> tree.Cast:
        operand = self.expression()
        self.expect("AS")
        type_name = self.token.keyword
        if type_name not in _TYPES:
            self.fail(f"CAST to {shown(self.token)} is not known; types are {', '.join(_TYPES)}")
        self.at += 1
        if type_name == "DOUBLE":
            self.accept("PRECISION")
        if type_name == "CHARACTER":
            type_name = "VARCHAR" if self.accept("VARYING") else "CHAR"
        length = None
        if type_name in ("CHAR", "VARCHAR") and self.sees("("):
            length = self.in_parentheses(lambda: self.whole_number(type_name))
        return tree.Cast(operand, {"INT": "INTEGER"}.get(type_name, type_name), length, place=place)

    def case(self, place: int) -> tree.Case:
        operand = None if self.sees("WHEN") else self.expression()
        branches = []
        if not self.sees("WHEN"):
            self.fail_expecting("WHEN")
        while self.accept("WHEN"):
            condition = self.expression()
            self.expect("THEN")
            branches.append((condition, self.expression()))
        otherwise = self.expression() if self.accept("ELSE") else None
        self.expect("END")
        return tree.Case(operand, tuple(branches), otherwise, place=place)

    def call(self) -> tree.Call:
        token = self.token
        self.at += 1
        self.expect("(")
        distinct = star = False
        arguments: tuple[tree.Expression, ...] = ()
        if word := self.accept("DISTINCT", "ALL"):
            distinct = word.keyword == "DISTINCT"
            arguments = self.list_of(self.expression)
        elif self.accept("*"):
            star = True
        elif not self.sees(")"):
            arguments = self.list_of(self.expression)
        self.expect(")")
        return tree.Call(token.keyword, arguments, distinct, star, place=token.place)
