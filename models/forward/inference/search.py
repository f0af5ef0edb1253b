"""The search for a star's lowest minimum: many starts take a few steps, those that lead elsewhere than a better one are followed to their end.

Ordinary stars are done after a short search. Where the fit is bad, two minima compete, or the parallax says little or the extinction is large and
the starts disagree, a longer one follows. All of it runs in float32.
"""

import copy
from dataclasses import dataclass, fields
from typing import Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from models.forward.bands import FITTED_DOF
from models.forward.flux_model import FluxModel
from models.forward.inference.bounds import Bounds
from models.forward.inference.fitting import minimise, one_step
from models.forward.inference.minima import distinct_minima, worth_following
from models.forward.inference.starts import StartGrid
from models.forward.objective import PopulationPrior, StarObjective
from models.forward.observed.observations import Observations
from models.forward.parameters import EXT
from models.forward.version import ForwardVersion
from models.numerics.least_squares import TILE, Minimum, tiles


@dataclass(frozen=True)
class Effort:
    """A search: groups and members of its start grid, softening of the errors; how many starts a star may have, and how many at most are followed
    to their end.

    A star gets the smallest of the numbers in ``starts`` that holds all whose scores in the grid are within ``margin`` of the best one's.
    """

    groups: int
    members: int
    soft: float
    starts: tuple[int, ...]
    margin: float
    followed: int


FIRST = Effort(groups=16, members=64, soft=0.015, starts=(2, 4, 8), margin=20.0, followed=3)
SECOND = Effort(groups=32, members=64, soft=0.012, starts=(8, 16), margin=30.0, followed=5)
CACHED_ROWS = 1536
"""Rows of stars, one a start, whose fluxes and derivatives stay in a CPU's cache."""
FEW_SIGMA, MUCH_EXT, BAD_FIT = 3.0, 0.7, 1.3
"""A star is searched again where its loss over the degrees of freedom is larger, where two minima compete, and, if its parallax is below so many
sigma or ext above, where its starts led to more than one place."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """What the starts of n stars lead to: k points of each, unfilled places with an infinite value; and how many starts there were."""

    points: Minimum
    starts: Int[Tensor, " n"]


@dataclass(frozen=True, eq=False)
class _Trial:
    """Of a block of stars which starts are worth following: of which star, in which of its places, where they are; each star's steps of the others."""

    block: Int[Tensor, " b"]
    star: Int[Tensor, " m"]
    place: Int[Tensor, " m"]
    begun: Minimum
    tried: Int[Tensor, " b"]


@dataclass(frozen=True, eq=False)
class Searcher:
    """What a version says of stars, in float32 on one device, with its start grids."""

    model: FluxModel
    prior: PopulationPrior
    bounds: Bounds
    grids: tuple[StartGrid, StartGrid]

    @classmethod
    def of(cls, version: ForwardVersion, device: torch.device) -> Self:
        """The searcher of a version; its grids are computed here, in float64 on the CPU."""
        first, second = (
            StartGrid.of(version.flux_model, version.type_prior, effort.groups, effort.members, effort.soft) for effort in (FIRST, SECOND)
        )
        bounds = Bounds.around(version.type_prior, version.flux_model.n_parameters)
        return cls(
            copy.deepcopy(version.flux_model).to(device=device, dtype=torch.float32),
            PopulationPrior(version.type_prior).to(device=device, dtype=torch.float32),
            bounds.to(device=device, dtype=torch.float32),
            (first.to(device=device, dtype=torch.float32), second.to(device=device, dtype=torch.float32)),
        )

    def search(self, observed: Observations) -> Candidates:
        """All that is found for these stars (float32, on the searcher's device), of which there are full tiles."""
        first = self.follow(observed, self.grids[0], FIRST)
        again = torch.nonzero(self._unsure(first.points, observed))[:, 0]
        if len(again) == 0:
            return first
        second = self.follow(observed.take(tiles(again)), self.grids[1], SECOND)
        first.starts[again] += second.starts[: len(again)]
        more = _nowhere(first.points, SECOND.followed)
        more.put(again, second.points.take(slice(len(again))))
        points = Minimum(*(torch.cat([getattr(each, name.name) for each in (first.points, more)], dim=1) for name in fields(Minimum)))
        return Candidates(points, first.starts)

    def follow(self, observed: Observations, grid: StartGrid, effort: Effort) -> Candidates:
        """The points that one search leads to, (n, followed, ...); full tiles of stars."""
        start, above = grid.best(observed, effort.starts[-1])
        if self.model.has_xi:
            start = torch.cat([start, torch.zeros_like(start[..., :1])], dim=2)
        wanted, starts, trials = (above <= effort.margin).sum(1), torch.zeros_like(above[:, 0], dtype=torch.int64), []
        for k in effort.starts:
            stars = torch.nonzero((starts == 0) & ((wanted <= k) | (k == effort.starts[-1])))[:, 0]
            starts[stars] = k
            for block in stars.split(max(TILE, CACHED_ROWS // k // TILE * TILE)) if len(stars) else ():
                trials.append(self._trial(observed, block, start[:, :k], effort.followed))
        found = _nowhere(Minimum.at(start.flatten(0, 1)).grouped(effort.starts[-1]), effort.followed)
        if not trials:
            return Candidates(found, starts)
        star, place, tried = (torch.cat([getattr(each, name) for each in trials]) for name in ("star", "place", "tried"))
        begun = Minimum(*(torch.cat([getattr(each.begun, name.name) for each in trials]) for name in fields(Minimum)))
        found.put((star, place), minimise(StarObjective(self.model, observed, self.prior, self.bounds), begun, star))
        found.iterations[torch.cat([each.block for each in trials]), 0] += tried
        return Candidates(found, starts)

    def _trial(self, observed: Observations, block: Int[Tensor, " b"], start: Float[Tensor, "n k p"], followed: int) -> "_Trial":
        """All starts of a block of stars take a step, the better half another; then it is decided which are worth following."""
        filled, k = tiles(block), start.shape[1]
        some, continued = observed.take(filled), k // 2 + 1
        objective = self._rows(some, k)
        first = one_step(objective, Minimum.of(objective, self.bounds.clamp(start[filled].flatten(0, 1)))).grouped(k)
        best = torch.argsort(first.value, dim=1, stable=True)[:, :continued]
        near = first.take((torch.arange(len(best), device=best.device)[:, None], best)).flattened()
        second = one_step(self._rows(some, continued), near).grouped(continued).take(slice(len(block)))
        chosen, meant = worth_following(second.variables, second.value, second.curvature, followed)
        star, place = torch.nonzero(meant, as_tuple=True)
        begun = second.take((star, chosen[star, place]))
        given_up = first.iterations.sum(1) - first.iterations.gather(1, best).sum(1)
        tried = given_up[: len(block)] + second.iterations.sum(1) - second.iterations.gather(1, chosen).masked_fill(~meant, 0).sum(1)
        return _Trial(block, block[star], place, begun, tried)

    def _rows(self, observed: Observations, starts: int) -> StarObjective:
        return StarObjective(self.model, observed, self.prior, self.bounds, starts=starts)

    def _unsure(self, found: Minimum, observed: Observations) -> Bool[Tensor, " n"]:
        """Which stars deserve a second search."""
        minima = distinct_minima(found.variables, found.value, found.curvature, found.converged)
        rows = torch.arange(len(observed), device=found.value.device)
        loss, ext = found.value[rows, minima.best], torch.exp(found.variables[rows, minima.best, EXT])
        doubtful = ~(observed.parallax > FEW_SIGMA * observed.parallax_error) | (ext > MUCH_EXT)
        several = torch.isfinite(found.value).sum(1) > 1
        return (doubtful & several) | ~(loss < BAD_FIT * FITTED_DOF) | (minima.count > 1)


def _nowhere(like: Minimum, k: int) -> Minimum:
    """k places for each star, all infinitely high."""
    n, _, p = like.variables.shape
    return Minimum.at(like.variables.new_zeros(n * k, p)).grouped(k)
