"""Simulated H-band spectra: APOGEE's pixels and masks, lines that answer to their element, and a known amount of information."""

import numpy as np
import pytest

from ingest.sky.hband import (
    BAD_PIXEL,
    BADPIX,
    CHIPS,
    CRPIX,
    H_WAVELENGTH,
    LITTROW_GHOST,
    NO_DATA_ERROR,
    PERSIST_LOW,
    SIG_SKYLINE,
    SIG_TELLURIC,
    hband_flux,
    hband_noise,
    hband_signal_to_noise,
    on_chip,
)
from ingest.sky.labels import StellarLabels
from ingest.sky.line_list import h_band_lines

LABELS = ("teff", "logg", "feh", "alpha_m", "c_fe", "n_fe")
STEPS = np.array([20.0, 0.05, 0.02, 0.02, 0.02, 0.02])
GIANT = (4600.0, 2.2, -0.1, 0.08, -0.1, 0.2)


def stars(*rows: tuple[float, ...]) -> StellarLabels:
    return StellarLabels(*np.array(rows, float).T)


def derivatives(base: tuple[float, ...]) -> np.ndarray:
    values = np.array(base) + np.vstack([np.diag(STEPS), -np.diag(STEPS)])
    flux = hband_flux(StellarLabels(*values.T))
    return (flux[:6] - flux[6:]) / (2 * STEPS[:, None])


@pytest.fixture(scope="module")
def slopes() -> np.ndarray:
    """d flux / d label of the giant, (6, 8575)."""
    return derivatives(GIANT)


def test_the_grid_is_apogee_s() -> None:
    assert len(H_WAVELENGTH) == 8575
    assert np.log10(10 * H_WAVELENGTH[[0, -1]]) == pytest.approx([4.179, 4.179 + 6e-6 * 8574], abs=1e-12)
    assert on_chip().sum() == 7514


@pytest.mark.parametrize(
    ("species", "label", "sign"),
    [
        # A deeper line is less flux. Zero: next to nothing compared with the label that the lines answer to most.
        ("Fe I", "feh", -1), ("Fe I", "alpha_m", 0), ("Fe I", "c_fe", 0), ("Fe I", "n_fe", 0),
        ("Ni I", "feh", -1), ("Al I", "feh", -1), ("K I", "feh", -1), ("Mn I", "feh", -1),
        ("Mg I", "alpha_m", -1), ("Mg I", "feh", -1), ("Mg I", "c_fe", 0), ("Mg I", "n_fe", 0),
        ("Si I", "alpha_m", -1), ("Ca I", "alpha_m", -1), ("Ti I", "alpha_m", -1), ("S I", "alpha_m", -1),
        ("Ti I", "teff", +1), ("K I", "teff", +1),
        ("CO", "c_fe", -1), ("CO", "alpha_m", -1), ("CO", "teff", +1), ("CO", "n_fe", 0),
        ("CN", "c_fe", -1), ("CN", "n_fe", -1), ("CN", "alpha_m", +1),
        ("OH", "alpha_m", -1), ("OH", "c_fe", +1), ("OH", "teff", +1), ("OH", "n_fe", 0),
    ],
)  # fmt: skip
def test_lines_answer_to_labels_as_chemistry_says(slopes: np.ndarray, species: str, label: str, sign: int) -> None:
    lines, own = h_band_lines(), h_band_lines().of(species)
    others = np.array([w for w, s, k in zip(lines.wavelength, lines.species, lines.strength, strict=True) if s != species and k > -1.3])
    visible = min(-0.9, own.strength.max() - 0.5)
    centres = [w for w, k in zip(own.wavelength, own.strength, strict=True) if k > visible and np.abs(others - w).min() > 0.05]
    pixels = np.abs(H_WAVELENGTH[:, None] - np.array(centres)).min(axis=1) < 0.02
    pixels &= on_chip()
    assert pixels.any()
    answer = {name: slopes[i, pixels].mean() * STEPS[i] for i, name in enumerate(LABELS)}
    if sign:
        assert sign * answer[label] > 0
    else:
        assert abs(answer[label]) < 0.3 * max(abs(answer[name]) for name in ("feh", "alpha_m", "c_fe"))


@pytest.mark.parametrize(
    ("name", "base", "labels", "least", "most"),
    [
        # The last two columns: bounds of (teff, logg, feh, alpha_m, c_fe, n_fe) at S/N 100, K and dex. Nitrogen is known from CN alone,
        # which is faint in dwarfs and metal-poor stars, there as in the real sky.
        ("K giant", GIANT, 6, (3, 0.01, 0.003, 0.004, 0.005, 0.005), (40, 0.1, 0.03, 0.03, 0.05, 0.05)),
        ("cool giant", (4000.0, 1.0, -0.1, 0.1, -0.1, 0.3), 6, (3, 0.01, 0.003, 0.004, 0.003, 0.005), (40, 0.1, 0.03, 0.03, 0.05, 0.05)),
        ("metal-poor giant", (4800.0, 2.5, -1.0, 0.25, -0.1, 0.2), 5, (8, 0.03, 0.005, 0.005, 0.01, 0), (40, 0.2, 0.05, 0.05, 0.1, 9)),
        ("Sun", (5777.0, 4.44, 0.0, 0.0, 0.0, 0.0), 5, (8, 0.02, 0.003, 0.004, 0.01, 0), (40, 0.1, 0.03, 0.03, 0.05, 9)),
    ],
)  # fmt: skip
def test_the_information_is_of_the_survey_s_size_and_labels_are_told_apart(
    name: str, base: tuple[float, ...], labels: int, least: tuple[float, ...], most: tuple[float, ...]
) -> None:
    labels_derivative = derivatives(base)
    one = stars(base)
    flux = hband_flux(one)
    # Marginalised over what a pipeline fits besides: rotation, velocity, and a continuum of fourth order on each detector.
    rotation = [hband_flux(one, rotation=np.array([v]))[0] for v in (5.0, 6.0)]
    nuisances = [rotation[1] - rotation[0], hband_flux(one, velocity=np.array([0.5]))[0] - flux[0]]
    for first, last in CHIPS:
        for order in range(5):
            shape = np.zeros(flux.shape[1])
            shape[first:last] = np.polynomial.legendre.Legendre.basis(order)(np.linspace(-1, 1, last - first)) * flux[0, first:last]
            nuisances.append(shape)
    observed = hband_noise(flux, np.array([100.0]), np.random.default_rng(2))
    good = (observed.mask[0] & BAD_PIXEL) == 0
    scaled = np.vstack([labels_derivative, nuisances])[:, good] / np.hypot(observed.error[0, good], 0.005)
    information = scaled @ scaled.T
    scale = 1 / np.sqrt(np.diag(information))
    bounds = (np.sqrt(np.diag(np.linalg.inv(information * np.outer(scale, scale)))) * scale)[:6]
    assert np.all(bounds <= most), dict(zip(LABELS, bounds.round(4), strict=True))
    assert np.all(bounds >= least), dict(zip(LABELS, bounds.round(4), strict=True))
    core = (information * np.outer(scale, scale))[:labels, :labels]
    assert np.linalg.cond(core) < 3e3, name


def test_a_velocity_moves_lines_by_whole_pixels() -> None:
    pixel = 299792.458 * np.expm1(6e-6 * np.log(10))
    still, moving = hband_flux(stars(GIANT))[0], hband_flux(stars(GIANT), velocity=np.array([10 * pixel]))[0]
    assert moving[500:8000] == pytest.approx(still[490:7990], abs=1e-4)


def test_signal_to_noise_is_the_survey_s() -> None:
    assert hband_signal_to_noise(np.array([6.0, 12.2, 15.0])) == pytest.approx([500, 100, 50])


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    return np.repeat(hband_flux(stars(GIANT)), 20, axis=0)


def test_masks_and_errors_are_those_of_the_survey_s_files(clean: np.ndarray) -> None:
    persistence = np.arange(20) < 5
    observed = hband_noise(clean, np.full(20, 150.0), np.random.default_rng(1), persistence=persistence)
    bit = {name: (observed.mask >> position) & 1 == 1 for name, position in MASK_BITS.items()}
    gap = ~on_chip()
    assert np.all(observed.flux[:, gap] == 0)
    assert np.all(observed.error[:, gap] == NO_DATA_ERROR)
    assert np.all(bit["BADPIX"][:, gap])
    bad = (observed.mask & BAD_PIXEL) != 0
    assert np.all((observed.error == NO_DATA_ERROR) == bad)
    assert 0.001 < bad[:, ~gap].mean() < 0.01
    assert np.any(bit["CRPIX"])
    assert 0.02 < bit["SIG_SKYLINE"][:, ~gap].mean() < 0.1
    assert 0.05 < bit["SIG_TELLURIC"][:, ~gap].mean() < 0.4
    assert np.any(bit["LITTROW_GHOST"])
    assert np.array_equal(bit["PERSIST_LOW"].any(axis=1), persistence)
    usual = ~bad & ~bit["PERSIST_LOW"]
    assert np.median(observed.error[bit["SIG_SKYLINE"] & usual]) > 1.5 * np.median(observed.error[usual])
    deviation = ((observed.flux - clean) / observed.error)[~bad]
    assert deviation.std() == pytest.approx(1, abs=0.01)
    plain = usual & ~bit["SIG_SKYLINE"] & ~bit["SIG_TELLURIC"]
    assert np.median((clean / observed.error)[plain]) == pytest.approx(150, rel=0.05)


MASK_BITS = {
    "BADPIX": BADPIX, "CRPIX": CRPIX, "LITTROW_GHOST": LITTROW_GHOST, "PERSIST_LOW": PERSIST_LOW, "SIG_SKYLINE": SIG_SKYLINE,
    "SIG_TELLURIC": SIG_TELLURIC,
}  # fmt: skip


def test_mask_bits_have_the_survey_s_numbers() -> None:
    assert list(MASK_BITS.values()) == [0, 1, 8, 11, 12, 13]
    assert BAD_PIXEL == 0b100000011111111


@pytest.mark.parametrize("velocity", [-150.0, 0.0, 85.0])
def test_the_night_sky_stays_at_the_observatory(clean: np.ndarray, velocity: float) -> None:
    rng = np.random.default_rng(0)
    still, moving = (
        (hband_noise(clean[:1], np.array([100.0]), rng, radial_velocity=np.array([v])).mask[0] >> SIG_SKYLINE) & 1 for v in (0.0, velocity)
    )
    shift = round(np.log10(1 + velocity / 299792.458) / 6e-6)
    first, last = CHIPS[1]
    inner = np.arange(first + 100, last - 100)
    assert np.array_equal(moving[inner], still[inner + shift])


def test_the_same_seed_gives_the_same_bytes(clean: np.ndarray) -> None:
    first, second = (hband_noise(clean, np.full(20, 90.0), np.random.default_rng(4)) for _ in range(2))
    assert first.flux.tobytes() == second.flux.tobytes()
    assert first.error.tobytes() == second.error.tobytes()
    assert first.mask.tobytes() == second.mask.tobytes()
