"""Which stellar types there are: a Gaussian mixture of (teff in kK, feh, logg), fitted to the training stars (Zhang, Green & Rix 2023, Eq. 18).

Its gradient is exact; its curvature comes in two parts: that of the expectation-maximisation bound, the components' inverse covariances weighted
by their responsibilities, which is positive definite everywhere, and what this has too much where several components have a say.
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from catalog.errors import DataError
from models.forward.parameters import N_TYPE


class TypePrior(nn.Module):
    """A mixture of k Gaussians, normalised: ln p includes the -(3/2) ln 2 pi."""

    weights: Tensor
    means: Tensor
    precisions: Tensor
    ln_norms: Tensor
    _centre: Tensor
    _from_centre: Tensor
    _joined: Tensor
    _pull_at_centre: Tensor
    _curvatures: Tensor

    def __init__(self, weights: Float[Tensor, " k"], means: Float[Tensor, "k 3"], precisions: Float[Tensor, "k 3 3"]) -> None:
        super().__init__()
        self.register_buffer("weights", weights)
        self.register_buffer("means", means)
        self.register_buffer("precisions", precisions)
        ln_norms = torch.log(weights) + 0.5 * torch.linalg.slogdet(precisions)[1] - 0.5 * N_TYPE * math.log(2 * math.pi)
        self.register_buffer("ln_norms", ln_norms)
        # The same once more, so that the components' pulls on a type are one matrix product; from a centre, for float32's digits.
        centre = means.mean(0)
        self.register_buffer("_centre", centre, persistent=False)
        self.register_buffer("_from_centre", (means - centre).T.contiguous(), persistent=False)
        self.register_buffer("_joined", precisions.permute(1, 2, 0).flatten(1).contiguous(), persistent=False)
        # Rows of nine numbers lie in memory now this way, now that, and their sums' last bits with them; sixteen always lie alike.
        self.register_buffer("_curvatures", nn.functional.pad(precisions.flatten(1), (0, 16 - N_TYPE**2)), persistent=False)
        self.register_buffer("_pull_at_centre", torch.einsum("kij,ki->jk", precisions, means - centre).flatten(), persistent=False)

    @classmethod
    def fitted(cls, types: Float[np.ndarray, "n 3"], components: int, seed: int) -> "TypePrior":
        """The mixture of so many components that fits these types best (scikit-learn's expectation maximisation, full covariances)."""
        from sklearn.mixture import GaussianMixture

        if len(types) < 4 * components:
            raise DataError(f"a prior of {components} components needs {4 * components} stars or more, not {len(types)}.")
        mixture = GaussianMixture(components, covariance_type="full", reg_covar=1e-3, max_iter=300, random_state=seed).fit(types)
        precisions = np.linalg.inv(mixture.covariances_)
        return cls(*(torch.from_numpy(np.ascontiguousarray(each)) for each in (mixture.weights_, mixture.means_, precisions)))

    def ln_density(self, types: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """ln p of each type, per kK dex^2."""
        offset = types[:, None] - self.means
        return torch.logsumexp(self.ln_norms - 0.5 * ((self.precisions @ offset[..., None])[..., 0] * offset).sum(-1), dim=1)

    def ln_density_terms(
        self, types: Float[Tensor, "n 3"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"], Float[Tensor, "n 3 3"], Float[Tensor, "n 3 3"]]:
        """ln p, its gradient, a positive definite curvature of -ln p, and what that has too much.

        Curvature less excess is the exact second derivative of -ln p, which may be indefinite between components. Both are positive semi-definite.
        """
        offset = types - self._centre
        pull = torch.addmm(-self._pull_at_centre, offset, self._joined).view(-1, N_TYPE, len(self.weights))  # (n, 3, k)
        terms = [pull[:, i] * (offset[:, i : i + 1] - self._from_centre[i]) for i in range(N_TYPE)]
        parts = self.ln_norms - 0.5 * (terms[0] + terms[1] + terms[2])
        ln_density = torch.logsumexp(parts, dim=1)
        share = torch.exp(parts - ln_density[:, None])  # (n, k)
        by_component = pull.transpose(1, 2)
        gradient = -torch.bmm(share[:, None], by_component)[:, 0]
        curvature = (share @ self._curvatures)[:, : N_TYPE**2].reshape(-1, N_TYPE, N_TYPE)
        excess = torch.bmm(share[:, None] * pull, by_component) - gradient[:, :, None] * gradient[:, None, :]
        return ln_density, gradient, curvature, excess

    def draw(self, n: int, generator: torch.Generator) -> Float[Tensor, "n 3"]:
        """Types drawn from the mixture, on the CPU in float64 so that a seed gives the same ones everywhere."""
        which = torch.multinomial(self.weights.double().cpu(), n, replacement=True, generator=generator)
        spread = torch.linalg.cholesky(torch.linalg.inv(self.precisions.double().cpu()))
        noise = torch.randn(n, N_TYPE, generator=generator, dtype=torch.float64)
        return self.means.double().cpu()[which] + (spread[which] @ noise[..., None])[..., 0]

    def quantile(self, share: float, generator: torch.Generator, draws: int = 200_000) -> float:
        """ln p below which this share of the mixture's own mass lies: the cut of ln_prior (their Eq. 25 has share 0.001)."""
        return float(torch.quantile(self.ln_density(self.draw(draws, generator).to(self.means)).double(), share))
