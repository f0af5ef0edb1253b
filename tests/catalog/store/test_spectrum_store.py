"""Spectra read from PostgreSQL are those that were written, in batches and ranges, with or without correlations."""

import itertools
import re
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import sql

from catalog.binary_copy import Rows, copy_fields, write_rows
from catalog.database import Database, Role
from catalog.errors import DataError
from catalog.releases import DataRelease, add_release, release_named
from catalog.schema import GAIA_SOURCE, XP_SPECTRUM
from catalog.spectra import SpectrumBatch, n_pairs, pack
from catalog.statements import statement
from catalog.store import spectrum_store
from catalog.store.spectrum_store import read_spectra

ARRAYS = ("bp_coefficients", "rp_coefficients", "bp_errors", "rp_errors", "bp_correlations", "rp_correlations")
LAYOUTS = [63, 63, 15, 2 | 8 | 32, 63, 1 | 2, 63]
"""The last two have no row in gaia_source, and the third has no G."""


def stored(connection: psycopg.Connection[Any], release: DataRelease, layouts: list[int] = LAYOUTS) -> SpectrumBatch:
    """Spectra of these layouts, and rows of gaia_source for them; as they were written."""
    rng, n = np.random.default_rng(3), len(layouts)
    source_id = np.sort(rng.integers(0, 12 * 4**12 << 35, n))
    widths = (release.n_bp, release.n_rp, release.n_bp, release.n_rp, n_pairs(release.n_bp), n_pairs(release.n_rp))
    arrays = {}
    for bit, (name, width) in enumerate(zip(ARRAYS, widths, strict=True)):
        array = rng.normal(size=(n, width)).astype(np.float32)
        array[(np.array(layouts) >> bit) & 1 == 0] = np.nan
        arrays[name] = array if "corr" in name else array.astype(np.float64)
    flux, magnitude = rng.random(n) * 1e5, rng.uniform(5, 17, n).astype(np.float32)
    mixed = layouts is LAYOUTS
    without_g, without_row = mixed & (np.arange(n) == 2), mixed & (np.arange(n) >= 5)

    keys = {"release_id": np.full(n, release.release_id), "source_id": source_id, "file_id": np.ones(n, np.int32)}
    gaia = copy_fields(GAIA_SOURCE.pick("release_id", "source_id", "ra", "dec", "phot_g_mean_flux", "phot_g_mean_mag", "file_id"))
    photometry = {"phot_g_mean_flux": flux, "phot_g_mean_mag": magnitude}
    values = {**keys, **photometry, "ra": np.zeros(n), "dec": np.zeros(n)}
    rows = Rows(gaia, values, dict.fromkeys(photometry, without_g)).take(~without_row)
    write_rows(connection, sql.Identifier("store", "gaia_source"), rows)

    no_g = without_g | without_row
    batch = SpectrumBatch(
        source_id, np.array(layouts, np.int16), **arrays,  # type: ignore[arg-type]
        g_mean_flux=np.where(no_g, np.nan, flux), g_mean_mag=np.where(no_g, np.nan, magnitude).astype(np.float64),
    )  # fmt: skip
    xp = copy_fields(XP_SPECTRUM.pick("release_id", "source_id", "layout", "head", "correlations", "file_id"))
    packed = dict(zip(("head", "correlations"), pack(batch), strict=True))
    write_rows(connection, sql.Identifier("store", "xp_spectrum"), Rows(xp, {**keys, "layout": batch.layout, **packed}))
    return batch


def test_spectra_come_back_as_they_were_written(database: Database) -> None:
    with database.connect(Role.WORKER) as connection:
        release = release_named(connection, "gaia_dr3")
        written = stored(connection, release)
        first, last = int(written.source_id[1]), int(written.source_id[-1])
        for block_rows, correlations in itertools.product([1, 3, 6, 100], [True, False]):
            batches = list(read_spectra(connection, release, first, last, block_rows=block_rows, correlations=correlations))
            assert [len(batch) for batch in batches] == [len(LAYOUTS[1:][at : at + block_rows]) for at in range(0, 6, block_rows)]
            for name in ("source_id", *(ARRAYS if correlations else ARRAYS[:4]), "g_mean_flux", "g_mean_mag"):
                found = np.concatenate([getattr(batch, name) for batch in batches])
                assert np.array_equal(found, getattr(written, name)[1:], equal_nan=True), name
            layout = np.concatenate([batch.layout for batch in batches])
            assert layout.tolist() == [bits if correlations else bits & 15 for bits in LAYOUTS[1:]]
            assert all((batch.bp_correlations is None) == (not correlations) for batch in batches)
        assert list(read_spectra(connection, release, last + 1, last + 2)) == []


@pytest.mark.parametrize("correlations", [True, False])
def test_a_head_that_breaks_the_releases_contract_names_its_source(database: Database, correlations: bool) -> None:
    with database.connect(Role.WORKER) as connection:
        release = release_named(connection, "gaia_dr3")
        source_id = int(stored(connection, release).source_id[2])
        connection.execute("UPDATE store.xp_spectrum SET head = substring(head FROM 5) WHERE source_id = %s", (source_id,))
        with pytest.raises(DataError, match=f"Source {source_id}: 876 bytes of head, but layout 15 .* takes 880"):
            list(read_spectra(connection, release, 0, 12 * 4**12 << 35, correlations=correlations))


def test_damaged_correlations_name_their_source_where_they_are_read(database: Database) -> None:
    with database.connect(Role.WORKER) as connection:
        release = release_named(connection, "gaia_dr3")
        written = stored(connection, release)
        source_id = int(written.source_id[1])
        connection.execute("UPDATE store.xp_spectrum SET correlations = NULL WHERE source_id = %s", (source_id,))
        with pytest.raises(DataError, match=f"Source {source_id}: 0 bytes of correlations, but layout 63 .* takes 11880"):
            list(read_spectra(connection, release, 0, 12 * 4**12 << 35))
        (heads,) = read_spectra(connection, release, 0, 12 * 4**12 << 35, correlations=False)
        assert np.array_equal(heads.rp_errors, written.rp_errors, equal_nan=True)


def test_heads_stay_in_the_row_and_correlations_leave_it(database: Database) -> None:
    with database.connect(None) as connection:
        stored(connection, release_named(connection, "gaia_dr3"), [63] * 5 + [15] * 3 + [42] * 2)
        toast = connection.execute(
            "SELECT reltoastrelid::regclass::text FROM pg_class WHERE oid = 'store.xp_spectrum_dr3_00'::regclass"
        ).fetchone()
        assert toast is not None
        chunks = connection.execute(
            sql.SQL("SELECT count(*), sum(length(chunk_data)) FROM {}").format(sql.Identifier(*toast[0].split(".")))
        ).fetchone()
    assert chunks == (5 * 6 + 2 * 3, 5 * 11_880 + 2 * 5_940), "nothing but correlations, in pieces of 1,996 bytes"


@pytest.mark.parametrize("layouts", [[63] * 40, [63] * 20 + [42] * 20, [15] * 40, LAYOUTS])
def test_spectra_of_another_release_come_back_whatever_is_received_at_a_time(
    database: Database, layouts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_release(database, "sim_dr4")
    with database.connect(Role.WORKER) as connection:
        release = release_named(connection, "sim_dr4")
        assert (release.n_bp, release.n_rp) == (51, 55)
        written = stored(connection, release, layouts)
        for received, block_rows, correlations in itertools.product([1, 30_000, 1 << 20], [7, 1000], [True, False]):
            monkeypatch.setattr(spectrum_store, "_RECEIVED_BYTES", received)
            batches = list(read_spectra(connection, release, 0, 12 * 4**12 << 35, block_rows=block_rows, correlations=correlations))
            assert [len(batch) for batch in batches] == [len(layouts[at : at + block_rows]) for at in range(0, len(layouts), block_rows)]
            for name in ("source_id", *(ARRAYS if correlations else ARRAYS[:4]), "g_mean_flux", "g_mean_mag"):
                found = np.concatenate([getattr(batch, name) for batch in batches])
                assert np.array_equal(found, getattr(written, name), equal_nan=True), name


@pytest.mark.parametrize("name", ["spectra", "spectra_without_correlations"])
def test_a_range_of_sources_reads_its_own_partitions_alone(database: Database, name: str) -> None:
    add_release(database, "sim_dr4", ranges=8)
    with database.connect(Role.WORKER) as connection:
        release = release_named(connection, "sim_dr4")
        first = 12 * 4**12 // 8 * 5 << 35
        parameters = {"release_id": release.release_id, "first_source_id": first, "last_source_id": first + 1000}
        explained = psycopg.ClientCursor(connection).execute(sql.SQL("EXPLAIN {}").format(statement(name)), parameters)
        read = {table for (line,) in explained.fetchall() for table in re.findall(r"(?:gaia_source|xp_spectrum)_sim_dr4_\d\d", line)}
        assert read == {"gaia_source_sim_dr4_05", "xp_spectrum_sim_dr4_05"}


def test_batches_that_are_kept_are_not_overwritten(database: Database) -> None:
    with database.connect(Role.WORKER) as connection:
        release = release_named(connection, "gaia_dr3")
        written = stored(connection, release, [63] * 9)
        batches = list(read_spectra(connection, release, 0, 12 * 4**12 << 35, block_rows=2))
        assert [batch.source_id.tolist() for batch in batches] == [written.source_id[at : at + 2].tolist() for at in range(0, 9, 2)]
        assert not any(np.shares_memory(one.bp_correlations, other.bp_correlations) for one, other in itertools.combinations(batches, 2))


def test_the_sql_function_finds_the_same_arrays(database: Database) -> None:
    with database.connect(Role.OWNER) as connection:
        release = release_named(connection, "gaia_dr3")
        written = stored(connection, release)
        query = sql.SQL("SELECT functions.xp_array({}, layout, %s, %s, %s) FROM store.xp_spectrum ORDER BY source_id")
        for part, name in enumerate(ARRAYS):
            column = sql.Identifier("head" if part < 4 else "correlations")
            arrays = connection.execute(query.format(column), (part, release.n_bp, release.n_rp)).fetchall()
            for bits, numbers, (array,) in zip(LAYOUTS, getattr(written, name), arrays, strict=True):
                assert array == (numbers.astype(">f4").tobytes() if bits >> part & 1 else None)
