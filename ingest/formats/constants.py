"""Columns that a file states once, in its header, for all rows of a table: above all the identifier of a single spectrum's source.

The archive's INDIVIDUAL and COMBINED structures keep source_id out of the rows: as a PARAM of the VOTable ("a field with a constant value",
VOTable 1.4 section 3.2), in the ``meta`` of the ECSV header, or as a keyword of the FITS header; HDF5 groups are named for their source. Where the header is silent, a file whose
name is the archive's own, ``XP_SAMPLED-Gaia DR3 5937083312263887616.csv``, gives the identifier; nothing else in a name counts. What was
taken from where stands in the file's header in the ledger.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Protocol

import pyarrow as pa

from ingest.file_table import Field, FileTable
from ingest.formats.values import from_text

_NAMES = {name: name for name in ("source_id", "solution_id", "combined_transits", "combined_ccds", "deblended_ccds")}
_NAMES |= {"sourceid": "source_id", "solution": "solution_id"}
"""Names that count where their value is a whole number, in lower case, also in the eight letters of a FITS keyword -> column."""
_META = re.compile(rb"^#\s*(\w+):\s*([0-9]+)\s*$", re.MULTILINE)
_ARCHIVE_NAME = re.compile(r"(?:XP_SAMPLED|RVS)-Gaia[ _]DR\d[ _]([1-9]\d{0,18})\.")


class _Reader(Protocol):
    format: str
    tables: list[Mapping[str, str]]
    units: list[Mapping[str, str]]
    rows_stated: list[int | None]

    def blocks(self, table: int, fields: tuple[Field, ...]) -> Iterator[FileTable]: ...


class WithConstants:
    """A reader whose tables also have the columns that its header states; columns of the rows themselves come first."""

    def __init__(self, reader: _Reader, head: bytes, file_name: str) -> None:
        self._reader = reader
        self.format, self.units, self.rows_stated = reader.format, reader.units, reader.rows_stated
        stated = getattr(reader, "constants", None) or [_ecsv_meta(head) if reader.format == "ecsv" else {}] * len(reader.tables)
        self._constants = [
            {
                _NAMES[name.lower()]: value
                for name, value in constants.items()
                if name.lower() in _NAMES and _NAMES[name.lower()] not in table
            }
            for table, constants in zip(reader.tables, stated, strict=True)
        ]
        self.tables: list[Mapping[str, str]] = [
            dict(table) | {name: f"{value}, stated once for all rows" for name, value in constants.items()}
            for table, constants in zip(reader.tables, self._constants, strict=True)
        ]
        named = _ARCHIVE_NAME.search(file_name)
        if named and len(self.tables) == 1 and "source_id" not in self.tables[0]:
            self._constants[0]["source_id"] = named[1]
            self.tables[0] = dict(self.tables[0]) | {"source_id": f"{named[1]}, by the file's name"}

    def blocks(self, table: int, fields: tuple[Field, ...]) -> Iterator[FileTable]:
        """The rows, typed, with the header's columns."""
        constants = self._constants[table]
        wanted = {field: constants[name] for field in fields if (name := field.column_in(self.tables[table])) in constants}
        for block in self._reader.blocks(table, fields):
            columns = {field.name: from_text(pa.array([value] * len(block), pa.string()), field) for field, value in wanted.items()}
            yield FileTable(block.row_number, {**block.columns, **columns}, block.malformed) if len(block) else block


def _ecsv_meta(head: bytes) -> dict[str, str]:
    """Whole numbers that the header's comment lines give a name."""
    comments = b"".join(line for line in head.splitlines(keepends=True) if line.startswith(b"#"))
    return {name.decode(): value.decode() for name, value in _META.findall(comments)}
