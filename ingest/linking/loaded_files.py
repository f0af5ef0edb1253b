"""The files behind some tables of a release: what is made from the tables is the same whenever these are."""

from collections.abc import Iterable

import psycopg

from catalog.statements import statement
from ingest.registry import PRODUCTS


def loaded_files(connection: psycopg.Connection, release_id: int, tables: Iterable[str]) -> list[tuple[object, ...]]:
    """Product, SHA-256 and rows of each loaded file of the tables, in a fixed order."""
    wanted = set(tables)
    products = sorted({product.name for product in PRODUCTS if product.table.name in wanted})
    return connection.execute(statement("files_behind_a_link"), {"release_id": release_id, "products": products}).fetchall()
