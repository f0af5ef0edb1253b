"""The training of a flux model on stars with known labels: the phases of Zhang, Green & Rix 2023 (section 3.2) on any set of bands.

Needs no database: observations and labels are tensors, wherever they come from (models/forward/sample.py reads a release's). Whitening matrices
may lie in a memory-mapped file: only a batch of stars is in memory at a time.
"""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from catalog.errors import DataError, RunError
from models.forward.checkpoint import Checkpoint
from models.forward.flux_model import FluxModel
from models.forward.gauge import gauge_step
from models.forward.linear_label_prior import LinearLabelPrior
from models.forward.network_fit import capped, network_step, optimiser_of, start_network, weight_norm
from models.forward.objective import LabelPrior, StarObjective
from models.forward.observations import KnownLabels, Observations
from models.forward.parameters import EXT, N_TYPE, PARALLAX
from models.forward.phases import Phase, phases
from models.forward.self_cleaning import Outliers, half, outliers
from models.forward.type_prior import TypePrior
from models.learning.training import repeatable
from models.numerics.devices import CPU, device_class
from models.numerics.least_squares import Minimum, batched_least_squares
from models.spec import Progress, Report

BLOCK = 1024
"""Stars whose parameters are fitted, or whose objective is summed, at a time."""
MINIMUM_STARS = 100
"""Of high-quality stars: fewer say nothing of a network with thousands of weights."""
HIGH_QUALITY_TYPE_ERROR = (0.2, 0.2, 0.2)
"""kK, dex, dex (Eq. 15)."""
HIGH_QUALITY_EXT_ERROR = 0.1
HIGH_QUALITY_PARALLAX_RATIO = 10.0
LARGEST_STEP = (0.8, 0.8, 0.8, 1.5, 1.0, 1.0)
"""Of the solver in (teff, feh, logg, ln ext, ln parallax, xi)."""
STAR_STEPS = 2
"""Of the solver before each step of the network."""
LEAST_EXT, LEAST_PARALLAX = 1e-3, 1e-3
"""Where stars start whose reddening or parallax is not above."""
REPORT_SECONDS = 0.5


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


def high_quality(observed: Observations, labels: KnownLabels) -> Bool[Tensor, " n"]:
    """The stars with the better measurements (Zhang, Green & Rix 2023, Eq. 15)."""
    types = (labels.type_error < labels.type_error.new_tensor(HIGH_QUALITY_TYPE_ERROR)).all(1)
    return types & (observed.parallax > HIGH_QUALITY_PARALLAX_RATIO * observed.parallax_error) & (labels.ext_error < HIGH_QUALITY_EXT_ERROR)


def measured_variables(observed: Observations, labels: KnownLabels, n_parameters: int) -> Float[Tensor, "n p"]:
    """The solver's variables at their measured values; an unknown reddening is the others' median."""
    variables = torch.zeros(len(observed), n_parameters, dtype=torch.float64, device=labels.type.device)
    known = torch.isfinite(labels.ext_error)
    ext = torch.where(known, labels.ext, labels.ext[known].median() if bool(known.any()) else 0.1)
    variables[:, :N_TYPE] = labels.type
    variables[:, EXT] = torch.log(ext.clamp(min=LEAST_EXT))
    variables[:, PARALLAX] = torch.log(observed.parallax.clamp(min=LEAST_PARALLAX))
    return variables


def tempered(observed: Observations, temperature: float | None) -> Observations:
    """The same with all errors of the fluxes larger by the square root of ``temperature`` (1 or more)."""
    root = math.sqrt(temperature or 1.0)
    return replace(observed, flux_error=observed.flux_error * root, whitening=observed.whitening / root)


def train_flux_model(
    observed: Observations, labels: KnownLabels, wavelengths: Float[np.ndarray, " bands"], settings: Mapping[str, Any], seed: int,
    report: Report, device: torch.device = CPU, checkpoint: Checkpoint | None = None,
) -> FluxTraining:  # fmt: skip
    """Learn a flux model from stars with labels; DataError if there are too few, RunError if the objective does not stay finite.

    ``settings``: those of ``models.forward.settings`` with those of ``models.forward.training``. Same stars, settings and seed: same model. With a
    ``checkpoint`` a training that was stopped goes on where it was.
    """
    with repeatable(seed, device):
        return _Training(observed, labels, wavelengths, settings, seed, report, device, checkpoint).run()


@dataclass(eq=False)
class _Training:
    """State of one training. ``done`` counts finished phases, ``epoch`` epochs of the present one."""

    observed: Observations
    labels: KnownLabels
    wavelengths: Float[np.ndarray, " bands"]
    settings: Mapping[str, Any]
    seed: int
    report: Report
    device: torch.device
    checkpoint: Checkpoint | None
    done: int = 0
    epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    seconds_before: float = 0.0

    def __post_init__(self) -> None:
        self.began = self.reported = time.monotonic()
        self.phases = phases(self.settings)
        self.good = high_quality(self.observed, self.labels)
        if (found := int(self.good.sum())) < MINIMUM_STARS:
            raise DataError(
                f"only {found} of {len(self.observed)} training stars have measurements of high quality (errors below 200 K, 0.2 dex and 0.1 mag, parallax "
                f"above ten times its error): the forward model wants {MINIMUM_STARS} or more. Ingest more survey labels, parallaxes and reddening."
            )
        self.clean = torch.ones(len(self.observed), dtype=torch.bool)
        self.generator = torch.Generator().manual_seed(self.seed)  # draws the batches, on the CPU for every device
        width, layers = int(self.settings["width"]), int(self.settings["layers"])
        self.model = FluxModel(self.wavelengths, width, layers, xi=bool(self.settings["xi"]))
        self.variables = measured_variables(self.observed, self.labels, self.model.n_parameters)
        start_network(self.model, self.observed.take(self.good), self.labels.take(self.good), self.variables[self.good].float())
        self.model.to(self.device)
        self.cap = float(self.settings["chi2_cap"]) * self.model.n_bands
        self.penalty = float(self.settings["weight_penalty"])
        self.batch = int(self.settings["batch"])
        self.steps = sum(self.epochs(phase) * self.batches(phase) for phase in self.phases)
        self.step, self.loss = 0, math.nan
        self.temperature: float | None = None
        self.optimiser: torch.optim.Optimizer | None = None

    # --- stars ---

    def chosen(self, phase: Phase) -> Tensor:
        """Indices of the phase's stars."""
        mask = {"high_quality": self.good, "all": torch.ones_like(self.good), "clean": self.clean}[phase.stars]
        return torch.nonzero(mask)[:, 0]

    def batches(self, phase: Phase) -> int:
        """Number of batches of an epoch; of the clean stars not known before the cleaning, so of all."""
        return -(-len(self.chosen(phase)) // (self.batch if phase.learns_network else BLOCK))

    def epochs(self, phase: Phase) -> int:
        """Number of epochs of a phase."""
        return phase.epochs_of(self.batches(phase))

    def stars(self, index: Tensor, dtype: torch.dtype = torch.float32) -> tuple[Observations, KnownLabels]:
        """Some of the stars on the device."""
        return self.observed.take(index).to(device=self.device, dtype=dtype), self.labels.take(index).to(device=self.device, dtype=dtype)

    # --- phases ---

    def run(self) -> FluxTraining:
        if self.checkpoint is not None and (kept := self.checkpoint.load()) is not None:
            self.restore(kept)
        while self.done < len(self.phases):
            phase = self.phases[self.done]
            self.run_phase(phase)
            self.done, self.epoch, self.optimiser = self.done + 1, 0, None
            if self.checkpoint is not None:
                self.checkpoint.save(self.state())
        return self.finish()

    def run_phase(self, phase: Phase) -> None:
        """All epochs of a phase that are left, then its objective and, where it is due, the cleaning."""
        chosen = self.chosen(phase)
        if self.optimiser is None and phase.learns_network:
            self.optimiser = optimiser_of(self.model, phase)
        epochs = self.epochs(phase)
        while self.epoch < epochs:
            for number, index in enumerate(self.order(phase, chosen)):
                share = (self.epoch + number / self.batches(phase)) / epochs
                self.move(phase, index, share)
            if phase.gauge:
                self.align(chosen)
            self.epoch += 1
            if self.checkpoint is not None and self.checkpoint.due():
                self.checkpoint.save(self.state())
        figures: dict[str, Any] = {
            "phase": phase.number,
            "stars": len(chosen),
            **self.objective(chosen),
            "seconds": round(self.seconds(), 2),
        }
        if phase.cleans:
            found = self.outliers()
            self.clean = ~found.any
            figures["self_cleaning"] = found.counts()
        self.history.append(figures)

    def align(self, chosen: Tensor) -> None:
        """The step of stars and network along the directions that fluxes do not see."""
        labels, here = self.labels.take(chosen).to(device=CPU, dtype=torch.float64), self.variables[chosen]
        parallax, error = self.observed.parallax[chosen].double(), self.observed.parallax_error[chosen].double()
        self.variables[chosen] = gauge_step(self.model, labels, parallax, error, here)

    def order(self, phase: Phase, chosen: Tensor) -> Iterator[Tensor]:
        """The batches of an epoch: in a new order where the network learns, in that of the stars elsewhere."""
        if phase.learns_network:
            chosen = chosen[torch.randperm(len(chosen), generator=self.generator)]
        return iter(torch.tensor_split(chosen, self.batches(phase)))

    def move(self, phase: Phase, index: Tensor, share: float) -> None:
        """One step with a batch."""
        observed, labels = self.stars(index)
        here = self.variables[index].to(self.device, torch.float32)
        if phase.star_rule == "solver":
            seen = tempered(observed, self.temperature) if phase.tempered else observed
            here = self.solve(seen, labels, here, STAR_STEPS if phase.learns_network else 60).variables
        if phase.learns_network:
            assert self.optimiser is not None
            loss, median = network_step(
                self.model, self.optimiser, observed, here, torch.ones_like(here[:, 0]), rate=phase.network_rate_at(share), cap=self.cap,
                penalty=self.penalty, clip=float(self.settings["gradient_clip"]),
            )  # fmt: skip
            if not math.isfinite(loss):
                raise RunError(f"the objective became {loss} in phase {phase.number}, epoch {self.epoch + 1}: lower network_rate.")
            self.loss = loss if math.isnan(self.loss) else 0.95 * self.loss + 0.05 * loss
            ratio = max(median / self.model.n_bands, 1.0)
            self.temperature = ratio if self.temperature is None else 0.95 * self.temperature + 0.05 * ratio
        if phase.star_rule != "held":
            self.variables[index] = here.double().cpu()
        self.tell(phase, len(index))

    def prior(self, labels: KnownLabels) -> LabelPrior:
        """The labels as a prior, with the logarithmic terms of Eq. 14 or without."""
        return LabelPrior(labels) if self.settings["logarithmic_terms"] else LinearLabelPrior(labels)

    def solve(self, observed: Observations, labels: KnownLabels, start: Tensor, iterations: int) -> Minimum:
        """The stars' parameters after some steps of the solver."""
        with torch.no_grad():
            problem = StarObjective(self.model, observed, self.prior(labels))
            return batched_least_squares(problem, start, largest_step=LARGEST_STEP[: start.shape[1]], iterations=iterations)

    # --- figures ---

    @torch.no_grad()
    def objective(self, chosen: Tensor) -> dict[str, float]:
        """What the phases descend, over these stars: mean and median of chi_f^2, L_star (Eq. 14), L_model (Eq. 12)."""
        chi2, star = [], []
        for index in torch.split(chosen, BLOCK):
            observed, labels = self.stars(index)
            here = self.variables[index].to(self.device, torch.float32)
            problem = StarObjective(self.model, observed, self.prior(labels))
            chi2.append(problem.chi2(here).double().cpu())
            star.append(problem.loss(here).double().cpu())
        chi2s, stars, norm = torch.cat(chi2), torch.cat(star), float(weight_norm(self.model))
        return {
            "chi2": float(chi2s.mean()), "median_chi2": float(chi2s.median()), "L_star": float(stars.mean()), "median_L_star": float(stars.median()),
            "L_model": float(chi2s.mean()) + self.penalty * norm, "L_model_capped": float(capped(chi2s, self.cap).mean()) + self.penalty * norm,
            "mean_square_weight": norm,
        }  # fmt: skip

    @torch.no_grad()
    def outliers(self) -> Outliers:
        """All stars against the model of the moment."""
        found = []
        for index in torch.split(torch.arange(len(self.observed)), BLOCK):
            observed, labels = self.stars(index)
            here = self.variables[index].to(self.device, torch.float32)
            gain = self.gain_as_binaries(observed, labels, here) if self.settings["cleaning_binaries"] else torch.zeros_like(here[:, 0])
            found.append(outliers(self.model, observed, labels, here, float(self.settings["cleaning_sigma"]), gain))
        return Outliers.joined(found)

    def gain_as_binaries(self, observed: Observations, labels: KnownLabels, single: Tensor) -> Tensor:
        """By how much two stars alike explain each star better than one does, in L_star."""
        start = measured_variables(observed, labels, self.model.n_parameters).to(single)
        start[:, EXT] = single[:, EXT]
        double = self.solve(half(observed), labels, start, 60)
        return StarObjective(self.model, observed, self.prior(labels)).loss(single) - double.value

    def seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.began

    def tell(self, phase: Phase, stars: int) -> None:
        self.step += 1
        now = time.monotonic()
        if now - self.reported >= REPORT_SECONDS or self.step == self.steps:
            self.reported = now
            rate = self.step / (now - self.began)
            self.report(Progress(self.step, self.steps, self.loss, rate * stars, (self.steps - self.step) / rate))

    # --- what is kept ---

    def state(self) -> dict[str, Any]:
        return {
            "done": self.done, "epoch": self.epoch, "step": self.step, "loss": self.loss, "temperature": self.temperature, "history": self.history, "seconds": self.seconds(),
            "model": self.model.state_dict(), "optimiser": None if self.optimiser is None else self.optimiser.state_dict(),
            "variables": self.variables, "clean": self.clean, "generator": self.generator.get_state(),
        }  # fmt: skip

    def restore(self, kept: Mapping[str, Any]) -> None:
        self.done, self.epoch, self.step, self.loss = kept["done"], kept["epoch"], kept["step"], kept["loss"]
        self.temperature = kept["temperature"]
        self.history, self.seconds_before = kept["history"], kept["seconds"]
        self.model.load_state_dict(kept["model"])
        self.variables, self.clean = kept["variables"], kept["clean"]
        self.generator.set_state(kept["generator"])
        if kept["optimiser"] is not None:
            self.optimiser = optimiser_of(self.model, self.phases[self.done])
            self.optimiser.load_state_dict(kept["optimiser"])

    def finish(self) -> FluxTraining:
        """The prior of the clean stars' types, and everything in float64 on the CPU."""
        components = int(self.settings["prior_components"])
        prior = TypePrior.fitted(self.variables[self.clean, :N_TYPE].numpy(), components, self.seed)
        cut = prior.quantile(float(self.settings["ln_prior_share"]), torch.Generator().manual_seed(self.seed))
        metrics = {
            "phases": self.history, "stars": len(self.observed), "high_quality": int(self.good.sum()), "clean": int(self.clean.sum()),
            "prior": {"components": components, "ln_prior_cut": round(cut, 4), "mean_ln_density": round(float(prior.ln_density(self.variables[self.clean, :N_TYPE]).mean()), 4)},
            "seconds": round(self.seconds(), 1), "device": device_class(self.device),
        }  # fmt: skip
        model = self.model.to(CPU).double().requires_grad_(False).eval()
        return FluxTraining(model, prior, cut, self.variables, self.clean, metrics)
