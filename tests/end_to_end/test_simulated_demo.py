"""The demonstration on its own simulated sky, as a newcomer without any file runs it."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.database import Role
from catalog.embedded_server import EmbeddedServer
from catalog.version import ROOT

STARS = 1800
"""As few as leave the forward model enough stars with survey labels to learn from."""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home for the embedded server, gone afterwards."""
    # Not in pytest's own folder, which is closed to the account that root's server runs as.
    folder = Path(tempfile.mkdtemp(prefix="kiel-demo-"))
    folder.chmod(0o711)
    yield folder / "home"
    EmbeddedServer(folder / "home").down()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def told(home: Path) -> dict[str, Any]:
    """What the demonstration told, as JSON."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KIEL_")}
    environment = kept | {"KIEL_HOME": str(home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "kiel_main", "demo", "--stars", str(STARS), "--port", "0", "--json"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=580, check=False)
    assert done.returncode == 0, done.stderr
    story: dict[str, Any] = json.loads(done.stdout)
    return story


def test_every_simulated_star_is_in_the_catalogue_and_has_a_label_or_a_reason(told: dict[str, Any], home: Path) -> None:
    assert told["simulated"] is True
    assert told["answers"]["sources"] == STARS
    with EmbeddedServer(home).database().connect(Role.TAP_READER) as connection:
        for query in (
            "SELECT (SELECT count(*) FROM labels_sim_dr3.scatter_vae) + (SELECT count(*) FROM labels_sim_dr3.no_label WHERE model = 'scatter_vae')",
            "SELECT (SELECT count(*) FROM labels_sim_dr3.forward) + (SELECT count(*) FROM labels_sim_dr3.no_label WHERE model = 'forward')",
        ):
            assert connection.execute(query).fetchone() == (STARS,)


def test_the_forward_model_is_trained_run_validated_and_published(told: dict[str, Any], home: Path) -> None:
    results = {step["step"]: step["result"] for step in told["steps"]}
    assert re.search(r"version 1 \(new\): \d{3} simulated stars", results["train forward"])
    assert "rows passed, finite numbers passed; of simulated stars: pass the basic cut" in results["validate forward"]
    kinds = {row["kind"]: row for row in told["answers"]["kinds"]}
    assert kinds["dwarfs"]["mean_teff"] > kinds["giants"]["mean_teff"] > 3500
    assert sum(row["n"] for row in kinds.values()) > STARS / 2
    with EmbeddedServer(home).database().connect(Role.TAP_READER) as connection:
        both = connection.execute("SELECT count(forward_teff), count(scatter_vae_chi2), count(*) FROM labels_sim_dr3.all_models").fetchone()
        published = connection.execute("SELECT model FROM runs.run WHERE is_published ORDER BY model").fetchall()
    assert both is not None and both[2] == STARS and min(both) > 0.9 * STARS
    assert published == [("forward",), ("scatter_vae",)]


def test_validation_tells_a_scatter_as_of_a_model_that_has_learnt(told: dict[str, Any]) -> None:
    (result,) = [step["result"] for step in told["steps"] if step["step"] == "validate forward"]
    found = {name: float(value) for name, value in re.findall(r"scatter of (\w+) against surveys, held-out stars ([\d.e-]+)", result)}
    # A network that had learnt nothing would scatter like the stars themselves: by some 800 K, 0.35 and 0.9 dex.
    assert found["teff"] < 200 and found["feh"] < 0.25 and found["logg"] < 0.35 and found["ext"] < 0.15


def test_what_is_simulated_says_so(told: dict[str, Any], home: Path) -> None:
    with EmbeddedServer(home).database().connect(Role.TAP_READER) as connection:
        version = connection.execute("SELECT DISTINCT trained_on FROM runs.model_version").fetchall()
        release = connection.execute("SELECT name, simulated FROM runs.release").fetchall()
    assert version == [("simulated",)]
    assert release == [("sim_dr3", True)]


def test_every_survey_of_its_sky_is_linked_and_the_cuts_are_counted(told: dict[str, Any]) -> None:
    results = {step["step"]: step["result"] for step in told["steps"]}
    linked = re.findall(r"(\w+) (\d+) of (\d+)", results["link"])
    # Hot Payne has rows only where a sky as small as this has hot stars.
    assert {survey for survey, _, _ in linked} - {"hot_payne"} == {"apogee", "lamost", "galah", "unwise"}
    assert all(0 < int(number) == int(rows) for _, number, rows in linked)
    chosen = {paper: int(number) for paper, number, _ in re.findall(r"(\w+) (\d+) of (\d+)", results["training cuts"])}
    assert set(chosen) == {"forward", "uncertain_nn", "rvs_cnn", "aspgap", "scatter_vae"}
    assert chosen["forward"] > 0 and chosen["scatter_vae"] > 0


def test_the_service_answered_a_cone_and_the_ten_worst(told: dict[str, Any]) -> None:
    assert told["answers"]["cone"]["rows"] >= 1
    chi2 = [row["reduced_chi2"] for row in told["answers"]["worst"]]
    assert len(chi2) == 10 and chi2 == sorted(chi2, reverse=True)
