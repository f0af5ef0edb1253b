"""The named queries to archives: one ADQL file each in ``sql/archive_queries``.

A file begins with comment lines: its name, the sets that it belongs to, the product that its answers are, and a sentence. Schemas stand
as ``{gaia}``, ``{tmass}`` and ``{external}``, so that any service with the same tables can stand in for the archive; ``{first}`` and ``{last}``
are the range of source_id.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from catalog.errors import UsageError
from catalog.version import ROOT

FOLDER = ROOT / "sql" / "archive_queries"
ARCHIVE_SCHEMAS: Mapping[str, str] = {"gaia": "gaiadr3", "tmass": "gaiadr1", "external": "external"}
"""Where the Gaia archive keeps the tables of Gaia DR3, its copy of 2MASS, and what others gave it."""

_HEAD = re.compile(r"-- name: (\w+)\n-- sets: ([\w, ]+)\n-- product: (\w+)\n-- ([^\n]+)\n((?:--[^\n]*\n)*)")
_ORDER = re.compile(r"\nORDER BY [\w., ]+\s*\Z")
_ITEM = re.compile(r"\s+AS\s+|\.")
_SCHEMA = re.compile(r'[A-Za-z]\w*|"[^"]+"', re.ASCII)


@dataclass(frozen=True)
class ArchiveQuery:
    """A query: ``text`` is its ADQL without comments, with the places ``{first}`` and ``{last}``."""

    name: str
    sets: tuple[str, ...]
    product: str
    sentence: str
    text: str

    @property
    def sha256(self) -> str:
        """SHA-256 of the text, hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns of its answers."""
        items = self.text.partition("FROM")[0].removeprefix("SELECT").split(",")
        return tuple(_ITEM.split(item.strip())[-1] for item in items)

    def in_schemas(self, schemas: Mapping[str, str]) -> "ArchiveQuery":
        """The query with these schemas in place of the archive's; UsageError for a schema that no query has, or a name that is none."""
        for key, name in schemas.items():
            if key not in ARCHIVE_SCHEMAS:
                raise UsageError(f"--schema {key}=...: the queries know the schemas {', '.join(ARCHIVE_SCHEMAS)}")
            if not _SCHEMA.fullmatch(name):
                raise UsageError(f"--schema {key}={name}: {name!r} is no name of a schema")
        text = self.text
        for key, name in {**ARCHIVE_SCHEMAS, **schemas}.items():
            text = text.replace(f"{{{key}}}", name)
        return replace(self, text=text)

    def of_range(self, first: int, last: int) -> str:
        """ADQL for the sources from ``first`` to ``last``, both in."""
        return self.text.replace("{first}", str(int(first))).replace("{last}", str(int(last)))

    def counting(self, first: int, last: int) -> str:
        """ADQL that counts the rows of the same range: one row with the column n."""
        return f"SELECT COUNT(*) AS n FROM ({_ORDER.sub('', self.of_range(first, last))}) AS counted"  # noqa: S608 - ADQL of our own files


def queries_of(set_name: str, only: Iterable[str] = ()) -> tuple[ArchiveQuery, ...]:
    """The queries of a set, by name; ``only`` names some of them. UsageError for a set or a query that does not exist."""
    every = all_queries()
    found = {query.name: query for query in every if set_name in query.sets}
    if not found:
        sets = sorted({name for query in every for name in query.sets})
        raise UsageError(f"there is no query set {set_name}; there are {', '.join(sets)}")
    wanted = tuple(only) or tuple(found)
    for name in wanted:
        if name not in found:
            raise UsageError(f"the query set {set_name} has no query {name}; it has {', '.join(found)}")
    return tuple(found[name] for name in dict.fromkeys(wanted))


def all_queries() -> tuple[ArchiveQuery, ...]:
    """Every query there is, in the order of its name."""
    return tuple(parse(path.read_text(), path.stem) for path in sorted(FOLDER.glob("*.adql")))


def parse(content: str, file_name: str) -> ArchiveQuery:
    """The query of a file; ValueError where its first lines do not say what it is, or it has no range."""
    head = _HEAD.match(content)
    if head is None or head[1] != file_name:
        raise ValueError(f"{file_name}.adql must begin with the lines -- name: {file_name}, -- sets:, -- product: and a sentence")
    text = content[head.end() :].strip()
    if "{first}" not in text or "{last}" not in text or _ORDER.search(text) is None:
        raise ValueError(f"{file_name}.adql must ask for source_id BETWEEN {{first}} AND {{last}} and end in ORDER BY")
    return ArchiveQuery(head[1], tuple(head[2].replace(",", " ").split()), head[3], head[4], text)
