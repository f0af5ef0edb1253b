"""Estimates beside a reference, drawn: the paper's figures 7 and 8 (all parameters at once), 10, 11, 16 and 17 (types one by one), and pulls."""

import itertools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from models.evaluation.drawing import BLUE, GREY, LINES, RED, Drawing, central_range, column_density, nothing
from models.evaluation.statistics import scatter
from models.forward.evaluation.comparison import differences
from models.forward.evaluation.estimates import EstimatedStars
from models.forward.evaluation.references import Reference
from models.forward.parameters import PARAMETERS, TYPE

SYMBOLS = {"teff": "teff [K]", "feh": "[Fe/H]", "logg": "log g", "ext": "E [mag]", "parallax": "parallax [mas]"}
FULL = {"teff": (3500.0, 10000.0), "feh": (-2.5, 0.6), "logg": (0.5, 5.0)}
"""Ranges of the reference's values that are drawn."""
REACH = {"teff": 400.0, "feh": 0.6, "logg": 0.8}
"""Ranges of differences."""


def corner_figure(
    name: str,
    title: str,
    stars: EstimatedStars,
    references: Sequence[Reference],
    among: Bool[np.ndarray, " n"],
    *,
    normalised: bool = False,
) -> Drawing:
    """Figures 7 and 8: histograms of the differences, and the plane of every pair of them; ``normalised`` by the reference's errors.

    Each parameter's difference is from the first of the references that speaks of it.
    """
    found: dict[str, Float[np.ndarray, " n"]] = {}
    for reference in references:
        for parameter in reference.parameters():
            if parameter not in found:
                here = differences(stars, reference, parameter)
                with np.errstate(divide="ignore", invalid="ignore"):
                    found[parameter] = np.where(among, here.difference / here.reference_error if normalised else here.difference, np.nan)
    shown = {each: found[each] for each in PARAMETERS if each in found and np.isfinite(found[each]).sum() > 1}

    def paint(figure: Figure) -> None:
        if not shown:
            nothing(figure)
            return
        axes = figure.subplots(len(shown), len(shown), squeeze=False, sharex="col")
        ranges = {each: central_range(values, 0.97, symmetric=True) for each, values in shown.items()}
        for row, (below, y) in enumerate(shown.items()):
            for column, (left, x) in enumerate(shown.items()):
                axis: Axes = axes[row, column]
                if column > row:
                    axis.set_axis_off()
                    continue
                if column == row:
                    axis.hist(x[np.isfinite(x)], bins=40, range=ranges[left], color=BLUE, histtype="stepfilled", alpha=0.6)
                    axis.axvline(0, color="black", lw=0.7)
                    axis.set_yticks([])
                    axis.set_title(f"{np.nanmedian(x):+.2g}, scatter {scatter(x):.2g}", fontsize=9)
                else:
                    both = np.isfinite(x) & np.isfinite(y)
                    _plane(axis, x[both], y[both], ranges[left], ranges[below])
                    axis.set_ylim(*ranges[below])
                axis.set_xlim(*ranges[left])
                axis.xaxis.set_major_locator(MaxNLocator(4))
                if row == len(shown) - 1:
                    axis.set_xlabel(_difference_words(left, normalised))
                if column == 0 and row > 0:
                    axis.set_ylabel(_difference_words(below, normalised))

    unit = "in units of the reference's errors" if normalised else "in their own units"
    words = "; ".join(dict.fromkeys(reference.words for reference in references))
    caption = (
        f"Differences, estimate minus reference ({words}), {unit}, of {int(among.sum())} stars; above each histogram its median and scatter "
        "(1.4826 MAD); the lines in the planes enclose 68 % of the stars."
    )
    return Drawing(name, title, caption, paint, (11.0, 10.0))


def _difference_words(parameter: str, normalised: bool) -> str:
    return f"\u0394 {SYMBOLS[parameter].partition(' [')[0] if normalised else SYMBOLS[parameter]}" + (" / error" if normalised else "")


def _plane(
    axis: Axes, x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], x_range: tuple[float, float], y_range: tuple[float, float]
) -> None:
    """Density of the stars, with the line round the densest cells that hold 68 % of them."""
    cells = 40 if len(x) > 3000 else 16
    counts, x_edges, y_edges = np.histogram2d(x, y, bins=cells, range=(x_range, y_range))
    axis.pcolormesh(x_edges, y_edges, np.where(counts > 0, counts, np.nan).T, cmap="Blues", rasterized=True)
    sorted_ = np.sort(counts.ravel())[::-1]
    if sorted_.sum() > 0:
        level = sorted_[np.searchsorted(np.cumsum(sorted_), 0.68 * sorted_.sum())]
        if counts.min() < level < counts.max():
            axis.contour((x_edges[:-1] + x_edges[1:]) / 2, (y_edges[:-1] + y_edges[1:]) / 2, counts.T, levels=[level], colors=LINES)
    axis.axhline(0, color="black", lw=0.5)
    axis.axvline(0, color="black", lw=0.5)


def confidence_figure(name: str, title: str, stars: EstimatedStars, reference: Reference, among: Bool[np.ndarray, " n"]) -> Drawing:
    """Figure 10: differences of the types that have a classifier against the reference's value, for stars with a confidence above 0.5 and the others."""
    sure = {label: stars.confident(label) for label in stars.judged}

    def paint(figure: Figure) -> None:
        axes = figure.subplots(len(sure), 2, sharex="row", sharey="row", squeeze=False)
        for row, label in enumerate(sure):
            difference = differences(stars, reference, label).difference
            reach = (-2 * REACH[label], 2 * REACH[label])
            for column, (words, mask) in enumerate((("confidence above 0.5", sure[label]), ("confidence 0.5 or less", ~sure[label]))):
                axis: Axes = axes[row, column]
                chosen = among & mask & np.isfinite(difference)
                column_density(axis, reference.values[chosen, PARAMETERS.index(label)], difference[chosen], FULL[label], reach)
                axis.set_title(f"{words}: {int(chosen.sum())} stars")
                axis.set_xlabel(f"{SYMBOLS[label]}, {reference.words}")
            axes[row, 0].set_ylabel(f"\u0394 {SYMBOLS[label]}")

    caption = (
        f"Differences, estimate minus {reference.words}, of stars that pass the basic cut, by confidence in the parameter; lines: 15th, 50th and "
        "84th percentile."
    )
    return Drawing(name, title, caption, paint, (11.0, 3.4 * len(sure)))


def normalised_figure(name: str, title: str, stars: EstimatedStars, reference: Reference, among: Bool[np.ndarray, " n"]) -> Drawing:
    """Figure 11: the difference in teff over both errors, against the reference's teff."""
    pull = differences(stars, reference, "teff").pull
    chosen = among & np.isfinite(pull)

    def paint(figure: Figure) -> None:
        axis = figure.subplots()
        column_density(axis, reference.values[chosen, 0], pull[chosen], FULL["teff"], (-6.0, 6.0))
        for level in (-1, 1):
            axis.axhline(level, color=GREY, lw=0.7, ls=":")
        axis.set(xlabel=f"teff [K], {reference.words}", ylabel="\u0394 teff over both errors in quadrature")

    caption = (
        f"Difference in teff, estimate minus {reference.words}, over the quadrature of both errors, of {int(chosen.sum())} held-out "
        "stars; lines: 15th, 50th and 84th percentile."
    )
    return Drawing(name, title, caption, paint, (9.0, 4.5))


def types_figure(name: str, title: str, stars: EstimatedStars, reference: Reference, among: Bool[np.ndarray, " n"]) -> Drawing:
    """Figures 16 and 17: differences of the types against the reference's value, of reliable stars with a confidence above 0.5 in the parameter.

    Of a version without classifiers, all reliable stars.
    """
    said = [label for label in TYPE if label in reference.parameters()]

    def paint(figure: Figure) -> None:
        if not said:
            nothing(figure)
            return
        axes = figure.subplots(1, len(said), squeeze=False)[0]
        for axis, label in zip(axes, said, strict=True):
            difference = differences(stars, reference, label).difference
            chosen = among & np.isfinite(difference)
            if label in stars.judged:
                chosen &= stars.confident(label)
            column_density(
                axis, reference.values[chosen, PARAMETERS.index(label)], difference[chosen], FULL[label], (-REACH[label], REACH[label])
            )
            axis.set_title(f"{int(chosen.sum())} stars, scatter {scatter(difference[chosen]):.3g}")
            axis.set(xlabel=f"{SYMBOLS[label]}, {reference.words}", ylabel=f"\u0394 {SYMBOLS[label]}")

    judged = [label for label in said if label in stars.judged]
    sure = f", of those with a confidence above 0.5 in {', '.join(judged)}" if judged else ""
    caption = f"Differences, estimate minus {reference.words}, against the reference's value, of reliable stars{sure}; lines: 15th, 50th and 84th percentile."
    return Drawing(name, title, caption, paint, (12.0, 4.0))


def pull_figure(name: str, title: str, stars: EstimatedStars, reference: Reference, among: Bool[np.ndarray, " n"]) -> Drawing:
    """Histograms of the differences over both errors, with the Gaussian that they would follow if errors were right."""
    said = reference.parameters()

    def paint(figure: Figure) -> None:
        if not said:
            nothing(figure)
            return
        axes = figure.subplots(1, len(said), squeeze=False)[0]
        x = np.linspace(-5, 5, 201)
        for axis, parameter in zip(axes, said, strict=True):
            pull = differences(stars, reference, parameter).pull[among]
            pull = pull[np.isfinite(pull)]
            axis.hist(np.clip(pull, -5, 5), bins=50, range=(-5, 5), density=True, color=BLUE, alpha=0.6)
            axis.plot(x, np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), color=RED, lw=1.2)
            middle = float(np.median(pull)) if len(pull) else float("nan")
            axis.set_title(f"{SYMBOLS[parameter].partition(' [')[0]}: {middle:+.2f}, width {scatter(pull):.2f}")
            axis.set(xlabel="difference over errors", yticks=[])

    caption = (
        f"Differences, estimate minus {reference.words}, over the quadrature of all errors given, of {int(among.sum())} stars, with the normal "
        "distribution; numbers are median and width (1.4826 MAD); values beyond 5 stand at 5."
    )
    return Drawing(name, title, caption, paint, (13.0, 3.2))


def by_magnitude_figure(
    name: str,
    title: str,
    stars: EstimatedStars,
    reference: Reference,
    among: Bool[np.ndarray, " n"],
    bounds: Float[np.ndarray, "n 5"] | None,
) -> Drawing:
    """Scatter, reported error and, where it is given, the bound, against G."""
    said = reference.parameters()
    edges = np.arange(8.0, 18.1, 1.0)

    def paint(figure: Figure) -> None:
        if not said:
            nothing(figure)
            return
        axes = figure.subplots(1, len(said), squeeze=False)[0]
        for axis, parameter in zip(axes, said, strict=True):
            column = PARAMETERS.index(parameter)
            difference = differences(stars, reference, parameter).difference
            lines: dict[str, list[tuple[float, float]]] = {"scatter": [], "reported error": [], "bound": []}
            for low, high in itertools.pairwise(edges):
                inside = among & (stars.g >= low) & (stars.g < high) & np.isfinite(difference)
                if inside.sum() < 10:
                    continue
                middle = (low + high) / 2
                lines["scatter"].append((middle, scatter(difference[inside])))
                lines["reported error"].append((middle, float(np.median(stars.errors[inside, column]))))
                if bounds is not None and np.isfinite(bounds[inside, column]).any():
                    lines["bound"].append((middle, float(np.nanmedian(bounds[inside, column]))))
            for (words, points), colour, style in zip(lines.items(), (BLUE, GREY, RED), ("o-", "s--", "^:"), strict=True):
                if points:
                    axis.plot(*np.array(points).T, style, color=colour, ms=4, label=words)
            axis.set(xlabel="G [mag]", title=SYMBOLS[parameter], yscale="log" if any(lines.values()) else "linear")
            axis.yaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "235" else ""))
        if axes[0].get_legend_handles_labels()[0]:
            axes[0].legend(fontsize=8)

    caption = f"By G magnitude: scatter (1.4826 MAD) of the estimate minus {reference.words}, median of the reported errors" + (
        " and of the bounds." if bounds is not None else "."
    )
    return Drawing(name, title, caption, paint, (13.0, 3.4))
