"""2MASS photometry a row a source: results of the archive's join as they were loaded, and for all other sources the join of the archive's tables.

A view over both would be read whole by every query that joins it to a cone of gaia_source: PostgreSQL passes no range, and no row of another table,
into a UNION ALL of joins. So the result stands in a table, ``two_mass_photometry``, keyed by source_id. It follows from the files that are loaded, and
is made again only when these have changed: in blocks along source_id, each in a transaction of its own, that write only rows which differ.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from catalog.database import Database, Role
from catalog.healpix import END
from catalog.releases import release_named
from catalog.schema.two_mass import TMASS_BEST_NEIGHBOUR, TMASS_JOIN, TMASS_PSC, TWO_MASS, TWO_MASS_PHOTOMETRY
from catalog.statements import statement
from ingest.faults import told_as_transient
from ingest.linking.loaded_files import loaded_files

BLOCK_ROWS = 100_000
"""The most rows that any table has in a block."""
ALGORITHM = 1
"""Part of the fingerprint: one more whenever the code gives other rows from the same tables."""

_LOCK = 0x6B694C32
"""The first key of the advisory lock on joining ("kiL2"); the second is release_id."""
_INPUTS = tuple(table.name for table in (TWO_MASS, TMASS_BEST_NEIGHBOUR, TMASS_JOIN, TMASS_PSC))


@dataclass(frozen=True)
class JoinedTwoMass:
    """What joining came to. ``joined`` is False where nothing had changed; ``changed`` counts rows that were added, removed or replaced."""

    rows: int
    joined: bool
    seconds: float
    changed: int = 0


def _silent(rows: int) -> None:
    """Reports to nobody."""


def join_two_mass(
    database: Database, release: str, *, again: bool = False, report: Callable[[int], None] = _silent
) -> JoinedTwoMass | None:
    """Bring ``two_mass_photometry`` of a release up to date; None where there is nothing of 2MASS. ``again`` also where no file has changed.

    ``report`` is told of the rows that are done. Two calls for one release wait for one another. A call that is broken off leaves whole blocks,
    old ones and new ones, and the next one goes through all of them again. UsageError for a release that does not exist; TransientError when the
    database goes away.
    """
    started = time.monotonic()
    with database.connect(Role.WORKER, autocommit=True) as connection, told_as_transient():
        data_release = release_named(connection, release)
        key: dict[str, object] = {"release_id": data_release.release_id, "survey": TWO_MASS_PHOTOMETRY.name}
        connection.execute(statement("linking_lock"), {"class": _LOCK, "release_id": data_release.release_id})
        # Before any block is read: a file that comes in meanwhile makes the fingerprint an old one.
        files = loaded_files(connection, data_release.release_id, _INPUTS)
        fingerprint = hashlib.sha256(repr((ALGORITHM, files)).encode()).hexdigest()
        last = connection.execute(statement("last_linking"), key).fetchone()
        if last is not None and last[0] == fingerprint and not again:
            return JoinedTwoMass(int(last[1]), False, time.monotonic() - started)
        there = connection.execute(statement("has_two_mass"), key).fetchone()
        if last is None and there == (False,):
            return None
        connection.execute(statement("forget_linking"), key)
        rows = changed = 0
        first: int | None = 0
        while first is not None:
            of_block, changed_of_block, first = _join_block(connection, data_release.release_id, first)
            rows, changed = rows + of_block, changed + changed_of_block
            report(rows)
        connection.execute(statement("keep_linking"), key | {"fingerprint": fingerprint, "rows": rows, "linked": rows})
        return JoinedTwoMass(rows, True, time.monotonic() - started, changed)


def _join_block(connection: psycopg.Connection, release_id: int, first: int) -> tuple[int, int, int | None]:
    """The rows of the block that begins at ``first``, how many have changed, and where the next block begins."""
    with connection.transaction():
        connection.execute(statement("plan_for_lookups"))
        values: dict[str, object] = {"release_id": release_id, "first": first, "rows": BLOCK_ROWS}
        row = connection.execute(statement("end_of_two_mass_block"), values).fetchone()
        end: int | None = row[0] if row is not None else None
        values["last"] = END if end is None else end
        connection.execute(statement("make_two_mass_block"))
        rows = connection.execute(statement("fill_two_mass_block"), values).rowcount
        connection.execute(statement("plan_for_block"))
        removed = connection.execute(statement("remove_from_two_mass"), values).rowcount
        added = connection.execute(statement("add_to_two_mass"), values).rowcount
    return rows, max(removed, added), end
