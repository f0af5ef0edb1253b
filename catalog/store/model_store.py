"""Versions of models in the tables model_weights and model_version: stored once, read back whole and checked."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from catalog.errors import DataError, UsageError
from catalog.statements import statement


@dataclass(frozen=True)
class NewVersion:
    """What is known of a trained version before it has a number. ``configuration_sha256`` names what made it: see MODEL_VERSION."""

    model: str
    configuration: Mapping[str, Any]
    configuration_sha256: str
    release_id: int
    training_query: str
    training_count: int
    training_sha256: str
    trained_on: str
    seed: int
    metrics: Mapping[str, Any]
    code_version: str
    licence: str


@dataclass(frozen=True)
class ModelVersion(NewVersion):
    """A stored version."""

    model_version_id: int
    version: int
    weights_sha256: str
    release: str
    created: datetime


@dataclass(frozen=True)
class LoadableVersion:
    """What a model is loaded from: its configuration and its weights as safetensors bytes."""

    model: str
    version: int
    configuration: Mapping[str, Any]
    weights: bytes


def store_version(connection: psycopg.Connection[Any], new: NewVersion, weights: bytes) -> ModelVersion:
    """Store weights and version in the connection's transaction; the version that is there already if the same one was stored before.

    Of two processes that trained the same thing at once, the second gets the first one's version.
    """
    connection.execute(statement("lock_model"), {"model": new.model})
    if (there := find_version(connection, new.configuration_sha256)) is not None:
        return there
    sha256 = hashlib.sha256(weights).hexdigest()
    connection.execute(statement("insert_model_weights"), {"sha256": sha256, "safetensors": weights})
    values = {**vars(new), "configuration": Jsonb(new.configuration), "metrics": Jsonb(new.metrics), "weights_sha256": sha256}
    connection.execute(statement("insert_model_version"), values)
    stored = find_version(connection, new.configuration_sha256)
    assert stored is not None
    return stored


def find_version(connection: psycopg.Connection[Any], configuration_sha256: str) -> ModelVersion | None:
    """The version that this configuration, training sample and seed made, if there is one."""
    return next((each for each in versions(connection) if each.configuration_sha256 == configuration_sha256), None)


def versions(connection: psycopg.Connection[Any], model: str | None = None) -> list[ModelVersion]:
    """All versions, or those of one model, by model and number."""
    with connection.cursor(row_factory=class_row(ModelVersion)) as cursor:
        cursor.execute(statement("model_versions"))
        return [version for version in cursor if model in (None, version.model)]


def version_of(connection: psycopg.Connection[Any], model: str, version: int | None = None) -> ModelVersion:
    """A version of a model by its number, the newest if None; UsageError lists those there are."""
    there = versions(connection, model)
    chosen = there[-1:] if version is None else [each for each in there if each.version == version]
    if not chosen:
        numbers = ", ".join(str(each.version) for each in there)
        what = f"no version {version} of {model}; there are {numbers}" if numbers else f"no version of {model} yet"
        raise UsageError(f"there is {what}. Train one with `kiel model train {model} --release NAME`.")
    return chosen[0]


def read_version(connection: psycopg.Connection[Any], model_version_id: int) -> LoadableVersion:
    """A version with its weights, as a run applies it; DataError if it is gone or its weights are not the bytes that were stored."""
    version = next((each for each in versions(connection) if each.model_version_id == model_version_id), None)
    if version is None:
        raise DataError(f"there is no model version with model_version_id {model_version_id} in store.model_version.")
    row = connection.execute(statement("model_weights"), {"sha256": version.weights_sha256}).fetchone()
    if row is None:
        raise DataError(
            f"the weights {version.weights_sha256} of {version.model} version {version.version} are not in store.model_weights."
        )
    weights = bytes(row[0])
    if (seen := hashlib.sha256(weights).hexdigest()) != version.weights_sha256:
        raise DataError(
            f"the weights of {version.model} version {version.version} have changed: SHA-256 {seen} where {version.weights_sha256} was "
            "stored. Restore store.model_weights from a backup or train the version again."
        )
    return LoadableVersion(version.model, version.version, version.configuration, weights)


def add_metrics(connection: psycopg.Connection[Any], version: ModelVersion, metrics: Mapping[str, Any]) -> None:
    """Add figures to a version's metrics, replacing those of the same name."""
    connection.execute(statement("add_model_metrics"), {"model_version_id": version.model_version_id, "metrics": Jsonb(metrics)})
