"""From a star's parameters to its fluxes: a network for the unreddened flux at 1 kpc, times parallax squared, times extinction.

f = exp(NN(type)) parallax^2 exp(-ext R) (Zhang, Green & Rix 2023, Eq. 8). Three hidden layers of 32 tanh units and one R a band make the 4,484
parameters that their section 3 counts (their Fig. 3 draws 16 units, which would be 1,796). With xi the extinction curve has a shape of its own
for each star, ln R = ln R_0 + slope tanh(xi), slope zero in W1 and W2 (Zhang & Green 2025, Science 387, 1209).
"""

import itertools

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.forward.parameters import EXT, N_TYPE, PARALLAX, XI

REFERENCE_WAVELENGTH = 550.0
"""nm."""
FIRST_SLOPE = 0.05
"""What the slope of xi starts as, times ln of the wavelength over the reference: about the change of shape from R(V) 3.1 to 3.25."""


class FluxModel(nn.Module):
    """The global parameters: weights and biases, ln R of every band, and with ``xi`` its slope.

    ``centre`` and ``scale`` bring (teff in kK, feh, logg) to numbers of order one; they are not learnt.
    """

    centre: Tensor
    scale: Tensor
    slope_mask: Tensor

    def __init__(self, wavelengths: Float[np.ndarray, " bands"], width: int = 32, layers: int = 3, *, xi: bool = False) -> None:
        super().__init__()
        self.has_xi = xi
        sizes = [N_TYPE] + [width] * layers
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.output = nn.Linear(width, len(wavelengths))
        ratio = torch.as_tensor(wavelengths / REFERENCE_WAVELENGTH, dtype=torch.get_default_dtype())
        self.ln_extinction = nn.Parameter(np.log(2.0) - 1.5 * torch.log(ratio))
        self.register_buffer("centre", torch.zeros(N_TYPE))
        self.register_buffer("scale", torch.ones(N_TYPE))
        self.register_buffer("slope_mask", (ratio < 3000.0 / REFERENCE_WAVELENGTH).to(ratio))  # W1 and W2 lie beyond 3 um
        if xi:
            # Away from zero: where both this and xi are 0 neither has a gradient. Greater xi starts as a flatter curve, as greater R(V).
            self.extinction_slope = nn.Parameter(FIRST_SLOPE * torch.log(ratio))

    @property
    def n_parameters(self) -> int:
        """Parameters of a star: five, with xi six."""
        return XI + 1 if self.has_xi else XI

    @property
    def n_bands(self) -> int:
        """Number of bands."""
        return len(self.ln_extinction)

    def ln_flux(self, types: Float[Tensor, "n 3"]) -> Float[Tensor, "n bands"]:
        """Natural logarithm of the unreddened flux at 1 kpc, in the units of the fluxes that were learnt."""
        hidden = (types - self.centre) / self.scale
        for layer in self.hidden:
            hidden = torch.tanh(layer(hidden))
        flux: Tensor = self.output(hidden)
        return flux

    def ln_flux_and_slopes(self, types: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, "n bands"], Float[Tensor, "n 3 bands"]]:
        """``ln_flux`` and its derivatives by (teff in kK, feh, logg), carried forward through the layers."""
        hidden = (types - self.centre) / self.scale
        first, *others = self.hidden
        hidden = torch.tanh(first(hidden))
        weight: Tensor = first.weight  # type: ignore[assignment]
        slopes = (weight / self.scale).T * (1 - hidden**2)[:, None, :]
        for layer in others:
            hidden = torch.tanh(layer(hidden))
            weight = layer.weight  # type: ignore[assignment]
            slopes = (slopes @ weight.T) * (1 - hidden**2)[:, None, :]
        return self.output(hidden), slopes @ self.output.weight.T

    def extinction(self, variables: Float[Tensor, "n p"]) -> Float[Tensor, "n bands"] | Float[Tensor, "1 bands"]:
        """R of every band, optical depth per unit of ext; one row for all stars unless xi shapes it."""
        if not self.has_xi:
            return torch.exp(self.ln_extinction)[None]
        return torch.exp(self.ln_extinction + self.slope_mask * self.extinction_slope * torch.tanh(variables[:, XI : XI + 1]))

    def flux(self, variables: Float[Tensor, "n p"]) -> Float[Tensor, "n bands"]:
        """Predicted flux of the solver's variables (Eq. 8)."""
        depth = torch.exp(variables[:, EXT : EXT + 1]) * self.extinction(variables)
        return torch.exp(self.ln_flux(variables[:, :N_TYPE]) + 2 * variables[:, PARALLAX : PARALLAX + 1] - depth)

    @torch.no_grad()
    def flux_and_jacobian(self, variables: Float[Tensor, "n p"]) -> tuple[Float[Tensor, "n bands"], Float[Tensor, "n bands p"]]:
        """``flux`` and its derivatives by the solver's variables."""
        flux, rows = self.flux_and_slopes(variables)
        return flux, rows.transpose(1, 2)

    @torch.no_grad()
    def flux_and_slopes(
        self, variables: Float[Tensor, "n p"], spare: int = 0
    ) -> tuple[Float[Tensor, "n bands"], Float[Tensor, "n rows bands"]]:
        """``flux``, and a row for each derivative by the solver's variables, then ``spare`` rows to be filled.

        This way round the product with a whitening matrix is three times as fast as with the transpose.
        """
        ln_flux, slopes = self.ln_flux_and_slopes(variables[:, :N_TYPE])
        depth = torch.exp(variables[:, EXT : EXT + 1]) * self.extinction(variables)
        flux = torch.exp(ln_flux + 2 * variables[:, PARALLAX : PARALLAX + 1] - depth)
        rows = flux.new_empty(len(flux), self.n_parameters + spare, self.n_bands)
        torch.mul(slopes, flux[:, None], out=rows[:, :N_TYPE])
        torch.mul(depth, -flux, out=rows[:, EXT])
        torch.mul(flux, 2, out=rows[:, PARALLAX])
        if self.has_xi:
            bend = self.slope_mask * self.extinction_slope / torch.cosh(variables[:, XI : XI + 1]) ** 2
            torch.mul(rows[:, EXT], bend, out=rows[:, XI])
        return flux, rows
