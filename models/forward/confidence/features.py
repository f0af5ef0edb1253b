"""What the confidence classifiers see of a star: the 20 numbers and 66 residuals of Appendix B of Zhang, Green & Rix 2023.

Only what every source has, labelled by a survey or not, so that the classifiers can judge the whole catalogue. A number that a star lacks is NaN
here; ``models.forward.confidence.confidence`` puts the training stars' median in its place before any network sees it.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Float64
from numpy import ndarray
from torch import Tensor

from models.forward.bands import BAND_NAMES, FITTED_DOF
from models.forward.inference.inference import Estimates
from models.forward.observed.observations import Observations
from models.forward.parameters import N_TYPE, PARALLAX

SCALARS = (
    *("ln_rchi2_opt", "ln_dplx2", "ln_prior", "teff_est", "logg_est", "feh_est", "teff_est_err", "logg_est_err", "feh_est_err"),
    *("asinh_plx_snr", "asinh_g_snr", "asinh_bp_snr", "asinh_rp_snr", "ln_phot_bp_rp_excess_factor", "phot_g_mean_mag", "ln_ruwe"),
    *("fidelity_v2", "norm_dg", "ln_bp_chi_squared", "ln_rp_chi_squared"),
)
"""Their names and order; teff in kK."""
FEATURES = (*SCALARS, *(f"asinh_flux_chi {band}" for band in BAND_NAMES))
SMALLEST = 1e-7
"""ln_X is ln max(X, 1e-7)."""
NO_NEIGHBOUR = -50.0
"""norm_dg of a star that has a fidelity but no neighbour bright enough for a norm_dg (as in the authors' code)."""

Columns = Mapping[str, Float64[ndarray, " n"]]
"""Columns of ``catalog.stars.StarBatch``, NaN where the catalogue has nothing."""


def features(columns: Columns, observed: Observations, estimates: Estimates) -> Float64[Tensor, "n 86"]:
    """The features of n stars in the order of FEATURES, on the CPU; NaN where a star lacks what one is made of.

    Missing bands have residual 0. ``ln_dplx2`` is of the square of (parallax - Gaia's) / error; the parallax is the one that was fitted, zero point
    taken off.
    """
    flux, flux_error, parallax, parallax_error = (
        each.detach().to("cpu", torch.float64) for each in (observed.flux, observed.flux_error, observed.parallax, observed.parallax_error)
    )
    variables, chi2 = estimates.variables, estimates.chi2
    nothing = torch.full_like(chi2, torch.nan)
    has_parallax = torch.isfinite(parallax_error)

    def column(name: str) -> Tensor:
        return torch.as_tensor(columns[name], dtype=torch.float64)

    def snr(band: str) -> Tensor:
        return torch.asinh(column(f"phot_{band}_mean_flux_over_error"))

    tension = (torch.exp(variables[:, PARALLAX]) - parallax) / parallax_error
    error = torch.sqrt(torch.diagonal(estimates.covariance, dim1=1, dim2=2)[:, :N_TYPE].clamp(min=0.0))
    fidelity, norm_dg = column("fidelity_v2"), column("norm_dg")
    scalars = {
        "ln_rchi2_opt": ln(chi2 / FITTED_DOF),
        "ln_dplx2": torch.where(has_parallax, ln(tension**2), nothing),
        "ln_prior": estimates.ln_prior,
        **{f"{name}_est": variables[:, i] for i, name in enumerate(("teff", "feh", "logg"))},
        **{f"{name}_est_err": error[:, i] for i, name in enumerate(("teff", "feh", "logg"))},
        "asinh_plx_snr": torch.where(has_parallax, torch.asinh(parallax / parallax_error), nothing),
        **{f"asinh_{band}_snr": snr(band) for band in ("g", "bp", "rp")},
        "ln_phot_bp_rp_excess_factor": ln(column("phot_bp_rp_excess_factor")),
        "phot_g_mean_mag": column("phot_g_mean_mag"),
        "ln_ruwe": ln(column("ruwe")),
        "fidelity_v2": fidelity,
        "norm_dg": torch.where(torch.isnan(norm_dg) & ~torch.isnan(fidelity), torch.full_like(chi2, NO_NEIGHBOUR), norm_dg),
        **{f"ln_{band}_chi_squared": ln(column(f"{band}_chi_squared")) for band in ("bp", "rp")},
    }
    residuals = torch.asinh(normalised_residuals(flux, flux_error, estimates.flux))
    return torch.cat([torch.stack([scalars[name] for name in SCALARS], dim=1), residuals], dim=1)


def normalised_residuals(
    flux: Float64[Tensor, "n bands"], flux_error: Float64[Tensor, "n bands"], predicted: Float64[Tensor, "n bands"]
) -> Float64[Tensor, "n bands"]:
    """(predicted - observed flux) / error of each band, 0 in bands that were not measured (error infinite)."""
    return torch.where(torch.isfinite(flux_error), (predicted - flux) / flux_error, torch.zeros_like(predicted))


def ln(values: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """ln max(X, 1e-7); NaN stays NaN."""
    return torch.log(values.clamp(min=SMALLEST))
