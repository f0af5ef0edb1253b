"""CSV (RFC 4180) and TSV (IANA text/tab-separated-values): a line of column names, then the rows.

A null is an empty cell, an empty string ``""`` in CSV. TSV has no quoting: tabs and line ends inside text become spaces.
Text is UTF-8.
"""

import csv
import io

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from catalog.binary_copy import RawBlock
from tap_service.results.field_types import Field
from tap_service.results.text_columns import columns, text


class Csv:
    """CSV as the client reads it from the stream."""

    def __init__(self, fields: tuple[Field, ...], header: bool = True) -> None:
        self._fields = fields
        self._header = header

    def begin(self) -> bytes:
        """The line of column names, if it was asked for."""
        if not self._header:
            return b""
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow([field.name for field in self._fields])
        return line.getvalue().encode()

    def rows(self, block: RawBlock) -> bytes:
        """The lines of a block."""
        if not len(block.row_lengths):
            return b""
        lines = io.BytesIO()
        # Arrow wants the columns' names to differ; they are not written here.
        table = pa.table(columns(self._fields, block, ascii_only=False), names=[str(i) for i in range(len(self._fields))])
        pyarrow.csv.write_csv(table, lines, pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed"))
        return lines.getvalue()

    def end(self, overflow: bool) -> bytes:
        """Nothing: CSV has no place for a mark; the response's header names the row limit."""
        return b""

    def fail(self, message: str) -> bytes | None:
        """None: CSV cannot say that it broke, so the response must break."""
        return None


class Tsv(Csv):
    """Tab-separated values."""

    def begin(self) -> bytes:
        """The line of column names, if it was asked for."""
        return ("\t".join(field.name.replace("\t", " ") for field in self._fields) + "\n").encode() if self._header else b""

    def rows(self, block: RawBlock) -> bytes:
        """The lines of a block."""
        if not len(block.row_lengths):
            return b""
        cells = [pc.replace_substring_regex(text(column), r"[\t\r\n]", " ") for column in columns(self._fields, block, ascii_only=False)]
        return ("\n".join(pc.binary_join_element_wise(*cells, "\t").to_pylist()) + "\n").encode()
