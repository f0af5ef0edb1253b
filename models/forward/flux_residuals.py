"""Flux residuals of stars: recomputed from a version and labels, never stored.

As in the paper, a residual is prediction minus observation, in units of the observation's error.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64

from models.forward.bands import FLUX_UNIT
from models.forward.observed.observations import Observations
from models.forward.parameters import logarithmic
from models.forward.version import ForwardVersion


@dataclass(frozen=True, eq=False)
class FluxResiduals:
    """Predicted and observed fluxes with their errors, W m-2 nm-1, of n stars; observation and residual are NaN where a band is missing."""

    source_id: Int64[np.ndarray, " n"]
    predicted: Float[np.ndarray, "n bands"]
    observed: Float[np.ndarray, "n bands"]
    error: Float[np.ndarray, "n bands"]

    @property
    def present(self) -> Bool[np.ndarray, "n bands"]:
        """Which bands were measured."""
        return np.isfinite(self.error)

    @property
    def normalised(self) -> Float[np.ndarray, "n bands"]:
        """(predicted - observed) / error; NaN in missing bands."""
        return (self.predicted - self.observed) / np.where(self.present, self.error, np.nan)


def variables_of(values: Float[np.ndarray, "n p"]) -> Float[torch.Tensor, "n p"]:
    """The solver's variables of labels as the catalogue holds them (teff in K, then feh, logg, ext, parallax[, xi])."""
    linear = torch.from_numpy(np.array(values, np.float64))
    linear[:, 0] /= 1000
    return logarithmic(linear)


def flux_residuals(
    version: ForwardVersion, source_id: Int64[np.ndarray, " n"], observed: Observations, values: Float[np.ndarray, "n p"]
) -> FluxResiduals:
    """What the version predicts for these labels (as the catalogue holds them) beside what was observed of the same stars."""
    with torch.no_grad():
        predicted = version.flux_model.flux(variables_of(values)).numpy()
    present = observed.present.numpy()
    return FluxResiduals(
        source_id,
        predicted * FLUX_UNIT,
        np.where(present, observed.flux.numpy(), np.nan) * FLUX_UNIT,
        np.where(present, observed.flux_error.numpy(), np.inf) * FLUX_UNIT,
    )
