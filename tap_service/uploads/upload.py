"""What UPLOAD asks for (TAP 1.1 section 2.7.6, DALI 1.1 section 3.4.5): names of tables, and where the VOTable of each is."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tap_service.errors import ParameterError

_REGULAR = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NEXT = re.compile(r";(?=\s*(?:$|[^;,]*,\s*[A-Za-z][A-Za-z0-9+.-]*:))")
"""The semicolon between two tables in one value; others belong to an address."""
_LONGEST_NAME = 63
_MOST_TABLES = 50


@dataclass(frozen=True)
class Upload:
    """A table to be queried as TAP_UPLOAD.table; ``source`` is a file with its VOTable, or the http or https address of one."""

    table: str
    source: Path | str


def read_uploads(values: Iterable[str], files: Mapping[str, Path]) -> tuple[Upload, ...]:
    """The uploads that the values of UPLOAD name, in their order.

    Args:
        values: each ``name,param:part`` or ``name,http://...``, or several of them with semicolons between (TAP 1.0).
        files: the parts of the request that may be tables, by their names. One that no value names is ignored.

    Raises:
        ParameterError: a value has another form, a part is missing, or two tables have one name.
    """
    uploads: dict[str, Upload] = {}
    for pair in (pair.strip() for value in values for pair in _NEXT.split(value)):
        if not pair:
            continue
        upload = _read_upload(pair, files)
        if uploads.setdefault(upload.table.lower(), upload) is not upload:
            raise ParameterError(f"UPLOAD names the table {upload.table} twice (names differ by more than case); give each its own name.")
    if len(uploads) > _MOST_TABLES:
        raise ParameterError(f"UPLOAD names {len(uploads)} tables; at most {_MOST_TABLES} are taken.")
    return tuple(uploads.values())


def parts_named(values: Iterable[str]) -> set[str]:
    """The parts of the request that the values of UPLOAD point to, whether they are there or not."""
    pairs = (pair for value in values for pair in _NEXT.split(value))
    places = (place.strip() for _, _, place in (pair.partition(",") for pair in pairs))
    return {place[len("param:") :] for place in places if place.lower().startswith("param:")}


def _read_upload(pair: str, files: Mapping[str, Path]) -> Upload:
    name, comma, place = (part.strip() for part in pair.partition(","))
    scheme, colon, rest = place.partition(":")
    if not comma or not colon:
        raise ParameterError(f"UPLOAD={pair:.200} should be name,param:part or name,http://address.")
    if not _REGULAR.fullmatch(name):
        raise ParameterError(
            f"UPLOAD names a table {name!r:.100}: use a letter and then letters, digits and underscores, without a schema; in the query it is TAP_UPLOAD.name."
        )
    if len(name) > _LONGEST_NAME:
        raise ParameterError(f"The table name {name:.20}... in UPLOAD has {len(name)} characters; at most {_LONGEST_NAME} are taken.")
    if scheme.lower() in ("http", "https"):
        return Upload(name, place)
    if scheme.lower() != "param":
        raise ParameterError(f"UPLOAD={pair:.200} points to {scheme:.20}:, but tables are taken from param:, http: and https: only.")
    found = files.get(rest) or next((path for key, path in files.items() if key.lower() == rest.lower()), None)
    if found is None:
        there = f"its parts are {', '.join(sorted(files))[:200]}" if files else "it has none; send it as multipart/form-data"
        raise ParameterError(f"UPLOAD={pair:.200} needs a part called {rest!r:.100} in the request, but {there}.")
    return Upload(name, found)
