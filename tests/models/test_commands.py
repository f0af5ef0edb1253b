"""``kiel model`` from the command line, on a real database."""

import json
import subprocess
import sys
from dataclasses import dataclass

import pytest

from catalog.settings import settings
from catalog.version import ROOT
from kiel_main import main

TINY = ("--preset", "short", "--set", "steps=40", "--set", "batch=32", "--set", "widths=[20,8]")


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def kiel(database, database_url_env, simulated_spectra, load_spectra, monkeypatch, capsys):
    """The command in this process, whose settings name a fresh database with stars."""
    load_spectra(database, simulated_spectra(100), "field.fits")
    load_spectra(database, simulated_spectra(8, first=800), "xp_bright_ddf30.parquet")
    for name, value in database_url_env.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()

    def run(*words: str) -> Done:
        capsys.readouterr()
        code = main(["model", *words])
        return Done(code, *capsys.readouterr())

    yield run
    settings.cache_clear()


def test_train_list_show_evaluate(kiel) -> None:
    assert "no version yet" in kiel("list").stdout
    done = kiel("evaluate", "scatter_vae", "--seeds", "2", *TINY)
    assert done.returncode == 0, done.stderr
    for word in ("encoder", "plain PCA", "refined", "EM-PCA", "field", "bright"):
        assert word in done.stdout
    assert "step=40/40" in done.stderr

    trained = json.loads(kiel("train", "scatter_vae", "--seed", "1", *TINY, "--json").stdout)
    assert (trained["version"], trained["seed"], trained["new"]) == (2, 1, False)
    measured = json.loads(kiel("evaluate", "scatter_vae", "--version", "2", "--json").stdout)["measures"]
    assert [(row["group"], row["stars"]) for row in measured] == [("field", 15), ("bright", 8)]

    there = json.loads(kiel("list", "--json").stdout)["versions"]
    assert [(each["model"], each["version"], each["seed"]) for each in there] == [("scatter_vae", 1, 0), ("scatter_vae", 2, 1)]
    shown = json.loads(kiel("show", "scatter_vae", "--json").stdout)
    assert shown["weights_sha256"] == trained["weights_sha256"]
    assert shown["metrics"]["evaluation"]["groups"]["field"]["encoder"] == measured[0]["encoder"]
    assert shown["configuration"]["steps"] == 40


WRONG = {
    "a model that is not there": (("train", "vae"), 2, "scatter_vae"),
    "a preset that is not there": (("train", "scatter_vae", "--preset", "quick"), 2, "full, short"),
    "a release that is not there": (("train", "scatter_vae", "--release", "gaia_dr9"), 2, "gaia_dr9"),
    "a setting without a value": (("train", "scatter_vae", "--set", "steps"), 2, "NAME=VALUE"),
    "a version that is not there": (("show", "scatter_vae", "--version", "9"), 2, "no version"),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG.keys())
def test_wrong_words_end_with_the_right_ones(case, kiel) -> None:
    words, code, message = case
    done = kiel(*words)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_help_and_lists_load_no_torch(database_url_env) -> None:
    code = "import sys, models.commands; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=database_url_env, check=False).returncode == 0
