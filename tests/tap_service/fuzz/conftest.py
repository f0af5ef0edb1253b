"""A published catalogue with the small tables of ``fixed_tables`` in it, every statement of whose service PostgreSQL logs."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from catalog.database import Database
from catalog.migrate import upgrade
from catalog.releases import add_release
from tests.tap_service.fuzz.answers import Client
from tests.tap_service.fuzz.fixed_tables import POSTGRES, SCHEMA, TABLES, FixedTable
from tests.tap_service.fuzz.statement_log import StatementLog

PERMANENT = f"{SCHEMA}__p0001"


@pytest.fixture(scope="session")
def fuzzed(postgres: Database) -> Iterator[Database]:
    """A catalogue whose publication has the schema ``fuzz``; PostgreSQL logs every statement in it."""
    name = f"test_fuzz_{uuid.uuid4().hex[:8]}"
    database = postgres.named(name)
    with postgres.named("postgres").connect(None, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        upgrade(database)
        add_release(database, "gaia_dr3")
        with database.connect(None, autocommit=True) as connection:
            _publish_fixed_tables(connection)
        server.execute(sql.SQL("ALTER DATABASE {} SET log_statement = 'all'").format(sql.Identifier(name)))
        yield database
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _publish_fixed_tables(connection: psycopg.Connection[Any]) -> None:
    """Make the tables, and tell the current publication and its TAP_SCHEMA of them."""
    row = connection.execute("SELECT max(serial) FROM store.publication").fetchone()
    assert row is not None
    serial = row[0]
    schema = sql.Identifier(PERMANENT)
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
    connection.execute(
        "UPDATE store.publication SET schemas = schemas || jsonb_build_object(%s::text, jsonb_build_object('permanent', %s::text, 'release_id', NULL)) WHERE serial = %s",
        (SCHEMA, PERMANENT, serial),
    )
    connection.execute("INSERT INTO store.tap_schemas (serial, schema_name, schema_index) VALUES (%s, %s, 99)", (serial, SCHEMA))
    for table in TABLES:
        _make_table(connection, table)
        qualified = f"{SCHEMA}.{table.name}"
        connection.execute(
            "INSERT INTO store.tap_tables (serial, schema_name, table_name, table_type) VALUES (%s, %s, %s, 'table')",
            (serial, SCHEMA, qualified),
        )
        for number, column in enumerate(table.columns):
            described = column.tap_column()
            connection.execute(
                "INSERT INTO store.tap_columns (serial, table_name, column_name, datatype, arraysize, xtype, unit, indexed, principal, std, column_index)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, 0, 1, 0, %s)",
                (
                    serial,
                    qualified,
                    _as_identifier(column.name),
                    described.datatype,
                    described.arraysize,
                    described.xtype,
                    column.unit,
                    number,
                ),
            )
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO tap_reader").format(schema))
    connection.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO tap_reader").format(schema))


def _make_table(connection: psycopg.Connection[Any], table: FixedTable) -> None:
    name = sql.Identifier(PERMANENT, table.name)
    columns = sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(c.name), sql.SQL(POSTGRES[c.type])) for c in table.columns)
    connection.execute(sql.SQL("CREATE TABLE {} ({})").format(name, columns))
    places = sql.SQL(", ").join([sql.Placeholder()] * len(table.columns))
    with connection.cursor() as cursor:
        cursor.executemany(sql.SQL("INSERT INTO {} VALUES ({})").format(name, places), table.rows)


def _as_identifier(name: str) -> str:
    """A column's name as TAP_SCHEMA writes it: in quotes where a query needs them."""
    return f'"{name}"' if name in ("size",) or not name.isidentifier() else name


@pytest.fixture(scope="module")
def client(fuzzed: Database) -> Iterator[Client]:
    """What asks the service."""
    made = Client(fuzzed)
    yield made
    made.close()


@pytest.fixture(scope="module")
def statement_log(client: Client, fuzzed: Database) -> StatementLog:
    """What PostgreSQL logs of the statements in the catalogue from now on; no other database logs statements."""
    with fuzzed.connect(None) as connection:
        row = connection.execute("SHOW data_directory").fetchone()
    assert row is not None
    log = StatementLog(Path(row[0]).parent / "postgres.log")
    assert list(log.statements()), "PostgreSQL logs no statements"
    return log
