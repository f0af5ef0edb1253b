"""What an XP spectrum costs on disk and in time, for several layouts, and how near reading batches comes to a bare COPY; in one run.

    python -m benchmarks.xp_payload --data ../shared/data/real [--rows 10000] [--repeat 3] [--part layouts|rounding|partitions|reading]

Real spectra with full covariances, loaded by ingest from the folder ``xp_continuous`` of --data and repeated to --rows (TOAST compresses
row by row, so that repetition cannot flatter a compression). Throw-away servers: the embedded one, and a system PostgreSQL if it knows lz4.
Ways take turns; after a round that warms up, the best of the repeats counts, of ratios the median is shown as well. CPU times are those of this process and of its
backend. Reading goes into torch tensors in this machine's byte order. Everything read was read just before, so that no disk is measured.
"""

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import torch
from jaxtyping import Float32
from psycopg import sql

from benchmarks.xp_payload_layouts import HEAD, N_COEFFICIENTS, N_PAIRS, Candidate, candidates, from_half, from_int16, to_half, to_int16
from catalog.binary_copy import CopyField, Rows, raw_blocks, write_rows
from catalog.database import Database, Role
from catalog.embedded_server import EmbeddedServer
from catalog.migrate import upgrade
from catalog.packed_vectors import PackedVectors
from catalog.postgres_binaries import system_binaries
from catalog.releases import DataRelease, add_release, release_named
from catalog.schema import XP_SPECTRUM
from catalog.schema.column import ColumnType
from catalog.spectra import SpectrumBatch
from catalog.statements import statement
from catalog.store.spectrum_store import read_spectra
from ingest.load import add_paths

DR3_SPECTRA = 219_197_643
LAST_SOURCE_ID = (12 * 4**12 << 35) - 1
BLOCK_BYTES = 2 << 20
PARTS = ("layouts", "rounding", "partitions", "reading")


@dataclass
class Cost:
    """What one way took in one round, in seconds."""

    wall: float
    client: float
    server: float


def measured(way: Callable[[], object], connection: psycopg.Connection[Any]) -> Cost:
    """One run of a way that uses a connection."""
    backend = Path(f"/proc/{connection.info.backend_pid}/schedstat")

    def cpu() -> tuple[float, float]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime, int(backend.read_text().split()[0]) / 1e9 if backend.exists() else float("nan")

    before, start = cpu(), time.perf_counter()
    way()
    wall, after = time.perf_counter() - start, cpu()
    return Cost(wall, after[0] - before[0], after[1] - before[1])


@contextmanager
def throw_away_server(binaries: Path | None = None) -> Iterator[Database]:
    """A server of its own, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="kiel-benchmark-"))
    folder.chmod(0o711)  # root's server runs as another account, which must get through
    server = EmbeddedServer(folder / "home", binaries=binaries)
    try:
        yield server.up()
    finally:
        server.down()
        shutil.rmtree(folder, ignore_errors=True)


def real_spectra(database: Database, data: Path) -> SpectrumBatch:
    """Every real spectrum with both bands, errors and correlations, through ingest and the catalogue."""
    upgrade(database)
    add_release(database, "gaia_dr3")
    summary = add_paths(database, "gaia_dr3", [data / "xp_continuous"], work=True)
    loaded = sum(file.state == "loaded" for file in summary.files)
    with database.connect(Role.WORKER) as connection:
        release = release_named(connection, "gaia_dr3")
        (batch,) = read_spectra(connection, release, 0, LAST_SOURCE_ID, block_rows=1_000)
    whole = batch.take(batch.layout == 63)
    print(f"{len(batch)} real spectra from {loaded} files, {len(whole)} of them with both bands, errors and correlations")
    return whole


def numbers_of(batch: SpectrumBatch) -> Float32[np.ndarray, "n 3190"]:
    """All numbers of each star, in the order of their columns."""
    assert batch.bp_correlations is not None
    assert batch.rp_correlations is not None
    arrays = (batch.bp_coefficients, batch.rp_coefficients, batch.bp_errors, batch.rp_errors, batch.bp_correlations, batch.rp_correlations)
    return np.hstack(arrays, dtype=np.float32)


# --- layouts ----------------------------------------------------------------------------------------------------------------


class LayoutTable:
    """One candidate's table on one server."""

    def __init__(self, connection: psycopg.Connection[Any], candidate: Candidate, number: int) -> None:
        self.connection, self.candidate = connection, candidate
        self.table = sql.Identifier(f"layout_{number}")
        columns = sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind, _ in candidate.columns)
        connection.execute(sql.SQL("CREATE TABLE {} (source_id bigint PRIMARY KEY, {})").format(self.table, columns))
        for name, _, setting in candidate.columns:
            if setting:
                alter = sql.SQL("ALTER TABLE {} ALTER COLUMN {} {}")
                connection.execute(alter.format(self.table, sql.Identifier(name), sql.SQL(setting)))

    def write(self, numbers: Float32[np.ndarray, "n 3190"]) -> None:
        """From the numbers to a committed table."""
        fields = (CopyField("source_id", ColumnType.BIGINT), *(CopyField(name, ColumnType.BYTES) for name, *_ in self.candidate.columns))
        with self.connection.transaction():
            for first in range(0, len(numbers), 1_000):
                cells = self.candidate.encode(numbers[first : first + 1_000])
                values: dict[str, Any] = {"source_id": np.arange(first, first + len(cells[0]))}
                for (name, *_), column in zip(self.candidate.columns, cells, strict=True):
                    values[name] = np.empty(len(column), object)
                    values[name][:] = column
                write_rows(self.connection, self.table, Rows(fields, values))

    def read(self, out: Float32[np.ndarray, "n width"], *, head: bool) -> None:
        """From the table into the memory of a torch tensor; ``head``: coefficients and errors alone."""
        expressions = self.candidate.head if head else [name for name, *_ in self.candidate.columns]
        query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(map(sql.SQL, expressions)), self.table)
        decode, row = self.candidate.decode_head if head else self.candidate.decode, 0
        for block in raw_blocks(self.connection, query, block_bytes=BLOCK_BYTES):
            starts, lengths = block.cells(len(expressions))
            columns = [PackedVectors(block.bytes, starts[:, j], lengths[:, j]) for j in range(len(expressions))]
            decode(columns, out[row : row + len(block)])
            row += len(block)
        assert row == len(out)

    def bytes_a_row(self, rows: int) -> float:
        """Table, TOAST and key index on disk."""
        found = self.connection.execute("SELECT pg_total_relation_size(%s::regclass)", (self.table.as_string(),)).fetchone()
        assert found is not None
        return float(found[0]) / rows

    def head_bytes_a_row(self, rows: int) -> float:
        """Bytes of the pages that a cold disk has to give for the heads of all rows, without the index."""
        name = self.table.as_string()
        pages = [self.connection.execute("SELECT pg_relation_size(%s::regclass) / 8192", (name,)).fetchone()]
        if self.candidate.head_is_toasted:
            found = self.connection.execute(
                "SELECT reltoastrelid::regclass::text FROM pg_class WHERE oid = %s::regclass", (name,)
            ).fetchone()
            assert found is not None
            count = sql.SQL("SELECT count(DISTINCT (ctid::text::point)[0]) FROM {} WHERE chunk_seq = 0").format(sql.SQL(found[0]))
            pages.append(self.connection.execute(count).fetchone())
        return sum(float(each[0]) for each in pages if each is not None) * 8192 / rows


def compare_layouts(connection: psycopg.Connection[Any], numbers: Float32[np.ndarray, "n 3190"], repeat: int) -> None:
    """Write and read every layout, in turn, and print the table."""
    found = connection.execute("SELECT enumvals FROM pg_settings WHERE name = 'default_toast_compression'").fetchone()
    lz4 = found is not None and "lz4" in found[0]
    version = connection.execute("SHOW server_version").fetchone()
    print(f"\nPostgreSQL {version and version[0]}: {len(numbers):,} rows{'' if lz4 else '; lz4 left out, this server is built without it'}")
    tables = [LayoutTable(connection, each, number) for number, each in enumerate(candidates()) if lz4 or not each.needs_lz4]
    everything, head = torch.empty((len(numbers), numbers.shape[1])), torch.empty((len(numbers), HEAD))
    costs: dict[tuple[LayoutTable, str], list[Cost]] = {}
    for number in range(repeat + 1):
        for table in tables:
            connection.execute(sql.SQL("TRUNCATE {}").format(table.table))
            connection.execute("CHECKPOINT")
            taken = {"write": measured(lambda table=table: table.write(numbers), connection)}  # type: ignore[misc]
            for what, out in (("all", everything), ("head", head)):
                for _ in ("brings the table into the cache", "counts"):
                    out.zero_()
                    taken[what] = measured(lambda table=table, out=out, what=what: table.read(out.numpy(), head=what == "head"), connection)  # type: ignore[misc]
                assert torch.allclose(out, torch.from_numpy(numbers[:, : out.shape[1]]), rtol=0, atol=5e-4), table.candidate.name
            for what, cost in taken.items() if number else ():
                costs.setdefault((table, what), []).append(cost)
    present = {what: best(costs[tables[0], what]).wall for what in ("write", "all", "head")}
    size = tables[0].bytes_a_row(len(numbers))
    print(f"{'':<44}{'B/row':>7}{'ratio':>6}{'DR3 TB':>7}{'head B':>7} |{'write/s':>8}{'ratio':>6}{'CPU us':>10} |{'read/s':>8}{'ratio':>6}{'CPU us':>10} |"
          f"{'head/s':>8}{'ratio':>6}{'CPU us':>10}")  # fmt: skip
    for table in tables:
        row = table.bytes_a_row(len(numbers))
        line = f"{table.candidate.name:<44}{row:>7,.0f}{row / size:>6.2f}{row * DR3_SPECTRA / 1e12:>7.2f}{table.head_bytes_a_row(len(numbers)):>7,.0f}"
        for what in ("write", "all", "head"):
            cost, micro = best(costs[table, what]), 1e6 / len(numbers)
            line += f" |{len(numbers) / cost.wall:>8,.0f}{present[what] / cost.wall:>6.2f}{f'{cost.client * micro:.0f}+{cost.server * micro:.0f}':>10}"
        print(line)
    print(
        "ratio: to the present layout (size: smaller is better; rates: larger is better). head B: bytes of pages that hold the heads. "
        "CPU us: client + server backend, a row."
    )


def best(costs: list[Cost]) -> Cost:
    """The quickest."""
    return min(costs, key=lambda cost: cost.wall)


# --- rounding ---------------------------------------------------------------------------------------------------------------


def compare_rounding(batch: SpectrumBatch) -> None:
    """What 16-bit correlations do to positive definiteness and to chi squared, against the stored float32."""
    print("\n16-bit correlations against float32, both bands of every spectrum")
    rng = np.random.default_rng(1)
    ways = {"float32": lambda c: c, "float16": lambda c: from_half(to_half(c)), "int16": lambda c: from_int16(to_int16(c))}
    truth = np.concatenate([batch.correlation("bp"), batch.correlation("rp")])  # (spectra, 55, 55)
    row, column = np.tril_indices(N_COEFFICIENTS, -1)
    draws = rng.normal(size=(len(truth), N_COEFFICIENTS, 1))
    residuals = {"noise of the covariance": np.linalg.cholesky(truth) @ draws, "independent residuals": draws}
    expected = {name: (r * np.linalg.solve(truth, r)).sum(axis=(1, 2)) for name, r in residuals.items()}
    for way, rounded in ways.items():
        matrices = np.zeros_like(truth)
        matrices[:, row, column] = matrices[:, column, row] = rounded(truth[:, row, column].astype(np.float32))
        matrices[:, np.arange(N_COEFFICIENTS), np.arange(N_COEFFICIENTS)] = 1
        smallest = np.linalg.eigvalsh(matrices)[:, 0]
        line = (
            f"  {way:<8} smallest eigenvalue {smallest.min():9.2e}, {np.count_nonzero(smallest <= 0)} of {len(truth)} not positive definite"
        )
        for name, residual in residuals.items():
            chi2 = (residual * np.linalg.solve(matrices, residual)).sum(axis=(1, 2))
            change = np.abs(chi2 / expected[name] - 1)
            line += f"; chi2 of {name} changes by {np.median(change):.1e} (median), {np.quantile(change, 0.99):.1e} (99 %), {change.max():.1e} (most)"
        print(line)


# --- partitions -------------------------------------------------------------------------------------------------------------


def planning(database: Database) -> None:
    """How long PostgreSQL plans, warm, with more and more source_id ranges in a release."""
    print("\nplanning, warm, best of 20, with the partitions of xp_spectrum and gaia_source empty")
    for ranges in (1, 8, 32):
        other = database.named(f"ranges_{ranges}")
        with database.connect(None, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(f"ranges_{ranges}")))
        upgrade(other)
        release = add_release(other, "gaia_dr3", ranges=ranges)
        with other.connect(Role.WORKER, autocommit=True) as connection:
            line = f"  {ranges:>2} ranges:"
            for what, width in (("one source", 0), ("a 3,386th of the sky", LAST_SOURCE_ID // 3386), ("everything", LAST_SOURCE_ID)):
                keys = {"release_id": release.release_id, "first_source_id": 5, "last_source_id": 5 + width}
                explain = sql.SQL("EXPLAIN (SUMMARY, FORMAT JSON) {}").format(statement("spectra"))
                times = [psycopg.ClientCursor(connection).execute(explain, keys).fetchone() for _ in range(20)]
                line += f" {what} {min(each[0][0]['Planning Time'] for each in times if each):.2f} ms;"
        print(line.rstrip(";"))


# --- reading ----------------------------------------------------------------------------------------------------------------


def fill_catalogue(database: Database, rows: int) -> None:
    """The real spectra, repeated, in the catalogue's own tables, with identifiers over the sky and made-up photometry."""
    others = sql.SQL(", ").join(sql.Identifier(column.name) for column in XP_SPECTRUM.without("source_id"))
    names = sql.SQL(", ").join(
        map(sql.Identifier, ("release_id", "source_id", "ra", "dec", "phot_g_mean_flux", "phot_g_mean_mag", "file_id"))
    )
    parameters = {"rows": rows, "step": LAST_SOURCE_ID // rows}
    with database.connect(Role.OWNER) as connection:
        connection.execute("CREATE TEMP TABLE real AS SELECT *, row_number() OVER () - 1 AS place FROM store.xp_spectrum WHERE layout = 63")
        connection.execute("TRUNCATE store.xp_spectrum")
        repeated = sql.SQL(
            "INSERT INTO store.xp_spectrum (source_id, {others}) SELECT i * %(step)s::bigint, {others} "
            "FROM generate_series(0, %(rows)s - 1) AS i JOIN real ON place = i %% (SELECT count(*) FROM real) ORDER BY i"
        )
        connection.execute(repeated.format(others=others), parameters)
        photometry = sql.SQL(
            "INSERT INTO store.gaia_source ({}) SELECT release_id, source_id, 0, 0, 1e4, 15, file_id FROM store.xp_spectrum"
        )
        connection.execute(photometry.format(names))
    with database.connect(Role.OWNER, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE store.xp_spectrum")
        connection.execute("VACUUM ANALYZE store.gaia_source")
        found = connection.execute(
            "SELECT sum(pg_total_relation_size(relid))::bigint, sum(pg_relation_size(relid))::bigint FROM pg_partition_tree('store.xp_spectrum')"
        ).fetchone()
        assert found is not None
        print(f"\nstore.xp_spectrum with all its columns, bytes a row (TB for {DR3_SPECTRA:,} spectra):", end=" ")
        print(
            ", ".join(
                f"{name} {size / rows:,.0f} ({size / rows * DR3_SPECTRA / 1e12:.2f})"
                for name, size in zip(("all", "rows with heads"), found, strict=True)
            )
        )


def tensors(batch: SpectrumBatch) -> list[torch.Tensor]:
    """The batch as torch tensors, without a copy."""
    arrays = (batch.bp_coefficients, batch.rp_coefficients, batch.bp_errors, batch.rp_errors, batch.bp_correlations, batch.rp_correlations)
    return [torch.from_numpy(array) for array in arrays if array is not None]


def into_batches(connection: psycopg.Connection[Any], release: DataRelease, block_rows: int, correlations: bool) -> None:
    """Every block as tensors; a block is let go when the next is there, as a run does."""
    for batch in read_spectra(connection, release, 0, LAST_SOURCE_ID, block_rows=block_rows, correlations=correlations):
        assert tensors(batch)[0].dtype == torch.float32


def drained(connection: psycopg.Connection[Any], query: sql.Composable) -> None:
    """COPY by psycopg, nothing done with the rows."""
    with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY ({}) TO STDOUT (FORMAT BINARY)").format(query)) as copy:
        while copy.read():
            pass


def psql_copy(program: str, database: Database, query: str) -> None:
    subprocess.run(
        [program, database.dsn(Role.WORKER), "-qXc", f"COPY ({query}) TO STDOUT (FORMAT BINARY)"], stdout=subprocess.DEVNULL, check=True
    )


def compare_reading(database: Database, rows: int, repeat: int) -> None:
    """Batches by read_spectra against the bare COPY of the same rows."""
    program = shutil.which("psql")
    print(f"Reading {rows:,} spectra of 12,760 bytes from the catalogue, {rows:,} rows of gaia_source joined")
    with database.connect(Role.WORKER, autocommit=True) as connection:
        release = release_named(connection, "gaia_dr3")
        parameters = {"release_id": release.release_id, "first_source_id": 0, "last_source_id": LAST_SOURCE_ID}
        client = psycopg.ClientCursor(connection)
        condition = sql.SQL("FROM store.xp_spectrum WHERE release_id = {} AND source_id BETWEEN 0 AND {}").format(
            sql.Literal(release.release_id), sql.Literal(LAST_SOURCE_ID)
        )
        for correlations in (True, False):
            bare = sql.SQL("SELECT source_id, layout, {} {}").format(sql.SQL("head, correlations" if correlations else "head"), condition)
            joined = sql.SQL(
                client.mogrify(statement("spectra" if correlations else "spectra_without_correlations"), parameters).rstrip(";\n")
            )
            ways: dict[str, Callable[[], object]] = {"bare COPY, psycopg": lambda bare=bare: drained(connection, bare)}  # type: ignore[misc]
            if program is not None:
                ways["bare COPY, psql > /dev/null"] = lambda bare=bare: psql_copy(program, database, bare.as_string())  # type: ignore[misc]
            ways["COPY with the photometry, psycopg"] = lambda joined=joined: drained(connection, joined)  # type: ignore[misc]
            for block_rows in (500, 2_000, rows):
                ways[f"torch batches of {block_rows:,}"] = lambda block_rows=block_rows, correlations=correlations: into_batches(  # type: ignore[misc]
                    connection, release, block_rows, correlations
                )
            costs: dict[str, list[Cost]] = {name: [] for name in ways}
            for number in range(repeat + 1):
                for name, way in ways.items():
                    cost = measured(way, connection)
                    if number:
                        costs[name].append(cost)
            report_reading("whole spectra" if correlations else "coefficients and errors only", costs, rows)
        if program is not None:
            start = time.perf_counter()
            psql_copy(program, database, "SELECT 1")
            print(f"(psql alone, start and connection: {1e3 * (time.perf_counter() - start):.0f} ms)")


def report_reading(title: str, costs: dict[str, list[Cost]], rows: int) -> None:
    print(f"  {title}")
    bares = [name for name in costs if name.startswith("bare")]
    for name, each in costs.items():
        line = f"    {name:<34}{rows / best(each).wall:>9,.0f} rows/s"
        if "psql" not in name:
            line += f"   CPU {best(each).client * 1e6 / rows:4.1f} + {best(each).server * 1e6 / rows:4.1f} us/row"
        if name not in bares:
            for bare in bares:
                median = statistics.median(cost.wall / other.wall for cost, other in zip(each, costs[bare], strict=True))
                line += f"   time / {bare.split(', ')[1]}: best {best(each).wall / best(costs[bare]).wall:.2f}, median {median:.2f}"
        print(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--part", choices=PARTS, action="append")
    arguments = parser.parse_args()
    parts = arguments.part or PARTS
    torch.set_num_threads(1)
    print(f"python -m benchmarks.xp_payload {' '.join(sys.argv[1:])}   {datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    print(f"psycopg {psycopg.__version__} ({psycopg.pq.__impl__}), numpy {np.__version__}, torch {torch.__version__}")
    with throw_away_server() as database:
        real = real_spectra(database, arguments.data)
        repeated = numbers_of(real.take(np.arange(arguments.rows) % len(real)))
        assert repeated.shape[1] == 4 * N_COEFFICIENTS + 2 * N_PAIRS
        if "layouts" in parts:
            with database.connect(None, autocommit=True) as connection:
                compare_layouts(connection, repeated, arguments.repeat)
        if "rounding" in parts:
            compare_rounding(real)
        if "partitions" in parts:
            planning(database)
        if "reading" in parts:
            fill_catalogue(database, arguments.rows)
            compare_reading(database, arguments.rows, arguments.repeat)
    if "layouts" in parts and (binaries := next(iter(system_binaries()), None)) is not None:
        with throw_away_server(binaries.folder) as database, database.connect(None, autocommit=True) as connection:
            compare_layouts(connection, repeated, arguments.repeat)


if __name__ == "__main__":
    main()
