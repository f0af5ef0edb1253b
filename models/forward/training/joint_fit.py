"""What ends each phase that learns network and stars together: the last layer, the extinction curve and all stars at their joint minimum, and on the labels.

Steps of the network in batches leave the directions in which many stars and the network would have to move together; the whole sample's Gauss-Newton
steps (readout_step) take them, and what no flux can tell apart is set by the labels (gauge).
"""

import copy
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from models.forward.flux_model import FluxModel
from models.forward.observed.observations import KnownLabels, Observations
from models.forward.training.gauge import flux_values, gauge_step
from models.forward.training.network_fit import capped
from models.forward.training.readout_step import ReadoutEquations, take_step
from models.forward.training.training_stars import TrainingStars, tempered

CURVATURE_STARS = 8_192
"""Stars that the second derivatives are taken of, at most; the first are of all."""
FIRST_DAMPING = 1e-4
ANCHOR = 0.02
"""How far, by its prior's standard deviation, a weight of the last layer may go in these steps: they are for what many stars share, and a few hundred
stars would otherwise be learnt by heart."""
SMALL_GAIN = 0.01
"""An accepted step that lowers the mean objective by less is the last."""
GAUGE_ROUNDS = 5


def fit_jointly(
    model: FluxModel, stars: TrainingStars, index: Int[Tensor, " m"], *, steps: int, gauge: bool, cap: float, generator: torch.Generator
) -> dict[str, Any]:  # fmt: skip
    """Move the model (in place) and the stars; what was done, for the record.

    While the median chi_f^2 is above the number of bands, the errors of the fluxes count as larger by that ratio, as in the phase before.
    """
    chi2, _ = stars.measured(model, index)
    temperature = max(float(chi2.median()) / model.n_bands, 1.0)
    stars.refine(model, index, temperature)
    figures: dict[str, Any] = {"temperature": round(temperature, 3)}
    if steps:
        figures["objective"] = _descend(model, stars, index, steps, temperature, cap, generator)
    if gauge:
        figures["gauge"] = [_settle(model, stars, index, temperature) for _ in range(GAUGE_ROUNDS)]
    return figures


def _objective(model: FluxModel, stars: TrainingStars, index: Int[Tensor, " m"], temperature: float, cap: float, anchor: Tensor) -> float:
    """Mean of L_star with chi_f^2 divided by the temperature and capped, and the anchor's share."""
    chi2, loss = stars.measured(model, index)
    value = (loss - chi2 + capped(chi2 / temperature, cap)).mean()
    return float(value) + float(((model.output.weight.detach() - anchor) ** 2).sum()) / ANCHOR**2 / len(index)


def _descend(
    model: FluxModel, stars: TrainingStars, index: Int[Tensor, " m"], steps: int, temperature: float, cap: float, generator: torch.Generator
) -> list[float]:
    """Gauss-Newton steps with all stars following; a step that does not lower the objective is taken back and damped more."""
    subset = index[torch.randperm(len(index), generator=generator)[:CURVATURE_STARS].sort().values]
    anchor, damping = model.output.weight.detach().clone(), FIRST_DAMPING
    seen = [_objective(model, stars, index, temperature, cap, anchor)]
    for _ in range(steps):
        equations = _equations(model, stars, index, subset, temperature, cap)
        kept, variables = copy.deepcopy(model.state_dict()), stars.variables.clone()
        take_step(model, equations.step((anchor - model.output.weight.detach()).double(), ANCHOR**-2, damping))
        stars.refine(model, index, temperature)
        value = _objective(model, stars, index, temperature, cap, anchor)
        if value < seen[-1]:
            damping = max(damping / 5, 1e-6)
        else:
            model.load_state_dict(kept)
            stars.variables[:] = variables
            damping *= 10
            value = seen[-1]
        seen.append(value)
        if seen[-2] - SMALL_GAIN < value < seen[-2]:
            break
    return [round(each, 4) for each in seen]


def _equations(
    model: FluxModel, stars: TrainingStars, index: Int[Tensor, " m"], subset: Int[Tensor, " s"], temperature: float, cap: float
) -> ReadoutEquations:
    equations = ReadoutEquations.empty(model)
    groups = [(subset, True)] if len(subset) == len(index) else [(subset, True), (index[~torch.isin(index, subset)], False)]
    for group, with_curvature in groups:
        for observed, labels, here in stars.blocks(group):
            warm = tempered(observed, temperature)
            equations.add(stars.problem(model, warm, labels), warm, here, cap, with_curvature=with_curvature)
    equations.curvature *= len(index) / len(subset)
    return equations


def _settle(model: FluxModel, stars: TrainingStars, index: Int[Tensor, " m"], temperature: float) -> dict[str, float]:
    """One step along the directions that fluxes do not see, and the stars to their best parameters again."""
    exact = copy.deepcopy(model).double()
    parts = []
    for block in torch.split(index, 1024):
        observed, _, here = stars.take(block, torch.float64)
        parts.append([each.cpu() for each in flux_values(exact, tempered(observed, temperature), here)])
    values, variance = (torch.cat([part[i] for part in parts]) for i in (0, 1))
    observed, labels = _without_fluxes(stars, index)
    exact = exact.cpu()
    moved, figures = gauge_step(exact, observed, labels, values, variance, stars.variables[index])
    model.load_state_dict(exact.state_dict())
    stars.put(index, moved)
    stars.refine(model, index, temperature)
    return {name: round(value, 4) for name, value in figures.items()}


def _without_fluxes(stars: TrainingStars, index: Int[Tensor, " m"]) -> tuple[Observations, KnownLabels]:
    """Parallaxes and labels of stars in float64, without copying their whitening matrices."""
    observed = stars.observed
    nothing = torch.empty(len(index), 0)
    parallax = observed.parallax[index].double(), observed.parallax_error[index].double()
    return Observations(nothing, nothing, nothing[..., None], *parallax), stars.labels.take(index).to(dtype=torch.float64)
