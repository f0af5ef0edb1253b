"""Estimates beside a reference, in numbers: for several choices of stars, by magnitude and by temperature.

The numbers are made as JSON holds them, since they are stored with the version and the page's tables are drawn from the very same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from models.evaluation.statistics import G_BINS, TEFF_BINS, Agreement, Bins, Differences, binned, without_nan
from models.forward.evaluation.estimates import EstimatedStars, residuals_by_band
from models.forward.evaluation.references import Reference
from models.forward.evaluation.truth import Bounds, Truth
from models.forward.parameters import PARAMETERS

MEASURED = 5.0
"""ext and parallax of stars whose truth is above so many errors; below, the logarithms in Eq. 19 shift the estimate."""
FAINTEST = 17.0
"""G of the faintest stars of the group ordinary."""

GROUP_WORDS = {
    "all": "all stars that the reference has",
    "validated": "the paper's validation cuts: parallax over its error 5 or more, loss over the number of bands 5 or less",
    "reliable": "the basic cut, quality_flags below 8",
    "ordinary": f"held out of the sample, quality_flags below 8, G below {FAINTEST:g}, single stars that are no oddity",
    "ordinary_unseen": f"also those outside the sample: quality_flags below 8, G below {FAINTEST:g}, single stars that are no oddity",
    "measured": f"held out, ordinary, and of ext and parallax the truth above {MEASURED:g} errors",
}


def differences(stars: EstimatedStars, reference: Reference, name: str, bounds: Bounds | None = None) -> Differences:
    """Estimate minus reference of one parameter."""
    column = PARAMETERS.index(name)
    nothing = np.full(len(stars), np.nan)
    bound = bounds.values[:, column] if bounds is not None else nothing
    return Differences(stars.values[:, column] - reference.values[:, column], stars.errors[:, column], reference.errors[:, column], bound)


def groups(
    stars: EstimatedStars, truth: Truth | None = None, is_held_out: Bool[np.ndarray, " n"] | None = None
) -> dict[str, Bool[np.ndarray, " n"]]:
    """Which stars each choice holds; those that a truth lets choose beside the others if it is given."""
    found = {"all": np.ones(len(stars), bool), "validated": stars.validated, "reliable": stars.reliable}
    if truth is not None:
        ordinary = stars.reliable & (stars.g < FAINTEST) & truth.ordinary
        found["ordinary"] = ordinary if is_held_out is None else ordinary & is_held_out
        found["ordinary_unseen"] = ordinary
    return found


def compared(
    stars: EstimatedStars,
    reference: Reference,
    chosen: Mapping[str, Bool[np.ndarray, " n"]],
    bounds: Bounds | None = None,
    *,
    only: Sequence[str] = PARAMETERS,
) -> dict[str, Any]:
    """The numbers of each choice of stars and each parameter: whole, by G, and by the reference's teff (the estimate's where it has none)."""
    teff = np.where(np.isfinite(reference.values[:, 0]), reference.values[:, 0], stars.values[:, 0])
    names = [name for name in reference.parameters() if name in only]
    numbers: dict[str, Any] = {"words": reference.words, "groups": {}}
    for group, mask in chosen.items():
        parameters = {}
        for name in names:
            whole = differences(stars, reference, name, bounds)
            if (n := int((mask & np.isfinite(whole.difference)).sum())) == 0:
                continue
            parameters[name] = {"stars": n, "whole": asdict(Agreement.of(whole, mask))}
            for key, bins, by in (("by_g", G_BINS, stars.g), ("by_teff", TEFF_BINS, teff)):
                parameters[name][key] = _binned(whole, np.where(mask, by, np.nan), bins)
        numbers["groups"][group] = {"words": GROUP_WORDS.get(group, group), "stars": int(mask.sum()), "parameters": parameters}
    if bounds is not None:
        numbers["bound"] = {"key": bounds.key, "words": bounds.words}
    found: dict[str, Any] = without_nan(numbers)
    return found


def measured(stars: EstimatedStars, truth: Truth, base: Bool[np.ndarray, " n"], bounds: Bounds | None = None) -> dict[str, Any]:
    """ext and parallax of those stars of ``base`` whose truth is above MEASURED errors, as ``compared`` gives them."""
    numbers: dict[str, Any] = {"words": truth.reference.words, "groups": {}}
    parameters: dict[str, Any] = {}
    for name in ("ext", "parallax"):
        column = PARAMETERS.index(name)
        mask = base & (truth.reference.values[:, column] > MEASURED * stars.errors[:, column])
        found = compared(stars, truth.reference, {"measured": mask}, bounds, only=(name,))
        parameters |= found["groups"]["measured"]["parameters"]
    numbers["groups"]["measured"] = {"words": GROUP_WORDS["measured"], "stars": int(base.sum()), "parameters": parameters}
    return numbers


def _binned(whole: Differences, by: Float[np.ndarray, " n"], bins: Bins) -> list[dict[str, Any]]:
    return [{"from": low, "to": high, **asdict(agreement)} for (low, high), agreement in binned(whole, by, bins)]


def flux_residual_numbers(stars: EstimatedStars, among: Bool[np.ndarray, " n"]) -> list[dict[str, Any]]:
    """Of each band: stars that have it, median residual (predicted minus observed, in errors), half the width of the central 68 %, share beyond 3."""
    names = ("band", "stars", "median", "half_width", "beyond_3")
    found: list[dict[str, Any]] = without_nan([dict(zip(names, row, strict=True)) for row in residuals_by_band(stars, among)])
    return found
