"""Catalogues for linking: sources and survey rows that a test chooses, written straight into their tables."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from psycopg import sql

from catalog.binary_copy import Rows, copy_fields, write_rows
from catalog.database import Database, Role
from catalog.releases import DataRelease, add_release, release_named
from catalog.schema import STORE_TABLES
from catalog.schema.column import ColumnType
from catalog.settings import settings
from ingest.pixel_offsets import PixelOffsets

Columns = Mapping[str, Any]
Put = Callable[[Database, str, Columns], None]
_TABLES = {table.name: table for table in STORE_TABLES}
DR3 = "gaia_dr3"


def _release(database: Database, name: str) -> DataRelease:
    with database.connect(Role.WORKER) as connection:
        return release_named(connection, name)


def put_rows(database: Database, table: str, columns: Columns, release: str = DR3) -> None:
    """Rows of a table, as given; NaN and None are nulls. Sources also tell how far they lie outside their pixels, as loading does."""
    described = _TABLES[table]
    n = len(next(iter(columns.values())))
    given = {"release_id": np.full(n, _release(database, release).release_id, np.int16), **columns}
    if any(column.name == "file_id" for column in described.columns):
        given.setdefault("file_id", np.zeros(n, np.int32))
    fields = copy_fields(described.pick(*given))
    values, nulls = {}, {}
    for field in fields:
        array = np.asarray(given[field.name], object if field.type is ColumnType.TEXT else None)
        if array.dtype.kind == "f":
            nulls[field.name] = np.isnan(array)
            array = np.where(np.isnan(array), 0.0, array)
        if array.dtype == object and field.type is not ColumnType.TEXT:
            nulls[field.name] = np.array([value is None for value in array.tolist()], bool)
            array = np.array([0 if value is None else value for value in array.tolist()])
        values[field.name] = array.astype(field.dtype)
    with database.connect(Role.WORKER) as connection:
        rows = Rows(fields, values, nulls)
        write_rows(connection, sql.Identifier("store", table), rows)
        if table == "gaia_source":
            offsets = PixelOffsets()
            # A few rows of a test hold more far-displaced sources than a whole file may.
            offsets._rows = 10**9
            offsets.measure(rows)
            offsets.keep(connection, _release(database, release))


@pytest.fixture(scope="session")
def put() -> Put:
    """Writes rows of a table."""
    return put_rows


@pytest.fixture
def with_releases(database: Database) -> Database:
    """A catalogue that also has the two simulated releases."""
    add_release(database, "sim_dr3")
    add_release(database, "sim_dr4")
    return database


@pytest.fixture
def commands_see_it(database_url_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands that run in this process work on ``database``."""
    for name in ("KIEL_DATABASE_URL", "KIEL_TAP_DATABASE_URL", "KIEL_HOME"):
        monkeypatch.setenv(name, database_url_env[name])
    settings.cache_clear()
    yield
    settings.cache_clear()
