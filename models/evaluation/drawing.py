"""Figures drawn apart from matplotlib's global state (importing gaiaxpy turns TeX on for every plot), as PNG with title and caption."""

import functools
import io
from collections.abc import Callable
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from models.evaluation.statistics import running_percentiles

BLUE, RED, GREEN, ORANGE, VIOLET, GREY = "#2e6f9e", "#c8423f", "#2a9d6f", "#e08e2b", "#7d4f9e", "#6b7280"
LINES = "#d9930d"
"""Of percentiles."""
DENSITY = "Blues"
STYLE = {
    "text.usetex": False, "font.size": 10.0, "axes.grid": True, "grid.alpha": 0.25, "grid.linewidth": 0.6, "axes.axisbelow": True,
    "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "figure.dpi": 100.0, "axes.titlesize": 10.5,
}  # fmt: skip
POINTS_UP_TO = 3000
"""Fewer stars are drawn one by one; of more, the density."""


@dataclass(frozen=True, eq=False)
class Drawing:
    """A figure, painted when its picture is first asked for. ``name`` is its file's stem; ``caption`` says what is seen, also as alternative text."""

    name: str
    title: str
    caption: str
    paint: Callable[[Figure], None]
    size: tuple[float, float] = (10.0, 5.0)
    """Inches, at 100 dots an inch."""

    @functools.cached_property
    def png(self) -> bytes:
        """The picture; the same numbers give the same bytes."""
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(STYLE)  # type: ignore[arg-type]  # the stub names every setting
            figure = Figure(figsize=self.size, layout="constrained")
            FigureCanvasAgg(figure)
            self.paint(figure)
            figure.suptitle(self.title, fontsize=11.5)
            content = io.BytesIO()
            figure.savefig(content, format="png", dpi=100, metadata={"Software": None})
        return content.getvalue()


def nothing(figure: Figure) -> None:
    """Say that there is no star to draw."""
    axis = figure.subplots()
    axis.set_axis_off()
    axis.text(0.5, 0.5, "no star to draw", ha="center", va="center", transform=axis.transAxes)


def column_density(
    axis: Axes, x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], x_range: tuple[float, float], y_range: tuple[float, float]
) -> None:
    """Stars in a plane with the 15th, 50th and 84th percentile of y along x. Of many, each pixel column is normalised by its largest value."""
    seen = np.isfinite(x) & np.isfinite(y)
    x, y = x[seen], y[seen]
    if len(x) > POINTS_UP_TO:
        counts, x_edges, y_edges = np.histogram2d(x, y, bins=(60, 60), range=(x_range, y_range))
        tallest = counts.max(axis=1, keepdims=True)
        shown = np.where(tallest > 0, counts / np.maximum(tallest, 1), np.nan)
        axis.pcolormesh(x_edges, y_edges, shown.T, cmap=DENSITY, vmin=0, vmax=1, rasterized=True)
    else:
        few = len(x) < POINTS_UP_TO / 10
        axis.plot(x, y, ".", ms=6 if few else 3, color=BLUE, alpha=0.6 if few else 0.35, mew=0)
    centres, lines = running_percentiles(x, y, np.linspace(*x_range, 16))
    for column, style in enumerate(("--", "-", "--")):
        axis.plot(centres, lines[:, column], style, color=LINES, lw=1.6)
    axis.axhline(0, color="black", lw=0.7)
    axis.set_xlim(*x_range)
    axis.set_ylim(*y_range)


def central_range(
    values: Float[np.ndarray, " n"], share: float = 0.99, least: float = 1e-6, *, symmetric: bool = False
) -> tuple[float, float]:
    """The interval that holds this share of the finite values, a little widened; about zero if ``symmetric``."""
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        return (-1.0, 1.0) if symmetric else (0.0, 1.0)
    if symmetric:
        reach = max(float(np.quantile(np.abs(finite), share)) * 1.1, least)
        return -reach, reach
    low, high = np.quantile(finite, [(1 - share) / 2, (1 + share) / 2])
    margin = max(0.05 * (high - low), least)
    return float(low - margin), float(high + margin)
