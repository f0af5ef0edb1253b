"""Spectra as the models take them: divided by the G flux, missing numbers masked, each oddity a flag, each hopeless star a reason."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Int

from catalog.quality import masks
from catalog.spectra import SpectrumBatch
from models.numerics.flux_scale import flux_scale


@dataclass(frozen=True)
class NoLabel:
    """Why a star has no label: ``reason`` is a word of a short list (store.no_label), ``detail`` what was seen."""

    source_id: int
    reason: str
    detail: str


@dataclass(frozen=True, eq=False)
class XpInputs:
    """Stars that can be labelled, in the order of their batch.

    ``coefficients``: BP before RP, divided by the flux scale, NaN where missing. ``errors``: likewise divided; infinite where the error
    or the coefficient is missing, so that such a number carries no weight anywhere.
    """

    source_id: Int[np.ndarray, " stars"]
    coefficients: Float[np.ndarray, "stars pixels"]
    errors: Float[np.ndarray, "stars pixels"]
    flux_scale: Float[np.ndarray, " stars"]
    quality_flags: Int[np.ndarray, " stars"]

    def __len__(self) -> int:
        return len(self.source_id)

    @property
    def present(self) -> Bool[np.ndarray, "stars pixels"]:
        """Which coefficients there are."""
        return np.asarray(np.isfinite(self.coefficients))

    @property
    def compared(self) -> Bool[np.ndarray, "stars pixels"]:
        """Which coefficients have an error to be compared with."""
        return np.asarray(np.isfinite(self.errors))

    @classmethod
    def concatenate(cls, blocks: "Sequence[XpInputs]") -> "XpInputs":
        """Several blocks as one; at least one block."""
        return cls(*(np.concatenate([getattr(block, field.name) for block in blocks]) for field in fields(cls)))

    def take(self, index: "Int[np.ndarray, ' n'] | Bool[np.ndarray, ' stars']") -> "XpInputs":
        """Some of the stars."""
        return XpInputs(
            self.source_id[index], self.coefficients[index], self.errors[index], self.flux_scale[index], self.quality_flags[index]
        )


def xp_inputs(
    batch: SpectrumBatch, model: str, n_bp: int, n_rp: int, synthetic_g: Float[np.ndarray, " pixels"] | None
) -> tuple[XpInputs, list[NoLabel]]:
    """The stars of a batch that a model can label, with their flags, and why the others cannot be.

    Reasons: out_of_contract (another number of coefficients than the model was made for), missing_spectrum (no coefficient),
    missing_flux_scale (neither a catalogue G nor both bands).
    """
    flag = masks(model)
    coefficients = batch.coefficients()  # (stars, pixels)
    errors = batch.errors()
    seen = (batch.n_bp, batch.n_rp)
    if seen != (n_bp, n_rp):
        detail = f"{seen[0]} BP and {seen[1]} RP coefficients where the model takes {n_bp} and {n_rp}"
        nothing = XpInputs(batch.source_id[:0], np.empty((0, n_bp + n_rp)), np.empty((0, n_bp + n_rp)), np.empty(0), np.empty(0, np.int32))
        return nothing, [NoLabel(int(source_id), "out_of_contract", detail) for source_id in batch.source_id]

    coefficients[~np.isfinite(coefficients)] = np.nan
    present = np.isfinite(coefficients)
    usable = present & np.isfinite(errors) & (errors > 0)
    errors = np.where(usable, errors, np.inf)
    scale = flux_scale(batch.g_mean_flux, batch.g_mean_mag, coefficients, synthetic_g)

    bp, rp = present[:, :n_bp], present[:, n_bp:]
    no_bp, no_rp = ~bp.any(axis=1), ~rp.any(axis=1)
    no_errors = ~usable.any(axis=1)
    whole = (no_bp | bp.all(axis=1)) & (no_rp | rp.all(axis=1)) & (no_errors | (usable == present).all(axis=1))
    flags = (
        scale.from_magnitude * flag["flux_from_g_mag"]
        | scale.synthetic * flag["flux_synthetic"]
        | no_errors * flag["no_errors"]
        | no_bp * flag["missing_bp"]
        | no_rp * flag["missing_rp"]
        | ~whole * flag["incomplete"]
    ).astype(np.int32)

    empty = no_bp & no_rp
    unscaled = ~empty & np.isnan(scale.value)
    no_label = [
        NoLabel(int(batch.source_id[i]), "missing_spectrum", "no BP and no RP coefficients") if empty[i]
        else NoLabel(int(batch.source_id[i]), "missing_flux_scale", _without(no_bp[i], no_rp[i], synthetic_g is None))
        for i in np.flatnonzero(empty | unscaled)
    ]  # fmt: skip
    keep = ~(empty | unscaled)
    divisor = scale.value[keep, None]
    return XpInputs(batch.source_id[keep], coefficients[keep] / divisor, errors[keep] / divisor, scale.value[keep], flags[keep]), no_label


def _without(no_bp: bool, no_rp: bool, no_weights: bool) -> str:
    """Why there is no synthetic G for a star without a catalogue G."""
    if no_weights:
        return "no catalogue G, and no synthetic G for the basis functions of this release"
    missing = "BP" if no_bp else "RP" if no_rp else "a complete BP and RP spectrum with positive G flux"
    return f"no catalogue G and no {missing}"
