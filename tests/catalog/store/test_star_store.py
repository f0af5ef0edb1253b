"""Stars read from PostgreSQL have of every table what it says of them, once each, and NaN where it says nothing."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import sql

from catalog.binary_copy import Rows, copy_fields, write_rows
from catalog.database import Database, Role
from catalog.releases import DataRelease, add_release, release_named
from catalog.schema import FIDELITY, GAIA_SOURCE, SURVEY_LINK, TWO_MASS_PHOTOMETRY, UNWISE, XP_SPECTRUM
from catalog.schema.column import StoreTable
from catalog.spectra import n_pairs
from catalog.stars import FIDELITY_COLUMNS, GAIA_COLUMNS, STAR_COLUMNS, TWO_MASS_COLUMNS, UNWISE_COLUMNS
from catalog.statements import statement
from catalog.store.star_store import read_stars

EVERYWHERE = (0, 12 * 4**12 << 35)
N = 5
SOURCES = (np.arange(N, dtype=np.int64) + 7) << 50


def put(connection: psycopg.Connection[Any], table: StoreTable, values: Mapping[str, Any]) -> None:
    """Rows of a table; None is null."""
    n = len(values["release_id"])
    if any(column.name == "file_id" for column in table.columns):
        values = {**values, "file_id": np.ones(n, np.int32)}
    fields = copy_fields(table.pick(*values))
    nulls = {name: np.array([each is None for each in given]) for name, given in values.items()}
    filled = {
        field.name: np.array(
            [field.dtype.type() if each is None and field.dtype != object else each for each in values[field.name]], field.dtype
        )
        for field in fields
    }
    write_rows(connection, sql.Identifier("store", table.name), Rows(fields, filled, nulls))


def stored(connection: psycopg.Connection[Any], release: DataRelease) -> None:
    """Five sources with spectra; the last two have nothing else, the third lacks most of what its rows could say."""
    ids = [release.release_id] * N
    head = np.arange(2 * (release.n_bp + release.n_rp), dtype=">f4").tobytes()
    correlations = np.zeros(n_pairs(release.n_bp) + n_pairs(release.n_rp), ">f4").tobytes()
    spectra: dict[str, Any] = {
        "release_id": ids,
        "source_id": SOURCES,
        "layout": [63] * N,
        "head": [head] * N,
        "correlations": [correlations] * N,
    }
    put(
        connection,
        XP_SPECTRUM,
        {**spectra, "bp_standard_deviation": [1.5, 2.5, 3.5, None, 5.5], "rp_degrees_of_freedom": [11, 12, 13, 14, None]},
    )
    three: dict[str, Any] = {"release_id": ids[:3], "source_id": SOURCES[:3]}
    gaia = {"ra": [1.0, 2, 3], "dec": [1.0, 2, 3], "parallax": [0.5, -0.25, None], "astrometric_params_solved": [31, 95, 3], "phot_g_mean_mag": [12.5, 15.5, None],
            "phot_g_mean_flux": [1e5, 1e4, 1e3], "phot_bp_rp_excess_factor": [1.25, None, 1.5]}  # fmt: skip
    put(connection, GAIA_SOURCE, {**three, **gaia})
    put(connection, FIDELITY, {**three, "fidelity_v2": [1.0, 0.25, 0.5], "norm_dg": [-20.0, None, -4.5]})
    two_mass = {"j_m": [10.5, 11.5, 12.5], "ks_msigcom": [0.25, None, 0.5], "ph_qual": ["AAA", "ABU", None], "ext_key": [None, 17, None]}
    put(connection, TWO_MASS_PHOTOMETRY, {**three, **two_mass})
    unwise = {
        "release_id": ids,
        "survey_id": ["a", "b", "c", "d", "e"],
        "ra": np.zeros(N),
        "dec": np.zeros(N),
        "w1_flux": [100.0, 200, 300, 400, 500],
        "w2_qf": [0.5] * N,
    }
    put(connection, UNWISE, unwise)
    # The first source has two objects, of which the nearer is its own; an object without a source and another survey's row are nobody's.
    links = {"release_id": ids[:4], "survey": ["unwise", "unwise", "unwise", "apogee"], "set_name": [""] * 4, "survey_id": ["a", "b", "c", "d"],
             "source_id": [SOURCES[0], SOURCES[0], None, SOURCES[1]], "separation_arcsec": [0.125, 0.75, None, 0.0], "n_candidates": [1] * 4,
             "link_flags": [0] * 4, "ambiguous": [False] * 4, "is_primary": [True, False, False, True]}  # fmt: skip
    put(connection, SURVEY_LINK, links)


def test_a_star_has_what_every_table_says_of_it(database: Database) -> None:
    with database.connect(Role.WORKER) as connection:
        release = release_named(connection, "gaia_dr3")
        stored(connection, release)
        (stars,) = read_stars(connection, release, *EVERYWHERE)
        nan = np.nan
        expected: dict[str, list[float]] = {
            "parallax": [0.5, -0.25, nan, nan, nan], "astrometric_params_solved": [31, 95, 3, nan, nan], "phot_g_mean_mag": [12.5, 15.5, nan, nan, nan],
            "phot_bp_rp_excess_factor": [1.25, nan, 1.5, nan, nan], "bp_standard_deviation": [1.5, 2.5, 3.5, nan, 5.5],
            "rp_degrees_of_freedom": [11, 12, 13, 14, nan], "fidelity_v2": [1, 0.25, 0.5, nan, nan], "norm_dg": [-20, nan, -4.5, nan, nan],
            "j_m": [10.5, 11.5, 12.5, nan, nan], "ks_msigcom": [0.25, nan, 0.5, nan, nan], "j_quality_a": [1, 1, nan, nan, nan], "h_quality_a": [1, 0, nan, nan, nan],
            "ks_quality_a": [1, 0, nan, nan, nan], "two_mass_extended": [0, 1, 0, nan, nan], "w1_flux": [100, nan, nan, nan, nan], "w2_qf": [0.5, nan, nan, nan, nan],
            "unwise_separation": [0.125, nan, nan, nan, nan],
        }  # fmt: skip
        assert stars.spectra.source_id.tolist() == SOURCES.tolist()
        assert stars.spectra.correlation("rp").shape == (N, release.n_rp, release.n_rp)
        for name in STAR_COLUMNS:
            assert np.array_equal(stars[name], expected.get(name, [nan] * N), equal_nan=True), name


@pytest.mark.parametrize("block_rows", [1, 2, 4])
def test_ranges_and_blocks_cut_nothing_off(database: Database, block_rows: int) -> None:
    with database.connect(Role.WORKER) as connection:
        release = release_named(connection, "gaia_dr3")
        stored(connection, release)
        (whole,) = read_stars(connection, release, *EVERYWHERE)
        blocks = list(read_stars(connection, release, int(SOURCES[1]), int(SOURCES[-1]), block_rows=block_rows))
        assert [len(block) for block in blocks] == [len(SOURCES[1:][at : at + block_rows]) for at in range(0, N - 1, block_rows)]
        for name in STAR_COLUMNS:
            assert np.array_equal(np.concatenate([block[name] for block in blocks]), whole[name][1:], equal_nan=True), name
        assert not list(read_stars(connection, release, 0, int(SOURCES[0]) - 1))


def test_a_release_with_nothing_but_spectra_gives_nan(database: Database) -> None:
    add_release(database, "sim_dr4")
    with database.connect(Role.WORKER) as connection:
        stored(connection, release_named(connection, "gaia_dr3"))
        release = release_named(connection, "sim_dr4")
        head = np.zeros(2 * (release.n_bp + release.n_rp), ">f4").tobytes()
        put(connection, XP_SPECTRUM, {"release_id": [release.release_id], "source_id": SOURCES[:1], "layout": [15], "head": [head]})
        (stars,) = read_stars(connection, release, *EVERYWHERE)
    assert all(np.isnan(stars[name]).all() for name in STAR_COLUMNS)


def test_the_query_gives_the_columns_in_their_order(database: Database) -> None:
    with database.connect(Role.WORKER) as connection:
        query = sql.SQL("SELECT * FROM ({}) AS s LIMIT 0").format(statement("stars"))
        cursor = psycopg.ClientCursor(connection).execute(query, {"release_id": 1, "first_source_id": 0, "last_source_id": 1})
        assert cursor.description is not None
        given = [column.name for column in cursor.description]
        assert given == ["source_id", "layout", "phot_g_mean_flux", "phot_g_mean_mag", *STAR_COLUMNS, "head", "correlations"]
        assert {*GAIA_COLUMNS, *FIDELITY_COLUMNS, *TWO_MASS_COLUMNS, *UNWISE_COLUMNS} < set(given)


def test_a_range_reads_its_own_partitions_alone(database: Database) -> None:
    add_release(database, "sim_dr4", ranges=8)
    with database.connect(Role.WORKER) as connection:
        release = release_named(connection, "sim_dr4")
        first = 12 * 4**12 // 8 * 5 << 35
        parameters = {"release_id": release.release_id, "first_source_id": first, "last_source_id": first + 1000}
        explained = psycopg.ClientCursor(connection).execute(sql.SQL("EXPLAIN {}").format(statement("stars")), parameters)
        plan = "\n".join(line for (line,) in explained.fetchall())
    names = "xp_spectrum|gaia_source|fidelity|two_mass_photometry|survey_link|unwise"
    read = set(re.findall(rf"\b((?:{names})_(?:sim_)?dr\d\w*)(?= )", plan)) - set(re.findall(r"using (\w+)", plan))
    assert {name for name in read if not name.endswith(("_pkey", "_idx"))} == {
        "xp_spectrum_sim_dr4_05", "gaia_source_sim_dr4_05", "fidelity_sim_dr4_05", "two_mass_photometry_sim_dr4_05", "survey_link_sim_dr4", "unwise_sim_dr4",
    }  # fmt: skip


def test_named_stars_are_read_alone_and_as_they_are(database: Database) -> None:
    with database.connect(Role.WORKER) as connection:
        release = release_named(connection, "gaia_dr3")
        stored(connection, release)
        (everyone,) = read_stars(connection, release, *EVERYWHERE)
        named = np.array([SOURCES[1], SOURCES[3], SOURCES[3] + 1])
        (stars,) = read_stars(connection, release, int(named[0]), int(named[-1]), only=named)
    assert stars.spectra.source_id.tolist() == [SOURCES[1], SOURCES[3]]
    for name in STAR_COLUMNS:
        assert np.array_equal(stars[name], everyone[name][[1, 3]], equal_nan=True), name
