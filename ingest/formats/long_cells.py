"""Quoted cells taken out of a delimited text, so that a CSV parser does not walk through lists of thousands of digits.

An XP row is 40 kB of digits in six quoted cells and 300 bytes of anything else. Where every quote of a text stands at the border of a field,
the text between two quotes is a cell as it is; the rows are left with a short token in its place.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import pyarrow as pa

_LONG = 64
"""Bytes from which a cell is taken out."""
_TOKEN = re.compile(r"\0(\d+)\0")


class LongCell(NamedTuple):
    """A cell within a text that is kept, so that it is not copied before it is read: ``text[start:end]``."""

    text: bytes
    start: int
    end: int

    def __bytes__(self) -> bytes:
        return self.text[self.start : self.end]


Cells: TypeAlias = pa.Array | list[bytes | LongCell]
"""A column of text: Arrow strings or binary, or the bytes of each row."""


@dataclass(frozen=True)
class Shortened:
    """Whole rows whose long cells have been taken out."""

    text: bytes
    cells: list[LongCell]

    def column(self, given: pa.Array) -> Cells:
        """A column of the text as it stood in the file; one of numbers has no long cells."""
        fields = given.to_pylist() if self.cells and pa.types.is_binary(given.type) else []
        if not any(field[:1] == b"\0" for field in fields):
            return given
        return [self.cells[int(field[1:-1])] if field[:1] == b"\0" else field for field in fields]

    def restored(self, given: str) -> str:
        """A piece of the text as it stood in the file."""
        return _TOKEN.sub(lambda token: f'"{bytes(self.cells[int(token[1])]).decode(errors="replace")}"', given)


def shortened(text: bytes, delimiter: bytes) -> Shortened | None:
    """Whole rows without their long cells; None where a quote stands anywhere but at the border of a field (doubled, or a stray one).

    None also where a long cell holds a line end: of such cells ingest.formats.open_quotes decides.
    """
    quotes: list[int] = []
    at = text.find(b'"')
    while at >= 0:
        quotes.append(at)
        at = text.find(b'"', at + 1)
    if len(quotes) % 2:
        return None
    borders = delimiter + b"\r\n"
    pieces: list[bytes] = []
    cells: list[LongCell] = []
    behind = 0
    for opened, closed in zip(quotes[0::2], quotes[1::2], strict=True):
        if (opened and text[opened - 1] not in borders) or (closed + 1 < len(text) and text[closed + 1] not in borders):
            return None
        if closed - opened > _LONG:
            if text.find(b"\n", opened, closed) >= 0:
                return None
            pieces += (text[behind:opened], b"\0%d\0" % len(cells))
            cells.append(LongCell(text, opened + 1, closed))
            behind = closed + 1
    short = b"".join((*pieces, text[behind:]))
    return Shortened(short, cells) if short.count(b"\0") == 2 * len(cells) else None
