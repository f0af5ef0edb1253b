"""Text of a query to tokens, by one regular expression (ADQL 2.1 section 2.1: identifiers, literals, comments, reserved words)."""

import re
import unicodedata
from enum import Enum
from typing import NamedTuple

from tap_service.adql.errors import AdqlSyntaxError


class TokenKind(Enum):
    """What a token is."""

    WORD = "word"
    DELIMITED = "delimited identifier"
    STRING = "string"
    NUMBER = "number"
    SYMBOL = "symbol"
    END = "end of the query"


class Token(NamedTuple):
    """A token: ``text`` as written, ``value`` without quotes, ``place`` its offset in the query.

    ``keyword`` is the word in upper case, the symbol itself, or nothing for any other token: what the grammar compares with.
    """

    kind: TokenKind
    text: str
    value: str
    place: int
    keyword: str = ""


_TOKEN = re.compile(
    r"""(?P<space>(?:[ \t\r\n\f\v]+|--[^\n]*)+)
      | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![A-Za-z0-9_]))
      | (?P<string>'(?:[^']|'')*')
      | (?P<delimited>"(?:[^"]|"")+")
      | (?P<word>[A-Za-z][A-Za-z0-9_]*)
      | (?P<symbol><>|!=|<=|>=|\|\||[-+*/%(),.=<>;])""",
    re.VERBOSE | re.ASCII,
)

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def tokens(text: str) -> list[Token]:
    """The tokens of a query, ending with END; AdqlSyntaxError at the first character that begins none."""
    if bad := _UNSTORABLE.search(text):
        raise AdqlSyntaxError(
            f"the query holds the character U+{ord(bad.group()):04X}, which no text in the catalogue can hold", text, bad.start()
        )
    found: list[Token] = []
    place = 0
    for match in _TOKEN.finditer(text):
        if match.start() != place:
            break
        kind, value = match.lastgroup, match.group()
        if kind == "number":
            found.append(Token(TokenKind.NUMBER, value, value, place))
        elif kind == "symbol":
            found.append(Token(TokenKind.SYMBOL, value, value, place, value))
        elif kind == "word":
            found.append(Token(TokenKind.WORD, value, value, place, value.upper()))
        elif kind == "string":
            found.append(Token(TokenKind.STRING, value, value[1:-1].replace("''", "'"), place))
        elif kind == "delimited":
            found.append(Token(TokenKind.DELIMITED, value, value[1:-1].replace('""', '"'), place))
        place = match.end()
    if place < len(text):
        raise AdqlSyntaxError(_unreadable(text, place), text, place)
    found.append(Token(TokenKind.END, "", "", len(text)))
    return found


def _unreadable(text: str, place: int) -> str:
    """Why no token begins here."""
    character, rest = text[place], text[place:]
    if character == "'":
        return "the string that begins here has no closing quote"
    if character == '"':
        return 'a delimited identifier needs at least one character and a closing "'
    if re.match(r"0[xX][0-9a-fA-F]", rest):
        return "ADQL 2.1 has no hexadecimal numbers; write the number in decimal"
    if character.isascii() and character.isdigit():
        return "a number runs into a name; put a space between them, or quote a name that begins with a digit"
    if character.isspace() or unicodedata.category(character) in ("Cf", "Zs"):
        name = unicodedata.name(character, "a control character").lower()
        return f"here stands {name} (U+{ord(character):04X}), which looks like an ordinary space or like nothing; type it anew"
    return f"{character!r} has no meaning in ADQL{_HINTS.get(character, '')}"


_HINTS = {
    "&": "; ADQL has no bitwise operators: bit k of x is MOD(x / 2**k, 2), with 2**k written out",
    "|": "; strings are joined with ||",
    "^": "; write POWER(x, y)",
    "~": "; write LIKE, ILIKE or ivo_nocasematch",
    ":": "; write CAST(x AS type)",
    "[": "; ADQL has no array elements",
    "]": "; ADQL has no array elements",
    "{": "; write timestamps as '2016-01-01T00:00:00'",
    "`": '; names are quoted with "',
    "!": "; write <> or NOT",
    "\\": "; within a string a quote is doubled: ''",
    "_": '; a name begins with a letter, or is quoted with "',
    "#": "; a comment begins with --",
    "@": "; there are no variables",
    "$": "; there are no variables",
    "?": "; there are no parameters",
    **dict.fromkeys("“”„«»", '; names are quoted with straight "'),
    **dict.fromkeys("‘’‚′´", "; strings are quoted with straight '"),
    **dict.fromkeys("–—−‐‑", "; write - for minus, -- before a comment"),
    "×": "; write *",
    "·": "; write *",
    "÷": "; write /",
    "≤": "; write <=",
    "≥": "; write >=",
    "≠": "; write <>",
    "²": "; write POWER(x, 2)",
    "°": "; angles are degrees without a sign",
}
"""What to write instead of a character that begins no token."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NEW_IN_2_1 = frozenset({"BIGINT", "COT", "ILIKE", "IN_UNIT", "OFFSET"})

FUNCTION_WORDS = _words(
    """
    ABS ACOS AREA ASIN ATAN ATAN2 AVG BOX CEILING CENTROID CIRCLE COALESCE CONTAINS COORD1 COORD2 COORDSYS COS COT COUNT DEGREES
    DISTANCE EXP FLOOR INTERSECTS IN_UNIT LOG LOG10 LOWER MAX MIN MOD PI POINT POLYGON POWER RADIANS RAND REGION ROUND SIN SQRT SUM
    TAN TRUNCATE UPPER
    """
)
"""Reserved words that are names of functions."""

RESERVED = FUNCTION_WORDS | _words(
    """
    ABSOLUTE ACTION ADD ALL ALLOCATE ALTER AND ANY ARE AS ASC ASSERTION AT AUTHORIZATION BEGIN BETWEEN BIGINT BIT BIT_LENGTH BOTH BY
    CASCADE CASCADED CASE CAST CATALOG CHAR CHARACTER CHARACTER_LENGTH CHAR_LENGTH CHECK CLOSE COLLATE COLLATION COLUMN COMMIT CONNECT
    CONNECTION CONSTRAINT CONSTRAINTS CONTINUE CONVERT CORRESPONDING CREATE CROSS CURRENT CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP
    CURRENT_USER CURSOR DATE DAY DEALLOCATE DECIMAL DECLARE DEFAULT DEFERRABLE DEFERRED DELETE DESC DESCRIBE DESCRIPTOR DIAGNOSTICS
    DISCONNECT DISTINCT DOMAIN DOUBLE DROP ELSE END ESCAPE EXCEPT EXCEPTION EXEC EXECUTE EXISTS EXTERNAL EXTRACT FALSE FETCH
    FIRST FLOAT FOR FOREIGN FOUND FROM FULL GET GLOBAL GO GOTO GRANT GROUP HAVING HOUR IDENTITY ILIKE IMMEDIATE IN INDICATOR INITIALLY
    INNER INPUT INSENSITIVE INSERT INT INTEGER INTERSECT INTERVAL INTO IS ISOLATION JOIN KEY LANGUAGE LAST LEADING LEFT LEVEL LIKE
    LOCAL MATCH MINUTE MODULE MONTH NAMES NATIONAL NATURAL NCHAR NEXT NO NOT NULL NULLIF NUMERIC OCTET_LENGTH OF OFFSET ON ONLY OPEN
    OPTION OR ORDER OUTER OUTPUT OVERLAPS PAD PARTIAL POSITION PRECISION PREPARE PRESERVE PRIMARY PRIOR PRIVILEGES PROCEDURE PUBLIC
    READ REAL REFERENCES RELATIVE RESTRICT REVOKE RIGHT ROLLBACK ROWS SCHEMA SCROLL SECOND SECTION SELECT SESSION SESSION_USER SET SIZE
    SMALLINT SOME SPACE SQL SQLCODE SQLERROR SQLSTATE SUBSTRING SYSTEM_USER TABLE TEMPORARY THEN TIME TIMESTAMP TIMEZONE_HOUR
    TIMEZONE_MINUTE TO TOP TRAILING TRANSACTION TRANSLATE TRANSLATION TRIM TRUE UNION UNIQUE UNKNOWN UPDATE USAGE USER USING VALUE
    VALUES VARCHAR VARYING VIEW WHEN WHENEVER WHERE WITH WORK WRITE YEAR ZONE
    """
)
"""ADQL 2.1 section 2.1.2: the words of SQL-92 and those of ADQL."""


def reserved_words(version: str) -> frozenset[str]:
    """The reserved words of an ADQL version, ``2.0`` or ``2.1``."""
    return RESERVED - NEW_IN_2_1 if version == "2.0" else RESERVED
