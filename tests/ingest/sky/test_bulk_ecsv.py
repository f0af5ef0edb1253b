"""Bulk files read as the archive's do: by astropy, by our own reader, by GaiaXPy's rules; the same rows give the same bytes."""

import gzip
import hashlib
import itertools
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from ingest.sky.bulk_ecsv import MD5_LIST, BulkColumn, file_name, pixel_ranges, write_bulk, write_md5_list

COLUMNS = (
    BulkColumn("source_id", "int64", "Unique source identifier (unique within a particular Data Release)", ucd="meta.id;meta.main"),
    BulkColumn("ra", "float64", "Right ascension", "deg", "pos.eq.ra;meta.main"),
    BulkColumn("ra_error", "float32", "Standard error: right ascension", "mas", "stat.error;pos.eq.ra"),
    BulkColumn("n_obs", "int16", "Number of observations", ucd="meta.number"),
    BulkColumn("has_rvs", "bool", "Flag"),
    BulkColumn("designation", "string", "Name"),
    BulkColumn("flux", "float32", "Flux", array=True),
    BulkColumn("coefficients", "float64", "Coefficients", array=True),
)


def block(rows: int = 3) -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    flux = random.normal(size=(rows, 5)).astype(np.float32)
    flux[1] = np.nan
    return {
        "source_id": 6_900_000_000_000_000_000 + np.arange(rows), "ra": np.array([0.1, np.nan, 359.99999999999994][:rows]),
        "ra_error": np.array([1e-30, 2.5, np.nan][:rows], np.float32), "n_obs": np.ma.MaskedArray([1, 2, 3][:rows], [False, True, False][:rows]),
        "has_rvs": np.array([True, False, None][:rows], object), "designation": np.array(["Gaia DR3 1", 'a "b", c', None][:rows], object), "flux": flux,
        "coefficients": random.normal(size=(rows, 4)) * 1e20,
    }  # fmt: skip


@pytest.fixture
def written(tmp_path: Path) -> Path:
    write_bulk(tmp_path, "T_000000-000001.csv.gz", COLUMNS, [block()])
    return tmp_path / "T_000000-000001.csv.gz"


def test_astropy_reads_every_value_and_type_back(written: Path) -> None:
    table = Table.read(written, format="ascii.ecsv", fill_values=[("null", "0"), ("", "0")])
    rows = block()
    assert table.colnames == [column.name for column in COLUMNS]
    assert table["source_id"].dtype == np.int64 and table["source_id"].tolist() == rows["source_id"].tolist()
    assert table["ra"].unit == "deg" and table["ra"][2] == rows["ra"][2] and np.ma.is_masked(table["ra"][1])
    assert table["ra_error"].dtype == np.float32 and table["ra_error"][0] == rows["ra_error"][0]
    assert np.ma.is_masked(table["n_obs"][1]) and table["n_obs"][2] == 3
    assert table["designation"][1] == 'a "b", c'
    assert np.array_equal(table["coefficients"][2], rows["coefficients"][2])
    assert np.array_equal(np.asarray(table["flux"][0], np.float32), rows["flux"][0])
    assert table["ra"].info.meta["ucd"] == "pos.eq.ra;meta.main"


def test_cells_are_spelt_as_the_archive_spells_them(written: Path) -> None:
    lines = [line for line in gzip.decompress(written.read_bytes()).decode().splitlines() if not line.startswith("#")]
    assert lines[0] == "source_id,ra,ra_error,n_obs,has_rvs,designation,flux,coefficients"
    first = lines[1].split(",")
    assert first[:6] == ["6900000000000000000", "0.1", "1e-30", "1", '"True"', '"Gaia DR3 1"']
    assert first[6].startswith('"[') and " " not in lines[1].split('"[')[1]
    assert lines[2].split(",")[1:4] == ["null", "2.5", "null"] and ",null," in lines[2].split("]")[0]


def test_the_same_rows_give_the_same_bytes_however_they_are_cut_into_blocks(tmp_path: Path) -> None:
    whole = block()
    pieces = [{name: values[i : i + 1] for name, values in whole.items()} for i in range(3)]
    first = write_bulk(tmp_path / "a", "t.csv.gz", COLUMNS, [whole])
    second = write_bulk(tmp_path / "b", "t.csv.gz", COLUMNS, pieces)
    assert first == second == hashlib.md5((tmp_path / "a" / "t.csv.gz").read_bytes()).hexdigest()


def test_a_file_is_complete_or_absent(tmp_path: Path) -> None:
    def broken() -> object:
        yield block()
        raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        write_bulk(tmp_path, "t.csv.gz", COLUMNS, broken())  # type: ignore[arg-type]
    assert not (tmp_path / "t.csv.gz").exists()


def test_the_checksum_list_is_that_of_md5sum(tmp_path: Path) -> None:
    digest = write_bulk(tmp_path, "t.csv.gz", COLUMNS, [block()])
    write_md5_list(tmp_path, {"t.csv.gz": digest, "a.csv.gz": "0" * 32})
    assert (tmp_path / MD5_LIST).read_text() == f"{'0' * 32}  a.csv.gz\n{digest}  t.csv.gz\n"


def test_ranges_cover_the_sky_once_and_hold_like_numbers_of_sources() -> None:
    source_id = np.sort(np.random.default_rng(3).integers(0, 12 * 4**12 << 35, 10_000))
    ranges = pixel_ranges(source_id, 1_000)
    assert ranges[0][0] == 0 and ranges[-1][1] == 12 * 4**8 - 1
    assert all(following[0] == earlier[1] + 1 for earlier, following in itertools.pairwise(ranges))
    counts = [int(((source_id >> 43 >= first) & (source_id >> 43 <= last)).sum()) for first, last in ranges]
    assert sum(counts) == 10_000 and max(counts) < 1_100
    assert file_name("GaiaSource", 0, 3111) == "GaiaSource_000000-003111.csv.gz"


def test_a_crowded_pixel_is_never_split() -> None:
    source_id = np.full(5_000, 7 << 43, np.int64)
    ranges = pixel_ranges(source_id, 1_000)
    assert sum(first <= 7 <= last for first, last in ranges) == 1
    assert pixel_ranges(np.empty(0, np.int64), 10) == [(0, 12 * 4**8 - 1)]


def test_our_own_reader_takes_the_files(written: Path) -> None:
    from ingest.reader import open_table
    from ingest.source_file import SourceFile

    with open_table(SourceFile.named(str(written))) as reader:
        assert reader.format == "ecsv"
        assert list(reader.tables[0])[:3] == ["source_id", "ra", "ra_error"]
