"""Where the solver starts: types drawn from the prior times extinctions, ranked for every star by two matrix products.

For a model flux f of the grid at 1 kpc and an observed flux d with errors s, chi2 = sum ((a f - d)/s)^2 is least at a = sum(d f/s^2) / sum(f^2/s^2),
and both sums are matrix products of (stars, bands) with (bands, grid points); a is the parallax squared. The published search (Zhang, Green & Rix
2023, section 4.2: 512 types x 61 extinctions, full covariances) takes a hundred times as long. Errors are made softer by a share of the flux,
because the grid is coarser than the noise.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.forward.flux_model import FluxModel
from models.forward.observations import Observations
from models.forward.parameters import N_TYPE, XI
from models.forward.type_prior import TypePrior

SEED = 20230918
"""Of the draws of types: the grid belongs to the version and is the same everywhere."""


@dataclass(frozen=True, eq=False)
class StartGrid:
    """Types times extinctions (extinctions fastest), their fluxes at 1 kpc, and -2 ln p of each type."""

    types: Float[Tensor, "t 3"]
    ln_ext: Float[Tensor, " e"]
    flux: Float[Tensor, "t*e bands"]
    penalty: Float[Tensor, " t"]
    soft: float

    @classmethod
    @torch.no_grad()
    def of(cls, model: FluxModel, types: TypePrior, n_types: int, n_ext: int, soft: float) -> "StartGrid":
        """The grid of a float64 model and prior; ``soft`` is the share of the flux added to the errors."""
        drawn = types.draw(n_types, torch.Generator().manual_seed(SEED)).to(types.means)
        ln_ext = torch.linspace(-2, 1, n_ext).to(drawn) * torch.log(drawn.new_tensor(10.0))
        variables = drawn.new_zeros(n_types, n_ext, model.n_parameters)
        variables[..., :N_TYPE] = drawn[:, None]
        variables[..., N_TYPE] = ln_ext
        return cls(drawn, ln_ext, model.flux(variables.flatten(0, 1)), -2 * types.ln_density(drawn), soft)

    def to(self, *, device: torch.device | None = None, dtype: torch.dtype | None = None) -> "StartGrid":
        """The same on another device or in another precision."""
        types, ln_ext, flux, penalty = (each.to(device=device, dtype=dtype) for each in (self.types, self.ln_ext, self.flux, self.penalty))
        return StartGrid(types, ln_ext, flux, penalty, self.soft)

    def best(self, observed: Observations, k: int) -> Float[Tensor, "n k p"]:
        """The k best starts of each star, no two of the same type, in the solver's variables (xi left out)."""
        variance = observed.flux_error**2 + (self.soft * observed.flux) ** 2
        weight = 1 / variance  # zero where there is no measurement
        norm = weight @ (self.flux**2).T  # (n, t * e)
        match = (weight * observed.flux) @ self.flux.T
        scale = (match / norm).clamp(min=1e-8)
        difference = (torch.sqrt(scale) - observed.parallax[:, None]) / observed.parallax_error[:, None]
        score = (norm * scale - 2 * match) * scale + difference**2
        best, which = score.view(len(score), len(self.types), len(self.ln_ext)).min(2)  # (n, t)
        chosen = (best + self.penalty).topk(k, dim=1, largest=False).indices
        ext = which.gather(1, chosen)
        scale = scale.gather(1, chosen * len(self.ln_ext) + ext)
        starts = scale.new_empty(len(score), k, XI)
        starts[..., :N_TYPE] = self.types[chosen]
        starts[..., N_TYPE] = self.ln_ext[ext]
        starts[..., N_TYPE + 1] = 0.5 * torch.log(scale)
        return starts
