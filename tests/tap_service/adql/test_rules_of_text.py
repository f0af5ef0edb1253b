"""ADQL 2.1 sections 2.1 and 3, the text: words, literals, comments and clauses, rule by rule; what is refused says what to write."""

import subprocess
import sys

import pytest

from tap_service.adql import AdqlSyntaxError, parse, tree
from tap_service.adql.tokens import FUNCTION_WORDS, RESERVED, reserved_words


@pytest.mark.parametrize(
    ("text", "line", "column", "hint"),
    [
        ("SELECT ra FROM t WHERE ra > 1\u00a0AND dec > 2", 1, 30, "no-break space (U+00A0), which looks like an ordinary space"),
        ("SELECT\u2009ra FROM t", 1, 7, "thin space (U+2009)"),
        ("\ufeffSELECT ra FROM t", 1, 1, "zero width no-break space (U+FEFF)"),
        ("SELECT r\u200ba FROM t", 1, 9, "zero width space (U+200B)"),
        ("SELECT ra FROM t WHERE a = “x”", 1, 28, 'straight "'),
        ("SELECT ra FROM t WHERE a = ´x´", 1, 28, "straight '"),
        ("SELECT `ra` FROM t", 1, 8, 'names are quoted with "'),
        ("SELECT [ra] FROM t", 1, 8, "no array elements"),
        ("SELECT cov[1] FROM t", 1, 11, "no array elements"),
        ("SELECT ra FROM t WHERE dec > −5", 1, 30, "write - for minus"),
        ("SELECT ra – 1 FROM t", 1, 11, "write - for minus"),
        ("SELECT ra FROM t WHERE a ≤ 5", 1, 26, "write <="),
        ("SELECT ra FROM t WHERE a ≠ 5", 1, 26, "write <>"),
        ("SELECT a × 5 FROM t", 1, 10, "write *"),
        ("SELECT a ^ 2 FROM t", 1, 10, "POWER(x, y)"),
        ("SELECT a ** 2 FROM t", 1, 10, "POWER(x, y)"),
        ("SELECT a FROM t WHERE a ~ 'x'", 1, 25, "ILIKE"),
        ("SELECT a FROM t WHERE (a & 4) > 0", 1, 26, "MOD(x / 2**k, 2)"),
        ("SELECT a | b FROM t", 1, 10, "joined with ||"),
        ("SELECT a FROM t WHERE a = ?", 1, 27, "no parameters"),
        ("SELECT a FROM t WHERE a = $1", 1, 27, "no variables"),
        ("SELECT a FROM t WHERE a = @x", 1, 27, "no variables"),
        ("SELECT a FROM t WHERE t = {d '2000-01-01'}", 1, 27, "timestamps"),
        ("SELECT a # note\nFROM t", 1, 10, "a comment begins with --"),
        ("SELECT 1", 1, 9, "SELECT ... FROM ... is missing its FROM"),
        ("SELECT COUNT(*) WHERE a > 1", 1, 17, "expected FROM"),
        ("SELECT a FROM t JOIN u", 1, 23, "JOIN t ON a.x = t.x, or JOIN t USING (x)"),
        ("SELECT a FROM t JOIN u WHERE a > 1", 1, 24, "JOIN t ON a.x = t.x"),
        ("SELECT a FROM t NATURAL JOIN u ON a = b", 1, 32, "expected the end of the query"),
        ("SELECT a FROM t CROSS JOIN u ON a = b", 1, 30, "expected the end of the query"),
        ("SELECT a FROM t WHERE a = 'it's'", 1, 32, "no closing quote"),
        ("SELECT a FROM t WHERE a IN ()", 1, 29, "expected a value"),
        ("SELECT a FROM t WHERE a IN 3", 1, 28, "expected ("),
        ("SELECT a FROM t WHERE a LIKE 'x' ESCAPE", 1, 40, "ends where a value was expected"),
        ("SELECT a FROM t WHERE a IS 3", 1, 28, "expected NULL"),
        ("SELECT a FROM t WHERE a = b = c", 1, 29, "expected the end of the query"),
        ("SELECT a FROM t WHERE NOT", 1, 26, "ends where a value was expected"),
        ("SELECT a FROM t WHERE a > ALL (SELECT b FROM u)", 1, 27, "no comparison with ALL of a query; compare with (SELECT MAX(...) ...)"),
        ("SELECT a FROM t GROUP a", 1, 23, "expected BY"),
        ("SELECT a FROM t ORDER BY a ASCENDING", 1, 28, "expected the end of the query"),
        ("SELECT a FROM t ORDER BY a LIMIT 5 OFFSET 3", 1, 28, "SELECT TOP n"),
        ("SELECT a FROM t HAVING", 1, 23, "ends where a value"),
        ("SELECT TOP FROM t", 1, 12, "followed by a whole number"),
        ("SELECT DISTINCT ALL a FROM t", 1, 17, "reserved word"),
        ("SELECT a FROM t UNION", 1, 22, "expected SELECT"),
        ("SELECT a FROM t UNION DISTINCT SELECT b FROM u", 1, 23, "expected SELECT"),
        ("SELECT a FROM t MINUS SELECT b FROM u", 1, 17, "write EXCEPT"),
        ("SELECT a FROM t ORDER BY a UNION SELECT b FROM u", 1, 28, "expected the end"),
        ("SELECT a FROM t UNION SELECT b FROM u OFFSET 1 ORDER BY 1", 1, 48, "expected the end"),
        ("WITH x AS SELECT a FROM t SELECT a FROM x", 1, 11, "expected ("),
        ("WITH x (SELECT a FROM t) SELECT a FROM x", 1, 9, "reserved word"),
        ("SELECT a FROM t UNION (WITH x AS (SELECT b FROM u) SELECT b FROM x)", 1, 24, "beginning of the whole query"),
        ("SELECT a FROM (WITH x AS (SELECT b FROM u) SELECT b FROM x) AS y", 1, 16, "beginning of the whole query"),
        ("EXPLAIN SELECT a FROM t", 1, 1, "expected SELECT"),
        ("SELECT a INTO u FROM t", 1, 10, "expected FROM, found 'INTO'"),
        ("SELECT a FROM t FOR UPDATE", 1, 17, "expected the end"),
        ("SELECT CAST(a AS NUMERIC) FROM t", 1, 18, "types are SMALLINT"),
        ("SELECT CAST(a AS VARCHAR(x)) FROM t", 1, 26, "whole number"),
        ("SELECT CAST(a, VARCHAR) FROM t", 1, 14, "expected AS"),
        ("SELECT EXTRACT(year FROM a) FROM t", 1, 8, "reserved word of ADQL, not a function here"),
        ("SELECT 0x1F FROM t", 1, 8, "in decimal"),
        ("SELECT 1e FROM t", 1, 8, "a number runs into a name"),
        ("SELECT 12abc FROM t", 1, 8, "a number runs into a name"),
        ("SELECT a FROM 2mass", 1, 15, "quote a name that begins with a digit"),
        ('SELECT "" FROM t', 1, 8, "at least one character"),
        ("SELECT count FROM t", 1, 8, 'is a function and needs (...)'),
        ("SELECT t.count(*) FROM t", 1, 15, "expected FROM"),
    ],
)  # fmt: skip
def test_what_is_no_adql_is_refused_at_its_place_with_what_to_write(text: str, line: int, column: int, hint: str) -> None:
    with pytest.raises(AdqlSyntaxError) as caught:
        parse(text)
    assert hint in caught.value.message, str(caught.value)
    assert (caught.value.line, caught.value.column) == (line, column), str(caught.value)
    shown = str(caught.value).splitlines()
    assert shown[-1].strip() == "^"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a FROM t;",
        "SELECT a FROM t ;\n-- the end",
        "--\nSELECT a--\n FROM t--",
        "SELECT a\tAS\fb\vFROM\r\nt",
        "SELECT 'a''b' 'c'\n'd', '--', ';', '/*' FROM t",
        "SELECT 'naïve “quotes” – and nbsp\u00a0' FROM t",
        'SELECT "naïve" AS "x – y" FROM t',
        "SELECT (a), ((a)), (((a + 1))) FROM (t)",
        "SELECT a FROM ((t JOIN u ON t.a = u.a))",
        "SELECT a FROM t WHERE (((a > 1))) AND (NOT (a > 2))",
        "SELECT a FROM t WHERE a IN ('x') AND b NOT IN (1, 2 + 3, -4)",
        "SELECT a FROM t WHERE EXISTS (SELECT * FROM u WHERE u.a = t.a)",
        "SELECT a FROM t WHERE (SELECT MAX(b) FROM u) > a",
        "SELECT a FROM t WHERE a LIKE 'x!%' ESCAPE '!' AND b NOT ILIKE 'y'",
        "SELECT a, COUNT(*) AS n FROM t GROUP BY a HAVING COUNT(*) > 1 ORDER BY n DESC, a ASC OFFSET 3",
        "(SELECT a FROM t)",
        "((SELECT a FROM t)) ORDER BY a",
        "(SELECT a FROM t ORDER BY a OFFSET 1) UNION ALL (SELECT TOP 2 b FROM u ORDER BY b)",
        "SELECT a FROM t EXCEPT ALL SELECT a FROM u INTERSECT ALL SELECT a FROM v",
        "SELECT a FROM public.t, public.user WHERE t.level > 1",
        "SELECT public.t.a FROM public.t",
        "SELECT COUNT(ALL a), COUNT(DISTINCT a) FROM t",
        "SELECT a FROM cat.sch.t",
        "SELECT .5e+3, 0., 00012 FROM t",
        "SELECT a b FROM t c",
        "SELECT t.*, u.a FROM t, u",
        "SELECT *, a + b AS c FROM t",
        "SELECT a, * FROM t",
    ],
)
@pytest.mark.parametrize("version", ["2.0", "2.1"])
def test_what_people_write_is_read_in_both_versions(text: str, version: str) -> None:
    assert isinstance(parse(text, version), tree.Query)


# Those of SQL-92 as ADQL lists them: without DEC, which is a column of every catalogue.
SQL_92 = """ABSOLUTE ACTION ADD ALL ALLOCATE ALTER AND ANY ARE AS ASC ASSERTION AT AUTHORIZATION AVG BEGIN BETWEEN BIT BIT_LENGTH BOTH BY
CASCADE CASCADED CASE CAST CATALOG CHAR CHARACTER CHARACTER_LENGTH CHAR_LENGTH CHECK CLOSE COALESCE COLLATE COLLATION COLUMN COMMIT
CONNECT CONNECTION CONSTRAINT CONSTRAINTS CONTINUE CONVERT CORRESPONDING COUNT CREATE CROSS CURRENT CURRENT_DATE CURRENT_TIME
CURRENT_TIMESTAMP CURRENT_USER CURSOR DATE DAY DEALLOCATE DECIMAL DECLARE DEFAULT DEFERRABLE DEFERRED DELETE DESC DESCRIBE DESCRIPTOR
DIAGNOSTICS DISCONNECT DISTINCT DOMAIN DOUBLE DROP ELSE END END-EXEC ESCAPE EXCEPT EXCEPTION EXEC EXECUTE EXISTS EXTERNAL EXTRACT FALSE
FETCH FIRST FLOAT FOR FOREIGN FOUND FROM FULL GET GLOBAL GO GOTO GRANT GROUP HAVING HOUR IDENTITY IMMEDIATE IN INDICATOR INITIALLY INNER
INPUT INSENSITIVE INSERT INT INTEGER INTERSECT INTERVAL INTO IS ISOLATION JOIN KEY LANGUAGE LAST LEADING LEFT LEVEL LIKE LOCAL LOWER MATCH
MAX MIN MINUTE MODULE MONTH NAMES NATIONAL NATURAL NCHAR NEXT NO NOT NULL NULLIF NUMERIC OCTET_LENGTH OF ON ONLY OPEN OPTION OR ORDER
OUTER OUTPUT OVERLAPS PAD PARTIAL POSITION PRECISION PREPARE PRESERVE PRIMARY PRIOR PRIVILEGES PROCEDURE PUBLIC READ REAL REFERENCES
RELATIVE RESTRICT REVOKE RIGHT ROLLBACK ROWS SCHEMA SCROLL SECOND SECTION SELECT SESSION SESSION_USER SET SIZE SMALLINT SOME SPACE SQL
SQLCODE SQLERROR SQLSTATE SUBSTRING SUM SYSTEM_USER TABLE TEMPORARY THEN TIME TIMESTAMP TIMEZONE_HOUR TIMEZONE_MINUTE TO TRAILING
TRANSACTION TRANSLATE TRANSLATION TRIM TRUE UNION UNIQUE UNKNOWN UPDATE UPPER USAGE USER USING VALUE VALUES VARCHAR VARYING VIEW WHEN
WHENEVER WHERE WITH WORK WRITE YEAR ZONE"""
ADQL_2_0 = """ABS ACOS AREA ASIN ATAN ATAN2 BOX CEILING CENTROID CIRCLE CONTAINS COORD1 COORD2 COORDSYS COS DEGREES DISTANCE EXP FLOOR
INTERSECTS LOG LOG10 MOD PI POINT POLYGON POWER RADIANS RAND REGION ROUND SIN SQRT TAN TOP TRUNCATE"""
NEW = "BIGINT COT ILIKE IN_UNIT OFFSET"


def test_the_reserved_words_are_those_of_the_standard_by_version() -> None:
    words = set(f"{SQL_92} {ADQL_2_0}".split()) - {"END-EXEC"}  # no identifier holds a hyphen
    assert reserved_words("2.0") == words
    assert reserved_words("2.1") == words | set(NEW.split()) == RESERVED
    assert FUNCTION_WORDS <= RESERVED


@pytest.mark.parametrize("word", ["index", "class", "flag", "type", "limit", "dex", "epoch", "mass", "teff", "rv", "unit", "name"])
def test_words_that_are_not_reserved_are_names(word: str) -> None:
    parse(f"SELECT {word}, t.{word} AS {word} FROM {word} AS t WHERE {word} > 1")


@pytest.mark.parametrize("word", ["size", "value", "date", "level", "key", "first", "section", "position", "rows", "language", "distance"])
def test_words_that_bite_are_names_in_quotes_and_beside_a_dot(word: str) -> None:
    parse(f'SELECT "{word}", t.{word}, {word}.a FROM {word}.t AS t')
    with pytest.raises(AdqlSyntaxError, match=r"reserved word|is a function"):
        parse(f"SELECT {word} FROM t")


# -- what the words of 2.1 are in 2.0: names that may be used, and still the clauses and functions that they are


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("SELECT offset FROM t", "column"),
        ("SELECT cot, bigint, ilike, in_unit FROM t", "column"),
        ("SELECT a AS offset FROM t", "alias"),
        ("SELECT a offset FROM t", "alias"),
        ("SELECT a FROM t offset", "alias"),
        ("SELECT a FROM t OFFSET 5", "clause"),
        ("SELECT a FROM t ORDER BY a OFFSET 5", "clause"),
    ],
)
def test_offset_and_its_kin_are_names_in_2_0_where_a_name_may_stand(text: str, meaning: str) -> None:
    query = parse(text, "2.0")
    assert (query.offset == 5) == (meaning == "clause")
    body = query.body
    assert isinstance(body, tree.Select)
    if meaning == "column":
        assert all(isinstance(item, tree.SelectItem) and isinstance(item.expression, tree.ColumnReference) for item in body.items)
    if meaning != "clause":
        with pytest.raises(AdqlSyntaxError):
            parse(text, "2.1")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT COT(a), IN_UNIT(a, 'deg'), CAST(a AS BIGINT) FROM t WHERE b ILIKE 'x'",
        "WITH x AS (SELECT a FROM t) SELECT a FROM x UNION SELECT b FROM u",
    ],
)
def test_what_2_1_added_works_in_2_0_too(text: str) -> None:
    assert parse(text, "2.0") == parse(text, "2.1")


def test_a_query_is_read_without_a_database_in_little_time() -> None:
    code = "from tap_service.adql import parse; parse('SELECT a FROM t'); import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"numpy", "sqlalchemy", "psycopg", "astropy", "healpy"}.isdisjoint(done.stdout.split())
