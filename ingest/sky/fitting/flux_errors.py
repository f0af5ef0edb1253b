"""How well the fitted fluxes do: at the grid's nodes, at nodes left out of the fit, and between nodes."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from ingest.sky.fitted import StellarFluxFit
from ingest.sky.fitting.stellar_flux import FluxGrid, FluxPrediction, fit_grid, photon_mean, predict
from ingest.sky.wavelengths import NIR_BANDS, XP_GRID

LEFT_OUT = 5  # one node in so many is left out of each held-out fit
_BOX_BANDS = {"BP": (330.0, 680.0), "RP": (640.0, 1050.0)}  # like Gaia's, for the errors of colours; their real shapes do not matter here
COLOURS = (("G", "BP"), ("G", "RP"), ("BP", "RP"), ("J", "Ks"), ("G", "Ks"), ("Ks", "W1"), ("W1", "W2"))


@dataclass(frozen=True)
class FluxErrors:
    """Absolute errors of flux (relative, each wavelength) and of colours (mag), median, 99th percentile and greatest."""

    flux: tuple[float, float, float]
    bands: tuple[float, float, float]
    colours: dict[str, tuple[float, float, float]]

    def sentence(self) -> str:
        """The errors in words."""
        colours = ", ".join(f"{name} {1000 * a:.1f} / {1000 * b:.1f} / {1000 * c:.0f}" for name, (a, b, c) in self.colours.items())
        flux = " / ".join(f"{100 * value:.2f}" for value in self.flux)
        bands = " / ".join(f"{100 * value:.2f}" for value in self.bands)
        return f"median / 99 % / greatest: flux at each nm {flux} %, infrared bands {bands} %; colours in mmag: {colours}"


def _summary(error: Float[np.ndarray, "..."]) -> tuple[float, float, float]:
    size = np.abs(error).ravel()
    return float(np.median(size)), float(np.percentile(size, 99)), float(size.max())


def _ln_box_flux(ln_flux: Float[np.ndarray, "... 790"], name: str) -> Float[np.ndarray, "..."]:
    low, high = _BOX_BANDS[name]
    return np.asarray(np.log(photon_mean(XP_GRID, np.exp(ln_flux), (np.array([low, high]), np.ones(2)))))


def _errors(predicted: FluxPrediction, ln_flux: Float[np.ndarray, "2 n 790"], ln_band_flux: Float[np.ndarray, "2 n 5"]) -> FluxErrors:
    difference = {name: predicted.ln_band_flux[..., i] - ln_band_flux[..., i] for i, name in enumerate(NIR_BANDS)}
    for name in _BOX_BANDS:
        difference[name] = _ln_box_flux(predicted.ln_flux, name) - _ln_box_flux(ln_flux, name)
    # G covers the whole of XP_GRID and is close to its photon count times a smooth response that is the same on both sides.
    whole = (np.array([XP_GRID[0], 600.0, XP_GRID[-1]]), np.array([0.3, 1.0, 0.0]))
    difference["G"] = np.log(photon_mean(XP_GRID, np.exp(predicted.ln_flux), whole)) - np.log(photon_mean(XP_GRID, np.exp(ln_flux), whole))
    magnitude = 2.5 / np.log(10)
    return FluxErrors(
        flux=_summary(np.expm1(predicted.ln_flux - ln_flux)),
        bands=_summary(np.expm1(predicted.ln_band_flux - ln_band_flux)),
        colours={f"{a}-{b}": _summary(magnitude * (difference[a] - difference[b])) for a, b in COLOURS},
    )


def errors_at_nodes(fit: StellarFluxFit, grid: FluxGrid, chosen: Bool[np.ndarray, "t g"] | None = None) -> FluxErrors:
    """Against the grid's own models, at all of them or at some."""
    chosen = grid.real if chosen is None else chosen & grid.real
    teff, logg = np.meshgrid(grid.teff, grid.logg, indexing="ij")
    return _errors(predict(fit, teff[chosen], logg[chosen]), grid.ln_flux[:, chosen], grid.ln_band_flux[:, chosen])


def errors_at_nodes_left_out(grid: FluxGrid) -> FluxErrors:
    """At inner nodes of a fit that never saw them, a fifth of them, spread like a knight's move."""
    row, column = np.indices(grid.real.shape)
    left_out = (row + 2 * column) % LEFT_OUT == 0
    left_out[[0, -1]] = left_out[:, [0, -1]] = False
    left_out[1:] &= grid.real[:-1]
    left_out[:, 1:] &= grid.real[:, :-1]  # a gravity below must have a model, or the node is an end
    return errors_at_nodes(fit_grid(grid, keep=~left_out), grid, left_out)


def errors_between_nodes(fit: StellarFluxFit, grid: FluxGrid) -> FluxErrors:
    """In the middle of each cell of four models, against their mean in ln flux, which is bilinear interpolation and has its own error."""
    cell = grid.real[:-1, :-1] & grid.real[1:, :-1] & grid.real[:-1, 1:] & grid.real[1:, 1:]
    teff, logg = np.meshgrid(np.sqrt(grid.teff[:-1] * grid.teff[1:]), (grid.logg[:-1] + grid.logg[1:]) / 2, indexing="ij")

    def middle(values: Float[np.ndarray, "2 t g w"]) -> Float[np.ndarray, "2 n w"]:
        return ((values[:, :-1, :-1] + values[:, 1:, :-1] + values[:, :-1, 1:] + values[:, 1:, 1:]) / 4)[:, cell]

    return _errors(predict(fit, teff[cell], logg[cell]), middle(grid.ln_flux), middle(grid.ln_band_flux))
