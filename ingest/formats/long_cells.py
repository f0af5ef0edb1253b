"""Quoted cells taken out of a delimited text, so that a CSV parser does not walk through lists of thousands of digits.

An XP row is 40 kB of digits in six quoted cells and 300 bytes of anything else. Where every quote of a chunk stands at the border of a field,
the text between two quotes is a cell as it is; the rows are left with a short token in its place.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

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
        """A column of the text as it stood in the file."""
        fields = given.to_pylist()
        if not any(field[:1] == b"\0" for field in fields):
            return given
        return [self.cells[int(field[1:-1])] if field[:1] == b"\0" else field for field in fields]

    def restored(self, given: str) -> str:
        """A piece of the text as it stood in the file."""
        return _TOKEN.sub(lambda token: f'"{bytes(self.cells[int(token[1])]).decode(errors="replace")}"', given)


class Readable(Protocol):
    """A stream of bytes, of which no more is asked than this."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end."""
        ...


def shortened_chunks(stream: Readable, delimiter: bytes, size: int) -> Iterator[Shortened | bytes]:
    """The text in chunks of whole rows, of about ``size`` bytes; the last item is the bytes already read of what cannot be shortened.

    That begins with the first chunk in which a quote stands anywhere but at the border of a field (doubled, or a stray one), a cell holds a
    line end, or no row ends: from there on only a CSV parser knows where a row ends. After an empty last item the stream is at its end.
    """
    rest = b""
    while block := stream.read(size):
        end = block.rfind(b"\n") + 1
        text = b"".join((rest, memoryview(block)[:end]))
        short = _shortened(text, delimiter) if end else None
        if short is None:
            yield text + block[end:]
            return
        rest = block[end:]
        yield short
    if rest and (short := _shortened(rest, delimiter)):
        yield short
        rest = b""
    yield rest


def _shortened(text: bytes, delimiter: bytes) -> Shortened | None:
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
            pieces += (text[behind:opened], b"\0%d\0" % len(cells))
            cells.append(LongCell(text, opened + 1, closed))
            behind = closed + 1
    short = b"".join((*pieces, text[behind:]))
    return Shortened(short, cells) if short.count(b"\0") == 2 * len(cells) else None
