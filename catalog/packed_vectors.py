"""Packed float32 vectors of a column, left in the buffer that they came in until somebody says where the numbers shall go."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64, UInt8


@dataclass(frozen=True, eq=False)
class PackedVectors:
    """Big-endian float32 vectors of n rows: row i is ``lengths[i]`` bytes of ``buffer``, from ``starts[i]`` on (a length of -1: null)."""

    buffer: UInt8[np.ndarray, " bytes"]
    starts: Int64[np.ndarray, " n"]
    lengths: Int64[np.ndarray, " n"]

    @classmethod
    def joined(cls, cells: Iterable[bytes | None]) -> "PackedVectors":
        """The vectors of single bytes objects; None: null."""
        cells = list(cells)
        lengths = np.fromiter((-1 if cell is None else len(cell) for cell in cells), np.int64, len(cells))
        sizes = np.maximum(lengths, 0)
        return cls(np.frombuffer(b"".join(cell for cell in cells if cell), np.uint8), np.cumsum(sizes) - sizes, lengths)

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, index: "slice | Int64[np.ndarray, ' rows']") -> "PackedVectors":
        """Some of the rows, in the same buffer."""
        return PackedVectors(self.buffer, self.starts[index], self.lengths[index])

    def matrix(self, length: int) -> Float32[np.ndarray, "n length"]:
        """The vectors side by side, still big-endian; every row must have this many elements.

        Rows that stand at equal distances, as COPY sends rows of one shape, are a view of the buffer; others are copied together first.
        """
        n, width = len(self), 4 * length
        if n == 0 or width == 0:
            return np.empty((n, length), ">f4")
        distance = int(self.starts[1] - self.starts[0]) if n > 1 else width
        if distance >= 0 and (np.diff(self.starts) == distance).all():
            return np.ndarray((n, length), ">f4", self.buffer, int(self.starts[0]), (distance, 4))
        items = np.ndarray((len(self.buffer) - width + 1,), f"V{width}", self.buffer, 0, (1,))
        return items[self.starts].view(">f4").reshape(n, length)
