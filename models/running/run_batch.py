"""One chunk of a run on one worker: claim it, read its stars, predict, write labels and reasons behind the fence."""

import functools
import time
from dataclasses import dataclass
from typing import Literal

import numpy as np
import psycopg

from catalog.binary_copy import Rows, copy_fields
from catalog.database import Database, Role
from catalog.releases import DataRelease, release_named
from catalog.runs import ClaimedChunk, LateAttemptError, claim_chunk, complete_run, fail_chunk, heartbeat, read_run, write_chunk
from catalog.schema.column import Column
from catalog.schema.label_table import LABEL_TABLES
from catalog.schema.model_run import NO_LABEL
from catalog.settings import settings
from catalog.store.model_store import read_version
from models.registry import model_module
from models.spec import Model, ModelModule, Predictions


@dataclass(frozen=True)
class ChunkOutcome:
    """How an attempt on a chunk ended. ``busy``: done or held by another; ``late``: overtaken by another while it worked."""

    chunk: int
    ended: Literal["done", "busy", "late", "failed"]
    labelled: int = 0
    unlabelled: int = 0
    seconds: float = 0.0
    error: str | None = None


@functools.lru_cache(maxsize=2)
def loaded_model(database: Database, model_version_id: int) -> Model:
    """The model of a version, loaded once a worker process."""
    with database.connect(Role.WORKER) as connection:
        version = read_version(connection, model_version_id)
    return model_module(version.model).load(version.weights, version.configuration, settings().device)


def run_chunk(database: Database, run_id: int, chunk: int, lease_seconds: float) -> ChunkOutcome:
    """One attempt on one chunk. A fault of the chunk's own is a value (``failed`` with its text); a lost database is an exception."""
    with database.connect(Role.WORKER, autocommit=True) as connection:
        run = read_run(connection, run_id)
        started = time.monotonic()
        claimed = claim_chunk(connection, run_id, chunk, lease_seconds)
        if claimed is None:
            return ChunkOutcome(chunk, "busy")
        try:
            with heartbeat(database, claimed, lease_seconds):
                model = loaded_model(database, run.model_version_id)
                release = release_named(connection, run.release)
                predictions = predict_chunk(connection, claimed, release, model_module(run.model), model)
                labels, no_label, sums = rows_of(predictions, run_id, run.model, model.n_pixels)
                seconds = time.monotonic() - started
                write_chunk(connection, claimed, LABEL_TABLES[run.model].name, labels, no_label, sums, seconds, model.device_class)
        except LateAttemptError as error:
            return ChunkOutcome(chunk, "late", error=str(error))
        except psycopg.OperationalError:
            raise  # the server went: the lease runs out, and the chunk is claimed again
        except Exception as error:  # whatever one chunk does must not end the others: the reason is kept with the chunk
            text = f"{type(error).__name__}: {error}"
            fail_chunk(connection, claimed, text)
            return ChunkOutcome(chunk, "failed", error=text)
        complete_run(connection, run_id)
        return ChunkOutcome(chunk, "done", len(labels), len(no_label), seconds)


def predict_chunk(
    connection: psycopg.Connection, claimed: ClaimedChunk, release: DataRelease, module: ModelModule, model: Model
) -> list[Predictions]:
    """Predictions for the chunk's stars, batch by batch, outside any transaction."""
    batches = module.read(connection, release, claimed.first_source_id, claimed.last_source_id)
    return [model.predict(batch) for batch in batches]


def rows_of(predictions: list[Predictions], run_id: int, model: str, n_pixels: int) -> tuple[Rows, Rows, np.ndarray]:
    """The predictions as rows of the label table and of no_label, with their run, and the residual sums (3, pixels)."""
    table = LABEL_TABLES[model]
    labels = (
        Rows.concatenate([each.labels for each in predictions if len(each.labels)]) if any(len(p.labels) for p in predictions) else None
    )
    label_rows = with_run(labels, run_id, table.columns) if labels is not None else Rows.empty(copy_fields(table.columns))
    missing = [reason for each in predictions for reason in each.no_label]
    values: dict[str, np.ndarray] = {
        "run_id": np.full(len(missing), run_id, np.int32),
        "source_id": np.array([each.source_id for each in missing], np.int64),
        "reason": np.array([each.reason for each in missing], object),
        "detail": np.array([each.detail for each in missing], object),
    }
    sums = np.sum([each.residual_sums for each in predictions], axis=0) if predictions else np.zeros((3, n_pixels))
    return label_rows, Rows(copy_fields(NO_LABEL.columns), values, {}), sums


def with_run(labels: Rows, run_id: int, columns: tuple[Column, ...]) -> Rows:
    """The labels with the run's number in front, in the order of the label table."""
    values = {field.name: labels[field.name] for field in labels.fields}
    values["run_id"] = np.full(len(labels), run_id, np.int32)
    return Rows(copy_fields(columns), values, {field.name: labels.null(field.name) for field in labels.fields})
