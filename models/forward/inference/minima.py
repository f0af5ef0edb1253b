"""Which minima of a star's objective its starts lead to: which starts are worth following, which minima they found, how many are nearly as low.

Two of equal loss are two answers to one spectrum, say a reddened hot star and a cool one.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

NEARLY = 4.0
"""Minima whose loss is at most this above the lowest are counted: two sigma, were the objective quadratic between them."""
APART = 1.0
"""Minima are distinct where the objective's curvature at the lower one says that it rises by more than this to the other: one sigma."""
EXPLAINED = 0.1
"""A point belongs to a lower one's basin where its loss is higher by at least this share of the rise that the lower one's curvature predicts."""
HOPELESS = 50.0
"""After the trial steps a start is given up whose loss is more than this above the best one's."""


@dataclass(frozen=True, eq=False)
class Minima:
    """Of each star: which start won, how many distinct minima there are, which start found the second (-1: none), which found any but the first."""

    best: Int[Tensor, " n"]
    count: Int[Tensor, " n"]
    second: Int[Tensor, " n"]
    others: Bool[Tensor, "n k"]


def distinct_minima(
    variables: Float[Tensor, "n k p"], loss: Float[Tensor, "n k"], curvature: Float[Tensor, "n k p p"], converged: Bool[Tensor, "n k"]
) -> Minima:
    """Rank what k starts found. The loss is -2 ln posterior, infinite where there is none; only converged points count as further minima."""
    order = torch.argsort(loss, dim=1, stable=True)
    rise = _rise(variables, curvature, order)
    loss = loss.gather(1, order)
    eligible = converged.gather(1, order) & (loss - loss[:, :1] < NEARLY)
    kept = _first_of_each(eligible, rise <= APART)
    others = kept.clone()
    others[:, 0] = False
    second = order.gather(1, others.int().argmax(1, keepdim=True))[:, 0]
    return Minima(order[:, 0], kept.sum(1), torch.where(others.any(1), second, -1), torch.zeros_like(others).scatter(1, order, others))


def worth_following(
    variables: Float[Tensor, "n k p"], loss: Float[Tensor, "n k"], curvature: Float[Tensor, "n k p p"], most: int
) -> tuple[Int[Tensor, "n most"], Bool[Tensor, "n most"]]:
    """Of starts that have taken a few steps: the best first, then those that no better one's basin explains, at most so many; and which are meant."""
    order = torch.argsort(loss, dim=1, stable=True)
    rise = _rise(variables, curvature, order)
    loss = loss.gather(1, order)
    higher = loss[:, None, :] - loss[:, :, None]  # (n, lower, higher)
    kept = _first_of_each(loss - loss[:, :1] < HOPELESS, higher >= EXPLAINED * rise)
    place = torch.argsort(~kept, dim=1, stable=True)[:, :most]
    return order.gather(1, place), kept.gather(1, place)


def _rise(variables: Float[Tensor, "n k p"], curvature: Float[Tensor, "n k p p"], order: Int[Tensor, "n k"]) -> Float[Tensor, "n k k"]:
    """From each point (first axis, in this order) to each other, what its curvature says the objective rises by."""
    points = variables.gather(1, order[..., None].expand_as(variables))
    bent = curvature.gather(1, order[..., None, None].expand_as(curvature))
    between = points[:, None] - points[:, :, None]  # (n, from, to, p)
    return 0.5 * (torch.matmul(between, bent) * between).sum(-1)


def _first_of_each(eligible: Bool[Tensor, "n k"], same: Bool[Tensor, "n k k"]) -> Bool[Tensor, "n k"]:
    """The first point, and each further eligible one that is not the same as one kept before."""
    kept = torch.zeros_like(eligible)
    kept[:, 0] = True
    for i in range(1, eligible.shape[1]):
        kept[:, i] = eligible[:, i] & ~(same[:, :i, i] & kept[:, :i]).any(1)
    return kept
