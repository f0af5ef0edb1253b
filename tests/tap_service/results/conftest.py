"""Result rows as PostgreSQL really sends them."""

from collections.abc import Callable

import pytest
from psycopg import sql

from catalog.binary_copy import RawBlock, raw_blocks
from catalog.database import Database


@pytest.fixture(scope="session")
def copied(postgres: Database) -> Callable[..., list[RawBlock]]:
    """A function that gives the COPY blocks of an SQL query."""

    def blocks(query: str, block_rows: int = 10_000) -> list[RawBlock]:
        with postgres.connect(None) as connection:
            return list(raw_blocks(connection, sql.SQL(query), block_rows=block_rows))

    return blocks
