"""Versions are stored once, numbered without holes, and read back as they were or not at all."""

from dataclasses import replace

import pytest

from catalog.database import Role
from catalog.errors import DataError, UsageError
from catalog.store.model_store import NewVersion, add_metrics, find_version, read_version, store_version, version_of, versions

NEW = NewVersion(
    model="scatter_vae", configuration={"widths": [3, 2], "learning_rate": 2e-3}, configuration_sha256="a" * 64, release_id=1,
    training_query="SELECT 1", training_count=3, training_sha256="b" * 64, trained_on="real", seed=7, metrics={"loss": -1.5},
    code_version="0.1.0", licence="CC-BY-4.0",
)  # fmt: skip


@pytest.fixture
def connection(database):
    with database.connect(Role.WORKER) as connection:
        yield connection


def test_a_version_comes_back_whole(connection) -> None:
    stored = store_version(connection, NEW, b"weights")
    assert {name: getattr(stored, name) for name in vars(NEW)} == vars(NEW)
    assert (stored.version, stored.release) == (1, "gaia_dr3")
    loaded = read_version(connection, stored.model_version_id)
    assert (loaded.model, loaded.version, loaded.configuration, loaded.weights) == ("scatter_vae", 1, NEW.configuration, b"weights")
    assert find_version(connection, "a" * 64) == stored
    assert find_version(connection, "c" * 64) is None


def test_the_same_version_is_stored_once(connection) -> None:
    first = store_version(connection, NEW, b"weights")
    assert store_version(connection, replace(NEW, code_version="0.2.0"), b"other weights") == first
    assert len(versions(connection)) == 1


def test_versions_count_for_each_model_and_the_newest_is_the_default(connection) -> None:
    for i, model in enumerate(("scatter_vae", "forward", "scatter_vae")):
        store_version(connection, replace(NEW, model=model, configuration_sha256=str(i)), b"weights")
    assert [(each.model, each.version) for each in versions(connection)] == [("forward", 1), ("scatter_vae", 1), ("scatter_vae", 2)]
    assert version_of(connection, "scatter_vae").configuration_sha256 == "2"
    assert version_of(connection, "scatter_vae", 1).configuration_sha256 == "0"


@pytest.mark.parametrize(("number", "message"), [(None, "no version of scatter_vae yet"), (4, "there are 1")])
def test_a_version_that_is_not_there_is_answered_in_words(number, message, connection) -> None:
    if number is not None:
        store_version(connection, NEW, b"weights")
    with pytest.raises(UsageError, match=message):
        version_of(connection, "scatter_vae", number)


def test_metrics_are_added_to_those_there(connection) -> None:
    stored = store_version(connection, NEW, b"weights")
    add_metrics(connection, stored, {"evaluation": {"field": 1.1}})
    assert version_of(connection, "scatter_vae").metrics == {"loss": -1.5, "evaluation": {"field": 1.1}}


def test_changed_or_missing_weights_are_refused(connection) -> None:
    stored = store_version(connection, NEW, b"weights")
    connection.execute("UPDATE store.model_weights SET safetensors = 'wrong'::bytea")
    with pytest.raises(DataError, match="have changed"):
        read_version(connection, stored.model_version_id)
    with pytest.raises(DataError, match="no model version"):
        read_version(connection, stored.model_version_id + 1)


def test_two_processes_that_store_the_same_get_one_version(database) -> None:
    """The second waits for the first one's transaction and takes its version."""
    import threading

    found = []

    def second() -> None:
        with database.connect(Role.WORKER) as connection:
            found.append(store_version(connection, NEW, b"weights"))

    with database.connect(Role.WORKER) as connection:
        first = store_version(connection, NEW, b"weights")
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
    thread.join(10)
    assert found == [first]
