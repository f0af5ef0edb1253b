"""Every real file with Gaia's tables: loaded with as many rows as other readers count, or told why not."""

import csv
import gzip
import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits, votable

from catalog.database import Database, Role
from ingest.load import add_paths

FILES = {
    "xp_continuous": (
        "xp_continuous/*.csv.gz", "xp_continuous/*.parquet", "xp_continuous/*.vot", "xp_coefficients/XP_CONTINUOUS*.fits",
        "gaiaxpy_reference/xp_continuous/XP_CONTINUOUS*", "gaiaxpy_reference/input_reader_solution.csv.gz",
        "gaiaxpy_reference/cholesky_solution/18Sco-XP-spectra.csv.gz", "archive_formats/*.zip!XP_CONTINUOUS",
    ),
    "xp_sampled": ("xp_sampled/XP_SAMPLED*", "archive_formats/*.zip!XP_SAMPLED"),
    "rvs_mean": ("rvs/RVS_*.csv.gz",),
    "gaia_source": ("archive_formats/17*-result.*", "archive_formats/test_job_results.xml", "labels/gaia_source_*.parquet",
                    "xp_with_gaia_labels.csv"),
}  # fmt: skip
"""Product -> its files, by patterns; what follows ! begins the name of a member of the archive."""


def contents(folder: Path, pattern: str) -> Iterator[tuple[str, bytes, bytes]]:
    """Name, stored bytes and decompressed bytes of the files of a pattern."""
    pattern, _, member = pattern.partition("!")
    for path in sorted(folder.glob(pattern)):
        if member:
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    if name.startswith(member):
                        yield name, archive.read(name), archive.read(name)
        else:
            stored = path.read_bytes()
            yield path.name, stored, gzip.decompress(stored) if path.suffix == ".gz" else stored


def count(content: bytes) -> int:
    """Rows by the csv module, astropy or pyarrow; of a file with a line a wavelength, its spectra."""
    if content.startswith(b"SIMPLE"):
        tables = [hdu for hdu in fits.open(io.BytesIO(content)) if isinstance(hdu, fits.BinTableHDU)]
        return sum(1 if "wavelength" in hdu.columns.names else hdu.header["NAXIS2"] for hdu in tables)
    if content.startswith(b"PAR1"):
        return pq.ParquetFile(io.BytesIO(content)).metadata.num_rows
    if content.lstrip().startswith(b"<"):
        found = votable.parse(io.BytesIO(content), verify="ignore").iter_tables()
        return sum(1 if "wavelength" in table.array.dtype.names else len(table.array) for table in found)
    csv.field_size_limit(1 << 24)
    rows = list(csv.DictReader(line for line in content.decode().splitlines() if not line.startswith("#")))
    return len({row.get("source_id") for row in rows}) if "wavelength" in rows[0] else len(rows)


@pytest.mark.filterwarnings("ignore")
def test_every_real_file_is_loaded_with_the_rows_that_others_count_or_told_why_not(database: Database, real_data: Path) -> None:
    expected = {
        hashlib.sha256(stored).hexdigest(): (product, count(content), name)
        for product, patterns in FILES.items()
        for pattern in patterns
        for name, stored, content in contents(real_data, pattern)
    }
    assert [len([1 for product, _, _ in expected.values() if product == each]) for each in FILES] == [33, 10, 6, 9]
    summary = add_paths(database, "gaia_dr3", [real_data], work=True)
    found = {file.sha256: (file.product, file.rows_in) for file in summary.files if file.product in FILES}
    assert found == {sha256: (product, rows) for sha256, (product, rows, _) in expected.items()}
    for file in summary.files:
        assert file.state == "loaded" or (file.state == "not_a_product" and file.reason), file.name
        if file.state == "loaded":
            assert file.rows_in == (file.rows_loaded or 0) + (file.rows_rejected or 0), file.name
    told = {Path(file.name).name: file.reason for file in summary.files if file.reason}
    assert "flux, staterror, syserror, wavelength, source_id" in told["GAIAspectra_calspec.hdf5"]
    assert "star_name" in told["gaia_vs_calspec_91.parquet"]
    with database.connect(Role.WORKER) as connection:
        stars = connection.execute("SELECT source_id, n_bad FROM store.rvs_spectrum").fetchall()
        sampled = connection.execute("SELECT count(*), sum(n_bad) FROM store.xp_sampled_spectrum").fetchone()
        rejects = connection.execute(
            "SELECT j.reason, count(*) FROM store.ingest_reject AS j JOIN store.ingest_file AS f USING (file_id)"
            " WHERE f.product = ANY (%s) AND j.reason NOT LIKE 'duplicate%%' GROUP BY j.reason",
            (list(FILES),),
        ).fetchall()
    index = csv.DictReader((real_data / "rvs" / "index.csv").read_text().splitlines())
    assert dict(stars) == {int(row["source_id"]): int(row["n_nan"]) for row in index}
    assert sampled == (13, 0)
    assert dict(rejects) == {"epoch_of_another_release": 5, "unparsable": 3}  # a DR1 table; text of a list cut by whoever wrote the file


def test_real_rvs_spectra_are_the_pixels_of_their_lines(database: Database, real_data: Path) -> None:
    add_paths(database, "gaia_dr3", [real_data / "rvs"], work=True)
    query = "SELECT flux, flux_error, combined_transits, combined_ccds, deblended_ccds FROM gaiadr3.rvs_mean_spectrum WHERE source_id = %s"
    for path in sorted((real_data / "rvs").glob("RVS_*.csv.gz")):
        lines = list(csv.DictReader(gzip.decompress(path.read_bytes()).decode().splitlines()))
        with database.connect(Role.WORKER) as connection:
            flux, error, *counts = connection.execute(query, (int(lines[0]["source_id"]),)).fetchone() or ()
        for found, name in ((flux, "flux"), (error, "flux_error")):
            expected = np.array([float(line[name] or "nan") for line in lines], np.float32)
            assert np.array_equal(np.frombuffer(found, ">f4"), expected, equal_nan=True), (path.name, name)
        assert counts == [*(int(lines[0][name]) for name in ("combined_transits", "combined_ccds", "deblended_ccds"))]


def test_the_archives_own_formats_give_the_same_sampled_spectra(database: Database, real_data: Path) -> None:
    single = [real_data / "xp_sampled" / f"XP_SAMPLED-Gaia_DR3_5937083312263887616.{ending}" for ending in ("csv", "ecsv", "fits", "xml")]
    raw = sorted((real_data / "xp_sampled").glob("XP_SAMPLED_RAW*"))
    seen: dict[int, set[str]] = {}
    for number, path in enumerate([*single, *raw]):
        (file,) = add_paths(database, "gaia_dr3", [path], work=True).files
        assert (file.product, file.rows_loaded) == ("xp_sampled", 2 if "RAW" in path.name else 1), path.name
        with database.connect(Role.OWNER) as connection:
            for source_id, digest in connection.execute(
                "SELECT source_id, md5(flux || flux_error) FROM store.xp_sampled_spectrum"
            ).fetchall():
                seen.setdefault(source_id, set()).add(digest)
            connection.execute("TRUNCATE store.xp_sampled_spectrum")
        assert number or set(seen) == {5937083312263887616}
    assert {source_id: len(digests) for source_id, digests in seen.items()} == {5937083312263887616: 1, 4: 1, 6: 1}
