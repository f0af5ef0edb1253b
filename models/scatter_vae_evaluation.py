"""How well six numbers draw a spectrum: the scatter VAE beside principal components with as many numbers, on stars held out.

The measure is the median over stars of chi2 / (n - k), chi2 of the reconstructed coefficients with measurement errors only, never with the
learnt scatter, which a network could make as large as it likes; n coefficients, k numbers. Like is compared with like, on the same
training stars in the same standardised coefficients:

    encoder   one function for all stars      beside  plain PCA, its projection
    refined   the best numbers of each star   beside  error-weighted EM-PCA, its weighted projection

Correlations between coefficients are not used by either side.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from jaxtyping import Float

from catalog.errors import UsageError
from catalog.store.model_store import ModelVersion, add_metrics, read_version
from models import scatter_vae
from models.inputs import XpInputs
from models.learning.held_out import sample_of
from models.numerics.principal_components import em_pca, plain_pca
from models.numerics.threads import one_thread

METHODS = ("encoder", "plain_pca", "refined", "em_pca")
PAIRS = (("encoder", "plain_pca"), ("refined", "em_pca"))
GROUPS = ("field", "bright", "unusual")


@dataclass(frozen=True)
class Measure:
    """Median reduced chi2 of each method over the held-out stars of a group."""

    group: str
    stars: int
    median: dict[str, float]


def evaluate_version(connection: psycopg.Connection, version: ModelVersion) -> list[Measure]:
    """Measure a stored version on the stars that its seed held out, and store the figures with it; one row a group that has stars.

    DataError if the release no longer gives the sample that the version learnt from: stars held out now might be stars it learnt.
    """
    if version.model != scatter_vae.SPEC.name:
        raise UsageError(f"this evaluation is for {scatter_vae.SPEC.name}, not for {version.model}.")
    sample = sample_of(connection, version)
    model = scatter_vae.load(read_version(connection, version.model_version_id).weights, version.configuration)
    with one_thread():
        measures = compare(model, sample.train, {group: sample.held_out[group] for group in GROUPS})
    add_metrics(connection, version, {"evaluation": as_metrics(measures, version)})
    return measures


def compare(model: scatter_vae.ScatterVae, train: XpInputs, held_out: dict[str, XpInputs]) -> list[Measure]:
    """The measure for each group; PCA and EM-PCA are fitted on ``train``."""
    k = model.latent
    x, sigma = model.standardised(train)
    plain = plain_pca(x, k)
    weighted = em_pca(x, sigma**-2.0, k)
    measures = []
    for group, stars in held_out.items():
        if len(stars) == 0:
            continue
        x, sigma = model.standardised(stars)
        drawn = {
            "encoder": model.reconstruct(model.encode(x)[0])[0],
            "plain_pca": plain.reconstruct(plain.project(x)),
            "refined": model.reconstruct(model.refine(stars).latent)[0],
            "em_pca": weighted.reconstruct(weighted.project_weighted(x, sigma**-2.0)),
        }
        measures.append(Measure(group, len(stars), {name: median_reduced_chi2(x, y, sigma, k) for name, y in drawn.items()}))
    return measures


def median_reduced_chi2(
    x: Float[np.ndarray, "stars pixels"], model: Float[np.ndarray, "stars pixels"], sigma: Float[np.ndarray, "stars pixels"], k: int
) -> float:
    """Median over stars of chi2 / (n - k), over the coefficients whose sigma is finite."""
    chi2 = (((x - model) / sigma) ** 2).sum(axis=1)
    return float(np.median(chi2 / (np.isfinite(sigma).sum(axis=1) - k)))


def as_metrics(measures: list[Measure], version: ModelVersion) -> dict[str, Any]:
    """The figures as they are stored with a version, with the split and seed that they belong to."""
    return {
        "measure": f"median over held-out stars of chi2 / (n - {version.configuration['latent']}), measurement errors only",
        "seed": version.seed,
        "split": version.metrics["split"],
        "groups": {each.group: {"stars": each.stars, **each.median} for each in measures},
    }
