"""The stars that a stored version held out, as its seed drew them; or why they can no longer be told."""

from typing import Any

import psycopg

from catalog.errors import DataError
from catalog.releases import release_named
from catalog.store.model_store import ModelVersion
from models.registry import model_module


def sample_of(connection: psycopg.Connection, version: ModelVersion) -> Any:
    """The sample that a version learnt from, held-out stars beside it, read again.

    DataError if the release no longer gives that sample: stars held out now might be stars that it learnt.
    """
    release = release_named(connection, version.release)
    sample = model_module(version.model).sample(connection, release, version.configuration, version.seed)
    if sample.sha256 != version.training_sha256:
        raise DataError(
            f"the training query gives {len(sample.source_id)} stars now, not the {version.training_count} that version {version.version} "
            "learnt from: spectra came or went. Train a new version and evaluate that."
        )
    if sample.split != version.metrics["split"]:
        raise DataError(
            f"the same stars fall into other groups now than when version {version.version} learnt: other files hold their spectra, or their G "
            "photometry came or went, and stars held out now may be stars that it learnt. Train a new version and evaluate that."
        )
    return sample
