"""The paper's basic reliability cut: does the model draw the spectrum, does the type exist, does the parallax agree (Eqs. 24 to 26).

Zhang, Green & Rix 2023, section 4.4; bits 3 to 5 of their quality_flags, so that the cut is quality_flags < 8.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from catalog.quality import LARGEST_PARALLAX_TENSION, LARGEST_REDUCED_CHI2
from models.forward.bands import FITTED_DOF
from models.forward.inference.inference import Estimates
from models.forward.observed.observations import Observations
from models.forward.parameters import PARALLAX


@dataclass(frozen=True, eq=False)
class BasicCut:
    """What each star fails of the three; a number that is not finite fails."""

    poor_fit: Bool[Tensor, " n"]
    unlikely_type: Bool[Tensor, " n"]
    wrong_parallax: Bool[Tensor, " n"]

    @classmethod
    def of(cls, observed: Observations, estimates: Estimates, ln_prior_cut: float) -> "BasicCut":
        """The cut at a version's own ``ln_prior_cut``; a star without parallax has none to disagree with."""
        difference = (torch.exp(estimates.variables[:, PARALLAX]) - observed.parallax).abs()
        return cls(
            ~(estimates.chi2 / FITTED_DOF <= LARGEST_REDUCED_CHI2),
            ~(estimates.ln_prior >= ln_prior_cut),
            ~(difference / observed.parallax_error <= LARGEST_PARALLAX_TENSION),
        )

    @property
    def passed(self) -> Bool[Tensor, " n"]:
        """Which stars pass all three."""
        return ~(self.poor_fit | self.unlikely_type | self.wrong_parallax)
