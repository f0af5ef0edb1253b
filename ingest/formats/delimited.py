"""CSV, ECSV and tab-separated text, streamed in blocks: archive CSV with ``"(a, b)"``, bulk ECSV with ``"[a,b]"``.

ECSV (Astropy enhancement proposal 6) is CSV under a header of ``#`` lines; column names stand in the first line after it.
Fields are typed by the product, so nothing depends on what the first rows look like: plainly spelled numbers by Arrow while it parses, all others
as text by ingest.formats.values, to the same values.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from jaxtyping import Int64

from catalog.errors import DataError
from ingest.file_table import Field, FileTable, fields_named
from ingest.formats.cell_text import NULL_SPELLINGS
from ingest.formats.long_cells import Cells, Shortened, shortened
from ingest.formats.open_quotes import ClosedRows, Readable, unmarked
from ingest.formats.values import FALSE, PLAIN_TYPES, TRUE, from_text

_BLOCK_BYTES = 8 << 20
"""A block holds some 200 XP rows of 40 kB, or 5,000 of gaia_source."""
_PARSED_BYTES = 1 << 20
"""What Arrow parses at a time of a block in memory: it stays in the processor's cache."""
_HEADER_BYTES = 8 << 20
_BYTES = "latin-1"
"""Takes every byte for a character. Arrow gives up a text with a malformed row that is not UTF-8, since it tells of the row as a string."""
_BOM = b"\xef\xbb\xbf"
_ECSV_DELIMITER = re.compile(r"#\s*delimiter:\s*['\"]?(.)")
_ECSV_COLUMN = re.compile(r"\b(name|datatype|subtype|unit):[ \t]*['\"]?([^,'\"}\n]+)")


class _Tail(io.RawIOBase):
    """A stream that remembers how its text ended."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._last = b"\n"

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        if block:
            self._last = block[-1:]
        return block

    @property
    def ends_in_line(self) -> bool:
        return self._last not in (b"\n", b"\r")


class _Continued(io.RawIOBase):
    """A stream of which some bytes have been read already."""

    def __init__(self, begun: bytes, stream: Readable) -> None:
        self._begun, self._stream = begun, stream

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not self._begun:
            return self._stream.read(size)
        block, self._begun = self._begun[:size], self._begun[size:]
        return block


@dataclass(frozen=True)
class _Part:
    """Some rows: their numbers in the file, their cells by column, and the malformed rows among or after them."""

    numbers: Int64[np.ndarray, " rows"]
    columns: Mapping[str, Cells]
    malformed: dict[int, str]


class DelimitedReader:
    """One CSV or ECSV content; its header has been read when it is made."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        comments, names_line = self._header_lines()
        delimiter = _ECSV_DELIMITER.search(comments)
        self.format = "ecsv" if "%ECSV" in comments else "tsv" if "\t" in names_line and "," not in names_line else "csv"
        unsaid = "," if "," in names_line else " "  # a blank is ECSV's own default, which astropy writes
        self._delimiter = {"ecsv": delimiter[1] if delimiter else unsaid, "tsv": "\t", "csv": ","}[self.format]
        names = next(csv.reader([names_line], delimiter=self._delimiter), [])
        self._names = [name.strip().lower() for name in names]
        types, units = _ecsv_columns(comments)
        self.tables: list[Mapping[str, str]] = [dict.fromkeys(self._names, "text") | types]
        self.units: list[Mapping[str, str]] = [units]
        self.rows_stated: list[int | None] = [None]

    def _header_lines(self) -> tuple[str, str]:
        """The comment lines, and the line of names."""
        comments: list[bytes] = []
        size = 0
        while True:
            line = self._stream.readline(_HEADER_BYTES)
            size += len(line)
            if size >= _HEADER_BYTES:
                raise DataError(f"no header line within the first {_HEADER_BYTES >> 20} MiB")
            line = line.removeprefix(_BOM) if not comments else line
            if line.startswith(b"#"):
                comments.append(line)
            elif line.strip() or not line:
                self._header_cut = not line.endswith(b"\n")
                return b"".join(comments).decode(errors="replace"), line.decode(errors="replace")

    def blocks(self, table: int, fields: tuple[Field, ...]) -> Iterator[FileTable]:
        """The rows, typed. DataError when the file ends inside a row; a row with too many or too few fields is malformed."""
        if self._header_cut:  # asked here and not of the header: any text with a comma may turn out to be no product
            raise DataError("the file ends inside its header, which has no line end: it is truncated; fetch it again")
        wanted = fields_named(self._names, fields)
        tail = _Tail(self._stream)
        last = 0
        for part in self._parts(tail, wanted):
            last = max([last, *part.numbers[-1:].tolist(), *part.malformed])
            columns = {field.name: from_text(part.columns[name], field) for field, name in wanted.items() if name in part.columns}
            yield FileTable(part.numbers, columns, part.malformed)
        if tail.ends_in_line:  # the last number may have lost digits, and nothing else tells
            raise DataError(
                f"the file ends inside row {last}, which has no line end: it is truncated; fetch it again (where the row is whole all the "
                "same, add the line end)"
            )

    def _parts(self, tail: _Tail, wanted: Mapping[Field, str]) -> Iterator[_Part]:
        """The rows: chunk by chunk while every line is a row, from the first other chunk on as Arrow streams them."""
        before = 0
        rest = b""
        while block := tail.read(_BLOCK_BYTES):
            end = block.rfind(b"\n") + 1
            text = b"".join((rest, memoryview(block)[:end]))
            rest = block[end:]
            part = self._chunk(text, wanted, before) if end else None
            if part is None:
                rest = text + rest
                break
            before += len(part.numbers) + len(part.malformed)
            yield part
        if rest:
            yield from self._streamed(_Continued(rest, tail), wanted, before)

    def _chunk(self, text: bytes, wanted: Mapping[Field, str], before: int) -> _Part | None:
        """Rows that end with the text, numbers as numbers where each is plainly spelled; None where a line is not a row.

        As many rows as lines means that no line end stands within quotes, so that the last one is the end of a row. Blank lines, quoted line ends
        and old line ends (CR) make the numbers differ.
        """
        chunk = shortened(text, self._delimiter.encode()) if any(field.is_array for field in wanted) else Shortened(text, [])
        if chunk is None:
            return None
        times = Counter(wanted.values())  # two fields may be of one column, which then stays text
        names = list(times)
        numeric = {
            name: PLAIN_TYPES[field.type]
            for field, name in wanted.items()
            if field.type in PLAIN_TYPES and not field.is_array and times[name] == 1
        }
        encoding = "utf8" if _is_utf8(chunk.text) else _BYTES
        for types in ({} if _has_hexadecimal(chunk.text) else numeric, {}):
            bad: dict[int, str] = {}
            options = self._options(names, self._note(bad, before, encoding, chunk.restored), types, _PARSED_BYTES, encoding)
            try:
                table = pyarrow.csv.read_csv(pa.py_buffer(chunk.text), *options).combine_chunks()
            except pa.ArrowInvalid:  # a number in another spelling, or none
                continue
            if table.num_rows + len(bad) != chunk.text.count(b"\n"):
                return None
            columns = {name: table[name].chunk(0) for name in names} if table.num_rows else {}
            if any(pa.types.is_floating(cells.type) and pc.any(pc.is_inf(cells)).as_py() for cells in columns.values()):
                continue  # in words, or too large a number: its text tells
            numbers = np.arange(before + 1, before + 1 + table.num_rows + len(bad), dtype=np.int64)
            numbers = numbers[~np.isin(numbers, list(bad))]
            return _Part(
                numbers, {name: chunk.column(_as_stored(cells, encoding)) for name, cells in columns.items()}, dict(sorted(bad.items()))
            )
        return None

    def _streamed(self, stream: Readable, wanted: Mapping[Field, str], before: int) -> Iterator[_Part]:
        """Arrow's batches of text columns, their rows numbered after those ``before``; a row with a wrong number of fields is malformed."""
        bad: dict[int, str] = {}
        names = list(dict.fromkeys(wanted.values()))
        last = before
        closed = ClosedRows(stream, self._delimiter.encode(), len(self._names), _BLOCK_BYTES)
        try:
            for batch in pyarrow.csv.open_csv(
                pa.PythonFile(closed, mode="r"), *self._options(names, self._note(bad, before, _BYTES), {}, _BLOCK_BYTES, _BYTES)
            ):
                numbers = np.arange(last + 1, last + 1 + batch.num_rows + len(bad), dtype=np.int64)
                numbers = numbers[~np.isin(numbers, list(bad))][: batch.num_rows]
                last = int(numbers[-1]) if len(numbers) else last
                columns = {name: _as_stored(batch.column(name), _BYTES) for name in names}
                yield _Part(numbers, columns, {number: bad.pop(number) for number in sorted(bad) if number <= last})
        except pa.ArrowInvalid as error:
            if "Empty CSV file" not in str(error):  # nothing but blank lines
                raise DataError(f"the rows cannot be told apart ({error})") from error
        if bad:
            yield _Part(np.empty(0, np.int64), {}, dict(sorted(bad.items())))

    def _note(
        self, bad: dict[int, str], before: int, encoding: str, restored: Callable[[str], str] = str
    ) -> Callable[[pyarrow.csv.InvalidRow], str]:
        """Puts rows with a wrong number of fields into ``bad``; ``restored`` gives the text of a row as it stood in the file."""

        def note(row: pyarrow.csv.InvalidRow) -> str:
            text = restored(row.text.encode(encoding).decode(errors="backslashreplace"))
            opened = unmarked(text)
            seen = f"{row.actual_columns} fields in place of {row.expected_columns}" if opened is None else "a quote is not closed"
            bad[before + row.number] = f"{seen}: {(text if opened is None else opened)[:60]!r}"
            return "skip"

        return note

    def _options(
        self, names: list[str], note: Callable[[pyarrow.csv.InvalidRow], str], types: dict[str, pa.DataType], block: int, encoding: str
    ) -> tuple[pyarrow.csv.ReadOptions, pyarrow.csv.ParseOptions, pyarrow.csv.ConvertOptions]:
        """How Arrow reads the columns of these names: those without a type as the bytes that they are."""
        unique = [name if self._names.index(name) == index else f"{name} ({index})" for index, name in enumerate(self._names)]
        return (
            # one thread, because only then rows that are skipped carry their number
            pyarrow.csv.ReadOptions(use_threads=False, block_size=block, column_names=unique, encoding=encoding),
            pyarrow.csv.ParseOptions(delimiter=self._delimiter, newlines_in_values=True, invalid_row_handler=note),
            pyarrow.csv.ConvertOptions(
                include_columns=names,
                column_types=dict.fromkeys(names, pa.binary()) | types,
                strings_can_be_null=False,
                null_values=list(NULL_SPELLINGS),
                true_values=TRUE,
                false_values=FALSE,
            ),
        )


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _as_stored(cells: pa.Array, encoding: str) -> pa.Array:
    """The cells with the bytes that the file has, whatever they were taken for."""
    if encoding != _BYTES or not pa.types.is_binary(cells.type) or pc.all(pc.string_is_ascii(cells.cast(pa.string()))).as_py():
        return cells
    return pa.array([cell.decode().encode(_BYTES) for cell in cells.to_pylist()], pa.binary())


def _has_hexadecimal(text: bytes) -> bool:
    """Whether Arrow may find a number such as 0x10, which it reads as sixteen, where it looks for an integer."""
    for x in (b"x", b"X"):
        at = text.find(x)
        while at >= 0:
            if text[at - 1 : at] == b"0":
                return True
            at = text.find(x, at + 1)
    return False


def _ecsv_columns(comments: str) -> tuple[dict[str, str], dict[str, str]]:
    """Column name -> type, and column name -> unit, as an ECSV header states them."""
    types: dict[str, str] = {}
    units: dict[str, str] = {}
    name = None
    for key, value in _ECSV_COLUMN.findall(comments):
        if key == "name":
            name = value.strip().lower()
        elif name is not None:
            if key == "unit":
                units.setdefault(name, value.strip())  # a description may hold the word again
            else:
                types[name] = value.strip()
    return types, units
