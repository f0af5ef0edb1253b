"""VOTable documents: exact bytes for a small one, and astropy reads every other back to the values that PostgreSQL had."""

import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from astropy.io import votable as astropy_votable
from astropy.io.votable.tree import TableElement, VOTableFile

from catalog.binary_copy import RawBlock
from tap_service.results.field_types import Field
from tap_service.results.votable import Binary2Data, BinaryData, Info, TableData, VOTable, error_document

Copied = Callable[..., list[RawBlock]]

SERIALIZATIONS = [Binary2Data, BinaryData, TableData]

FIELDS = (
    Field("source_id", "long", ucd="meta.id;meta.main", description='Identifier <of> the "source" & its pixel'),
    Field("ra", "double", unit="deg", ucd="pos.eq.ra;meta.main"),
    Field("g", "float", unit="mag"),
    Field("n", "short"),
    Field("flags", "int"),
    Field("published", "boolean"),
    Field("name", "char", "*"),
    Field("created", "char", "*", "timestamp"),
    Field("latent", "float", "3"),
    Field("coefficients", "float", "*"),
    Field("weights", "double", "*"),
)
ROWS = r"""
SELECT a, b, c::real, d::smallint, e, f, g, h::timestamptz, i::bytea, j::bytea, k FROM (VALUES
    (6999999999999999999, 45.5::float8, 0.1::real, -3::smallint, 70000, true, 'a <b> & "c"', '2016-06-01 12:00:00.25Z'::timestamptz,
     '\x3f8000004000000040400000'::bytea, '\x3f800000'::bytea, array[1, 2.5]::float8[]),
    (1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (-5, 'Infinity', 'NaN', 0, 0, false, '', '1989-01-01Z', '\x7fc000007f800000ff800000', '\x', array[]::float8[])
) AS r(a, b, c, d, e, f, g, h, i, j, k)
"""


def read(document: bytes) -> tuple[VOTableFile, TableElement]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parsed = astropy_votable.parse(io.BytesIO(document), verify="exception")
    return parsed, parsed.get_first_table()


def document(fields: tuple[Field, ...], blocks: list[RawBlock], data: type[Binary2Data] | type[TableData], overflow: bool = False) -> bytes:
    writer = VOTable(fields, [Info("QUERY", "SELECT 'x' -- a < b\nFROM t")], data(fields), 2016.0)
    return writer.begin() + b"".join(map(writer.rows, blocks)) + writer.end(overflow)


def test_a_small_document_is_exactly_this(copied: Copied) -> None:
    fields = (Field("ra", "double", unit="deg", ucd="pos.eq.ra", description="a < b"), Field("n", "short"))
    assert document(fields, copied("SELECT 1.0::float8, 2::smallint"), Binary2Data).decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">\n'
        '<RESOURCE type="results">\n'
        '<INFO name="QUERY_STATUS" value="OK"/>\n'
        '<INFO name="QUERY" value="SELECT \'x\' -- a &lt; b&#10;FROM t"/>\n'
        '<COOSYS ID="ICRS" system="ICRS" epoch="J2016.0"/>\n'
        "<TABLE>\n"
        '<FIELD name="ra" datatype="double" unit="deg" ucd="pos.eq.ra" ref="ICRS">\n<DESCRIPTION>a &lt; b</DESCRIPTION>\n</FIELD>\n'
        '<FIELD name="n" datatype="short"/>\n'
        '<DATA><BINARY2><STREAM encoding="base64">\n'
        "AD/wAAAAAAAA\nAAI=\n"
        "</STREAM></BINARY2></DATA>\n</TABLE>\n</RESOURCE>\n</VOTABLE>\n"
    )


@pytest.mark.parametrize("block_rows", [1, 2, 10])
@pytest.mark.parametrize("data", SERIALIZATIONS)
def test_astropy_reads_every_type_back(copied: Copied, data: type[Binary2Data] | type[TableData], block_rows: int) -> None:
    parsed, table = read(document(FIELDS, copied(ROWS, block_rows), data))
    rows = table.array
    assert list(rows["source_id"]) == [6999999999999999999, 1, -5]
    assert [table.fields[i].datatype for i in range(len(FIELDS))] == [field.datatype for field in FIELDS]
    assert rows["ra"][0] == 45.5
    assert np.isposinf(rows["ra"][2])
    assert rows["g"][0] == np.float32(0.1)
    assert list(rows["n"][[0, 2]]) == [-3, 0]
    assert list(rows["flags"][[0, 2]]) == [70000, 0]
    assert list(rows["published"][[0, 2]]) == [True, False]
    assert str(rows["name"][0]) == 'a <b> & "c"'
    assert str(rows["created"][0]) == "2016-06-01T12:00:00.250000"
    assert str(rows["created"][2]) == "1989-01-01T00:00:00.000000"
    assert list(rows["latent"][0]) == [1, 2, 3]
    assert np.isnan(rows["latent"].data[2][0])
    assert list(rows["latent"].data[2][1:]) == [np.inf, -np.inf]
    assert list(rows["coefficients"][0]) == [1]
    assert list(rows["weights"][0]) == [1, 2.5]
    for name in ("n", "flags", "published"):
        assert list(rows[name].mask) == [False, True, False], name
    assert np.isnan(rows["ra"].data[1])
    assert table.fields[1].ref == "ICRS"
    assert parsed.get_coosys_by_id("ICRS").epoch == "J2016.0"
    assert parsed.resources[0].infos[1].value == "SELECT 'x' -- a < b\nFROM t"


@pytest.mark.parametrize("data", SERIALIZATIONS)
@pytest.mark.parametrize("overflow", [False, True])
def test_a_cut_result_says_so_after_its_table(copied: Copied, data: type[Binary2Data] | type[TableData], overflow: bool) -> None:
    parsed, table = read(document(FIELDS, copied(ROWS), data, overflow))
    said = [info.value for info in (*parsed.resources[0].infos, *table.infos) if info.name == "QUERY_STATUS"]
    assert said == (["OK", "OVERFLOW"] if overflow else ["OK"])


@pytest.mark.parametrize("data", SERIALIZATIONS)
def test_an_empty_result_has_its_columns(data: type[Binary2Data] | type[TableData]) -> None:
    _, table = read(document(FIELDS, [], data))
    assert [field.name for field in table.fields] == [field.name for field in FIELDS]
    assert len(table.array) == 0


@pytest.mark.parametrize("data", SERIALIZATIONS)
def test_a_query_that_breaks_leaves_a_whole_document_with_its_reason(copied: Copied, data: type[Binary2Data] | type[TableData]) -> None:
    writer = VOTable(FIELDS, [], data(FIELDS))
    sent = writer.begin() + writer.rows(copied(ROWS)[0])
    ended = writer.fail("too slow: 1 < 2")
    assert ended is not None
    parsed, table = read(sent + ended)
    assert len(table.array) == 3
    last = [info for info in (*parsed.resources[0].infos, *table.infos) if info.name == "QUERY_STATUS"][-1]
    assert (last.value, last.content) == ("ERROR", "too slow: 1 < 2")


@pytest.mark.parametrize("data", SERIALIZATIONS)
@pytest.mark.parametrize(("datatype", "expected"), [("char", "n\\xe9 \\u2603"), ("unicodeChar", "né ☃")])
def test_other_characters_are_never_lost(copied: Copied, data: type[Binary2Data] | type[TableData], datatype: str, expected: str) -> None:
    _, table = read(document((Field("t", datatype, "*"),), copied("SELECT 'né ☃'"), data))
    assert str(table.array["t"][0]) == expected


def test_characters_that_xml_forbids_are_dropped(copied: Copied) -> None:
    _, table = read(document((Field("t", "char", "*"),), copied(r"SELECT E'a\x01b\x0cc'"), TableData))
    assert str(table.array["t"][0]) == "abc"


@pytest.mark.parametrize("data", SERIALIZATIONS)
def test_one_character_has_no_arraysize(copied: Copied, data: Any) -> None:
    written = document((Field("band", "char", "1"),), copied("SELECT 'g' UNION ALL SELECT NULL"), data)
    assert b'<FIELD name="band" datatype="char"' in written
    assert b"arraysize" not in written
    parsed = astropy_votable.parse(io.BytesIO(written), verify="ignore")
    assert str(parsed.get_first_table().array["band"][0]) == "g"


def test_an_error_document_says_its_message_where_clients_look() -> None:
    text = error_document("Unknown table x\n  SELECT\n  ^ <here>").decode()
    assert '<INFO name="QUERY_STATUS" value="ERROR">Unknown table x\n  SELECT\n  ^ &lt;here&gt;</INFO>' in text
    assert "<TABLE" not in text


def test_a_null_array_of_fixed_length_has_all_its_elements_in_tabledata(copied: Copied) -> None:
    """An empty cell would have none of them, which is no valid document."""
    fields = (Field("latent", "float", "3"), Field("coefficients", "float", "*"))
    assert "<TR><TD>NaN NaN NaN</TD><TD></TD></TR>" in document(fields, copied("SELECT NULL::bytea, NULL::bytea"), TableData).decode()
