"""Data releases: what Kiel knows of each, and how one is added: its row and its partitions.

Nothing beyond this file may take 55 coefficients, an epoch or a cut for granted: they are data of the release.
"""

from dataclasses import dataclass, fields
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from catalog.database import Database, Role
from catalog.errors import UsageError
from catalog.partitions import PARTITIONED_TABLES, add_partition
from catalog.publish import drop_old_publications, publication_lock, publish_in
from catalog.statements import statement

SIMULATED_SOLUTION_ID = 9_000_000_000_000_000_000
"""The solution_id that every simulated row carries, and no real one: ingest refuses to mix the two."""


@dataclass(frozen=True)
class DataRelease:
    """A release as stored: the contract that its coefficients and positions keep."""

    release_id: int
    name: str
    suffix: str
    epoch: float
    n_bp: int
    n_rp: int
    bp_basis_function_id: int
    rp_basis_function_id: int
    id_system: str
    cut_dialect: str
    largest_pixel_offset: float = 0.0
    is_default: bool = False
    simulated: bool = False


KNOWN_RELEASES = {
    release.name: release
    for release in (
        # Gaia DR3: epoch and coefficient counts from the archive's data model (xp_continuous_mean_spectrum), basis ids 56 and 57.
        DataRelease(1, "gaia_dr3", "dr3", 2016.0, 55, 55, 56, 57, "dr3", "gaia_dr3", is_default=True),
        # The simulated sky of `kiel sky make`, in a release of its own: simulated and real stars never stand in one table.
        DataRelease(101, "sim_dr3", "sim_dr3", 2016.0, 55, 55, 56, 57, "dr3", "gaia_dr3", is_default=True, simulated=True),
        DataRelease(102, "sim_dr4", "sim_dr4", 2017.5, 51, 55, 156, 157, "dr4", "gaia_dr4", simulated=True),
    )
}

_COLUMNS = sql.SQL(", ").join(sql.Identifier(field.name) for field in fields(DataRelease))


def release_named(connection: psycopg.Connection[Any], name: str) -> DataRelease:
    """The release of that name in this database; UsageError lists those there are."""
    releases = list_releases(connection)
    for release in releases:
        if release.name == name:
            return release
    there = ", ".join(release.name for release in releases) or "none yet"
    raise UsageError(f"there is no release {name} in this database ({there}); add one with `kiel release add {name}`.")


def list_releases(connection: psycopg.Connection[Any]) -> list[DataRelease]:
    """The releases in this database, by number."""
    with connection.cursor(row_factory=class_row(DataRelease)) as cursor:
        return cursor.execute(sql.SQL("SELECT {} FROM store.release ORDER BY release_id").format(_COLUMNS)).fetchall()


def add_release(database: Database, name: str, *, ranges: int = 1) -> DataRelease:
    """Add a known release: its row, its partitions (``ranges`` source_id ranges, 1 to 32), and its public schemas.

    Safe to repeat: a release that is there stays as it is.
    """
    if name not in KNOWN_RELEASES:
        raise UsageError(f"the release {name} is unknown; known are {', '.join(KNOWN_RELEASES)}.")
    if not 1 <= ranges <= 32:
        raise UsageError(f"a release has 1 to 32 source_id ranges (planning stays under a millisecond up to 32), not {ranges}.")
    release = KNOWN_RELEASES[name]
    with database.connect(Role.OWNER) as connection, publication_lock(connection):
        if connection.execute(statement("release_exists"), {"name": name}).fetchone() is None:
            if release.is_default and not release.simulated:
                connection.execute(statement("yield_default_to_real"))
            connection.execute(statement("insert_release"), {field.name: getattr(release, field.name) for field in fields(release)})
            for table in PARTITIONED_TABLES:
                add_partition(connection, table, release.release_id, release.suffix, ranges)
            publish_in(connection, f"release {name} added")
    drop_old_publications(database)
    with database.connect(Role.OWNER) as connection:
        return release_named(connection, name)
