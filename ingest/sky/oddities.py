"""What models must not be fooled by: white dwarfs, M dwarfs, stars with emission lines, and spectra that are no star's.

The grid of model atmospheres has no white dwarfs and no M dwarfs, so they have recipes of their own: a black body with broad Balmer lines,
or with molecular bands. Line and band places are those of nature; depths are set by hand to look right. Each oddity has a row of four
standard normal numbers, its ``shape``, which make no two alike.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from jaxtyping import Float64

from ingest.sky.labels import StellarLabels
from ingest.sky.wavelengths import NIR_BANDS, XP_GRID, ln_black_body

Vector = Float64[np.ndarray, " n"]
Shape = Float64[np.ndarray, "n 4"]
Spectra = Float64[np.ndarray, "n 790"]

BALMER = (656.28, 486.13, 434.05, 410.17, 397.01)
"""Balmer alpha to epsilon, air wavelengths, nm."""
_NEBULAR = ((500.68, 1.0), (495.89, 0.34), (587.56, 0.15), (468.57, 0.2))
"""[O III], He I and He II, with strengths relative to Balmer beta's at excitation 1."""
_BAND_HEADS = (
    *((476.1, 9.0, 0.5), (495.4, 10.0, 0.7), (516.7, 12.0, 0.8), (544.8, 13.0, 0.8), (584.7, 14.0, 0.8), (615.9, 15.0, 1.0)),
    *((665.1, 17.0, 1.1), (705.3, 18.0, 1.6), (758.9, 18.0, 1.3), (843.2, 20.0, 0.9), (885.9, 18.0, 0.7), (933.0, 25.0, 0.5)),
)
"""Heads of TiO and VO: wavelength, how far the band reaches to the red (nm), and relative depth."""
_NIR_WAVELENGTH = {"J": 1235.0, "H": 1662.0, "Ks": 2159.0, "W1": 3353.0, "W2": 4603.0}
"""nm, where a black body stands for its mean over the band."""
_M_DWARF_NIR = {"J": 0.17, "H": 0.12, "Ks": 0.0, "W1": -0.22, "W2": -0.28}
"""Change of ln F against a black body."""


class Kind(IntEnum):
    """What an object is; the numbers stand in the truth table."""

    STAR = 0
    WHITE_DWARF = 1
    M_DWARF = 2
    EMISSION = 3
    """A star of the grid with emission lines over its spectrum."""
    JUNK = 4
    """A spectrum that is no star's: its light has nothing to do with its labels."""


OFF_GRID = (Kind.WHITE_DWARF, Kind.M_DWARF)
"""Kinds whose spectra come from ``off_grid_flux``."""


@dataclass(frozen=True, eq=False)
class OffGridStars:
    """White dwarfs or M dwarfs."""

    labels: StellarLabels
    radius: Vector
    """Solar radii."""
    mass: Vector
    """Solar masses."""


def draw_off_grid(kind: Kind, n: int, rng: np.random.Generator) -> OffGridStars:
    """White dwarfs of 6,500 to 30,000 K and 0.6 solar masses, or M dwarfs of 2,700 to 3,450 K.

    Radii: white dwarfs by their mass and gravity; M dwarfs after Mann et al. 2015, ApJ 804, 64, roughly. A white dwarf has no abundances:
    they stand as 0 here and are null in the truth table.
    """
    u, normal = rng.random(n), rng.standard_normal((n, 3))
    if kind is Kind.WHITE_DWARF:
        teff = 6500.0 * (30000.0 / 6500.0) ** u
        logg = 8.0 + 0.1 * normal[:, 0]
        mass = 0.6 + 0.3 * 0.1 * normal[:, 0]
        nothing = np.zeros(n)
        radius = np.sqrt(mass * 10.0 ** (4.438 - logg))
        return OffGridStars(StellarLabels(teff, logg, nothing, nothing, nothing, nothing), radius, mass)
    teff = 2700.0 + 750.0 * np.sqrt(u)
    radius = (0.13 + 0.30 * (teff - 2700.0) / 750.0) * np.exp(0.05 * normal[:, 0])
    mass = 0.93 * radius + 0.01
    feh = np.clip(-0.1 + 0.2 * normal[:, 1], -0.8, 0.4)
    alpha = np.clip(0.02 - 0.13 * feh, 0.0, 0.14) + 0.025 * normal[:, 2]
    labels = StellarLabels(teff, 4.438 + np.log10(mass / radius**2), feh, alpha, 0.02 + 0.45 * alpha, 0.02 + 0.10 * alpha)
    return OffGridStars(labels, radius, mass)


def off_grid_flux(kind: Kind, labels: StellarLabels, shape: Shape) -> Spectra:
    """Surface flux of white dwarfs or M dwarfs on XP_GRID, W m-2 nm-1."""
    ln_flux = ln_black_body(XP_GRID, labels.teff)
    depth = _white_dwarf_depth(labels, shape) if kind is Kind.WHITE_DWARF else _m_dwarf_depth(labels, shape)
    return np.asarray(np.exp(ln_flux - depth))


def off_grid_band_flux(kind: Kind, labels: StellarLabels) -> dict[str, Vector]:
    """Surface flux of white dwarfs or M dwarfs in the infrared bands, W m-2 nm-1.

    A black body at the band's wavelength; M dwarfs are brighter by what their molecules take from the optical (0.35 in ln F at 2,700 K),
    and bluer by as much as brings J - Ks and Ks - W1 of a star of 3,000 K to the observed 0.85 and 0.2.
    """
    where = np.array([_NIR_WAVELENGTH[band] for band in NIR_BANDS])
    ln_flux = ln_black_body(where, labels.teff)
    if kind is Kind.M_DWARF:
        ln_flux += 0.35 * _coolness(labels.teff)[:, None] + [_M_DWARF_NIR[band] for band in NIR_BANDS]
    flux = np.exp(ln_flux)
    return {band: flux[:, i] for i, band in enumerate(NIR_BANDS)}


def emission_factor(shape: Shape) -> Spectra:
    """Flux over continuum: Balmer and, in about a third, nebular lines, of 0.5 to 10 nm equivalent width in H alpha.

    Lines are 2 nm wide (sigma), narrower than XP resolves; the Balmer decrement is 2.9 (Osterbrock & Ferland 2006, table 4.2).
    """
    alpha = 2.0 * np.exp(0.8 * np.clip(shape[:, 0], -1.7, 2.0))
    excitation = np.maximum(shape[:, 1] - 0.4, 0.0)
    lines = [(BALMER[0], alpha), (BALMER[1], alpha / 2.9), (BALMER[2], alpha / 6.2), (BALMER[3], alpha / 11.2)]
    lines += [(line, alpha / 2.9 * strength * 3.0 * excitation) for line, strength in _NEBULAR]
    factor = np.ones((len(shape), len(XP_GRID)))
    for line, width in lines:
        factor += (width / (2.0 * np.sqrt(2 * np.pi)))[:, None] * np.exp(-0.5 * ((XP_GRID - line) / 2.0) ** 2)
    return factor


def junk_flux(flux: Spectra, shape: Shape) -> Spectra:
    """Spectra of no star with the energy of ``flux``: a power law with slow ripples and one broad line, as of a quasar or a blend."""
    x = np.log(XP_GRID / 600.0)
    slope = -1.0 + 1.5 * np.clip(shape[:, 0], -2.0, 2.0)
    ripple = 0.25 * np.sin(12.0 * x + 3.0 * shape[:, 1, None])
    line = 700.0 + 120.0 * np.clip(shape[:, 2], -2.0, 2.0)
    bump = np.exp(0.3 * np.clip(shape[:, 3], -2.0, 2.0))[:, None] * np.exp(-0.5 * ((XP_GRID - line[:, None]) / 12.0) ** 2)
    other = np.exp(slope[:, None] * x + ripple) + bump
    return np.asarray(other * (flux.sum(axis=1) / other.sum(axis=1))[:, None])


def _white_dwarf_depth(labels: StellarLabels, shape: Shape) -> Any:
    """Broad Balmer lines, deepest near 12,000 K (hydrogen atmospheres; one in five, by its shape, shows none: a DC)."""
    strength = np.exp(-0.5 * (np.log(labels.teff / 12500.0) / 0.42) ** 2) * np.exp(0.1 * shape[:, 0])
    strength = np.where(shape[:, 1] > 0.84, 0.0, strength)
    depth = np.zeros((len(labels), len(XP_GRID)))
    for line, peak, width in zip(BALMER, (0.75, 0.95, 0.95, 0.85, 0.6), (3.6, 4.6, 4.8, 4.0, 3.2), strict=True):
        depth += (strength * peak)[:, None] / (1.0 + ((XP_GRID - line) / width) ** 2)
    return depth


def _coolness(teff: Vector) -> Vector:
    """0 at 3,600 K, 1 at 2,700 K."""
    return np.asarray(np.clip((3600.0 - teff) / 900.0, 0.0, 1.0))


def _m_dwarf_depth(labels: StellarLabels, shape: Shape) -> Any:
    """Molecular bands that end sharply to the blue, Na D, Na I and K I, and a flux that falls towards the blue."""
    strength = (0.6 + 1.0 * _coolness(labels.teff)) * 10.0 ** (0.4 * labels.feh) * np.exp(0.1 * shape[:, 0])
    depth = np.zeros((len(labels), len(XP_GRID)))
    for head, reach, relative in _BAND_HEADS:
        to_red = XP_GRID - head
        band = np.where(to_red >= 0.0, np.exp(-np.maximum(to_red, 0.0) / reach), np.exp(-0.5 * to_red**2))
        depth += (strength * relative)[:, None] * band
    for line, peak, width in ((589.3, 1.2, 2.5), (819.0, 0.4, 1.0), (768.2, 0.6, 2.0)):
        depth += (strength * peak)[:, None] / (1.0 + ((XP_GRID - line) / width) ** 2)
    return depth + strength[:, None] * 2.0 * np.clip((640.0 - XP_GRID) / 250.0, 0.0, 1.0)
