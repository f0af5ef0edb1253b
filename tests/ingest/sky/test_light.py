"""Light: distance, dust and companions act as they must, and G is that of the XP passbands."""

from dataclasses import replace

import numpy as np
import pytest

from ingest.sky import light
from ingest.sky.emulator import band_magnitudes
from ingest.sky.labels import StellarLabels
from ingest.sky.observed_light import band_flux_at_earth, flux_at_earth
from ingest.sky.oddities import Kind
from ingest.sky.stars import Stars, draw_stars
from ingest.sky.wavelengths import NIR_BANDS, XP_GRID
from ingest.sky.xp_forward import band_operator, synthetic_g_bp_rp

SUN = StellarLabels(np.array([5772.0]), np.array([4.438]), *(np.zeros(1) for _ in range(4)))
ONE = np.ones(1)


@pytest.fixture(scope="module")
def stars() -> Stars:
    return draw_stars(60, np.random.default_rng(1))


def test_the_sun_at_ten_parsecs_has_its_absolute_magnitude() -> None:
    g = light.apparent_g(SUN, ONE, 0.01 * ONE, 0.0 * ONE)
    assert g == pytest.approx([4.67], abs=0.06)  # Casagrande & VandenBerg 2018, MNRAS 479, L102: 4.67


def test_ten_times_the_distance_is_five_magnitudes_and_twice_the_radius_one_and_a_half() -> None:
    g = light.apparent_g(SUN, ONE, 0.1 * ONE, 0.0 * ONE)
    assert light.apparent_g(SUN, ONE, ONE, 0.0 * ONE) - g == pytest.approx([5.0])
    assert light.apparent_g(SUN, 2 * ONE, 0.1 * ONE, 0.0 * ONE) - g == pytest.approx([-5 * np.log10(2)])


def test_dust_dims_by_less_than_three_magnitudes_of_g_per_reddening_and_reddens() -> None:
    clear, dusty = (light.apparent_g(SUN, ONE, ONE, ebv * ONE) for ebv in (0.0, 0.3))
    assert 2.3 < (dusty - clear)[0] / 0.3 < 3.0
    passes = light.transmission(np.array([0.3]))[0]
    blue, red = (passes[np.abs(XP_GRID - at).argmin()] for at in (440.0, 550.0))
    assert 2.5 * np.log10(red / blue) == pytest.approx(0.3, rel=0.1)  # E(B-V), nearly


def test_g_is_the_magnitude_of_the_coefficients(stars: Stars) -> None:
    flux = flux_at_earth(stars)
    coefficients = [band_operator(band).coefficients(flux) for band in ("bp", "rp")]
    assert light.g_magnitude(flux) == pytest.approx(synthetic_g_bp_rp(*coefficients)[:, 0], abs=1e-6)
    assert light.g_magnitude(flux) == pytest.approx(stars.g, abs=1e-6)


def with_companions(stars: Stars, radius: float) -> Stars:
    return replace(stars, companion=stars.labels, companion_radius=stars.radius * radius)


def test_a_twin_doubles_the_light_in_every_band(stars: Stars) -> None:
    twins = with_companions(stars, 1.0)
    assert flux_at_earth(twins) == pytest.approx(2 * flux_at_earth(stars))
    single, double = band_flux_at_earth(stars), band_flux_at_earth(twins)
    assert all(double[band] == pytest.approx(2 * single[band]) for band in single)


def test_every_kind_has_light_alone_and_in_company(stars: Stars) -> None:
    for kind in (Kind.WHITE_DWARF, Kind.M_DWARF, Kind.EMISSION, Kind.JUNK):
        odd = replace(stars, kind=np.full(len(stars), kind, np.int8), shape=np.random.default_rng(1).standard_normal((len(stars), 4)))
        mixed = replace(odd, kind=np.where(np.arange(len(stars)) % 2, kind, Kind.STAR).astype(np.int8))
        flux, both = flux_at_earth(odd), flux_at_earth(mixed)
        assert np.isfinite(flux).all() and (flux > 0).all()
        assert (both[1::2] == flux[1::2]).all()
        assert (both[::2] == flux_at_earth(stars)[::2]).all()
        assert all(np.isfinite(each).all() for each in band_flux_at_earth(odd).values())


def test_at_the_same_reddening_a_larger_rv_dims_more_and_reddens_b_minus_v_as_much(stars: Stars) -> None:
    usual, flat = (flux_at_earth(replace(stars, rv=np.full(len(stars), rv), ebv=np.full(len(stars), 0.5))) for rv in (3.1, 4.1))
    dimmed = 2.5 * np.log10(usual / flat)[0]
    blue, yellow = (dimmed[np.abs(XP_GRID - at).argmin()] for at in (440.0, 548.0))
    assert yellow == pytest.approx(0.5, rel=0.05)  # A(V) = R(V) E(B-V)
    assert blue == pytest.approx(yellow, abs=0.03)


@pytest.mark.parametrize(
    ("kind", "teff", "logg", "radius", "absolute_g", "bp_rp", "j_ks"),
    [
        (Kind.WHITE_DWARF, 10000.0, 8.0, 0.0129, 12.1, 0.2, 0.0),
        (Kind.WHITE_DWARF, 20000.0, 8.0, 0.0129, 10.7, -0.2, -0.1),
        (Kind.M_DWARF, 3000.0, 5.0, 0.25, 12.0, 2.9, 0.85),
        (Kind.M_DWARF, 3400.0, 4.9, 0.41, 9.9, 2.3, 0.75),
    ],
)
def test_white_dwarfs_and_m_dwarfs_have_about_the_colours_of_real_ones(
    kind: Kind, teff: float, logg: float, radius: float, absolute_g: float, bp_rp: float, j_ks: float
) -> None:
    """Rounded from nearby stars: Gentile Fusillo et al. 2021, MNRAS 508, 3877; Mann et al. 2015, ApJ 804, 64."""
    labels = StellarLabels(np.array([teff]), np.array([logg]), *(np.zeros(1) for _ in range(4)))
    near = light.dilution(np.array([radius]), np.array([0.01]))
    flux = light.flux_at_surface(labels, np.array([kind], np.int8), np.zeros((1, 4))) * near
    g, bp, rp = synthetic_g_bp_rp(*(band_operator(band).coefficients(flux) for band in ("bp", "rp")))[0]
    bands = light.band_flux_at_surface(labels, np.array([kind], np.int8)) * near
    magnitude = band_magnitudes({band: bands[:, i] for i, band in enumerate(NIR_BANDS)})
    assert (g, bp - rp) == pytest.approx((absolute_g, bp_rp), abs=0.25)
    assert magnitude["J"] - magnitude["Ks"] == pytest.approx([j_ks], abs=0.12)
