"""Everything that a stored version of the forward model consists of, as named tensors in safetensors bytes.

flux.*         weights and biases, ln R, slope of xi, centre and scale of the types
prior.*        the Gaussian mixture
sampling.*     the matrices from XP coefficients to 61 fluxes, as the version was trained with
confidence.*   the classifiers of teff, feh and logg with their calibration; absent before they are trained
domain.*       what out-of-domain scores are measured against; absent likewise
ln_prior_cut   the 0.1 % quantile of the prior
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import safetensors.torch
import torch
from jaxtyping import Float64
from safetensors import SafetensorError
from torch import Tensor

from catalog.errors import DataError
from models.forward.flux_model import FluxModel
from models.forward.type_prior import TypePrior


@dataclass(frozen=True, eq=False)
class ForwardVersion:
    """Flux model and prior in float64 on the CPU; ``sampling`` maps band to the matrix (coefficients, 61) in W m-2 nm-1 per e-/s.

    ``wavelengths`` (nm) are those of the bands. ``extras`` holds the tensors of parts that have modules of their own (confidence.*, domain.*).
    """

    wavelengths: Float64[np.ndarray, " bands"]
    flux_model: FluxModel
    type_prior: TypePrior
    ln_prior_cut: float
    sampling: Mapping[str, Float64[np.ndarray, "coefficients samples"]] = field(default_factory=dict)
    extras: Mapping[str, Tensor] = field(default_factory=dict)

    def part(self, name: str) -> dict[str, Tensor]:
        """The tensors of one of the extras, without the part's own name; empty where the version has none."""
        return {key.removeprefix(f"{name}."): value for key, value in self.extras.items() if key.startswith(f"{name}.")}

    def to_bytes(self) -> bytes:
        """The version as safetensors."""
        tensors: dict[str, Tensor] = {f"flux.{name}": value for name, value in self.flux_model.state_dict().items()}
        tensors |= {f"prior.{name}": getattr(self.type_prior, name) for name in ("weights", "means", "precisions")}
        tensors |= {f"sampling.{band}": torch.from_numpy(np.ascontiguousarray(matrix)) for band, matrix in self.sampling.items()}
        tensors["wavelengths"] = torch.from_numpy(np.ascontiguousarray(self.wavelengths))
        tensors["ln_prior_cut"] = torch.tensor(self.ln_prior_cut, dtype=torch.float64)
        tensors |= dict(self.extras)
        return safetensors.torch.save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})

    @classmethod
    def from_bytes(cls, weights: bytes, configuration: Mapping[str, Any]) -> "ForwardVersion":
        """The version of stored weights; DataError if they do not fit the configuration, or if a number of model or prior is not finite."""
        try:
            tensors = safetensors.torch.load(weights)
            _assert_finite(tensors)
            wavelengths = tensors.pop("wavelengths").numpy()
            model = FluxModel(wavelengths, int(configuration["width"]), int(configuration["layers"]), xi=bool(configuration["xi"])).double()
            model.load_state_dict(_taken(tensors, "flux."))
            prior = _taken(tensors, "prior.")
            types = TypePrior(prior["weights"], prior["means"], prior["precisions"])
            cut = float(tensors.pop("ln_prior_cut"))
            sampling = {band: matrix.numpy() for band, matrix in _taken(tensors, "sampling.").items()}
        except (SafetensorError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise DataError(f"these weights do not fit a forward model of this configuration: {error}") from error
        return cls(wavelengths, model.requires_grad_(False).eval(), types, cut, sampling, tensors)


def _taken(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Take the tensors with this prefix out, without it."""
    return {name.removeprefix(prefix): tensors.pop(name) for name in list(tensors) if name.startswith(prefix)}


def _assert_finite(tensors: Mapping[str, Tensor]) -> None:
    """ValueError where model, prior, matrices or cut have a number that is not finite: every star would be lost, or pass every cut."""
    for name, tensor in tensors.items():
        if (name.startswith(("flux.", "prior.", "sampling.")) or "." not in name) and not torch.isfinite(tensor).all():
            raise ValueError(f"{name} has numbers that are not finite")
