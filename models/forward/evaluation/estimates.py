"""Stars with what a version says of them, as arrays that all comparisons share.

The labels are the very rows that a run would write (``models.forward.model``); beside them stand the flux residuals and the correlations of the
errors before and after the parallax, recomputed at these labels.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from jaxtyping import Bool, Float, Int64

from catalog.binary_copy import Rows
from catalog.errors import DataError
from catalog.quality import LEAST_CONFIDENCE, OUT_OF_DOMAIN
from catalog.stars import StarBatch
from models.forward.bands import BAND_NAMES
from models.forward.flux_residuals import flux_residuals, variables_of
from models.forward.inference.uncertainty import correlations, flux_information, inverse, with_parallax
from models.forward.model import ForwardModel
from models.forward.parameters import PARAMETERS, TYPE

BASIC_CUT = 8
"""quality_flags below this pass the paper's basic reliability cut."""
PARALLAX_SNR, LOSS_PER_DOF = 5.0, 5.0
"""The paper's validation leaves out stars whose parallax is below so many errors or whose loss over the number of bands is above (section 4.4)."""


@dataclass(frozen=True, eq=False)
class EstimatedStars:
    """n labelled stars. ``values`` and ``errors`` are in the order of PARAMETERS, in K, dex, mag and mas.

    ``confidence`` and ``calibrated`` (NaN: none) are of TYPE. ``residuals`` are predicted minus observed fluxes in units of their errors (NaN: band
    missing). ``parallax`` is Gaia's with its zero point taken off, as the version takes it; 0 with an infinite error where there is none.
    ``correlation`` is of the errors, ``flux_correlation`` of those that fluxes alone would leave.
    """

    source_id: Int64[np.ndarray, " n"]
    values: Float[np.ndarray, "n 5"]
    errors: Float[np.ndarray, "n 5"]
    loss: Float[np.ndarray, " n"]
    chi2: Float[np.ndarray, " n"]
    n_bands: Int64[np.ndarray, " n"]
    quality_flags: Int64[np.ndarray, " n"]
    n_minima: Int64[np.ndarray, " n"]
    converged: Bool[np.ndarray, " n"]
    out_of_domain: Float[np.ndarray, " n"]
    confidence: Float[np.ndarray, "n 3"]
    calibrated: Float[np.ndarray, "n 3"]
    residuals: Float[np.ndarray, "n bands"]
    parallax: Float[np.ndarray, " n"]
    parallax_error: Float[np.ndarray, " n"]
    flux_correlation: Float[np.ndarray, "n 5 5"]
    correlation: Float[np.ndarray, "n 5 5"]
    g: Float[np.ndarray, " n"]
    bp_rp: Float[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.source_id)

    def take(self, index: Any) -> Self:
        """Some of the stars."""
        return type(self)(*(getattr(self, each.name)[index] for each in fields(self)))

    @classmethod
    def concatenate(cls, parts: list[Self]) -> Self:
        """One set of several."""
        return cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))

    def parameter(self, name: str) -> Float[np.ndarray, " n"]:
        """The values of one parameter."""
        return self.values[:, PARAMETERS.index(name)]

    @property
    def reliable(self) -> Bool[np.ndarray, " n"]:
        """Which stars pass the basic cut."""
        return self.quality_flags < BASIC_CUT

    @property
    def validated(self) -> Bool[np.ndarray, " n"]:
        """Which stars the paper's validation keeps: parallax and loss."""
        return (self.parallax >= PARALLAX_SNR * self.parallax_error) & (self.loss <= LOSS_PER_DOF * self.n_bands)

    @property
    def outside(self) -> Bool[np.ndarray, " n"]:
        """Which stars lie outside the domain; none where the version cannot tell."""
        return self.out_of_domain > OUT_OF_DOMAIN

    @property
    def judged(self) -> tuple[str, ...]:
        """Those of TYPE that the version has a classifier of."""
        return tuple(name for number, name in enumerate(TYPE) if np.isfinite(self.confidence[:, number]).any())

    def confident(self, name: str) -> Bool[np.ndarray, " n"]:
        """Which stars have a confidence above one half in one of TYPE; none where there is no classifier of it."""
        return self.confidence[:, TYPE.index(name)] > LEAST_CONFIDENCE


def estimated(model: ForwardModel, batches: Iterable[StarBatch]) -> tuple[EstimatedStars, Counter[str]]:
    """All stars that get labels, and how many got none for each reason. DataError if none gets any."""
    parts: list[EstimatedStars] = []
    refused: Counter[str] = Counter()
    for batch in batches:
        predicted = model.predict(batch)
        refused.update(each.reason for each in predicted.no_label)
        if len(predicted.labels):
            parts.append(_of_batch(predicted.labels, model, batch))
    if not parts:
        raise DataError(f"no star has a label: {dict(refused) or 'there are no stars'}.")
    return EstimatedStars.concatenate(parts), refused


def _of_batch(labels: Rows, model: ForwardModel, batch: StarBatch) -> EstimatedStars:
    """The labelled stars of one batch, in the order of its rows."""
    version, vectors = model.version, model.vectors(batch)
    ids = batch.spectra.source_id[vectors.kept]
    order = np.argsort(ids)
    place = order[np.searchsorted(ids, labels["source_id"], sorter=order)]  # of each label among the kept stars
    observed = vectors.observations.take(place)
    names = (*PARAMETERS, "xi") if version.flux_model.has_xi else PARAMETERS
    values = np.column_stack([column(labels, name) for name in names])
    variables = variables_of(values)
    residuals = flux_residuals(version, labels["source_id"], observed, values)
    of_fluxes = flux_information(version.flux_model, observed, variables)
    whole = with_parallax(of_fluxes, observed)
    of_batch = vectors.kept[place]
    five = len(PARAMETERS)

    def confidences(suffix: str) -> Float[np.ndarray, "n 3"]:
        return np.column_stack([column(labels, f"{name}_confidence{suffix}") for name in TYPE])

    return EstimatedStars(
        source_id=labels["source_id"],
        values=values[:, :five],
        errors=np.column_stack([column(labels, f"e_{name}") for name in PARAMETERS]),
        loss=column(labels, "loss"),
        chi2=column(labels, "chi2_opt"),
        n_bands=labels["n_bands"].astype(np.int64),
        quality_flags=labels["quality_flags"].astype(np.int64),
        n_minima=labels["n_minima"].astype(np.int64),
        converged=labels["converged"].astype(bool),
        out_of_domain=column(labels, "out_of_domain"),
        confidence=confidences(""),
        calibrated=confidences("_calibrated"),
        residuals=residuals.normalised.astype(np.float32),
        parallax=observed.parallax.numpy(),
        parallax_error=observed.parallax_error.numpy(),
        flux_correlation=correlations(inverse(of_fluxes).numpy())[:, :five, :five].astype(np.float32),
        correlation=correlations(inverse(whole).numpy())[:, :five, :five].astype(np.float32),
        g=batch["phot_g_mean_mag"][of_batch],
        bp_rp=(batch["phot_bp_mean_mag"] - batch["phot_rp_mean_mag"])[of_batch],
    )


def column(rows: Rows, name: str) -> Float[np.ndarray, " n"]:
    """A column of numbers, NaN for null."""
    return np.where(rows.null(name), np.nan, rows[name].astype(np.float64))


def quality_counts(stars: EstimatedStars) -> list[tuple[str, int, float]]:
    """The paper's table 3 of these stars: cut, number of stars, share of all; of confidences only those that the version has a classifier of."""
    basic = stars.reliable
    cuts = {"all stars": np.ones(len(stars), bool), "basic cut": basic}
    words = {"teff": "teff", "logg": "log g", "feh": "[Fe/H]"}
    cuts |= {f"basic cut, confident in {words[name]}": basic & stars.confident(name) for name in words if name in stars.judged}
    if len(stars.judged) == len(TYPE):
        cuts["basic cut, confident in all three"] = np.logical_and.reduce([basic, *(stars.confident(name) for name in TYPE)])
    return [(name, int(mask.sum()), float(mask.mean()) if len(stars) else float("nan")) for name, mask in cuts.items()]


def residuals_by_band(stars: EstimatedStars, among: Bool[np.ndarray, " n"]) -> list[tuple[str, int, float, float, float]]:
    """Of each band: name, stars that have it, median residual, half the width of its central 68 %, and the share beyond 3."""
    found = []
    for number, name in enumerate(BAND_NAMES):
        values = stars.residuals[among, number]
        values = values[np.isfinite(values)].astype(np.float64)
        if len(values) == 0:
            found.append((name, 0, float("nan"), float("nan"), float("nan")))
            continue
        low, middle, high = np.percentile(values, (16, 50, 84))
        found.append((name, len(values), float(middle), float((high - low) / 2), float((np.abs(values) > 3).mean())))
    return found
