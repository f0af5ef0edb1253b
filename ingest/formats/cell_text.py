"""What every reader of text asks of a cell: how nulls and numbers are spelled, whether it is UTF-8, and how a bad one is told."""

import re

import pyarrow as pa

NULL_SPELLINGS = ("", "null", "NULL", "nan", "NaN", "\\N")
NULLS = pa.array(NULL_SPELLINGS)
NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|inf(inity)?|nan)", re.IGNORECASE | re.ASCII)
_SEEN = 60
"""How many characters of a bad value are told."""


def told(text: str) -> str:
    """What was seen, in as many characters as a person reads."""
    return repr(text if len(text) <= _SEEN else text[:_SEEN] + "...")


def decoded(cells: pa.Array) -> tuple[pa.Array, dict[int, str]]:
    """The cells as UTF-8 strings; a cell of other bytes becomes null and is told."""
    try:
        return cells.cast(pa.string()), {}
    except pa.ArrowInvalid:
        undecodable: dict[int, str] = {}
        texts: list[str | None] = []
        for index, cell in enumerate(cells.to_pylist()):
            try:
                texts.append(cell.decode() if cell is not None else None)
            except UnicodeDecodeError:
                undecodable[index] = f"not UTF-8: {cell[:_SEEN]!r}"
                texts.append(None)
        return pa.array(texts, pa.string()), undecodable
