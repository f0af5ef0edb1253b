"""The simulated bulk tables have the archive's columns, and our registry takes them for what they are."""

from pathlib import Path

import astropy.units as u
import pytest
from astropy.io.votable.ucd import check_ucd
from astropy.table import Table

from ingest.products import gaia_source, xp_continuous
from ingest.sky.bulk_ecsv import BulkColumn
from ingest.sky.bulk_tables import GAIA_SOURCE_DR3, GAIA_SOURCE_DR4, RVS_MEAN, XP_CONTINUOUS

TABLES = {"gaia_source": GAIA_SOURCE_DR3, "gaia_source_dr4": GAIA_SOURCE_DR4, "xp_continuous": XP_CONTINUOUS, "rvs": RVS_MEAN}


def names(columns: tuple[BulkColumn, ...]) -> list[str]:
    return [column.name for column in columns]


def test_the_tables_have_as_many_columns_as_the_archives() -> None:
    assert {table: len(columns) for table, columns in TABLES.items()} == {
        "gaia_source": 152, "gaia_source_dr4": 150, "xp_continuous": 26, "rvs": 9,
    }  # fmt: skip
    assert set(names(GAIA_SOURCE_DR3)) == gaia_source.ARCHIVE_COLUMNS


@pytest.mark.parametrize("table", TABLES)
def test_units_and_ucds_are_valid(table: str) -> None:
    assert len(set(names(TABLES[table]))) == len(TABLES[table])
    for column in TABLES[table]:
        if column.unit:
            u.Unit(column.unit, format="vounit")
        assert column.ucd is None or check_ucd(column.ucd, check_controlled_vocabulary=True, has_colon=False), column.name


def test_the_registry_recognises_the_headers() -> None:
    assert gaia_source.recognises(names(GAIA_SOURCE_DR3)) and gaia_source.recognises(names(GAIA_SOURCE_DR4))
    assert xp_continuous.recognises(names(XP_CONTINUOUS))
    assert not gaia_source.recognises(names(RVS_MEAN)) and not xp_continuous.recognises(names(RVS_MEAN))


def test_order_and_types_are_those_of_a_row_that_the_archive_served(real_data: Path) -> None:
    table = Table.read(real_data / "archive_formats" / "1714556098855O-result.ecsv", format="ascii.ecsv")
    lower = [name.lower() for name in table.colnames]
    assert names(GAIA_SOURCE_DR3) == lower
    wrong = []
    for column, name in zip(GAIA_SOURCE_DR3, table.colnames, strict=True):
        kind = "string" if table[name].dtype.kind in "UO" else str(table[name].dtype)
        # The archive's ECSV widens int8 to int16, as the table of its data model does not.
        if kind != column.datatype and (column.datatype, kind) != ("int8", "int16"):
            wrong.append((name, column.datatype, kind))
    assert wrong == []
