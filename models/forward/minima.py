"""Which minima of a star's objective its starts found: the lowest, how many others are nearly as low, and the next best.

Two of equal loss are two answers to one spectrum, say a reddened hot star and a cool one; no paper of this kind reports the second.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

NEARLY = 4.0
"""Minima whose loss is at most this above the lowest are counted: two sigma, were the objective quadratic between them."""
APART = 1.0
"""Minima are distinct where they lie further apart than this many sigma, by the curvature of the lowest."""


@dataclass(frozen=True, eq=False)
class Minima:
    """Of each star: which start won, how many distinct minima there are, which start found the second (-1: none)."""

    best: Int[Tensor, " n"]
    count: Int[Tensor, " n"]
    second: Int[Tensor, " n"]


def distinct_minima(
    variables: Float[Tensor, "n k p"], loss: Float[Tensor, "n k"], curvature: Float[Tensor, "n k p p"], converged: Bool[Tensor, "n k"]
) -> Minima:
    """Rank what k starts found. The loss is -2 ln posterior, infinite where there is none; only converged points count as further minima."""
    n, k = loss.shape
    order = torch.argsort(loss, dim=1, stable=True)
    points = variables.gather(1, order[..., None].expand_as(variables))
    loss = loss.gather(1, order)
    best = order[:, 0]
    eligible = converged.gather(1, order) & (loss - loss[:, :1] < NEARLY)
    metric = 0.5 * curvature[torch.arange(n, device=best.device), best]
    between = points[:, :, None] - points[:, None]  # (n, k, k, p)
    apart = (torch.einsum("nabi,nij->nabj", between, metric) * between).sum(-1) > APART**2
    kept = torch.zeros_like(eligible)
    kept[:, 0] = True
    for i in range(1, k):
        kept[:, i] = eligible[:, i] & (apart[:, i] | ~kept).all(1)
    others = kept.clone()
    others[:, 0] = False
    second = torch.where(others.any(1), order.gather(1, others.int().argmax(1, keepdim=True))[:, 0], -1)
    return Minima(best, kept.sum(1), second)
