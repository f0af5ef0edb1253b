"""From fits to the rows of label_forward: units, packed covariances, the paper's flags, what adds to chi2, which flux fits worst."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int, Int16, Int64
from torch import Tensor

from catalog.binary_copy import Rows, copy_fields
from catalog.quality import LEAST_CONFIDENCE, OUT_OF_DOMAIN, masks
from catalog.schema.label_forward import LABEL_FORWARD
from models.forward.bands import N_XP, XP_WAVELENGTHS
from models.forward.confidence.basic_cut import BasicCut
from models.forward.confidence.features import normalised_residuals
from models.forward.inference.inference import Estimates
from models.forward.inference.uncertainty import inverse
from models.forward.observed.observations import Observations
from models.forward.parameters import PARALLAX, PARAMETERS, TYPE, XI, linear
from models.forward.triangles import KELVIN, N_LABELS, definite, in_kelvin, packed
from models.inputs import NoLabel

N_BP = int((XP_WAVELENGTHS < 640.0).sum())
"""Samples that are told as BP's: it weighs nothing beyond 643 nm, RP nothing below 635 nm."""
_GROUPS = {"bp": slice(0, N_BP), "rp": slice(N_BP, N_XP), "nir": slice(N_XP, None)}
_COLUMNS = LABEL_FORWARD.without("run_id")
_FIELDS = copy_fields(_COLUMNS)

Columns = dict[str, np.ndarray[Any, np.dtype[Any]]]
"""Columns of label_forward; a number that is missing is NaN."""


@dataclass(frozen=True, eq=False)
class FittedStars:
    """n stars with their fits. ``missing`` holds bits by flux_vectors.MISSING.

    ``by_eigenvalues`` tells who was whitened so, ``floored`` whose covariance had eigenvalues raised.
    """

    source_id: Int64[np.ndarray, " n"]
    observed: Observations
    missing: Int16[np.ndarray, " n"]
    by_eigenvalues: Bool[np.ndarray, " n"]
    floored: Bool[np.ndarray, " n"]
    estimates: Estimates

    def __len__(self) -> int:
        return len(self.source_id)

    def residuals(self) -> Float64[np.ndarray, "n bands"]:
        """(observed - model) / error of each band, 0 where nothing was measured."""
        residuals: Float64[np.ndarray, "n bands"] = -normalised_residuals(
            self.observed.flux, self.observed.flux_error, self.estimates.flux
        ).numpy()
        return residuals


@dataclass(frozen=True, eq=False)
class Judgement:
    """What classifiers and domain say of n stars, in the order of TYPE; NaN without a classifier, None without a domain."""

    confidence: Float64[np.ndarray, "n 3"]
    calibrated: Float64[np.ndarray, "n 3"]
    out_of_domain: Float64[np.ndarray, " n"] | None


def label_rows(
    stars: FittedStars, judged: Judgement, wavelengths: Float[np.ndarray, " bands"], ln_prior_cut: float
) -> tuple[Rows, Bool[np.ndarray, " n"], list[NoLabel]]:
    """Rows of the stars whose numbers are all finite as float32, which these are, and a reason for each of the others (not_finite)."""
    n = len(stars)
    columns: Columns = {"source_id": stars.source_id}
    columns |= _labels(stars.estimates) | _fluxes(stars, wavelengths) | _fit(stars) | _judgement(judged)
    columns["quality_flags"] = quality_flags(stars, judged.confidence, ln_prior_cut)
    finite: Bool[np.ndarray, " n"] = np.ones(n, bool)
    wrong: dict[str, Bool[np.ndarray, " n"]] = {}
    nulls: dict[str, Any] = {}
    for field, column in zip(_FIELDS, _COLUMNS, strict=True):
        if field.dtype.kind == "f":
            with np.errstate(over="ignore", invalid="ignore"):
                columns[field.name] = columns[field.name].astype(field.dtype)
            there: Bool[np.ndarray, " n"] = np.asarray(np.isfinite(columns[field.name]).reshape(n, -1).all(axis=1))
            if column.nullable:
                nulls[field.name] = ~there
            else:
                wrong[field.name] = ~there
                finite &= there
    nulls["outside_domain"] = np.full(n, judged.out_of_domain is None)
    rows = Rows(_FIELDS, columns, nulls)
    no_label = [
        NoLabel(int(stars.source_id[i]), "not_finite", "not finite: " + ", ".join(name for name, there in wrong.items() if there[i]))
        for i in np.flatnonzero(~finite)
    ]
    return (rows if finite.all() else rows.take(finite)), finite, no_label


def quality_flags(stars: FittedStars, confidence: Float64[np.ndarray, "n 3"], ln_prior_cut: float) -> Int[np.ndarray, " n"]:
    """The paper's bits (Table 2); a confidence that is NaN sets none."""
    mask = masks("forward")
    cut = BasicCut.of(stars.observed, stars.estimates, ln_prior_cut)
    flags = cut.poor_fit * mask["poor_fit"] + cut.unlikely_type * mask["unlikely_type"] + cut.wrong_parallax * mask["parallax_off"]
    uncertain = (confidence < LEAST_CONFIDENCE) * np.array([mask[f"{name}_uncertain"] for name in TYPE])
    return flags.numpy().astype(np.int32) + uncertain.sum(axis=1).astype(np.int32)


def _labels(estimates: Estimates) -> Columns:
    """Labels with errors and covariances in K; xi, where there is one, in columns of its own."""
    values = estimates.parameters.numpy()
    covariance = definite(in_kelvin(estimates.covariance.numpy()))
    error = np.sqrt(np.einsum("nii->ni", covariance))
    n, has_xi = len(values), values.shape[1] > XI
    # The information of the five labels, whatever xi is, is the inverse of their part of the covariances.
    information = inverse(estimates.covariance[:, :N_LABELS, :N_LABELS]) if has_xi else estimates.information
    columns: Columns = {f"e_{name}": error[:, i] for i, name in enumerate(PARAMETERS)}
    columns |= _named(values, "")
    columns["covariance"] = packed(covariance[:, :N_LABELS, :N_LABELS])
    columns["inverse_covariance"] = packed(definite(in_kelvin(information.numpy(), -1)))
    columns["xi"] = values[:, XI] if has_xi else np.full(n, np.nan)
    columns["e_xi"] = error[:, XI] if has_xi else np.full(n, np.nan)
    columns["xi_covariance"] = covariance[:, XI, :N_LABELS] if has_xi else np.full((n, N_LABELS), np.nan)
    return columns


def _named(values: Float64[np.ndarray, "n p"], prefix: str) -> Columns:
    """Each label's values, teff in K."""
    unit = {"teff": KELVIN}
    return {f"{prefix}{name}": values[:, i] * unit.get(name, 1.0) for i, name in enumerate(PARAMETERS)}


def _fluxes(stars: FittedStars, wavelengths: Float[np.ndarray, " bands"]) -> Columns:
    """How the fluxes fit: chi2 as a whole and by group, the worst of them."""
    observed = stars.observed
    difference = (stars.estimates.flux - observed.flux)[..., None]
    whitened = torch.bmm(observed.whitening, difference)[..., 0]
    if stars.by_eigenvalues.any():
        rows = torch.from_numpy(stars.by_eigenvalues)
        whitened[rows] = torch.bmm(lower_triangular(observed.whitening[rows]), difference[rows])[..., 0]
    shares = (whitened**2).numpy()  # of each band given those before it
    present = observed.present.numpy()
    residuals = stars.residuals()
    worst = np.abs(residuals).argmax(axis=1)
    columns: Columns = {"chi2_opt": stars.estimates.chi2.numpy(), "missing_bands": stars.missing, "n_bands": present.sum(axis=1)}
    columns |= {"worst_wavelength": wavelengths[worst], "worst_residual": residuals[np.arange(len(worst)), worst]}
    for name, group in _GROUPS.items():
        columns[f"chi2_{name}"] = np.where(present[:, group].any(axis=1), shares[:, group].sum(axis=1), np.nan)
    return columns


def lower_triangular(whitening: Float64[Tensor, "n bands bands"]) -> Float64[Tensor, "n bands bands"]:
    """The lower triangular matrices that whiten alike, |L x| the same for every x: as Cholesky's are, whose rows look at no later band.

    Rows and columns of missing bands are zero, here as there.
    """
    # A column of zeros would let QR put other bands' shares into its row: a missing band is one apart from all others while it lasts.
    apart = torch.diag_embed((whitening == 0).all(1).to(whitening))
    return torch.linalg.qr((whitening + apart).flip(2))[1].flip(1, 2) * (1 - apart.sum(1))[:, :, None]


def _fit(stars: FittedStars) -> Columns:
    """How the fit went."""
    estimates, observed = stars.estimates, stars.observed
    deviation = (torch.exp(estimates.variables[:, PARALLAX]) - observed.parallax) / observed.parallax_error
    columns: Columns = {
        "loss": estimates.loss.numpy(),
        "ln_prior": estimates.ln_prior.numpy(),
        "converged": estimates.converged.numpy(),
        "n_iterations": np.minimum(estimates.iterations.numpy(), np.iinfo(np.int16).max),
        "n_starts": estimates.n_starts.numpy(),
        "n_minima": estimates.n_minima.numpy(),
        "runner_up_delta_loss": estimates.runner_up_delta.numpy(),
        "parallax_deviation": np.where(np.isfinite(observed.parallax_error.numpy()), deviation.numpy(), np.nan),
        "eigenvalue_floor": stars.floored,
    }
    return columns | _named(linear(estimates.runner_up).numpy(), "runner_up_")


def _judgement(judged: Judgement) -> Columns:
    """Confidences and how unlike the training stars the star is."""
    columns: Columns = {f"{name}_confidence": judged.confidence[:, i] for i, name in enumerate(TYPE)}
    columns |= {f"{name}_confidence_calibrated": judged.calibrated[:, i] for i, name in enumerate(TYPE)}
    score = np.full(len(judged.confidence), np.nan) if judged.out_of_domain is None else judged.out_of_domain
    return columns | {"out_of_domain": score, "outside_domain": ~(score <= OUT_OF_DOMAIN)}
