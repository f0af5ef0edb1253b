"""Packed vectors come out of any buffer as the numbers that went in, as a view of it where they stand at equal distances."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.packed_vectors import PackedVectors

NUMBERS = st.floats(width=32, allow_nan=False)


def scattered(vectors: list[list[float]], gaps: list[int]) -> PackedVectors:
    """Vectors with as many bytes of something else before each of them, and three behind the last."""
    buffer, starts = bytearray(), []
    for vector, gap in zip(vectors, gaps, strict=True):
        buffer += b"\xee" * gap
        starts.append(len(buffer))
        buffer += struct.pack(f">{len(vector)}f", *vector)
    buffer += b"\xee" * 3
    lengths = np.array([4 * len(vector) for vector in vectors], np.int64)
    return PackedVectors(np.frombuffer(buffer, np.uint8), np.array(starts, np.int64), lengths)


@given(data=st.data(), n=st.integers(0, 8), length=st.integers(0, 5), uniform=st.booleans())
@settings(max_examples=80, deadline=None)
def test_vectors_are_found_wherever_they_stand(data: st.DataObject, n: int, length: int, uniform: bool) -> None:
    vectors = data.draw(st.lists(st.lists(NUMBERS, min_size=length, max_size=length), min_size=n, max_size=n))
    gaps = [data.draw(st.integers(0, 9))] * n if uniform else data.draw(st.lists(st.integers(0, 9), min_size=n, max_size=n))
    packed = scattered(vectors, gaps)
    expected = np.array(vectors, np.float32).reshape(n, length)
    assert len(packed) == n
    assert np.array_equal(packed.matrix(length), expected)
    assert np.array_equal(packed.take(slice(1, None)).matrix(length), expected[1:])
    odd = np.arange(n)[::-1][::2]
    assert np.array_equal(packed.take(odd).matrix(length), expected[odd])


@pytest.mark.parametrize(("gaps", "is_view"), [([5, 7, 7, 7], True), ([0, 0, 0, 0], True), ([7, 7, 9, 7], False)])
def test_vectors_at_equal_distances_are_not_copied(gaps: list[int], is_view: bool) -> None:
    packed = scattered([[1.5, 2.5], [3.5, 4.5], [5.5, 6.5], [7.5, 8.5]], gaps)
    assert np.shares_memory(packed.matrix(2), packed.buffer) == is_view


@given(cells=st.lists(st.none() | st.lists(NUMBERS, max_size=4), max_size=6))
@settings(max_examples=40, deadline=None)
def test_single_cells_are_joined(cells: list[list[float] | None]) -> None:
    packed = PackedVectors.joined(None if cell is None else struct.pack(f">{len(cell)}f", *cell) for cell in cells)
    assert packed.lengths.tolist() == [-1 if cell is None else 4 * len(cell) for cell in cells]
    for row, cell in enumerate(cells):
        assert cell is None or packed.take(slice(row, row + 1)).matrix(len(cell)).tolist() == [cell]
