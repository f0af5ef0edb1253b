"""How fast survey rows are linked to Gaia sources by position, beside reading both tables whole and matching them in memory by astropy, in one run.

    python -m benchmarks.linking [--sources 1000000] [--rows 100000]

A throw-away embedded server holds a square of the sky at the mean density of Gaia DR3 (43,600 sources a square degree), with identifiers from positions
of detection 0.3 arcsec off and proper motions of 10 mas/yr, and rows of LAMOST about some of the sources. astropy needs memory for all sources at
once, linking for a block of rows; the ratio says what that costs where all sources still fit.
"""

import argparse
import resource
import shutil
import tempfile
import time
from pathlib import Path

import astropy.units as u
import healpy as hp
import numpy as np
from astropy.coordinates import SkyCoord
from psycopg import sql

from catalog.binary_copy import Rows, copy_fields, read_rows, write_rows
from catalog.database import Database, Role
from catalog.embedded_server import EmbeddedServer
from catalog.healpix import ARCSEC, NSIDE, SHIFT
from catalog.migrate import upgrade
from catalog.releases import add_release
from catalog.schema.gaia_source import GAIA_SOURCE
from catalog.schema.lamost import LAMOST
from ingest.linking.link import link_surveys

DENSITY = 1.8e9 / 41_253.0
"""Sources in a square degree."""
RELEASE = "sim_dr3"


def fill(database: Database, sources: int, rows: int) -> None:
    """The sources, and rows of LAMOST within 0.05 arcsec of some of them."""
    rng = np.random.default_rng(1)
    side = np.sqrt(sources / DENSITY)
    dec = 20.0 + rng.uniform(0, side, sources)
    ra = 100.0 + rng.uniform(0, side, sources) / np.cos(np.radians(dec))
    seen = hp.ang2pix(NSIDE, ra + 0.3 * ARCSEC * rng.standard_normal(sources), dec, nest=True, lonlat=True).astype(np.int64)
    order = np.argsort(seen, kind="stable")
    pixel = seen[order]
    values = {
        "release_id": np.full(sources, 101, np.int16), "source_id": (pixel << SHIFT) | ((np.arange(sources) - np.searchsorted(pixel, pixel) + 1) << 7),
        "ra": ra[order], "dec": dec[order], "ref_epoch": np.full(sources, 2016.0), "pmra": rng.normal(0, 10, sources), "pmdec": rng.normal(0, 10, sources),
        "phot_g_mean_mag": rng.uniform(12, 20, sources), "file_id": np.zeros(sources, np.int32),
    }  # fmt: skip
    target = rng.integers(0, sources, rows)
    about = {name: values[name][target] + 0.05 * ARCSEC * rng.standard_normal(rows) for name in ("ra", "dec")}
    survey = about | {
        "release_id": np.full(rows, 101, np.int16), "survey_id": np.array([str(row) for row in range(rows)], object), "obsid": np.arange(rows),
        "position_key": hp.ang2pix(NSIDE, about["ra"], about["dec"], nest=True, lonlat=True).astype(np.int64) << SHIFT,
        "file_id": np.zeros(rows, np.int32),
    }  # fmt: skip
    with database.connect(Role.WORKER) as connection:
        write_rows(connection, sql.Identifier("store", "gaia_source"), Rows(copy_fields(GAIA_SOURCE.pick(*values)), values))
        write_rows(connection, sql.Identifier("store", "lamost"), Rows(copy_fields(LAMOST.pick(*survey)), survey))
        connection.execute("UPDATE store.release SET largest_pixel_offset = %s", (2.0 * ARCSEC,))
    with database.connect(Role.OWNER, autocommit=True) as connection:
        connection.execute("ANALYZE store.gaia_source, store.lamost")


def by_astropy(database: Database) -> int:
    """Both tables whole, and the nearest source of each row; how many lie within 1 arcsec."""
    with database.connect(Role.WORKER) as connection:
        whole = {
            table.name: Rows.concatenate(
                list(
                    read_rows(
                        connection, sql.SQL("SELECT ra, dec FROM {}").format(sql.Identifier("store", table.name)), copy_fields(table.pick("ra", "dec"))
                    )
                )
            )
            for table in (GAIA_SOURCE, LAMOST)
        }  # fmt: skip
    place = {name: SkyCoord(rows["ra"] * u.deg, rows["dec"] * u.deg) for name, rows in whole.items()}
    _, apart, _ = place["lamost"].match_to_catalog_sky(place["gaia_source"])
    return int((apart < 1.0 * u.arcsec).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=100_000)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kiel-linking-"))
    folder.chmod(0o711)
    server = EmbeddedServer(folder / "home")
    try:
        database = server.up()
        upgrade(database)
        add_release(database, RELEASE)
        fill(database, asked.sources, asked.rows)
        (linked,) = link_surveys(database, RELEASE)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        started = time.perf_counter()
        matched = by_astropy(database)
        seconds = time.perf_counter() - started
        print(f"{asked.rows} rows, {asked.sources} sources")
        print(
            f"linking    {linked.seconds:6.1f} s  {linked.rows / linked.seconds:8.0f} rows/s  {linked.linked} linked; {memory:.0f} MB with the filling"
        )
        print(f"astropy    {seconds:6.1f} s  {asked.rows / seconds:8.0f} rows/s  {matched} matched")
        print(f"linking takes {linked.seconds / seconds:.2f} times as long")
    finally:
        server.down()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
