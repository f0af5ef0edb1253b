"""Stars' parameters by the optimisers of the paper (Zhang, Green & Rix 2023, section 3.2), for its schedule: plain descent, and Adam at the end.

Rates are those of their Table 1 on the gradient of each star's own L_star. Their text does not bound the gradient; their later code scales each kind
of parameter's gradient in a batch down to a norm of 1000, and without a bound the first steps of a rough network end in infinities.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from models.forward.objective import StarObjective
from models.forward.parameters import EXT, N_TYPE, PARALLAX, XI

KINDS = (slice(0, N_TYPE), slice(EXT, EXT + 1), slice(PARALLAX, PARALLAX + 1), slice(XI, XI + 1))
"""Types, ln extinctions, ln parallaxes, xi: each is bounded by itself."""


@torch.no_grad()
def descended(problem: StarObjective, variables: Float[Tensor, "n p"], rate: float, clip: float) -> Float[Tensor, "n p"]:
    """One step of gradient descent; a star whose gradient is not finite stays."""
    gradient = torch.nan_to_num(problem.terms(variables)[1], nan=0.0, posinf=0.0, neginf=0.0)
    for kind in KINDS:
        norm = torch.linalg.vector_norm(gradient[:, kind])
        gradient[:, kind] *= (clip / norm.clamp(min=1e-30)).clamp(max=1.0)
    return variables - rate * gradient


@torch.no_grad()
def by_adam(problem: StarObjective, variables: Float[Tensor, "n p"], rate: float, steps: int) -> Float[Tensor, "n p"]:
    """So many steps of Adam for each star, the rate halved after each eighth of them; each star's best place on the way."""
    here, first, second = variables.clone(), torch.zeros_like(variables), torch.zeros_like(variables)
    best, best_value = variables.clone(), torch.full_like(variables[:, 0], torch.inf)
    for step in range(1, steps + 1):
        value, gradient, _ = problem.terms(here)
        better = value < best_value
        best, best_value = torch.where(better[:, None], here, best), torch.where(better, value, best_value)
        gradient = torch.nan_to_num(gradient, nan=0.0, posinf=0.0, neginf=0.0)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        move = (first / (1 - 0.9**step)) / (torch.sqrt(second / (1 - 0.999**step)) + 1e-7)
        here = here - rate * 0.5 ** (8 * (step - 1) // steps) * move
    better = problem.loss(here) < best_value
    return torch.where(better[:, None], here, best)
