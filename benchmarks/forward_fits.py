"""A trained version of the forward model over the stars of a simulated sky, beside their truth and their bounds.

Stars come out of a database that the sky has been loaded into; what is true of them comes from the sky's folder. Nothing of the truth reaches the
model, but for one number: the loss that a fit started at the truth ends in, which tells wrong minima.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64

from benchmarks.forward_bounds import ABUNDANCES, EVERYTHING, sky_response
from benchmarks.forward_truth import Typical, ordinary, parameters, rows_of, true_fluxes
from catalog.database import Database, Role
from catalog.releases import DataRelease, release_named
from catalog.stars import StarBatch
from catalog.store.star_store import read_stars
from ingest.sky.stars import Stars
from models.forward.confidence.basic_cut import BasicCut
from models.forward.confidence.confidence import Confidence
from models.forward.confidence.domain import Domain
from models.forward.confidence.features import features
from models.forward.inference.inference import infer
from models.forward.objective import PopulationPrior, StarObjective
from models.forward.observed.flux_vectors import FluxVectors, flux_vectors
from models.forward.parameters import PARAMETERS, linear, logarithmic
from models.forward.training.sample import read_sample
from models.forward.version import ForwardVersion
from models.numerics.least_squares import batched_least_squares
from models.numerics.xp_sampling import BANDS

Five = Float64[np.ndarray, "n 5"]
Vector = Float64[np.ndarray, " n"]

N = len(PARAMETERS)
LEAST_CONFIDENCE = 0.5
"""Bits 0 to 2 of the paper's quality_flags: the confidence is below."""
_LARGEST_STEP = (0.5, 0.5, 0.5, 1.0, 1.0, 1.0)
_ALL = (0, 2**63 - 1)


@dataclass(frozen=True, eq=False)
class Fits:
    """What a version says of n stars, row by row with ``row``, their place among the sky's stars. Parameters in K, dex, dex, mag, mas."""

    row: Int64[np.ndarray, " n"]
    estimate: Float64[np.ndarray, "n p"]
    covariance: Float64[np.ndarray, "n p p"]
    flux_information: Float64[np.ndarray, "n p p"]
    """Without the parallax term; teff in kK."""
    loss: Vector
    loss_from_truth: Vector
    """Where a fit ends that starts at the truth."""
    estimate_from_truth: Float64[np.ndarray, "n p"]
    flags: Int64[np.ndarray, " n"]
    """Bits 0 to 5 of the paper's quality_flags."""
    chi2: Vector
    ln_prior: Vector
    converged: Bool[np.ndarray, " n"]
    parallax: Vector
    """Gaia's, without its zero point, mas."""
    parallax_error: Vector
    g: Vector
    """Of the catalogue."""
    confidence: Float64[np.ndarray, "n 3"]
    """Of teff, feh, logg, as the classifiers say it; NaN without one."""
    strangeness: Vector
    """The out-of-domain score; NaN where the version has none."""

    @property
    def sigma(self) -> Float64[np.ndarray, "n p"]:
        """Reported errors."""
        return np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2))

    def __len__(self) -> int:
        return len(self.row)

    def take(self, index: Any) -> "Fits":
        """Some of the stars."""
        return Fits(*(getattr(self, each.name)[index] for each in fields(self)))


@dataclass(frozen=True, eq=False)
class Limits:
    """Of ordinary stars, row by row with a Fits: bounds, and what moves their estimates to first order. K, dex, dex, mag, mas."""

    abundances: Five
    everything: Five
    network: Five
    """Network against the sky at the star's true type, were the star typical of it."""
    abundance: Five
    """The star's own alpha, carbon and nitrogen."""
    mass_and_rv: Five
    noise: Five
    flux_information: Float64[np.ndarray, "n 5 5"]
    """The sky's own, without the parallax; teff in kK."""
    information: Float64[np.ndarray, "n 5 5"]
    """With it."""

    def take(self, index: Any) -> "Limits":
        """Some of the stars."""
        return Limits(*(getattr(self, each.name)[index] for each in fields(self)))


def version_arguments(words: str | None) -> argparse.ArgumentParser:
    """A parser of what names a version and the sky it is measured on."""
    parser = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sky", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--configuration", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0, help="that the version was trained with")
    parser.add_argument("--release", default="sim_dr3")
    return parser


def read_version(weights: Path, configuration: Path) -> tuple[ForwardVersion, dict[str, Any]]:
    """A version as training writes it: safetensors, and its configuration as JSON."""
    settings: dict[str, Any] = json.loads(configuration.read_text())
    return ForwardVersion.from_bytes(weights.read_bytes(), settings), settings


def sides(
    database: Database, release_name: str, settings: dict[str, Any], seed: int
) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " m"]]:
    """source_id of the stars that a version with these settings and this seed has learnt from, and of those that it held out."""
    with database.connect(Role.WORKER) as connection:
        sample = read_sample(connection, release_named(connection, release_name), settings, seed)
    return sample.train.source_id, sample.held_out["all"].source_id


def observed_stars(
    database: Database,
    release_name: str,
    version: ForwardVersion,
    settings: dict[str, Any],
    only: Int64[np.ndarray, " n"],
    *,
    block_rows: int = 1000,
) -> Iterator[tuple[StarBatch, FluxVectors]]:
    """These stars of a release with their flux vectors, a block at a time."""
    with database.connect(Role.WORKER) as connection:
        release: DataRelease = release_named(connection, release_name)
        for batch in read_stars(connection, release, *_ALL, only=only, block_rows=block_rows):
            yield batch, flux_vectors(batch, {band: version.sampling[band] for band in BANDS}, settings)


def fitted(batch: StarBatch, vectors: FluxVectors, version: ForwardVersion, sky: Stars) -> Fits:
    """The version's fits of a block of stars."""
    observed = vectors.observations
    found = infer(version, observed)
    row = rows_of(sky, batch.spectra.source_id[vectors.kept])
    start = torch.zeros_like(found.variables)
    truth = torch.from_numpy(parameters(sky.take(row)))
    # A start must be where the network knows stars: oddities' truths are not.
    low, high = version.type_prior.means.amin(0) - 0.5, version.type_prior.means.amax(0) + 0.5
    truth[:, :3] = truth[:, :3].clamp(low, high)
    start[:, :N] = logarithmic(truth.clamp(min=torch.tensor([-9.0, -9.0, -9.0, 1e-4, 1e-4])))
    objective = StarObjective(version.flux_model, observed, PopulationPrior(version.type_prior))
    with torch.no_grad():
        best = batched_least_squares(objective, start, largest_step=_LARGEST_STEP[: start.shape[1]])
    kelvin = np.ones(found.variables.shape[1])
    kelvin[0] = 1000.0
    cut = BasicCut.of(observed, found, version.ln_prior_cut)
    columns = {name: values[vectors.kept] for name, values in batch.columns.items()}
    confidence = Confidence.from_version(version).probabilities(features(columns, observed, found))
    flags = 8 * cut.poor_fit.numpy() + 16 * cut.unlikely_type.numpy() + 32 * cut.wrong_parallax.numpy()
    for bit in range(3):
        flags = flags + (1 << bit) * (confidence[:, bit] < LEAST_CONFIDENCE)
    domain = Domain.from_version(version)
    strangeness = np.full(len(row), np.nan) if domain is None else domain.score(observed, found)
    return Fits(
        row, linear(found.variables).numpy() * kelvin, found.covariance.numpy() * np.outer(kelvin, kelvin), found.flux_information.numpy(),
        found.loss.numpy(), best.value.numpy(), linear(best.variables).numpy() * kelvin, flags, found.chi2.numpy(), found.ln_prior.numpy(),
        found.converged.numpy(), observed.parallax.numpy(), observed.parallax_error.numpy(), batch.spectra.g_mean_mag[vectors.kept].astype(np.float64), confidence, strangeness,
    )  # fmt: skip


def limits(
    vectors: FluxVectors, rows: Any, stars: Stars, sky: Stars, version: ForwardVersion, alpha_gain: float, rv_scatter: float
) -> Limits:
    """Bounds of ordinary ``stars``, which are those at ``rows`` of the flux vectors, and what their estimates are moved by."""
    observed = vectors.observations.take(torch.from_numpy(np.asarray(rows)))
    whitening = observed.whitening.numpy()
    typical = Typical.of(stars, sky, rv_scatter)
    response = sky_response(stars, typical, whitening, observed.parallax_error.numpy(), version.sampling, alpha_gain)
    true, usual = (true_fluxes(each, version.sampling, alpha_gain) for each in (stars, typical.stars(stars)))
    start = logarithmic(torch.from_numpy(parameters(stars)))
    with torch.no_grad():
        model = version.flux_model.flux(torch.nn.functional.pad(start, (0, version.flux_model.n_parameters - N))).numpy()
    offsets = typical.offsets(stars)

    def moved(flux: Float64[np.ndarray, "n 66"]) -> Float64[np.ndarray, "n 66"]:
        return np.einsum("nij,nj->ni", whitening, flux)

    def by(unknown: slice) -> Float64[np.ndarray, "n 66"]:
        return np.einsum("nbh,nh->nb", response.hidden[..., unknown], offsets[:, unknown])

    noise = np.where(observed.present.numpy(), observed.flux.numpy() - true, 0.0)
    parallax = np.where(np.isfinite(observed.parallax_error.numpy()), observed.parallax.numpy() - stars.parallax, 0.0)
    kelvin = np.array([1000.0, 1.0, 1.0, 1.0, 1.0])
    told = response.information()
    of_fluxes = told.copy()
    of_fluxes[:, 4, 4] -= response.parallax_weight
    five = (
        response.bounds(typical, ABUNDANCES), response.bounds(typical, EVERYTHING), response.shift(moved(usual - model)),
        response.shift(by(slice(0, 3))), response.shift(by(slice(3, 5))), response.shift(moved(noise), parallax),
    )  # fmt: skip
    return Limits(*[*(each * kelvin for each in five), of_fluxes, told])


def measured(
    database: Database, release_name: str, version: ForwardVersion, settings: dict[str, Any], sky: Stars, only: Int64[np.ndarray, " n"],
    *, alpha_gain: float, rv_scatter: float,
) -> tuple[Fits, Limits, dict[int, str]]:  # fmt: skip
    """Fits of the stars of these source_id, limits of the ordinary ones among them in the same order, and the reasons of stars without a label."""
    fits, known, refused = [], [], {}
    for batch, vectors in observed_stars(database, release_name, version, settings, only):
        refused.update({each.source_id: each.reason for each in vectors.no_label})
        if not len(vectors.kept):
            continue
        fit = fitted(batch, vectors, version, sky)
        stars = sky.take(fit.row)
        plain = np.flatnonzero(ordinary(stars))
        if len(plain):
            known.append(limits(vectors, plain, stars.take(plain), sky, version, alpha_gain, rv_scatter))
        fits.append(fit)
    joined = Fits(*(np.concatenate([getattr(each, one.name) for each in fits]) for one in fields(Fits)))
    bounds = Limits(*(np.concatenate([getattr(each, one.name) for each in known]) for one in fields(Limits)))
    return joined, bounds, refused
