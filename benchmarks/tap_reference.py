"""Small and large answers over a reference table, each against the same SQL through COPY on a kept connection in the same run.

    .venv/bin/python -m benchmarks.tap_reference --catalogue DIR [--rounds 200]

DIR holds a catalogue of labels as plain files, one million rows by default: ``catalog.csv`` (COPY CSV without header, arrays as {..}), ``columns.json``
(name, type, unit, ucd, text of each column) and ``sample.csv`` (source_id, ra, dec of some rows). The rows go into a table of the
schema store behind a view of the newest publication, vectors packed as ours are; the service runs in a process of its own, and every
request goes over one kept-alive HTTP connection. Latencies are medians, in turn with the baseline.
"""

import argparse
import csv
import http.client
import itertools
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import psycopg
from psycopg import sql

from benchmarks.tap_stream import empty_catalogue, served
from catalog.database import Database, Role
from catalog.publish import pinned_publication
from tap_service.adql import translate
from tap_service.publication_tables import TableCache

TABLE = "gaiadr3.reference_catalogue"
VOTABLE_TYPES = {"bigint": "long", "double precision": "double", "real": "float", "smallint": "short"}


def load(database: Database, folder: Path) -> int:
    """The catalogue's rows as store.reference_catalogue, and a view of it that TAP_SCHEMA lists; the number of rows."""
    columns = json.loads((folder / "columns.json").read_text())
    with database.connect(Role.OWNER) as connection:
        plain = [(sql.Identifier(column["name"]), sql.SQL(column["type"])) for column in columns]
        declared = sql.SQL(", ").join(sql.SQL("{} {}").format(*column) for column in plain)
        connection.execute(sql.SQL("CREATE UNLOGGED TABLE store.reference_rows ({})").format(declared))
        into = "COPY store.reference_rows FROM STDIN (FORMAT csv)"
        with (folder / "catalog.csv").open("rb") as rows, connection.cursor() as cursor, cursor.copy(into) as copy:
            while chunk := rows.read(1 << 20):
                copy.write(chunk)
        packed = sql.SQL("(SELECT string_agg(float4send(x), '' ORDER BY i) FROM unnest({0}) WITH ORDINALITY AS e (x, i)) AS {0}")
        chosen = [
            packed.format(name) if column["type"].startswith("real[") else name for column, (name, _) in zip(columns, plain, strict=True)
        ]
        connection.execute(
            sql.SQL("CREATE TABLE store.reference_catalogue AS SELECT {} FROM store.reference_rows ORDER BY 1").format(
                sql.SQL(", ").join(chosen)
            )
        )
        connection.execute("DROP TABLE store.reference_rows")
        connection.execute(sql.SQL("ALTER TABLE store.reference_catalogue ADD PRIMARY KEY ({})").format(plain[0][0]))
        _describe(connection, columns)
    with database.connect(Role.OWNER, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE store.reference_catalogue")
        row = connection.execute("SELECT count(*) FROM store.reference_catalogue").fetchone()
    assert row is not None
    return int(row[0])


def _describe(connection: psycopg.Connection, columns: list[dict[str, str]]) -> None:
    """The view and its lines of TAP_SCHEMA, in the newest publication."""
    row = connection.execute("SELECT serial, schemas FROM store.publication ORDER BY serial DESC LIMIT 1").fetchone()
    assert row is not None
    serial, schemas = row
    permanent = schemas["gaiadr3"]["permanent"]
    view = sql.Identifier(permanent, "reference_catalogue")
    connection.execute(sql.SQL("CREATE VIEW {} AS SELECT * FROM store.reference_catalogue").format(view))
    connection.execute(sql.SQL("GRANT SELECT ON {} TO tap_reader").format(view))
    connection.execute(
        "INSERT INTO store.tap_tables (serial, schema_name, table_name, table_type, description, table_index) VALUES (%s, 'gaiadr3', %s, 'view', 'A reference catalogue.', 99)",
        (serial, TABLE),
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO store.tap_columns (serial, table_name, column_name, datatype, arraysize, size, description, unit, ucd, indexed, principal, std, column_index)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 1, 0, %s)",
            [
                (
                    serial, TABLE, column["name"], VOTABLE_TYPES[column["type"].partition("[")[0]],
                    length := (column["type"].partition("[")[2].rstrip("]") or None), length, column["text"], column["unit"] or None,
                    column["ucd"] or None, int(index == 0), index,
                )
                for index, column in enumerate(columns)
            ],
        )  # fmt: skip


class Kept:
    """The service through one kept-alive connection."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._path = place.path
        self._connection = http.client.HTTPConnection(place.netloc, timeout=300)

    def ask(self, query: str, **parameters: object) -> int:
        """Bytes of the answer."""
        self._connection.request("GET", f"{self._path}/sync?" + urlencode({"LANG": "ADQL", "QUERY": query, **parameters}))
        answer = self._connection.getresponse()
        assert answer.status == 200, answer.read()
        size, buffer = 0, bytearray(1 << 20)
        while got := answer.readinto(buffer):
            size += got
        return size


class Copied:
    """The SQL that a query becomes through COPY BINARY on a kept connection, the rows thrown away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection = database.connect(Role.TAP_READER, autocommit=True)

    def statement(self, query: str) -> str:
        """The query's SQL."""
        with self._database.connect(Role.TAP_SERVICE, autocommit=True) as connection, pinned_publication(connection) as publication:
            table_set, _ = TableCache().table_set(connection, publication)
            return translate(query, table_set).statement.as_string(connection)

    def run(self, statement: str) -> None:
        """COPY it."""
        with (
            self._connection.cursor() as cursor,
            cursor.copy(sql.SQL("COPY ({}) TO STDOUT (FORMAT BINARY)").format(sql.SQL(statement))) as copy,
        ):
            while copy.read():
                pass


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@contextmanager
def reference_service(folder: Path) -> Iterator[tuple[Database, str, int]]:
    """A database with the catalogue, the service over it, and the number of rows."""
    with empty_catalogue() as database:
        rows = load(database, folder)
        with served(database) as url:
            yield database, url, rows


def main() -> None:
    """Load, measure, print."""
    parser = argparse.ArgumentParser(description="Answers over a reference table, against the same SQL through COPY.")
    parser.add_argument("--catalogue", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=200, help="requests of each small query")
    parser.add_argument("--whole", type=int, default=2, help="downloads of the whole table")
    arguments = parser.parse_args()
    print(f"$ python -m benchmarks.tap_reference --catalogue DIR --rounds {arguments.rounds} --whole {arguments.whole}", flush=True)
    with (arguments.catalogue / "sample.csv").open() as sample:
        ids = itertools.cycle([row["source_id"] for row in csv.DictReader(sample)])
    with reference_service(arguments.catalogue) as (database, url, rows):
        print(f"{rows} rows")
        kept, copied = Kept(url), Copied(database)
        small: dict[str, Callable[[], str]] = {
            "TOP 1": lambda: f"SELECT TOP 1 * FROM {TABLE}",  # noqa: S608 - ADQL of constants
            "one source_id": lambda: f"SELECT * FROM {TABLE} WHERE gdr3_source_id = {next(ids)}",  # noqa: S608
        }
        for name, query_of in small.items():
            ours, floor = [], []
            for _ in range(arguments.rounds):
                query = query_of()
                statement = copied.statement(query)
                ours.append(timed(lambda query=query: kept.ask(query)))  # type: ignore[misc]
                floor.append(timed(lambda statement=statement: copied.run(statement)))  # type: ignore[misc]
            a, b = statistics.median(ours), statistics.median(floor)
            print(f"{name:16} service {a * 1000:7.2f} ms   COPY {b * 1000:6.2f} ms   ratio {a / b:5.1f}", flush=True)
        query = f"SELECT * FROM {TABLE}"  # noqa: S608
        statement = copied.statement(query)
        for response_format in ("votable", "csv"):
            ours = [timed(lambda form=response_format: kept.ask(query, MAXREC=rows, FORMAT=form)) for _ in range(arguments.whole)]  # type: ignore[misc]
            floor = [timed(lambda: copied.run(statement)) for _ in range(arguments.whole)]
            print(
                f"whole, {response_format:9} service {min(ours):7.2f} s    COPY BINARY {min(floor):6.2f} s   ratio {min(ours) / min(floor):5.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
