"""Draws the figures of docs/simulated_sky.md: the simulated sky beside real spectra, and its diagrams.

    python -m benchmarks.simulated_sky_figures --real DIR --out docs/figures

``DIR`` holds real data of Gaia DR3 in the archive's columns: xp_continuous/xp_calspec10_hiromon.csv.gz (18 Sco among others), a field sample in
xp_coefficients/XP_CONTINUOUS_COMBINED_field2000.fits with its synthetic G, BP and RP in xp_field2000_synthphot_derived.csv.gz, and
rvs/RVS_Kepler-93.csv.gz. Without --real only the diagrams of simulated stars are drawn.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from astropy.table import Table
from jaxtyping import Float64

from ingest.sky.emulator import surface_flux
from ingest.sky.galaxy import Population
from ingest.sky.labels import StellarLabels
from ingest.sky.light import dilution, g_magnitude
from ingest.sky.observed_light import flux_at_earth
from ingest.sky.options import StarOptions
from ingest.sky.rvs import RVS_WAVELENGTH, rvs_flux
from ingest.sky.stars import Stars, draw_stars
from ingest.sky.xp_forward import BANDS, band_operator, synthetic_g_bp_rp
from ingest.sky.xp_noise import draw_transits, observe

EIGHTEEN_SCO = 4345775217221821312
SHOWN = (13.5, 15.0, 16.5)
"""Real field stars are chosen by magnitude alone, among those of ordinary colour."""
REAL, SIMULATED = "#202020", "#d1495b"
STARS = 8_000
SIGNIFICANT = 3
COLOURS = {
    Population.THIN: "#2e86ab", Population.THICK: "#e07a1f", Population.HALO: "#5f6a72", Population.ACCRETED: "#8e3b8a",
    Population.OPEN_CLUSTER: "#1b998b", Population.GLOBULAR_CLUSTER: "#c81d25",
}  # fmt: skip


def simulated_stars(max_g: float) -> tuple[Stars, dict[str, Any], Float64[np.ndarray, "n 3"]]:
    """Ordinary simulated stars, their spectra as observed, and G, BP, RP without noise."""
    stars = draw_stars(STARS, np.random.default_rng(11), StarOptions(max_g=max_g, bright_share=0.4))
    rng = np.random.default_rng(12)
    flux = flux_at_earth(stars)
    true = {band: band_operator(band).coefficients(flux) for band in BANDS}
    transits = draw_transits(len(stars), rng)
    seen = {band: observe(band_operator(band), true[band], transits[band], rng) for band in BANDS}
    return stars, seen, synthetic_g_bp_rp(true["bp"], true["rp"])


def sampled(
    coefficients: dict[str, Float64[np.ndarray, "n 55"]],
) -> tuple[Float64[np.ndarray, "n wavelengths"], Float64[np.ndarray, " wavelengths"]]:
    """Spectra by GaiaXPy's calibration, W m-2 nm-1, and where, nm."""
    from gaiaxpy import calibrate

    n = len(coefficients["bp"])
    rows: dict[str, Any] = {"source_id": np.arange(1, n + 1), "solution_id": np.ones(n, int)}
    for band, basis in (("bp", 56), ("rp", 57)):
        rows |= {
            f"{band}_basis_function_id": basis, f"{band}_degrees_of_freedom": 1, f"{band}_n_parameters": 55, f"{band}_n_measurements": 1,
            f"{band}_n_rejected_measurements": 0, f"{band}_standard_deviation": 1.0, f"{band}_chi_squared": 1.0,
            f"{band}_coefficients": list(coefficients[band]), f"{band}_coefficient_errors": list(np.ones((n, 55))),
            f"{band}_coefficient_correlations": list(np.zeros((n, 1485))), f"{band}_n_relevant_bases": 55, f"{band}_relative_shrinking": 0.0,
        }  # fmt: skip
    spectra, where = calibrate(pd.DataFrame(rows), save_file=False)
    return np.vstack(spectra["flux"]), where


def internal(coefficients: dict[str, Float64[np.ndarray, "n 55"]]) -> Float64[np.ndarray, "n u"]:
    """Internal spectra of both bands side by side, over their mean."""
    spectrum = np.hstack([band_operator(band).internal_spectrum(coefficients[band])[:, ::10] for band in BANDS])
    return spectrum / spectrum.mean(axis=1, keepdims=True)


def field_sample(real: Path) -> tuple[Table, pd.DataFrame]:
    """2,000 real field stars: coefficients with errors, and synthetic photometry, row by row."""
    folder = real / "xp_coefficients"
    table = Table.read(folder / "XP_CONTINUOUS_COMBINED_field2000.fits")
    photometry = pd.read_csv(folder / "xp_field2000_synthphot_derived.csv.gz").set_index("source_id")
    return table, photometry.loc[np.array(table["source_id"])]


def draw_spectra(plot: Any, real: Path, out: Path) -> None:
    """18 Sco from its labels, and field stars beside the simulated star that is most like each."""
    bright = pd.read_csv(real / "xp_continuous" / "xp_calspec10_hiromon.csv.gz").set_index("source_id").loc[EIGHTEEN_SCO]
    sco = {band: np.array([[float(x) for x in bright[f"{band}_coefficients"].strip("()[]").split(",")]]) for band in BANDS}
    labels = StellarLabels(*(np.array([x]) for x in (5790.0, 4.43, 0.05, 0.0, 0.0, 0.0)))
    flux = surface_flux(labels) * dilution(np.array([1.01]), np.array([0.01413]))[:, None]
    model = {band: band_operator(band).coefficients(flux) for band in BANDS}
    pairs = [(f"18 Sco, G = 5.33: from its labels alone, predicted G = {g_magnitude(flux)[0]:.2f}", sco, model)]

    table, photometry = field_sample(real)
    g, colour = photometry["GaiaDr3Vega_mag_G"].to_numpy(), (photometry["GaiaDr3Vega_mag_BP"] - photometry["GaiaDr3Vega_mag_RP"]).to_numpy()
    stars, seen, magnitudes = simulated_stars(17.65)
    mine = {band: seen[band].coefficients for band in BANDS}
    shapes = internal(mine)
    for wanted in SHOWN:
        row = int(np.argmin(np.where((colour > 0.6) & (colour < 1.6), np.abs(g - wanted), np.inf)))
        theirs = {band: np.asarray(table[f"{band}_coefficients"][row], np.float64)[None] for band in BANDS}
        difference = ((shapes - internal(theirs)) ** 2).mean(axis=1)
        difference[np.abs(magnitudes[:, 0] - g[row]) > 0.5] = np.inf
        best = int(np.argmin(difference))
        scale = 10 ** (0.4 * (magnitudes[best, 0] - g[row]))
        of = stars.labels.take([best])
        name = f"field star, G = {g[row]:.2f}; simulated: {of.teff[0]:.0f} K, log g {of.logg[0]:.1f}, [Fe/H] {of.feh[0]:+.1f}"
        pairs.append((name, theirs, {band: mine[band][[best]] * scale for band in BANDS}))

    figure, axes = plot.subplots(2, 2, figsize=(11, 7.2), layout="constrained")
    for axis, (name, theirs, ours) in zip(axes.flat, pairs, strict=True):
        spectra, where = sampled({band: np.vstack([theirs[band], ours[band]]) for band in BANDS})
        shown = (where >= 380) & (where <= 1000)
        unit = 10.0 ** np.floor(np.log10(np.percentile(spectra[0][shown], 99)))
        axis.plot(where[shown], spectra[0][shown] / unit, color=REAL, lw=1.6, label="real (Gaia DR3)")
        axis.plot(where[shown], spectra[1][shown] / unit, color=SIMULATED, lw=1.2, label="simulated")
        off = np.median(np.abs(spectra[1] / spectra[0] - 1)[shown])
        axis.set_title(name, fontsize=9)
        axis.text(0.97, 0.06, f"median difference {off:.1%}", transform=axis.transAxes, ha="right", fontsize=10)
        axis.set_ylabel(f"flux [$10^{{{int(np.log10(unit))}}}$ W m$^{{-2}}$ nm$^{{-1}}$]")
        axis.set_ylim(bottom=0)
        print(f"{name}: median difference {off:.2%}")
    for axis in axes[1]:
        axis.set_xlabel("wavelength [nm]")
    axes[0, 0].legend(loc="upper right", frameon=False)
    figure.savefig(out / "simulated_sky_spectra.png", dpi=85)


def draw_noise(plot: Any, real: Path, out: Path) -> None:
    """S/N of the first coefficient and the number of significant ones against G, of simulated and real stars of the same colours."""
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    table, photometry = field_sample(real)
    g, colour = photometry["GaiaDr3Vega_mag_G"].to_numpy(), (photometry["GaiaDr3Vega_mag_BP"] - photometry["GaiaDr3Vega_mag_RP"]).to_numpy()
    _, seen, magnitudes = simulated_stars(17.65)
    ours = np.abs(magnitudes[:, 1] - magnitudes[:, 2] - 0.9) < 0.25
    theirs = np.abs(colour - 0.9) < 0.25
    figure, axes = plot.subplots(2, 2, figsize=(11, 7), layout="constrained", sharex=True)
    bins = np.arange(12.0, 17.1, 1.0)
    for column, band in enumerate(BANDS):
        samples = (
            (
                "real field stars (Gaia DR3)",
                REAL,
                g[theirs],
                np.asarray(table[f"{band}_coefficients"] / table[f"{band}_coefficient_errors"])[theirs],
            ),
            ("simulated stars", SIMULATED, magnitudes[ours, 0], (seen[band].coefficients / seen[band].coefficient_errors)[ours]),
        )
        medians = []
        for name, paint, where, signal in samples:
            for row, values in enumerate((np.abs(signal[:, 0]), (np.abs(signal) > SIGNIFICANT).sum(axis=1))):
                inside = [values[(where >= low) & (where < low + 1.0)] for low in bins]
                low, middle, high = np.array([np.percentile(each, (16, 50, 84)) for each in inside]).T
                axes[row, column].fill_between(bins + 0.5, low, high, color=paint, alpha=0.2, lw=0)
                axes[row, column].plot(bins + 0.5, middle, "o-", ms=4, color=paint, label=name)
                axes[row, column].grid(alpha=0.25, which="both")
                medians.append(middle)
        print(
            f"{band}, G {bins[0]:.0f} to {bins[-1] + 1:.0f} by magnitude: S/N of the first coefficient, simulated over real {np.round(medians[2] / medians[0], 2)}; "
        )
        print(f"    significant coefficients, simulated {medians[3]}, real {medians[1]}")
        axes[0, column].set_yscale("log")
        axes[0, column].set_yticks([100, 200, 500, 1000, 2000, 4000])
        axes[0, column].yaxis.set_major_formatter(ScalarFormatter())
        axes[0, column].yaxis.set_minor_formatter(NullFormatter())
        axes[0, column].set_title(band.upper())
        axes[1, column].set_ylim(0, 13)
        axes[1, column].set_xlabel("G [mag]")
    axes[0, 0].set_ylabel("S/N of the first coefficient")
    axes[1, 0].set_ylabel(f"coefficients with S/N > {SIGNIFICANT}")
    axes[0, 0].legend(frameon=False)
    figure.savefig(out / "simulated_sky_noise.png", dpi=80)


def draw_rvs(plot: Any, real: Path, out: Path) -> None:
    """The RVS spectrum of Kepler-93 (5669 K, 4.47, -0.18: Ballard et al. 2014, ApJ 790, 12) beside the simulated one of its labels."""
    table = pd.read_csv(real / "rvs" / "RVS_Kepler-93.csv.gz")
    ours = rvs_flux(StellarLabels(*(np.array([x]) for x in (5669.0, 4.47, -0.18, 0.0, 0.0, 0.0))))[0]
    figure, axis = plot.subplots(figsize=(11, 3.4), layout="constrained")
    axis.plot(table["wavelength"], table["flux"], color=REAL, lw=1.0, label="Kepler-93, real (Gaia DR3)")
    axis.plot(RVS_WAVELENGTH, ours, color=SIMULATED, lw=1.0, label="simulated from its labels, without noise")
    axis.set_xlim(846, 870)
    axis.set_xlabel("wavelength in vacuum [nm]")
    axis.set_ylabel("normalised flux")
    axis.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.6, 0.0))
    figure.savefig(out / "simulated_sky_rvs.png", dpi=90)


def draw_diagrams(plot: Any, out: Path) -> None:
    """The Kiel diagram and [alpha/M] against [M/H]."""
    stars = draw_stars(STARS, np.random.default_rng(11), StarOptions(bright_share=0.4))
    figure, (kiel, alpha) = plot.subplots(1, 2, figsize=(11, 4.8), layout="constrained")
    points = kiel.scatter(stars.labels.teff, stars.labels.logg, c=stars.labels.mh, s=3, cmap="viridis", vmin=-2, vmax=0.4, lw=0)
    kiel.invert_xaxis()
    kiel.invert_yaxis()
    kiel.set_xlabel("effective temperature [K]")
    kiel.set_ylabel("log g [log cm s$^{-2}$]")
    figure.colorbar(points, ax=kiel, label="[M/H] [dex]")
    for population, colour in COLOURS.items():
        rows = stars.population == population
        alpha.scatter(
            stars.labels.mh[rows],
            stars.labels.alpha_m[rows],
            s=4,
            lw=0,
            color=colour,
            alpha=0.7,
            label=population.name.lower().replace("_", " "),
        )
    alpha.set_xlabel("[M/H] [dex]")
    alpha.set_ylabel("[$\\alpha$/M] [dex]")
    alpha.legend(frameon=False, markerscale=4, loc="lower left")
    figure.savefig(out / "simulated_sky_diagrams.png", dpi=80)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--real", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/figures"))
    arguments = parser.parse_args()
    import gaiaxpy  # noqa: F401  (turns TeX on for every plot; turned off below)
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcdefaults()
    import matplotlib.pyplot as plot

    plot.rcParams.update({"text.usetex": False, "font.size": 11})
    arguments.out.mkdir(parents=True, exist_ok=True)
    draw_diagrams(plot, arguments.out)
    if arguments.real is not None:
        draw_spectra(plot, arguments.real, arguments.out)
        draw_noise(plot, arguments.real, arguments.out)
        draw_rvs(plot, arguments.real, arguments.out)


if __name__ == "__main__":
    main()
