"""How the confidence classifiers learn, and what a version's confidences and out-of-domain scores are worth on stars that nothing learnt from.

Estimates of training and held-out stars are made as at run time, without the survey labels. The classifiers learn from training stars that pass the
basic cut, but for a fifth of them, which stop the learning and calibrate its scores; the reliability curves are those of the held-out stars.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from catalog.quality import OUT_OF_DOMAIN
from models.forward.confidence.basic_cut import BasicCut
from models.forward.confidence.calibration import Calibration, area_under_curve, reliability
from models.forward.confidence.classifier_fit import Recipe, learn
from models.forward.confidence.confidence import BAD, GOOD, PART, Confidence, agreement, standardisation
from models.forward.confidence.domain import PART as DOMAIN_PART
from models.forward.confidence.domain import Domain
from models.forward.confidence.features import Columns, features
from models.forward.inference.inference import Estimates, infer
from models.forward.observed.observations import KnownLabels, Observations
from models.forward.parameters import TYPE
from models.forward.training.sample import ForwardSample, SampleStars
from models.forward.version import ForwardVersion
from models.learning.training import REPORT_SECONDS
from models.numerics.rarity import FEWEST
from models.numerics.threads import one_thread
from models.spec import Progress, Report

FEWEST_EXAMPLES = 20
"""Of good and of bad estimates, to learn from; below, a network would learn single stars."""
ABOVE_CHANCE = 3.0
"""Standard errors by which the area under the curve of the withheld stars must exceed a half: a network without skill would flag good estimates."""
WITHHELD = 0.2
"""Share of the training stars that a classifier does not learn from."""
LEARNT_FROM = ("train", "beyond")
"""Parts of a sample that the classifiers learn from."""
BLOCK = 1024
"""Stars whose whitening matrices are in memory at a time: 36 MB."""


@dataclass(frozen=True, eq=False)
class SurveyStars:
    """Stars of a survey with what was inferred of them without its labels, row for row."""

    columns: Columns
    observed: Observations
    labels: KnownLabels
    estimates: Estimates

    def __len__(self) -> int:
        return len(self.observed)


def train_confidence(
    version: ForwardVersion,
    sample: ForwardSample,
    report: Report,
    settings: Mapping[str, Any],
    seed: int,
    device: str | torch.device = "cpu",
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Classifiers and domain of a trained flux model: what goes into ``ForwardVersion.extras``, and figures under ``confidence`` and ``domain``.

    Every star of the sample is inferred as at run time, also those that self-cleaning left out and those that the flux model did not learn from for
    Gaia's sake: they are the bad examples. The domain is that of the flux model's own stars.
    """
    parts = {"train": sample.train, "beyond": sample.beyond} | {f"held_out_{name}": stars for name, stars in sample.held_out.items()}
    with one_thread():
        stars = {name: fitted(version, each, report, device) for name, each in parts.items()}
        return learn_from(stars, version.ln_prior_cut, report, settings, seed)


def fitted(version: ForwardVersion, stars: SampleStars, report: Report, device: str | torch.device = "cpu") -> SurveyStars:
    """Stars with their estimates; the whitening matrices, which may lie in a file, are read a block at a time."""
    n, began, reported = len(stars), time.monotonic(), time.monotonic()
    blocks = []
    for begin in range(0, max(n, 1), BLOCK):
        blocks.append(infer(version, stars.observations.take(slice(begin, begin + BLOCK)), device))
        now, done = time.monotonic(), min(begin + BLOCK, n)
        if now - reported >= REPORT_SECONDS:
            reported = now
            report(Progress(done, n, float(blocks[-1].loss.median()), done / (now - began), (n - done) * (now - began) / done))
    estimates = Estimates(*(torch.cat([getattr(block, each.name) for block in blocks]) for each in fields(Estimates)))
    return SurveyStars(stars.columns, stars.observations, stars.labels, estimates)


def learn_from(
    stars: Mapping[str, SurveyStars], ln_prior_cut: float, report: Report, settings: Mapping[str, Any], seed: int
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """``train_confidence`` of stars that are fitted already: ``train``, ``beyond`` it, and any number of parts that are only measured."""
    passed = {name: BasicCut.of(each.observed, each.estimates, ln_prior_cut).passed.cpu().numpy() for name, each in stars.items()}
    learning = [(stars[name], passed[name]) for name in LEARNT_FROM]
    confidence, figures = train_classifiers(learning, report, Recipe.from_settings(settings), seed)
    domain, domain_figures = measured_domain(stars["train"], passed["train"], seed)
    for name in (each for each in stars if each not in LEARNT_FROM):
        for label, curves in measured_reliability(confidence, stars[name], passed[name]).items():
            figures[label][name] = curves
        if domain is not None:
            domain_figures[name] = scores_above(domain, stars[name], passed[name])
    counts = {name: {"stars": len(each), "passed_basic_cut": int(passed[name].sum())} for name, each in stars.items()}
    tensors = {**confidence.tensors(), **(domain.tensors() if domain is not None else {})}
    return tensors, {PART: {**figures, "stars": counts}, DOMAIN_PART: domain_figures}


def train_classifiers(
    stars: Sequence[tuple[SurveyStars, Bool[np.ndarray, " n"]]], report: Report, recipe: Recipe, seed: int
) -> tuple[Confidence, dict[str, Any]]:
    """A classifier of each label that has examples enough among the stars that passed the basic cut, and what is to be told of each label."""
    x = torch.cat([features(each.columns, each.observed, each.estimates)[torch.from_numpy(passed)] for each, passed in stars])
    chi2 = np.concatenate([agreement(each.estimates, each.labels)[passed] for each, passed in stars])
    known_labels = np.concatenate([each.labels.type.cpu().numpy()[passed] for each, passed in stars])
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
        network, told = learn(inputs, good[used], known_labels[used, at], withheld[used], recipe, seed + at, report)
        raw = Confidence(centre, scale, {name: network}).probabilities(x)[withheld, at]
        area, above_chance = area_under_curve(raw, good[withheld])
        figures[name] |= {"withheld": int(withheld.sum()), "withheld_auc": area, **told}
        if above_chance < ABOVE_CHANCE:
            figures[name]["state"] = (
                f"not used: no better than chance on the withheld stars, of which {int((bad & withheld).sum())} are bad"
            )
            continue
        figures[name]["state"] = "trained"
        networks[name], calibrations[name] = network, Calibration.fitted(raw, good[withheld])
    return Confidence(centre, scale, networks, calibrations), figures


def measured_reliability(confidence: Confidence, stars: SurveyStars, passed: Bool[np.ndarray, " n"]) -> dict[str, dict[str, Any]]:
    """Of each label with a classifier, how reliable raw and calibrated scores are on stars that pass the basic cut and that nothing learnt from.

    ``auc`` is the chance that of a good and a bad estimate the good one has the higher score; null where one kind is missing.
    """
    raw = confidence.probabilities(features(stars.columns, stars.observed, stars.estimates))
    calibrated = confidence.calibrated(raw)
    chi2 = agreement(stars.estimates, stars.labels)
    curves: dict[str, dict[str, Any]] = {}
    for name in confidence.networks:
        at = TYPE.index(name)
        good, bad = (passed & each for each in (chi2[:, at] < GOOD, chi2[:, at] > BAD))
        used = good | bad
        curves[name] = {"good": int(good.sum()), "bad": int(bad.sum())}
        if used.any():
            curves[name] |= {"raw": reliability(raw[used, at], good[used]), "calibrated": reliability(calibrated[used, at], good[used])}
            curves[name]["auc"] = area_under_curve(raw[used, at], good[used])[0] if good.any() and bad.any() else None
    return curves


def measured_domain(train: SurveyStars, passed: Bool[np.ndarray, " n"], seed: int) -> tuple[Domain | None, dict[str, Any]]:
    """The domain of the training stars that passed the basic cut, None where they are too few, and what is to be told of it."""
    stars = int(passed.sum())
    if stars < FEWEST:
        return None, {"state": f"not measured: {stars} training stars pass the basic cut, {FEWEST} are needed"}
    return Domain.measured(train.observed, train.estimates, passed, seed), {"state": "measured", "stars": stars}


def scores_above(domain: Domain, stars: SurveyStars, passed: Bool[np.ndarray, " n"]) -> dict[str, int]:
    """How many stars that pass the basic cut score above one, two and three."""
    score = domain.score(stars.observed, stars.estimates)[passed]
    return {"stars": len(score)} | {f"above_{decade:g}": int((score > decade).sum()) for decade in (1.0, 2.0, OUT_OF_DOMAIN)}


def stratified_draw(good: Bool[np.ndarray, " n"], bad: Bool[np.ndarray, " n"], share: float, seed: int) -> Bool[np.ndarray, " n"]:
    """A share of the good and the same share of the bad, drawn by seed."""
    random = np.random.default_rng(seed)
    drawn = np.zeros(len(good), bool)
    for kind in (good, bad):
        stars = random.permutation(np.flatnonzero(kind))
        drawn[stars[: round(share * len(stars))]] = True
    return drawn
