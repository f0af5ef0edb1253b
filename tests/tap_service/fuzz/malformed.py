"""Texts that are no queries, or not only: queries damaged at random, and attempts to reach more than a query may.

Every one of them must end in rows or in an error that names its place; none may reach PostgreSQL as anything but a SELECT.
"""

import re
from collections.abc import Sequence

from tests.tap_service.fuzz.choices import Choices

_TOKEN = re.compile(r"\s+|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\w+|.", re.DOTALL)

_CHARACTERS = (
    *"'\"();,.*%$:{}[]\\`#@!?|&^~<>=+-/_0aé", "\x00", "\x01", "\x1a", "\x7f", "\x85", "\xa0", "\u200b", "\u2028", "\u202e", "\ufeff", "\ufffd",
    "\uff07", "\u2019", "\U0001f31f", "\ud800", "e\u0301", "ſ", "İ", "K", "一", "''", '""', "--", "/*", "*/", "\r", "\n", "\t", "\v", "\f",
)  # fmt: skip

_WORDS = (
    "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "HAVING", "TOP", "TOP 0", "OFFSET 1", "LIMIT 3", "UNION", "UNION ALL", "(", ")", ",", "*",
    "NOT", "AND", "OR", "NULL", "IS", "IN", "BETWEEN", "LIKE", "CASE", "WHEN", "END", "CAST", "AS", "JOIN", "ON", "USING", "NATURAL", "DISTINCT",
    "EXISTS", "1", "1e999", "0x1F", "99999999999999999999999999", "1.5.5", "''", "'", '"', '""', ".", "..", "=", "==", "<>", "||", "-", "+", ";",
    "CONTAINS", "POINT", "CIRCLE", "DISTANCE", "POLYGON", "BOX", "REGION", "COUNT(*)", "MAX(", "ROUND(", "fuzz", "fuzz.stars", "stars.ra", "ra",
    "name", "wild", "%s", "%(x)s", "{0}", "{}", "$1", "::int", "@>", "INTO x", "FOR UPDATE", "TABLESAMPLE", "LATERAL", "RECURSIVE", "VALUES (1)",
    "INTERVAL '1'", "ARRAY[1]", "ROW(1)", "WITH x AS", "WINDOW", "OVER ()", "FETCH FIRST 1 ROWS ONLY", "ALL", "ANY", "ESCAPE '!'", "COLLATE",
)  # fmt: skip

INJECTIONS = (
    "'; DROP TABLE store.gaia_source; --", "' OR '1'='1", "'' OR 1=1 --", "\\'; DELETE FROM store.release; --", "\\\\'; SELECT 1; --",
    "$$; SELECT pg_sleep(5); $$", "$tag$x$tag$", "%s", "%(x)s", "%%", "%b", "{0}", "{}", "{0.__class__}", "{self}", "$1", ":x", "?", "\\x00", "\\'",
    "\\", "E'\\''", "U&'\\0027'", "x') TO PROGRAM 'id'; --", ") TO STDOUT; DROP SCHEMA store; COPY (SELECT 1", "*/ SELECT 1 /*", "/* ' */", "--'",
    "\"; DROP TABLE x; --", '""', 'a"b', "public.pg_shadow", "pg_catalog.pg_authid", "pg_sleep(10)", "pg_read_file('/etc/passwd')",
    "current_setting('data_directory')", "version()", "lo_import('/etc/passwd')", "set_config('role','postgres',false)", "dblink('','')",
    "query_to_xml('select 1',true,true,'')", "now()", "txid_current()", "nextval('x')", "1::text", "CAST('store.release' AS regclass)",
    "COPY x TO PROGRAM 'id'", "SET ROLE postgres", "RESET ROLE", "COMMIT; SELECT 1", "BEGIN", "DO $$ BEGIN END $$", "generate_series(1,1000000000)",
    "information_schema.tables", "pg_stat_activity", "store.ingest_file", "\u2019; DROP TABLE x; --", "\uff07 OR 1=1",
)  # fmt: skip

_HOLES = (
    "SELECT {0} FROM fuzz.stars", "SELECT TOP {0} ra FROM fuzz.stars", "SELECT ra AS {0} FROM fuzz.stars", 'SELECT ra AS "{0}" FROM fuzz.stars',
    "SELECT ra FROM {0}", 'SELECT ra FROM "{0}"', 'SELECT ra FROM fuzz."{0}"', "SELECT ra FROM fuzz.stars WHERE {0}",
    "SELECT ra FROM fuzz.stars WHERE name = '{0}'", "SELECT ra FROM fuzz.stars WHERE name LIKE '{0}'", "SELECT '{0}' AS x FROM fuzz.stars",
    "SELECT ra FROM fuzz.stars AS \"{0}\" WHERE \"{0}\".ra > 1", "SELECT ra FROM fuzz.stars ORDER BY {0}", "SELECT ra FROM fuzz.stars ORDER BY 1 {0}",
    "SELECT ra FROM fuzz.stars GROUP BY {0}", "SELECT CAST(name AS {0}) FROM fuzz.stars", "SELECT CAST('{0}' AS TIMESTAMP) FROM fuzz.stars",
    "SELECT CAST('{0}' AS DOUBLE PRECISION) FROM fuzz.stars", "SELECT IN_UNIT(ra, '{0}') FROM fuzz.stars", "SELECT POINT('{0}', ra, dec) FROM fuzz.stars",
    "SELECT 1 FROM fuzz.stars WHERE 1 = CONTAINS(POINT('{0}', ra, dec), CIRCLE('{0}', 1, 2, 3))", "SELECT AREA(REGION('{0}')) FROM fuzz.stars",
    "{0}", "SELECT ra FROM fuzz.stars {0}", "SELECT ra FROM fuzz.stars OFFSET {0}", "WITH \"{0}\" AS (SELECT 1 AS \"{0}\" FROM fuzz.stars) SELECT * FROM \"{0}\"",
    "SELECT ivo_hasword(name, '{0}') FROM fuzz.stars", "SELECT ra FROM fuzz.stars JOIN fuzz.labels USING (\"{0}\")", "SELECT observed FROM fuzz.stars WHERE observed > '{0}'",
    "SELECT ra FROM fuzz.stars WHERE variable = '{0}'", "SELECT ra FROM fuzz.stars WHERE name IN ('{0}', '{0}')", "SELECT ra -- {0}\nFROM fuzz.stars",
)  # fmt: skip


def damaged(text: str, choices: Choices) -> str:
    """A query with one to six accidents."""
    tokens = _TOKEN.findall(text)
    for _ in range(1 + choices.below(6)):
        if not tokens:
            tokens = ["SELECT"]
        at, other = _anywhere(len(tokens), choices), _anywhere(len(tokens), choices)
        accident = choices.below(9)
        if accident == 0:
            del tokens[at]
        elif accident == 1:
            tokens.insert(other, tokens[at])
        elif accident == 2:
            tokens[at], tokens[other] = tokens[other], tokens[at]
        elif accident == 3:
            tokens.insert(at, choices.of(_CHARACTERS))
        elif accident == 4:
            tokens[at] = choices.of(_WORDS)
        elif accident == 5:
            tokens.insert(at, f" {choices.of(_WORDS)} ")
        elif accident == 6:
            cut = _anywhere(len(tokens[at]), choices)
            tokens[at] = tokens[at][:cut] + choices.of(_CHARACTERS) + tokens[at][cut + choices.below(2) :]
        elif accident == 7:
            tokens = tokens[: at + 1]
        else:
            tokens.insert(at, choices.of(INJECTIONS))
    return "".join(tokens)


def _anywhere(count: int, choices: Choices) -> int:
    """An index below a count of any size."""
    return (choices.below(256) * 256 + choices.below(256)) * count >> 16


def injected(choices: Choices) -> str:
    """An attempt to leave the place of a name, a text or a number."""
    hole, attempt = choices.of(_HOLES), choices.of(INJECTIONS)
    if choices.chance(30):
        attempt += choices.of(INJECTIONS)
    if choices.chance(30):
        attempt = attempt.replace("'", "''").replace('"', '""')  # a well-quoted one, which must stay what it is: text
    return hole.replace("{0}", attempt)


_ARGUMENTS = (
    "ra", "dec", "mag", "flags", "visits", "name", "variable", "observed", "wild", "huge", "source_id", '"Teff [K]"', "NULL", "0", "1", "-1", "12", "29",
    "1.5", "1e308", "-1e-300", "1e-200", "9223372036854775807", "9223372036854775808", "90", "-90.5", "360", "''", "'ICRS'", "'GALACTIC'", "'x'", "'deg'", "'#a#'",
    "'12:34:56.7'", "'-0:0:0'", "'2020-01-01'", "'CIRCLE ICRS 1 2 3'", "'forward'", "'teff'", "TRUE", "POINT(ra, dec)", "POINT(1, 2)", "CIRCLE(ra, dec, 1)",
    "CIRCLE(wild, dec, mag)", "POLYGON(0, 0, 1, 0, 0, 1)", "POLYGON(ra, dec, 1, 1, wild, 2)", "BOX(ra, dec, 1, wild)", "BOX(1, 2, 3, 4)", "REGION('POSITION 1 2')",
    "CAST('1 2' AS POINT)", "CAST(name AS CIRCLE)", "CAST('0 0 1 0 0 1' AS POLYGON)", "CAST(NULL AS POINT)", "CAST(name AS TIMESTAMP)", "COUNT(*)", "MAX(wild)", "*",
    "DISTINCT ra", "(SELECT ra FROM fuzz.nothing)", "(SELECT wild FROM fuzz.stars)", "ra > 1", "ra + NULL", "-huge", "CASE WHEN ra > 1 THEN wild END",
)  # fmt: skip

_ARITY = (1, 2, 3, 4, 2, 1, 0, 6, 8, 5, 7)


def called(names: Sequence[str], choices: Choices) -> str:
    """A query that calls functions with arguments of any number and type."""
    made = _call(names, choices, 2)
    return choices.of(
        (
            f"SELECT {made} AS x FROM fuzz.stars", f"SELECT ra FROM fuzz.stars WHERE {made} = 1", f"SELECT COUNT(*) FROM fuzz.stars GROUP BY {made}",
            f"SELECT ra FROM fuzz.stars ORDER BY {made}", f"SELECT ra FROM fuzz.stars WHERE NOT 1 = {made} OR {made} < {_argument(names, choices, 0)}",
            f"SELECT DISTINCT {made} AS x, {_call(names, choices, 1)} AS y FROM fuzz.stars", f"SELECT {made} AS x FROM fuzz.nothing",
            f"SELECT stars.ra FROM fuzz.stars JOIN fuzz.labels ON {made} = 1", f"SELECT {made} FROM fuzz.stars UNION SELECT {_argument(names, choices, 1)} FROM fuzz.stars",
            f"SELECT CAST({made} AS VARCHAR) AS x FROM fuzz.stars WHERE {made} IS NOT NULL", f"SELECT MAX({made}) AS x FROM fuzz.stars",
        )
    )  # fmt: skip


def _call(names: Sequence[str], choices: Choices, depth: int) -> str:
    arguments = [_argument(names, choices, depth - 1) for _ in range(choices.of(_ARITY))]
    return f"{choices.of(names)}({', '.join(arguments)})"


def _argument(names: Sequence[str], choices: Choices, depth: int) -> str:
    return _call(names, choices, depth) if depth > 0 and choices.chance(20) else choices.of(_ARGUMENTS)


EXTREMES = {
    # texts whose size or depth is their point
    "parentheses": "SELECT " + "(" * 20000 + "1" + ")" * 20000 + " FROM fuzz.stars",
    "open parentheses": "SELECT " + "(" * 50000,
    "nested functions": "SELECT " + "ABS(" * 3000 + "ra" + ")" * 3000 + " FROM fuzz.stars",
    "signs": "SELECT " + "- " * 20000 + "1 FROM fuzz.stars",
    "nots": "SELECT ra FROM fuzz.stars WHERE " + "NOT " * 20000 + "ra > 1",
    "sum": "SELECT " + " + ".join(["ra"] * 5000) + " FROM fuzz.stars",
    "ands": "SELECT ra FROM fuzz.stars WHERE " + " AND ".join(["ra > 1"] * 5000),
    "ors of ands": "SELECT ra FROM fuzz.stars WHERE " + " OR ".join(["(ra > 1 AND dec < 2)"] * 3000),
    "nested queries": "SELECT ra FROM " + "(SELECT ra FROM " * 200 + "fuzz.stars" + " ) AS t" * 200,
    "nested in": "SELECT ra FROM fuzz.stars WHERE ra IN " + "(SELECT ra FROM fuzz.stars WHERE ra IN " * 150 + "(1)" + ")" * 150,
    "cases": "SELECT " + "CASE WHEN ra > 1 THEN " * 1000 + "1" + " END" * 1000 + " FROM fuzz.stars",
    "long list": "SELECT ra FROM fuzz.stars WHERE source_id IN (" + ", ".join(map(str, range(20000))) + ")",
    "long name": f"SELECT ra AS {'n' * 100000} FROM fuzz.stars",
    "long text": f"SELECT '{'x' * 1000000}' AS x FROM fuzz.nothing",
    "long comment": "SELECT ra --" + "x" * 1000000 + "\nFROM fuzz.nothing",
    "long number": "SELECT " + "9" * 100000 + " FROM fuzz.stars",
    "long fraction": "SELECT 0." + "0" * 100000 + "1 FROM fuzz.stars",
    "many columns": "SELECT " + ", ".join(["ra"] * 3000) + " FROM fuzz.stars",
    "many tables": "SELECT 1 FROM " + ", ".join(f"fuzz.nothing AS t{i}" for i in range(200)),
    "many unions": " UNION ".join(["SELECT ra FROM fuzz.stars"] * 500),
    "strings side by side": "SELECT " + "'a' " * 20000 + " FROM fuzz.nothing",
    "quotes": "SELECT " + "'" * 100001 + " FROM fuzz.stars",
    "double quotes": "SELECT " + '"' * 100001 + " FROM fuzz.stars",
    "dots": "SELECT " + "a." * 20000 + "b FROM fuzz.stars",
    "only spaces": " " * 1000000,
    "only comment": "--" * 100000,
    "patterns": "SELECT ra FROM fuzz.stars WHERE name LIKE '" + "%_" * 2000 + "'",
    "slow product": "SELECT COUNT(*) FROM fuzz.stars AS a, fuzz.stars AS b, fuzz.stars AS c, fuzz.stars AS d, fuzz.stars AS e, fuzz.stars AS f",
    "joins": "SELECT 1 FROM fuzz.nothing AS t0 " + " ".join(f"NATURAL JOIN fuzz.nothing AS t{i}" for i in range(1, 60)),
    "power": "SELECT POWER(10, 308) * 10 FROM fuzz.stars",
    "texts that double": "SELECT " + "||".join(["'" + "x" * 1000 + "'"] * 500) + " FROM fuzz.stars",
}
