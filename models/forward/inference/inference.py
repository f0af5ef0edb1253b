"""From observations to estimates (Zhang, Green & Rix 2023, sections 4.2 and 4.3): search, finish in float64, minima, uncertainties.

What a star gets does not depend on which others are fitted with it: stars are worked on in blocks that are filled up to full tiles (see
``models.numerics.least_squares``), and nothing crosses from one to another.
"""

import copy
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Self

import torch
from jaxtyping import Bool, Float64, Int
from torch import Tensor

from models.forward.flux_model import FluxModel
from models.forward.inference.bounds import Bounds
from models.forward.inference.fitting import STARS, finish
from models.forward.inference.minima import Minima, distinct_minima
from models.forward.inference.search import Searcher
from models.forward.inference.uncertainty import in_linear_units, inverse, with_parallax
from models.forward.objective import PopulationPrior, StarObjective
from models.forward.observed.observations import Observations
from models.forward.parameters import N_TYPE, linear
from models.forward.version import ForwardVersion
from models.numerics.least_squares import Minimum, tiles


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
    """A version in float64 on one device, with its searcher."""

    model: FluxModel
    prior: PopulationPrior
    bounds: Bounds
    searcher: Searcher

    @classmethod
    def of(cls, version: ForwardVersion, device: torch.device) -> Self:
        model = copy.deepcopy(version.flux_model).to(device=device, dtype=torch.float64)
        prior = PopulationPrior(version.type_prior).to(device=device, dtype=torch.float64)
        bounds = Bounds.around(version.type_prior, model.n_parameters).to(device=device)
        return cls(model, prior, bounds, Searcher.of(version, device))


_solver = lru_cache(maxsize=4)(_Solver.of)


@torch.no_grad()
def infer(version: ForwardVersion, observed: Observations, device: str | torch.device = "cpu") -> Estimates:
    """Fit every star; nothing is raised for a star that cannot be fitted: its loss is infinite."""
    solver = _solver(version, torch.device(device))
    parts = [_infer_part(solver, observed, part) for part in torch.arange(len(observed)).split(STARS)]
    return Estimates(*(torch.cat([getattr(part, each.name) for part in parts]) for each in fields(Estimates)))


def _infer_part(solver: _Solver, observed: Observations, rows: Int[Tensor, " n"]) -> Estimates:
    """The estimates of some of the stars, worked on in full tiles."""
    filled = tiles(rows)
    whole = len(filled) == len(rows) > 0  # a slice copies nothing
    estimates = _infer(solver, observed.take(slice(int(rows[0]), int(rows[-1]) + 1) if whole else filled))
    return estimates.take(slice(len(rows)))


def _infer(solver: _Solver, observed: Observations) -> Estimates:
    device = solver.bounds.lower.device
    observed = observed.to(device=device, dtype=torch.float64)
    found = solver.searcher.search(observed.to(dtype=torch.float32))
    points = found.points
    objective = StarObjective(solver.model, observed, solver.prior, solver.bounds)
    minima, finished = _finished(objective, points)
    rows = torch.arange(len(observed), device=device)
    best = finished.take((rows, minima.best))
    rivals = rows[minima.second >= 0]
    second = finished.take((rivals, minima.second[rivals]))
    runner_up, delta = torch.full_like(best.variables, torch.nan), torch.full_like(best.value, torch.nan)
    runner_up[rivals], delta[rivals] = second.variables, second.value - best.value[rivals]
    variables = best.variables
    chi2, _, by_variables = objective.flux_terms(variables)
    of_fluxes = in_linear_units(by_variables, variables)
    information = with_parallax(of_fluxes, observed)
    estimates = Estimates(
        variables=variables,
        loss=best.value,
        chi2=chi2,
        ln_prior=solver.prior.types.ln_density(variables[:, :N_TYPE]),
        iterations=points.iterations.sum(1),
        converged=best.converged & ~solver.bounds.outside(variables),
        n_starts=found.starts,
        n_minima=minima.count,
        runner_up=runner_up,
        runner_up_delta=delta,
        flux=solver.model.flux(variables),
        flux_information=of_fluxes,
        information=information,
        covariance=inverse(information),
    )
    return Estimates(*(getattr(estimates, each.name).cpu() for each in fields(Estimates)))


def _finished(objective: StarObjective, points: Minimum) -> tuple[Minima, Minimum]:
    """The distinct minima among k points of each star, finished in float64; of the other points nothing is left.

    They are told apart again afterwards: float32 may rank two of nearly equal loss wrongly, and stop at two places of one flat valley.
    """
    n, k = points.value.shape
    first = distinct_minima(points.variables, points.value, points.curvature, points.converged)
    finished = Minimum.at(points.variables.double().flatten(0, 1)).grouped(k)
    best = (torch.arange(n, device=first.best.device), first.best)
    finished.put(best, finish(objective, points.take(best)))
    star, place = torch.nonzero(first.others, as_tuple=True)
    finished.put((star, place), finish(objective, points.take((star, place)), star))
    return distinct_minima(finished.variables, finished.value, finished.curvature, finished.converged), finished
