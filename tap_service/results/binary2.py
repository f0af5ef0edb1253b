"""Binary COPY blocks to VOTable BINARY2 and BINARY rows (VOTable 1.4 sections 5.4 and 5.3), vectorised over the rows of a block.

A BINARY2 row is a mask of null bits, most significant bit first, then the cells in order; both sides are big-endian, so numbers
and packed vectors are moved, never converted. A block whose cells are all of fixed width and none null takes one strided copy a column.

A BINARY row is the same without the mask: a null integer is the number that its FIELD declares, a null text is empty.
"""

import numpy as np
from jaxtyping import Int64, UInt8

from catalog.binary_copy import RawBlock
from tap_service.results.block_cells import BlockCells, RaggedBytes, copy_pieces, windows, wrong_size
from tap_service.results.field_types import NULL_BYTES, NULL_INTEGERS, CellForm, Field

_LETTERS = np.frombuffer(b"FT", np.uint8)
_UNKNOWN = ord("?")
_BIT_SET = 0x88
"""A bit that stands alone is the first of its byte (VOTable 1.4 section 2.1); astropy looks at the fifth."""


class Binary2Rows:
    """Turns blocks of one query's rows into BINARY2 bytes, or BINARY ones where they are not ``masked``."""

    def __init__(self, fields: tuple[Field, ...], *, masked: bool = True) -> None:
        self._fields = fields
        self._mask_bytes = (len(fields) + 7) // 8 if masked else 0
        self._null_bytes = NULL_BYTES if masked else NULL_BYTES | NULL_INTEGERS
        self._uniform: tuple[np.dtype[np.void], np.dtype[np.void]] | None = None
        if fields and all(field.form in (CellForm.FIXED, CellForm.BOOLEAN) for field in fields):
            source: list[tuple[str, str]] = [("n", ">i2")]
            target = [("mask", f"V{self._mask_bytes}")] if masked else []
            for i, field in enumerate(fields):
                source += [(f"length{i}", ">i4"), (f"cell{i}", f"V{field.copy_bytes}")]
                target += [(f"cell{i}", f"V{field.copy_bytes}")]
            self._uniform = np.dtype(source), np.dtype(target)

    def rows(self, block: RawBlock) -> bytes:
        """The BINARY2 rows of a block, end to end."""
        if not len(block.row_lengths):
            return b""
        return self._uniform_rows(block) or self._general_rows(BlockCells(self._fields, block))

    def _uniform_rows(self, block: RawBlock) -> bytes | None:
        """The fast path; None where a cell is null or of varying width."""
        if self._uniform is None:
            return None
        source, target = self._uniform
        if len(block.buffer) != source.itemsize * len(block.row_lengths) or not (block.row_lengths == source.itemsize).all():
            return None
        rows = np.frombuffer(block.buffer, source)
        if not all((rows[f"length{i}"] == field.copy_bytes).all() for i, field in enumerate(self._fields)):
            return None
        out = np.zeros(len(rows), target)
        for i, field in enumerate(self._fields):
            cells = rows[f"cell{i}"]
            out[f"cell{i}"] = _LETTERS[_flags(cells)].view("V1") if field.form is CellForm.BOOLEAN else cells
        return out.tobytes()

    def _general_rows(self, cells: BlockCells) -> bytes:
        """Any block: sizes first, then every column scattered to its places."""
        ragged: dict[int, RaggedBytes] = {}
        counts: dict[int, Int64[np.ndarray, " n"]] = {}
        for i, field in enumerate(self._fields):
            if field.form not in (CellForm.FIXED, CellForm.BOOLEAN, CellForm.SMALL):
                pieces = cells.ragged(i, ascii_only=True)
                counts[i] = pieces.lengths
                if field.datatype == "unicodeChar":
                    pieces = _utf16(pieces)
                if field.form is CellForm.BITS:
                    pieces = _packed_bits(pieces)
                else:
                    counts[i] = pieces.lengths // field.element_bytes
                ragged[i] = pieces
        sizes = np.empty((len(cells), len(self._fields)), np.int64)
        for i, field in enumerate(self._fields):
            width = field.binary_bytes
            sizes[:, i] = ragged[i].lengths + 4 if width is None else width
        ends = np.cumsum(sizes.sum(axis=1) + self._mask_bytes)
        out = np.zeros(int(ends[-1]), np.uint8)
        at = np.concatenate((np.zeros(1, np.int64), ends[:-1]))
        if self._mask_bytes:
            mask = np.ascontiguousarray(np.packbits(cells.null, axis=1))
            windows(out, self._mask_bytes)[at] = mask.view(f"V{self._mask_bytes}")[:, 0]
            at = at + self._mask_bytes
        for i, field in enumerate(self._fields):
            if i in ragged:
                self._place_ragged(out, at, field, ragged[i], counts[i], cells.null[:, i])
            else:
                self._place_fixed(out, at, field, cells, i)
            at = at + sizes[:, i]
        return out.tobytes()

    def _place_fixed(self, out: UInt8[np.ndarray, " m"], at: np.ndarray, field: Field, cells: BlockCells, column: int) -> None:
        values, null = cells.fixed(column), cells.null[:, column]
        if field.form is CellForm.BOOLEAN:
            values = np.where(null, _UNKNOWN, _LETTERS[_flags(values)]).astype(np.uint8).view("V1")
        elif field.form is CellForm.SMALL:
            numbers = values.view(">i2").astype(np.uint8)
            values = (numbers * _BIT_SET if field.datatype == "bit" else numbers).astype(np.uint8).view("V1")
        elif field.datatype in self._null_bytes and null.any():
            values[null] = np.frombuffer(self._null_bytes[field.datatype] * (field.length or 1), values.dtype)
        windows(out, values.itemsize)[at] = values

    @staticmethod
    def _place_ragged(
        out: UInt8[np.ndarray, " m"],
        at: np.ndarray,
        field: Field,
        cells: RaggedBytes,
        counts: Int64[np.ndarray, " n"],
        null: np.ndarray,
    ) -> None:
        """A count of elements in four bytes, then the elements; without the count where the arraysize is fixed."""
        width = field.binary_bytes
        if width is None:
            windows(out, 4)[at] = counts.astype(">u4").view("V4")
            at = at + 4
        else:
            assert field.length is not None
            fits = cells.lengths == width if field.datatype in NULL_BYTES else cells.lengths <= width
            if not (fits | null).all():
                raise wrong_size(field, int(cells.lengths[~(fits | null)][0]), width)
            if field.datatype in NULL_BYTES and null.any():
                windows(out, width)[at[null]] = np.frombuffer(NULL_BYTES[field.datatype] * field.length, f"V{width}")
        copy_pieces(out, at, cells.content, cells.offsets[:-1], cells.lengths)


def _flags(cells: np.ndarray) -> np.ndarray:
    """Opaque single bytes as 0 or 1."""
    return np.ascontiguousarray(cells).view(np.uint8)


def _packed_bits(cells: RaggedBytes) -> RaggedBytes:
    """Bytes 0 and 1, eight into one, the first of them highest."""
    return RaggedBytes.of([np.packbits(np.frombuffer(bits, np.uint8)).tobytes() for bits in cells.strings()])


def _utf16(cells: RaggedBytes) -> RaggedBytes:
    """UTF-8 to the big-endian UTF-16 of unicodeChar."""
    return RaggedBytes.of([text.decode().encode("utf-16-be") for text in cells.strings()])
