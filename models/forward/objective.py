"""What is minimised for each star over (teff, feh, logg, ln ext, ln parallax[, xi]): -2 ln posterior.

    inference   chi_f^2 + ((plx - plx^)/s)^2 - 2 ln p(type) - 2 ln plx - 2 ln ext                                   (Eq. 19)
    training    chi_f^2 + ((plx - plx^)/s)^2 + ((ext - ext^)/s)^2 + sum_3 ((type - type^)/s)^2 - 2 ln plx - 2 ln ext  (Eq. 14)

of Zhang, Green & Rix 2023; xi adds xi^2, its standard normal prior. Curvature is Gauss and Newton's, with what is known exactly beside it: it is
positive definite, and at a minimum in ext and parallax close to the Hessian matrix.
"""

import copy
from typing import Any, Protocol, Self

import torch
from jaxtyping import Float
from torch import Tensor

from models.forward.flux_model import FluxModel
from models.forward.inference.bounds import WALL_WIDTH, Bounds
from models.forward.observed.observations import KnownLabels, Observations
from models.forward.parameters import EXT, N_TYPE, PARALLAX, XI
from models.forward.type_prior import TypePrior

Terms = tuple[Float[Tensor, " n"], Float[Tensor, "n p"], Float[Tensor, "n p p"]]
"""Value, gradient, positive definite curvature."""


class StarPrior(Protocol):
    """What is known of the stars' types and extinctions beside fluxes and parallaxes: additive terms of the objective."""

    def value(self, variables: Float[Tensor, "n p"]) -> Float[Tensor, " n"]:
        """The terms' sum for each star."""
        ...

    def add_terms(self, variables: Float[Tensor, "n p"], value: Tensor, gradient: Tensor, curvature: Tensor) -> None:
        """Add sum, gradient and curvature to those given, in place."""
        ...

    def take(self, index: Any) -> "StarPrior":
        """The prior of some of the stars."""
        ...

    def to(self, *, device: torch.device | None = None, dtype: torch.dtype | None = None) -> "StarPrior":
        """The same on another device or in another precision."""
        ...


class PopulationPrior:
    """-2 ln p(type) of a mixture, the same for every star (Eq. 19)."""

    def __init__(self, types: TypePrior) -> None:
        self.types = types

    def value(self, variables: Float[Tensor, "n p"]) -> Float[Tensor, " n"]:
        """-2 ln p."""
        return -2 * self.types.ln_density(variables[:, :N_TYPE])

    def add_terms(self, variables: Float[Tensor, "n p"], value: Tensor, gradient: Tensor, curvature: Tensor) -> None:
        """Add -2 ln p and its derivatives: the exact curvature where the whole stays positive definite, else the mixture's upper bound.

        With the bound alone, stars between components, such as the red clump's, would take several times as many steps.
        """
        ln_density, slope, bend, excess = self.types.ln_density_terms(variables[:, :N_TYPE])
        value -= 2 * ln_density
        gradient[:, :N_TYPE] -= 2 * slope
        curvature[:, :N_TYPE, :N_TYPE] += 2 * bend
        exact = curvature.clone()
        exact[:, :N_TYPE, :N_TYPE] -= 2 * excess
        definite = torch.linalg.cholesky_ex(exact).info == 0
        curvature.copy_(torch.where(definite[:, None, None], exact, curvature))

    def take(self, index: Any) -> "PopulationPrior":
        """The same prior."""
        return self

    def to(self, *, device: torch.device | None = None, dtype: torch.dtype | None = None) -> "PopulationPrior":
        """The same on another device or in another precision."""
        return PopulationPrior(copy.deepcopy(self.types).to(device=device, dtype=dtype))


class LabelPrior:
    """Gaussian terms of each star's known type and extinction (Eq. 14)."""

    def __init__(self, labels: KnownLabels) -> None:
        self.labels = labels
        self._type_weight = labels.type_error**-2
        self._ext_weight = labels.ext_error**-2

    def value(self, variables: Float[Tensor, "n p"]) -> Float[Tensor, " n"]:
        """Sum of the squared normalised differences."""
        types = ((variables[:, :N_TYPE] - self.labels.type) ** 2 * self._type_weight).sum(1)
        return types + (torch.exp(variables[:, EXT]) - self.labels.ext) ** 2 * self._ext_weight

    def add_terms(self, variables: Float[Tensor, "n p"], value: Tensor, gradient: Tensor, curvature: Tensor) -> None:
        """Add the terms and their derivatives."""
        ext = torch.exp(variables[:, EXT])
        difference = variables[:, :N_TYPE] - self.labels.type
        value += self.value(variables)
        gradient[:, :N_TYPE] += 2 * difference * self._type_weight
        gradient[:, EXT] += 2 * (ext - self.labels.ext) * self._ext_weight * ext
        curvature[:, :N_TYPE, :N_TYPE] += 2 * torch.diag_embed(self._type_weight)
        curvature[:, EXT, EXT] += 2 * ext**2 * self._ext_weight

    def take(self, index: Any) -> "LabelPrior":
        """The labels of some of the stars."""
        return LabelPrior(self.labels.take(index))

    def to(self, *, device: torch.device | None = None, dtype: torch.dtype | None = None) -> "LabelPrior":
        """The same on another device or in another precision."""
        return LabelPrior(self.labels.to(device=device, dtype=dtype))


class StarObjective:
    """-2 ln posterior of n stars under a flux model, in a box: a problem of ``models.numerics.least_squares``.

    With ``starts`` above one every star has that many rows of variables, one after the other, and its whitening matrix is read once for all of
    them.
    """

    def __init__(
        self, model: FluxModel, observed: Observations, prior: StarPrior, bounds: Bounds | None = None, *, starts: int = 1
    ) -> None:
        self.model, self.prior, self.bounds = model, prior, bounds
        self._observed, self._starts = observed, starts
        of_rows = (observed.flux, observed.parallax, observed.parallax_error**-2)
        self._flux, self._parallax, self._parallax_weight = (
            of_rows if starts == 1 else (each.repeat_interleave(starts, 0) for each in of_rows)
        )

    def __len__(self) -> int:
        return len(self._flux)

    def take(self, index: Any) -> Self:
        """The objective of some of the stars, one row each."""
        return type(self)(self.model, self._observed.take(index), self.prior.take(index), self.bounds)

    def _whitened(self, differences: Float[Tensor, "n k bands"]) -> Float[Tensor, "n k bands"]:
        """k differences in flux for each row, times the row's whitening matrix."""
        whitening = self._observed.whitening
        together = differences.view(len(whitening), self._starts * differences.shape[1], differences.shape[2])
        return torch.bmm(together, whitening.transpose(1, 2)).view(differences.shape)

    def chi2(self, variables: Float[Tensor, "n p"]) -> Float[Tensor, " n"]:
        """chi_f^2 of the fluxes alone (Eq. 4)."""
        return (self._whitened((self.model.flux(variables) - self._flux)[:, None])[:, 0] ** 2).sum(1)

    def loss(self, variables: Float[Tensor, "n p"]) -> Float[Tensor, " n"]:
        """The objective of each star."""
        parallax = torch.exp(variables[:, PARALLAX])
        loss = self.chi2(variables) + (parallax - self._parallax) ** 2 * self._parallax_weight
        loss = loss + self.prior.value(variables) - 2 * variables[:, PARALLAX] - 2 * variables[:, EXT]
        if self.bounds is not None:
            loss = loss + (self.bounds.excess(variables) ** 2).sum(1)
        return loss + variables[:, XI] ** 2 if self.model.has_xi else loss

    def flux_terms(self, variables: Float[Tensor, "n p"]) -> Terms:
        """chi_f^2, half its gradient, and J^T C^-1 J, by the solver's variables, in one pass over the whitening matrices."""
        flux, rows = self.model.flux_and_slopes(variables, spare=1)
        torch.sub(flux, self._flux, out=rows[:, -1])
        whitened = self._whitened(rows)  # (n, p + 1, bands)
        products = torch.bmm(whitened, whitened.transpose(1, 2))
        return products[:, -1, -1], products[:, :-1, -1], products[:, :-1, :-1]

    def terms(self, variables: Float[Tensor, "n p"]) -> Terms:
        """The objective with gradient and curvature."""
        chi2, slope, information = self.flux_terms(variables)
        value, gradient, curvature = chi2.clone(), 2 * slope, 2 * information
        parallax = torch.exp(variables[:, PARALLAX])
        difference = parallax - self._parallax
        value += difference**2 * self._parallax_weight - 2 * variables[:, PARALLAX] - 2 * variables[:, EXT]
        gradient[:, PARALLAX] += 2 * difference * self._parallax_weight * parallax - 2
        gradient[:, EXT] -= 2
        curvature[:, PARALLAX, PARALLAX] += 2 * parallax**2 * self._parallax_weight
        # The second derivative by ln ext has the first as a term, which is 2 from the data where the whole gradient vanishes.
        curvature[:, EXT, EXT] += 2
        if self.model.has_xi:
            value += variables[:, XI] ** 2
            gradient[:, XI] += 2 * variables[:, XI]
            curvature[:, XI, XI] += 2
        self.prior.add_terms(variables, value, gradient, curvature)
        if self.bounds is not None:
            excess = self.bounds.excess(variables)
            value += (excess**2).sum(1)
            gradient += 2 / WALL_WIDTH * excess
            curvature += torch.diag_embed(2 / WALL_WIDTH**2 * (excess != 0).to(excess))
        return value, gradient, curvature
