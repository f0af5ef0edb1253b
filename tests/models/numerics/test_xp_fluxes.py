"""Sampled fluxes and their covariances against GaiaXPy itself, and, where it errs, against draws of the coefficients."""

from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from catalog.errors import DataError
from catalog.spectra import SpectrumBatch
from catalog.stars import StarBatch
from ingest.sky.xp_forward import band_operator
from models.forward.bands import XP_WAVELENGTHS
from models.numerics.xp_fluxes import BLOCK, XpBand, XpSampler
from models.numerics.xp_sampling import BANDS, merge_weights, sampling_matrices

OVERLAP = 25
"""642 nm, the one sample of the grid between 635 and 643 nm."""
N_STARS, NO_BP, NO_RP = 12, 10, 11


@pytest.fixture(scope="module")
def stars(black_body_stars) -> StarBatch:
    """Twelve stars, the last two with one band each."""
    batch = black_body_stars(N_STARS, seed=2)
    for band, row in (("bp", NO_BP), ("rp", NO_RP)):
        for name in ("coefficients", "errors", "correlations"):
            getattr(batch.spectra, f"{band}_{name}")[row] = np.nan
        batch.columns[f"{band}_standard_deviation"][row] = np.nan
    return batch


def sampled(stars: StarBatch, sampling: dict | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Fluxes and covariances in W m-2 nm-1 of all the stars."""
    sampler = XpSampler(sampling or sampling_matrices(56, 57, XP_WAVELENGTHS), merge_weights(XP_WAVELENGTHS))
    bands = {band: XpBand.of(stars.spectra, band) for band in BANDS}
    blocks = [(parts["bp"] + parts["rp"], covariance.copy()) for _, parts, covariance in sampler.blocks(bands)]
    flux, covariance = (np.concatenate(each) for each in zip(*blocks, strict=True))
    missing = ~sampler.present(bands)
    flux[missing] = np.nan
    covariance[missing[:, :, None] | missing[:, None, :]] = np.nan
    return flux, covariance


@pytest.fixture
def calibrated(gaiaxpy: ModuleType, stars: StarBatch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fluxes, errors and correlation matrices by GaiaXPy."""
    spectra, rows = stars.spectra, []
    for i in range(len(stars)):
        row: dict[str, object] = {"source_id": i + 1, "solution_id": 1}
        for band, basis, there in (("bp", 56, i != NO_BP), ("rp", 57, i != NO_RP)):
            row |= {
                f"{band}_basis_function_id": basis,
                f"{band}_n_parameters": 55 if there else np.nan,
                f"{band}_standard_deviation": stars[f"{band}_standard_deviation"][i],
                f"{band}_n_relevant_bases": 55,
                **{
                    f"{band}_{theirs}": getattr(spectra, f"{band}_{ours}")[i].astype(np.float64) if there else np.nan
                    for theirs, ours in (
                        ("coefficients", "coefficients"),
                        ("coefficient_errors", "errors"),
                        ("coefficient_correlations", "correlations"),
                    )
                },
            }
        rows.append(row)
    table, _ = gaiaxpy.calibrate(pd.DataFrame(rows), sampling=XP_WAVELENGTHS, with_correlation=True, save_file=False)
    below = np.tril_indices(len(XP_WAVELENGTHS), -1)
    correlation = np.ones((len(stars), len(XP_WAVELENGTHS), len(XP_WAVELENGTHS)))
    correlation[:, below[0], below[1]] = np.stack(table["correlation"].to_list())
    correlation[:, below[1], below[0]] = np.stack(table["correlation"].to_list())
    return np.stack(table["flux"].to_list()), np.stack(table["flux_error"].to_list()), correlation


def test_fluxes_errors_and_correlations_are_gaiaxpys_and_in_the_overlap_the_draws(stars: StarBatch, calibrated) -> None:
    flux, covariance = sampled(stars)
    their_flux, their_error, their_correlation = calibrated
    np.testing.assert_array_equal(np.isnan(flux), np.isnan(their_flux))
    assert np.isnan(flux[NO_BP, :OVERLAP]).all()
    assert np.isnan(flux[NO_RP, OVERLAP + 1 :]).all()
    assert np.nanmax(np.abs(flux - their_flux) / np.nanmax(np.abs(their_flux), axis=1, keepdims=True)) < 1e-12
    error = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    np.testing.assert_allclose(error, their_error, rtol=1e-10)
    correlation = covariance / (error[:, :, None] * error[:, None, :])
    off = np.abs(correlation - their_correlation)
    off[np.isnan(correlation)] = 0
    two_bands = [i for i in range(len(stars)) if i not in (NO_BP, NO_RP)]
    assert off[[NO_BP, NO_RP]].max() < 1e-10
    elsewhere = np.delete(np.delete(off, OVERLAP, axis=1), OVERLAP, axis=2)
    assert elsewhere.max() < 1e-10

    # At 642 nm the two differ, by their merge weights on one side of the covariance. Draws of the coefficients tell whose is right.
    assert off[two_bands, OVERLAP].max() > 0.05
    star = max(two_bands, key=lambda i: off[i, OVERLAP].max())
    random, draws = np.random.default_rng(8), np.zeros((40_000, len(XP_WAVELENGTHS)))
    matrices = sampling_matrices(56, 57, XP_WAVELENGTHS)  # the fluxes of these are GaiaXPy's, as shown above
    for band in BANDS:
        of_band = stars.spectra.covariance(band)[star]
        draws += random.multivariate_normal(np.zeros(55), of_band, size=len(draws), method="eigh") @ matrices[band]
    drawn = np.corrcoef(draws.T)[OVERLAP]
    sigma = 1 / np.sqrt(len(draws))
    assert np.abs(correlation[star, OVERLAP] - drawn).max() < 5 * sigma
    assert np.abs(their_correlation[star, OVERLAP] - drawn).max() > 10 * sigma


@pytest.mark.parametrize(("release", "bases"), [("dr3", (56, 57)), ("dr4", (156, 157))])
def test_whatever_the_number_of_coefficients_the_covariance_is_d_t_c_d(black_body_stars, release: str, bases: tuple[int, int]) -> None:
    stars, matrices = black_body_stars(4, seed=4, release=release), sampling_matrices(*bases, XP_WAVELENGTHS)
    flux, covariance = sampled(stars, matrices)
    spectra = stars.spectra
    expected = sum(matrices[band].T @ spectra.covariance(band) @ matrices[band] for band in BANDS)
    np.testing.assert_allclose(covariance, expected, rtol=1e-9, atol=1e-12 * expected.max())
    expected_flux = sum(getattr(spectra, f"{band}_coefficients").astype(float) @ matrices[band] for band in BANDS)
    np.testing.assert_allclose(flux, expected_flux, rtol=1e-12, atol=1e-14 * expected_flux.max())


def test_a_covariance_without_correlations_is_that_of_independent_coefficients(black_body_stars) -> None:
    stars = black_body_stars(3)
    spectra = stars.spectra
    bare = StarBatch(
        SpectrumBatch(
            spectra.source_id, spectra.layout, spectra.bp_coefficients, spectra.rp_coefficients, spectra.bp_errors, spectra.rp_errors
        ),
        stars.columns,
    )
    _, covariance = sampled(bare)
    matrices = sampling_matrices(56, 57, XP_WAVELENGTHS)
    expected = sum(
        np.einsum("ki,nk,kj->nij", matrices[band], getattr(spectra, f"{band}_errors").astype(float) ** 2, matrices[band]) for band in BANDS
    )
    np.testing.assert_allclose(covariance, expected, rtol=1e-10, atol=1e-14 * expected.max())


def test_the_mock_dr4_gives_the_spectra_that_dr3_gives(black_body_stars) -> None:
    """Its bases hold what DR3's do, but for the highest orders of BP; its matrices are those of DR3 in other coordinates."""
    dr3, dr4 = sampling_matrices(56, 57, XP_WAVELENGTHS), sampling_matrices(156, 157, XP_WAVELENGTHS)
    assert dr4["bp"].shape == (51, 61)
    for band in BANDS:
        np.testing.assert_allclose(band_operator(band, "dr4").projection.T @ dr4[band], _without_highest(band, dr3[band]), atol=1e-30)
    stars = black_body_stars(BLOCK + 3, release="dr4")
    assert stars.spectra.n_bp == 51
    flux, _ = sampled(stars, dr4)
    of_dr3, covariance = sampled(black_body_stars(BLOCK + 3), dr3)
    error = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    assert np.median(np.abs(flux - of_dr3) / error) < 3  # two draws of the noise, and the four orders that BP lacks


def _without_highest(band: str, matrix: np.ndarray) -> np.ndarray:
    """DR3's matrix on the space that the mock DR4's coefficients span."""
    projection = band_operator(band, "dr4").projection
    return projection.T @ projection @ matrix


UNUSABLE = {
    "a coefficient is NaN": ("coefficients", np.nan),
    "a coefficient is infinite": ("coefficients", np.inf),
    "an error is NaN": ("errors", np.nan),
    "an error is infinite": ("errors", np.inf),
    "an error is zero": ("errors", 0.0),
    "an error is negative": ("errors", -1.0),
}


@pytest.mark.parametrize(("array", "value"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_band_with_a_number_that_says_nothing_is_not_usable(black_body_stars, array: str, value: float) -> None:
    spectra = black_body_stars(3).spectra
    getattr(spectra, f"bp_{array}")[1, 7] = value
    band = XpBand.of(spectra, "bp")
    np.testing.assert_array_equal(band.usable, [True, False, True])
    assert band.there.all()
    assert not band.coefficients[1].any()
    assert not band.errors[1].any()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1.5, -1.5])
def test_a_triangle_that_is_none_of_correlations_counts_as_absent(black_body_stars, value: float) -> None:
    spectra = black_body_stars(3).spectra
    spectra.rp_correlations[2, 100] = value
    band = XpBand.of(spectra, "rp")
    np.testing.assert_array_equal(band.correlated, [True, True, False])
    assert band.usable.all()


def test_matrices_that_are_not_there_are_an_error_that_says_so() -> None:
    with pytest.raises(DataError, match="no sampling matrix for BP and RP"):
        XpSampler({}, merge_weights(XP_WAVELENGTHS))


def test_matrices_of_other_wavelengths_are_refused() -> None:
    with pytest.raises(DataError, match=r"shape \(55, 3\), but there are 61 samples"):
        XpSampler(sampling_matrices(56, 57, np.array([500.0, 600.0, 700.0])), merge_weights(XP_WAVELENGTHS))
