"""The benchmark on real photometry goes its whole way on a few stars: what it says of both models is what the stars say."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.forward_photometry import (
    BANDS,
    Comparison,
    Photometry,
    compare,
    labels,
    observations,
    published,
    read_photometry,
    split,
    train,
)  # fmt: skip
from models.evaluation.statistics import scatter

STARS = 3000


@pytest.fixture(scope="module")
def stars(real_data: Path) -> Photometry:
    """Some of the real stars."""
    return read_photometry(real_data / "labels" / "green2020_labels_phot_10000.h5").take(np.arange(STARS))


@pytest.fixture(scope="module")
def comparison(stars: Photometry, real_data: Path) -> Comparison:
    """Both models on stars that ours has not learnt from, after a short training."""
    learnt, held = split(stars, 0)
    trained = train(learnt, "short", 0, least_steps_network=600, least_steps_high_quality=300, least_steps_clean=300)
    weights = real_data / "weights"
    network = published(weights / "green2020_nn_model.h5", weights / "green2020_theta_normalization.json")
    return compare(held, trained.flux_model, network)


def test_what_is_not_measured_pulls_nowhere(stars: Photometry) -> None:
    observed = observations(stars)
    missing = torch.from_numpy(~np.isfinite(stars.magnitude))
    assert bool(missing.any()) and bool((observed.flux[missing] == 0).all())
    assert bool(torch.isinf(observed.flux_error[missing]).all())
    assert bool((observed.whitening.diagonal(dim1=1, dim2=2)[missing] == 0).all())
    assert bool(torch.isfinite(observed.flux).all()) and bool(torch.isfinite(labels(stars).type_error).all())


def test_the_published_network_gives_the_colours_of_real_stars(comparison: Comparison) -> None:
    """Which it does only where types, their normalisation, the bands' order and the unit of reddening are read as they were written."""
    colours = comparison.published.labels - comparison.published.labels[:, :1]
    for band, name in enumerate(BANDS):
        assert abs(np.nanmedian(colours[:, band])) < 0.03, name
        assert scatter(colours[:, band]) < 0.12, name


def test_a_short_training_comes_near_the_published_network(comparison: Comparison) -> None:
    for band, name in enumerate(BANDS):
        ours, theirs = scatter(comparison.ours.adjusted[:, band]), scatter(comparison.published.adjusted[:, band])
        assert ours < 2 * theirs, (name, ours, theirs)
        assert scatter(comparison.ours.labels[:, band]) < 2 * scatter(comparison.published.labels[:, band]), name


def test_the_extinction_curve_falls_with_wavelength_as_the_published_one(comparison: Comparison) -> None:
    for model in (comparison.ours, comparison.published):
        curve = dict(zip(BANDS, np.median(model.extinction, axis=0), strict=True))
        falling = [curve[name] for name in ("g", "r", "i", "z", "y", "J", "H")]
        assert falling == sorted(falling, reverse=True)
        assert 1 < curve["RP"] < curve["G"] < curve["BP"] < 4.5


def test_the_table_has_a_row_a_band_and_all_stars_are_held_out(comparison: Comparison, stars: Photometry) -> None:
    rows = comparison.table().splitlines()
    assert [row.split()[0] for row in rows[1:]] == list(BANDS)
    learnt, held = split(stars, 0)
    assert len(learnt) + len(held) == STARS and not set(learnt.magnitude[:, 0]) & set(held.magnitude[:, 0])
    assert set(comparison.stars.magnitude[:, 0]) <= set(held.magnitude[:, 0])
