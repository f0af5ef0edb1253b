"""A version trained and stored, once: the same configuration, training sample and seed give the version that is there already.

Nothing is stored before the training ends. A training that was killed leaves nothing behind, and the same command again ends in the
same weights as one that was not (models/learning/training.py).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalog.database import Database, Role
from catalog.errors import UsageError
from catalog.releases import release_named
from catalog.settings import settings as environment
from catalog.store.model_store import ModelVersion, NewVersion, find_version, store_version
from catalog.version import code_version
from models.registry import model_module
from models.spec import Configuration, Report, Sample


@dataclass(frozen=True)
class TrainedVersion:
    """A stored version, and whether this call trained it."""

    version: ModelVersion
    new: bool


def train_version(
    database: Database, model: str, release_name: str, preset: str, seed: int, report: Report, settings: Mapping[str, Any] | None = None
) -> TrainedVersion:
    """Train a model on a release's stars, or find the version that the same settings made before.

    ``settings`` replace settings of the preset; UsageError for a name that the configuration does not have, or another type.
    """
    module = model_module(model)
    with database.connect(Role.WORKER) as connection:
        release = release_named(connection, release_name)
        configuration = replaced(module.configuration(release, preset), settings or {})
        sample = module.sample(connection, release, configuration, seed)
        identity = configuration_sha256(model, configuration, sample, seed)
        if (there := find_version(connection, identity)) is not None:
            return TrainedVersion(there, new=False)
    # No connection is held while the network learns: a transaction left open for minutes would hold back vacuum.
    trained = module.train(sample, configuration, seed, report, environment().device)
    new = NewVersion(
        model, configuration, identity, release.release_id, sample.query, len(sample.source_id), sample.sha256, "simulated" if release.simulated else "real", seed,
        {**trained.metrics, "split": sample.split}, code_version(), module.SPEC.licence,
    )  # fmt: skip
    with database.connect(Role.WORKER) as connection:
        return TrainedVersion(store_version(connection, new, trained.weights), new=True)


def configuration_sha256(model: str, configuration: Configuration, sample: Sample, seed: int) -> str:
    """SHA-256 of all that a version follows from: model, settings, the query with its result, the split with its numbers, seed."""
    identity = {
        "model": model, "configuration": configuration, "query": sample.query, "sample": sample.sha256, "seed": seed,
        "split": sample.split, "numbers": sample.numbers_sha256,
    }  # fmt: skip
    return hashlib.sha256(json.dumps(identity, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def replaced(configuration: dict[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with some settings replaced by others of the same type: 4 counts as 4.0, and a number as its word where a word is wanted."""
    found = dict(configuration)
    for name, value in settings.items():
        if name not in configuration:
            raise UsageError(f"there is no setting {name!r}; there are {', '.join(configuration)}.")
        old = configuration[name]
        if type(value) in (int, float) and isinstance(old, str | float):
            value = type(old)(value)
        if type(value) is not type(old):
            raise UsageError(f"the setting {name} is a {type(old).__name__} such as {old!r}, not {value!r}.")
        found[name] = value
    return found
