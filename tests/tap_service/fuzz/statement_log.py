"""PostgreSQL's own log of what was sent to it, and the rule of what a service may send.

The service's own statements are few and fixed. All else is ``COPY (SELECT ...) TO STDOUT (FORMAT BINARY)``, one statement each,
made of keywords, types and functions that the emitter writes; whatever came from a query stands within quotes.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from catalog.statements import statement
from catalog.version import ROOT

_ENTRY = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \S+ \[\d+\] (?P<level>[A-Z]+):  (?P<message>.*)$")
_SENT = re.compile(r"(?:statement|execute [^:]*): (?P<text>.*)", re.DOTALL)

_NAMES = (
    *re.findall(r"^-- name: (\w+)", (ROOT / "sql" / "queries" / "tap_service.sql").read_text(), re.MULTILINE),
    "current_publication", "lock_reader", "unlock_reader", "publication_stands",
)  # fmt: skip
_FIXED = frozenset(
    re.sub(r"%\(\w+\)s", "$", text).strip()
    for text in (
        *(statement(name).as_string(None) for name in _NAMES),
        "DISCARD ALL",
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        "ROLLBACK",
    )
)

_QUOTED = re.compile(r""" E'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*' | "(?:[^"]|"")*" """, re.VERBOSE | re.DOTALL)
_COPY = re.compile(r"COPY \((?P<query>.*)\) TO STDOUT \(FORMAT BINARY\)", re.DOTALL)
_PLAIN = re.compile(r"[A-Za-z0-9_ \n().,+\-*/%|<>=\[\]:@&~!#^]*")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CHANGES = frozenset(
    [
        "INSERT",
        "UPDATE",
        "DELETE",
        "MERGE",
        "TRUNCATE",
        "CREATE",
        "ALTER",
        "DROP",
        "GRANT",
        "REVOKE",
        "COPY",
        "CALL",
        "DO",
        "EXECUTE",
        "PREPARE",
        "DEALLOCATE",
        "DECLARE",
        "FETCH",
        "CLOSE",
        "LISTEN",
        "NOTIFY",
        "LOCK",
        "SET",
        "RESET",
        "SHOW",
        "BEGIN",
        "START",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT",
        "RELEASE",
        "VACUUM",
        "ANALYZE",
        "EXPLAIN",
        "CLUSTER",
        "REINDEX",
        "REFRESH",
        "COMMENT",
        "LOAD",
        "DISCARD",
        "INTO",
        "RETURNING",
        "SECURITY",
        "IMPORT",
        "REASSIGN",
        "CHECKPOINT",
        "PG_SLEEP",
        "PG_READ_FILE",
        "PG_TERMINATE_BACKEND",
        "SET_CONFIG",
        "CURRENT_SETTING",
        "DBLINK",
        "LO_IMPORT",
        "LO_EXPORT",
        "QUERY_TO_XML",
    ]
)


class StatementLog:
    """The part of a server's log that has not been read yet."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self) -> int:
        """How many statements have come since the last time; AssertionError for one that is not the service's to send."""
        count = 0
        for text in self.statements():
            count += 1
            wrong = fault(text)
            assert wrong is None, f"PostgreSQL was sent {wrong}: {text[:2000]}"
        return count

    def statements(self) -> Iterator[str]:
        """Every statement since the last call, as it was sent; the log is emptied on the way, so it stays small."""
        with self._path.open("rb+") as file:
            text = file.read().decode(errors="replace")
            file.truncate(0)
        message: list[str] = []
        for line in text.split("\n"):
            entry = _ENTRY.match(line)
            if entry is None:
                message.append(line.removeprefix("\t"))
                continue
            yield from _sent(message)
            message = [entry["message"]] if entry["level"] == "LOG" else []
        yield from _sent(message)


def _sent(message: list[str]) -> Iterator[str]:
    """The statement that a log entry tells of, if it tells of one."""
    if message and (found := _SENT.fullmatch("\n".join(message).rstrip("\n"))):
        yield found["text"]


def fault(text: str) -> str | None:
    """What is wrong with a statement as one of the service's; None if it is one that it may send."""
    if re.sub(r"\$\d+", "$", text).strip() in _FIXED:
        return None
    copy = _COPY.fullmatch(text)
    if copy is None:
        return "neither a statement of the service's own nor a COPY of a query"
    bare = _QUOTED.sub("'", copy["query"]).replace("'", " ")
    if not _PLAIN.fullmatch(bare):
        return f"characters outside of quotes that the emitter never writes: {sorted(set(_PLAIN.sub('', bare)))}"
    if "--" in bare or "/*" in bare:
        return "a comment"
    if not re.match(r"\s*\(*\s*(SELECT|WITH)\b", bare):
        return "no query"
    depth = 0
    for character in bare:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return "a parenthesis that closes the COPY before its end"
    if depth:
        return "a parenthesis that is not closed"
    if changes := {word.upper() for word in _WORD.findall(bare)} & _CHANGES:
        return f"words that no query has: {sorted(changes)}"
    return None
