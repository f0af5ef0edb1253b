"""Where the solver starts: types drawn from the prior, each with the extinction and parallax that suit the star best, ranked by matrix products.

In logarithms extinction and parallax enter linearly, ln f = ln f_1kpc(type) + 2 ln parallax - ext R. So for every star and every type the best two
follow from weighted sums over the bands, and with chi2 they take four products of (stars, bands) with (bands, types). The published search (Zhang,
Green & Rix 2023, section 4.2) compares 512 types x 61 extinctions under the full covariance, at some hundred times the cost. Errors are made softer
by a share of the flux, because the types are further apart than the noise.
"""

from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.forward.flux_model import FluxModel
from models.forward.observed.observations import Observations
from models.forward.parameters import EXT, N_TYPE, PARALLAX, XI
from models.forward.type_prior import TypePrior
from models.numerics.least_squares import TILE

SEED = 20230918
"""Of the draws of types: the grid belongs to the version and is the same everywhere."""
EXT_LIMITS = (0.01, 15.0)
"""From the paper's grid, which goes from 0.01 to 10."""
CACHED = 65_536
"""Numbers of a table that stays in a cache with a few others."""


@dataclass(frozen=True, eq=False)
class StartGrid:
    """Types in groups of near ones: ``ln_flux`` at 1 kpc less its mean over the bands, that ``level``, and ``penalty``, -2 ln p of the type."""

    types: Float[Tensor, "g m 3"]
    ln_flux: Float[Tensor, "g*m bands"]
    level: Float[Tensor, " g*m"]
    penalty: Float[Tensor, " g*m"]
    extinction: Float[Tensor, " bands"]
    soft: float

    @classmethod
    @torch.no_grad()
    def of(cls, model: FluxModel, types: TypePrior, groups: int, members: int, soft: float) -> Self:
        """The grid of a float64 model and prior: so many groups (a power of two) of so many members; errors grow by ``soft`` of the flux."""
        drawn = types.draw(groups * members, torch.Generator().manual_seed(SEED)).to(types.means)
        drawn = drawn[_near_together(drawn, groups)]
        ln_flux = model.ln_flux(drawn)
        level = ln_flux.mean(1)
        extinction = torch.exp(model.ln_extinction)
        return cls(drawn.view(groups, members, N_TYPE), ln_flux - level[:, None], level, -2 * types.ln_density(drawn), extinction, soft)

    def to(self, *, device: torch.device | None = None, dtype: torch.dtype | None = None) -> Self:
        """The same on another device or in another precision."""
        tensors = (self.types, self.ln_flux, self.level, self.penalty, self.extinction)
        types, ln_flux, level, penalty, extinction = (each.to(device=device, dtype=dtype) for each in tensors)
        return type(self)(types, ln_flux, level, penalty, extinction, self.soft)

    def best(self, observed: Observations, k: int) -> tuple[Float[Tensor, "n k p"], Float[Tensor, "n k"]]:
        """The k best starts of each star, one a group, best first, in the solver's variables without xi; and how far their scores are above the best.

        On a CPU the tables of stars and types are made for so few stars at a time that they stay in its cache.
        """
        n = len(observed)
        few = max(TILE, CACHED // len(self.level) // TILE * TILE) if self.level.device.type == "cpu" else n
        if n <= few:
            return self._best(observed, k)
        parts = [self._best(observed.take(slice(first, first + few)), k) for first in range(0, n, few)]
        return torch.cat([starts for starts, _ in parts]), torch.cat([above for _, above in parts])

    def _best(self, observed: Observations, k: int) -> tuple[Float[Tensor, "n k p"], Float[Tensor, "n k"]]:
        measured = (observed.flux > 0) & observed.present
        flux = torch.where(measured, observed.flux, 1.0)
        weight = torch.where(measured, 1 / ((observed.flux_error / flux) ** 2 + self.soft**2), 0.0)
        total = weight.sum(1, keepdim=True).clamp(min=1e-6)
        ln_flux = torch.log(flux)
        level = (weight * ln_flux).sum(1, keepdim=True) / total  # near zero numbers keep float32's digits
        ln_flux = torch.where(measured, ln_flux - level, 0.0)
        weighted, by_ext = weight * ln_flux, weight * self.extinction
        sum_ext, sum_ext2 = by_ext.sum(1, keepdim=True), (by_ext * self.extinction).sum(1, keepdim=True)
        difference = -(weight @ self.ln_flux.T)  # sum of weight (d - m), whose first term is zero
        slope = (by_ext * ln_flux).sum(1, keepdim=True) - by_ext @ self.ln_flux.T
        chi2 = (weighted * ln_flux).sum(1, keepdim=True) - 2 * (weighted @ self.ln_flux.T) + weight @ (self.ln_flux**2).T
        ext = (difference * sum_ext - slope * total) / (total * sum_ext2 - sum_ext**2).clamp(min=1e-6)
        ext = ext.clamp(*EXT_LIMITS)
        brightness = (difference + ext * sum_ext) / total
        # at the best brightness chi2 falls by total brightness^2
        chi2 = chi2 + ext * (2 * slope + ext * sum_ext2) - total * brightness**2
        ln_parallax = 0.5 * (brightness + level - self.level)
        pull = (torch.exp(ln_parallax) - observed.parallax[:, None]) / observed.parallax_error[:, None]
        score = chi2 + pull**2 + self.penalty - 2 * ln_parallax - 2 * torch.log(ext)
        groups, members, _ = self.types.shape
        lowest, member = torch.nan_to_num(score, nan=torch.inf).view(-1, groups, members).min(2)
        lowest, group = lowest.topk(k, dim=1, largest=False)
        which = group * members + member.gather(1, group)
        starts = score.new_empty(len(score), k, XI)
        starts[..., :N_TYPE] = self.types.flatten(0, 1)[which]
        starts[..., EXT] = torch.log(ext.gather(1, which))
        starts[..., PARALLAX] = ln_parallax.gather(1, which)
        return starts, lowest - lowest[:, :1]


def _near_together(types: Float[Tensor, "n 3"], groups: int) -> Int[Tensor, " n"]:
    """An order in which each n/groups in a row are near one another: halves of halves along the longest axis."""
    scaled = types / types.std(0)
    parts = [torch.arange(len(types))]
    while len(parts) < groups:
        halves = []
        for part in parts:
            axis = int((scaled[part].amax(0) - scaled[part].amin(0)).argmax())
            ordered = part[torch.argsort(scaled[part, axis], stable=True)]
            halves += [ordered[: len(ordered) // 2], ordered[len(ordered) // 2 :]]
        parts = halves
    return torch.cat(parts)
