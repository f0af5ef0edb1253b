"""The named SQL statements of ``sql/queries``: each has a name, a sentence and its parameters written %(like_this)s.

A file holds blocks that begin with ``-- name: claim_chunk``, go on with comment lines that say what the statement is for, and then
the statement. Nothing is ever pasted into them: values go as parameters, identifiers as ``{name}`` fields of psycopg.sql.
"""

import functools
import re

from psycopg import sql

from catalog.version import ROOT

_BLOCK = re.compile(r"^-- name: (\w+)[ \t]*\n((?:--[^\n]*\n)+)(.*?)(?=^-- name: |\Z)", re.MULTILINE | re.DOTALL)


@functools.cache
def _statements() -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted((ROOT / "sql" / "queries").glob("*.sql")):
        for name, _comment, text in _BLOCK.findall(path.read_text()):
            if name in found:
                raise ValueError(f"sql/queries has two statements named {name}; the second stands in {path.name}")
            found[name] = text.strip().rstrip(";")
    return found


def statement(name: str) -> sql.SQL:
    """The statement of that name, as psycopg takes it; KeyError lists the names there are."""
    try:
        return sql.SQL(_statements()[name])
    except KeyError:
        raise KeyError(f"no statement {name} in sql/queries; there are {', '.join(sorted(_statements()))}") from None


def template(path: str) -> sql.SQL:
    """The SQL file ``sql/{path}`` with ``{fields}`` to be filled by psycopg.sql's format."""
    return sql.SQL((ROOT / "sql" / path).read_text())
