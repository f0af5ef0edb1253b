"""The XP forward operator against the official simulator, against GaiaXPy, and by itself."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from catalog.version import ROOT
from ingest.sky.fitting.fit_xp_forward import FieldStars, OfficialSpectra, emulated_stars, fit_correction, rms_over_peak
from ingest.sky.wavelengths import XP_GRID
from ingest.sky.xp_forward import BANDS, LEADING, MOCK_DR4_COEFFICIENTS, band_operator, mock_dr4_projection, synthetic_g_bp_rp
from ingest.sky.xp_noise import ObservedBand, draw_transits, observe

LARGEST_RMS = {"bp": 0.01, "rp": 0.003}
without_warnings = pytest.mark.filterwarnings("error", "ignore::DeprecationWarning")
"""GaiaXPy calls pandas in ways that pandas is giving up; that is not about our files."""
CALIBRATED = np.arange(392.0, 992.0)


@pytest.fixture(scope="module")
def official(real_data: Path) -> OfficialSpectra:
    return OfficialSpectra.read(real_data.parent / "sim" / "forward_check_spss.npz")


@pytest.mark.parametrize("band", BANDS)
def test_internal_spectra_are_those_of_the_official_simulator(band: str, official: OfficialSpectra) -> None:
    operator = band_operator(band)
    ours = operator.internal_spectrum(operator.coefficients(official.flux))
    theirs = operator.internal_spectrum(official.coefficients[band])
    rms = np.sqrt(((ours - theirs) ** 2).mean(axis=1)) / theirs.max(axis=1)
    assert rms.max() < LARGEST_RMS[band]


@pytest.mark.parametrize("band", BANDS)
def test_the_correction_holds_for_official_spectra_that_it_was_not_fitted_to(band: str, official: OfficialSpectra, real_data: Path) -> None:
    field = FieldStars.read(real_data / "xp_coefficients" / "XP_CONTINUOUS_COMBINED_field2000.fits")[band]
    stars = emulated_stars(1000)
    for star in range(len(official.flux)):
        correction = fit_correction(band, official.without(star), field, stars)
        assert rms_over_peak(band, official, correction)[star] < LARGEST_RMS[band]


@pytest.mark.parametrize("band", BANDS)
def test_the_correction_can_be_undone(band: str) -> None:
    """It changes no leading coefficient and depends on those alone."""
    with np.load(ROOT / "ingest" / "sky" / "fitted" / "xp_forward.npz") as fitted:
        correction = fitted[f"{band}_correction"]
        assert str(fitted["origin"])
        assert str(fitted["errors"])
    assert correction.shape == (55, LEADING)
    assert not correction[:LEADING].any()


def _archive_file(path: Path, bands: dict[str, ObservedBand]) -> Path:
    """The archive's 26 columns as a bulk CSV has them."""

    def arrays(values: np.ndarray) -> list[str]:
        return ["[" + ",".join(repr(float(value)) for value in row) + "]" for row in values]

    n = len(bands["bp"].coefficients)
    columns: dict[str, object] = {"source_id": np.arange(1, n + 1), "solution_id": np.full(n, 1)}
    for band, basis in zip(BANDS, (56, 57), strict=True):
        seen = bands[band]
        columns |= {
            f"{band}_basis_function_id": np.full(n, basis),
            f"{band}_degrees_of_freedom": seen.degrees_of_freedom,
            f"{band}_n_parameters": np.full(n, seen.coefficients.shape[1]),
            f"{band}_n_measurements": seen.n_measurements,
            f"{band}_n_rejected_measurements": seen.n_rejected_measurements,
            f"{band}_standard_deviation": seen.standard_deviation,
            f"{band}_chi_squared": seen.chi_squared,
            f"{band}_coefficients": arrays(seen.coefficients),
            f"{band}_coefficient_errors": arrays(seen.coefficient_errors),
            f"{band}_coefficient_correlations": arrays(seen.coefficient_correlations),
            f"{band}_n_relevant_bases": seen.n_relevant_bases,
            f"{band}_relative_shrinking": seen.relative_shrinking,
        }
    assert len(columns) == 26
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def _observed(coefficients: dict[str, np.ndarray], *, inflate: float, n_transits: int = 40) -> dict[str, ObservedBand]:
    rng = np.random.default_rng(1)
    n = len(coefficients["bp"])
    return {band: observe(band_operator(band), coefficients[band], np.full(n, n_transits), rng, inflate=inflate) for band in BANDS}


@without_warnings
def test_gaiaxpy_gives_the_spectrum_back_after_binning_by_10_nm(gaiaxpy: ModuleType, field_like_stars, tmp_path: Path) -> None:
    some = slice(0, 30)
    coefficients = {band: field_like_stars.coefficients[band][some] for band in BANDS}
    path = _archive_file(tmp_path / "spectra.csv", _observed(coefficients, inflate=0.0))
    spectra, sampling = gaiaxpy.calibrate(path, sampling=CALIBRATED, save_file=False)
    np.testing.assert_array_equal(sampling, CALIBRATED)
    calibrated = np.array(spectra["flux"].tolist())
    true = field_like_stars.flux[some][:, np.searchsorted(XP_GRID, CALIBRATED)]
    binned = (calibrated / true - 1).reshape(len(true), -1, 10).mean(axis=2)
    assert np.median(np.abs(binned)) < 0.006
    assert np.median(np.abs(binned.mean(axis=1))) < 0.003


@without_warnings
def test_gaiaxpy_gives_our_g_bp_rp_back(gaiaxpy: ModuleType, field_like_stars, tmp_path: Path) -> None:
    bright = np.flatnonzero(field_like_stars.g < 15)[:40]
    coefficients = {band: field_like_stars.coefficients[band][bright] for band in BANDS}
    noisy = _observed(coefficients, inflate=1.0)
    photometry = gaiaxpy.generate(_archive_file(tmp_path / "spectra.csv", noisy), gaiaxpy.PhotometricSystem.Gaia_DR3_Vega, save_file=False)
    theirs = photometry[[f"GaiaDr3Vega_mag_{band}" for band in ("G", "BP", "RP")]].to_numpy()
    of_same_coefficients = synthetic_g_bp_rp(noisy["bp"].coefficients, noisy["rp"].coefficients)
    np.testing.assert_allclose(theirs, of_same_coefficients, atol=1e-5)
    assert np.abs(theirs[:, 0] - field_like_stars.g[bright]).max() < 0.005


@without_warnings
def test_gaiaxpy_and_we_agree_on_the_packing_of_correlations(gaiaxpy: ModuleType, field_like_stars, tmp_path: Path) -> None:
    """Its inverse covariance is that of the formal errors: the reported ones over the standard deviation."""
    noisy = _observed({band: field_like_stars.coefficients[band][:4] for band in BANDS}, inflate=1.0)
    inverse = gaiaxpy.get_inverse_covariance_matrix(_archive_file(tmp_path / "spectra.csv", noisy))
    for band in BANDS:
        seen = noisy[band]
        rows, columns = np.tril_indices(55, -1)
        for star in range(4):
            correlation = np.eye(55)
            correlation[rows, columns] = correlation[columns, rows] = seen.coefficient_correlations[star].astype(np.float64)
            formal = seen.coefficient_errors[star].astype(np.float64) / seen.standard_deviation[star]
            covariance = correlation * np.outer(formal, formal)
            theirs = np.asarray(inverse[f"{band}_inverse_covariance"].iloc[star])
            np.testing.assert_allclose(theirs @ covariance, np.eye(55), atol=1e-6)


def test_coefficients_are_linear_and_nothing_gives_nothing() -> None:
    flux = np.random.default_rng(2).random((3, len(XP_GRID)))
    for band in BANDS:
        operator = band_operator(band)
        np.testing.assert_allclose(operator.coefficients(flux[:1] + 2 * flux[1:2]), operator.coefficients(flux)[:1] + 2 * operator.coefficients(flux)[1:2], rtol=1e-9, atol=1e-6 * np.abs(operator.coefficients(flux)).max())  # fmt: skip
        assert not operator.coefficients(np.zeros_like(flux)).any()


def test_magnitudes_of_no_light_are_not_a_number() -> None:
    assert np.isnan(synthetic_g_bp_rp(np.zeros((1, 55)), np.zeros((1, 55)))).all()


@pytest.mark.parametrize("band", BANDS)
def test_the_mock_dr4_basis_is_an_orthonormal_mixture_that_no_dr3_model_fits(band: str, field_like_stars) -> None:
    dr3, dr4 = band_operator(band), band_operator(band, "dr4")
    assert dr4.n_coefficients == MOCK_DR4_COEFFICIENTS[band]
    projection = mock_dr4_projection(dr4.n_coefficients)
    np.testing.assert_allclose(projection @ projection.T, np.eye(len(projection)), atol=1e-12)
    bright = field_like_stars.flux[field_like_stars.g < 12][:50]
    ours, theirs = dr4.coefficients(bright), dr3.coefficients(bright)
    np.testing.assert_allclose(ours, theirs @ projection.T, rtol=1e-9, atol=1e-9 * np.abs(ours).max())
    assert np.median(np.abs(ours[:, 1] / theirs[:, 1] - 1)) > 0.5
    lost = dr4.internal_spectrum(ours) - dr3.internal_spectrum(theirs)
    assert np.abs(lost).max() < 1e-3 * dr3.internal_spectrum(theirs).max()


def test_the_same_bytes_on_any_number_of_threads(tmp_path: Path) -> None:
    script = tmp_path / "draw.py"
    script.write_text(
        "import hashlib, numpy as np\n"
        "from ingest.sky.xp_forward import BANDS, band_operator\n"
        "from ingest.sky.xp_noise import draw_transits, observe\n"
        "from ingest.sky.wavelengths import XP_GRID, ln_black_body\n"
        "rng = np.random.default_rng(3)\n"
        "flux = 1e-22 * np.exp(ln_black_body(XP_GRID, rng.uniform(3500, 9000, 3000)))\n"
        "digest = hashlib.sha256()\n"
        "for release in ('dr3', 'dr4'):\n"
        "    transits = draw_transits(len(flux), rng, release=release)\n"
        "    for band in BANDS:\n"
        "        seen = observe(band_operator(band, release), band_operator(band).coefficients(flux), transits[band], rng)\n"
        "        for array in (seen.coefficients, seen.coefficient_errors, seen.coefficient_correlations):\n"
        "            digest.update(array.tobytes())\n"
        "print(digest.hexdigest())\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, script],
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True, text=True, check=True,
        ).stdout
        for threads in ("1", "2")
    }  # fmt: skip
    assert len(digests) == 1


def test_transits_grow_with_the_length_of_the_observations() -> None:
    rng = np.random.default_rng(4)
    dr3, dr4 = draw_transits(2000, rng), draw_transits(2000, rng, release="dr4")
    assert dr3["bp"].min() >= 15
    assert 1.8 < np.median(dr4["rp"]) / np.median(dr3["rp"]) < 2.1
