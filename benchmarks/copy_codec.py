"""How much faster blocks of rows go by catalog.binary_copy than row by row by psycopg, on one server, in one run.

    python -m benchmarks.copy_codec [--rows 100000] [--repeat 3]

A throw-away embedded server holds a table of 20 columns (numbers, a text, a boolean, a time, a packed triangle; a tenth of the reals
null) and a table of whole XP spectra (12,760 bytes a row). Ways take turns; the best of the repeats counts. Figures are for tables
without indexes, so that the way is measured and not the index.
"""

import argparse
import contextlib
import functools
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from psycopg import sql

from catalog.binary_copy import CopyField, Rows, raw_blocks, read_rows, write_rows
from catalog.embedded_server import EmbeddedServer
from catalog.schema.column import ColumnType

Way = Callable[[], int]

STARS = (
    CopyField("source_id", ColumnType.BIGINT),
    CopyField("ra", ColumnType.DOUBLE),
    CopyField("dec", ColumnType.DOUBLE),
    *(CopyField(f"label_{i}", ColumnType.REAL) for i in range(12)),
    CopyField("flags", ColumnType.INTEGER),
    CopyField("good", ColumnType.BOOLEAN),
    CopyField("added", ColumnType.TIMESTAMP),
    CopyField("reason", ColumnType.TEXT),
    CopyField("covariance", ColumnType.VECTOR, 15),
)
SPECTRA = (
    CopyField("source_id", ColumnType.BIGINT),
    CopyField("layout", ColumnType.SMALLINT),
    CopyField("head", ColumnType.VECTOR),
    CopyField("correlations", ColumnType.VECTOR),
)


def stars(n: int) -> Rows:
    rng = np.random.default_rng(1)
    values: dict[str, Any] = {
        "source_id": np.sort(rng.integers(0, 7 * 10**18, n)),
        "ra": rng.uniform(0, 360, n),
        "dec": rng.uniform(-90, 90, n),
        "flags": rng.integers(0, 64, n),
        "good": rng.random(n) < 0.5,
        "added": np.datetime64("2026-01-01", "us") + rng.integers(0, 10**12, n),
        "reason": np.array([f"reason {i % 9}" for i in range(n)], object),
        "covariance": rng.normal(size=(n, 15)).astype(np.float32),
        **{f"label_{i}": rng.normal(size=n) for i in range(12)},
    }
    return Rows(STARS, values, {f"label_{i}": rng.random(n) < 0.1 for i in range(12)})


def spectra(n: int) -> Rows:
    rng = np.random.default_rng(2)
    head, correlations = np.empty((2, n), object)
    head[:] = [rng.bytes(880) for _ in range(n)]
    correlations[:] = [rng.bytes(11_880) for _ in range(n)]
    return Rows(SPECTRA, {"source_id": np.arange(n), "layout": np.full(n, 63), "head": head, "correlations": correlations})


def tuples(rows: Rows) -> list[tuple[Any, ...]]:
    """The rows as psycopg takes them one by one."""
    columns = []
    for field in rows.fields:
        values = rows[field.name]
        if field.type is ColumnType.TIMESTAMP:
            cells = [moment.replace(tzinfo=UTC) for moment in values.tolist()]
        else:
            cells = [row.astype(">f4").tobytes() for row in values] if values.ndim == 2 else values.tolist()
        columns.append([None if null else cell for cell, null in zip(cells, rows.null(field.name).tolist(), strict=True)])
    return list(zip(*columns, strict=True))


def arrays(fields: tuple[CopyField, ...], fetched: list[tuple[Any, ...]]) -> Rows:
    """Rows that psycopg fetched as the columns that binary_copy gives."""
    values: dict[str, Any] = {}
    nulls = {}
    for field, cells in zip(fields, zip(*fetched, strict=True), strict=True):
        null = nulls[field.name] = np.array([cell is None for cell in cells])
        if field.type is ColumnType.TIMESTAMP:
            cells = [moment.replace(tzinfo=None) for moment in cells]
        if field.length:
            values[field.name] = np.frombuffer(b"".join(cells), ">f4").reshape(len(cells), -1)
        else:
            filled = [0 if absent else cell for cell, absent in zip(cells, null.tolist(), strict=True)]
            values[field.name] = np.array(filled, field.dtype)
    return Rows(fields, values, nulls)


def write_by_row(connection: psycopg.Connection[Any], table: sql.Identifier, rows: Rows, given: list[tuple[Any, ...]], binary: bool) -> int:
    names = sql.SQL(", ").join(sql.Identifier(field.name) for field in rows.fields)
    form = sql.SQL("(FORMAT BINARY)" if binary else "")
    with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN {}").format(table, names, form)) as copy:
        if binary:
            names_of_types = {"timestamp with time zone": "timestamptz", "double precision": "float8"}
            copy.set_types([names_of_types.get(field.type.postgres, field.type.postgres) for field in rows.fields])
        for row in given:
            copy.write_row(row)
    return len(given)


def write_by_executemany(connection: psycopg.Connection[Any], table: sql.Identifier, rows: Rows, given: list[tuple[Any, ...]]) -> int:
    places = sql.SQL(", ").join([sql.Placeholder()] * len(rows.fields))
    with connection.cursor() as cursor:
        cursor.executemany(sql.SQL("INSERT INTO {} VALUES ({})").format(table, places), given)
    return len(given)


def measure(ways: dict[str, Way], before: Callable[[], object], repeat: int) -> dict[str, float]:
    """Rows a second of each way, the best of the repeats."""
    best = dict.fromkeys(ways, 0.0)
    for _ in range(repeat):
        for name, way in ways.items():
            before()
            start = time.perf_counter()
            n = way()
            best[name] = max(best[name], n / (time.perf_counter() - start))
    return best


def report(title: str, rates: dict[str, float]) -> None:
    first = next(iter(rates))
    print(f"\n{title}")
    for name, rate in rates.items():
        ratio = "" if name == first else f"   {first} is {rates[first] / rate:5.1f} times as fast"
        print(f"  {name:<44} {rate:>12,.0f} rows/s{ratio}")


def compare(connection: psycopg.Connection[Any], title: str, name: str, rows: Rows, slow_rows: int, repeat: int) -> None:
    table = sql.Identifier(name)
    columns = sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(f.name), sql.SQL(f.type.postgres)) for f in rows.fields)
    connection.execute(sql.SQL("CREATE UNLOGGED TABLE {} ({})").format(table, columns))
    if name == "spectra":
        connection.execute("ALTER TABLE spectra ALTER head SET STORAGE MAIN, ALTER correlations SET STORAGE EXTERNAL")
    given = tuples(rows)
    few = given[:slow_rows]
    clear = functools.partial(connection.execute, sql.SQL("TRUNCATE {}").format(table))
    writers: dict[str, Way] = {
        "binary_copy.write_rows": lambda: write_rows(connection, table, rows),
        "psycopg write_row, binary, from the arrays": lambda: write_by_row(connection, table, rows, tuples(rows), True),
        "psycopg write_row, binary, from tuples": lambda: write_by_row(connection, table, rows, given, True),
        "psycopg write_row, text, from tuples": lambda: write_by_row(connection, table, rows, given, False),
        f"psycopg executemany, from {slow_rows:,} tuples": lambda: write_by_executemany(connection, table, rows, few),
    }
    report(f"{title}: writing {len(rows):,} rows", measure(writers, clear, repeat))
    clear()
    write_rows(connection, table, rows)
    query = sql.SQL("SELECT * FROM {}").format(table)
    readers: dict[str, Way] = {
        "binary_copy.read_rows": lambda: sum(map(len, read_rows(connection, query, rows.fields))),
        "binary_copy.raw_blocks, not decoded": lambda: sum(map(len, raw_blocks(connection, query))),
        "psycopg fetchall, binary, into arrays": lambda: len(arrays(rows.fields, connection.execute(query, binary=True).fetchall())),
        "psycopg fetchall, binary": lambda: len(connection.execute(query, binary=True).fetchall()),
        "psycopg fetchall, text": lambda: len(connection.execute(query).fetchall()),
    }
    report(f"{title}: reading {len(rows):,} rows", measure(readers, lambda: None, repeat))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    print("python -m benchmarks.copy_codec " + " ".join(sys.argv[1:]))
    with throw_away_server() as connection:
        version = connection.execute("SHOW server_version").fetchone()
        print(f"PostgreSQL {version and version[0]}, psycopg {psycopg.__version__} ({psycopg.pq.__impl__}), numpy {np.__version__}")
        n = arguments.rows
        compare(connection, "20 columns", "stars", stars(n), max(n // 10, 1), arguments.repeat)
        compare(connection, "XP spectra of 12,760 bytes", "spectra", spectra(max(n // 20, 1)), max(n // 100, 1), arguments.repeat)


@contextlib.contextmanager
def throw_away_server() -> Iterator[psycopg.Connection[Any]]:
    folder = Path(tempfile.mkdtemp(prefix="kiel-benchmark-"))
    folder.chmod(0o711)  # root's server runs as another account, which must get through
    server = EmbeddedServer(folder / "home")
    try:
        with server.up().connect(None, autocommit=True) as connection:
            yield connection
    finally:
        server.down()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
