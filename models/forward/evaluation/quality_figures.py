"""Which stars can be relied on: figure 18, the share that passes the basic cut over the colour-magnitude diagram, and confidences against outcomes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.figure import Figure

from models.evaluation.drawing import BLUE, GREEN, RED, Drawing
from models.forward.evaluation.estimates import EstimatedStars
from models.forward.parameters import TYPE

CELLS = (24, 24)
FEWEST_IN_CELL = 3


def reliable_share_figure(title: str, stars: EstimatedStars, absolute: Float[np.ndarray, " n"]) -> Drawing:
    """Figure 18; ``absolute`` is M_G by Gaia's own parallax, NaN where it is not positive."""
    known = np.isfinite(absolute) & np.isfinite(stars.bp_rp)

    def paint(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, sharex=True, sharey=True)
        x, y, good = stars.bp_rp[known], absolute[known], stars.reliable[known]
        area = ((-0.7, 4.0), (-4.0, 16.0))
        total, x_edges, y_edges = np.histogram2d(x, y, bins=CELLS, range=area)
        passed, _, _ = np.histogram2d(x[good], y[good], bins=CELLS, range=area)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(total >= FEWEST_IN_CELL, passed / total, np.nan)
        image = left.pcolormesh(x_edges, y_edges, share.T, cmap="RdYlGn", vmin=0, vmax=1, rasterized=True)
        figure.colorbar(image, ax=left, label="share that passes the basic cut")
        right.plot(x[good], y[good], ".", ms=2, color=GREEN, alpha=0.5, label=f"passes ({int(good.sum())})")
        right.plot(x[~good], y[~good], ".", ms=3, color=RED, alpha=0.7, label=f"does not ({int((~good).sum())})")
        right.legend(fontsize=8, markerscale=4)
        left.set(xlabel="BP - RP [mag]", ylabel="M_G [mag], Gaia's parallax", ylim=(16, -4))
        right.set(xlabel="BP - RP [mag]")

    caption = (
        f"Share of stars that pass the basic cut (quality_flags below 8) over the colour-magnitude diagram, in cells with {FEWEST_IN_CELL} stars or "
        "more, and the stars themselves; no extinction is taken off."
    )
    return Drawing("figure_18_reliable_share", title, caption, paint, (12.0, 5.0))


def reliability_figure(title: str, curves: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Drawing:
    """Reliability curves of each parameter of TYPE, of the raw and the calibrated confidence: ``curves[parameter][kind]`` of ``calibration.reliability``."""
    shown = [label for label in TYPE if curves.get(label)]

    def paint(figure: Figure) -> None:
        axes = figure.subplots(1, len(shown), sharex=True, sharey=True, squeeze=False)[0]
        for axis, label in zip(axes, shown, strict=True):
            axis.plot([0, 1], [0, 1], color="black", lw=0.7)
            for (kind, curve), colour, style in zip(curves.get(label, {}).items(), (BLUE, GREEN), ("o-", "s--"), strict=False):
                axis.plot(curve["mean_score"], curve["good_share"], style, color=colour, ms=4, label=kind)
            axis.set(title=label, xlabel="confidence", xlim=(0, 1), ylim=(0, 1))
            if axis.get_legend_handles_labels()[0]:
                axis.legend(fontsize=8)
        axes[0].set_ylabel("share that agrees with the reference")

    caption = (
        "Reliability of the confidences: share of the stars whose estimate agrees with the reference (Eq. 27 below 4; stars between 4 and 9 left out), "
        "against the mean confidence, in tenths; on the diagonal a confidence is a probability."
    )
    return Drawing("confidence_reliability", title, caption, paint, (1.0 + 3.4 * len(shown), 4.0))


def absolute_magnitude(stars: EstimatedStars, among: Bool[np.ndarray, " n"] | None = None) -> Float[np.ndarray, " n"]:
    """M_G by Gaia's parallax, without extinction; NaN where the parallax is not above zero."""
    usable = (stars.parallax > 0) & np.isfinite(stars.parallax_error)
    if among is not None:
        usable &= among
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(usable, stars.g + 5 * np.log10(stars.parallax) - 10, np.nan)
