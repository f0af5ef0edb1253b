"""Oddities look like what they are called: lines and bands where nature has them, and no two alike."""

import numpy as np
import pytest

from ingest.sky import oddities
from ingest.sky.labels import StellarLabels
from ingest.sky.oddities import BALMER, Kind
from ingest.sky.wavelengths import NIR_BANDS, XP_GRID, ln_black_body

PLAIN = np.zeros((1, 4))


def white_dwarf(teff: float) -> StellarLabels:
    return StellarLabels(np.array([teff]), np.array([8.0]), *(np.zeros(1) for _ in range(4)))


def m_dwarf(teff: float, feh: float = 0.0) -> StellarLabels:
    return StellarLabels(np.array([teff]), np.array([5.0]), np.array([feh]), *(np.zeros(1) for _ in range(3)))


def at(flux: np.ndarray, wavelength: float) -> np.ndarray:
    return flux[..., np.abs(XP_GRID - wavelength).argmin()]


@pytest.mark.parametrize("line", BALMER[:4])
def test_white_dwarfs_have_broad_balmer_lines_deepest_near_12500_kelvin(line: float) -> None:
    depth = []
    for teff in (7000.0, 12500.0, 28000.0):
        flux = oddities.off_grid_flux(Kind.WHITE_DWARF, white_dwarf(teff), PLAIN)
        continuum = np.exp(ln_black_body(XP_GRID, np.array([teff])))
        depth.append(1 - at(flux / continuum, line)[0])
    assert depth[1] > 0.4
    assert depth[1] > 1.7 * max(depth[0], depth[2])
    beside = oddities.off_grid_flux(Kind.WHITE_DWARF, white_dwarf(12500.0), PLAIN) / np.exp(ln_black_body(XP_GRID, np.array([12500.0])))
    assert at(beside, line + 12)[0] > at(beside, line)[0] + 0.2


def test_some_white_dwarfs_show_no_lines() -> None:
    flux = oddities.off_grid_flux(Kind.WHITE_DWARF, white_dwarf(12500.0), np.array([[0.0, 1.0, 0.0, 0.0]]))
    assert flux[0] == pytest.approx(np.exp(ln_black_body(XP_GRID, np.array([12500.0])))[0])


def test_m_dwarfs_have_bands_that_end_sharply_to_the_blue_stronger_the_cooler_and_the_richer() -> None:
    def band(teff: float, feh: float = 0.0) -> float:
        flux = oddities.off_grid_flux(Kind.M_DWARF, m_dwarf(teff, feh), PLAIN)
        return float(np.log(at(flux, 702.0) / at(flux, 706.0))[0])

    assert band(2800.0) > band(3300.0) > 0.3
    assert band(3300.0, 0.3) > band(3300.0, -0.5)


@pytest.mark.parametrize("kind", [Kind.WHITE_DWARF, Kind.M_DWARF])
def test_drawn_objects_lie_outside_the_grid_and_have_positive_light(kind: Kind) -> None:
    drawn = oddities.draw_off_grid(kind, 500, np.random.default_rng(1))
    shape = np.random.default_rng(2).standard_normal((500, 4))
    flux = oddities.off_grid_flux(kind, drawn.labels, shape)
    bands = oddities.off_grid_band_flux(kind, drawn.labels)
    assert np.isfinite(flux).all() and (flux > 0).all()
    assert set(bands) == set(NIR_BANDS) and all((each > 0).all() for each in bands.values())
    if kind is Kind.WHITE_DWARF:
        assert (drawn.labels.logg > 7).all() and drawn.radius == pytest.approx(np.full(500, 0.0129), rel=0.5)
    else:
        assert (drawn.labels.teff < 3500).all() and ((drawn.mass > 0.08) & (drawn.mass < 0.6)).all()
    gravity = 4.438 + np.log10(drawn.mass / drawn.radius**2)
    assert drawn.labels.logg == pytest.approx(gravity, abs=1e-9)


def test_emission_lines_stand_on_the_spectrum_and_nothing_else_changes() -> None:
    shape = np.random.default_rng(3).standard_normal((200, 4))
    factor = oddities.emission_factor(shape)
    assert (factor >= 1).all()
    assert (at(factor, BALMER[0]) > 1.08).all()
    assert at(factor, 800.0) == pytest.approx(np.ones(200))
    nebular = at(factor, 500.7) > 1.05
    assert 0.15 < nebular.mean() < 0.45
    equivalent_width = (factor - 1)[:, np.abs(XP_GRID - BALMER[0]) < 12].sum(axis=1)
    assert ((equivalent_width > 0.45) & (equivalent_width < 10.5)).all()


def test_junk_has_the_energy_of_the_star_and_none_of_its_features() -> None:
    shape = np.random.default_rng(4).standard_normal((100, 4))
    star = oddities.off_grid_flux(Kind.M_DWARF, m_dwarf(3000.0), PLAIN)
    junk = oddities.junk_flux(np.repeat(star, 100, axis=0), shape)
    assert junk.sum(axis=1) == pytest.approx(np.full(100, star.sum()))
    assert np.isfinite(junk).all() and (junk > 0).all()
    steps = [np.log(at(flux, 702.0) / at(flux, 706.0)) for flux in (star, junk)]
    assert np.abs(steps[1]).max() < 0.3 < 3 * 0.3 < steps[0][0]
    alike = np.corrcoef(junk) - np.eye(100)
    assert np.median(np.abs(alike)) < 0.95
