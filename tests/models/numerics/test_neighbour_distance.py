"""Distance to a sample, beside a plain search."""

import numpy as np
import pytest

from models.numerics.neighbour_distance import MOST_POINTS, NEIGHBOUR, NeighbourDistance


def brute_force(sample: np.ndarray, points: np.ndarray, scale: np.ndarray, skip: int) -> np.ndarray:
    distance = np.sqrt((((points[:, None] - sample[None]) / scale) ** 2).sum(-1))
    return np.sort(distance, axis=1)[:, NEIGHBOUR - 1 + skip]


def test_distances_are_those_of_a_plain_search_in_spreads_of_the_axes() -> None:
    random = np.random.default_rng(1)
    sample = random.standard_normal((300, 3)) * [1, 10, 100]
    points = random.standard_normal((40, 3)) * [3, 30, 300]
    distance = NeighbourDistance.measured(sample, 0)
    assert distance.of(points) == pytest.approx(brute_force(sample, points, distance.scale.numpy(), 0))
    assert distance.scale.numpy() == pytest.approx([1, 10, 100], rel=0.2)


def test_a_point_of_the_sample_is_not_its_own_neighbour() -> None:
    sample = np.random.default_rng(2).standard_normal((300, 3))
    distance = NeighbourDistance.measured(sample, 0)
    assert distance.of(sample) == pytest.approx(brute_force(sample, sample, distance.scale.numpy(), 1))


def test_a_point_with_a_number_that_is_not_finite_has_no_distance_and_disturbs_no_other() -> None:
    sample = np.random.default_rng(3).standard_normal((100, 2))
    distance = NeighbourDistance.measured(sample, 0)
    points = np.array([[0.1, 0.2], [np.nan, 0.0], [0.0, np.inf]])
    assert distance.of(points)[0] == distance.of(points[:1])[0]
    assert np.isnan(distance.of(points)[1:]).all()


def test_a_large_sample_is_thinned_by_seed() -> None:
    sample = np.random.default_rng(4).standard_normal((MOST_POINTS + 5_000, 2))
    first, again = (NeighbourDistance.measured(sample, 7) for _ in range(2))
    assert len(first.points) == MOST_POINTS
    assert (first.points == again.points).all()
