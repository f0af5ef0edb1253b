"""What PostgreSQL's planner knows of tables in partitions as wholes, made anew when loading or linking has changed them.

Joins of a partitioned table are estimated by statistics of the whole, which autovacuum never makes: it only sees the single partitions. Without
them every join is taken to give two hundred times too many rows or too few, and a view of several joins is read in nested loops
(PostgreSQL documentation, section "Routine Vacuuming", Updating Planner Statistics).
"""

from collections.abc import Collection

import psycopg
from psycopg import sql

from catalog.database import Database, Role
from catalog.partitions import PARTITIONED_TABLES
from catalog.statements import statement
from ingest.faults import told_as_transient
from ingest.registry import PRODUCTS

PARTITIONED = frozenset(table.name for table in PARTITIONED_TABLES)


def refresh_statistics(database: Database, changed: Collection[str] = ()) -> tuple[str, ...]:
    """Make the statistics of every partitioned table into which a file was loaded since they were made, and of those that ``changed`` otherwise.

    Returns the tables' names. Reads at most some 30,000 rows of each partition. TransientError when the database goes away.
    """
    with database.connect(Role.OWNER, autocommit=True) as connection, told_as_transient():
        wanted = tuple(sorted((_loaded_since(connection) | set(changed)) & PARTITIONED))
        for table in wanted:
            connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier("store", table)))
    return wanted


def _loaded_since(connection: psycopg.Connection) -> set[str]:
    """Tables whose newest file was loaded after their last statistics; a server that crashed has forgotten when those were made."""
    tables = {product.name: product.table.name for product in PRODUCTS}
    values = {"products": list(tables), "tables": list(tables.values())}
    return {table for (table,) in connection.execute(statement("tables_loaded_since_statistics"), values)}
