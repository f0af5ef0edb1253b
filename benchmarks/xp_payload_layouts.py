"""The ways of keeping XP spectra in a table that xp_payload.py compares: how each packs 3,190 numbers a star, and how it gets them back.

A star's numbers are float32: 55 + 55 coefficients, 55 + 55 errors, 1,485 + 1,485 correlations. The head of a star, its coefficients and
errors, is what models without covariances read.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, UInt8

from catalog.packed_vectors import PackedVectors

N_COEFFICIENTS, N_PAIRS = 55, 1485
HEAD = 4 * N_COEFFICIENTS
TAIL = 2 * N_PAIRS
ALL = HEAD + TAIL
ENDS = (0, 55, 110, 165, 220, 220 + N_PAIRS, ALL)
"""Where the six arrays begin and end among a star's numbers."""
INT16_SCALE = 32767

Numbers = Float32[np.ndarray, "n all"]
Cells = list[bytes]
Encode = Callable[[Numbers], list[Cells]]
Decode = Callable[[list[PackedVectors], Numbers], None]


@dataclass(frozen=True)
class Candidate:
    """A layout: columns (name, type, what ALTER COLUMN sets), the way in, and the ways out, of everything and of the head alone."""

    name: str
    columns: tuple[tuple[str, str, str], ...]
    encode: Encode
    decode: Decode
    head: tuple[str, ...]
    """SQL expressions that give the head."""
    decode_head: Decode
    needs_lz4: bool = False

    @property
    def head_is_toasted(self) -> bool:
        """Whether the head is the beginning of a value that PostgreSQL keeps out of the row."""
        return self.head == (_SLICE,)


def rows_of_bytes(array: np.ndarray) -> Cells:
    """Each row's bytes."""
    stream = array.tobytes()
    size = len(stream) // len(array)
    return [stream[at : at + size] for at in range(0, len(stream), size)]


def _encode_float32(numbers: Numbers) -> list[Cells]:
    return [rows_of_bytes(numbers.astype(">f4"))]


def _decode_float32(columns: list[PackedVectors], out: Numbers) -> None:
    out[:] = columns[0].matrix(out.shape[1])


def to_half(correlations: np.ndarray) -> np.ndarray:
    """Correlations as float16."""
    return correlations.astype(">f2")


def to_int16(correlations: np.ndarray) -> np.ndarray:
    """Correlations in steps of 1 / 32,767."""
    return np.rint(np.clip(correlations, -1, 1) * INT16_SCALE).astype(">i2")


def from_half(stored: np.ndarray) -> np.ndarray:
    """The correlations of to_half."""
    return stored.astype(np.float32)


def from_int16(stored: np.ndarray) -> np.ndarray:
    """The correlations of to_int16."""
    return stored.astype(np.float32) / np.float32(INT16_SCALE)


def _encode_16_bits(pack: Callable[[np.ndarray], np.ndarray], numbers: Numbers) -> list[Cells]:
    head = numbers[:, :HEAD].astype(">f4").view(np.uint8)
    tail = pack(numbers[:, HEAD:]).view(np.uint8)
    return [rows_of_bytes(np.hstack([head, tail]))]


def _decode_16_bits(unpack: Callable[[np.ndarray], np.ndarray], stored: str, columns: list[PackedVectors], out: Numbers) -> None:
    words = columns[0].matrix(HEAD + TAIL // 2)
    out[:, :HEAD] = words[:, :HEAD]
    out[:, HEAD:] = unpack(words[:, HEAD:].view(stored))


def shuffled(correlations: np.ndarray) -> UInt8[np.ndarray, "n bytes"]:
    """Float32 numbers byte by byte: all the sign-and-exponent bytes of a row first, the last bytes of the mantissas last."""
    n = len(correlations)
    return correlations.astype(">f4").view(np.uint8).reshape(n, -1, 4).transpose(0, 2, 1).reshape(n, -1)


def _encode_compressed(compress: Callable[[bytes], bytes], numbers: Numbers) -> list[Cells]:
    heads = rows_of_bytes(numbers[:, :HEAD].astype(">f4"))
    tails = rows_of_bytes(shuffled(numbers[:, HEAD:]))
    return [[head + compress(tail) for head, tail in zip(heads, tails, strict=True)]]


def _decode_compressed(decompress: Callable[[memoryview], bytes], columns: list[PackedVectors], out: Numbers) -> None:
    cells, view = columns[0], memoryview(columns[0].buffer)
    for row, (start, length) in enumerate(zip(cells.starts.tolist(), cells.lengths.tolist(), strict=True)):
        out[row, :HEAD] = np.frombuffer(view, ">f4", HEAD, start)
        tail = np.frombuffer(decompress(view[start + 4 * HEAD : start + length]), np.uint8)
        out[row, HEAD:] = np.ascontiguousarray(tail.reshape(4, TAIL).T).view(">f4")[:, 0]


def _zstd(level: int) -> tuple[Callable[[bytes], bytes], Callable[[memoryview], bytes]]:
    codec = pa.Codec("zstd", level)
    return (
        lambda raw: codec.compress(raw, asbytes=True),
        lambda packed: codec.decompress(packed, 4 * TAIL, asbytes=True),
    )


_ARRAY_HEADER = 20
"""Bytes before the first element of a one-dimensional array in binary COPY."""


def _encode_arrays(numbers: Numbers) -> list[Cells]:
    columns = []
    for first, end in pairwise((0, 2 * N_COEFFICIENTS, HEAD, HEAD + N_PAIRS, ALL)):
        width = end - first
        header = np.tile(
            np.array([1, 0, 700, width, 1], ">i4").view(np.uint8), (len(numbers), 1)
        )  # dimensions, nulls, oid of real, size, base
        elements = np.empty((len(numbers), width), [("length", ">i4"), ("value", ">f4")])
        elements["length"], elements["value"] = 4, numbers[:, first:end]
        columns.append(rows_of_bytes(np.hstack([header, elements.view(np.uint8)])))
    return columns


def _decode_arrays(columns: list[PackedVectors], out: Numbers) -> None:
    at = 0
    for cells in columns:
        width = (int(cells.lengths[0]) - _ARRAY_HEADER) // 8
        out[:, at : at + width] = cells.matrix(_ARRAY_HEADER // 4 + 2 * width)[:, _ARRAY_HEADER // 4 + 1 :: 2]
        at += width


def _encode_apart(ends: tuple[int, ...], numbers: Numbers) -> list[Cells]:
    return [rows_of_bytes(numbers[:, first:end].astype(">f4")) for first, end in pairwise(ends)]


def _decode_apart(ends: tuple[int, ...], columns: list[PackedVectors], out: Numbers) -> None:
    for cells, (first, end) in zip(columns, pairwise(ends), strict=True):
        out[:, first:end] = cells.matrix(end - first)


_SLICE = f"substring(payload FROM 1 FOR {4 * HEAD})"
_EXTERNAL = "SET STORAGE EXTERNAL"
_SIX = tuple(f"{band}_{name}" for name in ("coefficients", "errors", "correlations") for band in ("bp", "rp"))
_PGLZ = "SET STORAGE EXTENDED, ALTER COLUMN payload SET COMPRESSION pglz"
_LZ4 = "SET STORAGE EXTENDED, ALTER COLUMN payload SET COMPRESSION lz4"


def _one_bytea(name: str, storage: str, encode: Encode, decode: Decode, *, needs_lz4: bool = False) -> Candidate:
    return Candidate(name, (("payload", "bytea", storage),), encode, decode, (_SLICE,), _decode_float32, needs_lz4)


def candidates() -> list[Candidate]:
    """The layouts that are compared; the first is the present one."""
    zstd, unzstd = _zstd(3)
    two = (0, HEAD, ALL)
    arrays = ("coefficients", "errors", "bp_correlations", "rp_correlations")
    return [
        Candidate(
            "head in the row, correlations EXTERNAL (present)", (("head", "bytea", "SET STORAGE MAIN"), ("correlations", "bytea", _EXTERNAL)),
            partial(_encode_apart, two), partial(_decode_apart, two), ("head",), partial(_decode_apart, two[:2]),
        ),
        _one_bytea("one bytea, EXTERNAL", _EXTERNAL, _encode_float32, _decode_float32),
        _one_bytea("one bytea, pglz", _PGLZ, _encode_float32, _decode_float32),
        _one_bytea("one bytea, lz4", _LZ4, _encode_float32, _decode_float32, needs_lz4=True),
        _one_bytea(
            "one bytea, float16 correlations", _EXTERNAL, partial(_encode_16_bits, to_half), partial(_decode_16_bits, from_half, ">f2")
        ),
        _one_bytea(
            "one bytea, int16 correlations", _EXTERNAL, partial(_encode_16_bits, to_int16), partial(_decode_16_bits, from_int16, ">i2")
        ),
        _one_bytea(
            "one bytea, shuffled, zlib 1 by the client", _EXTERNAL, partial(_encode_compressed, lambda raw: zlib.compress(raw, 1)),
            partial(_decode_compressed, zlib.decompress),
        ),
        _one_bytea(
            "one bytea, shuffled, zstd 3 by the client", _EXTERNAL, partial(_encode_compressed, zstd), partial(_decode_compressed, unzstd)
        ),
        Candidate(
            "four real[], as PostgreSQL stores them", tuple((name, "real[]", "") for name in arrays), _encode_arrays, _decode_arrays,
            arrays[:2], _decode_arrays,
        ),
        Candidate(
            "six bytea, one an array, EXTERNAL", tuple((name, "bytea", _EXTERNAL) for name in _SIX), partial(_encode_apart, ENDS),
            partial(_decode_apart, ENDS), _SIX[:4], partial(_decode_apart, ENDS[:5]),
        ),
    ]  # fmt: skip
