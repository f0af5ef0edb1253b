"""How fast cones and matches on position are beside the extension q3c (Koposov & Bartunov 2006), in one server and one run.

    python -m benchmarks.sky_search [--sources 5000000] [--uploaded 100000] [--rounds 3] [--folder FOLDER]

Needs a system PostgreSQL 15 with q3c (Debian packages postgresql-15 and postgresql-15-q3c). Makes a server of its own with simulated sources, two
fifths of them near the Galactic plane and some in two dense fields, clustered by source_id in store.gaia_source; q3c gets a copy clustered by its own
index. With --folder the server's data stay there for the next run.

Ours is ADQL through translate(): its time holds parsing, cover and planning. Both read four columns as binary COPY. Runs alternate; medians.
The match includes the load of the uploaded rows. The last match has identifiers up to 5.5 arcsec off, as Gaia DR3's are, so its covers are wider.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import healpy as hp
import numpy as np
import psycopg
from astropy.coordinates import SkyCoord
from psycopg import sql

from catalog.binary_copy import Rows, copy_fields, write_rows
from catalog.database import Database, Role
from catalog.embedded_server import EmbeddedServer
from catalog.healpix import ARCSEC, NSIDE, SHIFT
from catalog.migrate import upgrade
from catalog.postgres_binaries import system_binaries
from catalog.publish import pinned_publication
from catalog.releases import add_release
from catalog.schema.column import Column, ColumnType
from catalog.schema.gaia_source import GAIA_SOURCE
from tap_service.adql import translate
from tap_service.publication_tables import TableCache
from tap_service.table_set import TableSet, TapColumn, TapTable

Connection = psycopg.Connection[Any]

RADII = {"1 arcsec": ARCSEC, "1 arcmin": 1 / 60, "0.1 deg": 0.1, "1 deg": 1.0, "10 deg": 10.0}
DENSE_FIELDS = ((56.75, 24.12, 0.7), (266.4, -28.9, 1.0))
UPLOAD = (Column("id", ColumnType.INTEGER, ""), Column("ra", ColumnType.DOUBLE, ""), Column("dec", ColumnType.DOUBLE, ""))
UPLOADED = TapTable(
    "tap_upload", "mine", None, (TapColumn("id", "int"), TapColumn("ra", "double"), TapColumn("dec", "double")), permanent="pg_temp"
)

CONE = "SELECT source_id, ra, dec, phot_g_mean_mag FROM gaiadr3.gaia_source WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE({}, {}, {}))"
Q3C_CONE = "SELECT source_id, ra, dec, phot_g_mean_mag FROM q3c_sky.gaia_source WHERE q3c_radial_query(ra, dec, {}, {}, {})"
MATCH = """
    SELECT m.id, g.source_id, g.ra, g.dec FROM tap_upload.mine AS m JOIN gaiadr3.gaia_source AS g ON DISTANCE(m.ra, m.dec, g.ra, g.dec) < 1 / 3600.0
"""
Q3C_MATCH = """
    SELECT m.id, g.source_id, g.ra, g.dec FROM mine AS m, q3c_sky.gaia_source AS g WHERE q3c_join(m.ra, m.dec, g.ra, g.dec, 1 / 3600.0)
"""


def positions(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Simulated positions in degrees: half over all the sky, two fifths within a few degrees of the plane, the rest in dense fields."""
    in_field = count // 20
    plane = 2 * count // 5
    everywhere = count - plane - len(DENSE_FIELDS) * in_field
    galactic = SkyCoord(l=rng.uniform(0, 360, plane), b=np.clip(rng.laplace(0, 6, plane), -90, 90), unit="deg", frame="galactic").icrs
    ra, dec = [galactic.ra.deg, rng.uniform(0, 360, everywhere)], [galactic.dec.deg, np.degrees(np.arcsin(rng.uniform(-1, 1, everywhere)))]
    for lon, lat, width in DENSE_FIELDS:
        dec.append(lat + width * rng.normal(size=in_field))
        ra.append(lon + width * rng.normal(size=in_field) / np.cos(np.radians(dec[-1])))
    return np.concatenate(ra) % 360, np.concatenate(dec)


def fill(database: Database, sources: int) -> None:
    """store.gaia_source in the order of its identifiers, and q3c's copy in that of its own."""
    rng = np.random.default_rng(1)
    ra, dec = positions(sources, rng)
    pixel = hp.ang2pix(NSIDE, ra, dec, nest=True, lonlat=True).astype(np.int64)
    order = np.argsort(pixel, kind="stable")
    pixel = pixel[order]
    values = {
        "release_id": np.full(sources, 1, np.int16), "source_id": (pixel << SHIFT) | ((np.arange(sources) - np.searchsorted(pixel, pixel) + 1) << 7),
        "ra": ra[order], "dec": dec[order], "phot_g_mean_mag": rng.uniform(8, 20, sources).astype(np.float32), "file_id": np.zeros(sources, np.int32),
    }  # fmt: skip
    with database.connect(Role.WORKER) as connection:
        write_rows(connection, sql.Identifier("store", "gaia_source"), Rows(copy_fields(GAIA_SOURCE.pick(*values)), values))
    with database.connect(None, autocommit=True) as connection:
        connection.execute("""
            CREATE SCHEMA q3c_sky;
            CREATE TABLE q3c_sky.gaia_source AS SELECT * FROM store.gaia_source ORDER BY q3c_ang2ipix(ra, dec);
            CREATE INDEX ON q3c_sky.gaia_source (q3c_ang2ipix(ra, dec));
        """)
        connection.execute("VACUUM ANALYZE store.gaia_source, q3c_sky.gaia_source")


def prepare(database: Database, sources: int) -> None:
    """Makes the catalogue unless it is there with as many sources."""
    with database.connect(None, autocommit=True) as connection:
        if not connection.execute("SELECT FROM pg_available_extensions WHERE name = 'q3c'").fetchall():
            sys.exit("This PostgreSQL has no extension q3c: install the Debian package postgresql-15-q3c.")
        if connection.execute("SELECT FROM pg_namespace WHERE nspname = 'q3c_sky'").fetchall():
            there = connection.execute("SELECT count(*) FROM q3c_sky.gaia_source").fetchall()[0][0]
            if there != sources:
                sys.exit(f"The server of this folder has {there} sources: remove the folder, or ask for as many.")
            upgrade(database)
            return
        connection.execute("CREATE EXTENSION IF NOT EXISTS q3c")
    started = time.perf_counter()
    upgrade(database)
    add_release(database, "gaia_dr3")
    fill(database, sources)
    print(f"{sources} sources in {time.perf_counter() - started:.0f} s")


def read(connection: Connection, statement: sql.Composable) -> int:
    """Reads all rows as the service does; how many bytes they are."""
    with connection.cursor().copy(sql.SQL("COPY ({}) TO STDOUT (FORMAT BINARY)").format(statement)) as copy:
        return sum(map(len, copy))


def count_rows(connection: Connection, statement: sql.Composable) -> int:
    return int(connection.execute(sql.SQL("SELECT count(*) FROM ({}) AS found").format(statement)).fetchall()[0][0])


def q3c(text: str, *values: float) -> sql.Composed:
    return sql.SQL(text).format(*map(sql.Literal, values))


def seconds(run: Callable[[], Any]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def cones(connection: Connection, tables: TableSet, rounds: int) -> None:
    """Medians in milliseconds over positions and rounds."""
    rng = np.random.default_rng(2)
    print("\ncone        kiel ms    q3c ms   ratio    rows")
    for name, radius in RADII.items():
        ra, dec = positions(20 if radius < 5 else 6, rng)
        places = [field[:2] for field in DENSE_FIELDS] + list(zip(ra.tolist(), dec.tolist(), strict=True))
        ours, theirs, rows = [], [], 0
        for lon, lat in places:
            asked = CONE.format(repr(lon), repr(lat), repr(radius))
            statement = translate(asked, tables).statement
            found = count_rows(connection, statement)
            assert found == count_rows(connection, q3c(Q3C_CONE, lon, lat, radius)), f"not the same rows around {lon}, {lat}"
            rows += found
            for _ in range(rounds):
                ours.append(seconds(lambda asked=asked: read(connection, translate(asked, tables).statement)))  # type: ignore[misc]
                theirs.append(seconds(lambda at=(lon, lat, radius): read(connection, q3c(Q3C_CONE, *at))))  # type: ignore[misc]
        _print(name, statistics.median(ours), statistics.median(theirs), rows)


def load(connection: Connection, values: dict[str, np.ndarray]) -> None:
    """The uploaded rows as a table of the session's own."""
    connection.execute("DROP TABLE IF EXISTS mine; CREATE TEMP TABLE mine (id integer, ra double precision, dec double precision)")
    with connection.transaction():
        write_rows(connection, sql.Identifier("mine"), Rows(copy_fields(UPLOAD), values))
    connection.execute("ANALYZE mine")


def match(connection: Connection, tables: TableSet, uploaded: int, rounds: int, name: str) -> None:
    """An uploaded list, half of it sources 0.2 arcsec off, in no order: load and match."""
    rng = np.random.default_rng(3)
    share = 100 * uploaded / count_rows(connection, sql.SQL("SELECT FROM store.gaia_source"))
    sources = connection.execute(
        sql.SQL("SELECT ra, dec FROM store.gaia_source TABLESAMPLE BERNOULLI ({}) REPEATABLE (1)").format(sql.Literal(share)), binary=True
    ).fetchall()
    near = np.array(sources)[rng.permutation(len(sources))[: uploaded // 2]]
    ra, dec = positions(uploaded - len(near), rng)
    order = rng.permutation(uploaded)
    values = {
        "id": np.arange(uploaded, dtype=np.int32),
        "ra": (np.concatenate([near[:, 0] + 0.2 * ARCSEC * rng.normal(size=len(near)), ra]) % 360)[order],
        "dec": np.clip(np.concatenate([near[:, 1] + 0.2 * ARCSEC * rng.normal(size=len(near)), dec]), -90, 90)[order],
    }
    with_upload = TableSet(tables.serial, (*tables.tables, UPLOADED))
    loads, ours, theirs = [], [], []
    for _ in range(rounds):
        loads.append(seconds(lambda: load(connection, values)))
        ours.append(loads[-1] + seconds(lambda: read(connection, translate(MATCH, with_upload).statement)))
        theirs.append(loads[-1] + seconds(lambda: read(connection, sql.SQL(Q3C_MATCH))))
    rows = count_rows(connection, translate(MATCH, with_upload).statement)
    assert abs(rows - count_rows(connection, sql.SQL(Q3C_MATCH))) <= rows // 100_000, "not the same matches"
    _print(name, statistics.median(ours), statistics.median(theirs), rows)
    print(f"            (of which {1000 * statistics.median(loads):.0f} ms load the rows)")


def _print(name: str, ours: float, theirs: float, rows: int) -> None:
    print(f"{name:10s} {1000 * ours:8.2f}  {1000 * theirs:8.2f}  {ours / theirs:6.2f}  {rows:7d}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, default=5_000_000)
    parser.add_argument("--uploaded", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    binaries = next((found for found in system_binaries() if found.major == 15), None)
    if binaries is None:
        sys.exit("No programs of a system PostgreSQL 15 were found: install the Debian packages postgresql-15 and postgresql-15-q3c.")
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="kiel-sky-search-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)
    server = EmbeddedServer(folder / "home", binaries=binaries.folder)
    try:
        database = server.up()
        prepare(database, asked.sources)
        with database.connect(None, autocommit=True, prepare_threshold=None) as connection:
            connection.execute("SET parallel_tuple_cost = 0.5")  # as the service does; q3c's plans are without workers either way
            for offset in (0.0, 5.5 * ARCSEC):
                connection.execute("UPDATE store.release SET largest_pixel_offset = %s", (offset,))
                with pinned_publication(connection) as publication:
                    tables, _ = TableCache().table_set(connection, publication)
                if offset == 0.0:
                    cones(connection, tables, asked.rounds)
                    print(f"\nmatch of {asked.uploaded} at 1 arcsec, load included")
                match(connection, tables, asked.uploaded, asked.rounds, "padded" if offset else "match")
    finally:
        server.down()
        if asked.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
