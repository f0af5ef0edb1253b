"""Every release has a partition of every table of many rows, also of tables that came after it."""

import pytest

from catalog import migrate
from catalog.database import Database, Role
from catalog.partitions import PARTITIONED_TABLES, complete_partitions
from catalog.releases import add_release


def partitions(database: Database) -> set[str]:
    with database.connect(Role.OWNER) as connection:
        rows = connection.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE c.relnamespace = 'store'::regnamespace"
        ).fetchall()
    return {name for (name,) in rows}


@pytest.mark.parametrize("ranges", [1, 3])
def test_a_table_that_comes_after_a_release_gets_its_partition_with_as_many_ranges(empty_database: Database, ranges: int) -> None:
    migrate.upgrade(empty_database)
    add_release(empty_database, "gaia_dr3", ranges=ranges)
    whole = partitions(empty_database)
    with empty_database.connect(Role.OWNER) as connection:
        connection.execute("ALTER TABLE store.fidelity DETACH PARTITION store.fidelity_dr3")
        connection.execute("DROP TABLE store.fidelity_dr3")
    assert partitions(empty_database) != whole
    migrate.upgrade(empty_database)
    assert partitions(empty_database) == whole
    assert {f"fidelity_dr3_{number:02d}" for number in range(ranges)} < whole


def test_releases_whose_names_end_alike_do_not_take_each_others_partitions(database: Database) -> None:
    """Suffixes dr3 and sim_dr3: the partition of the one is no partition of the other."""
    add_release(database, "sim_dr3")
    there = partitions(database)
    for table in PARTITIONED_TABLES:
        assert {f"{table.name}_dr3", f"{table.name}_sim_dr3"} <= there
    with database.connect(Role.OWNER) as connection:
        complete_partitions(connection)
    assert partitions(database) == there
