"""Fluxes that a version predicts beside those observed: figure 9, the residuals of all bands, and figure 6, correlations of the errors."""

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.evaluation.drawing import BLUE, RED, Drawing, column_density, nothing
from models.evaluation.statistics import scatter
from models.forward.bands import BAND_NAMES, N_XP, WAVELENGTHS
from models.forward.evaluation.estimates import EstimatedStars
from models.forward.parameters import PARAMETERS

SHOWN = ("392 nm", "592 nm", "792 nm", "992 nm", "H", "W1")
"""Bands of the paper's figure 9."""
ALONG = {"teff": (3500.0, 10000.0), "feh": (-2.5, 0.6), "logg": (0.5, 5.0), "ext": (0.0, 1.0)}
WORDS = {"teff": "teff [K]", "feh": "[Fe/H]", "logg": "log g", "ext": "E [mag]"}


def residuals_figure(
    title: str, stars: EstimatedStars, among: Bool[np.ndarray, " n"], values: Float[np.ndarray, "n 5"], of_whom: str
) -> Drawing:
    """Figure 9: residuals in six bands against teff, [Fe/H], log g and E, as ``values`` give them (columns in the order of PARAMETERS)."""

    def paint(figure: Figure) -> None:
        axes = figure.subplots(len(SHOWN), len(ALONG), sharex="col", sharey=True)
        for row, band in enumerate(SHOWN):
            residual = stars.residuals[:, BAND_NAMES.index(band)].astype(np.float64)
            for column, (parameter, span) in enumerate(ALONG.items()):
                axis: Axes = axes[row, column]
                chosen = among & np.isfinite(residual)
                column_density(axis, values[chosen, PARAMETERS.index(parameter)], residual[chosen], span, (-5.0, 5.0))
                if row == len(SHOWN) - 1:
                    axis.set_xlabel(f"{WORDS[parameter]}, {of_whom}")
            axes[row, 0].set_ylabel(band)

    caption = (
        f"Flux residuals, predicted minus observed over the error of the observation, in six bands against the parameters that {of_whom} gives; "
        "lines: 15th, 50th and 84th percentile."
    )
    return Drawing("figure_9_flux_residuals", title, caption, paint, (12.0, 12.0))


def bands_figure(name: str, title: str, stars: EstimatedStars, among: Bool[np.ndarray, " n"]) -> Drawing:
    """Median and width of the residuals in every band."""

    def paint(figure: Figure) -> None:
        values = stars.residuals[among].astype(np.float64)
        if not np.isfinite(values).any():
            nothing(figure)
            return
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
        has = np.isfinite(values).any(axis=0)
        middle, low, high, width = (np.full(values.shape[1], np.nan) for _ in range(4))
        low[has], middle[has], high[has] = np.nanpercentile(values[:, has], (16, 50, 84), axis=0)
        width[has] = [scatter(values[:, band]) for band in np.flatnonzero(has)]
        for axis, part, x in ((left, slice(0, N_XP), WAVELENGTHS[:N_XP]), (right, slice(N_XP, None), np.arange(len(WAVELENGTHS) - N_XP))):
            axis.fill_between(x, low[part], high[part], color=BLUE, alpha=0.2, lw=0, label="16 to 84 %")
            axis.plot(x, middle[part], ".-", color=BLUE, label="median")
            axis.plot(x, width[part], "x", color=RED, ms=4, label="scatter (1.4826 MAD)")
            axis.axhline(0, color="black", lw=0.7)
            axis.axhline(1, color="black", lw=0.5, ls=":")
        left.set(xlabel="wavelength [nm]", ylabel="(predicted - observed flux) / error", ylim=(-2.5, 2.5))
        right.set_xticks(np.arange(len(WAVELENGTHS) - N_XP), BAND_NAMES[N_XP:])
        left.legend(fontsize=8, ncols=3)

    caption = (
        "Flux residuals of every band: median, central 68 % and scatter, predicted minus observed flux over the error of the observation (Eq. 2 "
        "included; errors of neighbouring samples are correlated)."
    )
    return Drawing(name, title, caption, paint, (12.0, 4.2))


def correlations_figure(title: str, before: Float[np.ndarray, "5 5"], after: Float[np.ndarray, "5 5"]) -> Drawing:
    """Figure 6: median correlations of the errors, of fluxes alone and with the parallax."""
    names = ("teff", "[Fe/H]", "log g", "E", "parallax")

    def paint(figure: Figure) -> None:
        axes = figure.subplots(1, 2)
        for axis, matrix, words in zip(axes, (before, after), ("fluxes alone", "fluxes and parallax"), strict=True):
            image = axis.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
            axis.set_xticks(range(5), names)
            axis.set_yticks(range(5), names)
            axis.set_title(words)
            axis.grid(visible=False)
            for row in range(5):
                for column in range(5):
                    value = matrix[row, column]
                    axis.text(
                        column, row, f"{value:.2f}", ha="center", va="center", color="white" if abs(value) > 0.6 else "black", fontsize=9
                    )
        figure.colorbar(image, ax=axes, shrink=0.8)

    numbers = ", ".join(
        f"{first} with {second} {before[i, j]:.2f} to {after[i, j]:.2f}"
        for first, second, i, j in (("parallax", "log g", 4, 2), ("teff", "E", 0, 3), ("teff", "[Fe/H]", 0, 1))
    )
    caption = (
        f"Median correlations between the errors of the parameters, before (left) and after (right) the parallax is taken in: {numbers}."
    )
    return Drawing("figure_6_correlations", title, caption, paint, (11.0, 4.8))
