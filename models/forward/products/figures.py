"""The paper's figures 12 to 15: what a version has learnt of stars and of dust (Zhang, Green & Rix 2023, section 5.1), and any spectra beside them."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.evaluation.drawing import Drawing
from models.forward.bands import FLUX_UNIT, N_XP, XP_WAVELENGTHS
from models.forward.parameters import N_TYPE, PARALLAX
from models.forward.products.extinction_law import ccm89
from models.forward.products.predicted_flux import PredictedFlux
from models.forward.products.tracks import giant_branch_teff, main_sequence_logg
from models.forward.version import ForwardVersion

CONTINUUM_ORDER = 5
"""Of the polynomial that stands for a spectrum's continuum (their figures 12 to 14)."""
LINES = {
    "H": (410.2, 434.0, 486.1, 656.3, 850.2, 866.5, 886.3, 901.5, 922.9, 954.6),
    "Ca": (423.0, 849.8, 854.2, 866.2),
    "Mg": (517.5,),
}
"""nm: Balmer and Paschen lines, Ca I and the Ca II triplet, Mg b."""
LINE_STYLE = {"H": ":", "Ca": "--", "Mg": "-."}
RV = (2.4, 2.8, 3.1, 3.4, 4.0)


def absolute_flux(version: ForwardVersion, types: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n bands"]:
    """Unreddened flux at 1 kpc, W m-2 nm-1, of stars with these teff (K), feh and logg."""
    inner = torch.from_numpy(types / np.array([1000.0, 1.0, 1.0]))
    with torch.no_grad():
        return np.asarray(np.exp(version.flux_model.ln_flux(inner).numpy()) * FLUX_UNIT)


def without_continuum(flux: Float[np.ndarray, "n samples"]) -> Float[np.ndarray, "n samples"]:
    """XP spectra over the polynomial that fits them best."""
    x = np.linspace(-1, 1, flux.shape[1])
    powers = np.polynomial.legendre.legvander(x, CONTINUUM_ORDER)
    level = flux.mean(axis=1, keepdims=True)
    continuum = (powers @ np.linalg.lstsq(powers, (flux / level).T, rcond=None)[0]).T * level
    return np.asarray(flux / continuum)


def _logarithmic_axes(axis: Axes, flux: str) -> None:
    from matplotlib.ticker import NullFormatter

    axis.set(xscale="log", yscale="log", xlabel="wavelength [nm]", ylabel=flux)
    axis.set_xticks([400, 600, 1000, 2000, 4000], ["400", "600", "1000", "2000", "4000"])
    axis.xaxis.set_minor_formatter(NullFormatter())


def _spectra(
    version: ForwardVersion, name: str, title: str, caption: str, types: Float[np.ndarray, "n 3"], labels: Sequence[str], key: str
) -> Drawing:
    flux = absolute_flux(version, types)
    with torch.no_grad():
        inner = torch.from_numpy(types / np.array([1000.0, 1.0, 1.0]))
        outside = version.type_prior.ln_density(inner).numpy() < version.ln_prior_cut

    def paint(figure: Figure) -> None:
        import matplotlib as mpl

        left, right = figure.subplots(1, 2)
        colours = mpl.colormaps["coolwarm_r" if key == "teff" else "viridis"](np.linspace(0.02, 0.98, len(types)))
        for row, colour in enumerate(colours):
            label = labels[row] + (" (outside)" if outside[row] else "")
            style = "--" if outside[row] else "-"
            left.plot(version.wavelengths[:N_XP], flux[row, :N_XP], style, color=colour, lw=1.3, label=label)
            left.plot(version.wavelengths[N_XP:], flux[row, N_XP:], "o", color=colour, ms=4)
        lines = without_continuum(flux[:, :N_XP])
        step = 0.12
        for row, colour in enumerate(colours):
            right.plot(XP_WAVELENGTHS, lines[row] + row * step, "--" if outside[row] else "-", color=colour, lw=1.3)
        for element, places in LINES.items():
            for number, place in enumerate(places):
                right.axvline(place, ls=LINE_STYLE[element], color="black", lw=0.6, alpha=0.5, label=element if number == 0 else None)
        _logarithmic_axes(left, "flux at 1 kpc without dust [W m$^{-2}$ nm$^{-1}$]")
        left.legend(fontsize=8)
        right.set(xlabel="wavelength [nm]", ylabel=f"flux over a polynomial of order {CONTINUUM_ORDER}, each {step} higher")
        right.legend(fontsize=8, loc="upper right")

    return Drawing(name, title, caption, paint, (12.0, 5.4))


def main_sequence_figure(version: ForwardVersion, words: str) -> Drawing:
    """Figure 12: solar metallicity along the main sequence."""
    teff = np.arange(4000.0, 11001.0, 1000.0)
    types = np.column_stack([teff, np.zeros_like(teff), main_sequence_logg(teff)])
    caption = "Predicted flux at 1 kpc without dust of dwarfs with [Fe/H] = 0, by temperature, log g after Eq. 28; right, XP samples without their continuum."
    title = f"Main sequence, [Fe/H] = 0 (figure 12). {words}"
    return _spectra(version, "figure_12_main_sequence", title, caption, types, [f"{each:.0f} K" for each in teff], "teff")


def metallicity_figure(version: ForwardVersion, words: str) -> Drawing:
    """Figure 13: dwarfs of 5500 K by metallicity."""
    feh = np.array([-2.0, -1.5, -1.0, -0.5, 0.0, 0.5])
    types = np.column_stack([np.full_like(feh, 5500.0), feh, np.full_like(feh, 4.6)])
    caption = "Predicted flux at 1 kpc without dust of stars with teff = 5500 K and log g = 4.6, by [Fe/H]; right, XP samples without their continuum."
    title = f"teff = 5500 K, log g = 4.6 (figure 13). {words}"
    return _spectra(version, "figure_13_metallicity", title, caption, types, [f"[Fe/H] {each:+.1f}" for each in feh], "feh")


def giant_branch_figure(version: ForwardVersion, words: str) -> Drawing:
    """Figure 14: solar metallicity along the giant branch."""
    logg = np.arange(1.0, 4.01, 0.5)
    types = np.column_stack([giant_branch_teff(logg), np.zeros_like(logg), logg])
    caption = "Predicted flux at 1 kpc without dust of giants with [Fe/H] = 0, by log g, temperature after Eq. 29; right, XP samples without their continuum."
    title = f"Giant branch, [Fe/H] = 0 (figure 14). {words}"
    return _spectra(version, "figure_14_giant_branch", title, caption, types, [f"log g {each:.1f}" for each in logg], "logg")


def extinction_figure(version: ForwardVersion, words: str) -> Drawing:
    """Figure 15: the extinction curve beside the law of Cardelli, Clayton & Mathis, all 1 at 392 nm."""
    model = version.flux_model

    def curve(xi: float) -> Float[np.ndarray, " bands"]:
        variables = torch.zeros(1, model.n_parameters, dtype=torch.float64)
        variables[:, PARALLAX + 1 :] = xi
        with torch.no_grad():
            found = model.extinction(variables)[0].numpy()
        return np.asarray(found / found[0])

    def paint(figure: Figure) -> None:
        import matplotlib as mpl

        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        x = 1000.0 / version.wavelengths
        learnt = curve(0.0)
        fine = np.geomspace(version.wavelengths.min(), version.wavelengths.max(), 300)
        for rv, colour in zip(RV, mpl.colormaps["plasma"](np.linspace(0.0, 0.85, len(RV))), strict=True):
            start = ccm89(version.wavelengths[:1], rv)
            upper.plot(1000.0 / fine, ccm89(fine, rv) / start, color=colour, lw=1.1, label=f"CCM, R(V) = {rv:g}")
            ratio = learnt / ccm89(version.wavelengths, rv)
            lower.plot(x, ratio / ratio[:N_XP].mean(), ".-", color=colour, lw=0.8, ms=3)
        upper.plot(x[:N_XP], learnt[:N_XP], color="black", lw=1.8, label="this version")
        upper.plot(x[N_XP:], learnt[N_XP:], "o", color="black", ms=4)
        if model.has_xi:
            for xi, style in ((-1.0, "--"), (1.0, ":")):
                upper.plot(x, curve(xi), style, color="black", lw=1.1, label=f"this version, xi = {xi:+g}")
        upper.set(ylabel="R, 1 at 392 nm", yscale="log")
        upper.legend(fontsize=8, loc="lower right")
        lower.axhline(1, color="black", lw=0.7)
        lower.set(xlabel="1 / wavelength [um$^{-1}$]", ylabel="this version over CCM,\n1 over the XP samples")

    caption = (
        "Extinction curve of the version beside the law of Cardelli, Clayton & Mathis (1989) for several R(V), normalised at 392 nm (above) and over the XP samples (the ratio below); W1 and W2 lie "
        "beyond the law's end, where its power law is continued."
    )
    return Drawing("figure_15_extinction_curve", f"Extinction curve (figure 15). {words}", caption, paint, (9.0, 7.0))


def version_figures(version: ForwardVersion, words: str) -> list[Drawing]:
    """Figures 12 to 15; ``words`` say in each title which version it is and of which stars."""
    return [make(version, words) for make in (main_sequence_figure, metallicity_figure, giant_branch_figure, extinction_figure)]


def predicted_figure(predicted: PredictedFlux, words: str) -> Drawing:
    """Spectra of some parameters, one line each; dashed outside the training range."""
    shown = min(len(predicted.flux), 12)

    def paint(figure: Figure) -> None:
        axis = figure.subplots()
        for row in range(shown):
            teff, feh, logg = predicted.parameters[row, :N_TYPE]
            rest = ", ".join(f"{value:g}" for value in predicted.parameters[row, N_TYPE:])
            label = f"{teff:g} K, {feh:g}, {logg:g}; {rest}" + ("" if predicted.inside[row] else " (outside)")
            style = "-" if predicted.inside[row] else "--"
            (line,) = axis.plot(predicted.wavelengths[:N_XP], predicted.flux[row, :N_XP], style, lw=1.4, label=label)
            axis.plot(predicted.wavelengths[N_XP:], predicted.flux[row, N_XP:], "o", ms=4, color=line.get_color())
        _logarithmic_axes(axis, "flux [W m$^{-2}$ nm$^{-1}$]")
        axis.legend(fontsize=8, title="teff, [Fe/H], log g; ext, parallax", title_fontsize=8)

    more = "" if shown == len(predicted.flux) else f" The first {shown} of {len(predicted.flux)}."
    return Drawing("predicted_flux", f"Predicted fluxes. {words}", f"Predicted fluxes in the bands by parameters.{more}", paint, (9.0, 5.5))
