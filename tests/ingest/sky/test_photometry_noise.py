"""Errors of parallaxes and magnitudes against real rows, and the noise drawn from them."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from ingest.sky.photometry_noise import (
    GAIA_ZERO_POINTS,
    PARALLAX_ZERO_POINT,
    gaia_magnitude_errors,
    infrared_magnitude_errors,
    measured_magnitudes,
    measured_parallax,
    parallax_error,
    proper_motion_errors,
    tmass_quality,
)


def test_errors_of_gaia_are_near_those_of_a_complete_real_row(real_data: Path) -> None:
    """Parallax to 10 %, flux errors to 15 %, proper motions to 15 %: source 5929246508730155392."""
    table = np.genfromtxt(
        real_data / "archive_formats" / "1714556098855O-result.csv", delimiter=",", names=True, dtype=None, encoding="utf-8"
    )
    magnitudes = np.array([[float(table[f"phot_{band}_mean_mag"]) for band in ("g", "bp", "rp")]])
    real = np.array([2.5 / np.log(10) / float(table[f"phot_{band}_mean_flux_over_error"]) for band in ("g", "bp", "rp")])
    np.testing.assert_allclose(gaia_magnitude_errors(magnitudes)[0], real, rtol=0.15)
    np.testing.assert_allclose(parallax_error(magnitudes[:, 0]), float(table["parallax_error"]), rtol=0.1)
    np.testing.assert_allclose(
        proper_motion_errors(magnitudes[:, 0])[0], [float(table["pmra_error"]), float(table["pmdec_error"])], rtol=0.15
    )
    for band, magnitude in zip(("G", "BP", "RP"), magnitudes[0], strict=True):
        flux = float(table[f"phot_{band.lower()}_mean_flux"])
        assert abs(GAIA_ZERO_POINTS[band] - 2.5 * np.log10(flux) - magnitude) < 1e-5


@pytest.mark.parametrize(("band", "column"), [(0, "J"), (1, "H"), (2, "K")])
def test_2mass_errors_are_the_medians_of_real_stars(band: int, column: str, real_data: Path) -> None:
    """Every half magnitude with more than 100 of 24,440 real stars, to 15 %."""
    rows = fits.getdata(real_data / "labels" / "ocCastroGinard_tmass.fits.gz", 1)
    magnitude, error = (np.asarray(rows[f"{name}mag"], float) for name in (column, f"e_{column}"))
    compared = 0
    for low in np.arange(9.5, 16.5, 0.5):
        chosen = (magnitude >= low) & (magnitude < low + 0.5) & (error > 0)
        if chosen.sum() > 100:
            ours = infrared_magnitude_errors(np.full((1, 5), low + 0.25))[0, band]
            assert 0.85 < ours / np.median(error[chosen]) < 1.15, (column, low)
            compared += 1
    assert compared >= 10


@pytest.mark.parametrize("errors", [gaia_magnitude_errors, infrared_magnitude_errors])
def test_errors_grow_with_magnitude(errors) -> None:
    magnitudes = np.repeat(np.linspace(5, 20, 50)[:, None], 3 if errors is gaia_magnitude_errors else 5, axis=1)
    assert (np.diff(errors(magnitudes), axis=0) > 0).all()
    assert (np.diff(parallax_error(magnitudes[:, 0])) >= 0).all()


def test_a_later_release_is_better() -> None:
    g = np.array([10.0, 15.0, 17.5])
    np.testing.assert_allclose(parallax_error(g, "dr4") / parallax_error(g), np.sqrt(34 / 66))
    np.testing.assert_allclose(proper_motion_errors(g, "dr4") / proper_motion_errors(g), (34 / 66) ** 1.5)
    np.testing.assert_allclose(gaia_magnitude_errors(np.ones((1, 3)), "dr4") / gaia_magnitude_errors(np.ones((1, 3))), np.sqrt(34 / 66))


@pytest.mark.parametrize("inflate", [1.0, 1.3])
def test_noise_is_drawn_with_the_errors_reported_times_the_inflation(inflate: float) -> None:
    rng, n = np.random.default_rng(3), 50_000
    parallax, error = measured_parallax(np.full(n, 2.0), np.full(n, 16.0), rng.standard_normal(n), inflate=inflate)
    normal = (parallax - 2.0 - PARALLAX_ZERO_POINT) / error
    assert abs(normal.mean()) < 0.03
    assert abs(normal.std() / inflate - 1) < 0.02
    magnitudes = np.full((n, 5), 12.0)
    errors = infrared_magnitude_errors(magnitudes)
    pull = (measured_magnitudes(magnitudes, errors, rng, inflate=inflate) - magnitudes) / errors
    np.testing.assert_allclose(pull.std(axis=0) / inflate, 1.0, atol=0.03)


def test_a_star_with_no_flux_left_has_no_magnitude() -> None:
    measured = measured_magnitudes(np.full((1000, 1), 20.0), np.full((1000, 1), 1.0), np.random.default_rng(1))
    assert 0.05 < np.isnan(measured).mean() < 0.3


def test_2mass_letters_follow_signal_to_noise() -> None:
    assert tmass_quality(np.array([0.02, 0.109, 0.12, 0.2, 0.3])).tolist() == ["A", "A", "B", "C", "D"]
