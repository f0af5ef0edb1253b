"""Estimates beside a reference, in numbers: for several choices of stars, by magnitude and by temperature.

The numbers are made as JSON holds them, since they are stored with the version and the page's tables are drawn from the very same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from models.evaluation.statistics import G_BINS, TEFF_BINS, Agreement, Bins, Differences, binned, without_nan
from models.forward.evaluation.estimates import BASIC_CUT, LOSS_PER_DOF, PARALLAX_SNR, EstimatedStars, residuals_by_band
from models.forward.evaluation.references import Reference
from models.forward.evaluation.truth import Bounds, Truth
from models.forward.parameters import PARAMETERS

MEASURED = 5.0
"""ext and parallax of stars whose truth is above so many errors; below, the logarithms in Eq. 19 shift the estimate."""
FAINTEST = 17.0
"""G of the faintest stars of the group ordinary."""

Mask = Bool[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Choice:
    """Some of the stars, by a rule; of each parameter its own ones. A parameter that is not in ``masks`` is not looked at."""

    key: str
    title: str
    words: str
    masks: Mapping[str, Mask]


def choices(stars: EstimatedStars, base: Mask | None = None) -> list[Choice]:
    """All stars (of ``base``, if it is given), those of the paper's validation, those of the basic cut, and of the latter those with confidence.

    The last is left out where the version has no classifiers.
    """
    base = np.ones(len(stars), bool) if base is None else base
    sure = {name: stars.reliable & stars.confident(name) & base for name in stars.judged}
    found = [
        _same("all", "all", "all stars that the reference has", base),
        _same(
            "validated", "validation cuts",
            f"the paper's validation: parallax over its error {PARALLAX_SNR:g} or more, loss over the number of bands {LOSS_PER_DOF:g} or less",
            base & stars.validated,
        ),
        _same("reliable", "basic cut", f"quality_flags below {BASIC_CUT}", base & stars.reliable),
    ]  # fmt: skip
    if sure:
        found.append(Choice("confident", "confident", "basic cut, and a confidence in the parameter above 0.5", sure))
    return found


def truth_choices(stars: EstimatedStars, truth: Truth, is_held_out: Mask) -> list[Choice]:
    """Ordinary stars: those held out of the sample, with ext and parallax also where the truth is well above its error; and all that were not learnt."""
    ordinary = stars.reliable & (stars.g < FAINTEST) & truth.ordinary
    held = ordinary & is_held_out
    rule = f"quality_flags below {BASIC_CUT}, G below {FAINTEST:g}, single stars that are no oddity"
    well = {}
    for name in ("ext", "parallax"):
        column = PARAMETERS.index(name)
        well[name] = held & (truth.reference.values[:, column] > MEASURED * stars.errors[:, column])
    return [
        _same("ordinary", "ordinary, held out", f"held out of the sample, {rule}", held),
        Choice("measured", "ordinary, held out, measured", f"the same whose true ext or parallax is above {MEASURED:g} errors", well),
        _same("ordinary_unseen", "ordinary, not learnt", f"also those outside the sample: {rule}", ordinary),
        _same("every_unseen", "all, not learnt", "all stars that the version has not learnt from", np.ones(len(stars), bool)),
    ]


def _same(key: str, title: str, words: str, mask: Mask) -> Choice:
    return Choice(key, title, words, dict.fromkeys(PARAMETERS, mask))


def differences(stars: EstimatedStars, reference: Reference, name: str, bounds: Bounds | None = None) -> Differences:
    """Estimate minus reference of one parameter."""
    column = PARAMETERS.index(name)
    nothing = np.full(len(stars), np.nan)
    bound = bounds.values[:, column] if bounds is not None else nothing
    return Differences(stars.values[:, column] - reference.values[:, column], stars.errors[:, column], reference.errors[:, column], bound)


def compared(stars: EstimatedStars, reference: Reference, chosen: Sequence[Choice], bounds: Bounds | None = None) -> dict[str, Any]:
    """The numbers of each choice of stars and each parameter: whole, by G, and by the reference's teff (the estimate's where it has none)."""
    teff = np.where(np.isfinite(reference.values[:, 0]), reference.values[:, 0], stars.values[:, 0])
    numbers: dict[str, Any] = {"words": reference.words, "groups": {}}
    for choice in chosen:
        parameters: dict[str, Any] = {}
        for name in (each for each in reference.parameters() if each in choice.masks):
            whole, mask = differences(stars, reference, name, bounds), choice.masks[name]
            if not (mask & np.isfinite(whole.difference)).any():
                continue
            parameters[name] = {"whole": asdict(Agreement.of(whole, mask))}
            for key, bins, by in (("by_g", G_BINS, stars.g), ("by_teff", TEFF_BINS, teff)):
                parameters[name][key] = _binned(whole, np.where(mask, by, np.nan), bins)
        numbers["groups"][choice.key] = {"title": choice.title, "words": choice.words, "parameters": parameters}
    if bounds is not None:
        numbers["bound"] = {"key": bounds.key, "words": bounds.words}
    found: dict[str, Any] = without_nan(numbers)
    return found


def _binned(whole: Differences, by: Float[np.ndarray, " n"], bins: Bins) -> list[dict[str, Any]]:
    return [{"from": low, "to": high, **asdict(agreement)} for (low, high), agreement in binned(whole, by, bins)]


def flux_residual_numbers(stars: EstimatedStars, among: Bool[np.ndarray, " n"]) -> list[dict[str, Any]]:
    """Of each band: stars that have it, median residual (predicted minus observed, in errors), half the width of the central 68 %, share beyond 3."""
    names = ("band", "stars", "median", "half_width", "beyond_3")
    found: list[dict[str, Any]] = without_nan([dict(zip(names, row, strict=True)) for row in residuals_by_band(stars, among)])
    return found
