"""The bits of each model's ``quality_flags``: 0 is good, a set bit says what to beware of. A bit is never re-used for another meaning.

Add a flag at the end of its model's tuple with the next free bit; a flag that is no longer set keeps its place and its bit.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class QualityFlag:
    """One bit of ``quality_flags`` with the rule that sets it."""

    bit: int
    name: str
    rule: str

    @property
    def mask(self) -> int:
        """The flag's value in the column: 2**bit."""
        return 1 << self.bit


POOR_RECONSTRUCTION = 3.0
"""chi2_scatter per compared coefficient above which a spectrum is unlike those that the model learnt. Measured on a model of real stars:
3 of its 2,255 training stars are above it, and a third of the bright standard stars, whose errors are far smaller than theirs."""

SCATTER_VAE_FLAGS = (
    QualityFlag(0, "flux_from_g_mag", "phot_g_mean_flux was missing: flux_scale comes from phot_g_mean_mag."),
    QualityFlag(1, "flux_synthetic", "The catalogue's G was missing: flux_scale is our linear synthetic G of the coefficients."),
    QualityFlag(2, "no_errors", "No coefficient had a usable error: chi2 and chi2_scatter are null."),
    QualityFlag(3, "missing_bp", "No BP coefficient: the encoder saw the training mean in the place of BP."),
    QualityFlag(4, "missing_rp", "No RP coefficient: the encoder saw the training mean in the place of RP."),
    QualityFlag(5, "incomplete", "Some coefficients of a band, or some of its errors, were missing or not finite and were left out."),
    QualityFlag(6, "poor_reconstruction", f"chi2_scatter per compared coefficient is above {POOR_RECONSTRUCTION:g}."),
)

LEAST_CONFIDENCE = 0.5
"""Confidence of the forward model below which a label is flagged (Zhang, Green & Rix 2023, Table 2)."""
LARGEST_REDUCED_CHI2 = 2.0
"""chi2_opt over 61 above which a fit is flagged (their Eq. 24)."""
LARGEST_PARALLAX_TENSION = 10.0
"""Distance from Gaia's parallax, in its errors, above which a fit is flagged (their Eq. 26)."""
OUT_OF_DOMAIN = 3.0
"""out_of_domain above which a star is called outside the domain: stranger than 999 of 1,000 training stars."""

FORWARD_FLAGS = (
    QualityFlag(0, "teff_uncertain", f"teff_confidence is below {LEAST_CONFIDENCE:g}; never set where the version has no classifier."),
    QualityFlag(1, "feh_uncertain", f"feh_confidence is below {LEAST_CONFIDENCE:g}; never set where the version has no classifier."),
    QualityFlag(2, "logg_uncertain", f"logg_confidence is below {LEAST_CONFIDENCE:g}; never set where the version has no classifier."),
    QualityFlag(3, "poor_fit", f"chi2_opt / 61 is above {LARGEST_REDUCED_CHI2:g}, however many fluxes there were."),
    QualityFlag(4, "unlikely_type", "ln_prior is below the version's cut: the 0.1 % quantile of its prior."),
    QualityFlag(5, "parallax_off", f"parallax is more than {LARGEST_PARALLAX_TENSION:g} of Gaia's errors away from Gaia's."),
)
"""The paper's bits; bits 6 and 7 are never set (Table 2)."""

QUALITY_FLAGS: dict[str, tuple[QualityFlag, ...]] = {"scatter_vae": SCATTER_VAE_FLAGS, "forward": FORWARD_FLAGS}
"""The flags of each model, in the order of their bits."""


def masks(model: str) -> dict[str, int]:
    """Name -> value of each flag of a model; KeyError for a model without flags."""
    return {flag.name: flag.mask for flag in QUALITY_FLAGS[model]}
