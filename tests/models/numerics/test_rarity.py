"""Rarity in decades: its scale inside and beyond a sample, and of several numbers together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from catalog.errors import DataError
from models.numerics.rarity import CombinedRarity, Rarity

NORMAL = np.random.default_rng(5).standard_normal(20_000)


@pytest.mark.parametrize(
    "decades, within",
    [
        pytest.param(1.0, 0.02, id="one in ten"),
        pytest.param(2.0, 0.05, id="one in a hundred"),
        pytest.param(3.0, 0.2, id="one in a thousand"),
    ],
)
def test_rarity_is_minus_log10_of_the_share_above(decades: float, within: float) -> None:
    scale = Rarity.measured(NORMAL)
    assert scale.of(np.quantile(NORMAL, [1 - 10**-decades]))[0] == pytest.approx(decades, abs=within)


def test_an_exponential_tail_is_continued_beyond_the_sample() -> None:
    scale = Rarity.measured(np.random.default_rng(1).exponential(size=5_000))
    at = np.array([10.0, 20.0, 40.0])
    assert scale.of(at) == pytest.approx(at / np.log(10), rel=0.25)


def test_a_few_contaminants_do_not_hide_one_another() -> None:
    clean = Rarity.measured(NORMAL[:3_000]).of(np.array([8.0]))[0]
    contaminated = Rarity.measured(np.concatenate([NORMAL[:3_000], np.full(5, 100.0)])).of(np.array([8.0]))[0]
    assert contaminated > 0.7 * clean > 4


@settings(max_examples=50, deadline=None)
@given(arrays(np.float64, 60, elements=st.floats(-1e6, 1e6)), st.lists(st.floats(-1e7, 1e7), min_size=2, max_size=20))
def test_rarity_never_falls_as_the_number_rises_whatever_the_sample(sample: np.ndarray, values: list[float]) -> None:
    rarity = Rarity.measured(sample).of(np.sort(values))
    assert np.isfinite(rarity).all() and (rarity >= 0).all() and (np.diff(rarity) >= 0).all()


def test_too_few_numbers_make_no_scale() -> None:
    with pytest.raises(DataError, match="50 finite numbers or more, not 49"):
        Rarity.measured(np.concatenate([NORMAL[:49], [np.nan, np.inf]]))


def test_combined_rarity_of_the_sample_itself_is_that_of_its_shares() -> None:
    sample = np.random.default_rng(2).standard_normal((10_000, 3))
    rarity = CombinedRarity.measured(sample).of(sample)
    assert (rarity > 2).mean() == pytest.approx(0.01, abs=0.002)
    assert (rarity > 1).mean() == pytest.approx(0.1, abs=0.005)


def test_combined_rarity_never_falls_as_any_number_rises() -> None:
    random = np.random.default_rng(3)
    scale = CombinedRarity.measured(random.standard_normal((2_000, 3)))
    values = 2 * random.standard_normal((500, 3))
    assert (scale.of(values + random.exponential(size=(500, 3))) >= scale.of(values)).all()


def test_a_number_that_is_missing_does_not_count() -> None:
    scale = CombinedRarity.measured(np.random.default_rng(4).standard_normal((2_000, 2)))
    some = scale.of(np.array([[5.0, np.nan], [5.0, -9.0], [np.nan, np.nan]]))
    assert some[0] == some[1] > 3
    assert np.isnan(some[2])


def test_a_scale_survives_storage() -> None:
    scale = CombinedRarity.measured(np.random.default_rng(6).standard_normal((2_000, 2)))
    values = np.random.default_rng(7).standard_normal((100, 2))
    assert (CombinedRarity.from_tensors(scale.tensors(), 2).of(values) == scale.of(values)).all()
