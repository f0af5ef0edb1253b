"""A version is trained once: repeated, raced or killed, the same command ends in the same tables."""

import json
import os
import signal
import subprocess
import sys

import pytest

from catalog.database import Role
from catalog.errors import UsageError
from catalog.store.model_store import versions
from catalog.version import ROOT
from models.learning.versions import replaced, train_version

TINY = {"steps": 60, "batch": 32, "widths": [20, 8]}


@pytest.fixture
def stars(database, simulated_spectra, load_spectra):
    load_spectra(database, simulated_spectra(120), "field.fits")
    load_spectra(database, simulated_spectra(30, first=500), "xp_opcruz_sy.csv")
    load_spectra(database, simulated_spectra(8, first=800), "xp_bright_ddf30.parquet")
    return database


def train(database, seed=0, **settings):
    return train_version(database, "scatter_vae", "gaia_dr3", "short", seed, lambda _: None, TINY | settings)


def stored(database) -> list[tuple]:
    with database.connect(Role.WORKER) as connection:
        return [
            (each.version, each.weights_sha256, each.configuration_sha256, each.training_sha256, each.seed, each.training_count, each.metrics["split"])
            for each in versions(connection)
        ]  # fmt: skip


def test_training_twice_gives_one_version(stars) -> None:
    first, again = train(stars), train(stars)
    assert (first.new, again.new) == (True, False)
    assert again.version == first.version
    assert first.version.training_count == 158
    assert first.version.trained_on == "real"
    assert first.version.metrics["split"]["held_out_bright"]["count"] == 8


def test_another_seed_setting_or_sample_is_another_version(stars, simulated_spectra, load_spectra) -> None:
    train(stars)
    train(stars, seed=1)
    train(stars, steps=61)
    load_spectra(stars, simulated_spectra(3, first=900), "more.fits")
    train(stars)
    rows = stored(stars)
    assert [row[0] for row in rows] == [1, 2, 3, 4]
    assert len({row[1] for row in rows}) == len({row[2] for row in rows}) == 4


def test_other_groups_or_numbers_of_the_same_stars_are_another_version(stars) -> None:
    assert train(stars).new
    changes = (
        "UPDATE store.ingest_file SET name = 'xp_calspec.csv' WHERE name = 'xp_opcruz_sy.csv'",
        "UPDATE store.gaia_source SET phot_g_mean_flux = 2 * phot_g_mean_flux",
    )
    for change in changes:
        with stars.connect(Role.WORKER) as connection:
            connection.execute(change)
        assert train(stars).new
        assert not train(stars).new


SETTINGS = {
    "a name that is not there": ({"step": 3}, "no setting 'step'"),
    "a word for a number": ({"steps": "many"}, "steps is a int"),
    "a truth value for a number": ({"steps": True}, "steps is a int"),
    "a loss that is not there": ({"loss": "other"}, "no loss 'other'"),
}


@pytest.mark.parametrize("case", SETTINGS.values(), ids=SETTINGS.keys())
def test_a_wrong_setting_is_refused(case, stars) -> None:
    settings, message = case
    with pytest.raises(UsageError, match=message):
        train(stars, **settings)
    assert stored(stars) == []


REPLACED = {
    "a whole number for another is the same setting": ({"sigma": 4.0}, {"sigma": 4}, "{'sigma': 4.0}"),
    "a number where a number or a word may stand": ({"zero_point": "none"}, {"zero_point": -0.03}, "{'zero_point': '-0.03'}"),
    "what is not named stays": ({"a": 1, "b": [2]}, {"b": [3]}, "{'a': 1, 'b': [3]}"),
}


@pytest.mark.parametrize("case", REPLACED.values(), ids=REPLACED.keys())
def test_a_setting_is_replaced(case) -> None:
    configuration, settings, result = case
    assert repr(replaced(configuration, settings)) == result


def command(environment, *words, **kwargs):
    arguments = [sys.executable, "-m", "kiel_main", "model", *words]
    return subprocess.Popen(arguments, cwd=ROOT, env=environment | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, text=True, **kwargs)


@pytest.mark.timeout(240)  # it waits for what another process says, which may die unheard
def test_a_killed_training_repeated_ends_like_an_undisturbed_one(stars, database_url_env) -> None:
    words = ("train", "scatter_vae", "--preset", "short", "--set", "steps=1500", "--set", "batch=32", "--set", "widths=[20,8]", "--json")
    killed = command(database_url_env, *words, stderr=subprocess.PIPE)
    assert "step=" in killed.stderr.readline()
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert stored(stars) == []

    again = command(database_url_env, *words)
    answer = json.loads(again.communicate(timeout=120)[0])
    assert again.returncode == 0
    assert answer["new"] is True
    undisturbed = train(stars, steps=1500)
    assert undisturbed.new is False  # it is the version that the command stored
    rows = stored(stars)
    assert len(rows) == 1

    with stars.connect(Role.WORKER) as connection:
        connection.execute("DELETE FROM store.model_version")
        connection.execute("DELETE FROM store.model_weights")
    train(stars, steps=1500)
    assert stored(stars) == rows
