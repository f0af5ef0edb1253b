"""A small set of tables to resolve queries against, and a real table that expressions are worked out on."""

import uuid
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql

from catalog.database import Database
from catalog.migrate import upgrade
from catalog.schema.column import Position
from tap_service.adql import translate
from tap_service.table_set import TableSet, TapColumn, TapTable

MAIN = TapTable(
    "sky",
    "main",
    "Stars of the tests.",
    (
        TapColumn("source_id", "long", ucd="meta.id;meta.main", description="Identifier.", indexed=True),
        TapColumn("ra", "double", unit="deg", ucd="pos.eq.ra;meta.main", utype="stc:ra", description="Right ascension."),
        TapColumn("dec", "double", unit="deg", ucd="pos.eq.dec;meta.main", description="Declination."),
        TapColumn("parallax", "double", unit="mas", ucd="pos.parallax.trig"),
        TapColumn("mag", "float", unit="mag", ucd="phot.mag;em.opt"),
        TapColumn("flags", "int", ucd="meta.code"),
        TapColumn("visits", "short", ucd="meta.number"),
        TapColumn("name", "char", "*", ucd="meta.id"),
        TapColumn("size", "int"),
        TapColumn("Teff [K]", "float", unit="K"),
        TapColumn("variable", "boolean"),
        TapColumn("observed", "char", "*", "timestamp"),
        TapColumn("cov", "float", "3"),
        TapColumn("info", "char", "*", "json"),
    ),
    permanent="sky__p0007",
    position=Position(),
    padding=5.5 / 3600,
    displaced=(17, 18),
)
LABELS = TapTable(
    "labels",
    "forward",
    "Labels of the tests.",
    (
        TapColumn("source_id", "long", ucd="meta.id"),
        TapColumn("teff", "float", unit="K", ucd="phys.temperature.effective"),
        TapColumn("e_teff", "float", unit="K"),
        TapColumn("logg", "float"),
    ),
    permanent="labels__p0007",
)
OTHER_LABELS = TapTable("labels_dr4", "forward", None, LABELS.columns, permanent="labels_dr4__p0007")


@pytest.fixture(scope="session")
def table_set() -> TableSet:
    """Publication 7: sky.main with a position, and labels.forward and labels_dr4.forward without."""
    return TableSet(7, (MAIN, LABELS, OTHER_LABELS))


VALUES = TapTable(
    "t",
    "v",
    "A few rows that expressions are worked out for.",
    (
        TapColumn("i", "int"),
        TapColumn("x", "double", unit="mas"),
        TapColumn("s", "char", "*"),
        TapColumn("seen", "char", "*", "timestamp"),
        TapColumn("c", "float", "*"),
        TapColumn("b", "long"),
    ),
    permanent="pg_temp",
)

Row = tuple[object, ...]
Evaluate = Callable[..., list[Row]]


@pytest.fixture(scope="session")
def upgraded(postgres: Database) -> Iterator[Database]:
    """A database with the functions that queries call."""
    name = f"test_adql_{uuid.uuid4().hex[:8]}"
    with postgres.named("postgres").connect(None, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    database = postgres.named(name)
    upgrade(database)
    yield database
    with postgres.named("postgres").connect(None, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def tap_reader(upgraded: Database) -> Iterator[psycopg.Connection[Row]]:
    """A connection with the rights of a query, and the table VALUES (of pg_temp) for its rows."""
    with upgraded.connect(None, autocommit=True) as connection:
        connection.execute(
            "CREATE TEMP TABLE v (i integer, x double precision, s text, seen timestamp with time zone, c bytea, b bigint);"
            "GRANT SELECT, INSERT, TRUNCATE ON v TO tap_reader; SET ROLE tap_reader; SET TimeZone = 'UTC'"
        )
        yield connection


@pytest.fixture
def rows_of(tap_reader: psycopg.Connection[Row]) -> Evaluate:
    """``rows_of(query, rows=None, version="2.1")``: what a query gives on the table t.v with these rows, by default one row of nulls."""

    def found(query: str, rows: list[Row] | None = None, version: str = "2.1") -> list[Row]:
        tap_reader.execute("TRUNCATE v")
        with tap_reader.cursor() as cursor:
            cursor.executemany("INSERT INTO v VALUES (%s, %s, %s, %s, %s, %s)", rows or [(None,) * 6])
        return tap_reader.execute(translate(query, TableSet(1, (VALUES,)), version).statement).fetchall()

    return found


@pytest.fixture
def evaluate(rows_of: Evaluate) -> Evaluate:
    """``evaluate(select_list, rows=None, tail="")``: the same for ``SELECT select_list FROM t.v tail``."""

    def evaluated(select_list: str, rows: list[Row] | None = None, tail: str = "") -> list[Row]:
        return rows_of(f"SELECT {select_list} FROM t.v {tail}", rows)

    return evaluated
