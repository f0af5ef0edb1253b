"""The noise of simulated XP spectra against real errors and correlations, and against itself."""

import csv
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from catalog.spectra import n_pairs
from ingest.sky.fitting.fit_xp_noise import NoiseFit, RealBand, nearest_correlations, read_real
from ingest.sky.xp_forward import BANDS, band_operator, synthetic_g_bp_rp
from ingest.sky.xp_noise import (
    FITTED,
    N_MIXED,
    ObservedBand,
    band_noise,
    draw_transits,
    n_relevant_bases,
    observe,
    relative_shrinking,
    standard_deviation,
)


@pytest.fixture(scope="module")
def field(real_data: Path) -> fits.FITS_rec:
    """2,000 consecutive real sources, with synthetic G as the column g."""
    return fits.getdata(real_data / "xp_coefficients" / "XP_CONTINUOUS_COMBINED_field2000.fits")


@pytest.fixture(scope="module")
def field_g(field: fits.FITS_rec) -> np.ndarray:
    return synthetic_g_bp_rp(*(field[f"{band}_coefficients"].astype(float) for band in BANDS))[:, 0]


@pytest.fixture(scope="module")
def observed(field_like_stars) -> dict[str, ObservedBand]:
    rng = np.random.default_rng(11)
    transits = draw_transits(len(field_like_stars.g), rng)
    return {band: observe(band_operator(band), field_like_stars.coefficients[band], transits[band], rng) for band in BANDS}


def _matrices(triangles: np.ndarray, n: int) -> np.ndarray:
    rows, columns = np.tril_indices(n, -1)
    matrices = np.zeros((len(triangles), n, n))
    matrices[:, rows, columns] = triangles
    return matrices + matrices.transpose(0, 2, 1) + np.eye(n)


@pytest.mark.parametrize("magnitude", [13, 14, 15, 16, 17])
@pytest.mark.parametrize("band", BANDS)
class TestAgainstRealFieldStars:
    """Medians of a magnitude within 40 %."""

    @pytest.fixture
    def signal_to_noise(self, band, magnitude, field, field_g, observed, field_like_stars) -> tuple[np.ndarray, np.ndarray]:
        simulated = observed[band].coefficients / observed[band].coefficient_errors
        real = field[f"{band}_coefficients"] / field[f"{band}_coefficient_errors"]
        return simulated[np.floor(field_like_stars.g) == magnitude], real[np.floor(field_g) == magnitude]

    def test_the_first_coefficient_has_their_signal_to_noise(self, signal_to_noise) -> None:
        simulated, real = (np.median(values[:, 0]) for values in signal_to_noise)
        assert 0.6 < simulated / real < 1.4

    def test_as_many_coefficients_are_significant(self, signal_to_noise) -> None:
        for typical in (np.median, np.mean):
            simulated, real = (typical((np.abs(values) > 3).sum(axis=1)) for values in signal_to_noise)
            assert 0.6 < simulated / real < 1.4

    def test_errors_of_their_own_spectra_are_theirs(self, band, magnitude, field, field_g, signal_to_noise) -> None:
        """Errors, given the star's spectrum and the transits of that field: median to 25 % for nine coefficients in ten, to 35 % for all."""
        chosen = np.floor(field_g) == magnitude
        coefficients, errors = (field[f"{band}_coefficient{name}"][chosen].astype(float) for name in ("s", "_errors"))
        transits = np.full(len(coefficients), {"bp": 20.7, "rp": 25.5}[band])
        signal = coefficients * np.clip(1 - (errors / coefficients) ** 2, 0, None)
        predicted = band_noise(band).errors(signal, transits) * standard_deviation(band, coefficients[:, 0])[:, None]
        ratio = np.median(errors / predicted, axis=0)
        low, high = np.percentile(ratio, [5, 95])
        assert 0.85 < low < high < 1.25
        assert 0.75 < ratio.min() < ratio.max() < 1.35


@pytest.mark.parametrize("band", BANDS)
def test_the_relevant_bases_of_real_field_stars_are_found_again(band: str, field: fits.FITS_rec) -> None:
    coefficients, errors = field[f"{band}_coefficients"].astype(float), field[f"{band}_coefficient_errors"].astype(float)
    found = n_relevant_bases(coefficients, errors)
    assert (found == field[f"{band}_n_relevant_bases"]).mean() > 0.75
    assert (np.abs(found - field[f"{band}_n_relevant_bases"]) <= 1).mean() > 0.8


def _ordinary_rows(folder: Path) -> list[dict[str, str]]:
    rows = []
    csv.field_size_limit(10_000_000)
    for name in ("XP_CONTINUOUS_RAW.csv", "XP_CONTINUOUS_RAW_colour_eq_dr3int6.csv"):
        with (folder / name).open(newline="") as file:
            rows += list(csv.DictReader(file))
    return rows


@pytest.mark.parametrize("band", BANDS)
def test_levels_correlations_and_shrinking_are_those_of_real_spectra_with_all_columns(band: str, real_data: Path) -> None:
    rows = _ordinary_rows(real_data.parent / "sim" / "real_xp")
    assert len(rows) == 5

    def arrays(name: str) -> np.ndarray:
        return np.array([[float(value) for value in row[f"{band}_{name}"].strip("()[]").split(",")] for row in rows])

    def scalars(name: str) -> np.ndarray:
        return np.array([float(row[f"{band}_{name}"]) for row in rows])

    coefficients, errors = arrays("coefficients"), arrays("coefficient_errors")
    transits = scalars("n_measurements") / 60
    signal = coefficients * np.clip(1 - (errors / coefficients) ** 2, 0, None)
    ratio = errors / (band_noise(band).errors(signal, transits) * scalars("standard_deviation")[:, None])
    levels = np.sort(np.median(ratio, axis=1))
    assert 0.8 < levels[0] < levels[3] < 1.3
    assert levels[4] < 2.2  # Proxima, a red dwarf of 2980 K whose BP is all in the last samples
    rows_, columns = np.tril_indices(55, -1)
    ours, real = band_noise(band).correlations(signal)[:, rows_, columns], arrays("coefficient_correlations")
    likeness = [np.corrcoef(*pair)[0, 1] for pair in zip(ours, real, strict=True)]
    assert np.median(likeness) > 0.8
    shrinking = relative_shrinking(coefficients, scalars("n_relevant_bases").astype(np.int64))
    np.testing.assert_allclose(shrinking, scalars("relative_shrinking"), atol=2e-7)


@pytest.mark.parametrize("band", BANDS)
def test_correlations_hold_for_stars_left_out_of_their_fit(band: str, real_data: Path) -> None:
    real = read_real(real_data)[band]
    part = np.flatnonzero(~np.isnan(real.correlations[:, 0]))
    part = np.concatenate([np.arange(0, 2000, 8), part])
    some = RealBand(*(getattr(real, name)[part] for name in RealBand.__dataclass_fields__))
    left_out = np.arange(len(part)) % 4 == 0
    fit = NoiseFit(band, some, ~left_out, n_steps=60)
    shown = np.flatnonzero(left_out & some.ordinary & fit.star_like)
    likeness = [np.corrcoef(fit.weights[star] @ fit.triangles, some.correlations[star])[0, 1] for star in shown]
    assert len(shown) >= 8
    assert np.median(likeness) > 0.85


@pytest.mark.parametrize("release", ["dr3", "dr4"])
@pytest.mark.parametrize("band", BANDS)
def test_every_correlation_matrix_is_positive_definite_as_written(band: str, release: str, field_like_stars) -> None:
    rng = np.random.default_rng(12)
    coefficients = field_like_stars.coefficients[band][:600].copy()
    coefficients[:3] *= np.array([[0.0], [-1.0], [1e6]])  # no light, nonsense, and brighter than any star
    transits = draw_transits(600, rng, release=release)[band]
    operator = band_operator(band, release)
    seen = observe(operator, coefficients, transits, rng)
    assert seen.coefficient_correlations.shape == (600, n_pairs(operator.n_coefficients))
    assert seen.coefficient_correlations.dtype == np.float32
    assert np.linalg.eigvalsh(_matrices(seen.coefficient_correlations.astype(np.float64), operator.n_coefficients)).min() > 1e-4
    assert np.all(seen.coefficient_errors > 0)
    assert np.isfinite(seen.coefficients).all()


@pytest.mark.parametrize("release", ["dr3", "dr4"])
@pytest.mark.parametrize("band", BANDS)
def test_the_noise_has_the_covariance_that_is_reported(band: str, release: str, field_like_stars) -> None:
    """20,000 draws of one star: chi squared of the whitened noise, and its variance in each direction."""
    rng, n = np.random.default_rng(13), 20_000
    star = np.flatnonzero(field_like_stars.g > 15)[0]
    true = np.tile(field_like_stars.coefficients[band][star], (n, 1))
    operator = band_operator(band, release)
    seen = observe(operator, true, np.full(n, 30.0), rng)
    noise = seen.coefficients - true @ operator.projection.T
    size = operator.n_coefficients
    white = np.linalg.solve(np.linalg.cholesky(_matrices(seen.coefficient_correlations[:1].astype(np.float64), size)[0]), (noise / seen.coefficient_errors).T)  # fmt: skip
    assert abs((white**2).mean() - 1) < 0.01
    assert np.abs(np.cov(white) - np.eye(size)).max() < 0.06
    inflated = observe(operator, true, np.full(n, 30.0), rng, inflate=1.3)
    scatter = ((inflated.coefficients - true @ operator.projection.T) / inflated.coefficient_errors).std()
    assert abs(scatter - 1.3) < 0.01


def test_the_covariance_is_that_of_the_errors_and_correlations(field_like_stars) -> None:
    coefficients, transits = field_like_stars.coefficients["bp"][:5], np.full(5, 30.0)
    noise = band_noise("bp")
    covariance = noise.covariance(coefficients, transits)
    errors = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    np.testing.assert_allclose(errors, noise.errors(coefficients, transits) * standard_deviation("bp", coefficients[:, 0])[:, None])
    np.testing.assert_allclose(covariance / (errors[:, :, None] * errors[:, None, :]), noise.correlations(coefficients))


@pytest.mark.parametrize("band", BANDS)
def test_counts_and_deviations_go_together(band: str, observed: dict[str, ObservedBand]) -> None:
    seen = observed[band]
    assert np.array_equal(seen.degrees_of_freedom, seen.n_measurements - 55)
    np.testing.assert_allclose(np.sqrt(seen.chi_squared / seen.degrees_of_freedom), seen.standard_deviation, rtol=1e-6)
    assert np.all((seen.n_rejected_measurements >= 0) & (seen.n_rejected_measurements < 0.1 * seen.n_measurements))
    assert np.all((seen.n_relevant_bases >= 1) & (seen.n_relevant_bases <= 55))
    assert np.all((seen.relative_shrinking > 0) & (seen.relative_shrinking <= 1))


@pytest.mark.parametrize("band", BANDS)
def test_weights_are_shares(band: str, field_like_stars) -> None:
    weights = band_noise(band).weights(field_like_stars.coefficients[band])
    assert weights.shape[1] == N_MIXED
    assert weights.min() >= -1e-12
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)


def test_a_chunk_does_not_depend_on_what_came_before_it_but_on_the_generator(field_like_stars) -> None:
    first, second = (
        observe(band_operator("rp"), field_like_stars.coefficients["rp"][:50], np.full(50, 30.0), np.random.default_rng(7))
        for _ in range(2)
    )
    for name in ("coefficients", "coefficient_errors", "coefficient_correlations", "chi_squared", "n_rejected_measurements"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()


def test_the_nearest_correlations_are_correlations() -> None:
    wild = np.random.default_rng(1).uniform(-1, 1, (3, n_pairs(20)))
    assert np.linalg.eigvalsh(_matrices(wild, 20)).min() < -0.5
    assert np.linalg.eigvalsh(_matrices(nearest_correlations(wild), 20)).min() > 0


def test_the_fitted_numbers_say_where_they_come_from_and_how_good_they_are() -> None:
    with np.load(FITTED) as fitted:
        assert "Gaia DR3" in str(fitted["origin"])
        assert "left out" in str(fitted["errors"])
    assert FITTED.stat().st_size < 100_000
