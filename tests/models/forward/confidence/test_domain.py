"""The out-of-domain score: its scale, what it sees, that more of anything strange never lowers it."""

import dataclasses

import numpy as np
import pytest
import torch

from catalog.errors import DataError
from catalog.quality import OUT_OF_DOMAIN
from models.forward.bands import WAVELENGTHS
from models.forward.confidence.domain import LOOKED_AT, Domain
from models.forward.flux_model import FluxModel
from models.forward.type_prior import TypePrior
from models.forward.version import ForwardVersion


@pytest.fixture(scope="module")
def domain(draw_stars) -> Domain:
    """Of 2,000 stars."""
    stars = draw_stars(2_000, seed=1, trouble=0.0)
    return Domain.measured(stars.observed, stars.estimates, np.ones(2_000, bool), 1)


def test_stars_like_the_training_stars_score_as_rarely_as_the_score_says(domain: Domain, draw_stars) -> None:
    stars = draw_stars(4_000, seed=2, trouble=0.0)
    score = domain.score(stars.observed, stars.estimates)
    assert (score > 1).mean() == pytest.approx(0.1, abs=0.03)
    assert (score > 2).mean() == pytest.approx(0.01, abs=0.007)
    assert (score > OUT_OF_DOMAIN).mean() < 0.005


def poorer_fit(stars, factor: float):
    return dataclasses.replace(stars, estimates=dataclasses.replace(stars.estimates, chi2=stars.estimates.chi2 * factor))


def one_bright_line(stars, factor: float):
    flux = stars.estimates.flux.clone()
    flux[:, 26] += factor * stars.observed.flux_error[:, 26]
    return dataclasses.replace(stars, estimates=dataclasses.replace(stars.estimates, flux=flux))


def another_type(stars, factor: float):
    variables = stars.estimates.variables.clone()
    variables[:, 2] = 5 + factor
    return dataclasses.replace(stars, estimates=dataclasses.replace(stars.estimates, variables=variables))


def another_parallax(stars, factor: float):
    parallax = torch.exp(stars.estimates.variables[:, 4]) + factor * stars.observed.parallax_error
    return dataclasses.replace(stars, observed=dataclasses.replace(stars.observed, parallax=parallax))


@pytest.mark.parametrize(
    "made, name, small, large",
    [
        pytest.param(poorer_fit, "fit", 12, 24, id="a fit that is bad at every wavelength"),
        pytest.param(one_bright_line, "worst_band", 30, 60, id="one line"),
        pytest.param(another_type, "place", 3, 6, id="a type that no training star has"),
        pytest.param(another_parallax, "parallax", 30, 60, id="a parallax far from Gaia's"),
    ],
)
def test_each_strangeness_is_seen_and_more_of_it_scores_higher(
    domain: Domain, draw_stars, made, name: str, small: float, large: float
) -> None:
    stars = draw_stars(50, seed=3, trouble=0.0)
    less, more = made(stars, small), made(stars, large)
    score = domain.score(less.observed, less.estimates)
    assert (score > OUT_OF_DOMAIN).all()
    assert (domain.score(more.observed, more.estimates) > score).all()
    parts = domain.parts(less.observed, less.estimates)
    assert (parts.argmax(axis=1) == LOOKED_AT.index(name)).all()


def test_a_score_depends_on_no_other_star_of_the_batch(domain: Domain, draw_stars) -> None:
    stars = draw_stars(300, seed=4)
    whole = domain.score(stars.observed, stars.estimates)
    order = torch.randperm(300, generator=torch.Generator().manual_seed(1))
    assert (domain.score(stars.observed.take(order), stars.estimates.take(order)) == whole[order.numpy()]).all()
    for at in range(0, 300, 37):
        assert domain.score(stars.observed.take(slice(at, at + 1)), stars.estimates.take(slice(at, at + 1)))[0] == whole[at]


def test_missing_bands_and_parallax_make_a_star_no_stranger(domain: Domain, draw_stars) -> None:
    stars = draw_stars(20, seed=5, trouble=0.0)
    stars.observed.flux_error[:, 61:] = torch.inf
    stars.observed.flux[:, 61:] = 0
    stars.observed.parallax_error[:], stars.observed.parallax[:] = torch.inf, 0
    assert np.isnan(domain.parts(stars.observed, stars.estimates)[:, LOOKED_AT.index("parallax")]).all()
    assert (domain.score(stars.observed, stars.estimates) < OUT_OF_DOMAIN).all()


def test_a_star_whose_fit_failed_is_out_of_domain_by_its_infinite_chi2(domain: Domain, draw_stars) -> None:
    stars = draw_stars(2, seed=6)
    estimates = dataclasses.replace(stars.estimates, chi2=torch.tensor([torch.inf, 60.0], dtype=torch.float64))
    assert domain.score(stars.observed, estimates)[0] == np.inf


def test_a_stored_domain_gives_the_same_scores(domain: Domain, draw_stars) -> None:
    stars = draw_stars(50, seed=7)
    prior = TypePrior(torch.ones(1, dtype=torch.float64), torch.zeros(1, 3, dtype=torch.float64), torch.eye(3, dtype=torch.float64)[None])
    stored = ForwardVersion(WAVELENGTHS, FluxModel(WAVELENGTHS).double(), prior, -5.0, {}, domain.tensors()).to_bytes()
    version = ForwardVersion.from_bytes(stored, {"width": 32, "layers": 3, "xi": False})
    again = Domain.from_version(version)
    assert again is not None
    assert (again.score(stars.observed, stars.estimates) == domain.score(stars.observed, stars.estimates)).all()
    assert Domain.from_version(dataclasses.replace(version, extras={})) is None


def test_fifty_stars_are_needed(draw_stars) -> None:
    stars = draw_stars(60)
    with pytest.raises(DataError, match="50 finite numbers or more, not 49"):
        Domain.measured(stars.observed, stars.estimates, np.arange(60) < 49, 1)
