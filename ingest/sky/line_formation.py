"""How deep the lines of a star are: opacity ratios of a one-layer atmosphere, saturation, and the blur of star and instrument.

Every simulated high-resolution spectrum goes through here. The flux over the continuum is ``1 - d (1 - 1 / sqrt(1 + 2 tau))``: linear in
the optical depth tau of weak lines, going to 1 - d in strong ones, slowly, because their cores form ever higher in the atmosphere; with
Lorentzian wings the strength grows as the root of tau, as a curve of growth does. The optical depth of a line relative to its strength
in the list follows from the temperature, the electron pressure and the gas pressure of one layer: Boltzmann's factor, Saha's equation for
one ionisation on either side, and the opacity of H- and hydrogen (e.g. Gray 2005, Stellar Photospheres, chapters 8, 13, 14). Carbon and
oxygen share themselves out between atoms and CO. So the response to each label has the sign and about the size that it has in stars, and
is smooth. It is no model atmosphere: the powers of gravity and temperature in the pressures were chosen so that the calcium triplet and
the lines beside it are right in two dwarfs and a giant.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float64
from scipy import fft, sparse
from scipy.special import j1, voigt_profile

from catalog.errors import DataError
from ingest.sky.labels import StellarLabels
from ingest.sky.line_list import LineList

Stars = Float64[np.ndarray, " n"]

SPEED_OF_LIGHT = 299792.458
"""km/s."""
REFERENCE = (4750.0, 2.5)
"""Effective temperature (K) and log g of the reference atmosphere of line strengths: a solar-metallicity red giant."""
DOPPLER_VELOCITY = 2.0
"""Thermal motion and microturbulence: standard deviation, km/s. It sets where lines saturate."""
DAMPING_VELOCITY = 0.35
"""Half width of the Lorentzian of an ordinary line at 858 nm in the Sun, km/s; proportional to wavelength and to gas pressure."""
DAMPING_NODES = (0.02, 4.0)
"""Profiles are calculated at these pressures (relative to the Sun's) and interpolated linearly, which is exact in the wings."""
MACROTURBULENCE = 3.0
"""Standard deviation of the motion of larger parts of the atmosphere, km/s: it broadens lines without making them stronger."""
BLOCK_STARS = 128
ALPHA_ELEMENTS = ("O", "Mg", "Si", "S", "Ca", "Ti")


@dataclass(frozen=True)
class Species:
    """An absorber: for atoms the element, and energies (eV) to ionise it from the stage below and out of the stage that absorbs."""

    element: str
    ionisation: float = 0.0
    from_below: float = 0.0
    dissociation: float = 0.0


SPECIES = {
    "H I": Species("H"), "C I": Species("C", 11.26), "N I": Species("N", 14.53), "Na I": Species("Na", 5.14),
    "Mg I": Species("Mg", 7.65), "Al I": Species("Al", 5.99),
    "Si I": Species("Si", 8.15), "S I": Species("S", 10.36), "K I": Species("K", 4.34), "Ca I": Species("Ca", 6.11),
    "Ca II": Species("Ca", 11.87, 6.11), "Ti I": Species("Ti", 6.83), "V I": Species("V", 6.75), "Cr I": Species("Cr", 6.77),
    "Mn I": Species("Mn", 7.43), "Fe I": Species("Fe", 7.90), "Co I": Species("Co", 7.88), "Ni I": Species("Ni", 7.64),
    "CO": Species("CO"), "CN": Species("CN", dissociation=7.72), "OH": Species("OH", dissociation=4.39),
}  # fmt: skip


def abundance(element: str, labels: StellarLabels) -> Stars:
    """[X/H] in dex: alpha elements follow feh + alpha_m, C and N their own labels, all others (Na, Al and K too) iron."""
    if element == "H":
        return np.zeros(len(labels))
    if element in ALPHA_ELEMENTS:
        return np.asarray(labels.feh + labels.alpha_m)
    return np.asarray(labels.feh + {"C": labels.c_fe, "N": labels.n_fe}.get(element, 0.0))


@dataclass(frozen=True, eq=False)
class Layer:
    """The one layer that lines form in, for n stars. Logarithms are decimal; pressures in dyn cm-2."""

    labels: StellarLabels

    @cached_property
    def theta(self) -> Stars:
        """5040 K / T of the layer, in 1/eV: the layer is as hot as the star, since only differences between stars count."""
        return np.asarray(5040.0 / self.labels.teff)

    @cached_property
    def _donors(self) -> Stars:
        """[M/H] of the elements that give electrons: iron, and magnesium and silicon in equal number."""
        return np.asarray(self.labels.feh + np.log10((1 + 2 * 10.0**self.labels.alpha_m) / 3))

    @cached_property
    def log_electron_pressure(self) -> Stars:
        """1.2 in the Sun, growing with gravity, temperature and the electron donors: a fit by eye to model atmospheres."""
        labels = self.labels
        return np.asarray(1.2 + 0.43 * (labels.logg - 4.44) + 9.0 * np.log10(labels.teff / 5777) + 0.3 * self._donors)

    @cached_property
    def log_gas_pressure(self) -> Stars:
        """Relative to the Sun: grows with gravity, falls with the opacity that metals bring and in hot stars."""
        labels = self.labels
        return np.asarray(0.44 * (labels.logg - 4.44) - 0.2 * self._donors - 3.0 * np.log10(np.hypot(1.0, labels.teff / 7000) / 1.297))

    @cached_property
    def log_continuum(self) -> Stars:
        """Opacity of the continuum for each hydrogen atom, arbitrary unit: H- (electron affinity 0.754 eV) and excited hydrogen (n = 3)."""
        minus = self.log_electron_pressure + 0.754 * self.theta + 2.5 * np.log10(self.theta)
        hydrogen = 10.2 - 12.09 * self.theta
        return np.asarray(np.logaddexp(minus * np.log(10), hydrogen * np.log(10)) / np.log(10))

    def _log_ionised_over_neutral(self, energy: float) -> Stars:
        """Saha's equation; with partition functions in the ratio 1.5 its constant, -0.48 + log10 of twice the ratio, is zero."""
        return np.asarray(-energy * self.theta + 2.5 * np.log10(self.labels.teff) - self.log_electron_pressure)

    @cached_property
    def _carbon_monoxide(self) -> tuple[Stars, Stars, Stars]:
        """Numbers of CO, free C and free O for each hydrogen atom, in units of the Sun's oxygen: the law of mass action."""
        carbon = 0.55 * 10.0 ** abundance("C", self.labels)
        oxygen = 10.0 ** abundance("O", self.labels)
        # Half of the oxygen would be bound at 4600 K and log g 2 if carbon were plentiful.
        constant = 10.0 ** np.clip(11.09 * (self.theta - 5040 / 4600) + self.log_gas_pressure + 1.22, -12, 9)
        total = carbon + oxygen + 1 / constant
        bound = 2 * carbon * oxygen / (total + np.sqrt(total**2 - 4 * carbon * oxygen))
        return bound, carbon - bound, oxygen - bound

    def log_absorbers(self, name: str) -> Stars:
        """Number of the absorbing atoms or molecules in their lowest level for each hydrogen atom, arbitrary unit for each species."""
        species = SPECIES[name]
        if name in ("CO", "CN", "OH"):
            bound, carbon, oxygen = self._carbon_monoxide
            if name == "CO":
                return np.asarray(np.log10(bound))
            partner = np.log10(carbon) + abundance("N", self.labels) if name == "CN" else np.log10(oxygen)
            return np.asarray(partner + species.dissociation * self.theta + self.log_gas_pressure)
        if name == "H I":
            return np.zeros(len(self.labels))
        if name == "C I":
            return np.asarray(np.log10(self._carbon_monoxide[1]) - np.log10(1 + 10.0 ** self._log_ionised_over_neutral(species.ionisation)))
        other = 10.0 ** self._log_ionised_over_neutral(species.ionisation)
        if species.from_below:
            other = other + 10.0 ** -self._log_ionised_over_neutral(species.from_below)
        return np.asarray(abundance(species.element, self.labels) - np.log10(1 + other))

    def log_opacity_ratio(self, name: str, excitation: float) -> Stars:
        """Opacity of a line over that of the continuum, arbitrary unit for each line: what its optical depth is proportional to."""
        return np.asarray(self.log_absorbers(name) - excitation * self.theta - self.log_continuum)


def reference_labels() -> StellarLabels:
    """The one star in which line strengths are given."""
    zero = np.zeros(1)
    return StellarLabels(np.array([REFERENCE[0]]), np.array([REFERENCE[1]]), zero, zero, zero, zero)


@dataclass(frozen=True, eq=False)
class SpectralWindow:
    """Pixels of an instrument, an oversampled grid around them, and the profiles of the lines that fall there.

    ``wavelength`` (p,) are the pixels' vacuum wavelengths in nm, evenly spaced, or evenly spaced in the logarithm if ``logarithmic``.
    ``instrument_sigma`` is the standard deviation of the instrument's Gaussian line spread in pixels; ``oversampling`` points a pixel are
    calculated. ``deepest`` is d of the line formation in the reference star; it falls by a twentieth for each dex of gravity, as
    chromospheres fill the cores of strong lines in dwarfs.
    """

    wavelength: Float64[np.ndarray, " p"]
    lines: LineList
    instrument_sigma: float
    deepest: float
    logarithmic: bool = False
    oversampling: int = 2

    @cached_property
    def pixel_velocity(self) -> float:
        """Width of a pixel in the middle of the window, km/s."""
        middle = len(self.wavelength) // 2
        return float(SPEED_OF_LIGHT * np.log(self.wavelength[middle + 1] / self.wavelength[middle]))

    @cached_property
    def _margin(self) -> int:
        """Pixels added on either side, so that the Fourier transform joins the two ends where nobody looks."""
        return 64

    @cached_property
    def _fine(self) -> Float64[np.ndarray, " q"]:
        points = fft.next_fast_len((len(self.wavelength) + 2 * self._margin) * self.oversampling, real=True)
        step = np.arange(points) / self.oversampling - self._margin
        if self.logarithmic:
            return np.asarray(
                self.wavelength[0] * np.exp(step * np.log(self.wavelength[-1] / self.wavelength[0]) / (len(self.wavelength) - 1))
            )
        return np.asarray(self.wavelength[0] + step * (self.wavelength[-1] - self.wavelength[0]) / (len(self.wavelength) - 1))

    @cached_property
    def _groups(self) -> list[tuple[str, float, np.ndarray[Any, np.dtype[np.intp]]]]:
        """Lines whose optical depths are always in the same ratio: one species, and excitation energies within 0.125 eV."""
        rounded = np.round(self.lines.excitation * 4) / 4
        keys = sorted(set(zip(self.lines.species, rounded.tolist(), strict=True)))
        species = np.array(self.lines.species)
        return [(name, energy, np.flatnonzero((species == name) & (rounded == energy))) for name, energy in keys]

    @cached_property
    def _profiles(self) -> sparse.csr_matrix:
        """Optical depth of each group in the reference atmosphere at both damping nodes: (points, 2 groups).

        A sparse product does not depend on the number of threads, as one by BLAS may, and most of the matrix is zero.
        """
        grid = self._fine
        columns = np.zeros((2 * len(self._groups), len(grid)))
        lines = self.lines
        for g, (_, _, members) in enumerate(self._groups):
            for i in members:
                centre = lines.wavelength[i]
                sigma = centre * DOPPLER_VELOCITY / SPEED_OF_LIGHT
                width = centre * DAMPING_VELOCITY * (centre / 858.0) * lines.damping[i] / SPEED_OF_LIGHT
                reach = np.hypot(8 * sigma, np.sqrt(10 ** (lines.strength[i] + 5.5) * sigma * width))
                first, last = np.searchsorted(grid, [centre - reach, centre + reach])
                for node, pressure in enumerate(DAMPING_NODES):
                    profile = voigt_profile(grid[first:last] - centre, sigma, width * pressure) * sigma * np.sqrt(2 * np.pi)
                    columns[2 * g + node, first:last] += 10.0 ** lines.strength[i] * profile
        columns[columns < 1e-7] = 0.0
        return sparse.csr_matrix(columns.T)

    def _optical_depth(self, labels: StellarLabels) -> Float64[np.ndarray, "n q"]:
        layer, reference = Layer(labels), Layer(reference_labels())
        pressure = np.clip(10.0**layer.log_gas_pressure, *DAMPING_NODES)
        upper = (pressure - DAMPING_NODES[0]) / (DAMPING_NODES[1] - DAMPING_NODES[0])
        strengths = np.empty((2 * len(self._groups), len(labels)))
        for g, (name, energy, _) in enumerate(self._groups):
            ratio = layer.log_opacity_ratio(name, energy) - reference.log_opacity_ratio(name, energy)
            strengths[2 * g] = 10.0**ratio * (1 - upper)
            strengths[2 * g + 1] = 10.0**ratio * upper
        return np.ascontiguousarray((self._profiles @ strengths).T)

    def _transfer(self, rotation: Stars | None, velocity: Stars | None) -> Any:
        """Fourier transform of all blur: instrument, macroturbulence, rotation (Gray 2005, eq. 18.14, limb darkening 0.6), shift."""
        frequency = fft.rfftfreq(len(self._fine), 1 / self.oversampling)
        sigma = np.hypot(self.instrument_sigma, MACROTURBULENCE / self.pixel_velocity)
        transfer: Any = np.exp(-2 * (np.pi * sigma * frequency) ** 2)
        if rotation is not None:
            u = np.maximum(2 * np.pi * rotation[:, None] / self.pixel_velocity * frequency, 3e-3)
            transfer = transfer * ((0.4 * 2 * j1(u) / u + 0.4 * 3 * (np.sin(u) - u * np.cos(u)) / u**3) / 0.8)
        if velocity is not None:
            transfer = transfer * np.exp(-2j * np.pi * velocity[:, None] / self.pixel_velocity * frequency)
        return transfer

    def _blocks(self, n: int) -> Iterator[slice]:
        return (slice(first, min(first + BLOCK_STARS, n)) for first in range(0, n, BLOCK_STARS))

    def flux(self, labels: StellarLabels, rotation: Stars | None = None, velocity: Stars | None = None) -> Float64[np.ndarray, "n p"]:
        """Flux over the continuum without noise, dimensionless.

        ``rotation`` is v sin i and ``velocity`` a residual radial velocity (positive: to longer wavelengths), both in km/s, one a star.
        Memory is bounded by blocks of BLOCK_STARS stars; 1.5 MB a star of the H band. DataError for arrays of another length.
        """
        for name, values in (("rotation", rotation), ("velocity", velocity)):
            if values is not None and values.shape != (len(labels),):
                raise DataError(f"{name} has the shape {values.shape}, but there are {len(labels)} stars: give one value a star.")
        flux = np.empty((len(labels), len(self.wavelength)))
        pixels = slice(self._margin * self.oversampling, (self._margin + len(self.wavelength)) * self.oversampling, self.oversampling)
        for block in self._blocks(len(labels)):
            depth = self._optical_depth(labels.take(np.arange(block.start, block.stop)))
            deepest = self.deepest * (1 - 0.05 * (labels.logg[block, None] - REFERENCE[1]))
            depth = deepest * (1 - 1 / np.sqrt(1 + 2 * depth))
            transfer = self._transfer(None if rotation is None else rotation[block], None if velocity is None else velocity[block])
            spectrum = fft.rfft(depth, axis=1)
            spectrum *= transfer
            flux[block] = 1 - fft.irfft(spectrum, n=depth.shape[1], axis=1)[:, pixels]
        return flux
