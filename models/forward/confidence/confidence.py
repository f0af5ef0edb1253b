"""Confidence in teff, feh and logg: for each a small network that tells whether the estimate would agree with a survey's (Zhang, Green & Rix 2023).

Section 4.4 and Appendix B. An estimate is good where chi_eps^2 = dx^2 / (sigma^2 + sigma_survey^2 + eps^2) < 4 and bad above 9; between, it
teaches nothing. A label whose training stars have too few bad or good examples has no classifier: its confidences are NaN, and that is reported.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor, nn

from models.forward.confidence.calibration import Calibration
from models.forward.confidence.features import FEATURES
from models.forward.inference.inference import Estimates
from models.forward.observed.observations import KnownLabels
from models.forward.parameters import TYPE
from models.forward.version import ForwardVersion

PART = "confidence"
WIDTH, LAYERS = 64, 3
TOLERANCE = {"teff": 0.1, "feh": 0.1, "logg": 0.1}
"""eps of Eq. 27, in kK and dex."""
GOOD, BAD = 4.0, 9.0
"""An estimate is good where chi_eps^2 is below the one and bad where it is above the other."""
FARTHEST = 10.0
"""Standardised features end here, so that a number such as no training star has cannot outweigh all others."""
BLOCK = 512


@dataclass(frozen=True, eq=False)
class Confidence:
    """The classifiers of a version, in float64; ``networks`` has those labels that could be learnt."""

    centre: Float64[Tensor, " features"]
    scale: Float64[Tensor, " features"]
    networks: Mapping[str, nn.Sequential] = field(default_factory=dict)
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)

    @classmethod
    def from_version(cls, version: ForwardVersion) -> Self:
        """The classifiers stored with a version; none where it has none."""
        tensors = version.part(PART)
        networks, calibrations = {}, {}
        for label in TYPE:
            part = {name.removeprefix(f"{label}."): value for name, value in tensors.items() if name.startswith(f"{label}.")}
            if part:
                calibrations[label] = Calibration.from_tensors({name: part.pop(f"calibration.{name}") for name in ("score", "frequency")})
                networks[label] = classifier(0.0)
                networks[label].load_state_dict(part)
                networks[label].double().requires_grad_(False).eval()
        nothing = torch.empty(0, dtype=torch.float64)
        return cls(tensors.get("centre", nothing).double(), tensors.get("scale", nothing).double(), networks, calibrations)

    def tensors(self) -> dict[str, Tensor]:
        """What ``ForwardVersion.extras`` holds of the classifiers; nothing where there is none."""
        if not self.networks:
            return {}
        stored = {f"{PART}.centre": self.centre, f"{PART}.scale": self.scale}
        for label, network in self.networks.items():
            stored |= {f"{PART}.{label}.{name}": value.float() for name, value in network.state_dict().items()}
            stored |= {f"{PART}.{label}.calibration.{name}": value for name, value in self.calibrations[label].tensors().items()}
        return stored

    def standardised(self, features: Float64[Tensor, "n 86"]) -> Float64[Tensor, "n 86"]:
        """Features about the training stars' medians in their spread, within +-10; 0, the median, where a star has none."""
        return torch.nan_to_num((features - self.centre) / self.scale, nan=0.0).clamp(-FARTHEST, FARTHEST)

    def probabilities(self, features: Float64[Tensor, "n 86"]) -> Float64[np.ndarray, "n 3"]:
        """Raw confidences in the order of TYPE, NaN for a label without classifier.

        The stars go through the networks in blocks of one size, filled up with zeros, so that no star's result depends on the others' number.
        """
        raw = np.full((len(features), len(TYPE)), np.nan)
        if not self.networks:
            return raw
        inputs = self.standardised(features)
        for begin in range(0, len(inputs), BLOCK):
            stars = inputs[begin : begin + BLOCK]
            block = torch.zeros(BLOCK, len(FEATURES), dtype=torch.float64)
            block[: len(stars)] = stars
            for label, network in self.networks.items():
                score = torch.sigmoid(network(block)[:, 0])[: len(stars)]
                raw[begin : begin + BLOCK, TYPE.index(label)] = score.numpy()
        return raw

    def calibrated(self, raw: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
        """Of raw confidences, the share of withheld training stars with such a score that were good; NaN for NaN."""
        frequency = np.full_like(raw, np.nan)
        for label, calibration in self.calibrations.items():
            at = TYPE.index(label)
            frequency[:, at] = calibration.of(raw[:, at])
        return frequency


def agreement(estimates: Estimates, labels: KnownLabels) -> Float64[np.ndarray, "n 3"]:
    """chi_eps^2 of each star's estimates and survey labels (Eq. 27), in the order of TYPE; NaN where the survey has no label."""
    estimate = estimates.variables[:, : len(TYPE)].double()
    variance = torch.diagonal(estimates.covariance, dim1=1, dim2=2)[:, : len(TYPE)].double()
    known = labels.type.double()
    total = variance + labels.type_error.double() ** 2 + torch.tensor([TOLERANCE[name] ** 2 for name in TYPE], dtype=torch.float64)
    chi2 = torch.where(torch.isfinite(labels.type_error), (estimate - known) ** 2 / total, torch.full_like(total, torch.nan))
    return chi2.cpu().numpy()


def classifier(dropout: float) -> nn.Sequential:
    """Three layers of 64 rectified units, dropout before each, and one output: the log odds of a good estimate."""
    sizes = [len(FEATURES)] + [WIDTH] * LAYERS
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Dropout(dropout), nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(WIDTH, 1))


def standardisation(features: Float64[Tensor, "n 86"]) -> tuple[Float64[Tensor, " 86"], Float64[Tensor, " 86"]]:
    """Median and spread (half the range of the central 68 %) of each feature over the stars that have it; 0 and 1 where none has."""
    values = features.numpy()
    known = ~np.isnan(values)
    filled = np.where(known.any(axis=0), values, 0.0) if len(values) else np.zeros((1, values.shape[1]))
    low, centre, high = np.nanquantile(filled, (0.16, 0.5, 0.84), axis=0)
    scale = (high - low) / 2
    return torch.from_numpy(centre), torch.from_numpy(np.where(scale > 0, scale, 1.0))
