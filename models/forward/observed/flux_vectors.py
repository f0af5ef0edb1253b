"""From the catalogue's stars to what the forward model is compared with: 66 fluxes whitened by their covariance, and the parallax.

Zhang, Green & Rix 2023, section 2: 61 XP samples with the covariance of their Eq. 2, J, H, Ks, W1 and W2 by Eq. 5, whitening by Eqs. 3 and 4. A
star needs one usable band of XP; whatever else is missing is declared missing, by an infinite error and zero rows of the whitening matrix.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int16, Int64

from catalog.errors import UsageError
from catalog.spectra import Band
from catalog.stars import StarBatch
from models.forward.bands import FLUX_UNIT, N_BANDS, N_XP, NIR_BANDS, XP_WAVELENGTHS
from models.forward.observed.nir_fluxes import nir_fluxes
from models.forward.observed.observations import Observations
from models.forward.observed.whitening import whiten
from models.inputs import NoLabel
from models.numerics.parallax_zero_point import zero_point
from models.numerics.threads import one_thread
from models.numerics.xp_fluxes import XpBand, XpSampler
from models.numerics.xp_sampling import BANDS, merge_weights

MISSING = ("BP", "RP", *NIR_BANDS)
"""What the bits of ``FluxVectors.missing`` stand for, from bit 0 on."""


class Oddity(IntFlag):
    """What a star's input had that is out of the ordinary, and was dealt with."""

    BP_UNUSABLE = 1
    """BP is there, but not all of its coefficients and errors are finite, or an error is not above zero: it counts as missing."""
    RP_UNUSABLE = 2
    BP_UNCORRELATED = 4
    """BP has no usable correlations: they are taken for zero."""
    RP_UNCORRELATED = 8
    BY_EIGENVALUES = 16
    """Whitened by eigenvalues: an eigenvalue may lie below the floor, or the covariance is not positive definite."""
    FLOORED = 32
    """An eigenvalue did lie below the floor, and was raised to it."""
    ZERO_POINT_EXTRAPOLATED = 64
    """Magnitude or colour are outside the range of the parallax zero point: it is the value at the range's limit."""
    ZERO_POINT_UNKNOWN = 128
    """Magnitude, colour or ecliptic latitude are missing: the parallax is as published."""


@dataclass(frozen=True, eq=False)
class FluxVectors:
    """The stars of a batch that can be fitted, m of n, and why the others cannot.

    ``kept`` are their places in the batch; ``missing`` holds bits by MISSING, ``oddities`` those of Oddity.
    """

    kept: Int64[np.ndarray, " m"]
    observations: Observations
    missing: Int16[np.ndarray, " m"]
    oddities: Int16[np.ndarray, " m"]
    no_label: list[NoLabel]

    @property
    def fallback(self) -> Bool[np.ndarray, " m"]:
        """Which stars were whitened by eigenvalues instead of Cholesky's factor."""
        return (self.oddities & Oddity.BY_EIGENVALUES) != 0

    def counts(self) -> dict[str, int]:
        """How many stars lack what, how many had each oddity, and how many were refused for each reason; zeros left out."""
        counts = {f"missing {name}": int(((self.missing >> bit) & 1).sum()) for bit, name in enumerate(MISSING)}
        counts |= {str(each.name).lower(): int(((self.oddities & each) != 0).sum()) for each in Oddity}
        for each in self.no_label:
            counts[f"refused: {each.reason}"] = counts.get(f"refused: {each.reason}", 0) + 1
        return {name: count for name, count in counts.items() if count}


def flux_vectors(stars: StarBatch, sampling: Mapping[Band, Float64[np.ndarray, "n_coef 61"]], settings: Mapping[str, Any]) -> FluxVectors:
    """The flux vectors of a batch under a version's sampling matrices and settings (forward/settings.py), in float64 on the CPU.

    Reasons of no_label: out_of_contract (other numbers of coefficients than the matrices have), missing_spectrum (no coefficient in either
    band), missing_errors (coefficients without errors), unusable_spectrum (no band with all its coefficients and errors finite and the errors above
    zero). A star's numbers depend neither on the others of its batch nor on torch's number of threads. UsageError for settings that do not exist.

    A whitening matrix is 35 kB: batches of some hundred stars are quickest, as those of a thousand take fresh memory every time.
    """
    spectra = stars.spectra
    sampler = XpSampler(sampling, merge_weights(XP_WAVELENGTHS), FLUX_UNIT)
    seen, needed = (spectra.n_bp, spectra.n_rp), (sampler.n_coefficients("bp"), sampler.n_coefficients("rp"))
    if seen != needed:
        detail = f"{seen[0]} BP and {seen[1]} RP coefficients where the model takes {needed[0]} and {needed[1]}"
        refused = [NoLabel(int(source_id), "out_of_contract", detail) for source_id in spectra.source_id]
        nothing = np.empty(0, np.int16)
        return FluxVectors(np.empty(0, np.int64), _observations(np.empty((0, N_BANDS))), nothing, nothing, refused)

    scaling = settings["error_scaling"]
    if scaling not in ("standard_deviation", "off"):
        raise UsageError(f"error_scaling is standard_deviation or off, not {scaling}.")
    bands = {band: XpBand.of(spectra, band, stars[f"{band}_standard_deviation"] if scaling == "off" else None) for band in BANDS}
    present = sampler.present(bands)
    nir_flux, nir_error = nir_fluxes(stars, settings)

    n = len(stars)
    result = _observations(np.zeros((n, N_BANDS)))
    flux, error, matrix = (each.numpy() for each in (result.flux, result.flux_error, result.whitening))
    oddities = np.zeros(n, np.int16)
    for band in BANDS:
        checked = bands[band]
        oddities |= _bit(checked.there & ~checked.usable, Oddity[f"{band.upper()}_UNUSABLE"])
        oddities |= _bit(checked.usable & ~checked.correlated, Oddity[f"{band.upper()}_UNCORRELATED"])
    with one_thread():
        for rows, parts, covariance in sampler.blocks(bands):
            total = parts["bp"] + parts["rp"]
            _add_calibration_errors(covariance, total, parts, settings)
            white = whiten(covariance, present[rows], float(settings["eigenvalue_floor"]), matrix[rows, :N_XP, :N_XP])
            flux[rows, :N_XP], error[rows, :N_XP] = total, white.error
            oddities[rows] |= _bit(white.by_eigenvalues, Oddity.BY_EIGENVALUES)
            oddities[rows] |= _bit(white.floored, Oddity.FLOORED)
    flux[:, N_XP:], error[:, N_XP:] = nir_flux, nir_error
    matrix[:, np.arange(N_XP, N_BANDS), np.arange(N_XP, N_BANDS)] = 1 / nir_error

    oddities |= _parallaxes(stars, str(settings["parallax_zero_point"]), result.parallax.numpy(), result.parallax_error.numpy())
    lacking = np.column_stack([~bands["bp"].usable, ~bands["rp"].usable, np.isinf(nir_error)])
    missing = (lacking << np.arange(len(MISSING))).sum(axis=1).astype(np.int16)
    fitted = bands["bp"].usable | bands["rp"].usable
    kept = np.flatnonzero(fitted)
    no_label = [_refused(int(spectra.source_id[i]), bands, int(i)) for i in np.flatnonzero(~fitted)]
    observed = result if fitted.all() else result.take(torch.from_numpy(kept))
    return FluxVectors(kept, observed, missing[kept], oddities[kept], no_label)


def _bit(where: Bool[np.ndarray, " n"], oddity: Oddity) -> Int16[np.ndarray, " n"]:
    """The oddity's bit where it applies."""
    return np.where(where, int(oddity), 0).astype(np.int16)


def _observations(flux: Float64[np.ndarray, "n bands"]) -> Observations:
    """Observations to be filled: nothing is known of any star."""
    n, bands = flux.shape
    return Observations(
        torch.from_numpy(flux),
        torch.full((n, bands), torch.inf, dtype=torch.float64),
        torch.zeros((n, bands, bands), dtype=torch.float64),
        torch.zeros(n, dtype=torch.float64),
        torch.full((n,), torch.inf, dtype=torch.float64),
    )


def _add_calibration_errors(
    covariance: Float64[np.ndarray, "n 61 61"], flux: Float64[np.ndarray, "n 61"], parts: Mapping[Band, Float64[np.ndarray, "n 61"]],
    settings: Mapping[str, Any],
) -> None:  # fmt: skip
    """The second to fifth term of Eq. 2, in place: independent errors, zero point of all samples, of BP's, of RP's."""
    own, common, of_band = (float(settings[name]) for name in ("independent_error", "zero_point_error", "band_zero_point_error"))
    vectors = np.stack([common * flux, of_band * parts["bp"], of_band * parts["rp"]], axis=2)  # (n, 61, 3)
    covariance += vectors @ vectors.transpose(0, 2, 1)
    diagonal = np.arange(flux.shape[1])
    covariance[:, diagonal, diagonal] += (own * flux) ** 2


def _parallaxes(
    stars: StarBatch, choice: str, parallax: Float64[np.ndarray, " n"], error: Float64[np.ndarray, " n"]
) -> Int16[np.ndarray, " n"]:
    """Fill parallaxes and errors in mas, the zero point taken off; 0 and infinite where there is none. Returns oddities."""
    there = np.isfinite(stars["parallax"]) & np.isfinite(stars["parallax_error"]) & (stars["parallax_error"] > 0)
    oddities = np.zeros(len(stars), np.int16)
    if choice == "lindegren2021":
        found = zero_point(
            stars["phot_g_mean_mag"], stars["nu_eff_used_in_astrometry"], stars["pseudocolour"], stars["ecl_lat"],
            stars["astrometric_params_solved"],
        )  # fmt: skip
        known = np.isfinite(found.value)
        offset = np.where(known, found.value, 0.0)
        oddities |= _bit(there & ~known, Oddity.ZERO_POINT_UNKNOWN)
        oddities |= _bit(there & known & ~found.inside, Oddity.ZERO_POINT_EXTRAPOLATED)
    else:
        offset = np.full(len(stars), _constant(choice))
    parallax[:] = np.where(there, stars["parallax"] - offset, 0.0)
    error[:] = np.where(there, stars["parallax_error"], np.inf)
    return oddities


def _constant(choice: str) -> float:
    """A zero point given as none or a number of mas."""
    try:
        value = 0.0 if choice == "none" else float(choice)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise UsageError(f"parallax_zero_point is lindegren2021, none or a number of mas, not {choice}.")
    return value


def _refused(source_id: int, bands: Mapping[Band, XpBand], row: int) -> NoLabel:
    """Why a star without a usable band has no label."""
    there = [band for band in BANDS if bands[band].there[row]]
    names = " and ".join(band.upper() for band in there)
    if not there:
        return NoLabel(source_id, "missing_spectrum", "no BP and no RP coefficients")
    if not any(bands[band].with_errors[row] for band in there):
        return NoLabel(source_id, "missing_errors", f"{names} without errors")
    return NoLabel(source_id, "unusable_spectrum", f"coefficients or errors of {names} that are not finite, or errors not above zero")
