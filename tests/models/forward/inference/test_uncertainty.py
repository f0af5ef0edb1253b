"""Fisher information and covariances: inverses of one another, positive semi-definite whatever is known, parallax adding what it should."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.forward.inference.uncertainty import EIGENVALUE_FLOOR, correlations, flux_information, inverse, with_parallax
from models.forward.parameters import PARALLAX, linear, logarithmic
from models.forward.triangles import definite, packed, unpacked


def informations(seed, size, decades, n=8):
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(n, size, size + 3, generator=generator, dtype=torch.float64) * torch.logspace(
        0, -decades, size + 3, dtype=torch.float64
    )
    units = 10 ** (6 * torch.rand(n, size, 1, generator=generator, dtype=torch.float64) - 3)
    return (root * units) @ (root * units).transpose(1, 2)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([5, 6]), decades=st.floats(0, 1.5))
def test_the_covariance_is_the_inverse_of_the_information(seed, size, decades):
    information = informations(seed, size, decades)
    scale = information.diagonal(dim1=1, dim2=2).sqrt()
    product = inverse(information) @ information
    product = product * scale[:, :, None] / scale[:, None, :]
    condition = torch.linalg.cond(information / scale[:, :, None] / scale[:, None, :])
    error = (product - torch.eye(size)).abs().amax((1, 2))
    assert (error < 1e-13 * condition + 1e-12).all() or (condition > 0.1 / EIGENVALUE_FLOOR).any()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([5, 6]), decades=st.floats(0, 30))
def test_covariances_are_positive_semi_definite_also_as_packed_triangles_however_little_is_known(seed, size, decades):
    covariance = inverse(informations(seed, size, decades)).numpy()
    assert np.isfinite(covariance).all() and (covariance == covariance.transpose(0, 2, 1)).all()
    rounded = unpacked(packed(definite(covariance)))
    error = np.sqrt(np.einsum("nii->ni", rounded))
    assert (np.linalg.eigvalsh(rounded / error[:, :, None] / error[:, None, :]) >= 0).all()


@pytest.mark.parametrize("information", [torch.zeros(1, 5, 5), torch.ones(1, 5, 5), torch.eye(5)[None] * torch.tensor([1.0, 0, 1, 0, 1])])
def test_what_nothing_is_known_of_gets_a_large_variance(information):
    covariance = inverse(information.double())
    assert torch.isfinite(covariance).all()
    assert covariance.diagonal(dim1=1, dim2=2).amax() >= 0.1 / EIGENVALUE_FLOOR


def test_a_matrix_that_is_not_finite_has_no_inverse_and_disturbs_no_other():
    information = informations(1, 5, 1)
    broken = information.clone()
    broken[3, 1, 1] = torch.nan
    found = inverse(broken)
    assert torch.isnan(found[3]).all()
    others = torch.arange(8) != 3
    assert torch.equal(found[others], inverse(information)[others])


@pytest.mark.parametrize("xi", [False, True])
def test_information_is_that_of_small_changes_of_the_parameters(black_bodies, observe, xi):
    version = black_bodies(xi)
    observed, truth = observe(version, 10)
    values, steps = linear(truth), 1e-5
    columns = []
    for i in range(values.shape[1]):
        change = torch.zeros_like(values)
        change[:, i] = steps * values[:, i].abs().clamp(min=0.1)
        difference = version.flux_model.flux(logarithmic(values + change)) - version.flux_model.flux(logarithmic(values - change))
        columns.append((observed.whitening @ (difference / (2 * change[:, i : i + 1]))[..., None])[..., 0])
    jacobian = torch.stack(columns, 2)
    expected = jacobian.transpose(1, 2) @ jacobian
    assert flux_information(version.flux_model, observed, truth) == pytest.approx(
        expected, rel=1e-5, abs=1e-5 * expected.abs().max().item() * 1e-4
    )


def test_a_parallax_adds_its_own_information_and_loosens_correlations(black_bodies, observe):
    version = black_bodies()
    observed, truth = observe(version, 50)
    before = flux_information(version.flux_model, observed, truth)
    after = with_parallax(before, observed)
    assert (after - before)[:, PARALLAX, PARALLAX] == pytest.approx(observed.parallax_error**-2, rel=1e-6)
    logg_parallax = [abs(np.median(correlations(inverse(each).numpy())[:, 2, PARALLAX])) for each in (before, after)]
    assert logg_parallax[1] < logg_parallax[0]
    assert (inverse(after).diagonal(dim1=1, dim2=2) <= inverse(before).diagonal(dim1=1, dim2=2) * (1 + 1e-9)).all()
