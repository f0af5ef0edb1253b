"""One query, one publication: under continuous publishing no answer ever mixes two states, and none fails."""

import csv
import io
import threading
import time
from typing import Any

import httpx
from psycopg import sql

from catalog.database import Database, Role
from catalog.publish import drop_old_publications, publication_lock, publish_in

VIEWS = {"schemas": "schema_name = 'tap_schema'", "tables": "table_name = 'tap_schema.tables'"}
VIEWS |= {"columns": "table_name = 'tap_schema.tables' AND {0}.column_name = 'utype'", "keys": "key_id = 'key_001'"}
ALIASES = dict(zip("abcdefgh", [*VIEWS, *VIEWS], strict=True))
EIGHT_VIEWS = (
    f"SELECT {', '.join(f'{alias}.description AS {alias}1' for alias in ALIASES)} "
    f"FROM {', '.join(f'tap_schema.{view} AS {alias}' for alias, view in ALIASES.items())} "
    f"WHERE {' AND '.join(f'{alias}.{VIEWS[view].format(alias)}' for alias, view in ALIASES.items())}"
)


def publish_marked(database: Database) -> None:
    """A publication whose every view shows its serial."""
    with database.connect(Role.OWNER) as connection, publication_lock(connection):
        serial = publish_in(connection, "a test")
        for view in VIEWS:
            table = sql.Identifier("store", f"tap_{view}")
            connection.execute(sql.SQL("UPDATE {} SET description = %s WHERE serial = %s").format(table), (str(serial), serial))
    drop_old_publications(database)


def test_a_query_of_eight_views_sees_one_publication(serve: Any, database: Database) -> None:
    publish_marked(database)
    stop = threading.Event()
    failed: list[Exception] = []

    def keep_publishing() -> None:
        try:
            while not stop.is_set():
                publish_marked(database)
        except Exception as error:
            failed.append(error)

    publisher = threading.Thread(target=keep_publishing)
    seen: set[str] = set()
    with serve(database) as service, httpx.Client(timeout=30) as client:
        publisher.start()
        try:
            until = time.monotonic() + 6
            while time.monotonic() < until:
                answer = client.get(f"{service.url}/sync", params={"QUERY": EIGHT_VIEWS, "FORMAT": "csv"})
                assert answer.status_code == 200, answer.text
                _, row = csv.reader(io.StringIO(answer.text))
                assert len(row) == 8
                assert len(set(row)) == 1, f"one query saw publications {sorted(set(row))}"
                seen.add(row[0])
        finally:
            stop.set()
            publisher.join()
    assert not failed
    assert len(seen) > 3, "too few publications to prove anything"
