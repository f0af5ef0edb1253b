"""The phases of a training: which stars, what is learnt, for how long and by which optimiser (Zhang, Green & Rix 2023, section 3.2, Table 1).

    1  high-quality stars, network alone, the stars at their measured values
    2  high-quality stars, network and stars
    3  all stars' parameters, network held
    4  self-cleaning: stars at odds with the model leave
    5  the stars that are left, network and stars
    6  all stars' parameters, network held

With xi, the slope of the extinction curve comes after all else of phase 5 (extinction_shape): until then all stars have one curve.

Two schedules go through the same phases with the same objectives, so that what they reach can be compared. ``ours``: stars by the batched
solver before each step of the network, which so descends the objective in which the stars are at their best already; the network by Adam with a
cosine of the rate. ``paper``: gradient descent of both, with the rates, drops and steps of their Table 1.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from catalog.errors import UsageError

StarGroup = Literal["high_quality", "all", "clean"]
StarRule = Literal["held", "solver", "descent", "adam"]
"""How the stars' parameters move: not at all, by the batched solver, by gradient descent, by Adam."""
SCHEDULES = ("ours", "paper")
LEARNING = ("network", "high_quality", "clean")
"""What the settings call phases 1, 2 and 5."""
PAPER_EPOCHS = 128
"""Epochs of each of their phases; rates fall by ten after each quarter."""
PAPER_FINAL_STEPS = 4096
"""Steps of their last phase; the rate halves after each eighth."""


@dataclass(frozen=True)
class Phase:
    """One phase: ``epochs`` passes through its stars, more where they are so few that these are less than ``least_steps`` of the network.

    ``network_rate`` 0 holds the network. ``star_steps``: of Adam, all in one pass. ``cleans``: self-cleaning follows. ``least_temperature``: what stars' chi_f^2 are divided by,
    and by more while the network fits them worse than that; 0: by nothing. ``joint``: the joint fit ends it. ``opens_xi``: the slope of the extinction curve is learnt at its end.
    """

    number: int
    stars: StarGroup
    epochs: int
    star_rule: StarRule = "held"
    star_rate: float = 0.0
    network: Literal["adam", "sgd"] = "adam"
    network_rate: float = 0.0
    least_steps: int = 0
    cleans: bool = False
    least_temperature: float = 0.0
    joint: bool = False
    opens_xi: bool = False
    star_steps: int = 0

    def epochs_of(self, batches: int) -> int:
        """Epochs of so many batches."""
        return max(self.epochs, -(-self.least_steps // batches))

    @property
    def learns_network(self) -> bool:
        """Whether the network moves."""
        return self.network_rate > 0

    def network_rate_at(self, share: float) -> float:
        """The network's rate after this share of the phase: a cosine with a short rise for adam, three drops by ten for sgd."""
        if self.network == "sgd":
            return self.network_rate * 0.1 ** min(int(4 * share), 3)
        rise = min(share / WARM_SHARE, 1.0)
        return self.network_rate * (0.05 + 0.95 * rise) * max((1 + math.cos(math.pi * share)) / 2, 1e-3)

    @property
    def in_batches(self) -> bool:
        """Whether it goes through its stars in the batches of the network's steps."""
        return self.learns_network or self.star_rule == "descent"

    def star_rate_at(self, share: float) -> float:
        """The rate of the stars' descent after this share of the phase: three drops by ten."""
        return self.star_rate * 0.1 ** min(int(4 * share), 3)


WARM_SHARE = 0.05
"""Share of a phase in which Adam's rate rises: its estimate of the gradient's size is poor at first."""


def phases(settings: Mapping[str, Any]) -> tuple[Phase, ...]:
    """The phases of a configuration; UsageError for a schedule that there is not."""
    xi = bool(settings["xi"])
    if settings["schedule"] == "ours":
        rate, rate_clean = float(settings["network_rate"]), float(settings["network_rate_clean"])
        heat = float(settings["star_temperature"])
        epochs, steps = ({name: int(settings[f"{kind}_{name}"]) for name in LEARNING} for kind in ("epochs", "least_steps"))
        return (
            Phase(1, "high_quality", epochs["network"], network_rate=rate, least_steps=steps["network"]),
            Phase(2, "high_quality", epochs["high_quality"], "solver", network_rate=rate, least_steps=steps["high_quality"], least_temperature=heat, joint=True),
            Phase(3, "all", 1, "solver", cleans=True),
            Phase(5, "clean", epochs["clean"], "solver", network_rate=rate_clean, least_steps=steps["clean"], least_temperature=heat, joint=True, opens_xi=xi),
            Phase(6, "all", 1, "solver"),
        )  # fmt: skip
    if settings["schedule"] == "paper":
        return (
            Phase(1, "high_quality", PAPER_EPOCHS, network="sgd", network_rate=1e-3),
            Phase(2, "high_quality", PAPER_EPOCHS, "descent", 1e-4, "sgd", 1e-5),
            Phase(3, "all", PAPER_EPOCHS, "descent", 1e-4, cleans=True),
            Phase(5, "clean", PAPER_EPOCHS, "descent", 1e-5, "sgd", 1e-7, opens_xi=xi),
            Phase(6, "all", 1, "adam", 1e-2, star_steps=PAPER_FINAL_STEPS),
        )
    raise UsageError(f"the forward model has no schedule {settings['schedule']!r}; there are {', '.join(SCHEDULES)}.")
