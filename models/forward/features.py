"""What the confidence classifiers see of a star: the 20 numbers and 66 residuals of Appendix B of Zhang, Green & Rix 2023.

Only what every source has, labelled by a survey or not, so that the classifiers can judge the whole catalogue. A number that a star lacks is NaN
here; ``models.forward.confidence`` puts the training stars' median in its place before any network sees it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Protocol

import torch
from jaxtyping import Float, Float64
from numpy import ndarray
from torch import Tensor

from models.forward.bands import BAND_NAMES, FITTED_DOF
from models.forward.observations import Observations
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


class Fit(Protocol):
    """What the features take of an inference (``models.forward.inference.Estimates``)."""

    @property
    def variables(self) -> Float[Tensor, "n p"]:
        """The solver's variables at the minimum."""
        ...

    @property
    def chi2(self) -> Float[Tensor, " n"]:
        """chi2_opt, of the fluxes alone."""
        ...

    @property
    def ln_prior(self) -> Float[Tensor, " n"]:
        """ln p of the type."""
        ...

    @property
    def flux(self) -> Float[Tensor, "n bands"]:
        """Predicted fluxes."""
        ...

    @property
    def covariance(self) -> Float[Tensor, "n p p"]:
        """In linear units, teff in kK."""
        ...


@dataclass(frozen=True, eq=False)
class SomeFit:
    """The fit of some of the stars."""

    variables: Float[Tensor, "n p"]
    chi2: Float[Tensor, " n"]
    ln_prior: Float[Tensor, " n"]
    flux: Float[Tensor, "n bands"]
    covariance: Float[Tensor, "n p p"]


def taken(fit: Fit, index: Tensor) -> SomeFit:
    """The fit of the stars at an index."""
    return SomeFit(*(getattr(fit, each.name)[index] for each in fields(SomeFit)))


def features(columns: Columns, observed: Observations, fit: Fit) -> Float64[Tensor, "n 86"]:
    """The features of n stars in the order of FEATURES, on the CPU; NaN where a star lacks what one is made of.

    Missing bands have residual 0. ``ln_dplx2`` is of the square of (parallax - Gaia's) / error; the parallax is the one that was fitted, zero point
    taken off.
    """
    observed = observed.to(device=torch.device("cpu"), dtype=torch.float64)
    variables, chi2, ln_prior, flux, covariance = (
        each.detach().to("cpu", torch.float64) for each in (fit.variables, fit.chi2, fit.ln_prior, fit.flux, fit.covariance)
    )
    nothing = torch.full_like(chi2, torch.nan)
    has_parallax = torch.isfinite(observed.parallax_error)

    def column(name: str) -> Tensor:
        return torch.as_tensor(columns[name], dtype=torch.float64)

    def snr(band: str) -> Tensor:
        return torch.asinh(column(f"phot_{band}_mean_flux_over_error"))

    tension = (torch.exp(variables[:, PARALLAX]) - observed.parallax) / observed.parallax_error
    error = torch.sqrt(torch.diagonal(covariance, dim1=1, dim2=2)[:, :N_TYPE].clamp(min=0.0))
    fidelity, norm_dg = column("fidelity_v2"), column("norm_dg")
    scalars = {
        "ln_rchi2_opt": ln(chi2 / FITTED_DOF),
        "ln_dplx2": torch.where(has_parallax, ln(tension**2), nothing),
        "ln_prior": ln_prior,
        **{f"{name}_est": variables[:, i] for i, name in enumerate(("teff", "feh", "logg"))},
        **{f"{name}_est_err": error[:, i] for i, name in enumerate(("teff", "feh", "logg"))},
        "asinh_plx_snr": torch.where(has_parallax, torch.asinh(observed.parallax / observed.parallax_error), nothing),
        **{f"asinh_{band}_snr": snr(band) for band in ("g", "bp", "rp")},
        "ln_phot_bp_rp_excess_factor": ln(column("phot_bp_rp_excess_factor")),
        "phot_g_mean_mag": column("phot_g_mean_mag"),
        "ln_ruwe": ln(column("ruwe")),
        "fidelity_v2": fidelity,
        "norm_dg": torch.where(torch.isnan(norm_dg) & ~torch.isnan(fidelity), torch.full_like(chi2, NO_NEIGHBOUR), norm_dg),
        **{f"ln_{band}_chi_squared": ln(column(f"{band}_chi_squared")) for band in ("bp", "rp")},
    }
    return torch.cat([torch.stack([scalars[name] for name in SCALARS], dim=1), torch.asinh(normalised_residuals(observed, flux))], dim=1)


def normalised_residuals(observed: Observations, flux: Float[Tensor, "n bands"]) -> Float[Tensor, "n bands"]:
    """(predicted - observed flux) / error of each band, 0 in bands that were not measured."""
    return torch.where(observed.present, (flux - observed.flux) / observed.flux_error, torch.zeros_like(flux))


def ln(values: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """ln max(X, 1e-7); NaN stays NaN."""
    return torch.log(values.clamp(min=SMALLEST))
