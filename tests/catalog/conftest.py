"""Rows that tests of runs and publications need: spectra, a model version, and runs over them with made-up labels."""

from collections.abc import Callable

import numpy as np
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from catalog.binary_copy import Rows, copy_fields, write_rows
from catalog.database import Database, Role
from catalog.runs import ClaimedChunk, Run, claim_chunk, complete_run, create_run, open_chunks, write_chunk
from catalog.schema.label_table import LABEL_SCATTER_VAE
from catalog.schema.model_run import NO_LABEL
from catalog.schema.xp_spectrum import XP_SPECTRUM


def spectra(source_ids: np.ndarray, file_id: int) -> Rows:
    """XP rows with nothing but coefficients, whose values are of no matter here."""
    n = len(source_ids)
    present = {
        "release_id": np.ones(n, np.int16), "source_id": source_ids, "layout": np.full(n, 3, np.int16),
        "head": np.array([np.full(110, i, ">f4").tobytes() for i in range(n)], object), "file_id": np.full(n, file_id, np.int32),
    }  # fmt: skip
    fields = tuple(field for field in copy_fields(XP_SPECTRUM.columns) if field.name in present)
    return Rows(fields, present, {})


def write_spectra(database: Database, source_ids: np.ndarray) -> None:
    """Put spectra of these sources into the release gaia_dr3."""
    with database.connect(Role.WORKER) as connection:
        file = connection.execute(
            "INSERT INTO store.ingest_file (release_id, sha256, name, size, state) VALUES (1, %s, 'made by a test', 1, 'loaded') RETURNING file_id",
            (str(source_ids[0]),),
        ).fetchone()
        assert file is not None
        write_rows(connection, sql.Identifier("store", "xp_spectrum"), spectra(source_ids, file[0]))


def write_version(database: Database, *, trained_on: str = "real") -> int:
    """A version of scatter_vae whose weights nobody loads; its number."""
    with database.connect(Role.WORKER) as connection:
        connection.execute("INSERT INTO store.model_weights VALUES ('00', '\\x00') ON CONFLICT DO NOTHING")
        row = connection.execute(
            "INSERT INTO store.model_version (model, version, weights_sha256, configuration, configuration_sha256, release_id, training_query, "
            "training_count, training_sha256, trained_on, seed, code_version, licence) SELECT 'scatter_vae', count(*) + 1, '00', %s, count(*)::text, 1, "
            "'SELECT 1', 1, '', %s, 1, '', 'none' FROM store.model_version RETURNING version",
            (Jsonb({}), trained_on),
        ).fetchone()
    assert row is not None
    return int(row[0])


def made_up_labels(claimed: ClaimedChunk, source_ids: np.ndarray) -> tuple[Rows, Rows]:
    """Labels for all but every tenth source, whose latent variables tell the run; a reason for those."""
    mine = source_ids[(source_ids >= claimed.first_source_id) & (source_ids <= claimed.last_source_id)]
    labelled, rest = mine[mine % 10 != 0], mine[mine % 10 == 0]
    n = len(labelled)
    labels = {
        "run_id": np.full(n, claimed.run_id, np.int32), "source_id": labelled, "latent": np.full((n, 6), claimed.run_id, np.float32),
        "e_latent": np.ones((n, 6), np.float32), "chi2": np.ones(n, np.float32), "chi2_scatter": np.ones(n, np.float32),
        "n_coefficients": np.full(n, 110, np.int16), "flux_scale": np.ones(n, np.float32), "quality_flags": np.zeros(n, np.int32),
    }  # fmt: skip
    reasons = {
        "run_id": np.full(len(rest), claimed.run_id, np.int32), "source_id": rest,
        "reason": np.full(len(rest), "missing_input", object), "detail": np.full(len(rest), "made up", object),
    }  # fmt: skip
    return Rows(copy_fields(LABEL_SCATTER_VAE.columns), labels, {}), Rows(copy_fields(NO_LABEL.columns), reasons, {})


@pytest.fixture
def source_ids() -> np.ndarray:
    """Identifiers near the top of the range that float64 would damage."""
    return 6_900_000_000_000_000_000 + np.arange(500, dtype=np.int64)


@pytest.fixture
def labels_of(source_ids: np.ndarray) -> Callable[[ClaimedChunk], tuple[Rows, Rows]]:
    """Gives the made-up labels and reasons of a claimed chunk."""
    return lambda claimed: made_up_labels(claimed, source_ids)


@pytest.fixture
def add_spectra(database: Database) -> Callable[[np.ndarray], None]:
    """Loads spectra of these sources, as ingest would meanwhile."""
    return lambda more: write_spectra(database, more)


@pytest.fixture
def new_version(database: Database) -> Callable[[str], int]:
    """Makes a version of scatter_vae that learnt from real or simulated stars; its number."""
    return lambda trained_on: write_version(database, trained_on=trained_on)


@pytest.fixture
def new_run(database: Database, source_ids: np.ndarray) -> Callable[[], Run]:
    """Makes a run of a version of its own over ``source_ids``, not yet worked on."""
    write_spectra(database, source_ids)

    def make() -> Run:
        return create_run(database, "scatter_vae", "gaia_dr3", version=write_version(database), chunk_sources=100)

    return make


@pytest.fixture
def finish(database: Database, source_ids: np.ndarray) -> Callable[[Run], Run]:
    """Does every open chunk of a run with made-up labels."""

    def do(run: Run) -> Run:
        with database.connect(Role.WORKER, autocommit=True) as connection:
            for chunk in open_chunks(connection, run.run_id):
                claimed = claim_chunk(connection, run.run_id, chunk.chunk, 60)
                assert claimed is not None
                labels, reasons = made_up_labels(claimed, source_ids)
                write_chunk(connection, claimed, "label_scatter_vae", labels, reasons, np.zeros((3, 2)), 0.1)
            complete_run(connection, run.run_id)
        return run

    return do
