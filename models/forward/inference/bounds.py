"""The box that the solver's variables stay in: types somewhat beyond those of the prior, extinction and parallax within what any star has.

Equation 19 alone is unbounded: where fluxes and parallax say little, -2 ln ext - 2 ln parallax falls without end along parallax^2 exp(-ext R) =
constant. Inside the box the objective is untouched; outside, a steep square wall is added, so that a runaway ends a few thousandths beyond it and
is told apart by ``outside``.
"""

import math
from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.forward.parameters import N_TYPE
from models.forward.type_prior import TypePrior

EXT_RANGE = (1e-5, 20.0)
"""The paper's grid ends at 10; below 1e-5 no band changes by more than the smallest error of Eq. 2."""
PARALLAX_RANGE = (1e-4, 1e3)
"""mas: from beyond the Local Group to nearer than the nearest star."""
XI_RANGE = (-5.0, 5.0)
SIGMAS = 5.0
"""How far the box of types reaches beyond the means of the prior's components, in their standard deviations."""
WALL_WIDTH = 0.03
"""Distance outside the box, in the variables' units, that adds 1 to the objective."""


@dataclass(frozen=True, eq=False)
class Bounds:
    """Lowest and highest value of each of the solver's variables."""

    lower: Float[Tensor, " p"]
    upper: Float[Tensor, " p"]

    @classmethod
    def around(cls, types: TypePrior, n_parameters: int) -> Self:
        """The box for stars of this prior."""
        means = types.means.double()
        spread = SIGMAS * torch.sqrt(torch.diagonal(torch.linalg.inv(types.precisions.double()), dim1=1, dim2=2))
        logarithms = [(math.log(low), math.log(high)) for low, high in (EXT_RANGE, PARALLAX_RANGE)]
        beyond = means.new_tensor([*logarithms, XI_RANGE])[: n_parameters - N_TYPE]
        return cls(torch.cat([(means - spread).amin(0), beyond[:, 0]]), torch.cat([(means + spread).amax(0), beyond[:, 1]]))

    def to(self, *, device: torch.device | None = None, dtype: torch.dtype | None = None) -> Self:
        """The same on another device or in another precision."""
        return type(self)(self.lower.to(device=device, dtype=dtype), self.upper.to(device=device, dtype=dtype))

    def clamp(self, variables: Float[Tensor, "n p"]) -> Float[Tensor, "n p"]:
        """The nearest point in the box."""
        return torch.clamp(variables, self.lower, self.upper)

    def outside(self, variables: Float[Tensor, "n p"]) -> Bool[Tensor, " n"]:
        """Which stars ended at a wall: their objective has no minimum in the box."""
        return (variables != self.clamp(variables)).any(1)

    def excess(self, variables: Float[Tensor, "n p"]) -> Float[Tensor, "n p"]:
        """How far outside each variable is, in widths of the wall; the walls add the sum of its squares."""
        return (variables - self.clamp(variables)) / WALL_WIDTH
