"""A version of the forward model trained on a release's sample: flux model, prior, and the parts that are learnt after them."""

from dataclasses import replace
from typing import Any

from catalog.settings import settings as environment
from models.forward.bands import WAVELENGTHS
from models.forward.confidence.confidence_training import train_confidence
from models.forward.training.checkpoint import Checkpoint
from models.forward.training.flux_training import train_flux_model
from models.forward.training.sample import ForwardSample
from models.forward.version import ForwardVersion
from models.learning.versions import configuration_sha256
from models.numerics.devices import chosen_device
from models.spec import Configuration, Report, Trained

NAME = "forward"


def train(sample: ForwardSample, configuration: Configuration, seed: int, report: Report, device: str = "cpu") -> Trained:
    """New weights from the sample's training part.

    DataError with too few stars, RunError if the objective does not stay finite. A training that was killed goes on where its checkpoint is, under
    KIEL_HOME.
    """
    checkpoint = Checkpoint(environment().home / "training" / f"{configuration_sha256(NAME, configuration, sample, seed)}.checkpoint")
    stars = sample.train
    trained = train_flux_model(
        stars.observations, stars.labels, WAVELENGTHS, configuration, seed, report, chosen_device(device), checkpoint
    )
    version = ForwardVersion(WAVELENGTHS, trained.flux_model, trained.type_prior, trained.ln_prior_cut, sample.sampling)
    extras, judged = train_confidence(version, sample, report, configuration, seed, device=chosen_device(device))
    metrics: dict[str, Any] = {
        "training": trained.metrics,
        **judged,
        "sample": {name: dict(counts) for name, counts in sample.counts.items()},
    }
    weights = replace(version, extras=extras).to_bytes()
    checkpoint.discard()
    return Trained(weights, metrics)
