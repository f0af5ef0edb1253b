"""The demonstration on the real spectra, as a newcomer runs it: a fresh home, the real command, its own server, questions over HTTP."""

import csv
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvo

from catalog.database import Role
from catalog.embedded_server import EmbeddedServer
from catalog.healpix import pixel_offset
from catalog.version import ROOT

Kiel = Callable[..., "subprocess.CompletedProcess[str]"]


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
def kiel(home: Path) -> Kiel:
    """Runs a kiel command in that home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KIEL_")}
    environment = kept | {"KIEL_HOME": str(home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "kiel_main", *words], env=environment, capture_output=True, text=True, timeout=580, check=False
        )

    return run


@pytest.fixture(scope="module")
def index() -> dict[int, str]:
    """source_id -> full, err or coef, of the index that was made apart from our code."""
    path = ROOT.parent / "shared" / "data" / "real" / "xp_index.csv.gz"
    if not path.is_file():
        return {}
    with gzip.open(path, "rt") as file:
        return {int(row["source_id"]): row["level"] for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def told(kiel: Kiel, index: dict[int, str]) -> dict[str, Any]:
    """What the demonstration told, as JSON."""
    if not index:
        return {}
    done = kiel("demo", "--real", str(ROOT.parent / "shared" / "data" / "real"), "--port", "0", "--json")
    assert done.returncode == 0, done.stderr
    story: dict[str, Any] = json.loads(done.stdout)
    return story


def test_a_folder_that_is_not_there_is_wrong_usage(kiel: Kiel, tmp_path: Path) -> None:
    done = kiel("demo", "--real", str(tmp_path / "nowhere"))
    assert done.returncode == 2 and "nowhere" in done.stderr


@pytest.mark.timeout(900)
def test_every_real_source_is_in_the_catalogue_with_its_fullest_arrays(
    real_data: Path, told: dict[str, Any], index: dict[int, str], home: Path
) -> None:
    assert told["answers"]["sources"] == len(index) == 5481
    with EmbeddedServer(home).database().connect(Role.WORKER) as connection:
        rows = connection.execute("SELECT source_id, layout FROM store.xp_spectrum").fetchall()
    levels = {source_id: "full" if layout & 48 else "err" if layout & 12 else "coef" for source_id, layout in rows}
    assert levels == index


def test_every_source_is_labelled_or_has_its_reason(real_data: Path, told: dict[str, Any], home: Path) -> None:
    with EmbeddedServer(home).database().connect(Role.TAP_READER) as connection:
        labelled = connection.execute("SELECT count(DISTINCT source_id) FROM labels.scatter_vae").fetchone()
        unlabelled = connection.execute("SELECT source_id, reason FROM labels.no_label").fetchall()
    assert labelled is not None and labelled[0] + len(unlabelled) == 5481
    assert 5405570973190252288 in {source_id for source_id, _ in unlabelled}, "the source without BP and without G cannot be scaled"
    assert all(reason for _, reason in unlabelled)


def test_the_forward_model_is_skipped_and_the_reason_is_told(real_data: Path, told: dict[str, Any]) -> None:
    results = {step["step"]: step["result"] for step in told["steps"]}
    assert results["train forward"].startswith("skipped: release gaia_dr3 has no stars to train the forward model on")
    assert "run forward" not in results and told["answers"]["kinds"] == []


def test_the_service_answered_a_cone_and_the_ten_worst(real_data: Path, told: dict[str, Any]) -> None:
    answers = told["answers"]
    assert answers["cone"]["rows"] >= 1
    chi2 = [row["reduced_chi2"] for row in answers["worst"]]
    assert len(chi2) == 10 and chi2 == sorted(chi2, reverse=True) and chi2[-1] > 1


@pytest.fixture(scope="module")
def url(home: Path, told: dict[str, Any]) -> Iterator[str]:
    """The service as ``kiel tap serve`` starts it."""
    environment = os.environ | {"KIEL_HOME": str(home), "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "kiel_main", "tap", "serve", "--port", "0"]
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.terminate()


CONES = (
    "DISTANCE(ra, dec, {ra!r}, {dec!r}) < {radius!r}",
    "1 = CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', {ra!r}, {dec!r}, {radius!r}))",
    "CONTAINS(POINT({ra!r}, {dec!r}), CIRCLE(ra, dec, {radius!r})) = 1",
)


@pytest.mark.parametrize("cone", CONES)
def test_real_sources_outside_their_pixel_are_found_by_a_cone_of_one_arcsec(real_data: Path, home: Path, url: str, cone: str) -> None:
    with EmbeddedServer(home).database().connect(Role.WORKER) as connection:
        rows = connection.execute("SELECT source_id, ra, dec FROM store.gaia_source ORDER BY source_id").fetchall()
    source_id, ra, dec = (np.array([row[i] for row in rows]) for i in range(3))
    outside = np.flatnonzero(pixel_offset(source_id, ra, dec) > 0)
    assert len(outside) >= 8
    service = pyvo.dal.TAPService(url)
    for i in outside:
        found = service.search(
            f"SELECT source_id FROM gaiadr3.gaia_source WHERE {cone.format(ra=float(ra[i]), dec=float(dec[i]), radius=1 / 3600)}"
        )
        assert source_id[i] in found["source_id"].tolist()


def test_the_demonstration_may_be_repeated_and_changes_nothing(real_data: Path, told: dict[str, Any], kiel: Kiel) -> None:
    again = kiel("demo", "--real", str(real_data), "--port", "0", "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["answers"] == told["answers"]
    runs = json.loads(kiel("run", "status", "--json").stdout)["runs"]
    assert [run["state"] for run in runs] == ["published"]
