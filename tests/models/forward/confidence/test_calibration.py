"""Isotonic calibration and reliability curves, on scores whose true frequency is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.forward.confidence.calibration import Calibration, area_under_curve, reliability


def overconfident(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores s of stars that are good with the chance s^3."""
    random = np.random.default_rng(seed)
    score = random.random(n)
    return score, random.random(n) < score**3


def test_a_calibrated_score_is_the_share_that_is_good() -> None:
    calibration = Calibration.fitted(*overconfident(20_000, 1))
    score = np.linspace(0.05, 0.95, 10)
    assert calibration.of(score) == pytest.approx(score**3, abs=0.05)


def test_reliability_tells_an_overconfident_score_from_a_calibrated_one() -> None:
    calibration = Calibration.fitted(*overconfident(20_000, 1))
    score, good = overconfident(20_000, 2)
    raw, calibrated = reliability(score, good), reliability(calibration.of(score), good)
    assert raw["expected_calibration_error"] > 0.2
    assert calibrated["expected_calibration_error"] < 0.02
    assert calibrated["brier"] < raw["brier"]
    assert raw["good_share"] == pytest.approx((np.arange(10) / 10 + 0.05) ** 3, abs=0.05)
    assert sum(raw["stars"]) == 20_000


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1)), st.integers(0, 2**32 - 1))
def test_calibration_never_falls_and_is_never_certain(score: np.ndarray, seed: int) -> None:
    good = np.random.default_rng(seed).random(len(score)) < 0.5
    frequency = Calibration.fitted(score, good).of(np.linspace(0, 1, 101))
    assert (np.diff(frequency) >= 0).all()
    assert frequency.min() >= 1 / (len(score) + 2) - 1e-12 and frequency.max() <= 1 - 1 / (len(score) + 2) + 1e-12


def test_bins_without_stars_are_left_out_and_the_ends_belong_to_bins() -> None:
    curve = reliability(np.array([0.0, 1.0, 0.95]), np.array([False, True, False]))
    assert curve["from"] == [0.0, 0.9] and curve["to"] == [0.1, 1.0]
    assert curve["stars"] == [1, 2] and curve["good_share"] == [0.0, 0.5]


def test_the_area_under_the_curve_is_the_share_of_pairs_in_order() -> None:
    random = np.random.default_rng(1)
    score, good = random.random(200).round(2), random.random(200) < 0.7
    pairs = score[good][:, None] - score[~good][None, :]
    assert area_under_curve(score, good)[0] == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())
    assert np.isnan(area_under_curve(score, np.ones(200, bool))).all()


def test_scores_without_meaning_are_seldom_two_errors_above_chance() -> None:
    random = np.random.default_rng(2)
    above = [area_under_curve(random.random(300), np.arange(300) >= 8)[1] for _ in range(400)]
    assert np.std(above) == pytest.approx(1, abs=0.1)
    assert np.mean(np.array(above) > 2) < 0.05
    assert area_under_curve(np.arange(300.0), np.arange(300) >= 8)[1] > 4
