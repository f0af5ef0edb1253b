"""The training of a flux model on stars with known labels: the phases of Zhang, Green & Rix 2023 (section 3.2) on any set of bands.

Needs no database: observations and labels are tensors, wherever they come from (models/forward/training/sample.py reads a release's). Whitening matrices
may lie in a memory-mapped file: only a batch of stars is in memory at a time.
"""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from catalog.errors import DataError, RunError
from models.forward.flux_model import FluxModel
from models.forward.observed.observations import KnownLabels, Observations
from models.forward.parameters import EXT, N_TYPE
from models.forward.training.checkpoint import Checkpoint
from models.forward.training.extinction_shape import LEAST_EXT, fit_slope, require_reddened
from models.forward.training.joint_fit import fit_jointly
from models.forward.training.network_fit import capped, network_step, optimiser_of, start_network, weight_norm
from models.forward.training.phases import Phase, phases
from models.forward.training.self_cleaning import Outliers, half, outliers
from models.forward.training.star_descent import by_adam, descended
from models.forward.training.training_stars import BLOCK, TrainingStars, high_quality, measured_variables, tempered
from models.forward.type_prior import TypePrior
from models.learning.training import repeatable
from models.numerics.devices import CPU, device_class
from models.spec import Progress, Report

MINIMUM_STARS = 100
"""Of high-quality stars: fewer say nothing of a network with thousands of weights."""
STAR_STEPS = 2
"""Of the solver before each step of the network."""
REPORT_SECONDS = 0.5
RUNAWAY, RETREATS = 3.0, 5
"""By what factor the running objective may rise above a phase's best before the training goes back there, and how often it may."""
MEMORY = 0.95
"""Weight of the past in the running loss, and in the ratio of chi_f^2 to the number of bands."""


@dataclass(frozen=True, eq=False)
class FluxTraining:
    """A trained flux model with the prior of its stars' types.

    ``variables``: all stars' parameters at their best under the final model (Eq. 14). ``clean``: the stars that self-cleaning left.
    """

    flux_model: FluxModel
    type_prior: TypePrior
    ln_prior_cut: float
    variables: Float[Tensor, "n p"]
    clean: Bool[Tensor, " n"]
    metrics: dict[str, Any]


def train_flux_model(
    observed: Observations, labels: KnownLabels, wavelengths: Float[np.ndarray, " bands"], settings: Mapping[str, Any], seed: int,
    report: Report, device: torch.device = CPU, checkpoint: Checkpoint | None = None,
) -> FluxTraining:  # fmt: skip
    """Learn a flux model from stars with labels; DataError if there are too few, RunError if the objective does not stay finite.

    ``settings``: those of ``models.forward.settings`` with those of ``models.forward.training.training``. Same stars, settings and seed: same model. With a
    ``checkpoint`` a training that was stopped goes on where it was.
    """
    with repeatable(seed, device):
        return _Training(observed, labels, wavelengths, settings, seed, report, device, checkpoint).run()


class _Training:
    """State of one training. ``done`` counts finished phases, ``epoch`` epochs of the present one."""

    def __init__(
        self, observed: Observations, labels: KnownLabels, wavelengths: Float[np.ndarray, " bands"], settings: Mapping[str, Any], seed: int,
        report: Report, device: torch.device, checkpoint: Checkpoint | None,
    ) -> None:  # fmt: skip
        self.began = self.reported = time.monotonic()
        self.settings, self.seed, self.report, self.device, self.checkpoint = settings, seed, report, device, checkpoint
        self.phases, self.wavelengths = phases(settings), wavelengths
        self.good = high_quality(observed, labels)
        if (found := int(self.good.sum())) < MINIMUM_STARS:
            raise DataError(
                f"only {found} of {len(observed)} training stars have measurements of high quality (errors below 200 K, 0.2 dex and 0.1 mag, parallax "
                f"above ten times its error): the forward model wants {MINIMUM_STARS} or more. Ingest more survey labels, parallaxes and reddening."
            )
        if settings["xi"]:  # told before the training, not at its end
            require_reddened(int((labels.ext > LEAST_EXT).sum()), len(observed))
        self.clean = torch.ones(len(observed), dtype=torch.bool)
        self.generator = torch.Generator().manual_seed(seed)  # draws the batches, on the CPU for every device
        self.model = FluxModel(wavelengths, int(settings["width"]), int(settings["layers"]), xi=bool(settings["xi"]))
        self.stars = TrainingStars(
            observed, labels, measured_variables(observed, labels, self.model.n_parameters).double(), settings, device
        )
        start_network(self.model, observed, labels, self.stars.variables, torch.nonzero(self.good)[:, 0])
        if self.model.has_xi:  # one curve for all stars first: neither xi nor its slope has a gradient while both are zero
            self.first_slope = self.model.extinction_slope.detach().clone()
            self.model.extinction_slope.requires_grad_(False).zero_()
        self.model.to(device)
        self.cap = float(settings["chi2_cap"]) * self.model.n_bands
        self.penalty, self.clip = float(settings["weight_penalty"]), float(settings["gradient_clip"])
        self.batch = int(settings["batch"])
        self.done, self.epoch, self.step, self.loss, self.temperature = 0, 0, 0, math.nan, 1.0
        self.best: dict[str, Any] | None = None
        self.retreats = 0
        self.history: list[dict[str, Any]] = []
        self.seconds_before = 0.0
        self.optimiser: torch.optim.Optimizer | None = None

    # --- phases ---

    def run(self) -> FluxTraining:
        if self.checkpoint is not None and (kept := self.checkpoint.load()) is not None:
            self.restore(kept)
        while self.done < len(self.phases):
            self.run_phase(self.phases[self.done])
            self.done, self.epoch, self.optimiser, self.best, self.retreats = self.done + 1, 0, None, None, 0
            if self.checkpoint is not None:
                self.checkpoint.save(self.state())
        return self.finish()

    def chosen(self, phase: Phase) -> Tensor:
        """Indices of the phase's stars."""
        mask = {"high_quality": self.good, "all": torch.ones_like(self.good), "clean": self.clean}[phase.stars]
        return torch.nonzero(mask)[:, 0]

    def batches(self, phase: Phase) -> int:
        """Number of batches of an epoch."""
        return -(-len(self.chosen(phase)) // (self.batch if phase.in_batches else BLOCK))

    def epochs(self, phase: Phase) -> int:
        """Number of epochs of a phase."""
        return phase.epochs_of(self.batches(phase))

    def run_phase(self, phase: Phase) -> None:
        """All epochs of a phase that are left, then what ends it: joint fit, figures, cleaning."""
        chosen = self.chosen(phase)
        if self.optimiser is None and phase.learns_network:
            self.optimiser = optimiser_of(self.model, phase)
        epochs, batches = self.epochs(phase), self.batches(phase)
        if self.epoch == 0 and phase.learns_network:
            self.loss = math.nan
        while self.epoch < epochs:
            for number, index in enumerate(self.order(phase, chosen, batches)):
                self.move(phase, index, (self.epoch + number / batches) / epochs)
            self.epoch += 1
            if phase.learns_network:
                self.watch(phase)
            if self.checkpoint is not None and self.checkpoint.due():
                self.checkpoint.save(self.state())
        figures: dict[str, Any] = {"phase": phase.number, "stars": len(chosen), "epochs": epochs, "retreats": self.retreats}
        if phase.joint:
            figures["joint_fit"] = fit_jointly(
                self.model, self.stars, chosen, steps=int(self.settings["joint_steps"]), gauge=bool(self.settings["gauge_steps"]), cap=self.cap,
                generator=self.generator,
            )  # fmt: skip
        if phase.opens_xi:  # of all stars: self-cleaning takes most reddened ones out of a small sample
            figures["xi"] = fit_slope(self.model, self.stars, torch.arange(len(self.stars)), self.wavelengths, self.first_slope)
        figures |= self.objective(chosen)
        if phase.cleans:
            found = self.outliers()
            self.clean = ~found.any
            figures["self_cleaning"] = found.counts()
        self.history.append(figures | {"seconds": round(self.seconds(), 2)})

    def order(self, phase: Phase, chosen: Tensor, batches: int) -> Iterator[Tensor]:
        """The batches of an epoch: in a new order where the network learns, in that of the stars elsewhere."""
        if phase.learns_network:
            chosen = chosen[torch.randperm(len(chosen), generator=self.generator)]
        return iter(torch.tensor_split(chosen, batches))

    def move(self, phase: Phase, index: Tensor, share: float) -> None:
        """One step with a batch: stars and then network where the solver moves the stars, network and then stars as the paper does."""
        observed, labels, here = self.stars.take(index)
        if phase.star_rule == "solver":
            seen = tempered(observed, max(self.temperature, phase.least_temperature)) if phase.least_temperature else observed
            here = self.stars.fit(self.model, seen, labels, here, *([STAR_STEPS] if phase.learns_network else [])).variables
        if phase.learns_network:
            self.learn(phase, observed, here, share)
        if phase.star_rule == "descent":
            here = descended(self.stars.problem(self.model, observed, labels), here, phase.star_rate_at(share), self.clip)
        if phase.star_rule == "adam":
            here = by_adam(self.stars.problem(self.model, observed, labels), here, phase.star_rate, phase.star_steps)
        if phase.star_rule != "held":
            self.stars.put(index, here)
        self.tell(len(index))

    def learn(self, phase: Phase, observed: Observations, here: Tensor, share: float) -> None:
        """One step of the network."""
        assert self.optimiser is not None
        loss, median = network_step(
            self.model,
            self.optimiser,
            observed,
            here,
            rate=phase.network_rate_at(share) * 0.5**self.retreats,
            cap=self.cap,
            penalty=self.penalty,
            clip=self.clip,
        )
        if not math.isfinite(loss):
            self.loss = math.inf
        elif math.isnan(self.loss):
            self.loss, self.temperature = loss, max(median / self.model.n_bands, 1.0)
        else:
            self.loss = MEMORY * self.loss + (1 - MEMORY) * loss
            self.temperature = MEMORY * self.temperature + (1 - MEMORY) * max(median / self.model.n_bands, 1.0)

    def watch(self, phase: Phase) -> None:
        """Keep the phase's best state; go back to it, with a lower rate, where the objective has run away from it."""
        if self.best is None or self.loss < self.best["loss"]:
            self.best = {
                "loss": self.loss, "temperature": self.temperature, "variables": self.stars.variables.clone(),
                "model": {name: value.detach().clone() for name, value in self.model.state_dict().items()},
            }  # fmt: skip
        elif not self.loss < RUNAWAY * self.best["loss"]:
            self.retreats += 1
            if self.retreats > RETREATS:
                raise RunError(
                    f"the objective ran away {self.retreats} times in phase {phase.number}, last to {self.loss:g} from {self.best['loss']:g} in epoch "
                    f"{self.epoch}, although the rate was halved each time: lower network_rate, or look for stars with wild labels."
                )
            self.model.load_state_dict(self.best["model"])
            self.stars.variables[:] = self.best["variables"]
            self.loss, self.temperature = self.best["loss"], self.best["temperature"]
            self.optimiser = optimiser_of(self.model, phase)

    # --- figures ---

    def objective(self, chosen: Tensor) -> dict[str, float]:
        """What the phases descend, over these stars: mean and median of chi_f^2, L_star (Eq. 14), L_model (Eq. 12), with and without the cap."""
        chi2, loss = self.stars.measured(self.model, chosen)
        norm = float(weight_norm(self.model).detach())
        figures: dict[str, Tensor | float] = {
            "chi2": chi2.mean(), "median_chi2": chi2.median(), "L_star": loss.mean(), "median_L_star": loss.median(),
            "L_model": chi2.mean() + self.penalty * norm, "L_model_capped": capped(chi2, self.cap).mean() + self.penalty * norm,
            "mean_square_weight": norm,
        }  # fmt: skip
        return {name: round(float(value), 4) for name, value in figures.items()}

    @torch.no_grad()
    def outliers(self) -> Outliers:
        """All stars against the model of the moment."""
        found = []
        for observed, labels, here in self.stars.blocks(torch.arange(len(self.stars))):
            gain = torch.zeros_like(here[:, 0])
            if self.settings["cleaning_binaries"]:
                start = measured_variables(observed, labels, here.shape[1])
                start[:, EXT] = here[:, EXT]
                two = self.stars.fit(self.model, half(observed), labels, start).value
                gain = self.stars.problem(self.model, observed, labels).loss(here) - two
            found.append(outliers(self.model, observed, labels, here, float(self.settings["cleaning_sigma"]), gain))
        return Outliers.joined(found)

    def seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.began

    def tell(self, stars: int) -> None:
        self.step += 1
        left = sum(self.epochs(phase) * self.batches(phase) for phase in self.phases[self.done :])
        now = time.monotonic()
        if now - self.reported >= REPORT_SECONDS or self.step == 1:
            self.reported = now
            present = self.phases[self.done]
            gone = self.epoch * self.batches(present)
            steps = max(self.step, self.step + left - gone)
            rate = self.step / max(self.seconds(), 1e-6)
            self.report(Progress(self.step, steps, self.loss, rate * stars, (steps - self.step) / rate))

    # --- what is kept ---

    def state(self) -> dict[str, Any]:
        """Everything that the rest of the training follows from."""
        return {
            "done": self.done, "epoch": self.epoch, "step": self.step, "loss": self.loss, "temperature": self.temperature, "history": self.history,
            "seconds": self.seconds(), "model": self.model.state_dict(), "variables": self.stars.variables, "clean": self.clean,
            "optimiser": None if self.optimiser is None else self.optimiser.state_dict(), "generator": self.generator.get_state(),
            "best": self.best, "retreats": self.retreats,
        }  # fmt: skip

    def restore(self, kept: Mapping[str, Any]) -> None:
        self.done, self.epoch, self.step, self.loss = kept["done"], kept["epoch"], kept["step"], kept["loss"]
        self.temperature, self.history, self.seconds_before = kept["temperature"], kept["history"], kept["seconds"]
        self.model.load_state_dict(kept["model"])
        self.stars.variables, self.clean = kept["variables"], kept["clean"]
        self.generator.set_state(kept["generator"])
        self.best, self.retreats = kept["best"], kept["retreats"]
        if kept["optimiser"] is not None:
            self.optimiser = optimiser_of(self.model, self.phases[self.done])
            self.optimiser.load_state_dict(kept["optimiser"])

    def finish(self) -> FluxTraining:
        """The prior of the clean stars' types, and everything in float64 on the CPU."""
        components = int(self.settings["prior_components"])
        types = self.stars.variables[self.clean, :N_TYPE]
        prior = TypePrior.fitted(types.numpy(), components, self.seed)
        cut = prior.quantile(float(self.settings["ln_prior_share"]), torch.Generator().manual_seed(self.seed))
        self.report(Progress(self.step, self.step, self.loss, self.step / max(self.seconds(), 1e-6), 0.0))
        metrics = {
            "phases": self.history, "stars": len(self.stars), "high_quality": int(self.good.sum()), "clean": int(self.clean.sum()),
            "prior": {"components": components, "ln_prior_cut": round(cut, 4), "mean_ln_density": round(float(prior.ln_density(types).mean()), 4)},
            "seconds": round(self.seconds(), 1), "device": device_class(self.device),
        }  # fmt: skip
        model = self.model.to(CPU).double().requires_grad_(False).eval()
        return FluxTraining(model, prior, cut, self.stars.variables, self.clean, metrics)
