"""The forward model as the registry knows it: what it is, how it learns, and the labels that a version gives to the stars of a batch.

Zhang, Green & Rix 2023. Flux vectors (flux_vectors), fits (inference), confidence (confidence) and domain (domain) have modules of their own; here
they are put together. A star's labels depend neither on the others of its batch nor on their order.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np
import psycopg
import torch
from jaxtyping import Bool, Float64, Int64

from catalog.binary_copy import Rows, copy_fields
from catalog.errors import DataError
from catalog.releases import DataRelease
from catalog.schema.label_forward import LABEL_FORWARD
from catalog.spectra import Band
from catalog.stars import StarBatch
from catalog.store.star_store import read_stars
from models.forward.bands import N_BANDS
from models.forward.confidence.confidence import Confidence
from models.forward.confidence.domain import Domain
from models.forward.confidence.features import features
from models.forward.inference.inference import infer
from models.forward.label_rows import FittedStars, Judgement, label_rows
from models.forward.observed.flux_vectors import FluxVectors, Oddity, flux_vectors
from models.forward.run_figures import run_figures
from models.forward.settings import chosen
from models.forward.training.sample import ForwardSample, read_sample
from models.forward.training.training import train
from models.forward.training.training_settings import PRESETS, check_settings, training_settings
from models.forward.version import ForwardVersion
from models.inputs import NoLabel
from models.numerics.devices import CPU, chosen_device, device_class
from models.numerics.threads import one_thread
from models.spec import Configuration, ModelSpec, Predictions

__all__ = ["SPEC", "ForwardModel", "configuration", "load", "read", "run_figures", "sample", "train"]

SPEC = ModelSpec(
    name="forward",
    title="Forward model of fluxes",
    reference="Zhang, Green & Rix 2023",
    label_table=LABEL_FORWARD,
    required_inputs=(
        "all coefficients of BP or RP with errors above zero; correlations, parallax, 2MASS and unWISE are used where they are there",
    ),
    pixels="61 XP samples of 392 to 992 nm, then J, H, Ks, W1, W2; residuals over the errors of Eq. 2",
    presets=PRESETS,
    licence="CC-BY-4.0; learnt from Gaia, LAMOST, 2MASS and unWISE data, credit ESA/Gaia/DPAC",
)


def configuration(release: DataRelease, preset: str) -> dict[str, Any]:
    """Every setting for training on a release: its contract, the model's choices, the training's."""
    training = training_settings(preset)
    contract = {name: getattr(release, name) for name in ("n_bp", "n_rp", "bp_basis_function_id", "rp_basis_function_id")}
    return {"preset": preset, **contract, **chosen(release), **training}


def sample(connection: psycopg.Connection, release: DataRelease, configuration: Configuration, seed: int) -> ForwardSample:
    """The stars with survey labels, split by seed; UsageError for settings that no training can have."""
    check_settings(configuration)
    return read_sample(connection, release, configuration, seed)


def read(
    connection: psycopg.Connection, release: DataRelease, first_source_id: int, last_source_id: int
) -> Iterator[StarBatch]:  # fmt: skip
    """Spectra with correlations, parallaxes and photometry."""
    return read_stars(connection, release, first_source_id, last_source_id)


def load(weights: bytes, configuration: Configuration, device: str = "cpu") -> "ForwardModel":
    """The version of stored weights; DataError if they are not whole or do not fit the configuration."""
    version, place = ForwardVersion.from_bytes(weights, configuration), chosen_device(device)
    try:
        return ForwardModel(version, configuration, place)
    except (KeyError, RuntimeError, ValueError) as error:
        raise DataError(f"the classifiers or the domain of these weights are not whole: {error}") from error


class ForwardModel:
    """A version ready to label stars."""

    def __init__(self, version: ForwardVersion, configuration: Configuration, device: torch.device = CPU) -> None:
        self.version, self.configuration, self.device = version, configuration, device
        self._confidence = Confidence.from_version(version)
        self._domain = Domain.from_version(version)

    @property
    def n_pixels(self) -> int:
        """Number of bands."""
        return N_BANDS

    @property
    def device_class(self) -> str:
        """What the fits run on, as recorded."""
        return device_class(self.device)

    def vectors(self, batch: StarBatch) -> FluxVectors:
        """The batch as the version sees it, and the stars that cannot be fitted."""
        return flux_vectors(batch, cast(Mapping[Band, Float64[np.ndarray, "coefficients 61"]], self.version.sampling), self.configuration)

    def predict(self, batch: StarBatch) -> Predictions:
        """Labels or a reason for every star of the batch."""
        first = _first_of_each(batch.spectra.source_id)
        again = [
            NoLabel(int(source_id), "duplicate", "a source comes once in a batch; the first of its rows was taken")
            for source_id in batch.spectra.source_id[~first]
        ]
        if again:
            batch = batch.take(first)
        with one_thread():
            vectors = self.vectors(batch)
            no_label = again + vectors.no_label
            if len(vectors.kept) == 0:
                nothing = Rows.empty(copy_fields(LABEL_FORWARD.without("run_id")))
                return Predictions(nothing, no_label, np.zeros((3, N_BANDS)))
            stars = FittedStars(
                batch.spectra.source_id[vectors.kept],
                vectors.observations,
                vectors.missing,
                vectors.fallback,
                (vectors.oddities & Oddity.FLOORED) != 0,
                infer(self.version, vectors.observations, self.device),
            )
            judged = self._judge(stars, {name: values[vectors.kept] for name, values in batch.columns.items()})
            rows, labelled, not_finite = label_rows(stars, judged, self.version.wavelengths, self.version.ln_prior_cut)
            residuals, present = stars.residuals()[labelled], stars.observed.present.numpy()[labelled]
        sums = np.stack([residuals.sum(axis=0), (residuals**2).sum(axis=0), present.sum(axis=0)])
        return Predictions(rows, no_label + not_finite, sums)

    def _judge(self, stars: FittedStars, columns: Mapping[str, Float64[np.ndarray, " n"]]) -> Judgement:
        """Confidence and domain, as far as the version has them."""
        raw = self._confidence.probabilities(features(columns, stars.observed, stars.estimates))
        score = None if self._domain is None else self._domain.score(stars.observed, stars.estimates)
        return Judgement(raw, self._confidence.calibrated(raw), score)


def _first_of_each(source_id: Int64[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Which rows are the first of their source."""
    first = np.zeros(len(source_id), bool)
    first[np.unique(source_id, return_index=True)[1]] = True
    return first
