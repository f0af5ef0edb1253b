"""Infrared fluxes: Eq. 5, and each cut in turn makes exactly its bands missing."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from astropy import units as u

from catalog.releases import KNOWN_RELEASES
from catalog.stars import StarBatch
from models.forward.bands import NIR_AB_OFFSETS, NIR_BANDS, NIR_WAVELENGTHS
from models.forward.observed.nir_fluxes import flux_of_magnitude, magnitude_of_flux, nir_fluxes
from models.forward.settings import chosen

SETTINGS = chosen(KNOWN_RELEASES["gaia_dr3"])
NAN, INF = np.nan, np.inf
# What is changed, and the bands that go missing by it.
CUTS: dict[str, tuple[dict[str, float], set[str]]] = {
    "as they are": ({}, set()),
    "J not of quality A": ({"j_quality_a": 0}, {"J"}),
    "quality unknown": ({"h_quality_a": NAN}, {"H"}),
    "error of exactly 0.2 mag": ({"ks_msigcom": 0.2}, {"Ks"}),
    "error of 0.199 mag": ({"ks_msigcom": 0.199}, set()),
    "no error": ({"j_msigcom": NAN}, {"J"}),
    "error of zero": ({"j_msigcom": 0.0}, {"J"}),
    "no magnitude": ({"j_m": NAN}, {"J"}),
    "infinite magnitude": ({"j_m": INF}, {"J"}),
    "absurdly bright": ({"j_m": -1e4}, {"J"}),
    "extended": ({"two_mass_extended": 1}, {"J", "H", "Ks"}),
    "not extended": ({"two_mass_extended": 0}, set()),
    "neighbour above 2MASS's limit": ({"norm_dg": -4.9}, {"J", "H", "Ks", "W1", "W2"}),
    "neighbour at 2MASS's limit": ({"norm_dg": -5.0}, {"W1", "W2"}),
    "neighbour at unWISE's limit": ({"norm_dg": -10.0}, set()),
    "no neighbour": ({"norm_dg": NAN}, set()),
    "unWISE object 0.25 arcsec away": ({"unwise_separation": 0.25}, {"W1", "W2"}),
    "no separation": ({"unwise_separation": NAN}, {"W1", "W2"}),
    "W1 blended": ({"w1_fracflux": 0.8}, {"W1"}),
    "W1 with bad pixels": ({"w1_qf": 0.8}, {"W1"}),
    "W2 too noisy": ({"w2_flux": 10.0, "w2_dflux": 2.0}, {"W2"}),
    "W2 just not too noisy": ({"w2_flux": 10.0, "w2_dflux": 1.99}, set()),
    "W2 without flux": ({"w2_flux": 0.0}, {"W2"}),
    "W2 negative": ({"w2_flux": -3.0}, {"W2"}),
    "W2 unknown": ({"w2_flux": NAN, "w2_dflux": NAN}, {"W2"}),
    "W2 with an infinite error": ({"w2_dflux": INF}, {"W2"}),
}


def with_columns(stars: StarBatch, **values: Any) -> StarBatch:
    return replace(stars, columns={**stars.columns, **{name: np.full(len(stars), float(value)) for name, value in values.items()}})


@pytest.mark.parametrize(("changed", "missing"), CUTS.values(), ids=CUTS)
def test_a_band_that_fails_a_cut_is_missing_and_no_other(black_body_stars, changed: dict[str, float], missing: set[str]) -> None:
    flux, error = nir_fluxes(with_columns(black_body_stars(2), **changed), SETTINGS)
    for i, band in enumerate(NIR_BANDS):
        assert np.isinf(error[:, i]).all() == (band in missing), band
        assert (flux[:, i] == 0).all() == (band in missing), band
    assert not np.isnan(flux).any()
    assert not np.isnan(error).any()


def test_fluxes_are_those_of_eq_5() -> None:
    magnitude = np.array([[8.0, 11.0, 12.5, 13.0, 14.0]])
    for i, wavelength in enumerate(NIR_WAVELENGTHS):
        per_hertz = 3631 * u.Jy * 10 ** (-0.4 * (magnitude[0, i] + NIR_AB_OFFSETS[i]))
        expected = per_hertz.to(1e-18 * u.W / u.m**2 / u.nm, u.spectral_density(wavelength * u.nm)).value
        assert flux_of_magnitude(magnitude)[0, i] == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(magnitude_of_flux(flux_of_magnitude(magnitude)), magnitude, rtol=1e-12)


def test_an_error_in_magnitudes_is_ln_10_over_2_5_in_relative_flux(black_body_stars) -> None:
    flux, error = nir_fluxes(with_columns(black_body_stars(1), j_msigcom=0.1), SETTINGS)
    assert error[0, 0] / flux[0, 0] == pytest.approx(0.0921034037, rel=1e-9)
    small = 1e-6
    slope = -np.log(flux_of_magnitude(np.full((1, 5), 10 + small)) / flux_of_magnitude(np.full((1, 5), 10.0))) / small
    assert error[0, 0] / flux[0, 0] == pytest.approx(0.1 * slope[0, 0], rel=1e-5)


def test_unwise_fluxes_are_vega_magnitudes_of_zero_point_22_5(black_body_stars) -> None:
    flux, error = nir_fluxes(with_columns(black_body_stars(1), w1_flux=1000.0, w1_dflux=20.0), SETTINGS)
    assert flux[0, 3] == pytest.approx(flux_of_magnitude(np.full((1, 5), 15.0))[0, 3], rel=1e-12)
    assert error[0, 3] / flux[0, 3] == pytest.approx(0.02, rel=1e-12)
