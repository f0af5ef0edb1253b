"""How near the TAP stream comes to plain COPY: rows/s of BINARY2 over HTTP and of the transcoder alone, against psql COPY BINARY.

    .venv/bin/python -m benchmarks.tap_stream            300,000 rows
    .venv/bin/python -m benchmarks.tap_stream 1000000

Makes a server and a catalogue of its own, fills gaia_source, and asks for 21 columns of it (one bigint, three double, 16 real, one smallint).
All ways take the very statement that the service runs, in turn, best of some rounds; one process serves, another asks.
"""

import argparse
import http.client
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from psycopg import sql

from catalog.binary_copy import raw_blocks
from catalog.database import Database, Role
from catalog.embedded_server import EmbeddedServer
from catalog.migrate import upgrade
from catalog.publish import pinned_publication
from catalog.releases import add_release
from tap_service.adql import translate
from tap_service.limits import Limits
from tap_service.publication_tables import TableCache
from tap_service.results.delimited import Csv
from tap_service.results.field_types import Field
from tap_service.results.votable import Binary2Data

DOUBLES = ("ra", "dec", "parallax")
REALS = (
    "ra_error", "dec_error", "parallax_error", "parallax_over_error", "pm", "pmra_error", "pmdec_error", "ruwe", "phot_g_mean_mag", "phot_bp_mean_mag",
    "phot_rp_mean_mag", "bp_rp", "radial_velocity", "radial_velocity_error", "rv_template_teff", "rv_template_logg",
)  # fmt: skip
COLUMNS = ("source_id", *DOUBLES, *REALS, "astrometric_params_solved")
ADQL = f"SELECT {', '.join(COLUMNS)} FROM gaiadr3.gaia_source"  # noqa: S608 - ADQL of constants
CHUNK = 1 << 20


def fill(database: Database, rows: int) -> None:
    """Sources all over the sky, in the order of their identifiers, no value missing."""
    values = sql.SQL(", ").join(
        [sql.SQL("i * {}::bigint").format(sql.Literal((12 * 4**12 << 35) // rows))]
        + [sql.SQL("360 * random()"), sql.SQL("180 * random() - 90"), sql.SQL("random()")]
        + [sql.SQL("random()::real")] * len(REALS)
        + [sql.SQL("31::smallint")]
    )
    columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    with database.connect(Role.WORKER) as connection:
        connection.execute(
            "INSERT INTO store.ingest_file (release_id, sha256, name, size, product, state) VALUES (1, 'bench', 'rows', 0, 'gaia_source', 'loaded')"
        )
        connection.execute(
            sql.SQL(
                "INSERT INTO store.gaia_source (release_id, {}, file_id) SELECT 1, {}, (SELECT file_id FROM store.ingest_file) "
                "FROM generate_series(0, %s - 1) AS i"
            ).format(columns, values),
            (rows,),
        )
    with database.connect(Role.OWNER, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE store.gaia_source")


def statement_of(database: Database) -> tuple[sql.Composed, tuple[Field, ...]]:
    """What the service runs for ADQL, and the columns of its result."""
    with database.connect(Role.TAP_SERVICE, autocommit=True) as connection, pinned_publication(connection) as publication:
        table_set, _ = TableCache().table_set(connection, publication)
        translation = translate(ADQL, table_set)
    columns = translation.columns
    return translation.statement, tuple(
        Field(c.name, c.datatype, c.arraysize, c.xtype, c.unit, c.ucd, c.utype, c.description) for c in columns
    )


@contextmanager
def empty_catalogue() -> Iterator[Database]:
    """A catalogue with a server of its own and the release gaia_dr3, gone when the block ends."""
    home = Path(tempfile.mkdtemp(prefix="kiel-bench-"))
    home.chmod(0o711)  # root's server runs as another account, which must come through
    server = EmbeddedServer(home)
    try:
        database = server.up()
        upgrade(database)
        add_release(database, "gaia_dr3")
        yield database
    finally:
        server.down()
        shutil.rmtree(home, ignore_errors=True)


def psql_copy(database: Database, statement: str, form: str) -> None:
    """psql COPY to /dev/null."""
    subprocess.run(
        ["psql", database.dsn(Role.TAP_READER), "-qXc", f"COPY ({statement}) TO STDOUT (FORMAT {form})"],
        stdout=subprocess.DEVNULL, check=True,
    )  # fmt: skip


def libpq_copy(database: Database, statement: str, form: str) -> None:
    """The same without psql: libpq's PQgetCopyData through psycopg, nothing done with the rows."""
    query = sql.SQL("COPY ({}) TO STDOUT (FORMAT {})").format(sql.SQL(statement), sql.SQL(form))
    with database.connect(Role.TAP_READER) as connection, connection.cursor() as cursor, cursor.copy(query) as copy:
        while copy.read():
            pass


@contextmanager
def served(database: Database) -> Iterator[str]:
    """kiel tap serve in a process of its own."""
    environment = {**os.environ, "KIEL_DATABASE_URL": database.url, "KIEL_TAP_DATABASE_URL": database.tap_url}
    process = subprocess.Popen(
        [sys.executable, "-m", "kiel_main", "tap", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None, "the service did not start"
        yield found[0]
    finally:
        process.terminate()
        process.wait()


def download(url: str, rows: int, response_format: str) -> int:
    """Bytes of the whole answer over HTTP, thrown away as they come."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.netloc, timeout=300)
    connection.request("GET", f"{place.path}/sync?" + urlencode({"QUERY": ADQL, "MAXREC": rows, "FORMAT": response_format}))
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    size, buffer = 0, bytearray(CHUNK)
    while got := answer.readinto(buffer):
        size += got
    return size


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description="BINARY2 and CSV over HTTP against psql COPY.")
    parser.add_argument("rows", type=int, nargs="?", default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rows: int = arguments.rows
    print(f"$ python -m benchmarks.tap_stream {rows} --rounds {arguments.rounds}", flush=True)
    with empty_catalogue() as database:
        fill(database, rows)
        statement, fields = statement_of(database)
        text = statement.as_string()
        with database.connect(Role.TAP_READER) as connection:
            blocks = list(raw_blocks(connection, statement, block_rows=Limits().block_rows))
        copy, name = (psql_copy, "psql") if shutil.which("psql") else (libpq_copy, "libpq (no psql here)")
        with served(database) as url:

            def transcode() -> None:
                data = Binary2Data(fields)
                for block in blocks:
                    data.rows(block)

            def transcode_csv() -> None:
                writer = Csv(fields)
                for block in blocks:
                    writer.rows(block)

            ways: dict[str, Callable[[], object]] = {
                f"{name} COPY BINARY": lambda: copy(database, text, "BINARY"),
                "BINARY2 over HTTP": lambda: download(url, rows, "votable"),
                "BINARY2 transcoder alone": transcode,
                f"{name} COPY CSV": lambda: copy(database, text, "CSV"),
                "CSV over HTTP": lambda: download(url, rows, "csv"),
                "CSV transcoder alone": transcode_csv,
            }
            best = dict.fromkeys(ways, float("inf"))
            for _ in range(arguments.rounds):
                for way, run in ways.items():
                    began = time.perf_counter()
                    run()
                    best[way] = min(best[way], time.perf_counter() - began)
            size = download(url, rows, "votable")
    print(f"{rows} rows, {len(COLUMNS)} columns, best of {arguments.rounds} rounds; the BINARY2 document has {size / rows:.0f} bytes a row")
    floors = {"BINARY2": best[f"{name} COPY BINARY"], "CSV": best[f"{name} COPY CSV"]}
    for way, seconds in best.items():
        floor = floors["CSV" if "CSV" in way else "BINARY2"]
        print(f"{way:30} {seconds:7.2f} s {rows / seconds:12,.0f} rows/s   {floor / seconds:5.2f} of {name}'s rate")


if __name__ == "__main__":
    main()
