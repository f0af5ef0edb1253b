"""What is ADQL and what is not; each refusal names the place and what to write instead."""

import random
import re
import time
from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import UsageError
from tap_service.adql import tree
from tap_service.adql.errors import AdqlError, AdqlSyntaxError
from tap_service.adql.parse import parse
from tap_service.adql.tokens import RESERVED, tokens

_T = TypeVar("_T")

VALID = {
    "top": "SELECT TOP 10 source_id, ra FROM s.t ORDER BY ra DESC, source_id",
    "offset": "SELECT TOP 10 a FROM t ORDER BY a OFFSET 20",
    "distinct": "SELECT DISTINCT TOP 3 a FROM t",
    "all": "SELECT ALL a FROM t",
    "aliases": 'SELECT a AS x, b y, "c d" "e f" FROM t AS u',
    "stars": "SELECT *, t.*, s.t.*, a + 1 FROM s.t",
    "quoted": 'SELECT m."size" FROM "My Schema"."main" AS m',
    "quote in quotes": 'SELECT "a""b" FROM t',
    "public schema": "SELECT ra FROM public.main",
    "reserved after a dot": "SELECT t.size FROM t",
    "numbers": "SELECT 1, 1., .5, 1.5E-3, 2e+4 FROM t",
    "strings": "SELECT 'it''s', '' FROM t",
    "joined strings": "SELECT 'a' 'b'\n 'c' FROM t",
    "comments": "-- first\nSELECT a -- the column\nFROM t -- the end",
    "semicolon": "SELECT a FROM t ;",
    "cone": "SELECT a FROM t WHERE 1=CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', 56.75, 24.12, 1.0))",
    "distance": "SELECT a FROM t WHERE DISTANCE(ra, dec, 56.75, -24.12) < 0.1",
    "predicates": "SELECT a FROM t WHERE a IS NOT NULL AND b IS NULL AND a NOT BETWEEN 1 AND 2 AND c NOT LIKE 'x%' AND c ILIKE 'y'",
    "in list": "SELECT a FROM t WHERE a IN (1) OR a NOT IN (1, 2, 3)",
    "in query": "SELECT a FROM t WHERE a IN (SELECT b FROM u) AND NOT EXISTS (SELECT 1 FROM v)",
    "in set": "SELECT a FROM t WHERE a IN ((SELECT b FROM u) UNION (SELECT b FROM v))",
    "comparisons": "SELECT a FROM t WHERE a != 1 AND a <> 2 AND a <= 3 AND a >= 4 AND a < 5 AND a > 6",
    "join on": "SELECT a FROM t JOIN u ON t.a = u.a LEFT OUTER JOIN v ON v.a = u.a RIGHT JOIN w USING (a, b)",
    "join natural": "SELECT a FROM t NATURAL FULL OUTER JOIN u",
    "join nested": "SELECT a FROM (t JOIN u USING (a)) INNER JOIN (v JOIN w USING (b)) USING (c)",
    "join cross": "SELECT a FROM t CROSS JOIN u, v",
    "derived": "SELECT x.a FROM (SELECT TOP 5 a FROM t ORDER BY a) AS x JOIN (SELECT a FROM u) y ON x.a = y.a",
    "derived set": "SELECT x.a FROM ((SELECT a FROM t) UNION (SELECT a FROM u)) AS x",
    "derived in join in parentheses": "SELECT x.a FROM ((SELECT a FROM t) AS x JOIN u ON u.a = x.a)",
    "grouped": "SELECT f, COUNT(*), COUNT(DISTINCT a), SUM(ALL b) FROM t GROUP BY f, g / 2 HAVING COUNT(*) > 10 ORDER BY 2, AVG(b) ASC",
    "sets": "SELECT a FROM t UNION ALL SELECT b FROM u EXCEPT SELECT c FROM v INTERSECT SELECT d FROM w ORDER BY 1 OFFSET 3",
    "set of parentheses": "(SELECT TOP 3 a FROM t ORDER BY a) UNION (SELECT a FROM u)",
    "with": "WITH x AS (SELECT a FROM t), y(b) AS (SELECT a FROM x) SELECT x.a FROM x JOIN y ON x.a = y.b",
    "cast": "SELECT CAST(a AS VARCHAR(20)), CAST(a AS DOUBLE PRECISION), CAST(a AS CHAR), CAST(b AS TIMESTAMP) FROM t",
    "coalesce": "SELECT COALESCE(a, b, 0) FROM t",
    "case": "SELECT CASE WHEN a > 1 THEN 'x' WHEN a > 2 THEN 'y' ELSE 'z' END, CASE a WHEN 1 THEN 2 END FROM t",
    "scalar query": "SELECT (SELECT MAX(a) FROM t) - a FROM t",
    "signs": "SELECT -a, +a, - -a, 2 - -3 FROM t",
    "user function": "SELECT ivo_healpix_index(6, ra, dec) FROM t",
    "functions without arguments": "SELECT PI(), RAND() FROM t",
    "lower case": "select top 5 a from t where not (a = 1 or b is null) order by a desc",
}


@pytest.mark.parametrize("text", VALID.values(), ids=VALID.keys())
def test_adql_is_read(text: str) -> None:
    assert isinstance(parse(text), tree.Query)


@pytest.mark.parametrize(
    ("text", "line", "column", "hint"),
    [
        ("", 1, 1, "begins with SELECT"),
        ("   \n ", 2, 2, "begins with SELECT"),
        ("SELCT a FROM t", 1, 1, "did you mean SELECT"),
        ("SELECT a FORM t", 1, 10, "did you mean FROM"),
        ("SELECT a\nFROM t WHER a > 1", 2, 8, "did you mean WHERE"),
        ("SELECT a FROM t ODER BY a", 1, 17, "did you mean ORDER"),
        ("SELECT a FROM t LIMIT 10", 1, 17, "SELECT TOP n"),
        ("SELECT a FROM t WHERE a > 1 LIMIT 10", 1, 29, "SELECT TOP n"),
        ("SELECT a FROM t; DROP TABLE t", 1, 18, "one query at a time"),
        ("SELECT a FROM t;;", 1, 17, "one query at a time"),
        ("SELECT a; FROM t", 1, 9, "one query at a time"),
        ("SELECT a FROM t WHERE a == 1", 1, 25, "single ="),
        ("SELECT size FROM t", 1, 8, 'write "size"'),
        ("SELECT a AS distance FROM t", 1, 13, 'write "distance"'),
        ("SELECT a distance FROM t", 1, 10, 'write "distance"'),
        ("SELECT distance FROM t", 1, 8, 'write "distance"'),
        ("SELECT a FROM order", 1, 15, 'write "order"'),
        ("SELECT a, FROM t", 1, 11, "expected a value before FROM"),
        ("SELECT FROM t", 1, 8, "expected a value before FROM"),
        ("SELECT a FROM t WHERE", 1, 22, "the query ends"),
        ("SELECT a FROM t WHERE (a > 1 AND b < 2", 1, 39, "expected )"),
        ("SELECT a FROM t WHERE a > 1)", 1, 28, "closes nothing"),
        ("SELECT a FROM t WHERE a NOT 3", 1, 29, "BETWEEN or LIKE"),
        ("SELECT a FROM t WHERE a BETWEEN 1, 2", 1, 34, "expected AND"),
        ("SELECT a FROM t WHERE name = \"it's\" AND b = 'x", 1, 45, "no closing quote"),
        ('SELECT a FROM t WHERE "a = 1', 1, 23, "closing"),
        ("SELECT a FROM t WHERE a = ‘x’", 1, 27, "straight '"),
        ("SELECT a FROM t WHERE a = 0xFF", 1, 27, "hexadecimal"),
        ("SELECT a FROM t WHERE (a & 4) = 4", 1, 26, "bitwise"),
        ("SELECT 2MASS FROM t", 1, 8, "begins with a digit"),
        ("SELECT a::int FROM t", 1, 9, "CAST"),
        ("SELECT _a FROM t", 1, 8, "begins with a letter"),
        ("SELECT a FROM t /* not ADQL */", 1, 17, "expected the end of the query"),
        ("SELECT TOP a FROM t", 1, 12, "whole number"),
        ("SELECT TOP -1 a FROM t", 1, 12, "whole number"),
        ("SELECT TOP 1.5 a FROM t", 1, 12, "whole number"),
        ("SELECT TOP 99999999999999999999 a FROM t", 1, 12, "more rows"),
        ("SELECT TOP 5 DISTINCT a FROM t", 1, 14, "stands before TOP"),
        ("SELECT a FROM t OFFSET x", 1, 24, "whole number"),
        ("SELECT a FROM (SELECT a FROM t)", 1, 32, "needs a name"),
        ("SELECT a FROM t JOIN u", 1, 23, "ON or USING"),
        ("SELECT a FROM t LEFT u ON t.a = u.a", 1, 22, "expected JOIN"),
        ("SELECT a FROM t WHERE a IN (WITH x AS (SELECT a FROM t) SELECT a FROM x)", 1, 29, "beginning of the whole query"),
        ("WITH RECURSIVE x AS (SELECT a FROM t) SELECT a FROM x", 1, 6, "recursive"),
        ("SELECT CAST(a AS TEXT) FROM t", 1, 18, "types are SMALLINT"),
        ("SELECT CASE ELSE 1 END FROM t", 1, 13, "expected a value"),
        ("SELECT a FROM t ORDER BY a OFFSET 1 OFFSET 2", 1, 37, "expected the end"),
        ("SELECT a FROM t WHERE a > 1 WHERE b > 1", 1, 29, "expected the end"),
        ("INSERT INTO t VALUES (1)", 1, 1, "expected SELECT"),
        ("SELECT a\n  FROM t\n  WHERE a ? 1", 3, 11, "'?' has no meaning"),
        ("SELECT 'a\x00' FROM t", 1, 10, "U+0000"),
        ("SELECT '\ud800' FROM t", 1, 9, "U+D800"),
        ("SELECT " + "(" * 5000 + "1", 1, 1, "nested too deeply"),
        ("SELECT " + "-" * 1 + " - " * 5000 + "1 FROM t", 1, 1, "nested too deeply"),
    ],
)
def test_a_refusal_points_at_its_place_and_says_what_to_write(text: str, line: int, column: int, hint: str) -> None:
    with pytest.raises(AdqlSyntaxError) as caught:
        parse(text)
    assert (caught.value.line, caught.value.column) == (line, column), str(caught.value)
    assert hint in caught.value.message


def test_an_error_shows_the_line_with_a_caret_under_the_place() -> None:
    with pytest.raises(AdqlSyntaxError) as caught:
        parse("SELECT a\nFROM t\tWHERE a ? 1")
    sentence, line, caret = str(caught.value).splitlines()
    assert sentence.startswith("'?' has no meaning") and "line 2, column 16" in sentence
    assert line == "  FROM t WHERE a ? 1"
    assert line[caret.index("^")] == "?"


def test_a_long_line_is_shown_around_the_place() -> None:
    text = "SELECT " + ", ".join(f"column_{number}" for number in range(1000)) + " FORM t WHERE " + "a > 1 AND " * 100 + "b > 2"
    with pytest.raises(AdqlSyntaxError) as caught:
        parse(text)
    _, line, caret = str(caught.value).splitlines()
    assert len(line) < 140 and line[caret.index("^") :].startswith("FORM t")


@pytest.mark.parametrize("word", sorted(RESERVED))
def test_every_reserved_word_is_a_name_only_in_quotes(word: str) -> None:
    with pytest.raises(AdqlSyntaxError):
        parse(f"SELECT a AS {word} FROM t")
    query = parse(f'SELECT a AS "{word}" FROM t')
    assert isinstance(query.body, tree.Select)
    item = query.body.items[0]
    assert isinstance(item, tree.SelectItem) and item.alias == tree.Name(word, delimited=True)


@pytest.mark.parametrize("word", ["BIGINT", "COT", "ILIKE", "IN_UNIT", "OFFSET"])
def test_words_new_in_2_1_are_names_in_2_0(word: str) -> None:
    parse(f"SELECT t.a AS {word} FROM t", "2.0")
    with pytest.raises(AdqlSyntaxError):
        parse(f"SELECT t.a AS {word} FROM t", "2.1")


def test_another_version_is_refused() -> None:
    with pytest.raises(UsageError, match=re.escape("2.0 or 2.1")):
        parse("SELECT a FROM t", "3.0")


def test_intersect_binds_tighter_than_union() -> None:
    body = parse("SELECT a FROM t UNION SELECT b FROM u INTERSECT SELECT c FROM v").body
    assert isinstance(body, tree.SetOperation) and body.operator == "UNION"
    assert isinstance(body.right, tree.SetOperation) and body.right.operator == "INTERSECT"


def test_operators_bind_as_in_arithmetic() -> None:
    one, two, three = (tree.NumberLiteral(text) for text in "123")
    times = tree.Arithmetic("*", two, three)
    assert _only_item("1 + 2 * 3") == tree.Arithmetic("+", one, times)
    assert _only_item("1 - 2 - 3") == tree.Arithmetic("-", tree.Arithmetic("-", one, two), three)
    assert _only_item("-1 * 2") == tree.Arithmetic("*", tree.Sign("-", one), two)


def _only_item(expression: str) -> tree.Expression:
    body = parse(f"SELECT {expression} FROM t").body
    assert isinstance(body, tree.Select) and isinstance(body.items[0], tree.SelectItem)
    return body.items[0].expression


# -- any tree comes back from its text


def written(node: object) -> str:
    """The text of a tree, with every operand in parentheses."""
    match node:
        case tree.Name():
            return str(node)
        case tree.NumberLiteral():
            return node.text
        case tree.StringLiteral():
            return "'" + node.value.replace("'", "''") + "'"
        case tree.BooleanLiteral():
            return "TRUE" if node.value else "FALSE"
        case tree.NullLiteral():
            return "NULL"
        case tree.ColumnReference():
            return ".".join(map(str, node.parts))
        case tree.Sign():
            return f"{node.operator} ({written(node.operand)})"
        case tree.Arithmetic() | tree.Comparison():
            return f"({written(node.left)}) {node.operator} ({written(node.right)})"
        case tree.Call():
            inside = "*" if node.star else ", ".join(map(written, node.arguments))
            return f"{node.function}({'DISTINCT ' if node.distinct else ''}{inside})"
        case tree.Cast():
            length = f"({node.length})" if node.length is not None else ""
            return f"CAST({written(node.operand)} AS {node.type_name}{length})"
        case tree.Case():
            branches = " ".join(f"WHEN {written(condition)} THEN {written(value)}" for condition, value in node.branches)
            operand = f" ({written(node.operand)})" if node.operand else ""
            otherwise = f" ELSE {written(node.otherwise)}" if node.otherwise else ""
            return f"CASE{operand} {branches}{otherwise} END"
        case tree.ScalarQuery():
            return f"({written(node.query)})"
        case tree.Between():
            return f"({written(node.operand)}) {_not(node)}BETWEEN ({written(node.low)}) AND ({written(node.high)})"
        case tree.InList():
            return f"({written(node.operand)}) {_not(node)}IN ({', '.join(map(written, node.values))})"
        case tree.InQuery():
            return f"({written(node.operand)}) {_not(node)}IN ({written(node.query)})"
        case tree.Like():
            return f"({written(node.operand)}) {_not(node)}{'ILIKE' if node.any_case else 'LIKE'} ({written(node.pattern)})"
        case tree.IsNull():
            return f"({written(node.operand)}) IS {_not(node)}NULL"
        case tree.Exists():
            return f"EXISTS ({written(node.query)})"
        case tree.Not():
            return f"NOT ({written(node.operand)})"
        case tree.And() | tree.Or():
            word = " AND " if isinstance(node, tree.And) else " OR "
            return word.join(f"({written(operand)})" for operand in node.operands)
        case tree.Star():
            return "".join(f"{part}." for part in node.qualifier) + "*"
        case tree.SelectItem():
            return written(node.expression) + (f" AS {node.alias}" if node.alias else "")
        case tree.TableName():
            return ".".join(map(str, node.parts)) + (f" AS {node.alias}" if node.alias else "")
        case tree.DerivedTable():
            return f"({written(node.query)}) AS {node.alias}"
        case tree.Join():
            rest = (
                f" ON {written(node.condition)}" if node.condition else f" USING ({', '.join(map(str, node.using))})" if node.using else ""
            )
            sides = [f"({written(side)})" if isinstance(side, tree.Join) else written(side) for side in (node.left, node.right)]
            return f"{sides[0]} {'NATURAL ' if node.natural else ''}{node.kind} JOIN {sides[1]}{rest}"
        case tree.Select():
            parts = ["SELECT", "DISTINCT" if node.distinct else "", f"TOP {node.top}" if node.top is not None else ""]
            parts += [", ".join(map(written, node.items)), "FROM", ", ".join(map(written, node.tables))]
            parts += [f"WHERE {written(node.where)}" if node.where else ""]
            parts += [f"GROUP BY {', '.join(map(written, node.group_by))}" if node.group_by else ""]
            parts += [f"HAVING {written(node.having)}" if node.having else ""]
            return " ".join(part for part in parts if part)
        case tree.SetOperation():
            sides = [written(side) if isinstance(side, tree.Select) else f"({written(side)})" for side in (node.left, node.right)]
            return f"{sides[0]} {node.operator}{' ALL' if node.all else ''} {sides[1]}"
        case tree.Query():
            common = ", ".join(
                f"{table.name}{'(' + ', '.join(map(str, table.columns)) + ')' if table.columns else ''} AS ({written(table.query)})"
                for table in node.common_tables
            )
            order = ", ".join(f"{written(item.expression)}{' DESC' if item.descending else ''}" for item in node.order_by)
            body = f"({written(node.body)})" if isinstance(node.body, tree.Query) else written(node.body)
            return (
                (f"WITH {common} " if common else "")
                + body
                + (f" ORDER BY {order}" if order else "")
                + (f" OFFSET {node.offset}" if node.offset is not None else "")
            )
    raise AssertionError(f"no text for a {type(node).__name__}")


def _not(node: tree.Between | tree.InList | tree.InQuery | tree.Like | tree.IsNull) -> str:
    return "NOT " if node.negated else ""


class RandomTree:
    """Trees of every kind of node, from a seed: hypothesis would take minutes to draw them node by node."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def chance(self) -> bool:
        return self.random.random() < 0.4

    def maybe(self, make: Callable[[int], _T], depth: int) -> _T | None:
        return make(depth) if self.chance() else None

    def several(self, make: Callable[[], _T], least: int = 1, most: int = 3) -> tuple[_T, ...]:
        return tuple(make() for _ in range(self.random.randint(least, most)))

    def name(self) -> tree.Name:
        if self.chance():
            return tree.Name("".join(self.random.choices("aZ \"'.-\n;éλ", k=self.random.randint(1, 6))), delimited=True)
        return tree.Name(self.random.choice(["ra", "Dec", "source_id", "x1", "T_2", "limits"]))

    def leaf(self) -> tree.Expression:
        return self.random.choice([
            tree.NumberLiteral(self.random.choice(["0", "12", "1.", ".5", "2.5e-3", "1E+10", str(2**63)])),
            tree.StringLiteral("".join(self.random.choices("a'\"-\\\n%é ", k=self.random.randint(0, 5)))),
            tree.ColumnReference(self.several(self.name)), tree.BooleanLiteral(self.chance()), tree.NullLiteral(),
            tree.Call("COUNT", (), star=True), tree.Call("PI", ()),
        ])  # fmt: skip

    def expression(self, depth: int) -> tree.Expression:
        if depth <= 0:
            return self.leaf()
        pick, depth = self.random.choice, depth - 1

        def inner() -> tree.Expression:
            return self.expression(depth)

        return pick([
            self.leaf,
            lambda: tree.Sign(pick("+-"), inner()),
            lambda: tree.Arithmetic(pick(["+", "-", "*", "/", "%", "||"]), inner(), inner()),
            lambda: tree.Comparison(pick(["=", "<>", "<", ">", "<=", ">="]), inner(), inner()),
            lambda: tree.Call(pick(["ABS", "POINT", "MY_FUNCTION"]), self.several(inner, 0)),
            lambda: tree.Call("COUNT", (inner(),), distinct=True),
            lambda: tree.Cast(inner(), pick(["BIGINT", "DOUBLE", "TIMESTAMP"])),
            lambda: tree.Cast(inner(), pick(["CHAR", "VARCHAR"]), pick([None, 1, 20])),
            lambda: tree.Case(self.maybe(self.expression, depth), self.several(lambda: (inner(), inner())), self.maybe(self.expression, depth)),
            lambda: tree.Between(inner(), inner(), inner(), self.chance()),
            lambda: tree.InList(inner(), (self.leaf(), *self.several(inner, 0)), self.chance()),
            lambda: tree.Like(inner(), inner(), self.chance(), self.chance()),
            lambda: tree.IsNull(inner(), self.chance()),
            lambda: tree.Not(inner()),
            lambda: tree.And(self.several(inner, 2)),
            lambda: tree.Or(self.several(inner, 2)),
            lambda: tree.InQuery(inner(), self.query(depth), self.chance()),
            lambda: tree.Exists(self.query(depth)),
            lambda: tree.ScalarQuery(self.query(depth)),
        ])()  # fmt: skip

    def table(self, depth: int) -> tree.TableReference:
        pick = self.random.choice
        if depth <= 0 or self.chance():
            return tree.TableName(self.several(self.name), self.name() if self.chance() else None)
        if self.chance():
            return tree.DerivedTable(self.query(depth - 1), self.name())
        left, right, kind = self.table(depth - 1), self.table(depth - 1), pick(["INNER", "LEFT", "RIGHT", "FULL"])
        return pick([
            lambda: tree.Join(kind, left, right, natural=True),
            lambda: tree.Join(kind, left, right, condition=self.expression(depth - 1)),
            lambda: tree.Join(kind, left, right, using=self.several(self.name)),
            lambda: tree.Join("CROSS", left, right),
        ])()  # fmt: skip

    def select(self, depth: int) -> tree.Select:
        def item() -> tree.SelectItem | tree.Star:
            if self.random.random() < 0.2:
                return tree.Star(self.several(self.name, 0, 2))
            return tree.SelectItem(self.expression(depth - 1), self.name() if self.chance() else None)

        return tree.Select(
            self.several(item), self.several(lambda: self.table(depth - 1), 1, 2), self.chance(), self.random.choice([None, 0, 5, 2**63 - 1]),
            self.maybe(self.expression, depth - 1), self.several(lambda: self.expression(depth - 1), 0, 2), self.maybe(self.expression, depth - 1),
        )  # fmt: skip

    def body(self, depth: int) -> tree.Body:
        if depth <= 0 or not self.chance():
            return self.select(depth)
        if self.chance():
            return self.query(depth - 1)
        return tree.SetOperation(
            self.random.choice(["UNION", "EXCEPT", "INTERSECT"]), self.chance(), self.operand(depth - 1), self.operand(depth - 1)
        )  # fmt: skip

    def operand(self, depth: int) -> tree.Body:
        """A set operation as an operand stands in parentheses, which make it a query."""
        return self.select(depth) if self.chance() else self.query(depth)

    def query(self, depth: int, with_allowed: bool = False) -> tree.Query:
        order = self.several(lambda: tree.OrderItem(self.expression(depth - 1), self.chance()), 0, 2)
        common: tuple[tree.CommonTable, ...] = ()
        if with_allowed:
            common = self.several(lambda: tree.CommonTable(self.name(), self.several(self.name, 0, 2), self.query(depth - 1)), 0, 2)
        body, offset = self.body(depth), self.random.choice([None, 0, 7])
        if isinstance(body, tree.Query) and not (common or order or offset is not None):
            return body  # parentheses alone make no other query
        return tree.Query(body, common, order, offset)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**40))
def test_any_tree_comes_back_from_its_text(seed: int) -> None:
    query = RandomTree(seed).query(3, with_allowed=True)
    assert parse(written(query)) == query


WORDS = [
    *sorted(RESERVED)[::3],
    "SELECT",
    "FROM",
    "WHERE",
    "JOIN",
    "ON",
    "CASE",
    "WHEN",
    "END",
    "UNION",
    "t",
    "a",
    '"q"',
    "'s'",
    "1",
    "2.5",
]
SIGNS = ["(", ")", ",", ".", "*", "=", "<", ">=", "||", "-", "--", ";", "'", '"', "\n", "é", "0x1", "1e"]


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.text(max_size=40), st.lists(st.sampled_from(WORDS + SIGNS), max_size=25).map(" ".join)))
def test_no_text_raises_anything_but_an_adql_error(text: str) -> None:
    try:
        assert isinstance(parse(text), tree.Query)
    except AdqlError as error:
        assert error.line >= 1 and error.column >= 1 and error.message


@pytest.mark.parametrize("deep", ["(" * 200_000, "((SELECT a FROM " * 100 + "(" * 100 + "a, " * 100_000])
def test_no_text_takes_longer_than_its_length_explains(deep: str) -> None:
    """Measured against the reading of the tokens alone, so that a busy machine does not matter."""
    began = time.process_time()
    tokens(deep)
    reading = time.process_time() - began
    with pytest.raises(AdqlError):
        parse("SELECT " + deep)
    assert time.process_time() - began < 6 * reading
