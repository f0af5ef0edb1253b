"""TAP_SCHEMA of a publication keeps the rules of TAP 1.1 section 4 and its columns those of UCD1+ and VOUnits."""

import warnings
from typing import Any

import astropy.units as u
import pytest

from catalog.database import Database, Role
from catalog.schema.column import PublicView
from catalog.schema.public_views import PUBLIC_VIEWS

STANDARD = {
    "schemas": "schema_name utype description schema_index",
    "tables": "schema_name table_name table_type utype description table_index",
    "columns": "table_name column_name datatype arraysize xtype size description utype unit ucd indexed principal std column_index",
    "keys": "key_id from_table target_table description utype",
    "key_columns": "key_id from_column target_column",
}
KEYS = {
    ("tap_schema.tables", "tap_schema.schemas", "schema_name", "schema_name"),
    ("tap_schema.columns", "tap_schema.tables", "table_name", "table_name"),
    ("tap_schema.keys", "tap_schema.tables", "from_table", "table_name"),
    ("tap_schema.keys", "tap_schema.tables", "target_table", "table_name"),
    ("tap_schema.key_columns", "tap_schema.keys", "key_id", "key_id"),
}
NONE: dict[str, str] = {
    "a_table_without_its_schema": "SELECT table_name FROM tap_schema.tables WHERE schema_name NOT IN (SELECT schema_name FROM tap_schema.schemas)",
    "a_schema_without_tables": "SELECT schema_name FROM tap_schema.schemas WHERE schema_name NOT IN (SELECT schema_name FROM tap_schema.tables)",
    "a_column_without_its_table": "SELECT column_name FROM tap_schema.columns WHERE table_name NOT IN (SELECT table_name FROM tap_schema.tables)",
    "a_table_without_columns": "SELECT table_name FROM tap_schema.tables WHERE table_name NOT IN (SELECT table_name FROM tap_schema.columns)",
    "a_key_without_its_columns": "SELECT key_id FROM tap_schema.keys WHERE key_id NOT IN (SELECT key_id FROM tap_schema.key_columns)",
    "key_columns_without_their_key": "SELECT key_id FROM tap_schema.key_columns WHERE key_id NOT IN (SELECT key_id FROM tap_schema.keys)",
    "a_key_of_an_unknown_column": (
        "SELECT k.key_id FROM tap_schema.keys AS k JOIN tap_schema.key_columns AS c USING (key_id) WHERE NOT EXISTS (SELECT 1 FROM "
        "tap_schema.columns AS f WHERE f.table_name = k.from_table AND f.column_name = c.from_column) OR NOT EXISTS (SELECT 1 FROM "
        "tap_schema.columns AS t WHERE t.table_name = k.target_table AND t.column_name = c.target_column)"
    ),
    "a_name_twice": "SELECT table_name, column_name FROM tap_schema.columns GROUP BY 1, 2 HAVING count(*) > 1",
    "a_name_of_another_schema": "SELECT table_name FROM tap_schema.tables WHERE table_name NOT LIKE schema_name || '.%'",
    "an_empty_string_for_nothing": "SELECT column_name FROM tap_schema.columns WHERE '' IN (unit, ucd, utype, xtype, arraysize, description)",
    "a_truth_that_is_no_0_or_1": "SELECT column_name FROM tap_schema.columns WHERE NOT (indexed IN (0, 1) AND principal IN (0, 1) AND std IN (0, 1))",
    "a_size_that_is_not_the_arraysize": (
        "SELECT table_name, column_name, arraysize FROM tap_schema.columns "
        "WHERE \"size\" IS DISTINCT FROM CASE WHEN arraysize ~ '^[0-9]+$' THEN arraysize::integer END"
    ),
    "a_single_number_with_an_arraysize": "SELECT column_name FROM tap_schema.columns WHERE arraysize = '1' AND datatype <> 'char'",
    "a_text_without_an_arraysize": "SELECT column_name FROM tap_schema.columns WHERE datatype = 'char' AND arraysize IS NULL",
    "a_type_that_votable_does_not_have": (
        "SELECT datatype FROM tap_schema.columns WHERE datatype NOT IN ('boolean', 'unsignedByte', 'short', 'int', 'long', 'float', 'double', 'char')"
    ),
    "an_order_with_gaps": "SELECT table_name FROM tap_schema.columns GROUP BY 1 HAVING max(column_index) <> count(*) - 1 OR min(column_index) <> 0",
    "a_column_without_a_sentence": "SELECT column_name FROM tap_schema.columns WHERE description IS NULL",
    "a_table_without_a_sentence": "SELECT table_name FROM tap_schema.tables WHERE description IS NULL",
}  # fmt: skip


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.connect(Role.TAP_READER) as connection:
        return connection.execute(query.encode()).fetchall()


@pytest.mark.parametrize("case", NONE)
def test_there_is_none(catalogue: Database, case: str) -> None:
    assert rows(catalogue, NONE[case]) == []


@pytest.mark.parametrize("table", STANDARD)
def test_a_standard_table_has_its_columns_and_says_so(catalogue: Database, table: str) -> None:
    described = rows(
        catalogue, f"SELECT trim(both '\"' from column_name), datatype, std FROM tap_schema.columns WHERE table_name = 'tap_schema.{table}'"
    )
    assert {name for name, _, _ in described} >= set(STANDARD[table].split())
    assert {std for _, _, std in described} == {1}
    numbers = {"size", "indexed", "principal", "std", "schema_index", "table_index", "column_index"}
    assert all(datatype == ("int" if name in numbers else "char") for name, datatype, _ in described)


def test_the_keys_of_tap_schema_itself_are_listed(catalogue: Database) -> None:
    found = rows(
        catalogue,
        "SELECT from_table, target_table, from_column, target_column FROM tap_schema.keys JOIN tap_schema.key_columns USING (key_id)",
    )
    assert set(found) >= KEYS


@pytest.mark.parametrize("view", PUBLIC_VIEWS, ids=lambda view: f"{view.schema}.{view.name}")
def test_at_most_one_column_of_a_table_has_each_main_meaning(view: PublicView) -> None:
    """Clients pick identifier and position of a row by these words; a table with positions has one of each."""
    for ucd in ("meta.id;meta.main", "pos.eq.ra;meta.main", "pos.eq.dec;meta.main"):
        found = [column.name for column in view.columns if column.ucd == ucd]
        assert len(found) == 1 if view.position is not None else len(found) <= 1, (ucd, found)


@pytest.mark.parametrize("unit", sorted({column.unit for view in PUBLIC_VIEWS for column in view.columns if column.unit is not None}))
def test_a_unit_is_one_of_vounits_without_a_warning(unit: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        u.Unit(unit, format="vounit")
