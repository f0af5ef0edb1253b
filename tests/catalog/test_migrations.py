"""Migrations keep the rows that they find, in both directions."""

import struct
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from psycopg import sql

from catalog import migrate
from catalog.binary_copy import Rows, copy_fields, write_rows
from catalog.database import Database, Role
from catalog.releases import add_release
from catalog.schema import XP_SPECTRUM
from catalog.version import ROOT

ONE_PAYLOAD = ScriptDirectory(str(ROOT / "sql" / "migrations")).get_revision("head_and_correlations").down_revision
"""The revision before spectra were split."""
LAYOUTS = (63, 15, 3, 2 | 8 | 32, 2, 1 | 4 | 16, 0, 63)
"""Whole, without correlations, without errors, without BP, of one band each."""


def arrays_of(layout: int, n_bp: int, n_rp: int, seed: int) -> list[bytes]:
    """The arrays that a layout names, packed, empty where it names none."""
    lengths = (n_bp, n_rp, n_bp, n_rp, n_bp * (n_bp - 1) // 2, n_rp * (n_rp - 1) // 2)
    random = np.random.default_rng(seed)
    return [struct.pack(f">{n}f", *random.normal(size=n)) if layout >> bit & 1 else b"" for bit, n in enumerate(lengths)]


@pytest.fixture
def spectra(any_empty_database: Database) -> dict[tuple[int, int], tuple[int, list[bytes]]]:
    """Spectra of every layout in two releases of different lengths: layout and arrays by release_id and source_id."""
    migrate.upgrade(any_empty_database)
    fields = copy_fields(XP_SPECTRUM.pick("release_id", "source_id", "layout", "head", "correlations", "file_id"))
    spectra: dict[tuple[int, int], tuple[int, list[bytes]]] = {}
    with any_empty_database.connect(Role.WORKER) as connection:
        for name, n_bp, n_rp in (("gaia_dr3", 55, 55), ("sim_dr4", 51, 55)):
            release_id = add_release(any_empty_database, name).release_id
            made = {100 + i: (layout, arrays_of(layout, n_bp, n_rp, i)) for i, layout in enumerate(LAYOUTS)}
            spectra |= {(release_id, source_id): spectrum for source_id, spectrum in made.items()}
            tails = [b"".join(arrays[4:]) if layout & 48 else None for layout, arrays in made.values()]
            values: dict[str, Any] = {
                "release_id": np.full(len(made), release_id, np.int16), "source_id": np.array(list(made)), "layout": np.array(LAYOUTS),
                "head": np.array([b"".join(arrays[:4]) for _, arrays in made.values()], object), "correlations": np.array(tails, object),
                "file_id": np.ones(len(made), np.int32),
            }  # fmt: skip
            write_rows(connection, sql.Identifier("store", "xp_spectrum"), Rows(fields, values))
    return spectra


def columns(database: Database, *names: str) -> dict[tuple[int, int], tuple[Any, ...]]:
    """Columns of every spectrum by release_id and source_id."""
    query = sql.SQL("SELECT release_id, source_id, {} FROM store.xp_spectrum").format(sql.SQL(", ").join(map(sql.Identifier, names)))
    with database.connect(Role.OWNER) as connection:
        return {row[:2]: row[2:] for row in connection.execute(query).fetchall()}


def views_of_one_payload(database: Database) -> None:
    """A public view as it stood on the payload."""
    with database.connect(Role.OWNER) as connection:
        connection.execute(
            "CREATE FUNCTION functions.xp_array(payload bytea, layout smallint, part integer, n_bp integer, n_rp integer) RETURNS bytea "
            "LANGUAGE sql IMMUTABLE STRICT AS 'SELECT payload'"
        )
        connection.execute("CREATE SCHEMA gaiadr3")
        connection.execute("COMMENT ON SCHEMA gaiadr3 IS 'Kiel publication 1: made by a test'")
        connection.execute(
            "CREATE VIEW gaiadr3.xp_continuous_mean_spectrum AS "
            "SELECT source_id, functions.xp_array(payload, layout, 4, 55, 55) AS bp_coefficient_correlations FROM store.xp_spectrum"
        )


def test_a_payload_is_split_and_joined_by_layout_and_release(
    any_empty_database: Database, spectra: dict[tuple[int, int], tuple[int, list[bytes]]]
) -> None:
    database = any_empty_database
    split = columns(database, "layout", "head", "correlations")
    migrate.downgrade(database, str(ONE_PAYLOAD))
    joined = {key: (layout, b"".join(arrays)) for key, (layout, arrays) in spectra.items()}
    assert columns(database, "layout", "payload") == joined
    views_of_one_payload(database)
    migrate.upgrade(database)
    migrate.check(database)
    assert columns(database, "layout", "head", "correlations") == split
    with database.connect(Role.TAP_READER) as connection:
        found = connection.execute(
            "SELECT source_id, bp_coefficients, rp_coefficients, bp_coefficient_errors, rp_coefficient_errors, bp_coefficient_correlations, "
            "rp_coefficient_correlations FROM gaiadr3.xp_continuous_mean_spectrum"
        ).fetchall()
    assert {(1, source_id): [array or b"" for array in arrays] for source_id, *arrays in found} == {
        key: arrays for key, (_, arrays) in spectra.items() if key[0] == 1
    }


def test_a_view_of_somebodys_own_stops_the_split_and_stays(
    any_empty_database: Database, spectra: dict[tuple[int, int], tuple[int, list[bytes]]]
) -> None:
    database = any_empty_database
    migrate.downgrade(database, str(ONE_PAYLOAD))
    views_of_one_payload(database)
    with database.connect(Role.OWNER) as connection:
        connection.execute("CREATE SCHEMA mine")
        connection.execute("CREATE VIEW mine.spectra AS SELECT * FROM gaiadr3.xp_continuous_mean_spectrum")
    with pytest.raises(sa.exc.InternalError, match=r"view mine.spectra depends on view gaiadr3\.xp_continuous_mean_spectrum"):
        migrate.upgrade(database)
    assert migrate.current_revision(database) == ONE_PAYLOAD
    assert columns(database, "payload") == {key: (b"".join(arrays),) for key, (_, arrays) in spectra.items()}
    with database.connect(Role.OWNER) as connection:
        assert connection.execute("SELECT count(*) FROM mine.spectra").fetchone() == (len(spectra),)
