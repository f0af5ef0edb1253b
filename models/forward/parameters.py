"""The parameters of a star, in the order of Table 2 of Zhang, Green & Rix 2023: teff, feh, logg, ext, parallax; then xi where it is modelled.

The solver's variables are those of Eq. 19: teff in kK, feh, logg, ln ext, ln parallax (mas), so that extinction and parallax stay positive; xi
as it is. Everything that is reported is in linear units.
"""

import torch
from jaxtyping import Float
from torch import Tensor

TYPE = ("teff", "feh", "logg")
"""Stellar type, Theta: teff in kK, [Fe/H] in dex, log10 of the surface gravity in cm/s2."""
PARAMETERS = (*TYPE, "ext", "parallax")
"""``ext`` in the unit of the reddening that the model was trained with, about E(B-V) in mag; parallax in mas."""
WITH_XI = (*PARAMETERS, "xi")
N_TYPE = len(TYPE)
EXT, PARALLAX, XI = 3, 4, 5


def linear(variables: Float[Tensor, "n p"]) -> Float[Tensor, "n p"]:
    """Parameters in linear units of the solver's variables."""
    values = variables.clone()
    values[:, EXT : PARALLAX + 1] = torch.exp(variables[:, EXT : PARALLAX + 1])
    return values


def logarithmic(values: Float[Tensor, "n p"]) -> Float[Tensor, "n p"]:
    """The solver's variables of parameters in linear units; ext and parallax must be positive."""
    variables = values.clone()
    variables[:, EXT : PARALLAX + 1] = torch.log(values[:, EXT : PARALLAX + 1])
    return variables
