"""Stars on the sky, drawn: clusters (figure 19), extinction beside maps and catalogues (figures 20 and 21), slices of the dust (figures 22 and 23)."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from models.evaluation.drawing import BLUE, GREY, RED, Drawing, column_density
from models.evaluation.statistics import scatter
from models.forward.evaluation.clusters import FEWEST, Cluster
from models.forward.evaluation.dust import NSIDES, Slice
from models.forward.evaluation.estimates import EstimatedStars

MOST_CLUSTERS = 3


def clusters_figure(
    title: str, stars: EstimatedStars, clusters: Sequence[Cluster], positions: Mapping[str, Float[np.ndarray, " n"]], source: str
) -> Drawing:
    """Figure 19: where the members of the richest clusters stand, how they move, and their parallaxes, Gaia's and ours."""
    shown = list(clusters)[:MOST_CLUSTERS]

    def paint(figure: Figure) -> None:
        axes = figure.subplots(len(shown), 3, squeeze=False)
        for row, cluster in enumerate(shown):
            sky, motion, histogram = axes[row]
            chosen = cluster.poor if cluster.poor.sum() >= FEWEST else cluster.members
            for axis, x, y, unit in ((sky, "ra", "dec", "deg"), (motion, "pmra", "pmdec", "mas/yr")):
                axis.plot(positions[x][cluster.members], positions[y][cluster.members], ".", ms=4, color=GREY)
                axis.plot(positions[x][chosen], positions[y][chosen], ".", ms=4, color=BLUE)
                axis.set(xlabel=f"{x} [{unit}]", ylabel=f"{y} [{unit}]")
            sky.set_title(f"{cluster.name}: {int(cluster.members.sum())} members")
            reach = max(3 * scatter(stars.parallax[chosen] - cluster.parallax), 0.05)
            span = (cluster.parallax - reach, cluster.parallax + reach)
            for values, colour, words in (
                (stars.parallax[chosen], GREY, "Gaia"),
                (stars.parameter("parallax")[chosen], BLUE, "estimate"),
            ):
                histogram.hist(np.clip(values, *span), bins=24, range=span, histtype="step", lw=1.6, color=colour, label=words)
            histogram.axvline(cluster.parallax, color=RED, ls=":", lw=1.2)
            histogram.set(xlabel="parallax [mas]", title=f"{int(chosen.sum())} members")
            histogram.legend(fontsize=8)

    caption = (
        f"Clusters as {source} lists their members: positions, proper motions, and parallaxes as measured by Gaia and as estimated, of those members "
        "whose Gaia parallax has an error above a fifth of the cluster's (blue points; all members where these are few). Red: the cluster's parallax."
    )
    return Drawing("figure_19_clusters", title, caption, paint, (11.0, 3.2 * len(shown)))


def reddening_figure(
    name: str, title: str, reference: Float[np.ndarray, " n"], estimate: Float[np.ndarray, " n"], words: str, caption: str
) -> Drawing:
    """Figures 20 and 21: difference in extinction against a reference's extinction."""
    difference = estimate - reference
    chosen = np.isfinite(difference)
    top = float(np.quantile(reference[chosen], 0.99)) if chosen.any() else 1.0

    def paint(figure: Figure) -> None:
        axis = figure.subplots()
        reach = max(float(np.quantile(np.abs(difference[chosen]), 0.98)) if chosen.any() else 0.3, 0.05)
        column_density(axis, reference[chosen], difference[chosen], (0.0, max(top, 0.05)), (-reach, reach))
        middle = float(np.median(difference[chosen])) if chosen.any() else float("nan")
        axis.set_title(f"{int(chosen.sum())} stars, median {middle:+.3f}, scatter {scatter(difference):.3f}")
        axis.set(xlabel=words, ylabel="estimate minus reference [mag]")

    return Drawing(name, title, caption, paint, (9.0, 4.2))


def slices_figure(title: str, slices: Sequence[Slice]) -> Drawing:
    """Figures 22 and 23: mean extinction out to each range of distance, and its increase over the range before; ranges with any pixel."""
    import healpy

    slices = [each for each in slices if np.isfinite(each.mean).any()] or slices[-1:]
    longitudes = np.linspace(-180.0, 180.0, 361)
    latitudes = np.linspace(-90.0, 90.0, 181)
    grid_l, grid_b = np.meshgrid((longitudes[:-1] + longitudes[1:]) / 2, (latitudes[:-1] + latitudes[1:]) / 2)
    pixel = healpy.ang2pix(NSIDES[0], -grid_l, grid_b, nest=True, lonlat=True)  # longitude runs to the left

    def paint(figure: Figure) -> None:
        axes = figure.subplots(len(slices), 2, subplot_kw={"projection": "mollweide"}, squeeze=False)
        for row, each in enumerate(slices):
            for axis, values, words, colours in (
                (axes[row, 0], each.mean, "mean extinction", "inferno"),
                (axes[row, 1], each.increase, "increase", "RdBu_r"),
            ):
                shown = values[pixel]
                finite = values[np.isfinite(values)]
                top = float(np.quantile(np.abs(finite), 0.98)) if len(finite) else 0.1
                image = axis.pcolormesh(
                    np.radians(longitudes),
                    np.radians(latitudes),
                    shown,
                    cmap=colours,
                    vmin=0 if colours == "inferno" else -top,
                    vmax=top,
                    rasterized=True,
                )
                axis.set_xticklabels([])
                axis.set_yticklabels([])
                axis.set_title(f"{each.nearest:g} to {each.farthest:g} kpc: {words}, {each.stars} stars", fontsize=9)
                figure.colorbar(image, ax=axis, shrink=0.7)

    caption = (
        "Inverse-variance-weighted mean extinction of the stars in ranges of distance (left) and its increase over the range before (right), Galactic "
        "coordinates, centre of the Galaxy in the middle, longitude to the left. Pixels have ten stars or more and are as small as that allows."
    )
    return Drawing("figure_23_dust_slices", title, caption, paint, (11.0, 2.6 * len(slices)))
