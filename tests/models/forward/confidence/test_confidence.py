"""The classifiers at run time: independence of the batch, storage, labels without a classifier, missing numbers."""

import dataclasses

import numpy as np
import pytest
import torch

from models.forward.bands import WAVELENGTHS
from models.forward.confidence.calibration import Calibration
from models.forward.confidence.confidence import BLOCK, FARTHEST, Confidence, agreement, classifier, standardisation
from models.forward.confidence.features import FEATURES, features
from models.forward.flux_model import FluxModel
from models.forward.type_prior import TypePrior
from models.forward.version import ForwardVersion


def confidence(*labels: str) -> Confidence:
    """Classifiers with random weights for some labels."""
    torch.manual_seed(4)
    networks = {label: classifier(0.1).double().requires_grad_(False).eval() for label in labels}
    ones = torch.ones(len(FEATURES), dtype=torch.float64)
    corners = ([0.2, 0.8], [0.1, 0.6])
    calibrations = {label: Calibration(*(torch.tensor(each, dtype=torch.float64) for each in corners)) for label in labels}
    return Confidence(0 * ones, 2 * ones, networks, calibrations)


def version(extras: dict[str, torch.Tensor]) -> ForwardVersion:
    one = torch.eye(3, dtype=torch.float64)
    prior = TypePrior(torch.ones(1, dtype=torch.float64), torch.zeros(1, 3, dtype=torch.float64), one[None])
    return ForwardVersion(WAVELENGTHS, FluxModel(WAVELENGTHS).double(), prior, -5.0, {}, extras)


def test_a_star_has_the_same_confidence_in_every_batch_and_order() -> None:
    stars = torch.randn(BLOCK + 300, len(FEATURES), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    judged = confidence("teff", "feh", "logg")
    whole = judged.probabilities(stars)
    order = torch.randperm(len(stars), generator=torch.Generator().manual_seed(2))
    assert (judged.probabilities(stars[order]) == whole[order.numpy()]).all()
    for size in (100, BLOCK, BLOCK + 1):
        assert (np.concatenate([judged.probabilities(part) for part in stars.split(size)]) == whole).all()
    for alone in (0, 3, BLOCK, BLOCK + 299):
        assert (judged.probabilities(stars[alone : alone + 1])[0] == whole[alone]).all()


def test_stored_classifiers_give_the_same_confidences() -> None:
    stars = torch.randn(20, len(FEATURES), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    judged = confidence("teff", "logg")
    stored = version(judged.tensors())
    again = Confidence.from_version(ForwardVersion.from_bytes(stored.to_bytes(), {"width": 32, "layers": 3, "xi": False}))
    raw = judged.probabilities(stars)
    assert again.probabilities(stars) == pytest.approx(raw, nan_ok=True)
    assert again.calibrated(raw) == pytest.approx(judged.calibrated(raw), nan_ok=True)


def test_a_label_without_classifier_has_no_confidence_and_the_others_have() -> None:
    raw = confidence("feh").probabilities(torch.zeros(5, len(FEATURES), dtype=torch.float64))
    assert np.isnan(raw[:, [0, 2]]).all() and np.isfinite(raw[:, 1]).all()
    calibrated = confidence("feh").calibrated(raw)
    assert np.isnan(calibrated[:, [0, 2]]).all() and np.isfinite(calibrated[:, 1]).all()


def test_a_version_without_classifiers_has_no_confidences() -> None:
    nothing = Confidence.from_version(version({}))
    raw = nothing.probabilities(torch.zeros(5, len(FEATURES), dtype=torch.float64))
    assert raw.shape == (5, 3) and np.isnan(raw).all() and np.isnan(nothing.calibrated(raw)).all()
    assert nothing.tensors() == {}


def test_calibrated_confidence_rises_with_the_raw_one() -> None:
    raw = np.repeat(np.linspace(0, 1, 50)[:, None], 3, axis=1)
    calibrated = confidence("teff", "feh", "logg").calibrated(raw)
    assert (np.diff(calibrated, axis=0) >= 0).all() and calibrated.min() == 0.1 and calibrated.max() == 0.6


def test_what_a_star_lacks_counts_as_the_training_stars_median_and_nothing_counts_beyond_the_end() -> None:
    centre = torch.full((len(FEATURES),), 7.0, dtype=torch.float64)
    judged = dataclasses.replace(confidence("teff"), centre=centre)
    star = centre.repeat(4, 1)
    star[0, 3] = torch.nan
    star[1, 3], star[2, 3] = 1e9, torch.inf
    raw = judged.probabilities(star)[:, 0]
    assert raw[0] == raw[3]
    assert raw[1] == raw[2] != raw[3]
    assert judged.standardised(star).abs().max() == FARTHEST


def test_standardisation_is_that_of_the_stars_that_have_the_number(draw_stars) -> None:
    stars = draw_stars(500)
    x = features(stars.columns, stars.observed, stars.estimates)
    x[:400, 5] = torch.nan
    x[:, 6] = torch.nan
    x[:, 7] = 3.0
    centre, scale = standardisation(x)
    assert centre[5] == pytest.approx(float(x[400:, 5].median()), rel=0.05)
    assert (centre[6], scale[6]) == (0, 1) and (centre[7], scale[7]) == (3, 1)
    assert torch.isfinite(centre).all() and (scale > 0).all()


def test_agreement_is_eq_27_and_nothing_where_the_survey_has_nothing(draw_stars) -> None:
    stars = draw_stars(10)
    stars.labels.type_error[3, 1] = torch.inf
    chi2 = agreement(stars.estimates, stars.labels)
    difference = (stars.estimates.variables[0, :3] - stars.labels.type[0]).numpy()
    expected = difference**2 / (np.array([0.06, 0.1, 0.1]) ** 2 + np.array([0.05, 0.05, 0.08]) ** 2 + 0.1**2)
    assert chi2[0] == pytest.approx(expected)
    assert np.isnan(chi2[3, 1]) and np.isfinite(np.delete(chi2, 3, axis=0)).all()
