"""Which format a content is, told by its first bytes and never by its name, and the reader for it."""

import errno
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Protocol

from catalog.errors import DataError, KielError, TransientError
from ingest.file_table import Field, FileTable
from ingest.formats.constants import WithConstants
from ingest.formats.delimited import DelimitedReader
from ingest.formats.fits_table import FitsReader
from ingest.formats.hdf5 import SIGNATURE, Hdf5Reader
from ingest.formats.parquet import ParquetReader
from ingest.formats.votable import VotableReader
from ingest.source_file import GZIP_MAGIC, HEAD_BYTES, ZIP_MAGIC, SourceFile

KNOWN_FORMATS = "CSV, ECSV, FITS, VOTable, Parquet and HDF5"
_KNOWN_BINARY = (
    (b"\x89HDF", "HDF5 with a damaged signature"), (b"Obj\x01", "Avro"), (b"\x93NUMPY", "a numpy array"), (ZIP_MAGIC, "a zip archive without a table"),
    (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"), (b"\x28\xb5\x2f\xfd", "zstandard"), (GZIP_MAGIC, "gzip within gzip"),
    (b"%PDF", "PDF"), (b"\x89PNG", "PNG"),
)  # fmt: skip
_ROOT_ELEMENT = re.compile(rb"<([A-Za-z][\w:.-]*)")
_TEXT_CONTROLS = set(range(32)) - {9, 10, 12, 13}


class TableReader(Protocol):
    """An opened content: its tables' column names (lower case) with the types and the units that the file gives, and their rows.

    ``rows_stated`` tells of each table how many rows the file promises; None where its format does not say.
    """

    format: str
    tables: list[Mapping[str, str]]
    units: list[Mapping[str, str]]
    rows_stated: list[int | None]

    def blocks(self, table: int, fields: tuple[Field, ...]) -> Iterator[FileTable]:
        """The rows of a table in blocks of bounded size; fields that the table lacks are left out."""
        ...


def format_of(head: bytes) -> str | None:
    """The format of a content that begins so: csv, ecsv, fits, votable, parquet, hdf5; None where readers know none."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"SIMPLE  ="):
        return "fits"
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(SIGNATURE):
        return "hdf5"
    if text.startswith(b"<"):
        return "votable" if b"VOTABLE" in text else None
    if text.startswith(b"# %ECSV"):
        return "ecsv"
    if not text:
        return None
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith(b"#")]
    if not lines:
        return "csv" if _is_text(head) else None
    whole = lines[0].endswith((b"\n", b"\r")) or len(head) < HEAD_BYTES
    delimited = b"," in lines[0] or b"\t" in lines[0]
    return "csv" if whole and delimited and _is_text(lines[0]) else None  # a damaged byte further on is its row's fault


def describe(head: bytes) -> str:
    """What a content of no known format looks like, in words."""
    if not head:
        return "an empty file"
    for magic, name in _KNOWN_BINARY:
        if head.startswith(magic):
            return name
    if _is_text(head):
        root = _ROOT_ELEMENT.search(head) if head.lstrip().startswith(b"<") else None
        if root:
            return f"an XML document with the root {root[1].decode(errors='replace')}"
        first = head.decode(errors="replace").strip().split("\n", 1)[0][:60]
        return f"text that begins {first!r}"
    return f"binary data that begins {head[:8]!r}"


def is_known(head: bytes) -> bool:
    """Whether a reader takes a content that begins so."""
    return format_of(head) is not None


def _is_text(head: bytes) -> bool:
    return not _TEXT_CONTROLS.intersection(head)


@contextmanager
def open_table(source: SourceFile) -> Iterator[TableReader]:
    """The reader for a file, its header read. DataError when the content is damaged, truncated, or of no known format."""
    with ExitStack() as opened:
        with damage_told(source.name):
            head = source.head()
            kind = format_of(head)
            reader: TableReader
            if kind in ("csv", "ecsv"):
                reader = DelimitedReader(opened.enter_context(source.stream()))
            elif kind == "fits":
                reader = FitsReader(opened.enter_context(source.seekable()))
            elif kind == "votable":
                reader = VotableReader(opened.enter_context(source.stream()))
            elif kind == "parquet":
                reader = ParquetReader(opened.enter_context(source.seekable()))
            elif kind == "hdf5":
                reader = Hdf5Reader(opened.enter_context(source.seekable()))
            else:
                raise DataError(f"{source.name} is {describe(head)}; readers know {KNOWN_FORMATS}")
            reader = WithConstants(reader, head, source.name)
        yield reader


def blocks_of(source: SourceFile, reader: TableReader, tables: list[int], fields: tuple[Field, ...]) -> Iterator[FileTable]:
    """The rows of the tables one after the other, numbered through. DataError when the content turns out to be damaged."""
    before = 0
    for table in tables:
        last = before
        rows = reader.blocks(table, fields)
        while True:
            with damage_told(source.name):
                block = next(rows, None)
            if block is None:
                break
            if before:
                block = FileTable(
                    block.row_number + before, block.columns, {number + before: seen for number, seen in block.malformed.items()}
                )
            last = max([last, *block.row_number[-1:].tolist(), *block.malformed])
            yield block.with_nulls(fields)
        before = last


@contextmanager
def damage_told(name: str) -> Iterator[None]:
    """Turns what the format libraries raise on damaged input (of many types) into a DataError that names the file."""
    try:
        yield
    except (KielError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise TransientError(f"no space for a decompressed copy of {name} ({error}); make room and repeat the command") from error
        what = next(iter(str(error).replace("\0", "\ufffd").strip().splitlines()), "")
        raise DataError(f"{name} is damaged or truncated ({type(error).__name__}: {what}); fetch it again") from error
