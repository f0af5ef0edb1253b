"""How the confidence classifiers learn, and what a version's confidences and out-of-domain scores are worth on stars that nothing learnt from.

Estimates of training and held-out stars are made as at run time, without the survey labels. The classifiers learn from training stars that pass the
basic cut, but for a fifth of them, which stop the learning and calibrate its scores; the reliability curves are those of the held-out stars.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from models.forward.basic_cut import BasicCut
from models.forward.calibration import Calibration, reliability
from models.forward.classifier_fit import Recipe, learn
from models.forward.confidence import BAD, GOOD, PART, Confidence, agreement, standardisation
from models.forward.domain import OUT_OF_DOMAIN, Domain
from models.forward.domain import PART as DOMAIN_PART
from models.forward.features import Columns, Fit, features, taken
from models.forward.observations import KnownLabels, Observations
from models.forward.parameters import TYPE
from models.numerics.rarity import FEWEST
from models.spec import Report

FEWEST_EXAMPLES = 20
"""Of good and of bad estimates, to learn from; below, a network would learn single stars."""
WITHHELD = 0.2
"""Share of the training stars that a classifier does not learn from."""


@dataclass(frozen=True, eq=False)
class FittedStars:
    """Stars of a survey with what was inferred of them without its labels, row for row."""

    columns: Columns
    observed: Observations
    labels: KnownLabels
    fit: Fit

    def __len__(self) -> int:
        return len(self.observed)


def learn_from(
    train: FittedStars, held_out: FittedStars, ln_prior_cut: float, report: Report, settings: Mapping[str, Any], seed: int
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Classifiers and domain: what goes into ``ForwardVersion.extras``, and figures under ``confidence`` and ``domain``."""
    passed = BasicCut.of(train.observed, train.fit, ln_prior_cut).passed.cpu().numpy()
    tested = BasicCut.of(held_out.observed, held_out.fit, ln_prior_cut).passed.cpu().numpy()
    confidence, figures = train_classifiers(train, passed, report, Recipe.from_settings(settings), seed)
    for label, curves in held_out_reliability(confidence, held_out, tested).items():
        figures[label]["held_out"] = curves
    counts: dict[str, Any] = {
        "train": len(train),
        "train_passed": int(passed.sum()),
        "held_out": len(held_out),
        "held_out_passed": int(tested.sum()),
    }
    domain, domain_figures = measured_domain(train, passed, held_out, tested, seed)
    return {**confidence.tensors(), **domain}, {PART: {**figures, "stars": counts}, DOMAIN_PART: domain_figures}


def train_classifiers(
    train: FittedStars, passed: Bool[np.ndarray, " n"], report: Report, recipe: Recipe, seed: int
) -> tuple[Confidence, dict[str, Any]]:
    """A classifier of each label that has examples enough among the stars that passed the basic cut, and what is to be told of each label."""
    rows = np.flatnonzero(passed)
    x = features(train.columns, train.observed, train.fit)[rows]
    chi2 = agreement(train.fit, train.labels)[rows]
    centre, scale = standardisation(x)
    networks, calibrations = {}, {}
    figures: dict[str, dict[str, Any]] = {}
    for at, name in enumerate(TYPE):
        good, bad = chi2[:, at] < GOOD, chi2[:, at] > BAD
        known = np.isfinite(chi2[:, at])
        figures[name] = {"good": int(good.sum()), "bad": int(bad.sum()), "between": int((known & ~good & ~bad).sum())}
        withheld = stratified_draw(good, bad, WITHHELD, seed + at)
        if min((good & ~withheld).sum(), (bad & ~withheld).sum()) < FEWEST_EXAMPLES:
            figures[name]["state"] = f"not trained: fewer than {FEWEST_EXAMPLES} good or bad estimates to learn from"
            continue
        used = good | bad
        inputs = Confidence(centre, scale).standardised(x[torch.from_numpy(used)])
        label = train.labels.type[torch.from_numpy(rows[used]), at].cpu().numpy()
        networks[name], told = learn(inputs, good[used], label, withheld[used], recipe, seed + at, report)
        raw = Confidence(centre, scale, networks).probabilities(x)[:, at]
        calibrations[name] = Calibration.fitted(raw[withheld], good[withheld])
        figures[name] |= {"state": "trained", "withheld": int(withheld.sum()), **told}
    return Confidence(centre, scale, networks, calibrations), figures


def held_out_reliability(confidence: Confidence, stars: FittedStars, passed: Bool[np.ndarray, " n"]) -> dict[str, Any]:
    """Of each label with a classifier: reliability of raw and calibrated scores on stars that nothing learnt from, good and bad ones that pass the basic cut.

    ``auc`` is the chance that of a good and a bad estimate the good one has the higher score; null where one kind is missing.
    """
    from sklearn.metrics import roc_auc_score

    raw = confidence.probabilities(features(stars.columns, stars.observed, stars.fit))
    calibrated = confidence.calibrated(raw)
    chi2 = agreement(stars.fit, stars.labels)
    curves: dict[str, Any] = {}
    for name in confidence.networks:
        at = TYPE.index(name)
        good, bad = (passed & each for each in (chi2[:, at] < GOOD, chi2[:, at] > BAD))
        used = good | bad
        curves[name] = {"good": int(good.sum()), "bad": int(bad.sum())}
        if used.any():
            curves[name] |= {"raw": reliability(raw[used, at], good[used]), "calibrated": reliability(calibrated[used, at], good[used])}
            curves[name]["auc"] = float(roc_auc_score(good[used], raw[used, at])) if good.any() and bad.any() else None
    return curves


def measured_domain(
    train: FittedStars, passed: Bool[np.ndarray, " n"], held_out: FittedStars, tested: Bool[np.ndarray, " m"], seed: int
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The domain of the training stars that passed the basic cut, and how many held-out stars that pass it lie beyond each decade of the score."""
    if passed.sum() < FEWEST:
        return {}, {"state": f"not measured: only {passed.sum()} training stars pass the basic cut, {FEWEST} are needed"}
    rows = torch.from_numpy(np.flatnonzero(passed))
    domain = Domain.measured(train.observed.take(rows), taken(train.fit, rows), seed)
    score = domain.score(held_out.observed, held_out.fit)[tested]
    beyond = {f"{decade:g}": int((score > decade).sum()) for decade in (1.0, 2.0, OUT_OF_DOMAIN)}
    return domain.tensors(), {"state": "measured", "stars": len(rows), "held_out": len(score), "held_out_above": beyond}


def stratified_draw(good: Bool[np.ndarray, " n"], bad: Bool[np.ndarray, " n"], share: float, seed: int) -> Bool[np.ndarray, " n"]:
    """A share of the good and the same share of the bad, drawn by seed."""
    random = np.random.default_rng(seed)
    drawn = np.zeros(len(good), bool)
    for kind in (good, bad):
        stars = random.permutation(np.flatnonzero(kind))
        drawn[stars[: round(share * len(stars))]] = True
    return drawn
