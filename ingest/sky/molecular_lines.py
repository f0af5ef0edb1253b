"""Lines of CO, CN and OH calculated from spectroscopic constants.

Level energies follow from the equilibrium constants of Huber & Herzberg 1979 (Constants of Diatomic Molecules): a rotating anharmonic
oscillator, with the spin splitting of Hill & Van Vleck 1928, Phys. Rev. 32, 250 in doublet-Pi states. Perturbations and the
spin-rotation splitting are left out, so that band heads lie within some 0.1 nm of the observed ones: the right pattern of lines, not the
measured list. Strengths are a band strength set by hand, times the rotational factor, times Boltzmann's factor at the reference atmosphere.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

EV_PER_WAVE_NUMBER = 1.2398420e-4
REFERENCE_THETA = 5040 / 4750
"""5040 K / T of the reference atmosphere in which strengths are given (see ``line_formation``)."""


class MolecularLine(NamedTuple):
    """One line: vacuum wavelength in nm, energy of the lower level in eV, strength as in ``line_list.LineList``."""

    wavelength: float
    excitation: float
    strength: float


@dataclass(frozen=True)
class ElectronicState:
    """Constants of one electronic state, all in cm-1."""

    energy: float
    vibration: tuple[float, float, float]
    """omega_e, omega_e x_e, omega_e y_e."""
    rotation: tuple[float, float, float]
    """B_e, alpha_e, gamma_e: B_v = B_e - alpha_e (v + 1/2) + gamma_e (v + 1/2)^2."""
    distortion: tuple[float, float]
    """D_v = first - second v."""
    spin_orbit: float = 0.0
    lambda_doubling: float = 0.0
    """Splitting of the two parities is this times N (N + 1)."""

    def vibrational(self, v: int) -> float:
        """Energy of a vibrational level above the bottom of the potential curve."""
        h = v + 0.5
        return self.energy + self.vibration[0] * h - self.vibration[1] * h**2 + self.vibration[2] * h**3

    def rotational(self, v: int) -> float:
        """B_v."""
        h = v + 0.5
        return self.rotation[0] - self.rotation[1] * h + self.rotation[2] * h**2

    def singlet(self, v: int, n: int) -> float:
        """Energy of a level without electronic angular momentum; n is J in Sigma states without spin, N with it."""
        x = n * (n + 1.0)
        return self.vibrational(v) + self.rotational(v) * x - (self.distortion[0] - self.distortion[1] * v) * x**2

    def doublet_pi(self, v: int, j: float, spin: int, parity: int = 0) -> float:
        """Energy of the component F1 or F2 of a doublet-Pi level; parity -1, +1, or 0 for the mean of both."""
        b = self.rotational(v)
        y = self.spin_orbit / b
        x = (j + 0.5) ** 2
        half = 0.5 * np.sqrt(4 * x + y * (y - 4))
        n = j - 0.5 if spin == 1 else j + 0.5
        x_n = n * (n + 1)
        doubling = 0.5 * parity * self.lambda_doubling * (1 - 0.035 * v) * x_n
        return float(
            self.vibrational(v)
            + b * (x - 1 + (-half if spin == 1 else half))
            - (self.distortion[0] - self.distortion[1] * v) * x_n**2
            + doubling
        )


CO_GROUND = ElectronicState(0.0, (2169.814, 13.288, 0.0105), (1.931281, 0.017504, 0.0), (6.1215e-6, 0.0))
CN_GROUND = ElectronicState(0.0, (2068.59, 13.087, 0.0), (1.8997, 0.0173, 0.0), (6.40e-6, 0.0))
CN_RED = ElectronicState(9245.28, (1812.5, 12.60, 0.0), (1.7151, 0.0171, 0.0), (5.93e-6, 0.0), spin_orbit=-52.65)
# OH: rotational constants near those of Maillard, Chauville & Mantz 1976, J. Mol. Spectrosc. 63, 120; omega_e was set so that the pairs of
# (2-0) and (3-1) P lines fall on the stellar lines at 1528.3, 1557.3, 1605.7 and 1653.9 nm, which equilibrium constants miss by 1 nm.
OH_GROUND = ElectronicState(
    0.0, (3737.3, 84.41, 0.352), (18.8936, 0.71955, 0.0043), (1.9089e-3, 4.0e-5), spin_orbit=-139.1, lambda_doubling=0.0387
)

CO_BANDS = tuple((v, np.log10((v + 1) * (v + 2) * (v + 3) / 6.0)) for v in range(7))
"""Lower level and log band strength of the second overtone; the factor is that of a harmonic oscillator's third power."""
CN_BANDS = {(2, 0): 0.0, (3, 1): 0.35, (4, 2): 0.5, (5, 3): 0.6, (6, 4): 0.6, (0, 1): 0.25, (1, 2): 0.25, (2, 3): 0.1, (3, 4): 0.0}
OH_BANDS = {0: 0.0, 1: 0.45, 2: 0.7, 3: 0.9}
WEAKEST = -2.3
"""Lines weaker than this in the reference atmosphere (log10 optical depth at the centre) are left out: hundreds that nobody would see."""


def _kept(lines: Iterator[MolecularLine], first: float, last: float) -> list[MolecularLine]:
    return [line for line in lines if first <= line.wavelength <= last and line.strength > WEAKEST]


def _line(upper: float, lower: float, ground: float, strength: float) -> MolecularLine:
    excitation = (lower - ground) * EV_PER_WAVE_NUMBER
    return MolecularLine(1e7 / (upper - lower), excitation, float(strength - excitation * REFERENCE_THETA))


def carbon_monoxide(first: float, last: float, strength: float = -0.65) -> list[MolecularLine]:
    """Second overtone (v to v + 3) of 12C16O between two vacuum wavelengths in nm: heads at 1558, 1578, 1598, 1619, 1640, 1662, 1684 nm."""

    def lines() -> Iterator[MolecularLine]:
        ground = CO_GROUND.singlet(0, 0)
        for v, band in CO_BANDS:
            for j in range(101):
                lower = CO_GROUND.singlet(v, j)
                for upper_j, weight in ((j + 1, j + 1), (j - 1, j)):
                    if upper_j >= 0 and weight:
                        yield _line(CO_GROUND.singlet(v + 3, upper_j), lower, ground, strength + band + np.log10(weight / 20))

    return _kept(lines(), first, last)


def cyanogen(first: float, last: float, strength: float = -0.45) -> list[MolecularLine]:
    """Red system A 2Pi - X 2Sigma of 12C14N between two vacuum wavelengths in nm: the six main branches of each band."""

    def lines() -> Iterator[MolecularLine]:
        ground = CN_GROUND.singlet(0, 0)
        for (upper_v, lower_v), band in CN_BANDS.items():
            for n in range(1, 100):
                lower = CN_GROUND.singlet(lower_v, n)
                for spin, lower_j in ((1, n + 0.5), (2, n - 0.5)):
                    for change in (-1, 0, 1):
                        upper_j = lower_j + change
                        if upper_j >= (1.5 if spin == 1 else 0.5):
                            upper = CN_RED.doublet_pi(upper_v, upper_j, spin)
                            weight = (lower_j + 0.5) * (2 if change == 0 else 1) / 60
                            yield _line(upper, lower, ground, strength + band + np.log10(weight))

    return _kept(lines(), first, last)


def hydroxyl(first: float, last: float, strength: float = -0.15) -> list[MolecularLine]:
    """First overtone (v to v + 2) of 16OH in its ground state between two vacuum wavelengths in nm: P, Q and R branches."""
    ground = OH_GROUND.doublet_pi(0, 1.5, 1)

    def lines() -> Iterator[MolecularLine]:
        for v, band in OH_BANDS.items():
            for spin in (1, 2):
                for step in range(1, 30):
                    j = step + 0.5
                    for change in (-1, 0, 1):
                        for parity in (-1, 1) if j + change >= 1.5 else ():
                            weight = (j + 0.5) / 20 if change else 1.5 / (j + 1) / 20
                            lower = OH_GROUND.doublet_pi(v, j, spin, parity)
                            upper = OH_GROUND.doublet_pi(v + 2, j + change, spin, parity)
                            yield _line(upper, lower, ground, strength + band + np.log10(weight))

    return _kept(lines(), first, last)


def night_sky_lines(first: float, last: float) -> list[tuple[float, float]]:
    """Emission lines of OH in the night sky: vacuum wavelength in nm and intensity relative to the strongest, between two wavelengths.

    The bands 3-1, 4-2 and 5-3 with the rotational temperature 190 K of the upper atmosphere (e.g. Rousselot et al. 2000, A&A 354, 1134).
    """
    lines = []
    for v in (1, 2, 3):
        bottom = OH_GROUND.doublet_pi(v + 2, 1.5, 1)
        for spin in (1, 2):
            for step in range(9):
                upper_j = step + (1.5 if spin == 1 else 0.5)
                upper = OH_GROUND.doublet_pi(v + 2, upper_j, spin)
                for change in (-1, 0, 1):
                    if upper_j + change >= (1.5 if spin == 1 else 0.5):
                        wavelength = 1e7 / (upper - OH_GROUND.doublet_pi(v, upper_j + change, spin))
                        intensity = (upper_j + 0.5) * np.exp(-(upper - bottom) * 1.4388 / 190.0)
                        lines.append((float(wavelength), float(intensity)))
    brightest = max(intensity for _, intensity in lines)
    return [(wavelength, intensity / brightest) for wavelength, intensity in lines if first <= wavelength <= last]
