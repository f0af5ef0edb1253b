"""The published fit of a star under the forward model, as the solver's benchmark compares with it (Zhang, Green & Rix 2023, section 4.2, and its code).

512 types drawn from the prior x 61 extinctions from 0.01 to 10 are compared under the full covariance, each with the parallax that the fluxes
between 592 and 782 nm suggest; from the best one Adam takes 12,288 steps in (type, ln ext, ln parallax), at a rate of 0.01 that is halved every 768
steps, each star's gradient clipped to a norm of 100. Written here from the paper's words, in float32, on the objective that the solver minimises; the
paper's rounds of plain gradient descent afterwards are left out, which favours it in time.
"""

import time
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.forward.bands import WAVELENGTHS
from models.forward.objective import StarObjective
from models.forward.observed.observations import Observations
from models.forward.parameters import EXT, N_TYPE, PARALLAX
from models.forward.version import ForwardVersion

TYPES, EXTINCTIONS = 512, 61
STEPS, RATE, HALVED, CLIP = 12_288, 0.01, 768, 100.0
_CORE = torch.from_numpy((WAVELENGTHS >= 592) & (WAVELENGTHS <= 782))


@torch.no_grad()
def published_start(version: ForwardVersion, observed: Observations, seed: int = 3) -> Float[Tensor, "n p"]:
    """The grid's best point for each star; observations in float32."""
    types = version.type_prior.draw(TYPES, torch.Generator().manual_seed(seed))
    ln_ext = torch.linspace(-2, 1, EXTINCTIONS, dtype=torch.float64) * np.log(10.0)
    grid = torch.zeros(TYPES * EXTINCTIONS, version.flux_model.n_parameters, dtype=torch.float64)
    grid[:, :N_TYPE] = types.repeat_interleave(EXTINCTIONS, 0)
    grid[:, EXT] = ln_ext.repeat(TYPES)
    flux = version.flux_model.flux(grid).to(observed.flux)
    penalty = -2 * version.type_prior.ln_density(grid[:, :N_TYPE]).to(flux)
    grid = grid.to(flux)
    starts = []
    for i in range(len(observed)):
        scale = torch.relu(observed.flux[i, _CORE] / flux[:, _CORE]).mean(1)
        residual = (flux * scale[:, None] - observed.flux[i]) @ observed.whitening[i].T
        pull = (torch.sqrt(scale) - observed.parallax[i]) / observed.parallax_error[i]
        best = int(torch.argmin(torch.nan_to_num((residual**2).sum(1) + penalty + pull**2, nan=torch.inf)))
        start = grid[best].clone()
        start[PARALLAX] = 0.5 * torch.log(scale[best]).clamp(min=-20)
        starts.append(start)
    return torch.stack(starts)


def adam(
    objective: StarObjective, start: Float[Tensor, "n p"], between: Callable[[], object], steps: int = STEPS
) -> tuple[Float[Tensor, "n p"], dict[int, float]]:
    """Where Adam ends, and CPU seconds by number of steps; ``between`` is called every 1,024 steps, and its time is not counted."""
    variables = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([variables], lr=RATE, eps=1e-7)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, HALVED, 0.5)
    seconds, spent = {}, 0.0
    began = time.process_time()
    for step in range(1, steps + 1):
        (gradient,) = torch.autograd.grad(objective.loss(variables).sum(), variables)
        variables.grad = gradient * (CLIP / gradient.norm(dim=1, keepdim=True)).clamp(max=1.0)
        optimiser.step()
        schedule.step()
        if step % 1024 == 0 or step == steps:
            spent += time.process_time() - began
            if step in (1024, 4096, 8192, steps):
                seconds[step] = spent
            between()
            began = time.process_time()
    return variables.detach(), seconds
