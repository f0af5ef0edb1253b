"""How unlike the training stars a star is, in one number: the out-of-domain score, in decades of rarity (``models.numerics.rarity``).

Four things are looked at, each against the training stars that pass the basic cut:

    fit         ln of chi2 per degree of freedom, against what is usual at the star's signal-to-noise
    worst band  ln of the largest normalised residual of a band, likewise: a line in emission spoils few bands
    place       distance to the fifth nearest training star in ln teff, feh and logg
    parallax    ln of the difference from Gaia's parallax, in its errors

The score is the rarest of the four on the scale that this maximum has among the training stars: 3 means that one training star in a thousand is as
strange. It does not grow less if any of the four grows.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from models.forward.confidence.features import ln, normalised_residuals
from models.forward.inference.inference import Estimates
from models.forward.observed.observations import Observations
from models.forward.parameters import N_TYPE, PARALLAX
from models.forward.version import ForwardVersion
from models.numerics.neighbour_distance import NeighbourDistance
from models.numerics.rarity import CombinedRarity
from models.numerics.running_spread import RunningSpread

PART = "domain"
LOOKED_AT = ("fit", "worst_band", "place", "parallax")


@dataclass(frozen=True, eq=False)
class Domain:
    """What the training stars are like."""

    fit: RunningSpread
    worst_band: RunningSpread
    place: NeighbourDistance
    rarity: CombinedRarity

    @classmethod
    def measured(cls, observed: Observations, estimates: Estimates, chosen: Bool[np.ndarray, " n"], seed: int) -> Self:
        """Of the chosen stars, 50 or more; DataError for fewer."""
        seen = _Seen.of(observed, estimates).take(chosen)
        parts = (
            RunningSpread.measured(seen.ln_snr, seen.ln_reduced_chi2),
            RunningSpread.measured(seen.ln_snr, seen.ln_worst),
            NeighbourDistance.measured(seen.place, seed),
        )
        return cls(*parts, CombinedRarity.measured(_strangeness(*parts, seen)))

    @classmethod
    def from_version(cls, version: ForwardVersion) -> Self | None:
        """That of a stored version, None where it has none."""
        tensors = version.part(PART)
        if not tensors:
            return None

        def part(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}

        return cls(
            RunningSpread.from_tensors(part("fit.")),
            RunningSpread.from_tensors(part("worst_band.")),
            NeighbourDistance.from_tensors(part("place.")),
            CombinedRarity.from_tensors(part("rarity."), len(LOOKED_AT)),
        )

    def tensors(self) -> dict[str, Tensor]:
        """What ``ForwardVersion.extras`` holds of it."""
        parts = {name: getattr(self, name).tensors() for name in ("fit", "worst_band", "place", "rarity")}
        return {f"{PART}.{part}.{name}": value for part, tensors in parts.items() for name, value in tensors.items()}

    def score(self, observed: Observations, estimates: Estimates) -> Float64[np.ndarray, " n"]:
        """The out-of-domain score of each star."""
        return self.rarity.of(_strangeness(self.fit, self.worst_band, self.place, _Seen.of(observed, estimates)))

    def parts(self, observed: Observations, estimates: Estimates) -> Float64[np.ndarray, "n 4"]:
        """Rarity of each of the four by itself, in the order of LOOKED_AT; NaN where a star lacks what it is made of."""
        return self.rarity.each(_strangeness(self.fit, self.worst_band, self.place, _Seen.of(observed, estimates)))


@dataclass(frozen=True, eq=False)
class _Seen:
    """What the four are made of."""

    ln_snr: Float64[np.ndarray, " n"]
    ln_reduced_chi2: Float64[np.ndarray, " n"]
    ln_worst: Float64[np.ndarray, " n"]
    place: Float64[np.ndarray, "n 3"]
    ln_tension: Float64[np.ndarray, " n"]

    @classmethod
    def of(cls, observed: Observations, estimates: Estimates) -> Self:
        flux, error, parallax, parallax_error = (
            each.detach().to("cpu", torch.float64)
            for each in (observed.flux, observed.flux_error, observed.parallax, observed.parallax_error)
        )
        variables, present = estimates.variables, torch.isfinite(error)
        snr = torch.where(present, flux.abs() / error, torch.full_like(flux, torch.nan)).nanmedian(dim=1).values
        freedom = (present.sum(1) - variables.shape[1]).clamp(min=1)
        tension = ln((torch.exp(variables[:, PARALLAX]) - parallax).abs() / parallax_error)
        seen = (
            ln(snr.nan_to_num(1.0)),
            ln(estimates.chi2 / freedom),
            ln(normalised_residuals(flux, error, estimates.flux).abs().amax(1)),
            torch.column_stack([torch.log(variables[:, :1]), variables[:, 1:N_TYPE]]),
            torch.where(torch.isfinite(parallax_error), tension, torch.full_like(tension, torch.nan)),
        )
        return cls(*(each.numpy() for each in seen))

    def take(self, chosen: Bool[np.ndarray, " n"]) -> Self:
        """Some of the stars."""
        return type(self)(*(getattr(self, each.name)[chosen] for each in fields(self)))


def _strangeness(fit: RunningSpread, worst_band: RunningSpread, place: NeighbourDistance, seen: _Seen) -> Float64[np.ndarray, "n 4"]:
    return np.column_stack(
        [
            fit.standardised(seen.ln_snr, seen.ln_reduced_chi2),
            worst_band.standardised(seen.ln_snr, seen.ln_worst),
            place.of(seen.place),
            seen.ln_tension,
        ]
    )
