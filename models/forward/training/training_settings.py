"""The settings of a training, ours and the paper's side by side, beside those of the model itself (models/forward/settings.py)."""

import math
from collections.abc import Mapping
from typing import Any

from catalog.errors import UsageError
from models.forward.confidence.classifier_fit import BALANCES
from models.forward.settings import Choice
from models.forward.training.phases import SCHEDULES

PRESETS = ("full", "short")
TRAINING_CHOICES: tuple[Choice, ...] = (
    Choice("training_labels", "paper", "paper", "Labels to learn from: paper (LAMOST with Hot Payne), code (its cuts in their released code), or survey[/set] of surveys.survey_labels."),
    Choice("held_out_share", 0.2, 0.2, "Share of the stars that is held out, by identifier and seed."),
    Choice("type_error_floor", 0.0, 0.0, "Added in quadrature to the labels' errors, kK and dex (0.02 in their later code)."),
    Choice("logarithmic_terms", False, True, "Whether stars' parameters in training have Eq. 14's -2 ln ext - 2 ln parallax, which move the zero point of extinction."),
    Choice("schedule", "ours", "paper", "Optimisers, rates and steps: ours or paper (their Table 1)."),
    Choice("batch", 128, 512, "Stars of each step of the network."),
    Choice("epochs_network", 20, 128, "Epochs of phase 1 (schedule ours; the paper's has its own)."),
    Choice("epochs_high_quality", 15, 128, "Epochs of phase 2."),
    Choice("epochs_clean", 25, 128, "Epochs of phase 5."),
    Choice("least_steps_network", 2_000, 0, "Steps of the network in phase 1, however few the stars."),
    Choice("least_steps_high_quality", 1_200, 0, "In phase 2."),
    Choice("least_steps_clean", 2_000, 0, "In phase 5."),
    Choice("network_rate", 3e-3, 1e-3, "Highest learning rate of the network."),
    Choice("network_rate_clean", 1e-3, 1e-7, "Highest learning rate of the network in phase 5."),
    Choice("joint_steps", 6, 0, "Gauss-Newton steps of last layer, extinction curve and all stars at the end of phases 2 and 5 (forward/training/joint_fit.py)."),
    Choice("gauge_steps", True, False, "Whether they end with steps along the directions that fluxes do not see (forward/training/gauge.py)."),
    Choice("star_temperature", 10.0, 0.0, "What stars' chi2 are divided by at least while the network moves: labels then hold what fluxes cannot tell apart. The joint fit divides by nothing."),
    Choice("gradient_clip", 1e9, 1000.0, "Largest norm of a gradient (1000 in their later code)."),
    Choice("chi2_cap", 20.0, 0.0, "Soft cap of chi2 a band in L_model, 0 without (20 in their later code)."),
    Choice("weight_penalty", 1.0, 1.0, "Weight of the mean square weight in L_model (Eq. 12)."),
    Choice("cleaning_sigma", 4.0, 4.0, "Beyond how many sigma of a parameter or flux a star is cleaned away."),
    Choice("cleaning_binaries", True, False, "Whether stars that two equal stars explain better than one are cleaned away too."),
)  # fmt: skip
_SHORT: dict[str, Any] = {"least_steps_network": 800, "least_steps_high_quality": 600, "least_steps_clean": 1_000}
_COUNTS = (
    "width", "layers", "batch", "prior_components", "confidence_batch", "confidence_plateau", "confidence_patience", "confidence_epochs",
)  # fmt: skip
_SHARES = ("held_out_share", "ln_prior_share", "confidence_dropout")
_OF_EITHER_SIGN = ("two_mass_norm_dg", "unwise_norm_dg")
_WORDS = {"schedule": SCHEDULES, "confidence_balance": BALANCES}


def check_settings(settings: Mapping[str, Any]) -> None:
    """UsageError for a value that no training can have, told before stars are read and not after hours of learning."""
    for name, value in settings.items():
        if name in _WORDS and value not in _WORDS[name]:
            raise UsageError(f"the forward model has no {name} {value!r}; there are {', '.join(_WORDS[name])}.")
        if isinstance(value, bool | str) or name in _OF_EITHER_SIGN:
            continue
        if not math.isfinite(value) or value < (1 if name in _COUNTS else 0) or (name in _SHARES and value >= 1):
            wanted = "1 or more" if name in _COUNTS else "at least 0 and below 1" if name in _SHARES else "a finite number, 0 or more"
            raise UsageError(f"the setting {name} is {wanted}, not {value!r}.")


def training_settings(preset: str, column: str = "ours") -> dict[str, Any]:
    """The training's settings by name (``ours`` or ``paper``) for a preset: full, or short for a demonstration. UsageError for another preset."""
    if preset not in PRESETS:
        raise UsageError(f"the forward model has no preset {preset!r}; there are {', '.join(PRESETS)}.")
    settings = {choice.name: getattr(choice, column) for choice in TRAINING_CHOICES}
    return settings | _SHORT if preset == "short" else settings
