"""Simulated RVS spectra: lines as deep as in real ones, answers to the labels with the right sign, noise as in the archive."""

from pathlib import Path

import numpy as np
import pytest

from ingest.sky.labels import StellarLabels
from ingest.sky.line_list import rvs_lines
from ingest.sky.rvs import (
    CALCIUM_TRIPLET,
    DIB_WAVELENGTH,
    RVS_WAVELENGTH,
    equivalent_width,
    noise_correlation,
    rvs_flux,
    rvs_noise,
    rvs_signal_to_noise,
)

LABELS = ("teff", "logg", "feh", "alpha_m", "c_fe", "n_fe")
STEPS = {"teff": 20.0, "logg": 0.05, "feh": 0.02, "alpha_m": 0.02, "c_fe": 0.02, "n_fe": 0.02}
GIANT = (4750.0, 2.5, 0.0, 0.05, -0.05, 0.1)
SUN = (5777.0, 4.44, 0.0, 0.0, 0.0, 0.0)
# Labels of the dwarfs are published ones; those of the giant are what fits its spectrum. See ingest/sky/fitting/line_strengths.
REAL_STARS = {
    "Kepler-409": (5460.0, 4.50, 0.06, 0.0, 0.0, 0.0),
    "Kepler-93": (5669.0, 4.47, -0.18, 0.03, 0.0, 0.0),
    "HD176650": (4900.0, 2.75, -0.25, 0.08, -0.1, 0.15),
}
SPECTRA = [
    "Kepler-409", "Kepler-93", "HD176650", "KOI-001", "GaiaDR3-1535964555128078720", "GaiaDR3-3174658066485297152",
]  # fmt: skip


def star(*values: float) -> StellarLabels:
    return StellarLabels(*(np.array([value], float) for value in values))


def response(base: tuple[float, ...], label: str, centre: float, half_width: float = 0.04) -> float:
    """Change of the equivalent width (nm) around a wavelength for each unit of a label."""
    up, down = ([*base] for _ in range(2))
    up[LABELS.index(label)] += STEPS[label]
    down[LABELS.index(label)] -= STEPS[label]
    widths = equivalent_width(rvs_flux(StellarLabels(*np.array([up, down]).T)), centre, half_width)
    return float((widths[0] - widths[1]) / (2 * STEPS[label]))


def real_spectrum(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    table = np.genfromtxt(folder / "rvs" / f"RVS_{name}.csv.gz", delimiter=",", names=True)
    return table["flux"], table["flux_error"]


def test_the_grid_is_the_archive_s() -> None:
    assert (RVS_WAVELENGTH[0], RVS_WAVELENGTH[-1], len(RVS_WAVELENGTH)) == (846.0, 870.0, 2401)


@pytest.mark.parametrize(
    ("teff", "logg", "expected"),
    # Equivalent widths in nm of the three lines, about those of real K giants and of the Sun.
    [(4800.0, 2.6, (0.15, 0.40, 0.33)), (5777.0, 4.44, (0.12, 0.33, 0.27))],
)
def test_the_triplet_is_about_as_strong_as_in_real_stars(teff: float, logg: float, expected: tuple[float, ...]) -> None:
    flux = rvs_flux(star(teff, logg, 0, 0, 0, 0))
    # Silicon and iron lie 0.5 nm beside the first line.
    for centre, half_width, width in zip(CALCIUM_TRIPLET, (0.5, 1.2, 1.2), expected, strict=True):
        assert equivalent_width(flux, centre, half_width)[0] == pytest.approx(width, rel=0.15)


@pytest.mark.parametrize(
    ("wavelength", "label", "sign"),
    [
        (862.397, "feh", +1), (862.397, "teff", -1),
        (869.102, "feh", +1), (869.102, "teff", -1),
        (865.084, "alpha_m", +1),  # Si I
        (868.537, "alpha_m", +1), (868.537, "teff", -1),  # Ti I
        (854.444, "alpha_m", +1), (854.444, "feh", +1), (854.444, "logg", -1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("base", [GIANT, (5000.0, 3.0, -0.5, 0.2, 0.0, 0.0)])
def test_lines_answer_to_labels_as_chemistry_says(base: tuple[float, ...], wavelength: float, label: str, sign: int) -> None:
    assert sign * response(base, label, wavelength, 0.15 if wavelength == 854.444 else 0.04) > 0


@pytest.mark.parametrize("label", ["alpha_m", "c_fe", "n_fe"])
def test_iron_lines_answer_to_iron_alone_where_no_cyanogen_is(label: str) -> None:
    assert abs(response(SUN, label, 862.397)) < 0.1 * abs(response(SUN, "feh", 862.397))


@pytest.mark.parametrize(("label", "sign"), [("c_fe", +1), ("n_fe", +1), ("alpha_m", -1), ("feh", +1)])
def test_cyanogen_answers_to_carbon_nitrogen_and_oxygen(label: str, sign: int) -> None:
    molecule = rvs_lines().of("CN")
    strongest = molecule.wavelength[np.argsort(molecule.strength)[-20:]]
    others = np.array([w for w, s in zip(rvs_lines().wavelength, rvs_lines().species, strict=True) if s not in ("CN", "H I")])
    alone = [w for w in strongest if 846.5 < w < 869.5 and np.abs(others - w).min() > 0.12]
    assert alone
    slopes = [response((4300.0, 1.8, 0.0, 0.05, -0.1, 0.2), label, w) for w in alone]
    assert sign * np.median(slopes) > 0


def test_hot_stars_show_paschen_and_cool_ones_do_not() -> None:
    flux = rvs_flux(StellarLabels(*np.array([(5777, 4.44, 0, 0, 0, 0), (9500, 4.0, 0, 0, 0, 0)], float).T))
    paschen_14 = np.argmin(np.abs(RVS_WAVELENGTH - 860.075))
    assert flux[1, paschen_14] < 0.8
    assert flux[0, paschen_14] > 0.93


def test_the_interstellar_band_measures_the_reddening_and_stays_with_its_cloud() -> None:
    labels = StellarLabels(*np.tile(np.array(SUN)[:, None], 3))
    clean = rvs_flux(labels)
    reddened = rvs_flux(labels, ebv=np.array([0.0, 0.5, 1.0]), cloud_velocity=np.array([0.0, 0.0, 50.0]))
    lost = equivalent_width(1 - clean + reddened, DIB_WAVELENGTH, 0.9)
    assert lost == pytest.approx([0.0, 0.5 / 27.2, 1 / 27.2], rel=0.03, abs=1e-6)
    deepest = RVS_WAVELENGTH[np.argmin(reddened / clean, axis=1)]
    assert deepest[1] == pytest.approx(DIB_WAVELENGTH, abs=0.01)
    assert deepest[2] == pytest.approx(DIB_WAVELENGTH * (1 + 50 / 299792.458), abs=0.01)


@pytest.mark.parametrize("base", [GIANT, SUN])
def test_flux_is_smooth_in_every_label(base: tuple[float, ...]) -> None:
    for i, label in enumerate(LABELS):
        offsets = np.arange(-3, 4) * STEPS[label] / 4
        values = np.tile(np.array(base)[:, None], 7)
        values[i] += offsets
        flux = rvs_flux(StellarLabels(*values))
        curvature = np.abs(np.diff(flux, 2, axis=0))
        assert curvature.max() < 2e-3, label
        assert np.abs(np.diff(flux, 3, axis=0)).max() < 1e-4, label


def test_labels_are_told_apart() -> None:
    steps = np.array([STEPS[label] for label in LABELS])
    values = np.array(GIANT) + np.vstack([np.diag(steps), -np.diag(steps)])
    flux = rvs_flux(StellarLabels(*values.T))
    slopes = (flux[:6] - flux[6:])[:4] / (2 * steps[:4, None])  # C and N answer in the sum only: CN
    bounds = np.sqrt(np.diag(np.linalg.inv(slopes @ slopes.T * 100**2)))
    assert np.all(bounds < [60, 0.15, 0.05, 0.05])
    assert np.all(bounds > [3, 0.01, 0.003, 0.002])


def test_signal_to_noise_falls_with_magnitude() -> None:
    s = rvs_signal_to_noise(np.array([4.0, 8.5, 10.0, 12.0, 13.5]))
    assert np.all(np.diff(s) < 0)
    assert s[1] == pytest.approx(120, rel=0.1)
    assert 1 < s[-1] < 20


@pytest.fixture(scope="module")
def noisy() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    flux = np.repeat(rvs_flux(star(*SUN)), 200, axis=0)
    observed = rvs_noise(flux, np.full(200, 80.0), np.full(200, 30), rng)
    return flux, observed.flux, observed.error


def test_noise_is_as_large_as_stated_and_correlated_as_in_real_spectra(noisy: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    flux, observed, error = noisy
    deviation = ((observed - flux) / error)[:, 100:-100]
    assert deviation.std() == pytest.approx(1.0, abs=0.07)
    neighbours = [np.mean(deviation[:, :-k] * deviation[:, k:]) / deviation.var() for k in (1, 2, 3, 6)]
    assert neighbours == pytest.approx([0.8, 0.41, 0.13, 0.0], abs=0.04)
    assert noise_correlation()[1:4] == pytest.approx([0.8, 0.41, 0.13], abs=0.01)


def test_missing_pixels_lie_at_the_edges_and_are_at_most_18(noisy: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    _, observed, error = noisy
    missing = np.isnan(observed)
    assert np.array_equal(missing, np.isnan(error))
    assert missing.sum(axis=1).max() <= 18
    assert not missing[:, 6:-18].any()
    assert 0 < missing[:, :6].any(axis=1).mean() < 0.4


def test_the_same_seed_gives_the_same_noise() -> None:
    flux = rvs_flux(star(*GIANT))
    first, second = (rvs_noise(flux, np.array([50.0]), np.array([20]), np.random.default_rng(9)) for _ in range(2))
    assert first.flux.tobytes() == second.flux.tobytes()
    assert first.error.tobytes() == second.error.tobytes()


@pytest.mark.parametrize("name", SPECTRA)
def test_errors_scatter_as_in_the_real_spectrum(real_data: Path, name: str) -> None:
    index = np.genfromtxt(real_data / "rvs" / "index.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    row = index[index["name"] == name][0]
    _, error = real_spectrum(real_data, name)
    flux = np.repeat(rvs_flux(star(*SUN)), 30, axis=0)
    simulated = rvs_noise(flux, np.full(30, row["median_snr"]), np.full(30, row["ccds"]), np.random.default_rng(1)).error
    inner = slice(100, -100)
    real_spread, our_spread = (np.diff(np.nanpercentile(np.log(e), [16, 84]))[0] for e in (error[inner], simulated[:, inner]))
    assert np.nanmedian(simulated) == pytest.approx(np.nanmedian(error), rel=0.15)
    assert our_spread == pytest.approx(real_spread, rel=0.5)


@pytest.mark.parametrize("name", REAL_STARS)
def test_triplet_and_iron_are_as_deep_as_in_the_real_spectrum(real_data: Path, name: str) -> None:
    real, _ = real_spectrum(real_data, name)
    flux = rvs_flux(star(*REAL_STARS[name]))[0]
    for centre in CALCIUM_TRIPLET:
        widths = [equivalent_width(spectrum[None], centre, 1.2)[0] for spectrum in (flux, real)]
        assert widths[0] / widths[1] == pytest.approx(1, abs=0.2), centre
        near = np.abs(RVS_WAVELENGTH - centre) < 0.1
        assert np.nanmin(flux[near]) == pytest.approx(np.nanmin(real[near]), abs=0.08), centre
    for centre in (847.074, 851.641, 852.901, 858.462, 861.417, 862.397, 867.713, 869.102, 865.084, 855.913):
        near = np.abs(RVS_WAVELENGTH - centre) < 0.03
        ratio = (1 - np.nanmin(flux[near])) / (1 - np.nanmin(real[near]))
        assert 1 / 1.4 < ratio < 1.4, centre
    assert np.nanstd(flux - real) < 0.025


@pytest.mark.parametrize("name", SPECTRA)
def test_some_simulated_star_resembles_each_real_spectrum(real_data: Path, name: str) -> None:
    real, error = real_spectrum(real_data, name)
    grid = np.stack(np.meshgrid(np.arange(4500, 6600, 300.0), np.arange(2.5, 4.8, 1.0), np.arange(-0.6, 0.41, 0.2)), axis=-1).reshape(-1, 3)
    zeros = np.zeros(len(grid))
    labels = StellarLabels(*grid.T, zeros + 0.05, zeros, zeros)
    flux = np.concatenate([rvs_flux(labels, rotation=np.full(len(grid), v)) for v in (0.0, 15.0)])
    scale = np.nanmedian(real, keepdims=True) / np.median(flux, axis=1, keepdims=True)
    rest = np.nanstd(real - flux * scale, axis=1).min()
    assert rest < np.hypot(0.025, 1.2 * np.nanmedian(error))
