"""VOTable (IVOA VOTable 1.4): TABLEDATA, BINARY and BINARY2; several TABLE elements are several tables.

Columns are known by the name of their FIELD, in either case; the ID may differ. The document is held in memory as a whole.
An empty cell of integers is null, as VOTable has it since 1.3; earlier versions did not say, and astropy reads 0 in their documents.
A STREAM that lies elsewhere (href) is refused: a file is known by its bytes, and nothing is fetched.
"""

import base64
import io
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import BinaryIO
from xml.etree import ElementTree

import numpy as np
from astropy.io import votable
from astropy.io.votable.tree import TableElement

from catalog.errors import DataError
from ingest.file_table import Field, FileTable, TypedColumn, fields_named
from ingest.formats.values import from_lists, from_numbers

_BLOCK_ROWS = 1000
_OLD_VERSION = re.compile(rb"(<(?:\w+:)?VOTABLE\b[^>]*\bversion\s*=\s*[\"'])1\.[0-2](?=[\"'])")


class VotableReader:
    """One VOTable content, parsed when it is made."""

    format = "votable"

    def __init__(self, stream: BinaryIO) -> None:
        content = stream.read()
        elements = list(_table_elements(ElementTree.fromstring(content)))  # noqa: S314 - by expat, which guards itself and which astropy uses too
        for element in elements:
            _refuse_data_elsewhere(element)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the archive's own files depart from the standard in units and versions
            document = votable.parse(io.BytesIO(_OLD_VERSION.sub(rb"\g<1>1.3", content, count=1)), verify="ignore")
            self._tables = list(document.iter_tables())
            for table, element in zip(self._tables, elements, strict=True):
                _check_length(table, element)
        self.tables: list[Mapping[str, str]] = [
            {field.name.strip().lower(): field.datatype + (f"[{field.arraysize}]" if field.arraysize else "") for field in table.fields}
            for table in self._tables
        ]
        self.units: list[Mapping[str, str]] = [
            {field.name.strip().lower(): str(field.unit) for field in table.fields if field.unit is not None} for table in self._tables
        ]
        self.rows_stated: list[int | None] = [_rows_stated(element) for element in elements]
        self.constants: list[Mapping[str, str]] = [{param.name: str(param.value) for param in table.params} for table in self._tables]

    def blocks(self, table: int, fields: tuple[Field, ...]) -> Iterator[FileTable]:
        """The rows of one TABLE, typed."""
        columns = {field.name.strip().lower(): field for field in self._tables[table].fields}
        rows = self._tables[table].array
        wanted = fields_named([field.name for field in self._tables[table].fields], fields)
        for first in range(0, len(rows), _BLOCK_ROWS):
            block = rows[first : first + _BLOCK_ROWS]
            typed = {field.name: _typed(block[columns[name].ID], field) for field, name in wanted.items()}
            yield FileTable(np.arange(first + 1, first + 1 + len(block), dtype=np.int64), typed)


def _table_elements(parent: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """The TABLE elements in the order of astropy's tables: a RESOURCE's own, then those of the RESOURCEs in it."""
    yield from (child for child in parent if _tag(child) == "TABLE")
    for child in parent:
        if _tag(child) == "RESOURCE":
            yield from _table_elements(child)


def _rows_stated(table: ElementTree.Element) -> int | None:
    """The attribute nrows of a TABLE (VOTable 1.4, section 4.5: optional)."""
    stated = table.get("nrows", "").strip()
    return int(stated) if stated.isdecimal() else None


def _tag(element: ElementTree.Element) -> str:
    """The element's name without its namespace."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _refuse_data_elsewhere(table: ElementTree.Element) -> None:
    for element in table.iter():
        if _tag(element) == "STREAM" and "href" in element.attrib:
            raise DataError(
                f"the rows of a TABLE lie elsewhere (STREAM href {element.attrib['href'][:100]!r}); fetch it with its rows inside"
            )


def _check_length(table: TableElement, element: ElementTree.Element) -> None:
    """DataError where a binary stream does not end with a whole row: astropy leaves out what it cannot read, and all that follows."""
    for part in element.iter():
        if (kind := _tag(part)) not in ("BINARY", "BINARY2"):
            continue
        data = b"".join(
            base64.b64decode("".join((stream.text or "").split()), validate=True) for stream in part if _tag(stream) == "STREAM"
        )
        left = io.BytesIO(data)

        def read(size: int, left: io.BytesIO = left) -> bytes:
            found = left.read(size)
            if len(found) != size:
                raise EOFError
            return found

        row = 0
        try:
            while (begun := left.tell()) < len(data):
                row += 1
                if kind == "BINARY2":
                    read((len(table.all_fields) + 7) // 8)
                for field in table.all_fields:
                    field.converter.binparse(read)
                if left.tell() == begun:
                    raise DataError("its rows have no length, but its binary stream has; fetch it again")
        except EOFError:
            raise DataError(f"its binary stream ends inside row {row}: it is damaged or truncated; fetch it again") from None


def _typed(cells: np.ma.MaskedArray, field: Field) -> TypedColumn:
    """One column of a block of rows; astropy gives variable-length arrays as objects."""
    rows = len(cells)
    mask = np.ma.getmaskarray(cells)
    if field.is_array:
        if cells.dtype.kind == "O":
            lists = [_numbers(cell) for cell in cells.data]
            lengths = np.array([len(row) for row in lists], np.int64)
            return from_lists(np.concatenate([np.empty(0), *lists]), lengths, mask.reshape(rows, -1).all(axis=1) & (lengths == 0))
        matrix = np.ma.filled(cells.astype(np.float64), np.nan).reshape(rows, -1)
        return from_lists(matrix.ravel(), np.full(rows, matrix.shape[1]), np.zeros(rows, bool))
    if cells.size != rows or (cells.ndim == 1 and any(isinstance(cell, np.ndarray) for cell in cells.data[:1])):
        raise DataError(f"column {field.name} holds arrays where one value a row is expected")
    return from_numbers(np.asarray(cells.data).reshape(rows), mask.reshape(rows), field)


def _numbers(cell: object) -> np.ndarray:
    """The numbers of one variable-length cell, its null elements as NaN."""
    return np.empty(0) if cell is None else np.ma.filled(np.ma.asarray(cell, np.float64), np.nan).ravel()
