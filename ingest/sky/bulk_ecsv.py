"""Gaia's bulk files as the archive ships them: gzipped ECSV in ranges of level-8 pixels, with a checksum list.

A file is a YAML header on comment lines (ECSV 1.0), a line of names, and comma-separated rows ordered by source_id; arrays are JSON lists in
double quotes, strings and booleans are quoted, a missing value is the bare word null (Gaia DR3 archive documentation, section 13.2.5). A
file is named by the first and last level-8 pixel that it covers, ``XpContinuousMeanSpectrum_000000-003111.csv.gz``, and ``_MD5SUM.txt`` lists
the files of a folder.

Files are complete or absent: written as ``.part``, then renamed. The same rows give the same bytes: the gzip header holds no time.
"""

import gzip
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import orjson
from jaxtyping import Int64

MD5_LIST = "_MD5SUM.txt"
COMPRESSION = 1
"""gzip's fastest level: digits hardly compress further, and the higher levels take several times as long."""
BLOCK_ROWS = 500
"""Rows turned into text at a time: 20 MB of XP spectra with correlations."""

Datatype = Literal["int8", "int16", "int32", "int64", "float32", "float64", "bool", "string"]


@dataclass(frozen=True)
class BulkColumn:
    """A column of a bulk file: its ECSV datatype; an ``array`` column holds a list of that type in each row."""

    name: str
    datatype: Datatype
    description: str
    unit: str | None = None
    ucd: str | None = None
    array: bool = False

    def header(self) -> list[str]:
        """The column's lines in the YAML header."""
        kind = [f"  datatype: string\n  subtype: '{self.datatype}[null]'"] if self.array else [f"  datatype: {self.datatype}"]
        unit = [f"  unit: {self.unit}"] if self.unit else []
        ucd = ["  meta:", f"    ucd: {self.ucd}"] if self.ucd else []
        text = "\n".join(["-", f"  name: {self.name}", *kind, *unit, f"  description: {_yaml(self.description)}", *ucd])
        return text.split("\n")


def _yaml(sentence: str) -> str:
    """A sentence as YAML takes it on one line."""
    return "'" + sentence.replace("'", "''") + "'" if any(sign in sentence for sign in ":#'\"{}[],&*?|<>=!%@\\") else sentence


def header(columns: Iterable[BulkColumn]) -> str:
    """The comment lines before the names."""
    lines = ["%ECSV 1.0", "---", "delimiter: ','", "datatype:"]
    for column in columns:
        lines += column.header()
    return "".join(f"# {line}\n" for line in lines)


def file_name(table: str, first_pixel: int, last_pixel: int) -> str:
    """The archive's name of a table's file that covers the level-8 pixels from first to last, inclusive."""
    return f"{table}_{first_pixel:06d}-{last_pixel:06d}.csv.gz"


def pixel_ranges(source_id: Int64[np.ndarray, " n"], rows_a_file: int) -> list[tuple[int, int]]:
    """Ranges of level-8 pixels, inclusive, that cover the whole sky and hold about ``rows_a_file`` of the sources each.

    The archive cuts its ranges so that files are of like size; a pixel is never split.
    """
    end = 12 * 4**8
    if len(source_id) == 0:
        return [(0, end - 1)]
    pixels = np.sort(source_id >> 43)
    starts = [0]
    for row in range(rows_a_file, len(pixels), rows_a_file):
        pixel = int(pixels[row])
        if pixel > starts[-1]:
            starts.append(pixel)
    return [(first, following - 1) for first, following in zip(starts, [*starts[1:], end], strict=True)]


def write_bulk(folder: Path, name: str, columns: tuple[BulkColumn, ...], blocks: Iterable[Mapping[str, np.ndarray]]) -> str:
    """Write one file; the MD5 of its bytes, as the checksum list takes it.

    Each block maps every column's name to its values: (rows,) or, for arrays, (rows, length). NaN, masked values of a masked array, and None in
    an object array are null; an array column's row is null where all of it is NaN or masked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{name}.part"
    digest = hashlib.md5(usedforsecurity=False)
    with part.open("wb") as raw:
        target = _Digested(raw, digest)
        with gzip.GzipFile(filename="", mode="wb", compresslevel=COMPRESSION, fileobj=target, mtime=0) as file:
            file.write((header(columns) + ",".join(column.name for column in columns) + "\n").encode())
            for block in blocks:
                for text in _texts(columns, block):
                    file.write(text)
    part.rename(folder / name)
    return digest.hexdigest()


def write_md5_list(folder: Path, checksums: Mapping[str, str]) -> None:
    """Write the folder's checksum list, lines of MD5, two blanks and the file's name, in the order of the names."""
    part = folder / f"{MD5_LIST}.part"
    part.write_text("".join(f"{checksums[name]}  {name}\n" for name in sorted(checksums)))
    part.rename(folder / MD5_LIST)


class _Digested(io.RawIOBase):
    """Hands bytes on to a file and to a digest."""

    def __init__(self, target: io.BufferedWriter, digest: Any) -> None:
        self._target, self._digest = target, digest

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._digest.update(data)
        return self._target.write(data)


def _texts(columns: tuple[BulkColumn, ...], block: Mapping[str, np.ndarray]) -> Iterator[bytes]:
    rows = len(block[columns[0].name])
    for first in range(0, rows, BLOCK_ROWS):
        cells = [_cells(column, block[column.name][first : first + BLOCK_ROWS]) for column in columns]
        yield b"".join(b",".join(row) + b"\n" for row in zip(*cells, strict=True))


def _cells(column: BulkColumn, values: np.ndarray) -> list[bytes]:
    """The text of each row's cell. orjson writes the shortest digits that give the same number back, and null for NaN."""
    if column.array:
        return _array_cells(values, np.dtype(column.datatype))
    if column.datatype in ("string", "bool"):
        missing = np.ma.getmaskarray(values)
        return [
            b"null" if gone or value is None else b'"%s"' % _text(value) for value, gone in zip(np.ma.getdata(values), missing, strict=True)
        ]
    data = np.ascontiguousarray(np.ma.filled(values, 0), dtype=column.datatype)  # what lies under a mask may not fit the type
    if len(data) == 0:
        return []
    cells = orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
    for row in np.flatnonzero(np.ma.getmaskarray(values)):
        cells[row] = b"null"
    return cells


def _array_cells(values: np.ndarray, dtype: np.dtype[Any]) -> list[bytes]:
    data = np.ascontiguousarray(np.ma.getdata(values), dtype=dtype)
    missing = np.asarray(np.ma.getmaskarray(values).all(axis=1))
    if np.issubdtype(dtype, np.floating):
        missing = missing | np.isnan(data).all(axis=1)
    return [
        b"null" if gone else b'"%s"' % orjson.dumps(row, option=orjson.OPT_SERIALIZE_NUMPY)
        for row, gone in zip(data, missing.tolist(), strict=True)
    ]


def _text(value: Any) -> bytes:
    """A string with its quotes doubled (RFC 4180), or a boolean as the archive spells it."""
    return str(bool(value)).encode() if isinstance(value, bool | np.bool_) else str(value).replace('"', '""').encode()
