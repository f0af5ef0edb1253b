"""A service as users meet it: a process of its own over a small simulated catalogue that stands under the names of Gaia DR3."""

import os
import re
import select
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from catalog.binary_copy import Rows, copy_fields
from catalog.database import Database, Role
from catalog.migrate import upgrade
from catalog.publish import publish
from catalog.releases import add_release
from catalog.runs import claim_chunk, complete_run, create_run, open_chunks, publish_run, write_chunk
from catalog.schema.label_table import LABEL_SCATTER_VAE
from catalog.schema.model_run import NO_LABEL
from catalog.version import ROOT
from ingest.linking.release_links import link_release
from ingest.load import add_paths

_SEPARATION = """
CREATE FUNCTION oracle.separation(lon1 double precision, lat1 double precision, lon2 double precision, lat2 double precision)
RETURNS double precision LANGUAGE sql AS $$
    SELECT 2 * asind(least(1, sqrt(sind((lat2 - lat1) / 2) ^ 2 + cosd(lat1) * cosd(lat2) * sind((lon2 - lon1) / 2) ^ 2)))
$$"""
"""Distance of two places on the sky in degrees, by the haversine formula."""


@dataclass(frozen=True)
class Service:
    """A service that answers: its base URL and its database."""

    url: str
    database: Database

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        """The rows that PostgreSQL gives without the service; tables go by their plain public names."""
        with self.database.connect(Role.OWNER) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="session")
def simulated(postgres: Database, sky: Path, forward_rows: Callable[..., Rows]) -> Iterator[Database]:
    """A published catalogue of a simulated sky: its stars, a few in each of twelve clusters, their surveys, and two runs of each model with made-up labels.

    The release of the simulated sky is renamed to Gaia DR3's names, so that queries of the archive's users run as they are.
    """
    name = f"test_clients_{uuid.uuid4().hex[:8]}"
    with postgres.named("postgres").connect(None, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    database = postgres.named(name)
    upgrade(database)
    add_release(database, "sim_dr3")
    assert not add_paths(database, "sim_dr3", [sky], work=True).failed
    link_release(database, "sim_dr3")
    for _ in range(2):
        _made_up_run(database, "scatter_vae", _scatter_vae_rows, every=10)
    for _ in range(2):
        _made_up_run(database, "forward", forward_rows, every=7)
    with database.connect(Role.WORKER) as connection:
        # The simulated sky leaves the archive's own parameters out; these stand in for them.
        connection.execute(
            "UPDATE store.gaia_source SET teff_gspphot = 8400 - 2300 * bp_rp, logg_gspphot = 4.4 - bp_rp / 3, mh_gspphot = -0.1"
        )
        connection.execute(
            "INSERT INTO store.id_map (release_id, from_system, from_source_id, source_id, angular_distance, file_id) "
            "SELECT release_id, 'dr2', source_id, source_id, 10, file_id FROM store.gaia_source"
        )
        connection.execute("ANALYZE store.gaia_source")
    with database.connect(Role.OWNER) as connection:
        connection.execute("CREATE SCHEMA oracle")
        connection.execute(_SEPARATION)
        connection.execute("UPDATE store.release SET name = 'gaia_dr3', suffix = 'dr3'")
    publish(database, "the simulated sky under the names of Gaia DR3")
    yield database
    with postgres.named("postgres").connect(None, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _scatter_vae_rows(source_id: np.ndarray, run_id: int) -> Rows:
    """Labels drawn at random."""
    n, random = len(source_id), np.random.default_rng(run_id)
    labels = {
        "run_id": np.full(n, run_id, np.int32), "source_id": source_id, "latent": random.normal(size=(n, 6)).astype(np.float32),
        "e_latent": np.full((n, 6), 0.1, np.float32), "chi2": random.chisquare(110, n).astype(np.float32),
        "chi2_scatter": np.ones(n, np.float32), "n_coefficients": np.full(n, 110, np.int16), "flux_scale": np.ones(n, np.float32),
        "quality_flags": random.choice(np.array([0, 0, 0, 1, 4], np.int32), n),
    }  # fmt: skip
    return Rows(copy_fields(LABEL_SCATTER_VAE.columns), labels, {})


def _made_up_run(database: Database, model: str, rows: Callable[[np.ndarray, int], Rows], every: int) -> None:
    """A published run of a version of its own: a reason for every so many sources, made-up labels for the others."""
    with database.connect(Role.WORKER) as connection:
        connection.execute("INSERT INTO store.model_weights VALUES ('00', '\\x00') ON CONFLICT DO NOTHING")
        version = connection.execute(
            "INSERT INTO store.model_version (model, version, weights_sha256, configuration, configuration_sha256, release_id, training_query, "
            "training_count, training_sha256, trained_on, seed, code_version, licence) SELECT %s, count(*) + 1, '00', %s, count(*)::text, "
            "101, 'SELECT 1', 1, '', 'simulated', 1, '', 'none' FROM store.model_version RETURNING version",
            (model, Jsonb({})),
        ).fetchone()
        assert version is not None
        source_ids = np.array([row[0] for row in connection.execute("SELECT source_id FROM store.xp_spectrum ORDER BY source_id")])
    run = create_run(database, model, "sim_dr3", version=version[0])
    with database.connect(Role.WORKER, autocommit=True) as connection:
        for chunk in open_chunks(connection, run.run_id):
            claimed = claim_chunk(connection, run.run_id, chunk.chunk, 60)
            assert claimed is not None
            mine = source_ids[(source_ids >= claimed.first_source_id) & (source_ids <= claimed.last_source_id)]
            without = np.arange(len(mine)) % every == 0
            rest = mine[without]
            m = len(rest)
            reasons = {
                "run_id": np.full(m, run.run_id, np.int32), "source_id": rest,
                "reason": np.full(m, "missing_input", object), "detail": np.full(m, "made up, and simulated", object),
            }  # fmt: skip
            no_label = Rows(copy_fields(NO_LABEL.columns), reasons, {})
            write_chunk(connection, claimed, f"label_{model}", rows(mine[~without], run.run_id), no_label, np.zeros((3, 2)), 0.1)
        complete_run(connection, run.run_id)
    publish_run(database, run.run_id)


@pytest.fixture(scope="session")
def tap(simulated: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """``kiel tap serve`` over the simulated catalogue, with its workers."""
    folder = tmp_path_factory.mktemp("serve")
    environment = {
        **os.environ, "KIEL_DATABASE_URL": simulated.url, "KIEL_TAP_DATABASE_URL": simulated.tap_url, "KIEL_HOME": str(folder / "home"),
        # Uploads by URL come from this machine here, and a person's proxy would not find it.
        "no_proxy": "*",
    }  # fmt: skip
    words = [sys.executable, "-m", "kiel_main", "tap", "serve", "--port", "0"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True, env=environment, cwd=ROOT)
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], 60)[0], "no address within a minute"
            found = re.search(r"http://\S+/tap", process.stdout.readline())
            assert found is not None, (folder / "log").read_text()
            yield Service(found[0], simulated)
        finally:
            process.terminate()
            process.wait(15)


@pytest.fixture
def http(tap: Service) -> Iterator[httpx.Client]:
    """A kept-alive HTTP client whose addresses begin at the service's base; redirects are not followed."""
    with httpx.Client(base_url=tap.url + "/", timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def member(tap: Service) -> dict[str, Any]:
    """A source of the simulated catalogue with its position."""
    [row] = tap.sql("SELECT source_id, ra, dec FROM gaiadr3.gaia_source WHERE parallax IS NOT NULL ORDER BY random_index LIMIT 1")
    return dict(zip(("source_id", "ra", "dec"), row, strict=True))
