"""A run is looked at before it is published: rows that are not whole and numbers that are not finite fail, and figures are those of numpy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from psycopg import sql
from psycopg.types.json import Jsonb

from catalog.binary_copy import Rows, copy_fields
from catalog.database import Database, Role
from catalog.errors import RunError
from catalog.runs import Run, claim_chunk, complete_run, create_run, open_chunks, write_chunk
from catalog.schema.model_run import NO_LABEL
from models.forward.training.sample import held_out
from models.running.commands import command
from models.running.validation import Validation, validate_run

N, SHARE, SEED = 120, 0.4, 3
SOURCES = (np.arange(N, dtype=np.int64) + 1) << 50


def insert(connection: Any, table: str, rows: list[dict[str, Any]]) -> None:
    names = list(rows[0])
    query = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier("store", table), sql.SQL(", ").join(map(sql.Identifier, names)), sql.SQL(", ").join(map(sql.Placeholder, names))
    )
    with connection.cursor() as cursor:
        cursor.executemany(query, rows)


@pytest.fixture
def labels(forward_rows: Callable[..., Rows]) -> Rows:
    return forward_rows(SOURCES, 1)


@pytest.fixture
def run(database: Database, labels: Rows) -> Run:
    """A complete run of a forward version over sources of which LAMOST has all; every fourth has too poor a parallax for the paper's validation."""
    with database.connect(Role.WORKER) as connection:
        insert(connection, "ingest_file", [{"release_id": 1, "sha256": "00", "name": "made by a test", "size": 1, "state": "loaded"}])
        (file,) = connection.execute("SELECT file_id FROM store.ingest_file").fetchone() or (0,)
        keys = [{"release_id": 1, "source_id": source_id} for source_id in SOURCES.tolist()]
        rng = np.random.default_rng(0)
        insert(connection, "xp_spectrum", [{**key, "layout": 3, "head": b"\0" * 440, "file_id": file} for key in keys])
        gaia = [
            {**key, "ra": 1.0, "dec": 2.0, "parallax": 1.0, "parallax_error": 0.25 if i % 4 == 0 else 0.1, "phot_bp_rp_excess_factor": 1.2, "file_id": file}
            for i, key in enumerate(keys)
        ]  # fmt: skip
        insert(connection, "gaia_source", gaia)
        insert(connection, "fidelity", [{**key, "fidelity_v2": 1.0, "file_id": file} for key in keys])
        insert(
            connection,
            "reddening",
            [{**key, "reddening": float(rng.uniform(0, 0.5)), "reddening_error": 0.03, "file_id": file} for key in keys],
        )
        lamost = [
            {"release_id": 1, "survey_id": str(i), "survey_release": "dr8", "teff": float(rng.normal(5500, 500)), "teff_err": 50.0, "logg": float(rng.normal(4, 0.5)),
             "logg_err": 0.1, "feh": float(rng.normal(-0.3, 0.3)), "feh_err": 0.1, "snrg": 50.0, "snrr": 50.0, "snri": 50.0, "file_id": file}
            for i in range(N)
        ]  # fmt: skip
        insert(connection, "lamost", lamost)
        links = [
            {"release_id": 1, "survey": "lamost", "set_name": "", "survey_id": str(i), "source_id": source_id, "method": "given", "separation_arcsec": 0.1,
             "n_candidates": 1, "link_flags": 0, "ambiguous": False, "is_primary": True}
            for i, source_id in enumerate(SOURCES.tolist())
        ]  # fmt: skip
        insert(connection, "survey_link", links)
        connection.execute("INSERT INTO store.model_weights VALUES ('00', '\\x00')")
        version = {
            "model": "forward", "version": 1, "weights_sha256": "00", "configuration": Jsonb({"held_out_share": SHARE}), "configuration_sha256": "00", "release_id": 1,
            "training_query": "SELECT 1", "training_count": 1, "training_sha256": "", "trained_on": "real", "seed": SEED, "code_version": "", "licence": "none",
        }  # fmt: skip
        insert(connection, "model_version", [version])
    run = create_run(database, "forward", "gaia_dr3")
    with database.connect(Role.WORKER, autocommit=True) as connection:
        for chunk in open_chunks(connection, run.run_id):
            claimed = claim_chunk(connection, run.run_id, chunk.chunk, 60)
            assert claimed is not None
            write_chunk(connection, claimed, "label_forward", labels, Rows.empty(copy_fields(NO_LABEL.columns)), np.zeros((3, 66)), 0.1)
        complete_run(connection, run.run_id)
    return run


def figures(validation: Validation) -> dict[str, tuple[float, int]]:
    return {each.words: (each.value, each.stars) for each in validation.figures}


def test_a_run_that_is_whole_passes_and_its_figures_are_numpys(database: Database, run: Run, labels: Rows) -> None:
    found = validate_run(database, run.run_id)
    assert found.passed and {check.name for check in found.checks} == {"rows", "finite numbers"}
    with database.connect(Role.WORKER) as connection:
        teff = np.array([row[0] for row in connection.execute("SELECT teff FROM store.lamost ORDER BY survey_id::integer")])
        ext = np.array([row[0] for row in connection.execute("SELECT reddening FROM store.reddening ORDER BY source_id")])
    chosen = held_out(SOURCES, SHARE, SEED) & (np.arange(N) % 4 != 0) & (labels["loss"] <= 5 * labels["n_bands"])
    assert 20 < chosen.sum() < N / 2
    for name, survey in (("teff", teff), ("ext", ext)):
        difference = (labels[name] - survey)[chosen]
        scatter = 1.4826 * np.median(np.abs(difference - np.median(difference)))
        assert figures(found)[f"scatter of {name} against surveys, held-out stars"] == (pytest.approx(scatter, rel=1e-5), chosen.sum())
        assert figures(found)[f"bias of {name}"][0] == pytest.approx(np.median(difference), rel=1e-4, abs=1e-6)
    assert figures(found)["pass the basic cut (quality_flags < 8)"] == (pytest.approx((labels["quality_flags"] < 8).mean()), N)


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        ("UPDATE store.label_forward SET logg = 'NaN' WHERE source_id = %s", "finite numbers"),
        ("UPDATE store.label_forward SET e_ext = 'Infinity' WHERE source_id = %s", "finite numbers"),
        ("DELETE FROM store.label_forward WHERE source_id = %s", "rows"),
        ("INSERT INTO store.no_label VALUES (1, %s, 'missing_spectrum', '')", "rows"),
    ],
)
def test_a_run_with_a_damaged_row_fails_and_the_command_says_which_check(
    database: Database, run: Run, monkeypatch: pytest.MonkeyPatch, damage: str, check: str
) -> None:
    with database.connect(Role.WORKER) as connection:
        connection.execute(damage, (int(SOURCES[5]),))
    found = validate_run(database, run.run_id)
    assert [each.name for each in found.checks if not each.passed] == [check]
    monkeypatch.setattr("models.running.commands._database", lambda: database)
    done = CliRunner().invoke(command, ["validate", str(run.run_id)])
    assert f"{check}: FAILED" in done.output
    assert isinstance(done.exception, RunError) and check in str(done.exception)


def test_a_run_that_is_not_done_is_not_validated(database: Database, run: Run) -> None:
    with database.connect(Role.OWNER) as connection:
        connection.execute("UPDATE store.run SET state = 'working'")
    with pytest.raises(RunError, match="finish it"):
        validate_run(database, run.run_id)
