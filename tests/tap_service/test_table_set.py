"""Names are found as ADQL compares them, and columns know their type in the database."""

import pytest

from catalog.schema.column import ColumnType
from tap_service.table_set import TableSet, TapColumn, TapTable

TABLES = TableSet(
    3,
    (
        TapTable("gaiadr3", "gaia_source", None, ()),
        TapTable("labels", "forward", None, ()),
        TapTable("labels_dr4", "forward", None, ()),
        TapTable("surveys", "Mixed Case", None, ()),
    ),
)


@pytest.mark.parametrize(
    ("name", "schema", "exact", "found"),
    [
        ("gaia_source", "gaiadr3", False, ["gaiadr3.gaia_source"]),
        ("GAIA_Source", "GaiaDR3", False, ["gaiadr3.gaia_source"]),
        ("GAIA_SOURCE", "gaiadr3", True, []),
        ("gaia_source", None, False, ["gaiadr3.gaia_source"]),
        ("forward", None, False, ["labels.forward", "labels_dr4.forward"]),
        ("Mixed Case", "surveys", True, ["surveys.Mixed Case"]),
        ("forward", "gaiadr3", False, []),
    ],
)
def test_regular_names_match_without_case_and_delimited_ones_exactly(name: str, schema: str | None, exact: bool, found: list[str]) -> None:
    tables = TABLES.find(name, schema, exact_name=exact, exact_schema=exact)
    assert [table.qualified_name for table in tables] == found


@pytest.mark.parametrize(
    ("name", "schema", "first"),
    [
        ("gaia_sorce", "gaiadr3", "gaiadr3.gaia_source"),
        ("gaia_source", "gaiadr4", "gaiadr3.gaia_source"),
        ("forwrad", None, "labels.forward"),
        ("gaiasource", None, "gaiadr3.gaia_source"),
    ],
)
def test_a_mistyped_name_gets_the_likeliest_table(name: str, schema: str | None, first: str) -> None:
    assert TABLES.suggest(name, schema)[0] == first


def test_a_name_like_nothing_gets_no_suggestion() -> None:
    assert TABLES.suggest("zzzzzzzz") == ()


@pytest.mark.parametrize(
    ("column", "type_"),
    [
        (TapColumn("a", "short"), ColumnType.SMALLINT),
        (TapColumn("a", "int"), ColumnType.INTEGER),
        (TapColumn("a", "long"), ColumnType.BIGINT),
        (TapColumn("a", "float"), ColumnType.REAL),
        (TapColumn("a", "double"), ColumnType.DOUBLE),
        (TapColumn("a", "boolean"), ColumnType.BOOLEAN),
        (TapColumn("a", "char", "*"), ColumnType.TEXT),
        (TapColumn("a", "char", "12"), ColumnType.TEXT),
        (TapColumn("a", "unicodeChar", "*"), ColumnType.TEXT),
        (TapColumn("a", "char", "*", "timestamp"), ColumnType.TIMESTAMP),
        (TapColumn("a", "char", "*", "json"), ColumnType.JSON),
        (TapColumn("a", "float", "15"), ColumnType.VECTOR),
        (TapColumn("a", "float", "*"), ColumnType.VECTOR),
        (TapColumn("a", "unsignedByte", "*"), ColumnType.BYTES),
        (TapColumn("a", "double", "*"), ColumnType.DOUBLE_ARRAY),
        (TapColumn("a", "double", "2", "point"), ColumnType.POINT),
        (TapColumn("a", "double", "3", "circle"), ColumnType.CIRCLE),
        (TapColumn("a", "double", "*", "polygon"), ColumnType.POLYGON),
        (TapColumn("a", "double", "8", "polygon"), ColumnType.POLYGON),
    ],
)
def test_datatype_arraysize_and_xtype_give_the_stored_type(column: TapColumn, type_: ColumnType) -> None:
    assert column.type is type_


def test_a_datatype_that_nothing_stores_is_refused() -> None:
    with pytest.raises(ValueError, match="quaternion"):
        TapColumn("z", "quaternion").type  # noqa: B018 - reading it is the test


@pytest.mark.parametrize("type_", list(ColumnType))
def test_every_column_type_comes_back_from_its_votable_form(type_: ColumnType) -> None:
    from catalog.schema.column import Column

    column = Column("a", type_, "A column.")
    described = TapColumn("a", type_.votable, column.arraysize, type_.xtype)
    assert described.type is type_
