"""Stars of one cluster: do their parallaxes gather round the cluster's more closely than Gaia's do, and do they share one [Fe/H] (figure 19).

The members are those that a truth or a named set lists; the cluster's parallax is the median of the truth's, or follows from the set's distances.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from models.evaluation.statistics import scatter, without_nan
from models.forward.evaluation.estimates import EstimatedStars
from models.forward.parameters import PARAMETERS

FEWEST = 5
"""Members that a cluster must have."""
POOR_PARALLAX = 0.2
"""Stars whose Gaia parallax has an error above this share of the cluster's parallax show what the fluxes add (the paper's sigma > 0.2 parallax)."""


@dataclass(frozen=True, eq=False)
class Cluster:
    """A cluster: its parallax (mas), its [Fe/H] (NaN where unknown), which stars belong to it, and which of them have a poor parallax of Gaia's."""

    name: str
    parallax: float
    feh: float
    members: Bool[np.ndarray, " n"]
    poor: Bool[np.ndarray, " n"]


def clusters_of(
    stars: EstimatedStars,
    cluster: np.ndarray,
    parallax: Float[np.ndarray, " n"],
    feh: Float[np.ndarray, " n"],
    chosen: Bool[np.ndarray, " n"],
) -> list[Cluster]:
    """The clusters with FEWEST chosen members or more, the richest first; ``parallax`` and ``feh`` are each star's as the reference has them."""
    names = sorted({str(name) for name in cluster[chosen] if name is not None})
    found = []
    for name in names:
        members = chosen & (cluster == name)
        if members.sum() < FEWEST or not np.isfinite(parallax[members]).any():
            continue
        centre = float(np.nanmedian(parallax[members]))
        metallicity = float(np.nanmedian(feh[members])) if np.isfinite(feh[members]).any() else float("nan")
        poor = members & (stars.parallax_error > POOR_PARALLAX * centre) & np.isfinite(stars.parallax_error)
        found.append(Cluster(name, centre, metallicity, members, poor))
    return sorted(found, key=lambda each: -int(each.members.sum()))


def cluster_numbers(stars: EstimatedStars, found: list[Cluster]) -> list[dict[str, Any]]:
    """Of each cluster: members, those with a poor parallax, the scatter of both parallaxes about the cluster's, and the members' [Fe/H]."""
    rows = []
    for each in found:
        chosen = each.poor if each.poor.sum() >= FEWEST else each.members
        estimate = stars.values[chosen, PARAMETERS.index("parallax")]
        gaia = stars.parallax[chosen]
        feh = stars.values[each.members, PARAMETERS.index("feh")]
        rows.append({
            "cluster": each.name, "parallax": each.parallax, "members": int(each.members.sum()), "poor_parallax": int(each.poor.sum()),
            "gaia_rms": rms(gaia - each.parallax), "estimate_rms": rms(estimate - each.parallax),
            "gaia_scatter": scatter(gaia), "estimate_scatter": scatter(estimate),
            "feh": float(np.median(feh)), "feh_scatter": scatter(feh), "feh_difference": float(np.median(feh)) - each.feh,
        })  # fmt: skip
    numbers: list[dict[str, Any]] = without_nan(rows)
    return numbers


def rms(values: Float[np.ndarray, " n"]) -> float:
    """Root of the mean square of the finite values."""
    finite = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(finite**2))) if len(finite) else float("nan")
