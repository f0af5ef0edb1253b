"""The paper's basic cut: each of its three conditions by itself, and numbers that are not finite."""

import dataclasses

import pytest
import torch

from models.forward.confidence.basic_cut import BasicCut
from models.forward.parameters import PARALLAX


@pytest.mark.parametrize(
    "field, value, failed",
    [
        pytest.param("chi2", 121.9, None, id="chi2 of just under two a degree of freedom"),
        pytest.param("chi2", 122.1, "poor_fit", id="chi2 above two a degree of freedom"),
        pytest.param("chi2", float("inf"), "poor_fit", id="infinite chi2"),
        pytest.param("chi2", float("nan"), "poor_fit", id="no chi2"),
        pytest.param("ln_prior", -5.9, None, id="type just inside the prior"),
        pytest.param("ln_prior", -6.1, "unlikely_type", id="type outside the prior"),
        pytest.param("ln_prior", float("nan"), "unlikely_type", id="no prior"),
        pytest.param("parallax", 9.9, None, id="parallax almost ten errors off"),
        pytest.param("parallax", 10.1, "wrong_parallax", id="parallax more than ten errors off"),
    ],
)
def test_a_star_fails_for_its_own_reason_only(draw_stars, field: str, value: float, failed: str | None) -> None:
    stars = draw_stars(2)
    observed, estimates = stars.observed, stars.estimates
    estimates = dataclasses.replace(estimates, chi2=torch.full((2,), 60.0), ln_prior=torch.full((2,), -2.0))
    if field == "parallax":
        parallax = torch.exp(estimates.variables[:, PARALLAX])
        observed = dataclasses.replace(observed, parallax=parallax - torch.tensor([value, 0.0]) * observed.parallax_error)
    else:
        estimates = dataclasses.replace(estimates, **{field: torch.tensor([value, 60.0 if field == "chi2" else -2.0], dtype=torch.float64)})
    cut = BasicCut.of(observed, estimates, -6.0)
    assert [name for name in ("poor_fit", "unlikely_type", "wrong_parallax") if getattr(cut, name)[0]] == ([failed] if failed else [])
    assert cut.passed.tolist() == [failed is None, True]


def test_a_star_without_parallax_has_none_to_disagree_with(draw_stars) -> None:
    stars = draw_stars(1)
    observed = dataclasses.replace(
        stars.observed, parallax=torch.zeros(1, dtype=torch.float64), parallax_error=torch.full((1,), torch.inf, dtype=torch.float64)
    )
    assert not BasicCut.of(observed, stars.estimates, -6.0).wrong_parallax[0]
