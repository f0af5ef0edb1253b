"""The schema is what its descriptions say, however it was reached, and each role may do only its part."""

import secrets
import threading
from collections.abc import Callable

import astropy.units as u
import psycopg
import pytest
from astropy.io.votable.ucd import check_ucd
from psycopg.conninfo import make_conninfo

from catalog import migrate
from catalog.database import Database, Role
from catalog.errors import DataError, UsageError
from catalog.publish import pinned_publication
from catalog.releases import add_release, release_named
from catalog.runs import Run, publish_run
from catalog.schema import STORE_TABLES
from catalog.schema.column import PublicView, StoreTable
from catalog.schema.public_views import OF_DEFAULT_RELEASE, PER_RELEASE, PUBLIC_VIEWS

DESCRIBED: tuple[StoreTable | PublicView, ...] = (*STORE_TABLES, *PUBLIC_VIEWS)


def shape(database: Database) -> list[tuple[object, ...]]:
    """Tables, columns, constraints, indexes, privileges and views of a database, in a form to compare."""
    with database.connect(None) as connection:
        queries = (
            "SELECT table_schema, table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns "
            "WHERE table_schema = 'store' OR table_schema LIKE '%labels%' OR table_schema LIKE '%gaia%' ORDER BY 1, 2, 3",
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'store'::regnamespace ORDER BY 1, 2",
            "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'store' ORDER BY 1, 2",
            "SELECT c.relname, a.attname, a.attstorage FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
            "WHERE c.relnamespace = 'store'::regnamespace AND a.attstorage = 'e' ORDER BY 1, 2",
            "SELECT table_name, grantee, privilege_type FROM information_schema.table_privileges WHERE table_schema = 'store' ORDER BY 1, 2, 3",
        )
        return [tuple(row) for query in queries for row in connection.execute(query).fetchall()]


def public(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """Without the serials of publications, which count on."""
    return [row for row in rows if "__p" not in str(row[0])]


def test_the_schema_equals_its_migrations_with_partitions_in_place(any_database: Database) -> None:
    migrate.check(any_database)


def test_a_difference_between_tables_and_descriptions_is_told(database: Database) -> None:
    with database.connect(Role.OWNER) as connection:
        connection.execute("ALTER TABLE store.run ADD COLUMN stray integer")
    with pytest.raises(DataError, match="stray"):
        migrate.check(database)


def test_up_down_up_ends_in_the_same_schema(any_empty_database: Database) -> None:
    migrate.upgrade(any_empty_database)
    add_release(any_empty_database, "gaia_dr3")
    first = shape(any_empty_database)
    migrate.downgrade(any_empty_database, "base")
    with any_empty_database.connect(None) as connection:
        left = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'store'::regnamespace AND relkind IN ('r', 'p', 'v')"
        ).fetchall()
        schemas = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'labels%' OR nspname LIKE 'gaia%'").fetchall()
    assert left == [("alembic_version",)]
    assert schemas == []
    assert migrate.current_revision(any_empty_database) is None
    migrate.upgrade(any_empty_database)
    add_release(any_empty_database, "gaia_dr3")
    assert public(shape(any_empty_database)) == public(first)
    assert migrate.current_revision(any_empty_database) == migrate.head_revision()


def test_down_and_up_again_with_rows_and_a_published_run_leaves_an_empty_catalogue_that_works(
    database: Database, new_run: Callable[[], Run], finish: Callable[[Run], Run]
) -> None:
    publish_run(database, finish(new_run()).run_id)
    for _ in range(2):  # safe to repeat
        migrate.downgrade(database, "base")
    with database.connect(None) as connection:
        left = "SELECT relname FROM pg_class WHERE relnamespace = 'store'::regnamespace AND relname <> ALL (%s)"
        assert connection.execute(left, (["alembic_version", "alembic_version_pkc"],)).fetchall() == []
    migrate.upgrade(database)
    with database.connect(Role.TAP_READER) as connection:
        assert connection.execute("SELECT count(*) FROM runs.release").fetchone() == (0,)
    add_release(database, "gaia_dr3")
    migrate.check(database)
    with database.connect(Role.TAP_READER) as connection:
        assert connection.execute("SELECT count(*) FROM labels_dr3.scatter_vae").fetchone() == (0,)


def test_a_login_that_is_no_superuser_may_own_the_catalogue(any_empty_database: Database) -> None:
    login = "ordinary_owner_" + secrets.token_hex(4)
    with any_empty_database.connect(None) as connection:
        connection.execute(f"CREATE ROLE {login} LOGIN CREATEROLE PASSWORD 'secret'")
        for role in Role:
            # Another test's superuser may have made the roles; from PostgreSQL 16 on only who made a role, or got this option, may grant it.
            connection.execute(f"DO $$ BEGIN CREATE ROLE {role} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
            connection.execute(f"GRANT {role} TO {login} WITH ADMIN OPTION")
        connection.execute(f"ALTER DATABASE {connection.info.dbname} OWNER TO {login}")
    url = make_conninfo(any_empty_database.url, user=login, password="secret")
    database = Database(url, url)
    try:
        migrate.upgrade(database)
        add_release(database, "gaia_dr3")
        migrate.check(database)
        with database.connect(Role.TAP_READER) as connection:
            assert connection.execute("SELECT count(*) FROM labels_dr3.scatter_vae").fetchone() == (0,)
        migrate.downgrade(database, "base")
    finally:
        with any_empty_database.connect(None) as connection:
            connection.execute(f"ALTER DATABASE {connection.info.dbname} OWNER TO CURRENT_USER")
            connection.execute(f"DROP OWNED BY {login} CASCADE")
            connection.execute(f"DROP ROLE {login}")


def test_upgrades_at_once_wait_for_one_another(empty_database: Database) -> None:
    errors: list[Exception] = []

    def upgrade() -> None:
        try:
            for _ in range(8):
                migrate.setup_roles(empty_database)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=upgrade) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert errors == []


def test_a_database_that_newer_code_has_upgraded_is_refused_in_words(database: Database) -> None:
    with database.connect(Role.OWNER) as connection:
        connection.execute("UPDATE store.alembic_version SET version_num = 'of_tomorrow'")
    with pytest.raises(DataError, match=r"of_tomorrow.*newer code"):
        migrate.upgrade(database)
    with pytest.raises(DataError, match=r"of_tomorrow.*newer code"):
        migrate.check(database)


def test_upgrading_twice_changes_nothing_but_the_serial(database: Database) -> None:
    before = public(shape(database))
    migrate.upgrade(database)
    assert public(shape(database)) == before


def test_packed_columns_are_stored_as_described_in_every_partition(database: Database) -> None:
    add_release(database, "sim_dr4")
    for table in STORE_TABLES:
        described = {**dict.fromkeys(table.external, "e"), **dict.fromkeys(table.in_row, "m")}
        with database.connect(None) as connection:
            found = connection.execute(
                "SELECT c.relname, a.attname, a.attstorage::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
                "WHERE c.oid IN (SELECT %(table)s::regclass UNION SELECT relid FROM pg_partition_tree(%(table)s)) AND a.attname = ANY(%(names)s)",
                {"table": f"store.{table.name}", "names": list(described)},
            ).fetchall()
        assert {(name, storage) for _, name, storage in found} == set(described.items())
        if table.name == "xp_spectrum":
            parts = {"xp_spectrum", *(f"xp_spectrum_{release}{part}" for release in ("dr3", "sim_dr4") for part in ("", "_00"))}
            assert {(relation, name) for relation, name, _ in found} == {(part, name) for part in parts for name in described}


@pytest.mark.parametrize("ranges", [1, 5, 32])
def test_release_partitions_hold_every_identifier_of_the_sky(empty_database: Database, ranges: int) -> None:
    migrate.upgrade(empty_database)
    release = add_release(empty_database, "gaia_dr3", ranges=ranges)
    identifiers = [1, 2**35, 3 * 2**61 // 7, 12 * 4**12 * 2**35 - 1]
    with empty_database.connect(Role.WORKER) as connection:
        file = connection.execute(
            "INSERT INTO store.ingest_file (release_id, sha256, name, size) VALUES (%s, 'a', 'a', 1) RETURNING file_id",
            (release.release_id,),
        ).fetchone()
        assert file is not None
        for source_id in identifiers:
            connection.execute(
                "INSERT INTO store.gaia_source (release_id, source_id, ra, dec, file_id) VALUES (1, %s, 1, 2, %s)", (source_id, file[0])
            )
        found = connection.execute("SELECT source_id FROM store.gaia_source ORDER BY 1").fetchall()
    assert [row[0] for row in found] == identifiers


def test_releases_that_do_not_exist_are_refused_with_those_that_do(database: Database) -> None:
    with pytest.raises(UsageError, match="gaia_dr3"):
        add_release(database, "gaia_dr33")
    with database.connect(Role.WORKER) as connection, pytest.raises(UsageError, match="gaia_dr3"):
        release_named(connection, "gaia_dr2")


FORBIDDEN = [
    (Role.TAP_READER, "SELECT * FROM store.run"),
    (Role.TAP_READER, "SELECT * FROM store.gaia_source"),
    (Role.TAP_READER, "SELECT * FROM store.gaia_source_dr3_00"),
    (Role.TAP_READER, "SELECT * FROM store.uws_job"),
    (Role.WORKER, "SELECT * FROM store.uws_job"),
    (Role.TAP_READER, "INSERT INTO gaiadr3.gaia_source (source_id, ra, dec) VALUES (1, 1, 1)"),
    (Role.TAP_READER, "DELETE FROM gaiadr3.gaia_source"),
    (Role.TAP_READER, "UPDATE runs.run_chunk SET attempt = 9"),
    (Role.TAP_READER, "CREATE TABLE public.mine (i int)"),
    (Role.TAP_READER, "CREATE TEMPORARY TABLE mine (i int)"),
    (Role.TAP_READER, "CREATE SCHEMA mine"),
    (Role.TAP_READER, "DROP VIEW labels_dr3.scatter_vae"),
    (Role.TAP_READER, "SET ROLE kiel_owner"),
    (Role.TAP_SERVICE, "INSERT INTO store.publication (serial, schemas, cause) VALUES (99, '{}', '')"),
    (Role.TAP_SERVICE, "SELECT * FROM store.model_weights"),
    (Role.TAP_SERVICE, "SET ROLE kiel_worker"),
    (Role.WORKER, "DROP TABLE store.run"),
    (Role.WORKER, "ALTER TABLE store.run ADD COLUMN mine integer"),
    (Role.WORKER, "CREATE SCHEMA mine"),
    (Role.WORKER, "DELETE FROM store.published"),
    (Role.WORKER, "UPDATE store.publication SET dropped = now()"),
    (Role.WORKER, "UPDATE store.release SET n_bp = 54"),
    (Role.WORKER, "DELETE FROM store.tap_columns"),
    (Role.WORKER, "UPDATE store.alembic_version SET version_num = ''"),
]


@pytest.mark.parametrize(("role", "query"), FORBIDDEN, ids=[f"{role}: {query[:44]}" for role, query in FORBIDDEN])
def test_a_role_is_refused_what_is_not_its_part(database: Database, role: Role, query: str) -> None:
    with database.connect(role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(query)


def test_every_public_view_has_the_columns_and_types_of_its_description(database: Database) -> None:
    with database.connect(Role.TAP_SERVICE, autocommit=True) as connection, pinned_publication(connection) as publication:
        connection.execute("SET ROLE tap_reader")
        listed = connection.execute(
            "SELECT schema_name, table_name FROM " + publication.schemas["tap_schema"].permanent + ".tables"
        ).fetchall()
        for schema, table in listed:
            kind = next((kind for kind in PER_RELEASE if schema.startswith(kind)), schema)
            view = next(v for v in PUBLIC_VIEWS if (v.schema == kind or v.archive_schema == schema) and v.name == table.split(".")[1])
            cursor = connection.execute(f"SELECT * FROM {publication.schemas[schema].permanent}.{view.name} LIMIT 0")
            assert cursor.description is not None
            actual = [(c.name, c.type_display) for c in cursor.description]
            aliases = {
                "smallint": "int2",
                "integer": "int4",
                "bigint": "int8",
                "real": "float4",
                "double precision": "float8",
                "boolean": "bool",
                "timestamp with time zone": "timestamptz",
                "double precision[]": "float8[]",
            }
            assert actual == [(c.name, aliases.get(c.type.postgres, c.type.postgres)) for c in view.columns], table
    assert len(listed) == sum(1 + (view.schema in OF_DEFAULT_RELEASE) + (view.archive_schema is not None) for view in PUBLIC_VIEWS)


@pytest.mark.parametrize("table", DESCRIBED, ids=lambda table: f"{getattr(table, 'schema', 'store')}.{table.name}")
def test_every_column_has_a_sentence_a_valid_unit_and_a_valid_ucd(table: StoreTable | PublicView) -> None:
    assert table.description.endswith(".") and table.description[0].isupper()
    for column in table.columns:
        assert column.description.endswith(".") and column.description[0].isupper(), column.name
        assert column.name == column.name.lower()
        if column.unit is not None:
            u.Unit(column.unit, format="vounit")
        assert column.ucd is None or check_ucd(column.ucd, check_controlled_vocabulary=True, has_colon=False), (column.name, column.ucd)


def test_tap_schema_lists_itself_and_every_view_of_its_publication(database: Database) -> None:
    with database.connect(Role.TAP_READER) as connection:
        tables = {row[0] for row in connection.execute("SELECT table_name FROM tap_schema.tables").fetchall()}
        keys = connection.execute("SELECT count(*) FROM tap_schema.keys k JOIN tap_schema.key_columns c USING (key_id)").fetchone()
        orphans = connection.execute(
            "SELECT c.table_name FROM tap_schema.columns c LEFT JOIN tap_schema.tables t USING (table_name) WHERE t.table_name IS NULL"
        ).fetchall()
        size = connection.execute(
            "SELECT column_name FROM tap_schema.columns WHERE table_name = 'tap_schema.columns' AND column_name LIKE '%size%'"
        ).fetchall()
    assert {
        "tap_schema.tables",
        "tap_schema.columns",
        "labels_dr3.scatter_vae",
        "labels.scatter_vae",
        "gaiadr3.gaia_source",
        "runs.run",
    } <= tables
    assert keys is not None and keys[0] >= 5
    assert orphans == []
    assert sorted(row[0] for row in size) == ['"size"', "arraysize"]
