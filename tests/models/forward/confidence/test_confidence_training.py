"""Classifiers and domain at the end of a training, on drawn stars: worth, figures, and what happens with few examples."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.forward.bands import WAVELENGTHS
from models.forward.confidence.classifier_fit import Recipe
from models.forward.confidence.confidence import GOOD, Confidence, agreement
from models.forward.confidence.confidence_training import learn_from, stratified_draw, train_classifiers, train_confidence
from models.forward.confidence.domain import PART as DOMAIN_PART
from models.forward.confidence.features import features
from models.forward.flux_model import FluxModel
from models.forward.observed.observations import KnownLabels, Observations
from models.forward.parameters import TYPE
from models.forward.settings import CHOICES
from models.forward.training.sample import ForwardSample, SampleStars
from models.forward.type_prior import TypePrior
from models.forward.version import ForwardVersion

SETTINGS = {choice.name: choice.ours for choice in CHOICES} | {"confidence_epochs": 30, "confidence_batch": 256}


def quiet(progress: object) -> None:
    pass


@pytest.fixture(scope="module")
def learnt(draw_stars):
    """What 2,000 drawn stars teach, a quarter of whose estimates are wrong; 1,000 others are held out."""
    return learn_from(
        {"train": draw_stars(1_500, seed=1), "beyond": draw_stars(500, seed=4), "held_out_all": draw_stars(1_000, seed=3)},
        -50.0,
        quiet,
        SETTINGS,
        5,
    )


def test_calibrated_confidence_is_the_share_of_good_estimates_among_other_stars(learnt, draw_stars) -> None:
    one = torch.eye(3, dtype=torch.float64)
    prior = TypePrior(torch.ones(1, dtype=torch.float64), torch.zeros(1, 3, dtype=torch.float64), one[None])
    version = ForwardVersion(WAVELENGTHS, FluxModel(WAVELENGTHS).double(), prior, -50.0, {}, learnt[0])
    confidence, others = Confidence.from_version(version), draw_stars(4_000, seed=2)
    raw = confidence.probabilities(features(others.columns, others.observed, others.estimates))
    calibrated = confidence.calibrated(raw)
    good = agreement(others.estimates, others.labels) < GOOD
    for at, name in enumerate(TYPE):
        for stars in np.array_split(np.argsort(raw[:, at]), 5):
            assert calibrated[stars, at].mean() == pytest.approx(good[stars, at].mean(), abs=0.15), name


def test_the_figures_are_whole_and_can_be_stored(learnt) -> None:
    tensors, figures = learnt
    assert json.loads(json.dumps(figures)) == figures
    for name in TYPE:
        told = figures["confidence"][name]
        assert told["state"] == "trained" and told["good"] > told["bad"] > 100
        held_out = told["held_out_all"]
        assert held_out["auc"] > 0.8
        assert held_out["calibrated"]["expected_calibration_error"] < 0.12
        assert sum(held_out["raw"]["stars"]) == held_out["good"] + held_out["bad"]
    assert figures["domain"]["state"] == "measured"
    assert figures["domain"]["held_out_all"]["above_3"] < 20
    assert any(name.startswith("confidence.logg.") for name in tensors) and any(name.startswith(f"{DOMAIN_PART}.") for name in tensors)
    assert all(torch.isfinite(value).all() for value in tensors.values())


def test_too_few_bad_examples_give_no_classifier_and_say_so(draw_stars) -> None:
    train, none, held_out = draw_stars(400, seed=1, trouble=0.0), draw_stars(0), draw_stars(100, seed=2)
    tensors, figures = learn_from({"train": train, "beyond": none, "held_out_all": held_out}, -50.0, quiet, SETTINGS, 5)
    assert not any(name.startswith("confidence.") for name in tensors)
    for name in TYPE:
        assert figures["confidence"][name]["state"] == "not trained: fewer than 20 good or bad estimates to learn from"
    assert figures["domain"]["state"] == "measured"


def test_a_network_that_tells_nothing_is_not_used(draw_stars) -> None:
    stars = draw_stars(1_200, seed=1, trouble=0.0)
    bad = np.random.default_rng(2).random(1_200) < 0.05  # by labels that are wrong, whatever the star
    stars.labels.type[torch.from_numpy(bad)] = stars.estimates.variables[torch.from_numpy(bad), :3] + 1.0
    confidence, figures = train_classifiers([(stars, np.ones(1_200, bool))], quiet, Recipe.from_settings(SETTINGS), 5)
    for name in TYPE:
        assert name not in confidence.networks and name not in confidence.calibrations
        assert figures[name]["state"].startswith("not used: no better than chance on the withheld stars, of which")
        assert abs(figures[name]["withheld_auc"] - 0.5) < 0.3


def test_hardly_any_star_that_passes_the_basic_cut_gives_neither_classifiers_nor_domain(draw_stars) -> None:
    train = draw_stars(200, seed=1)
    tensors, figures = learn_from({"train": train, "beyond": train}, 50.0, quiet, SETTINGS, 5)
    assert tensors == {}
    assert figures["confidence"]["stars"]["train"] == {"stars": 200, "passed_basic_cut": 0}
    assert figures["domain"]["state"] == "not measured: 0 training stars pass the basic cut, 50 are needed"


def test_a_label_that_no_survey_gives_has_no_classifier_and_the_others_have(draw_stars) -> None:
    train = draw_stars(1_500, seed=1)
    train.labels.type_error[:, 1] = torch.inf
    confidence, figures = train_classifiers([(train, np.ones(1_500, bool))], quiet, Recipe.from_settings(SETTINGS), 5)
    assert set(confidence.networks) == {"teff", "logg"}
    assert figures["feh"] == {"good": 0, "bad": 0, "between": 0, "state": "not trained: fewer than 20 good or bad estimates to learn from"}


def test_the_same_stars_and_seed_give_the_same_tensors(draw_stars) -> None:
    train = draw_stars(600, seed=1)
    settings = SETTINGS | {"confidence_epochs": 2}
    first, again = (learn_from({"train": train, "beyond": train}, -50.0, quiet, settings, 5)[0] for _ in range(2))
    assert first.keys() == again.keys() and all(torch.equal(first[name], again[name]) for name in first)


def test_a_fifth_of_good_and_bad_is_withheld() -> None:
    good = np.arange(1_000) < 900
    drawn = stratified_draw(good, ~good, 0.2, 1)
    assert drawn[good].sum() == 180 and drawn[~good].sum() == 20


def test_no_classifier_at_all_still_has_every_method() -> None:
    nothing = Confidence(torch.empty(0), torch.empty(0))
    assert nothing.probabilities(torch.zeros(2, 86, dtype=torch.float64)).shape == (2, 3)


def stars_of(version: ForwardVersion, columns, n: int, seed: int) -> SampleStars:
    """Stars as the version's flux model draws them, with noise of one per cent; a tenth of the labels are those of other stars."""
    random = torch.Generator().manual_seed(seed)
    types = version.type_prior.draw(n, random)
    parallax = 1 + 4 * torch.rand(n, generator=random, dtype=torch.float64)
    ext = 0.05 + 0.3 * torch.rand(n, generator=random, dtype=torch.float64)
    flux = version.flux_model.flux(torch.column_stack([types, torch.log(ext), torch.log(parallax)]))
    error = 0.01 * flux
    noisy = flux + error * torch.randn(flux.shape, generator=random, dtype=torch.float64)
    parallax_error = torch.full((n,), 0.02, dtype=torch.float64)
    observed = Observations(noisy, error, torch.diag_embed(1 / error), parallax, parallax_error)
    survey = types + 0.05 * torch.randn(n, 3, generator=random, dtype=torch.float64)
    survey[: n // 10] = survey[: n // 10].flip(0)
    labels = KnownLabels(survey, torch.full((n, 3), 0.05, dtype=torch.float64), ext, torch.full((n,), 0.03, dtype=torch.float64))
    return SampleStars(np.arange(n), np.array(["x"] * n), observed, labels, columns, np.zeros(n, np.int16), "")


@pytest.fixture(scope="module")
def drawn_version() -> ForwardVersion:
    """A version whose fluxes fall and rise with the type, more than its noise, and no two alike."""
    torch.manual_seed(3)
    model = FluxModel(WAVELENGTHS).double().requires_grad_(False)
    model.centre.copy_(torch.tensor([5.5, -0.3, 3.0]))
    model.scale.copy_(torch.tensor([1.0, 0.5, 1.5]))
    model.output.bias += 4
    one = torch.ones(1, dtype=torch.float64)
    prior = TypePrior(one, model.centre[None].clone(), torch.diag(torch.tensor([4.0, 4.0, 1.0], dtype=torch.float64))[None])
    return ForwardVersion(WAVELENGTHS, model, prior, -12.0)


def test_estimates_are_made_without_labels_and_wrong_labels_are_found_bad(drawn_version: ForwardVersion, draw_stars) -> None:
    parts = {
        name: stars_of(drawn_version, draw_stars(n).columns, n, seed)
        for seed, (name, n) in enumerate({"train": 250, "beyond": 60, "all": 40}.items())
    }
    sample = ForwardSample("", parts["train"].source_id, parts["train"], parts["beyond"], {"all": parts["all"]}, {})
    settings = SETTINGS | {"confidence_epochs": 2}
    tensors, figures = train_confidence(drawn_version, sample, quiet, settings, 5)
    assert figures["confidence"]["stars"]["beyond"]["stars"] == 60
    assert figures["confidence"]["stars"]["train"]["passed_basic_cut"] > 220
    for name in TYPE:
        assert 10 <= figures["confidence"][name]["bad"] <= 31, name

    labels = parts["train"].labels
    other = replace(parts["train"], labels=replace(labels, type=labels.type.flip(0)))
    again, otherwise = train_confidence(drawn_version, replace(sample, train=other), quiet, settings, 5)
    assert otherwise["confidence"]["teff"]["bad"] > 100
    domain = [name for name in tensors if name.startswith(f"{DOMAIN_PART}.")]
    assert domain and all(torch.equal(tensors[name], again[name]) for name in domain)
