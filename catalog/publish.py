"""Publication: the views that people read, made anew in schemas with permanent names, so that one query sees one state.

``publish_in`` renders the templates of ``sql/views`` from ``published`` and ``release`` into fresh schemas (``labels_dr3__p0007``,
literal run ids), fills TAP_SCHEMA for them, grants them to tap_reader and records the new serial. The TAP service reads the serial
once a query (``pinned_publication``) and emits the permanent names. For people on psql the plain names (``labels_dr3``) are a second
rendering, swapped by ALTER SCHEMA RENAME in the same transaction.

Why so (measured): CREATE OR REPLACE VIEW waits for running readers and makes new ones wait behind it; a rename does not, but names
of one query are looked up one by one, so under constant swapping a query of several plain names can mix two states. A view in
another schema keeps following the old object, so public views are built from ``store`` only. Default privileges go with the
old schema, so grants are explicit.

Old schemas go after their last reader: a reader holds a shared advisory lock on its serial, ``drop_old_publications`` needs the
exclusive one. They are dropped view by view, never by CASCADE.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from catalog.database import Database, Role
from catalog.errors import TransientError
from catalog.schema.column import PublicView, names
from catalog.schema.public_views import ARCHIVE_RELEASE, OF_DEFAULT_RELEASE, PER_RELEASE, PUBLIC_VIEWS, SCHEMA_DESCRIPTIONS
from catalog.statements import statement, template
from catalog.tap_schema import tap_schema_rows

PUBLICATION_LOCK = 0x4B_49_45_4C
"""Advisory lock of everything that changes public schemas: publish, release add, migrations. (The letters KIEL.)"""

READER_LOCK_CLASS = 0x4B_50_55_42
"""First key of the advisory lock that a reader holds on a serial. (The letters KPUB.)"""


@dataclass(frozen=True)
class PublishedSchema:
    """One public schema of a publication: the name that its views have for ever, and its release (None: of no one release)."""

    permanent: str
    release_id: int | None


@dataclass(frozen=True)
class Publication:
    """A publication: its serial, and public schema names with what stands behind them."""

    serial: int
    schemas: Mapping[str, PublishedSchema]


@dataclass(frozen=True)
class _Schema:
    """A schema about to be rendered: public name, the views in it, and what fills their templates."""

    name: str
    description: str
    release_id: int | None
    views: tuple[PublicView, ...]
    fields: Mapping[str, sql.Composable]


@contextmanager
def publication_lock(connection: psycopg.Connection[Any], *, wait_seconds: float = 60.0) -> Iterator[None]:
    """Hold the lock under which public schemas change until the transaction ends; TransientError if others keep it too long."""
    deadline = time.monotonic() + wait_seconds
    while True:
        row = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (PUBLICATION_LOCK,)).fetchone()
        if row is not None and row[0]:
            break
        if time.monotonic() > deadline:
            raise TransientError(f"another publication or migration has held its lock for {wait_seconds:.0f} s; try again when it is done.")
        time.sleep(0.05)
    yield


def publish(database: Database, cause: str) -> int:
    """Publish the current state of ``published`` and ``release``; the new serial. Old publications without readers go."""
    with database.connect(Role.OWNER) as connection, publication_lock(connection):
        serial = publish_in(connection, cause)
    drop_old_publications(database)
    return serial


def publish_in(connection: psycopg.Connection[Any], cause: str) -> int:
    """Render and record one publication inside the caller's transaction, which holds ``publication_lock``; the new serial."""
    row = connection.execute(statement("next_serial")).fetchone()
    assert row is not None
    serial: int = row[0]
    schemas = _schemas(connection, serial)
    for schema in schemas:
        _render(connection, schema, permanent_name(schema.name, serial), serial)
        _render(connection, schema, f"{schema.name}__next", serial)
    there = {row[0] for row in connection.execute(statement("public_schemas")).fetchall()}
    for schema in schemas:
        if schema.name in there:
            _rename(connection, schema.name, f"{schema.name}__old{serial:04d}")
        _rename(connection, f"{schema.name}__next", schema.name)
    # A plain name that this publication no longer has (its release went) must not go on showing an old state.
    wanted = {schema.name for schema in schemas}
    for name in there - wanted:
        if "__" not in name:
            _rename(connection, name, f"{name}__old{serial:04d}")
    for table, rows in tap_schema_rows(serial, [(schema.name, schema.description, schema.views) for schema in schemas]).items():
        _insert(connection, table, rows)
    recorded = {schema.name: {"permanent": permanent_name(schema.name, serial), "release_id": schema.release_id} for schema in schemas}
    connection.execute(statement("insert_publication"), {"serial": serial, "schemas": Jsonb(recorded), "cause": cause})
    return serial


def permanent_name(schema: str, serial: int) -> str:
    """The name that a schema of a publication keeps: ``labels_dr3__p0007``."""
    return f"{schema}__p{serial:04d}"


@contextmanager
def pinned_publication(connection: psycopg.Connection[Any]) -> Iterator[Publication]:
    """The current publication, its schemas kept alive until the block ends.

    The connection must be in autocommit mode at entry: the lock has to be held before the reader's snapshot is taken, or the schemas
    could go in between. Inside the block the caller may begin transactions of any isolation. TransientError before the first one.
    """
    assert connection.autocommit, "pinned_publication needs an autocommit connection"
    while True:
        row = connection.execute(statement("current_publication")).fetchone()
        if row is None:
            raise TransientError("nothing has been published yet: run `kiel db upgrade`, then add a release.")
        serial, schemas = row
        key = {"lock_class": READER_LOCK_CLASS, "serial": serial}
        connection.execute(statement("lock_reader"), key)
        stands = connection.execute(statement("publication_stands"), {"serial": serial}).fetchone()
        if stands is not None and stands[0]:
            break
        connection.execute(statement("unlock_reader"), key)
    try:
        yield Publication(serial, {name: PublishedSchema(**schema) for name, schema in schemas.items()})
    finally:
        if not connection.closed and connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            connection.execute(statement("unlock_reader"), key)


def drop_old_publications(database: Database) -> list[int]:
    """Drop the schemas of publications that nobody reads any more, and plain schemas that were swapped out; the serials that went.

    A schema that a reader still holds stays for the next call: nobody waits longer than the lock time-out of 100 ms.
    """
    gone: list[int] = []
    with database.connect(Role.OWNER, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '100ms'")
        for (serial,) in connection.execute(statement("old_publications")).fetchall():
            key = {"lock_class": READER_LOCK_CLASS, "serial": serial}
            locked = connection.execute(statement("try_lock_publication"), key).fetchone()
            if locked is None or not locked[0]:
                continue
            try:
                # First out of sight, then away: a reader that locks from here on sees that it is gone and takes the newest.
                connection.execute(statement("mark_publication_dropped"), {"serial": serial})
                gone.append(serial)
            finally:
                connection.execute(statement("unlock_publication"), key)
        for (name,) in connection.execute(statement("schemas_to_drop")).fetchall():
            _drop_schema(connection, name)
    return gone


def drop_public_schemas(connection: psycopg.Connection[Any]) -> None:
    """Drop every public schema, before a downgrade takes columns away; the next publication brings them back.

    Readers have three seconds to end; then TransientError, and everything stays as it was.
    """
    connection.execute("SET LOCAL lock_timeout = '3s'")
    connection.execute("UPDATE store.publication SET dropped = now() WHERE dropped IS NULL")
    try:
        for (name,) in connection.execute(statement("public_schemas")).fetchall():
            _drop_views(connection, name)
    except psycopg.errors.LockNotAvailable as error:
        raise TransientError(
            "a query still reads the public views, which must go before a downgrade; try again when it has ended."
        ) from error


def _drop_schema(connection: psycopg.Connection[Any], name: str) -> None:
    """Drop one schema's views and then itself, or leave it for the next time when a reader holds one of them."""
    try:
        with connection.transaction():
            _drop_views(connection, name)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DependentObjectsStillExist, psycopg.errors.InvalidSchemaName):
        # A reader, or a view of somebody's own that stands on it; or another dropper was faster. Never CASCADE beyond our own.
        return


def _drop_views(connection: psycopg.Connection[Any], name: str) -> None:
    for (view,) in connection.execute(statement("views_of_schema"), {"schema": name}).fetchall():
        connection.execute(sql.SQL("DROP VIEW {}").format(sql.Identifier(name, view)))
    connection.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(name)))


def _schemas(connection: psycopg.Connection[Any], serial: int) -> list[_Schema]:
    """Every public schema with the values of its templates, read from ``release`` and ``published``."""
    releases = connection.execute(statement("all_releases")).fetchall()
    runs: dict[int, dict[str, int]] = {}
    for release_id, model, run_id in connection.execute(statement("published_runs")).fetchall():
        runs.setdefault(release_id, {})[model] = run_id
    by_schema: dict[str, list[PublicView]] = {}
    for view in PUBLIC_VIEWS:
        by_schema.setdefault(view.schema, []).append(view)
    published = sql.Literal([run_id for models in runs.values() for run_id in models.values()])
    common: dict[str, sql.Composable] = {"serial": sql.Literal(serial), "published_runs": published}
    found: list[_Schema] = []
    for kind, views in by_schema.items():
        if kind not in PER_RELEASE:
            found.append(_Schema(kind, SCHEMA_DESCRIPTIONS[kind], None, tuple(views), common))
            continue
        for release_id, release, suffix, n_bp, n_rp, cut_dialect, is_default in releases:
            models = runs.get(release_id, {})
            fields = common | {
                "release_id": sql.Literal(release_id),
                "n_bp": sql.Literal(n_bp),
                "n_rp": sql.Literal(n_rp),
                "cut_dialect": sql.Literal(cut_dialect),
                "release_runs": sql.Literal(list(models.values())),
            }
            # A model without a published run: run_id = NULL is no row, with the same columns.
            for model in {view.model for view in views if view.model}:
                fields[f"run_{model}"] = sql.Literal(models.get(model))
            described = SCHEMA_DESCRIPTIONS[kind].format(release=release)
            found.append(_Schema(PER_RELEASE[kind].format(suffix=suffix), described, release_id, tuple(views), fields))
            if kind in OF_DEFAULT_RELEASE and is_default:
                found.append(_Schema(kind, described, release_id, tuple(views), fields))
            if release == ARCHIVE_RELEASE:
                for name in dict.fromkeys(view.archive_schema for view in views if view.archive_schema is not None):
                    kept = tuple(view for view in views if view.archive_schema == name)
                    found.append(_Schema(name, SCHEMA_DESCRIPTIONS[name].format(release=release), release_id, kept, fields))
    return found


def _render(connection: psycopg.Connection[Any], schema: _Schema, name: str, serial: int) -> None:
    """Make one schema under ``name``: its views, their comments, and the grants to tap_reader."""
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    note = sql.Literal(f"Kiel publication {serial}: {schema.description}")
    connection.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(sql.Identifier(name), note))
    for view in schema.views:
        fields = dict(schema.fields)
        fields["columns"] = sql.SQL(", ").join(map(sql.Identifier, names(view.columns)))
        fields["table"] = sql.Identifier("store", f"tap_{view.name}")
        fields["run_id"] = schema.fields.get(f"run_{view.model}", sql.SQL("NULL"))
        target = sql.Identifier(name, view.name)
        connection.execute(sql.SQL("CREATE VIEW {} AS\n{}").format(target, template(f"views/{view.template}.sql").format(**fields)))
        connection.execute(sql.SQL("COMMENT ON VIEW {} IS {}").format(target, sql.Literal(view.description)))
        if name.endswith("__next"):
            _comment_columns(connection, name, view)
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO tap_reader, kiel_worker").format(sql.Identifier(name)))
    connection.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO tap_reader, kiel_worker").format(sql.Identifier(name)))


def _comment_columns(connection: psycopg.Connection[Any], schema: str, view: PublicView) -> None:
    """Give the columns their sentences, for people who type \\d+ in psql; only the plain names are for them."""
    comments = [
        sql.SQL("COMMENT ON COLUMN {} IS {};").format(sql.Identifier(schema, view.name, column.name), sql.Literal(column.description))
        for column in view.columns
    ]
    connection.execute(sql.SQL("\n").join(comments))


def _rename(connection: psycopg.Connection[Any], old: str, new: str) -> None:
    connection.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new)))


def _insert(connection: psycopg.Connection[Any], table: str, rows: list[dict[str, object]]) -> None:
    """Insert a few described rows (TAP_SCHEMA); bulk rows go through catalog.binary_copy."""
    if not rows:
        return
    columns = list(rows[0])
    query = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier("store", table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(map(sql.Placeholder, columns)),
    )
    with connection.cursor() as cursor:
        cursor.executemany(query, rows)
