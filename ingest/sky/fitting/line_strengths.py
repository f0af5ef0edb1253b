"""Fit the strengths of the atomic lines of the RVS window to three real spectra and print them beside those in ``line_list``.

    python -m ingest.sky.fitting.line_strengths FOLDER

FOLDER holds RVS_Kepler-409.csv.gz, RVS_Kepler-93.csv.gz and RVS_HD176650.csv.gz, Gaia DR3 mean spectra as the archive serves them (data:
ESA/Gaia/DPAC). A line's strength is changed until its depth, in the triplet its equivalent width, is right on average of the logarithm
over the three stars; a line that is not seen ends at the noise. What it prints is rounded to 0.05 dex. The committed table is such a fit
with later changes by hand: nitrogen, which is blended everywhere, was left at -2, and the triplet's first line was weakened by 0.1.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from ingest.sky.labels import StellarLabels
from ingest.sky.line_formation import SpectralWindow
from ingest.sky.line_list import LineList, rvs_lines
from ingest.sky.rvs import RVS_WAVELENGTH, equivalent_width, rvs_window

STARS = {
    # Labels of the two dwarfs from the literature; no published ones are at hand for the giant: those that fit its spectrum best.
    "Kepler-409": (5460.0, 4.50, 0.06, 0.0, 0.0, 0.0),
    "Kepler-93": (5669.0, 4.47, -0.18, 0.03, 0.0, 0.0),
    "HD176650": (4900.0, 2.75, -0.25, 0.08, -0.1, 0.15),
}
ROUNDS = 12
FAINTEST_DEPTH = 0.008
HALF_WIDTH = 0.035
TRIPLET_HALF_WIDTH = 1.4
"""nm around a line."""


def read_flux(file: Path) -> Float64[np.ndarray, " 2401"]:
    """The flux column of one archive file, NaN where it is empty."""
    return np.asarray(np.genfromtxt(file, delimiter=",", names=True)["flux"], np.float64)


def fitted(real: Float64[np.ndarray, "star 2401"], labels: StellarLabels) -> LineList:
    """The RVS line list with new strengths of all atoms but hydrogen and nitrogen."""
    lines = rvs_lines()
    atoms = [i for i, name in enumerate(lines.species) if name not in ("CN", "H I", "N I")]
    for _ in range(ROUNDS):
        flux = SpectralWindow(RVS_WAVELENGTH, lines, rvs_window().instrument_sigma, rvs_window().deepest).flux(labels)
        strength = lines.strength.copy()
        for i in atoms:
            centre = lines.wavelength[i]
            if lines.species[i] == "Ca II":
                ratio = equivalent_width(real, centre, TRIPLET_HALF_WIDTH) / equivalent_width(flux, centre, TRIPLET_HALF_WIDTH)
                step = np.clip(1.8 * np.mean(np.log10(ratio)), -0.5, 0.5)
            else:
                near = np.abs(RVS_WAVELENGTH - centre) < HALF_WIDTH
                depth = np.maximum(1 - np.nanmin(real[:, near], axis=1), FAINTEST_DEPTH)
                step = np.clip(1.2 * np.mean(np.log10(depth / (1 - flux[:, near].min(axis=1)))), -0.3, 0.3)
            strength[i] = np.clip(strength[i] + step, -2.5, 6.0)
        lines = replace(lines, strength=strength)
    return lines


def main(folder: Path) -> None:
    """Print species, vacuum wavelength, committed and fitted strength of each line."""
    real = np.stack([read_flux(folder / f"RVS_{name}.csv.gz") for name in STARS])
    lines = fitted(real, StellarLabels(*np.array(list(STARS.values())).T))
    for name, wavelength, before, after in zip(lines.species, lines.wavelength, rvs_lines().strength, lines.strength, strict=True):
        if name not in ("CN", "H I"):
            print(f"{name:6s} {wavelength:9.3f} {before:6.2f} {np.round(after * 20) / 20:6.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
