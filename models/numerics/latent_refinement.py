"""The latent vector of each star that explains its own spectrum best: what an encoder, one network for all stars, only approximates.

For each star the minimum over z of  chi2(z) + |z|^2,  chi2 = sum_j w_j (x_j - d_j(z))^2, by Levenberg-Marquardt steps over the whole
batch: the latent space has few dimensions, so d's Jacobian costs as many forward-mode products. |z|^2 is the standard normal prior of
a variational autoencoder in the same units. A step that does not improve a star is not taken for that star, so the objective never
grows, whatever the decoder does; a star with numbers that are not finite keeps its start and disturbs no other.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

Decoder = Callable[[Float[Tensor, "stars latent"]], Float[Tensor, "stars pixels"]]


@dataclass(frozen=True, eq=False)
class Refined:
    """``latent`` with its ``objective`` chi2 + |z|^2, and the ``covariance`` (J^T W J + 1)^-1 at it."""

    latent: Float[Tensor, "stars latent"]
    objective: Float[Tensor, " stars"]
    covariance: Float[Tensor, "stars latent latent"]


@torch.no_grad()
def refine(
    decode: Decoder,
    start: Float[Tensor, "stars latent"],
    x: Float[Tensor, "stars pixels"],
    weight: Float[Tensor, "stars pixels"],
    *,
    steps: int = 30,
) -> Refined:
    """Best latent vectors from ``start``; ``weight`` is the inverse variance, 0 where x is missing (x must be finite all the same).

    ``decode`` must work star by star (no batch statistics) and be differentiable.
    """
    identity = torch.eye(start.shape[1], dtype=start.dtype, device=start.device)
    z = start.clone()
    damping = torch.full((len(z),), 1e-2, dtype=z.dtype, device=z.device)

    def objective(z: Tensor) -> Tensor:
        return (weight * (x - decode(z)) ** 2).sum(dim=1) + (z**2).sum(dim=1)  # (stars,)

    best = objective(z)
    for _ in range(steps):
        gradient, normal = _normal_equations(decode, z, x, weight)
        scale = torch.diagonal(normal, dim1=1, dim2=2)  # (stars, latent), at least 1: the prior
        damped = normal + torch.diag_embed(damping[:, None] * scale)
        trial = z + torch.linalg.solve_ex(damped, gradient).result
        value = objective(trial)
        better = value < best
        z = torch.where(better[:, None], trial, z)
        best = torch.where(better, value, best)
        damping = torch.where(better, damping / 3, damping * 4).clamp(1e-9, 1e9)
    _, normal = _normal_equations(decode, z, x, weight)
    return Refined(z, best, torch.linalg.solve_ex(normal, identity.expand_as(normal)).result)


def _normal_equations(decode: Decoder, z: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """J^T W r - z (stars, latent) and J^T W J + 1 (stars, latent, latent), r the residual and J the decoder's Jacobian."""
    columns = []
    model = x
    for k in range(z.shape[1]):
        direction = torch.zeros_like(z)
        direction[:, k] = 1
        product: tuple[Tensor, Tensor] = torch.func.jvp(decode, (z,), (direction,))  # type: ignore[assignment]
        model, column = product
        columns.append(column)
    jacobian = torch.stack(columns, dim=2)  # (stars, pixels, latent)
    weighted = weight[:, :, None] * jacobian
    gradient = torch.einsum("npk,np->nk", weighted, x - model) - z
    normal = jacobian.transpose(1, 2) @ weighted + torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
    return gradient, normal
