"""Surface fluxes of simulated stars: physical sense without the grid, 18 Sco with real passbands."""

from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import trapezoid

from catalog.errors import DataError
from ingest.sky.emulator import band_magnitudes, blanketing, surface_band_flux, surface_flux
from ingest.sky.fitted import stellar_flux_fit
from ingest.sky.labels import StellarLabels
from ingest.sky.wavelengths import NIR_BANDS, XP_GRID, ln_black_body
from ingest.sky.xp_forward import band_operator, synthetic_g_bp_rp

STEFAN_BOLTZMANN = 5.670374e-8
SOLAR_RADII_IN_PARSEC = 4.435e7


def labels(teff: object, logg: object = 4.0, feh: object = 0.0, alpha_m: object = 0.0) -> StellarLabels:
    """Stars with solar carbon and nitrogen."""
    arrays = np.broadcast_arrays(np.atleast_1d(np.asarray(teff, float)), logg, feh, alpha_m)
    return StellarLabels(*(np.array(values, float) for values in arrays), np.zeros(arrays[0].shape), np.zeros(arrays[0].shape))


def random_labels(n: int, seed: int = 0) -> StellarLabels:
    rng = np.random.default_rng(seed)
    ranges = ((3500, 12000), (0, 5), (-2.2, 0.5), (-0.1, 0.4), (-0.5, 0.5), (-0.5, 0.8))
    return StellarLabels(*(rng.uniform(low, high, n) for low, high in ranges))


def dense_flux(stars: StellarLabels, wavelength: np.ndarray) -> np.ndarray:
    """Flux from 310 nm to W2: the spectrum, then the bands joined in ln flux over ln wavelength."""
    bands = surface_band_flux(stars)
    where = np.concatenate([XP_GRID, stellar_flux_fit().band_wavelengths])
    ln_flux = np.log(np.column_stack([surface_flux(stars), *(bands[name] for name in NIR_BANDS)]))
    return np.exp(np.array([np.interp(np.log(wavelength), np.log(where), row) for row in ln_flux]))


@pytest.mark.parametrize(("teff", "logg"), [(3600, 1.0), (3600, 4.8), (4000, 1.5), (4500, 2.5), (5000, 3.0), (5800, 4.4), (6500, 4.2)])
@pytest.mark.parametrize("feh", [0.0, -1.5])
def test_the_energy_of_a_star_is_that_of_its_effective_temperature(teff: float, logg: float, feh: float) -> None:
    wavelength = np.geomspace(310, 4500, 4000)
    stars = labels(teff, logg, feh)
    black_body = np.exp(ln_black_body(wavelength, stars.teff))
    outside = STEFAN_BOLTZMANN * teff**4 - trapezoid(black_body, wavelength)  # less than 7 % of the whole
    total = trapezoid(dense_flux(stars, wavelength), wavelength) + outside
    assert total / (STEFAN_BOLTZMANN * teff**4) == pytest.approx(1.0, abs=0.04)


def test_hotter_stars_are_brighter_and_bluer_at_every_gravity_and_metallicity() -> None:
    teff = np.arange(3500.0, 12001.0, 50.0)
    for logg in (1.0, 2.5, 4.5):
        for feh in (-2.0, -1.0, 0.0, 0.3):
            stars = labels(teff, logg, feh)
            flux = surface_flux(stars)
            bands = surface_band_flux(stars)
            assert (np.diff(np.log(flux[:, 240])) > 0).all()
            blue_minus_red = -2.5 * np.log10(flux[:, 20:370].sum(axis=1) / flux[:, 330:740].sum(axis=1))
            assert (np.diff(blue_minus_red) < 0).all()
            normal = teff < 9000  # hotter, J - Ks hardly changes
            magnitudes = band_magnitudes(bands)
            assert (np.diff((magnitudes["J"] - magnitudes["Ks"])[normal]) < 0.002).all()


def test_metal_poor_stars_are_bluer() -> None:
    flux = surface_flux(labels(5000.0, 4.5, np.array([0.4, 0.0, -0.5, -1.0, -2.0])))
    assert (np.diff(flux[:, 80] / flux[:, 400]) > 0).all()


@pytest.mark.parametrize(("metallicity", "times"), [(0.0, 0.0), (-0.5, 1.0), (-1.0, 1.67), (-2.0, 2.4), (0.3, -0.82)])
def test_blanketing_saturates_towards_low_metallicity(metallicity: float, times: float) -> None:
    assert blanketing(labels(5000, feh=metallicity))[0] == pytest.approx(times, abs=0.05)


def test_alpha_elements_count_a_quarter_in_the_blanketing() -> None:
    assert blanketing(labels(5000, feh=-0.5, alpha_m=0.4)) == pytest.approx(blanketing(labels(5000, feh=-0.4)))


def test_a_solar_twin_has_vega_magnitudes_like_the_sun() -> None:
    """Willmer 2018, ApJS 236, 47, table 3 (Vega, absolute): J 3.67, H 3.32, Ks 3.27, W1 3.26, W2 3.28."""
    dilution = (1 / (10 * SOLAR_RADII_IN_PARSEC)) ** 2
    magnitudes = band_magnitudes({name: flux * dilution for name, flux in surface_band_flux(labels(5772, 4.438)).items()})
    for name, known in {"J": 3.67, "H": 3.32, "Ks": 3.27, "W1": 3.26, "W2": 3.28}.items():
        assert magnitudes[name][0] == pytest.approx(known, abs=0.06)


def test_a_star_has_the_same_bits_whatever_stands_beside_it() -> None:
    stars = random_labels(300)
    together = surface_flux(stars)
    bands = surface_band_flux(stars)
    for i in (0, 17, 299):
        one = stars.take(slice(i, i + 1))
        assert np.array_equal(surface_flux(one)[0], together[i])
        assert all(surface_band_flux(one)[name][0] == bands[name][i] for name in NIR_BANDS)


def test_every_star_of_the_grid_has_a_positive_spectrum() -> None:
    stars = random_labels(2000)
    for flux in (surface_flux(stars), *surface_band_flux(stars).values()):
        assert np.isfinite(flux).all()
        assert (flux > 0).all()


@pytest.mark.parametrize(("teff", "logg"), [(3400.0, 4.0), (12500.0, 4.0), (np.nan, 4.0), (5000.0, np.nan)])
def test_stars_outside_the_grid_are_refused_by_number(teff: float, logg: float) -> None:
    with pytest.raises(DataError, match=r"1 of 2 stars lie outside the grid.*the first is number 1"):
        surface_flux(labels([5000.0, teff], [4.0, logg]))


def test_gravities_beyond_the_end_count_as_that_at_the_end() -> None:
    """But for the element features, whose own trend goes on."""
    assert np.array_equal(surface_flux(labels(4000, 5.2)), surface_flux(labels(4000, 5.0)))


def test_no_stars_give_no_spectra() -> None:
    none = random_labels(1).take(slice(0, 0))
    assert surface_flux(none).shape == (0, 790)
    assert surface_band_flux(none)["J"].shape == (0,)


def test_without_alpha_gain_the_spectrum_knows_alpha_only_through_the_metallicity() -> None:
    rich, poor = labels(4500, 2.0, -0.5, alpha_m=0.3), labels(4500, 2.0, -0.5 + 0.25 * 0.3)
    assert surface_flux(rich, alpha_gain=0.0) == pytest.approx(surface_flux(poor, alpha_gain=0.0))
    assert not np.allclose(surface_flux(rich), surface_flux(poor), rtol=0.02)


SOLAR_TWIN = (5790, 4.43, 0.05)
SOLAR_TWIN_DILUTION = (1.01 / (14.13 * SOLAR_RADII_IN_PARSEC)) ** 2  # radius over distance


def test_18_sco_has_its_magnitudes_from_its_labels() -> None:
    """Gaia DR3: G 5.328, BP 5.646, RP 4.842; the grid is 5 % faint, the colours are right to 30 mmag."""
    flux = surface_flux(labels(*SOLAR_TWIN)) * SOLAR_TWIN_DILUTION
    magnitudes = synthetic_g_bp_rp(*(band_operator(band).coefficients(flux) for band in ("bp", "rp")))[0]
    assert magnitudes == pytest.approx([5.328, 5.646, 4.842], abs=0.1)
    assert magnitudes[1] - magnitudes[2] == pytest.approx(5.646 - 4.842, abs=0.03)


def test_18_sco_has_its_g_through_a_passband_of_our_own_reading(real_data: Path) -> None:
    with np.load(real_data.parent / "sim" / "passbands.npz") as file:
        response = np.interp(XP_GRID, file["G_nm"], file["G_rsr"]) * XP_GRID
        zero_point = float(file["G_f0"])
    flux = surface_flux(labels(*SOLAR_TWIN))[0] * SOLAR_TWIN_DILUTION
    assert -2.5 * np.log10(flux @ response / response.sum() / zero_point) == pytest.approx(5.328, abs=0.1)
