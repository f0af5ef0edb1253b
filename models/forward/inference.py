"""From observations to estimates: starts, minimisation, minima, uncertainties (Zhang, Green & Rix 2023, sections 4.2 and 4.3).

Every star gets a few starts from a coarse grid. Where the parallax says little, the extinction is large, the fit is bad or the starts disagree,
more follow from a finer one. The search runs in float32; the lowest minimum and the runner-up are finished in float64, and all that is reported
is computed there.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Self

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from models.forward.bands import FITTED_DOF
from models.forward.bounds import Bounds
from models.forward.flux_model import FluxModel
from models.forward.minima import distinct_minima
from models.forward.objective import PopulationPrior, StarObjective, StarPrior
from models.forward.observations import Observations
from models.forward.parameters import EXT, linear
from models.forward.starts import StartGrid
from models.forward.uncertainty import flux_information, inverse, with_parallax
from models.forward.version import ForwardVersion
from models.numerics.least_squares import Minimum, batched_least_squares

BLOCK = 512
"""Stars at a time: their whitening matrices in float32 then fit into a cache."""
LARGEST_STEP = (0.8, 0.8, 0.8, 1.5, 1.0, 1.0)
"""Of each of the solver's variables."""
FINISH = 12
"""Steps in float64 at most."""
FIRST = (256, 16, 0.05, 2)
"""Types, extinctions, softening and starts of the first search."""
SECOND = (512, 31, 0.02, 16)
"""The same for stars that need a second."""
FEW_SIGMA, MUCH_EXT, BAD_FIT, DISAGREE = 3.0, 0.7, 2.0, 0.1
"""A star is searched again where its parallax is below so many sigma, ext above, chi2/61 above, or two starts' losses are further apart."""


@dataclass(frozen=True, eq=False)
class Estimates:
    """What is known of n stars after their fit: float64 on the CPU, except counts and truths.

    ``variables`` are the solver's (teff in kK, feh, logg, ln ext, ln parallax[, xi]), ``information`` and ``covariance`` in linear units (teff in
    kK). ``loss`` is Eq. 19, infinite where it has no finite value anywhere; ``chi2`` its fluxes' part. ``converged`` is false also where the
    solution lies on the box's wall. ``n_minima`` counts distinct minima within 4 of the loss, ``runner_up`` is the second of them (NaN: none) and
    ``runner_up_delta`` its loss above the best (NaN likewise).
    """

    variables: Float64[Tensor, "n p"]
    loss: Float64[Tensor, " n"]
    chi2: Float64[Tensor, " n"]
    ln_prior: Float64[Tensor, " n"]
    iterations: Int[Tensor, " n"]
    converged: Bool[Tensor, " n"]
    n_starts: Int[Tensor, " n"]
    n_minima: Int[Tensor, " n"]
    runner_up: Float64[Tensor, "n p"]
    runner_up_delta: Float64[Tensor, " n"]
    flux: Float64[Tensor, "n bands"]
    flux_information: Float64[Tensor, "n p p"]
    information: Float64[Tensor, "n p p"]
    covariance: Float64[Tensor, "n p p"]

    def __len__(self) -> int:
        return len(self.loss)

    @property
    def parameters(self) -> Float64[Tensor, "n p"]:
        """The best fit in linear units, teff in kK."""
        return linear(self.variables)

    def take(self, index: Any) -> Self:
        """Some of the stars."""
        return type(self)(*(getattr(self, each.name)[index] for each in fields(self)))


@dataclass(frozen=True, eq=False)
class _Solver:
    """A version in float32 and float64 on one device, with its grids."""

    model: FluxModel
    fast_model: FluxModel
    prior: PopulationPrior
    fast_prior: StarPrior
    bounds: Bounds
    first: StartGrid
    second: StartGrid

    @classmethod
    def of(cls, version: ForwardVersion, device: torch.device) -> Self:
        model = copy.deepcopy(version.flux_model).to(device=device, dtype=torch.float64)
        prior = PopulationPrior(version.type_prior).to(device=device, dtype=torch.float64)
        grids = (
            StartGrid.of(version.flux_model, version.type_prior, *each[:3]).to(device=device, dtype=torch.float32)
            for each in (FIRST, SECOND)
        )
        fast = copy.deepcopy(model).float()
        bounds = Bounds.around(version.type_prior, model.n_parameters).to(device=device)
        return cls(model, fast, prior, prior.to(dtype=torch.float32), bounds, *grids)


_solver = lru_cache(maxsize=4)(_Solver.of)


@torch.no_grad()
def infer(version: ForwardVersion, observed: Observations, device: str | torch.device = "cpu") -> Estimates:
    """Fit every star; nothing is raised for a star that cannot be fitted: its loss is infinite."""
    solver = _solver(version, torch.device(device))
    parts = [_infer_block(solver, observed.take(block)) for block in _blocks(len(observed))] or [_infer_block(solver, observed)]
    return Estimates(*(torch.cat([getattr(part, each.name) for part in parts]) for each in fields(Estimates)))


def fit_stars(
    model: FluxModel,
    observed: Observations,
    prior: StarPrior,
    start: Float[Tensor, "n p"],
    *,
    bounds: Bounds | None = None,
    iterations: int = 60,
    device: str | torch.device = "cpu",
) -> Minimum:
    """Each star's minimum next to its start under any prior, searched in float32 and finished in float64; the result is float64 on the CPU.

    ``prior`` is in float64; ``start`` in the solver's variables.
    """
    place = torch.device(device)
    model64 = copy.deepcopy(model).to(device=place, dtype=torch.float64).requires_grad_(False)
    model32 = copy.deepcopy(model64).float()
    parts = []
    for block in _blocks(len(observed)):
        seen = observed.take(block).to(device=place, dtype=torch.float64)
        known = prior.take(torch.arange(len(observed))[block]).to(device=place, dtype=torch.float64)
        box = bounds.to(device=place) if bounds is not None else None
        exact = StarObjective(model64, seen, known, box)
        fast = StarObjective(
            model32, seen.to(dtype=torch.float32), known.to(dtype=torch.float32), box.to(dtype=torch.float32) if box else None
        )
        near = _minimise(fast, start[block].to(device=place, dtype=torch.float32), iterations)
        parts.append(_finish(exact, near))
    if not parts:
        p = model.n_parameters
        return Minimum(
            start.double(),
            start.new_empty(0).double(),
            start.new_empty(0, p, p).double(),
            torch.empty(0, dtype=torch.int64),
            torch.empty(0, dtype=torch.bool),
        )
    return Minimum(*(torch.cat([getattr(part, each.name) for part in parts]).cpu() for each in fields(Minimum)))


def _blocks(n: int) -> Iterator[slice]:
    return (slice(first, first + BLOCK) for first in range(0, n, BLOCK))


def _minimise(objective: StarObjective, start: Float[Tensor, "n p"], iterations: int = 60) -> Minimum:
    """The search from one start a row."""
    return batched_least_squares(objective, start, largest_step=LARGEST_STEP[: start.shape[1]], iterations=iterations)


def _finish(objective: StarObjective, near: Minimum) -> Minimum:
    """Float64 from where float32 ended; it counts as converged by the float64 steps, iterations are summed."""
    end = _minimise(objective, near.variables.double(), FINISH)
    return Minimum(end.variables, end.value, end.curvature, near.iterations + end.iterations, end.converged)


def _search(solver: _Solver, observed: Observations, grid: StartGrid, k: int) -> Minimum:
    """What k starts of a grid find for each star, float32; every field has the shape (n, k, ...)."""
    n = len(observed)
    start = grid.best(observed, k)
    if solver.model.has_xi:
        start = torch.cat([start, start.new_zeros(n, k, 1)], dim=2)
    rows = torch.arange(n, device=start.device).repeat_interleave(k)
    bounds = solver.bounds.to(dtype=torch.float32)
    objective = StarObjective(solver.fast_model, observed.take(rows), solver.fast_prior, bounds)
    found = _minimise(objective, bounds.clamp(start.flatten(0, 1)))
    return Minimum(*(getattr(found, each.name).unflatten(0, (n, k)) for each in fields(Minimum)))


def _hard(found: Minimum, observed: Observations) -> Bool[Tensor, " n"]:
    """Which stars deserve a second search."""
    loss, best = found.value.min(1)
    ext = torch.exp(found.variables[torch.arange(len(best), device=best.device), best, EXT])
    poor = ~(observed.parallax > FEW_SIGMA * observed.parallax_error)
    spread = ~(found.value.amax(1) - loss < DISAGREE)
    return poor | (ext > MUCH_EXT) | (loss > BAD_FIT * FITTED_DOF) | spread


def _infer_block(solver: _Solver, observed: Observations) -> Estimates:
    device = solver.bounds.lower.device
    observed = observed.to(device=device, dtype=torch.float64)
    seen = observed.to(dtype=torch.float32)
    n = len(seen)
    found = _search(solver, seen, solver.first, FIRST[3])
    n_starts = torch.full((n,), FIRST[3], device=device)
    hard = _hard(found, seen)
    where = torch.nonzero(hard)[:, 0]
    more = _search(solver, seen.take(where), solver.second, SECOND[3])
    n_starts[where] += SECOND[3]
    wide = Minimum(*(getattr(found, each.name).new_zeros(n, SECOND[3], *getattr(found, each.name).shape[2:]) for each in fields(Minimum)))
    wide.value.fill_(torch.inf)
    wide.put(where, more)
    every = Minimum(*(torch.cat([getattr(found, each.name), getattr(wide, each.name)], dim=1) for each in fields(Minimum)))
    minima = distinct_minima(every.variables, every.value, every.curvature, every.converged)
    rows = torch.arange(n, device=device)
    objective = StarObjective(solver.model, observed, solver.prior, solver.bounds)
    best = _finish(objective, every.take((rows, minima.best)))
    has_second = torch.nonzero(minima.second >= 0)[:, 0]
    runner_up = torch.full_like(best.variables, torch.nan)
    delta = torch.full_like(best.value, torch.nan)
    if len(has_second):
        second = _finish(objective.take(has_second), every.take((has_second, minima.second[has_second])))
        lower = second.value < best.value[has_second]  # float32 may have ranked two of nearly equal loss wrongly
        first = best.take(has_second)
        best.put(has_second[lower], second.take(lower))
        second.put(lower, first.take(lower))
        runner_up[has_second] = second.variables
        delta[has_second] = second.value - best.value[has_second]
    variables = best.variables
    of_fluxes = flux_information(solver.model, observed, variables)
    information = with_parallax(of_fluxes, observed)
    estimates = Estimates(
        variables=variables,
        loss=best.value,
        chi2=objective.chi2(variables),
        ln_prior=solver.prior.types.ln_density(variables[:, :3]),
        iterations=every.iterations.sum(1) + best.iterations - every.take((rows, minima.best)).iterations,
        converged=best.converged & ~solver.bounds.outside(variables),
        n_starts=n_starts,
        n_minima=minima.count,
        runner_up=runner_up,
        runner_up_delta=delta,
        flux=solver.model.flux(variables),
        flux_information=of_fluxes,
        information=information,
        covariance=inverse(information),
    )
    return Estimates(*(getattr(estimates, each.name).cpu() for each in fields(Estimates)))
