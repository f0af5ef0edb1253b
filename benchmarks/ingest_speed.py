"""How fast bulk files go into the catalogue, against what other programs need for the same files, side by side in one run.

    python -m benchmarks.ingest_speed                    4,000 simulated stars, 100,000 rows of gaia_source
    python -m benchmarks.ingest_speed --only xp workers  some of the parts: xp, gaia_source, workers, memory
    python -m benchmarks.ingest_speed --only memory --large 2.5   with a file of 2.5 GB of text

The files are those of `kiel sky make` (simulated stars), or written as it writes them. For xp and gaia_source the loader and its PostgreSQL share
one core, so that the server's part counts; times are wall times, and the processor times of both are printed beside them. The server is the
embedded one with its own settings (fsync on), made for the run.
"""

import argparse
import contextlib
import functools
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import sqlalchemy as sa
from astropy.table import Table
from psycopg import sql

from catalog.database import Database, Role
from catalog.embedded_server import EmbeddedServer
from catalog.migrate import upgrade
from catalog.releases import add_release
from ingest.load import add_paths, load_pending
from ingest.products.gaia_source import FIELDS as GAIA_FIELDS
from ingest.sky.bulk_ecsv import COMPRESSION, write_bulk
from ingest.sky.bulk_tables import GAIA_SOURCE_DR3
from ingest.sky.make import SkySettings, make_sky

RELEASE = "sim_dr3"
PARTS = ("xp", "gaia_source", "workers", "memory")
TABLES = sql.SQL("TRUNCATE store.xp_spectrum, store.gaia_source, store.ingest_reject, store.ingest_file, store.displaced_source")
ASTROPY_ROWS = 200
LOADER = """
import re, sys, time
from pathlib import Path
from catalog.database import Database
from ingest.load import load_pending
print("ready", flush=True)
sys.stdin.readline()
before = time.process_time()
load_pending(Database(sys.argv[1], sys.argv[2]), sys.argv[3])
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]  # getrusage's maximum is also that of the process before exec
print(time.process_time() - before, peak, flush=True)
"""


# --- files ------------------------------------------------------------------------------------------------------------------


def bulk_lines(path: Path) -> tuple[bytes, list[bytes]]:
    """Header and rows of a bulk file."""
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if not line.startswith(b"#")) + 1
    return b"".join(lines[:first]), lines[first:]


def write_gzip(path: Path, *parts: bytes) -> Path:
    with gzip.open(path, "wb", compresslevel=COMPRESSION) as file:
        for part in parts:
            file.write(part)
    return path


def joined(paths: list[Path], target: Path) -> Path:
    """The rows of bulk files in one file, as large ones have many."""
    header, _ = bulk_lines(paths[0])
    return write_gzip(target, header, *(row for path in paths for row in bulk_lines(path)[1]))


def more_sources(paths: list[Path], rows: int, folder: Path) -> Path:
    """A gaia_source file of many rows: the sky's own, over and over, each with an identifier and with digits of its own."""
    sky = pd.concat([pd.read_csv(path, comment="#", na_values=["null"], dtype={"source_id": "int64"}) for path in paths])
    random = np.random.default_rng(1)
    index = np.arange(rows) % len(sky)
    columns: dict[str, np.ndarray] = {}
    for column in GAIA_SOURCE_DR3:
        given = sky[column.name].to_numpy()[index]
        missing = pd.isna(given)
        if column.datatype in ("float32", "float64") and column.name not in ("ra", "dec", "ref_epoch"):
            columns[column.name] = np.where(missing, np.nan, given * (1 + 1e-3 * random.standard_normal(rows))).astype(column.datatype)
            columns[column.name] = np.ma.masked_invalid(columns[column.name])
        elif column.datatype in ("string", "bool"):
            columns[column.name] = np.ma.array(given.astype(object), mask=missing)
        else:
            columns[column.name] = np.ma.array(np.where(missing, 0, given).astype(column.datatype), mask=missing)
    # Numbers below those of the pixel change, so that every source stays at its place on the sky.
    columns["source_id"] = np.ma.array((sky["source_id"].to_numpy()[index] >> 35 << 35) + 1 + np.arange(rows))
    order = np.argsort(columns["source_id"])
    name = "GaiaSource_000000-786431.csv.gz"
    write_bulk(folder, name, GAIA_SOURCE_DR3, [{name: values[order] for name, values in columns.items()}])
    return folder / name


# --- servers and times ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Served:
    """A throw-away catalogue and its server process."""

    database: Database
    server: psutil.Process

    def empty(self) -> None:
        """Takes every file and row out again."""
        with self.database.connect(Role.OWNER) as connection:
            connection.execute(TABLES)

    def server_seconds(self) -> float:
        """Processor time of all of the server's processes, also of those that have ended."""
        time.sleep(0.2)  # until those that are ending have been counted
        used = self.server.cpu_times()
        total = used.user + used.system + used.children_user + used.children_system
        for child in self.server.children():
            with contextlib.suppress(psutil.NoSuchProcess):
                used = child.cpu_times()
                total += used.user + used.system
        return total


@contextlib.contextmanager
def catalogue(cores: set[int]) -> Iterator[Served]:
    """An embedded server on these cores, which this process keeps to as well."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    folder = Path(tempfile.mkdtemp(prefix="kiel-benchmark-"))
    folder.chmod(0o711)  # root's server runs as another account, which must get through
    server = EmbeddedServer(folder / "home")
    try:
        database = server.up()
        upgrade(database)
        add_release(database, RELEASE)
        pid = server.status().pid
        assert pid is not None
        yield Served(database, psutil.Process(pid))
    finally:
        server.down()
        shutil.rmtree(folder, ignore_errors=True)
        os.sched_setaffinity(0, before)


def best(ways: dict[str, Callable[[], float]], repeat: int) -> dict[str, float]:
    """Seconds of each way, which times itself; ways take turns, the best of the repeats counts."""
    seconds = dict.fromkeys(ways, np.inf)
    for _ in range(repeat):
        for name, way in ways.items():
            seconds[name] = min(seconds[name], way())
    return seconds


def timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def decompress(path: Path, shares: dict[str, float]) -> float:
    """Seconds that Python's gzip takes."""
    used, start = time.process_time(), time.perf_counter()
    with gzip.open(path) as file:
        while file.read(1 << 20):
            pass
    shares["decompression"] = min(time.process_time() - used, shares.get("decompression", np.inf))
    return time.perf_counter() - start


def load(served: Served, path: Path, rows: int, shares: dict[str, float]) -> float:
    """Seconds to load the file into an empty catalogue; ``shares`` takes the least processor times of loader and server."""
    served.empty()
    add_paths(served.database, RELEASE, [path])
    server, own = served.server_seconds(), time.process_time()
    seconds = timed(lambda: load_pending(served.database, RELEASE))
    for name, used in (("loader", time.process_time() - own), ("PostgreSQL", served.server_seconds() - server)):
        shares[name] = min(used, shares.get(name, np.inf))
    with served.database.connect(Role.WORKER) as connection:
        (loaded,) = connection.execute("SELECT sum(rows_loaded) FROM store.ingest_file").fetchone() or (0,)
    assert loaded == rows, (loaded, rows)
    return seconds


def report(title: str, seconds: dict[str, float], base: str, shares: dict[str, float]) -> None:
    print(f"\n{title}")
    for name, value in seconds.items():
        print(f"  {name:<64} {value:8.3f} s   {value / seconds[base]:7.2f} x {base}")
    base_share, *parts = shares.items()
    print(
        "  by processor time, which other programs on the machine disturb less: "
        + " + ".join(f"{name} {value / base_share[1]:.2f}" for name, value in parts)
        + f" = {sum(value for _, value in parts) / base_share[1]:.2f} x {base}"
    )


# --- parts ------------------------------------------------------------------------------------------------------------------


def xp(path: Path, folder: Path, repeat: int) -> None:
    header, rows = bulk_lines(path)
    whole = [row for row in rows if b"null" not in row]  # astropy takes no null for an integer
    few = write_gzip(folder / "few.ecsv.gz", header, *whole[:ASTROPY_ROWS])
    shares: dict[str, float] = {}
    with catalogue({min(os.sched_getaffinity(0))}) as served:
        seconds = best(
            {
                "decompression (Python's gzip)": lambda: decompress(path, shares),
                "kiel: parsed and loaded": lambda: load(served, path, len(rows), shares),
                f"astropy's ECSV reader, from {ASTROPY_ROWS} rows": lambda: (
                    timed(lambda: Table.read(few, format="ascii.ecsv")) * len(rows) / ASTROPY_ROWS
                ),
            },
            repeat,
        )
    names = list(seconds)
    report(f"XP continuous, {len(rows):,} rows, {path.stat().st_size / 1e6:.0f} MB, one core", seconds, names[0], shares)
    print(f"  kiel is {seconds[names[2]] / seconds[names[1]]:.1f} times as fast as astropy's ECSV reader, which loads nothing")


def gaia_source(path: Path, repeat: int) -> None:
    _, rows = bulk_lines(path)
    shares: dict[str, float] = {}
    kept = [field.name for field in GAIA_FIELDS]
    with catalogue({min(os.sched_getaffinity(0))}) as served:
        engine = sa.create_engine(served.database.url.replace("postgresql://", "postgresql+psycopg://"))

        def by_pandas() -> None:
            frame = pd.read_csv(path, comment="#", na_values=["null"], usecols=kept)
            frame.to_sql("by_pandas", engine, if_exists="replace", index=False, method=copy_text)

        seconds = best(
            {
                "decompression (Python's gzip)": lambda: decompress(path, shares),
                "kiel: parsed and loaded": lambda: load(served, path, len(rows), shares),
                f"pandas.read_csv of the same {len(kept)} columns, to_sql(method=COPY)": lambda: timed(by_pandas),
            },
            repeat,
        )
        engine.dispose()
    names = list(seconds)
    report(f"gaia_source, {len(rows):,} rows, {path.stat().st_size / 1e6:.1f} MB, one core", seconds, names[0], shares)
    print(f"  kiel is {seconds[names[2]] / seconds[names[1]]:.1f} times as fast as pandas, whose table has no key")


def copy_text(table: pd.io.sql.SQLTable, connection: sa.Connection, keys: list[str], rows: Iterator[tuple[object, ...]]) -> None:
    """The COPY method of the pandas manual (IO tools, "Insertion method"), for psycopg 3."""
    names = sql.SQL(", ").join(map(sql.Identifier, keys))
    with (
        connection.connection.cursor() as cursor,
        cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), names)) as copy,
    ):
        for row in rows:
            copy.write_row(row)


def workers(paths: list[Path]) -> None:
    """One loader on one core, then two on two cores, the server on the same ones."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        print("\ntwo workers: not measured, there is one core")
        return
    print(f"\ntwo workers, {len(paths)} XP files")
    rate = {}
    for count in (1, 2):
        with catalogue(set(available[:count])) as served:
            add_paths(served.database, RELEASE, paths)
            processes = [start_loader(served.database) for _ in range(count)]
            server = served.server_seconds()
            machine = psutil.cpu_times()
            start = time.perf_counter()
            outputs = run_loaders(processes)
            wall = time.perf_counter() - start
            others = psutil.cpu_times()
            share = {"loaders": sum(output[0] for output in outputs), "PostgreSQL": served.server_seconds() - server}
        rate[count] = 1 / wall
        spent = sum(getattr(others, kind) - getattr(machine, kind) for kind in ("user", "system"))
        elsewhere = max(0.0, spent - sum(share.values()))
        shown = " + ".join(f"{name} {100 * value / (count * wall):.0f} %" for name, value in share.items())
        print(f"  {count} worker(s) on {count} core(s): {wall:.2f} s; the cores are busy {shown} of the time")
        if count == len(available):
            left = count * wall - elsewhere
            print(
                f"    that is {100 * sum(share.values()) / left:.0f} % of what other programs left of the machine (they took {elsewhere:.2f} s)"
            )
    print(f"  two workers are {rate[2] / rate[1]:.2f} times as fast as one")


def start_loader(database: Database) -> subprocess.Popen[str]:
    """A loader that has imported all it needs and waits for a line."""
    command = [sys.executable, "-c", LOADER, database.url, database.tap_url, RELEASE]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def run_loaders(processes: list[subprocess.Popen[str]]) -> list[tuple[float, float]]:
    """Let them go at once; processor seconds and peak memory (bytes) of each."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate()[0].split() for process in processes]
    return [(float(used), 1024 * float(peak)) for used, peak in outputs]


def memory(path: Path, folder: Path, large: float) -> None:
    """Peak memory of a loader's process over files of growing size."""
    header, rows = bulk_lines(path)
    print("\npeak memory of the loader's process (600 MB are allowed)")
    for size in (0.05, 0.2, *([large] if large else [])):
        target = folder / "large.csv.gz"
        count = int(size * 1e9) // len(rows[0])
        with gzip.open(target, "wb", compresslevel=COMPRESSION) as file:
            file.write(header)
            for number in range(count):
                source_id, rest = rows[number % len(rows)].split(b",", 1)
                file.write(b"%d,%b" % (int(source_id) + number, rest))
        with catalogue(os.sched_getaffinity(0)) as served:
            add_paths(served.database, RELEASE, [target])
            ((_, peak),) = run_loaders([start_loader(served.database)])
            with served.database.connect(Role.WORKER) as connection:
                (state, loaded) = connection.execute("SELECT state, rows_loaded FROM store.ingest_file").fetchone() or ("", 0)
        print(f"  {size:5.2f} GB of text, {count:,} rows ({state}, {loaded:,} rows in the table): {peak / 1e6:.0f} MB")
        target.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--stars", type=int, default=4000)
    parser.add_argument("--sources", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--large", type=float, default=0.0, help="GB of text of a large file for the part memory")
    parser.add_argument("--sky", type=Path, help="a folder for the simulated sky, which is kept; default: made and removed")
    arguments = parser.parse_args()
    print("python -m benchmarks.ingest_speed " + " ".join(sys.argv[1:]))
    print(f"load average {os.getloadavg()[0]:.2f} on {len(os.sched_getaffinity(0))} cores")
    with tempfile.TemporaryDirectory(prefix="kiel-benchmark-") as name:
        folder = Path(name)
        sky = arguments.sky or folder / "sky"
        make_sky(SkySettings(arguments.stars, 1), sky)
        spectra = sorted((sky / "xp_continuous_mean_spectrum").glob("*.gz"))
        file_of_all = functools.partial(joined, spectra, folder / "XpContinuousMeanSpectrum_000000-786431.csv.gz")
        if "xp" in arguments.only:
            xp(file_of_all(), folder, arguments.repeat)
        if "gaia_source" in arguments.only:
            sources = sorted((sky / "gaia_source").glob("*.gz"))
            gaia_source(more_sources(sources, arguments.sources, folder), arguments.repeat)
        if "workers" in arguments.only:
            workers(spectra)
        if "memory" in arguments.only:
            memory(spectra[0], folder, arguments.large)


if __name__ == "__main__":
    main()
