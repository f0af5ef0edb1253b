"""The absorption lines that simulated spectra are made of: real wavelengths, strengths of our own.

Positions of atomic lines are those of the NIST Atomic Spectra Database, rounded. In the H band 57 of them were compared with the list of
Smith et al. 2013, ApJ 765, 16 (all but one within 0.01 nm, the worst 0.03 nm off); the strong ones of the RVS window lie within 0.02 nm of
the minima of a real spectrum. Hydrogen follows from the Rydberg formula; molecules are in ``molecular_lines``. Excitation energies are
rounded to 0.05 eV. Strengths are no oscillator strengths. In the RVS window they were fitted to three real spectra
(``fitting/line_strengths``): depths agree within a factor 1.09 in the median and 1.27 in nine of ten lines deeper than 3 %, the calcium
triplet's equivalent widths within 14 %. In the H band, where no real spectrum was at hand, they were set by hand to be about as deep as
published figures show. So the lists serve simulation, never an abundance analysis: an element's lines answer to its label, but the sizes
of the answers are ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float64

from ingest.sky.molecular_lines import MolecularLine, carbon_monoxide, cyanogen, hydroxyl

Lines = Float64[np.ndarray, " line"]


@dataclass(frozen=True, eq=False)
class LineList:
    """Lines of one spectral window, in no particular order."""

    species: tuple[str, ...]
    """Names as in ``line_formation.SPECIES``, one a line."""
    wavelength: Lines
    """Vacuum, nm."""
    excitation: Lines
    """Energy of the lower level, eV."""
    strength: Lines
    """log10 of the optical depth at the line's centre in the reference atmosphere (see ``line_formation``)."""
    damping: Lines
    """Width of the Lorentzian relative to that of an ordinary metal line."""

    def __len__(self) -> int:
        return len(self.species)

    def of(self, species: str) -> "LineList":
        """The lines of one species."""
        index = [i for i, name in enumerate(self.species) if name == species]
        return LineList(
            tuple(self.species[i] for i in index), self.wavelength[index], self.excitation[index], self.strength[index], self.damping[index]
        )

    @staticmethod
    def concatenate(parts: Sequence["LineList"]) -> "LineList":
        """The lines of all parts."""
        names = ("wavelength", "excitation", "strength", "damping")
        arrays = [np.concatenate([getattr(part, name) for part in parts]) for name in names]
        return LineList(tuple(name for part in parts for name in part.species), *arrays)


def vacuum_wavelength(air: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Vacuum wavelength of a wavelength in standard air, both in nm: Morton 2000, ApJS 130, 403, eq. 8, iterated once.

    The formula takes the vacuum wave number; starting from air changes the result by less than 1e-6 nm here.
    """
    s2 = (1e3 / air) ** 2
    index = 1 + 8.34254e-5 + 2.406147e-2 / (130 - s2) + 1.5998e-4 / (38.9 - s2)
    s2 = (1e3 / (air * index)) ** 2
    return np.asarray(air * (1 + 8.34254e-5 + 2.406147e-2 / (130 - s2) + 1.5998e-4 / (38.9 - s2)))


def hydrogen_wavelength(lower: int, upper: int) -> float:
    """Vacuum wavelength in nm of the hydrogen line between two levels, Rydberg formula with the reduced mass (fine structure left out)."""
    return 1e7 / (109677.583 * (1 / lower**2 - 1 / upper**2))


Table = dict[str, tuple[tuple[float, float, float], ...]]
"""Species to (air wavelength in nm, excitation in eV, strength) of its lines."""

# The triplet's damping is that of a strong line; all others are ordinary.
_CALCIUM_TRIPLET = ((849.802, 1.70, 3.70), (854.209, 1.70, 4.65), (866.214, 1.70, 4.45))

_RVS_ATOMS: Table = {
    "Fe I": (
        (846.841, 2.20, 1.60), (847.174, 4.95, 0.20), (848.063, 4.20, 0.10), (848.198, 4.20, 0.20), (848.799, 4.20, 0.05),
        (849.140, 4.60, -0.20), (849.400, 4.60, -0.20), (850.500, 4.60, -0.15), (851.407, 2.20, 1.65), (851.511, 3.00, 1.20),
        (852.100, 4.60, -0.25), (852.667, 4.90, 0.65), (852.978, 4.95, -0.15), (853.177, 4.95, -0.25), (853.802, 4.90, 0.60),
        (855.550, 4.60, 0.15), (857.180, 5.00, 0.00), (857.333, 5.00, -0.35), (858.226, 3.00, 0.95), (859.295, 4.95, 0.40),
        (859.883, 4.40, 0.50), (860.708, 5.00, -0.10), (861.060, 4.45, 0.15), (861.180, 2.85, 1.30), (861.394, 5.00, 0.00),
        (861.628, 4.90, 0.20), (862.160, 2.95, 0.90), (863.240, 4.10, -0.40), (865.447, 4.60, -0.05), (867.180, 5.00, -0.05),
        (867.475, 2.85, 1.40), (867.964, 4.95, -0.10), (868.863, 2.20, 2.45),
    ),
    "Si I": (
        (850.155, 5.85, 0.10), (850.222, 5.85, 0.25), (853.414, 6.20, -0.50), (853.616, 6.20, 0.25), (855.678, 5.85, 0.80),
        (859.596, 6.20, -0.05), (859.705, 6.20, -0.10), (864.846, 6.20, 0.75), (868.635, 6.20, 0.05),
    ),
    "Ti I": (
        (846.850, 1.90, 0.70), (851.803, 2.15, -0.20), (851.835, 1.90, 0.40), (854.807, 1.85, 0.55), (867.537, 1.05, -0.50),
        (868.298, 1.05, 0.35), (869.233, 1.05, 0.10),
    ),
    "Mg I": ((846.474, 5.95, -0.70), (847.369, 5.95, -1.00), (861.023, 5.95, -1.55)),
    "S I": ((867.965, 7.85, -0.50), (868.044, 7.85, -0.50), (869.396, 7.85, -1.55), (869.463, 7.85, -0.75)),
    "Ni I": ((849.862, 3.85, -2.50), (857.999, 5.30, -1.15), (863.699, 3.85, -0.75)),
    "Cr I": ((854.318, 2.70, -2.50), (854.886, 2.70, -0.30), (864.310, 2.70, -0.95)),
    "N I": (
        (856.774, 10.70, -2.00), (862.924, 10.70, -2.00), (865.587, 10.70, -2.00),
        (868.028, 10.35, -2.00), (868.340, 10.35, -2.00), (868.615, 10.35, -2.00),
    ),
}  # fmt: skip

_H_ATOMS: Table = {
    "Fe I": (
        (1519.449, 2.20, 0.70), (1520.753, 5.40, 0.80), (1521.969, 5.60, 0.50), (1524.497, 5.60, 0.50), (1529.456, 5.30, 0.90),
        (1533.538, 5.40, 0.60), (1534.379, 5.65, 0.30), (1539.567, 5.60, 0.50), (1545.160, 6.45, 0.10), (1549.034, 2.20, 0.40),
        (1550.132, 6.30, 0.40), (1553.175, 5.65, 0.60), (1553.424, 5.65, 0.50), (1553.769, 6.30, 0.20), (1558.826, 6.35, 0.40),
        (1559.150, 6.25, 0.80), (1560.422, 6.25, 0.60), (1562.165, 5.55, 0.70), (1563.195, 5.35, 0.90), (1564.851, 5.45, 0.40),
        (1566.202, 5.85, 0.60), (1566.524, 6.00, 0.30), (1569.178, 6.25, 0.20), (1572.359, 5.60, 0.40), (1574.106, 5.65, 0.20),
        (1576.943, 5.55, 0.50), (1578.916, 6.25, 0.20), (1581.814, 5.60, 0.60), (1586.896, 5.60, 0.40), (1589.840, 6.30, 0.30),
        (1592.023, 6.25, 0.40), (1596.487, 5.90, 0.60), (1598.073, 6.25, 0.70), (1600.961, 5.45, 0.60), (1601.877, 6.35, 0.10),
        (1604.066, 5.85, 0.50), (1604.271, 6.25, 0.40), (1607.140, 6.25, 0.40), (1610.241, 5.85, 0.60), (1611.597, 6.40, 0.20),
        (1615.325, 5.35, 0.50), (1616.503, 6.30, 0.60), (1617.495, 6.40, 0.30), (1619.506, 6.40, 0.30), (1619.851, 5.40, 0.50),
        (1620.751, 6.30, 0.40), (1623.165, 6.40, 0.50), (1624.647, 6.25, 0.30), (1628.477, 6.30, 0.10), (1631.632, 6.30, 0.60),
        (1632.445, 5.40, 0.50), (1639.817, 5.90, 0.40), (1648.667, 5.85, 0.60), (1651.721, 6.30, 0.40), (1652.447, 6.35, 0.30),
        (1655.199, 6.40, 0.30), (1656.176, 5.95, 0.30), (1664.588, 5.95, 0.40), (1665.349, 6.35, 0.40), (1666.136, 6.35, 0.30),
        (1669.307, 6.40, 0.30), (1672.469, 6.35, 0.20), (1675.306, 6.40, 0.30), (1684.324, 5.90, 0.30), (1686.550, 6.35, 0.20),
        (1692.708, 6.35, 0.20),
    ),
    "Mg I": (
        (1523.174, 6.70, 0.30), (1574.071, 5.95, 1.70), (1574.899, 5.95, 2.00), (1576.584, 5.95, 2.20), (1587.952, 5.95, 1.20),
        (1588.618, 5.95, 1.00), (1588.949, 5.95, 1.00), (1595.447, 6.60, 0.90), (1636.475, 6.70, 0.40), (1663.230, 6.75, 0.30),
    ),
    "Al I": ((1671.896, 4.10, 1.40), (1675.055, 4.10, 1.80), (1676.337, 4.10, 1.30)),
    "Si I": (
        (1536.116, 5.95, 0.50), (1537.683, 6.20, 0.80), (1555.778, 5.95, 0.80), (1588.440, 5.95, 0.90), (1588.840, 5.10, 1.60),
        (1583.360, 6.20, 0.70), (1596.007, 6.00, 1.50), (1606.001, 5.95, 1.20), (1609.479, 5.95, 1.30), (1621.567, 5.95, 1.10),
        (1624.184, 5.95, 0.80), (1643.493, 5.95, 0.70), (1668.077, 6.00, 1.40), (1682.818, 6.00, 0.80),
    ),
    "K I": ((1516.309, 2.65, 0.50), (1516.838, 2.65, 0.60)),
    "Ca I": ((1613.682, 4.55, 0.40), (1615.076, 4.55, 0.60), (1615.524, 4.55, 0.20), (1615.736, 4.55, 0.60), (1619.707, 4.55, 0.70)),
    "Ti I": (
        (1533.484, 1.90, 0.40), (1554.376, 1.90, 0.30), (1560.284, 2.25, 0.00), (1569.899, 1.90, 0.00), (1571.557, 1.85, 0.10),
        (1663.516, 2.35, 0.00),
    ),
    "S I": ((1540.233, 8.70, 0.10), (1542.226, 8.70, 0.30), (1546.982, 8.05, 0.30), (1547.848, 8.05, 0.50)),
    "C I": ((1600.490, 9.65, -0.70), (1602.170, 9.65, -0.60), (1689.038, 9.00, -0.10)),
    "Na I": ((1637.387, 3.75, -0.40), (1638.886, 3.75, -0.10)),
    "V I": ((1592.481, 2.15, 0.00),),
    "Cr I": ((1568.006, 4.70, 0.50), (1586.015, 4.70, 0.30), (1546.590, 4.70, -0.20)),
    "Mn I": ((1515.919, 4.90, 0.60), (1521.774, 4.90, 0.70), (1526.249, 4.90, 0.50)),
    "Co I": ((1675.764, 3.40, -0.10),),
    "Ni I": (
        (1560.568, 5.30, 0.50), (1563.265, 5.30, 0.60), (1658.444, 5.30, 0.50), (1658.930, 5.45, 0.50), (1667.374, 6.05, 0.30),
        (1681.547, 5.30, 0.40), (1681.876, 6.05, 0.40),
    ),
}  # fmt: skip


def _atoms(table: Table) -> LineList:
    rows = [(name, *line) for name, lines in table.items() for line in lines]
    wavelength, excitation, strength = (np.array(column, np.float64) for column in list(zip(*rows, strict=True))[1:])
    return LineList(tuple(row[0] for row in rows), vacuum_wavelength(wavelength), excitation, strength, np.ones(len(rows)))


def _hydrogen(lower: int, upper: range, strength: float, slope: float, damping: float) -> LineList:
    """A stretch of one series: each higher line is weaker by ``slope`` dex, and all are as broad (Stark effect) as ``damping`` says."""
    step = np.arange(len(upper), dtype=np.float64)
    energy = 13.598 * (1 - 1 / lower**2)
    wavelength = np.array([hydrogen_wavelength(lower, n) for n in upper])
    return LineList(("H I",) * len(step), wavelength, np.full(len(step), energy), strength - slope * step, np.full(len(step), damping))


def _molecule(species: str, lines: Sequence[MolecularLine]) -> LineList:
    wavelength, excitation, strength = (np.array(column, np.float64) for column in zip(*lines, strict=True))
    return LineList((species,) * len(lines), wavelength, excitation, strength, np.full(len(lines), 0.1))


@cache
def rvs_lines() -> LineList:
    """Lines of the RVS window, 846-870 nm: calcium triplet, about 70 lines of other atoms, Paschen 13 to 17, CN."""
    triplet = _atoms({"Ca II": _CALCIUM_TRIPLET})
    paschen = _hydrogen(3, range(13, 18), -1.2, 0.10, 2500.0)
    return LineList.concatenate([triplet, _atoms(_RVS_ATOMS), paschen, _molecule("CN", cyanogen(845.5, 870.5))])


@cache
def h_band_lines() -> LineList:
    """Lines of the H band, 1.51-1.70 um: about 120 of atoms, Brackett 11 to 20, the bands of CO, CN and OH."""
    brackett = _hydrogen(4, range(11, 21), -1.1, 0.08, 1000.0)
    molecules = [
        _molecule("CO", carbon_monoxide(1509.0, 1701.0)),
        _molecule("CN", cyanogen(1509.0, 1701.0)),
        _molecule("OH", hydroxyl(1509.0, 1701.0)),
    ]
    return LineList.concatenate([_atoms(_H_ATOMS), brackett, *molecules])
