"""Every choice that makes a version what it is: the paper's and ours side by side, recorded whole with the version.

Ours is the default; ``--set NAME=VALUE`` of ``kiel model train`` takes any other. ``paper`` is what Zhang, Green & Rix 2023 say or, where they are
silent, what their released code does.
"""

from dataclasses import dataclass
from typing import Any

from catalog.releases import DataRelease

Value = bool | int | float | str


@dataclass(frozen=True)
class Choice:
    """One setting: our value, the paper's, and why."""

    name: str
    ours: Value
    paper: Value
    words: str


CHOICES: tuple[Choice, ...] = (
    Choice("error_scaling", "standard_deviation", "off", "Coefficient errors as published, which bp/rp_standard_deviation has scaled; off divides by it (their footnote 2: an oversight)."),
    Choice("parallax_zero_point", "lindegren2021", "none", "Zero point taken off Gaia's parallaxes: lindegren2021, none, or a number of mas as text; their paper is silent, the later code subtracts it."),
    Choice("independent_error", 0.005, 0.005, "Error of each sample that is independent of the others, as a share of its flux (Eq. 2)."),
    Choice("zero_point_error", 0.005, 0.005, "Error common to all samples, as a share of the flux (Eq. 2)."),
    Choice("band_zero_point_error", 0.001, 0.001, "Error common to BP's samples, and to RP's (Eq. 2)."),
    Choice("eigenvalue_floor", 1e-9, 1e-9, "Smallest eigenvalue of a covariance matrix, in (1e-18 W m-2 nm-1)^2."),
    Choice("two_mass_norm_dg", -5.0, -5.0, "2MASS counts where norm_dg is at most this, or null."),
    Choice("unwise_norm_dg", -10.0, -10.0, "unWISE counts where norm_dg is at most this, or null."),
    Choice("width", 32, 32, "Units of each hidden layer: 32 makes their 4,484 parameters (their figure 3 draws 16)."),
    Choice("layers", 3, 3, "Hidden layers."),
    Choice("xi", False, False, "Whether each star's extinction curve has a shape of its own (Zhang & Green 2025)."),
    Choice("prior_components", 16, 16, "Components of the Gaussian mixture prior of stellar types."),
    Choice("ln_prior_share", 0.001, 0.001, "Share of the prior's own mass below the cut of ln_prior (Eq. 25)."),
    Choice("confidence_batch", 128, 4096, "Stars in a batch of the confidence classifiers."),
    Choice("confidence_learning_rate", 1e-3, 1e-3, "Adam's learning rate of the classifiers at the start."),
    Choice("confidence_plateau", 16, 256, "Epochs without a smaller loss of the withheld stars after which the learning rate falls to a tenth."),
    Choice("confidence_patience", 48, 1024, "Epochs without a smaller loss after which a classifier is done; it keeps the weights of its best epoch."),
    Choice("confidence_epochs", 400, 4096, "Most epochs of a classifier (the code; the paper names no end)."),
    Choice("confidence_dropout", 0.1, 0.1, "Dropout before each hidden layer of a classifier."),
    Choice("confidence_l2", 1e-3, 1e-3, "Penalty on the squared weights of each hidden layer of a classifier."),
    Choice("confidence_balance", "weights", "sampling", "How common labels and good estimates are kept from outweighing the rest: by weights, by leaving examples out (their code), or not (none)."),
)  # fmt: skip


def chosen(release: DataRelease, column: str = "ours") -> dict[str, Any]:
    """The settings by name (``ours`` or ``paper``). A simulated sky has one zero point for all parallaxes, -0.03 mas."""
    settings = {choice.name: getattr(choice, column) for choice in CHOICES}
    if release.simulated and settings["parallax_zero_point"] == "lindegren2021":
        settings["parallax_zero_point"] = "-0.03"
    return settings
