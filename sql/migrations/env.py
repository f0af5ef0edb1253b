"""How alembic meets the database: one transaction a migration, short lock time-outs with retries, one advisory lock.

Measured: ADD COLUMN behind a reader of 4 s makes every other reader wait 3.5 s, because they queue behind the lock that waits; with
lock_timeout 100 ms they wait 0.1 s, and the migration tries again. After an upgrade that ends at head, functions are made anew and
a publication is made; before a downgrade the public views go, since they stand on the columns that may go.
"""

import random
import time

import psycopg
import sqlalchemy as sa
from alembic import context
from alembic.runtime.environment import NameFilterParentNames, NameFilterType

from catalog.database import Role
from catalog.embedded_server import open_database
from catalog.errors import TransientError
from catalog.partitions import complete_partitions
from catalog.publish import drop_public_schemas, publication_lock, publish_in
from catalog.schema import METADATA
from catalog.settings import settings
from catalog.version import ROOT

LOCK_TIMEOUT = "100ms"
GIVE_UP_AFTER_SECONDS = 120.0

database = context.config.attributes.get("database") or open_database(settings())


def partitions(connection: sa.Connection) -> set[str]:
    """Tables that are a partition of another: made by releases and runs, not by migrations."""
    query = "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE c.relnamespace = 'store'::regnamespace"
    return set(connection.execute(sa.text(query)).scalars())


def migrate(connection: sa.Connection) -> None:
    """Run the command (upgrade, downgrade, check, revision) on one connection."""
    ignored = partitions(connection)
    connection.rollback()

    def include_name(name: str | None, kind: NameFilterType, _parents: NameFilterParentNames) -> bool:
        if kind == "schema":
            return name == "store"
        return not (kind == "table" and (name in ignored or name == "alembic_version"))

    context.configure(
        connection=connection,
        target_metadata=METADATA,
        include_schemas=True,
        include_name=include_name,
        version_table_schema="store",
        transaction_per_migration=True,
        compare_type=True,
        compare_server_default=True,
    )
    deadline = time.monotonic() + GIVE_UP_AFTER_SECONDS
    while True:
        connection.execute(sa.text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.commit()
        try:
            with context.begin_transaction():
                context.run_migrations()
            return
        except sa.exc.OperationalError as error:
            connection.rollback()
            if not isinstance(error.orig, psycopg.errors.LockNotAvailable):
                raise
            if time.monotonic() > deadline:
                raise TransientError(
                    f"readers have kept a table busy for {GIVE_UP_AFTER_SECONDS:.0f} s; the migrations before it are applied. "
                    "Try again, or end the long transactions that pg_stat_activity shows."
                ) from error
        # Uneven pauses, so that the retries do not fall into step with a polling reader.
        time.sleep(random.uniform(0.2, 0.5))  # noqa: S311


def destination() -> str | None:
    """The revision that the command asks for; None for commands that move nothing (check, revision)."""
    try:
        revision = context.get_revision_argument()
    except KeyError:
        return None
    return str(revision) if revision is not None else "base"


def run() -> None:
    """Set the stage, migrate, and leave the public views as they must be at the revision that was reached."""
    goal, head = destination(), context.get_head_revision()
    with database.connect(Role.OWNER) as outer, publication_lock(outer), database.engine(Role.OWNER).connect() as connection:
        if goal is not None and goal != head:
            current = outer.execute("SELECT to_regclass('store.publication')").fetchone()
            if current is not None and current[0] is not None:
                drop_public_schemas(outer)
            # The lock must outlive this commit, which makes the drop visible to the migrations: so it is taken again at once.
            outer.commit()
            with publication_lock(outer):
                migrate(connection)
            return
        migrate(connection)
        if goal is not None:
            for path in sorted((ROOT / "sql" / "functions").glob("*.sql")):
                outer.execute(path.read_text())
            outer.execute((ROOT / "sql" / "roles" / "grants.sql").read_text())
            complete_partitions(outer)
            publish_in(outer, f"migrated to {head}")


run()
