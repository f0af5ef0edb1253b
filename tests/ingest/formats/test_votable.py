"""VOTable: documents of every version, their cells empty, of one element, or padded, give the values that they say."""

from pathlib import Path
from typing import Any

import pytest

from catalog.errors import DataError
from catalog.schema.column import ColumnType
from ingest.file_table import Field, FileTable
from ingest.formats.votable import VotableReader


def read(path: Path, declared: str, cells: list[str], field: Field, version: str = "1.4") -> FileTable:
    rows = "".join(f"<TR><TD>{row}</TD><TD>{cell}</TD></TR>" for row, cell in enumerate(cells))
    path.write_text(
        f"""<?xml version="1.0"?><VOTABLE version="{version}"><RESOURCE type="results"><TABLE><FIELD name="n" datatype="int"/>
        <FIELD name="A" {declared}</FIELD><DATA><TABLEDATA>{rows}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"""
    )
    with path.open("rb") as stream:
        (block,) = VotableReader(stream).blocks(0, (field,))
    return block


COLUMNS: dict[str, tuple[str, ColumnType, list[str], list[Any]]] = {
    "integers": ('datatype="long">', ColumnType.BIGINT, ["5937083312263887616", "", "0"], [5937083312263887616, None, 0]),
    "integers with a null": ('datatype="short"><VALUES null="-9999"/>', ColumnType.SMALLINT, ["1", "-9999", ""], [1, None, None]),
    "integers of one element": ('datatype="int" arraysize="1">', ColumnType.INTEGER, ["1", "-2", "3"], [1, -2, 3]),
    "floats": ('datatype="float">', ColumnType.REAL, ["1.5", "", "NaN"], [1.5, None, None]),
    "booleans": ('datatype="boolean">', ColumnType.BOOLEAN, ["T", "false", "?", "1", ""], [True, False, None, True, None]),
    "booleans as floats": ('datatype="double">', ColumnType.BOOLEAN, ["1", "0", ""], [True, False, None]),
    "booleans as text": ('datatype="char" arraysize="*">', ColumnType.BOOLEAN, ["true", "False", ""], [True, False, None]),
    "texts": ('datatype="unicodeChar" arraysize="*">', ColumnType.TEXT, ["é α", "", " x "], ["é α", None, "x"]),
    "texts of a fixed length": ('datatype="char" arraysize="4">', ColumnType.TEXT, ["ab", "", "abcd"], ["ab", None, "abcd"]),
}


@pytest.mark.parametrize("version", ["1.1", "1.2", "1.3", "1.4"])
@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_has_its_values(name: str, version: str, tmp_path: Path) -> None:
    declared, kind, cells, expected = COLUMNS[name]
    field = Field("a", kind)
    block = read(tmp_path / "a.vot", declared, cells, field, version)
    assert [None if none else value for value, none in zip(block.values(field).tolist(), block.null("a").tolist(), strict=True)] == expected
    assert block.unparsable() == {}


@pytest.mark.parametrize("size", ["2", "*"])
@pytest.mark.parametrize("cells", [["1 2", "3 4"], ["1 2"]])
def test_lists_where_one_value_is_expected_are_told(size: str, cells: list[str], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a holds arrays"):
        read(tmp_path / "a.vot", f'datatype="int" arraysize="{size}">', cells, Field("a", ColumnType.INTEGER))
