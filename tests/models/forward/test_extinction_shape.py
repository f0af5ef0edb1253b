"""The shape of the extinction curve, xi: that it can be learnt from where a training starts."""

import numpy as np
import torch

from models.forward.bands import WAVELENGTHS
from models.forward.flux_model import FluxModel


def test_neither_xi_nor_its_slope_starts_where_the_other_has_no_gradient() -> None:
    model = FluxModel(WAVELENGTHS, xi=True).double()
    variables = torch.tensor([[5.5, 0.0, 4.4, np.log(0.5), 0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    wanted = model.flux(variables).detach() * (1 + 0.01 * torch.linspace(-1, 1, len(WAVELENGTHS)).double())
    (torch.log(model.flux(variables) / wanted) ** 2).sum().backward()
    assert variables.grad is not None
    assert abs(float(variables.grad[0, -1])) > 0
    moved = variables.detach().clone()
    moved[0, -1] = 0.1
    model.zero_grad()
    (torch.log(model.flux(moved) / wanted) ** 2).sum().backward()
    assert model.extinction_slope.grad is not None
    assert bool((model.extinction_slope.grad[:-2].abs() > 0).any())


def test_greater_xi_is_a_flatter_curve_at_the_start_and_leaves_w1_and_w2() -> None:
    model = FluxModel(WAVELENGTHS, xi=True)
    low, high = (model.extinction(torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0, xi]]))[0].detach() for xi in (-1.0, 1.0))
    assert float(low[0] / low[60]) > float(high[0] / high[60])
    assert torch.equal(low[-2:], high[-2:])
