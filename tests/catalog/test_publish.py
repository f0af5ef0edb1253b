"""Publishing lets nobody wait and mixes nothing: readers of old publications end in peace, new ones see one state."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

import catalog.publish
from catalog import migrate
from catalog.database import Database, Role
from catalog.publish import drop_old_publications, pinned_publication, publication_lock, publish, publish_in
from catalog.runs import Run, publish_run

MakeRun = Callable[[], Run]
Finish = Callable[[Run], Run]

LONGEST_WAIT = 0.3
EIGHT_VIEWS = (
    ("labels_dr3", "scatter_vae"), ("labels_dr3", "scatter_vae_paper"), ("labels_dr3", "all_models"), ("labels_dr3", "no_label"),
    ("labels", "scatter_vae"), ("labels", "scatter_vae_paper"), ("labels", "all_models"), ("labels", "no_label"),
)  # fmt: skip


@contextmanager
def open_reader(database: Database, view: str) -> Iterator[None]:
    """A reader whose transaction holds its locks on the view, its tables and functions until the block ends."""
    with database.connect(Role.TAP_READER) as connection:
        connection.execute(f"SELECT count(*) FROM {view}")
        yield


class Polling:
    """Short queries, one after the other, from a thread of their own; ``longest`` is the longest wait for one of them."""

    def __init__(self, database: Database, query: str) -> None:
        self.longest, self.asked, self.errors = 0.0, 0, []  # type: ignore[var-annotated]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, args=(database, query))

    def _ask(self, database: Database, query: str) -> None:
        with database.connect(Role.TAP_READER, autocommit=True) as connection:
            while not self._stop.is_set():
                began = time.monotonic()
                try:
                    connection.execute(query)
                except psycopg.Error as error:
                    self.errors.append(str(error))
                self.longest = max(self.longest, time.monotonic() - began)
                self.asked += 1
                time.sleep(0.005)

    def __enter__(self) -> "Polling":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture
def added_column(tmp_path: Path) -> Path:
    """A folder with a migration after head that adds a column to gaia_source."""
    (tmp_path / "added_column.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f"revision = 'added_column'\ndown_revision = {migrate.head_revision()!r}\nbranch_labels = None\ndepends_on = None\n"
        "def upgrade():\n    op.add_column('gaia_source', sa.Column('stray', sa.Integer()), schema='store')\n"
        "def downgrade():\n    op.drop_column('gaia_source', 'stray', schema='store')\n"
    )
    return tmp_path


def test_a_migration_behind_a_reader_of_four_seconds_makes_no_other_reader_wait(any_database: Database, added_column: Path) -> None:
    from catalog.version import ROOT

    config = migrate.configuration(any_database)
    config.set_main_option("version_locations", f"{ROOT / 'sql' / 'migrations' / 'versions'}:{added_column}")
    upgraded = threading.Thread(target=migrate.upgrade, args=(any_database,), kwargs={"config": config})
    with Polling(any_database, "SELECT count(*) FROM gaiadr3.gaia_source") as polling:
        with open_reader(any_database, "gaiadr3.gaia_source"):
            upgraded.start()
            time.sleep(4.0)
            with any_database.connect(Role.OWNER) as connection:
                columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'gaia_source' AND column_name = 'stray'"
                assert connection.execute(columns).fetchone() == (0,), "the migration must still be waiting for the reader"
        upgraded.join(timeout=30)
        assert not upgraded.is_alive()
    assert polling.errors == []
    assert polling.asked > 100
    assert polling.longest < LONGEST_WAIT
    with any_database.connect(Role.OWNER) as connection:
        assert connection.execute(columns).fetchone() == (1,)


def test_publishing_behind_a_reader_of_four_seconds_makes_nobody_wait(database: Database, new_run: MakeRun, finish: Finish) -> None:
    first, second = finish(new_run()), finish(new_run())
    publish_run(database, first.run_id)
    with Polling(database, "SELECT count(*) FROM labels_dr3.scatter_vae") as polling, open_reader(database, "labels_dr3.scatter_vae"):
        held_until = time.monotonic() + 4.0
        began = time.monotonic()
        publish_run(database, second.run_id)
        took = time.monotonic() - began
        with database.connect(Role.TAP_READER) as connection:
            assert connection.execute("SELECT DISTINCT run_id FROM labels_dr3.scatter_vae").fetchall() == [(second.run_id,)]
        time.sleep(max(0.0, held_until - time.monotonic()))
    assert took < 3.0, "publishing must not wait for the reader"
    assert polling.errors == []
    assert polling.longest < LONGEST_WAIT


def test_a_query_over_eight_views_never_mixes_two_publications(database: Database, new_run: MakeRun, finish: Finish) -> None:
    runs = [finish(new_run()).run_id for _ in range(2)]
    publish_run(database, runs[0])
    stop = threading.Event()
    swaps = [0]

    def swap() -> None:
        while not stop.is_set():
            swaps[0] += 1
            publish_run(database, runs[swaps[0] % 2])

    publisher = threading.Thread(target=swap)
    publisher.start()
    seen: set[int] = set()
    asked = 0
    try:
        began = time.monotonic()
        with database.connect(Role.TAP_SERVICE, autocommit=True) as connection:
            # Publishing takes its time on a busy machine: until there were enough, but not for ever.
            while (asked_for := time.monotonic() - began) < 8.0 or (swaps[0] <= 10 and asked_for < 60.0):
                with pinned_publication(connection) as publication, connection.transaction():
                    connection.execute("SET LOCAL ROLE tap_reader")
                    parts = [
                        sql.SQL("SELECT DISTINCT {} FROM {}").format(
                            sql.Identifier("scatter_vae_run_id" if view == "all_models" else "run_id"),
                            sql.Identifier(publication.schemas[schema].permanent, view),
                        )
                        for schema, view in EIGHT_VIEWS
                    ]
                    found = connection.execute(sql.SQL(" UNION ALL ").join(parts)).fetchall()
                assert len(found) == 8
                assert len(set(found)) == 1, f"one query saw the runs {sorted(set(found))}"
                seen.add(found[0][0])
                asked += 1
    finally:
        stop.set()
        publisher.join()
    assert asked > 50 and swaps[0] > 10, (asked, swaps[0])
    assert seen == set(runs), "the poll must have met both states"


def test_a_pinned_publication_outlives_newer_ones_and_goes_after_its_last_reader(database: Database) -> None:
    with database.connect(Role.TAP_SERVICE, autocommit=True) as reader:
        with pinned_publication(reader) as publication:
            view = sql.Identifier(publication.schemas["labels_dr3"].permanent, "scatter_vae")
            for _ in range(3):
                publish(database, "test")
            with reader.transaction():
                reader.execute("SET LOCAL ROLE tap_reader")
                reader.execute(sql.SQL("SELECT count(*) FROM {}").format(view))
        assert publication.serial in drop_old_publications(database)
        with pytest.raises(psycopg.errors.UndefinedTable):
            reader.execute(sql.SQL("SELECT count(*) FROM {}").format(view))


def test_only_the_newest_publication_is_left_when_nobody_reads(database: Database) -> None:
    serial = 0
    for _ in range(5):
        serial = publish(database, "test")
    with database.connect(None) as connection:
        rows = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE obj_description(oid, 'pg_namespace') LIKE 'Kiel publication%%'"
        ).fetchall()
    names = {row[0] for row in rows}
    plain = {"gaiadr3", "gaiadr1", "external", "surveys", "surveys_dr3", "labels", "labels_dr3", "runs", "tap_schema"}
    assert names == plain | {f"{name}__p{serial:04d}" for name in plain}


def test_the_description_of_a_publication_goes_with_it(database: Database) -> None:
    for _ in range(3):
        serial = publish(database, "test")
    with database.connect(Role.OWNER) as connection:
        for table in ("tap_schemas", "tap_tables", "tap_columns", "tap_keys", "tap_key_columns"):
            assert connection.execute(f"SELECT DISTINCT serial FROM store.{table}").fetchall() == [(serial,)], table


def test_dropping_spares_a_publication_made_meanwhile(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(database, "test")
    statement, made = catalog.publish.statement, []

    def published_between(name: str) -> sql.SQL:
        # Before each statement of the one that drops, somebody else publishes (and drops nothing).
        with monkeypatch.context() as patch, database.connect(Role.OWNER) as connection, publication_lock(connection):
            patch.setattr(catalog.publish, "statement", statement)
            made.append(publish_in(connection, "meanwhile"))
        return statement(name)

    with monkeypatch.context() as patch:
        patch.setattr(catalog.publish, "statement", published_between)
        drop_old_publications(database)
    assert len(made) > 3
    with database.connect(Role.OWNER) as connection:
        standing = "SELECT serial, s.value ->> 'permanent' FROM store.publication, jsonb_each(schemas) AS s WHERE dropped IS NULL"
        there = {row[0] for row in connection.execute("SELECT DISTINCT schemaname FROM pg_views").fetchall()}
        recorded = connection.execute(standing).fetchall()
    assert made[-1] in {serial for serial, _ in recorded}
    assert [name for _, name in recorded if name not in there] == []


def test_a_view_of_somebodys_own_on_a_public_view_is_never_dropped_with_it(database: Database) -> None:
    with database.connect(None) as connection:
        connection.execute("CREATE SCHEMA mine")
        connection.execute("CREATE VIEW mine.stars AS SELECT source_id FROM labels_dr3.scatter_vae")
    publish(database, "test")
    publish(database, "test")
    with database.connect(None) as connection:
        assert connection.execute("SELECT count(*) FROM mine.stars").fetchone() == (0,)


def test_publishers_at_once_make_one_publication_after_the_other(database: Database) -> None:
    serials: list[int] = []
    threads = [threading.Thread(target=lambda: serials.append(publish(database, "test"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(set(serials)) == 4
