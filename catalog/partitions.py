"""Partitions: one a release in every table of many rows, and within it up to 32 source_id ranges where the key is source_id.

Planning of a look-up, a cone or an id match stays under a millisecond up to 32 ranges (measured).
"""

import math
from typing import Any

import psycopg
from psycopg import sql

from catalog.schema import STORE_TABLES
from catalog.schema.column import StoreTable
from catalog.statements import statement

PARTITIONED_TABLES = tuple(table for table in STORE_TABLES if table.partition_by == "release_id")
"""Tables with a partition a release; those whose key is source_id are divided further into its ranges."""


def complete_partitions(connection: psycopg.Connection[Any]) -> None:
    """Give every release the partitions that it lacks, after a migration that brought tables; in the caller's transaction."""
    for release_id, suffix, ranges in connection.execute(statement("releases_with_ranges")).fetchall():
        there = {name for (name,) in connection.execute(statement("partitions_of_release"), {"suffix": f"_{suffix}"}).fetchall()}
        for table in PARTITIONED_TABLES:
            if f"{table.name}_{suffix}" not in there:
                add_partition(connection, table, release_id, suffix, ranges)


def add_partition(connection: psycopg.Connection[Any], table: StoreTable, release_id: int, suffix: str, ranges: int) -> None:
    """Make the release's partition of ``table`` apart, with its source_id ranges, then attach it.

    Attaching takes a lock that readers of the table do not wait for; CREATE TABLE ... PARTITION OF would make them wait.
    The CHECK spares PostgreSQL the scan of the rows, and goes once the partition's own bound says the same.
    """
    parent = sql.Identifier("store", table.name)
    partition = f"{table.name}_{suffix}"
    child = sql.Identifier("store", partition)
    check = sql.Identifier(f"{partition}_release_check")
    by_range = "source_id" in table.primary_key
    connection.execute(
        sql.SQL("CREATE TABLE {child} (LIKE {parent} INCLUDING ALL, CONSTRAINT {check} CHECK (release_id = {release_id})) {by}").format(
            child=child, parent=parent, check=check, release_id=sql.Literal(release_id),
            by=sql.SQL("PARTITION BY RANGE (source_id)" if by_range else ""),
        )
    )  # fmt: skip
    if by_range:
        _add_ranges(connection, child, partition, ranges)
    connection.execute(
        sql.SQL("ALTER TABLE {parent} ATTACH PARTITION {child} FOR VALUES IN ({release_id})").format(
            parent=parent, child=child, release_id=sql.Literal(release_id)
        )
    )
    connection.execute(sql.SQL("ALTER TABLE {child} DROP CONSTRAINT {check}").format(child=child, check=check))


def _add_ranges(connection: psycopg.Connection[Any], child: sql.Identifier, partition: str, ranges: int) -> None:
    width = math.ceil(12 * 4**12 / ranges) << 35
    for number in range(ranges):
        # The outer ranges are open, so that an identifier out of the sky's range ends as a reject of ingest, not as a lost COPY.
        first = sql.SQL("MINVALUE") if number == 0 else sql.Literal(number * width)
        last = sql.SQL("MAXVALUE") if number == ranges - 1 else sql.Literal((number + 1) * width)
        connection.execute(
            sql.SQL("CREATE TABLE {part} PARTITION OF {child} FOR VALUES FROM ({first}) TO ({last})").format(
                part=sql.Identifier("store", f"{partition}_{number:02d}"), child=child, first=first, last=last
            )
        )
