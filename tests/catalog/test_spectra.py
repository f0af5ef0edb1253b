"""Packed spectra: every layout of every release survives, lengths are checked, and triangles become the matrices that GaiaXPy makes."""

import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import DataError
from catalog.packed_vectors import PackedVectors
from catalog.spectra import CORRELATIONS, WITHOUT_CORRELATIONS, Layout, SpectrumBatch, layout_of, n_pairs, pack, unpack, unpack_into

ARRAYS = ("bp_coefficients", "rp_coefficients", "bp_errors", "rp_errors", "bp_correlations", "rp_correlations")
CONTRACTS = [(55, 55), (51, 55), (3, 2), (1, 4)]


def spectra(layout: list[int], n_bp: int, n_rp: int, seed: int = 0) -> SpectrumBatch:
    """A batch of float32 numbers with NaN where the layout lacks an array, and a NaN here and there where it has one."""
    rng, n = np.random.default_rng(seed), len(layout)
    widths = (n_bp, n_rp, n_bp, n_rp, n_pairs(n_bp), n_pairs(n_rp))
    arrays = {}
    for bit, (name, width) in enumerate(zip(ARRAYS, widths, strict=True)):
        array = rng.normal(size=(n, width)).astype(np.float32)
        array[rng.random((n, width)) < 0.05] = np.nan
        array[(np.array(layout, int) >> bit) & 1 == 0] = np.nan
        arrays[name] = array if "corr" in name else array.astype(np.float64)
    return SpectrumBatch(np.arange(n) + 7 * 10**18 // 2, np.array(layout, np.int16), **arrays)  # type: ignore[arg-type]


@given(
    layout=st.lists(st.integers(0, 63), max_size=12),
    contract=st.sampled_from(CONTRACTS),
    seed=st.integers(0, 1000),
    correlations=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_every_layout_survives_in_every_release(layout: list[int], contract: tuple[int, int], seed: int, correlations: bool) -> None:
    batch = spectra(layout, *contract, seed)
    heads, tails = pack(batch)
    found = unpack(batch.source_id, batch.layout, heads, tails if correlations else None, *contract)
    for name in ARRAYS if correlations else ARRAYS[:4]:
        assert np.array_equal(getattr(found, name), getattr(batch, name), equal_nan=True)
        assert getattr(found, name).dtype == np.float32
    assert found.coefficients().dtype == found.errors().dtype == np.float64
    if not correlations:
        assert found.bp_correlations is None
        assert found.rp_correlations is None
    for i, bits in enumerate(layout):  # one source at a time, with struct
        head, tail = (
            [x for bit in bits_of if bits >> bit & 1 for x in getattr(batch, ARRAYS[bit])[i].tolist()]
            for bits_of in (range(4), range(4, 6))
        )
        assert heads[i] == struct.pack(f">{len(head)}f", *head)
        assert tails[i] == (struct.pack(f">{len(tail)}f", *tail) if bits & 48 else None)
        assert Layout(bits).length(*contract) == len(head) + len(tail)


@pytest.mark.parametrize("layout", [[63] * 5, [63, 63, 2 | 8 | 32, 15, 63]])
@pytest.mark.parametrize("correlations", [True, False])
def test_batches_are_filled_piece_by_piece(layout: list[int], correlations: bool) -> None:
    written = spectra(layout, 51, 55)
    head, tail = map(PackedVectors.joined, pack(written))
    batch = SpectrumBatch.blank(7, 51, 55, correlations=correlations)
    for first, end in ((0, 2), (2, 3), (3, 5)):
        rows = slice(first, end)
        tails = tail.take(rows) if correlations else None
        unpack_into(batch.take(rows), written.source_id[rows], written.layout[rows], head.take(rows), tails)
    found = batch.take(slice(5))
    for name in ("source_id", "layout", *(ARRAYS if correlations else ARRAYS[:4])):
        assert np.array_equal(getattr(found, name), getattr(written, name), equal_nan=True), name
    assert (found.rp_correlations is None) == (not correlations)


def test_a_whole_dr3_spectrum_has_12760_bytes() -> None:
    assert Layout(63).length(55, 55) * 4 == 12_760
    assert WITHOUT_CORRELATIONS.length(55, 55) * 4 == 880
    assert CORRELATIONS.length(51, 55) == 1275 + 1485


@pytest.mark.parametrize("band", ["bp", "rp"])
@pytest.mark.parametrize("contract", [(55, 55), (51, 55)])
def test_triangles_become_the_matrices_that_gaiaxpy_makes(band: str, contract: tuple[int, int]) -> None:
    array_to_symmetric_matrix = pytest.importorskip("gaiaxpy.core.generic_functions").array_to_symmetric_matrix
    batch = spectra([63, 63, 63], *contract)
    batch = replace(batch, **{name: np.nan_to_num(getattr(batch, name)) for name in ARRAYS})
    n = contract[0] if band == "bp" else contract[1]
    errors = batch.bp_errors if band == "bp" else batch.rp_errors
    matrices, covariances = batch.correlation(band), batch.covariance(band)  # type: ignore[arg-type]
    for i in range(3):
        expected = array_to_symmetric_matrix(np.asarray(getattr(batch, f"{band}_correlations")[i], np.float64), n)
        assert np.array_equal(matrices[i], expected)
        assert np.allclose(covariances[i], np.diag(errors[i]) @ expected @ np.diag(errors[i]), rtol=1e-14, atol=0)


def test_triangles_go_row_by_row() -> None:
    batch = spectra([63], 3, 2)
    batch = replace(batch, bp_correlations=np.array([[0.1, 0.2, 0.3]], np.float32))
    assert batch.correlation("bp")[0] == pytest.approx(np.array([[1, 0.1, 0.2], [0.1, 1, 0.3], [0.2, 0.3, 1]]))


def test_missing_bands_are_nan_and_known() -> None:
    batch = spectra([63, 2 | 8 | 32, 15], 3, 2)
    assert np.isnan(batch.coefficients()[1, :3]).all()
    assert batch.coefficients().shape == batch.errors().shape == (3, 5)
    assert np.array_equal(batch.errors()[:, 3:], batch.rp_errors, equal_nan=True)
    assert batch.has(Layout.BP_COEFFICIENTS).tolist() == [True, False, True]
    assert batch.has(CORRELATIONS).tolist() == [True, False, False]
    assert np.isnan(batch.covariance("bp")[1]).all()
    assert np.isnan(batch.g_mean_flux).all()
    assert np.isnan(batch.g_mean_mag).all()
    few = batch.take(np.array([2, 0]))
    assert few.source_id.tolist() == batch.source_id[[2, 0]].tolist()
    assert np.array_equal(few.rp_correlations, batch.rp_correlations[[2, 0]], equal_nan=True)  # type: ignore[arg-type,index]


def test_the_layout_follows_from_what_is_there() -> None:
    layout = [63, 0, 2 | 8 | 32, 15, 1]
    batch = spectra(layout, 55, 51)
    assert layout_of(*(getattr(batch, name) for name in ARRAYS)).tolist() == layout
    assert layout_of(*(getattr(batch, name) for name in ARRAYS[:4])).tolist() == [bits & 15 for bits in layout]


WRONG = {
    "a head that is too short": (63, "876 bytes of head, but layout 63 .* takes 880", lambda head, tail: (head[:-4], tail)),
    "correlations that are too short": (
        63,
        "11876 bytes of correlations, but layout 63 .* takes 11880",
        lambda head, tail: (head, tail[:-4]),
    ),
    "correlations that are missing": (63, "0 bytes of correlations, but layout 63 .* takes 11880", lambda head, tail: (head, None)),
    "correlations that its layout does not name": (
        15,
        "4 bytes of correlations, but layout 15 .* takes 0",
        lambda head, tail: (head, b"0000"),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_spectrum_of_another_length_names_its_source(name: str) -> None:
    layout, message, spoil = WRONG[name]
    batch = spectra([15, layout, 63], 55, 55)
    head, correlations = pack(batch)
    head[1], correlations[1] = spoil(head[1], correlations[1])
    with pytest.raises(DataError, match=f"Source {batch.source_id[1]}: {message}"):
        unpack(batch.source_id, batch.layout, head, correlations, 55, 55)


def test_a_spectrum_of_another_release_is_refused() -> None:
    batch = spectra([15, 63, 63], 55, 55)
    with pytest.raises(DataError, match="51 BP and 55 RP"):
        unpack(batch.source_id, batch.layout, *pack(batch), 51, 55)


@pytest.mark.parametrize("layout", [64, -1, 127])
def test_layouts_with_other_bits_are_refused(layout: int) -> None:
    with pytest.raises(DataError, match=f"Layout {layout}"):
        unpack(np.array([5]), np.array([layout], np.int16), np.array([b""], object), None, 3, 2)


def test_correlations_that_are_named_but_not_there_are_refused() -> None:
    batch = replace(spectra([15, 63], 3, 2), bp_correlations=None)
    with pytest.raises(DataError, match=f"Source {batch.source_id[1]}: its layout names bp_correlations"):
        pack(batch)
    with pytest.raises(DataError, match="BP correlations of these spectra were not read"):
        batch.covariance("bp")


def test_numbers_beyond_float32_are_refused() -> None:
    batch = spectra([15, 15], 3, 2)
    batch.rp_coefficients[1, 0] = 1e39
    with pytest.raises(DataError, match=f"Source {batch.source_id[1]}: a number"):
        pack(batch)


@pytest.mark.parametrize("name", ["layout", "rp_errors", "bp_correlations", "g_mean_flux"])
def test_arrays_that_do_not_fit_together_are_refused(name: str) -> None:
    batch = spectra([63, 63], 3, 2)
    with pytest.raises(DataError, match=name):
        replace(batch, **{name: getattr(batch, name)[:1]})
