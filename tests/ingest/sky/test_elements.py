"""Element features: where they are, what strengthens them, and that gain 0 removes alpha."""

import numpy as np
import pytest

from ingest.sky.elements import element_ln_factor
from ingest.sky.labels import StellarLabels
from ingest.sky.wavelengths import XP_GRID


def star(teff: float = 4500, logg: float = 2.5, feh: float = 0.0, alpha: float = 0.0, c: float = 0.0, n: float = 0.0) -> StellarLabels:
    return StellarLabels(*(np.array([value]) for value in (teff, logg, feh, alpha, c, n)))


def depth(labels: StellarLabels, wavelength: float, gain: float = 2.0) -> float:
    return float(-element_ln_factor(labels, gain)[0, np.searchsorted(XP_GRID, wavelength)])


def test_solar_ratios_change_nothing() -> None:
    assert not element_ln_factor(star()).any()


@pytest.mark.parametrize("wavelength", [395, 423, 518, 612, 854, 867])
def test_alpha_deepens_its_lines_in_proportion_to_the_gain(wavelength: float) -> None:
    half, one, two = (depth(star(alpha=0.3), wavelength, gain) for gain in (0.5, 1.0, 2.0))
    assert 0.005 < one < 0.1
    assert two == pytest.approx(2 * one)
    assert half == pytest.approx(one / 2)


def test_gain_0_removes_alpha_and_leaves_carbon_and_nitrogen() -> None:
    assert not element_ln_factor(star(alpha=0.4), 0.0).any()
    assert np.array_equal(element_ln_factor(star(c=0.2, n=0.3), 0.0), element_ln_factor(star(c=0.2, n=0.3), 2.0))


def test_fewer_alpha_elements_than_in_the_sun_weaken_the_lines() -> None:
    assert depth(star(alpha=-0.1), 518) < 0


@pytest.mark.parametrize(
    ("deeper", "shallower", "wavelength"),
    [
        (star(teff=3700, alpha=0.3), star(teff=4500, alpha=0.3), 712),  # TiO in cool stars
        (star(logg=4.5, alpha=0.3), star(logg=1.5, alpha=0.3), 513),  # MgH in dwarfs
        (star(logg=1.0, n=0.3), star(logg=4.5, n=0.3), 386),  # CN in giants
        (star(teff=4600, n=0.3), star(teff=6500, n=0.3), 386),
        (star(c=0.3), star(c=0.3, feh=-2.0), 430),  # CH with metallicity
        (star(c=0.3), star(c=0.1), 516),  # C2
        (star(alpha=0.3), star(teff=7500, alpha=0.3), 612),  # neutral lines vanish in hot stars
    ],
)
def test_features_follow_temperature_gravity_and_metallicity(deeper: StellarLabels, shallower: StellarLabels, wavelength: float) -> None:
    assert depth(deeper, wavelength) > 1.3 * depth(shallower, wavelength)
    assert depth(deeper, wavelength) > 0


def test_carbon_and_nitrogen_are_told_apart() -> None:
    """The CH band at 430 nm answers to carbon alone, CN at 421 nm to the sum of both."""
    assert depth(star(n=0.3), 431) < 0.2 * depth(star(c=0.3), 431)
    assert depth(star(c=0.3), 787) == pytest.approx(depth(star(n=0.3), 787), abs=0.005)


def test_bands_degrade_to_their_side_and_lines_are_even() -> None:
    titanium = star(teff=3700, alpha=0.3)
    assert depth(titanium, 714) > 3 * max(depth(titanium, 702), 0.001)  # head at 706 nm, to the red
    cyanogen = star(n=0.3)
    assert depth(cyanogen, 386) > 5 * depth(cyanogen, 392)  # head at 388 nm, to the blue
