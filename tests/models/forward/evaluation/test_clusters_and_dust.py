"""Clusters: members, centres and the scatter of both parallaxes. Dust: who lies behind it, and means in pixels as fine as the stars allow."""

import numpy as np
import pytest

from models.forward.evaluation.clusters import cluster_numbers, clusters_of, rms
from models.forward.evaluation.dust import FEWEST, NSIDES, adaptive_mean, behind_dust, mappable, slices
from models.forward.parameters import PARAMETERS

PARALLAX, EXT = PARAMETERS.index("parallax"), PARAMETERS.index("ext")


def test_a_cluster_is_measured_by_its_members_with_poor_parallaxes(make_stars) -> None:
    stars = make_stars(60)
    cluster = np.array(["A"] * 40 + ["B"] * 4 + [None] * 16, object)
    true = np.where(cluster == "A", 0.2, 1.0)
    random = np.random.default_rng(0)
    stars.parallax[:40] = 0.2 + random.normal(0, 0.05, 40)
    stars.values[:40, PARALLAX] = 0.2 + random.normal(0, 0.01, 40)
    stars.values[:40, 1] = -0.7
    stars.parallax_error[30:40] = 0.01  # well measured, above nothing
    (found,) = clusters_of(stars, cluster, true, np.full(60, -0.6), np.ones(60, bool))
    assert (found.name, found.parallax, int(found.members.sum()), int(found.poor.sum())) == ("A", 0.2, 40, 30)
    (row,) = cluster_numbers(stars, [found])
    assert row["gaia_rms"] == pytest.approx(rms(stars.parallax[:30] - 0.2), rel=1e-5)
    assert row["estimate_rms"] < 0.4 * row["gaia_rms"]
    assert row["feh_difference"] == pytest.approx(-0.1)


def test_clusters_without_parallax_or_chosen_members_are_none(make_stars) -> None:
    stars = make_stars(20)
    cluster = np.full(20, "A", object)
    assert clusters_of(stars, cluster, np.full(20, np.nan), np.zeros(20), np.ones(20, bool)) == []
    assert clusters_of(stars, cluster, np.ones(20), np.zeros(20), np.arange(20) < 4) == []


def test_stars_behind_the_dust_are_far_from_the_plane_and_from_the_clouds(make_stars) -> None:
    places = [(0.0, 80.0, 1.0), (0.0, 80.0, 5.0), (0.0, 8.0, 0.1), (280.0, -33.0, 0.5), (100.0, -45.0, 1.0)]
    stars = make_stars(5, quality_flags=np.zeros(5, np.int64))
    stars.values[:, PARALLAX] = [each[2] for each in places]
    found = behind_dust(stars, np.array([each[0] for each in places]), np.array([each[1] for each in places]))
    assert found.tolist() == [True, False, False, False, True]


def test_maps_take_stars_whose_extinction_and_distance_are_known_well(make_stars) -> None:
    stars = make_stars(4)
    stars.errors[1, EXT] = 0.05
    stars.errors[2, PARALLAX] = stars.values[2, PARALLAX]
    stars.loss[3] = 1e4
    assert mappable(stars).tolist() == [True, False, False, False]


def test_a_pixel_is_as_fine_as_its_stars_allow() -> None:
    many, few = np.zeros(FEWEST, int), np.full(FEWEST - 1, 12 * NSIDES[0] ** 2 - 1)
    mean = adaptive_mean(
        np.concatenate([many, few, few - 1]),
        np.concatenate([np.full(len(many), 1.0), np.full(2 * len(few), 3.0)]),
        np.ones(len(many) + 2 * len(few)),
    )
    children = (NSIDES[0] // NSIDES[-1]) ** 2
    assert mean[0] == 1.0
    assert mean[1] == 1.0  # a coarser pixel around it
    assert mean[-1] == 3.0
    assert mean[-4] == 3.0
    assert np.isnan(mean[children])
    assert np.isnan(mean).sum() == len(mean) - 2 * children


def test_weights_count() -> None:
    pixel = np.zeros(2 * FEWEST, int)
    value, weight = np.repeat([0.0, 1.0], FEWEST), np.repeat([3.0, 1.0], FEWEST)
    assert adaptive_mean(pixel, value, weight)[0] == pytest.approx(0.25)


def test_extinction_that_grows_with_distance_increases_from_slice_to_slice(make_stars) -> None:
    n = 600
    stars = make_stars(n, errors=np.tile([50.0, 0.1, 0.1, 0.01, 0.001], (n, 1)))
    distance = np.repeat([0.3, 0.7, 1.5], n // 3)
    stars.values[:, PARALLAX] = 1 / distance
    stars.values[:, EXT] = 0.2 * distance
    found = slices(stars, np.full(n, 30.0), np.full(n, 5.0), np.ones(n, bool))
    assert [each.stars for each in found] == [0, 200, 200, 200, 0]
    assert np.nanmax(found[2].mean) == pytest.approx(0.14)
    assert np.nanmax(found[2].increase) == pytest.approx(0.08)
    assert np.isnan(found[0].mean).all()
