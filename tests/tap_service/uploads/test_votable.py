"""The reader alone: documents of every version and shape, and anything else, which it refuses in words."""

import base64
import gzip
import io
import re
from typing import Any

import numpy as np
import pytest
from astropy.io.votable import from_table
from astropy.table import MaskedColumn, Table
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.rows import Rows
from tap_service.errors import RequestError
from tap_service.limits import Limits
from tap_service.uploads.votable import VOTableReader
from tests.tap_service.uploads.votable_writer import Column, document


def read(content: bytes) -> tuple[VOTableReader, Rows]:
    reader = VOTableReader(io.BytesIO(content), Limits())
    blocks = list(reader.blocks())
    return reader, Rows.concatenate(blocks) if blocks else Rows.empty(column.copy_field for column in reader.columns)


def written(table: Table, serialization: str, version: str) -> bytes:
    """The table as astropy writes it."""
    votable = from_table(table)
    votable.version = version
    out = io.BytesIO()
    votable.to_xml(out, tabledata_format=serialization)
    return out.getvalue()


MASK = [False, True, False]
MADE_BY_ASTROPY = Table(
    {
        "u1": np.array([0, 255, 7], np.uint8),
        "i2": MaskedColumn(np.array([1, 2, -3], np.int16), mask=MASK),
        "i4": MaskedColumn(np.array([1, 2, -3], np.int32), mask=MASK),
        "i8": MaskedColumn(np.array([2**62 + 1, 2, -3], np.int64), mask=MASK),
        "f4": np.array([0.1, np.nan, -np.inf], np.float32),
        "f8": np.array([0.1, np.nan, 1e300]),
        "flag": MaskedColumn([True, False, False], mask=MASK),
        "text": ["a", "bcd", "x < y & z"],
        "wide": ["ä", "日本", "z"],
        "vector": np.arange(9, dtype=np.float32).reshape(3, 3),
        "matrix": np.arange(12, dtype=np.float64).reshape(3, 2, 2),
        "complex": np.array([1 + 2j, 3, 4j]),
    }
)


@pytest.mark.parametrize("version", ["1.1", "1.2", "1.3", "1.4", "1.5"])
@pytest.mark.parametrize("serialization", ["tabledata", "binary", "binary2"])
def test_what_astropy_writes_is_read(serialization: str, version: str) -> None:
    if serialization == "binary2" and version < "1.3":
        return
    # Without a number that stands for null, only BINARY2 and empty cells (since 1.3) can say it of a whole number.
    masked = serialization != "binary" and version >= "1.3"
    reader, rows = read(written(MADE_BY_ASTROPY if masked else MADE_BY_ASTROPY.filled(1), serialization, version))
    assert [column.name for column in reader.columns] == MADE_BY_ASTROPY.colnames
    for name in ("i2", "i4", "i8", "flag"):
        assert rows.null(name).tolist() == (MASK if masked else [False] * 3), name
        assert rows[name][[0, 2]].tolist() == MADE_BY_ASTROPY[name].data[[0, 2]].tolist()
    assert rows["u1"].tolist() == [0, 255, 7]
    assert rows.null("f4").tolist() == rows.null("f8").tolist() == MASK
    assert (rows["f4"][0], rows["f4"][2], rows["f8"][2]) == (np.float32(0.1), -np.inf, 1e300)
    assert rows["text"].tolist() == ["a", "bcd", "x < y & z"]
    assert rows["wide"].tolist() == ["ä", "日本", "z"]
    assert [np.frombuffer(cell, ">f4").tolist() for cell in rows["vector"]] == MADE_BY_ASTROPY["vector"].tolist()
    assert [np.frombuffer(cell, ">f8").tolist() for cell in rows["matrix"]] == MADE_BY_ASTROPY["matrix"].reshape(3, 4).tolist()
    assert [np.frombuffer(cell, ">c16").tolist() for cell in rows["complex"]] == [[1 + 2j], [3], [4j]]


FIELD = '<FIELD name="a" datatype="int"/>'
LINKED = FIELD.replace("/>", "><LINK href='x'/></FIELD>")
ROWS = "<DATA><TABLEDATA><TR><TD>1</TD></TR></TABLEDATA></DATA>"
SHAPES: dict[str, bytes] = {
    "no_namespace": f"<VOTABLE><RESOURCE><TABLE>{FIELD}{ROWS}</TABLE></RESOURCE></VOTABLE>".encode(),
    "a_prefix": re.sub(r"<(/?)(\w)", r"<\1v:\2", f'<VOTABLE xmlns:v="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>{FIELD}{ROWS}</TABLE></RESOURCE></VOTABLE>').encode(),
    "a_doctype": f'<?xml version="1.0"?><!DOCTYPE VOTABLE SYSTEM "http://us-vo.org/xml/VOTable.dtd"><VOTABLE version="1.0"><RESOURCE><TABLE>{FIELD}{ROWS}</TABLE></RESOURCE></VOTABLE>'.encode(),
    "comments_and_sections": f"<!-- x --><VOTABLE><RESOURCE><TABLE>{FIELD}<DATA><TABLEDATA><!-- y --><TR><TD><![CDATA[1]]></TD></TR>\n</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>".encode(),
    "groups_params_and_links": f'<VOTABLE><DESCRIPTION>d</DESCRIPTION><RESOURCE><INFO name="x" value="y"/><RESOURCE><TABLE><DESCRIPTION>t</DESCRIPTION><PARAM name="p" datatype="int" value="3"><DESCRIPTION>q</DESCRIPTION></PARAM><GROUP><FIELDref ref="a"/></GROUP>{LINKED}{ROWS}<INFO name="QUERY_STATUS" value="OVERFLOW"/></TABLE></RESOURCE></RESOURCE></VOTABLE>'.encode(),
    "a_second_table": f'<VOTABLE><RESOURCE><TABLE>{FIELD}{ROWS}</TABLE><TABLE><FIELD name="other" datatype="char"/></TABLE></RESOURCE></VOTABLE>'.encode(),
    "utf16": f'<?xml version="1.0" encoding="UTF-16"?><VOTABLE><RESOURCE><TABLE>{FIELD}{ROWS}</TABLE></RESOURCE></VOTABLE>'.encode("utf-16"),
    "latin1": f'<?xml version="1.0" encoding="ISO-8859-1"?><VOTABLE><DESCRIPTION>\xe4</DESCRIPTION><RESOURCE><TABLE>{FIELD}{ROWS}</TABLE></RESOURCE></VOTABLE>'.encode("latin-1"),
    "rows_said_wrongly": f'<VOTABLE><RESOURCE><TABLE nrows="99999999999">{FIELD}{ROWS}</TABLE></RESOURCE></VOTABLE>'.encode(),
    "spaces_and_hexadecimal": f"<VOTABLE><RESOURCE><TABLE>{FIELD}{ROWS.replace('>1<', '> 0x01 <')}</TABLE></RESOURCE></VOTABLE>".encode(),
}  # fmt: skip


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_documents_of_every_shape_are_read(shape: str, compressed: bool) -> None:
    content = gzip.compress(SHAPES[shape]) if compressed else SHAPES[shape]
    reader, rows = read(content)
    assert ([column.name for column in reader.columns], rows["a"].tolist()) == (["a"], [1])


@pytest.mark.parametrize(
    "data", ["", "<DATA/>", "<DATA><TABLEDATA/></DATA>", '<DATA><BINARY2><STREAM encoding="base64"/></BINARY2></DATA>']
)
def test_a_table_without_rows_has_its_columns(data: str) -> None:
    reader, rows = read(f"<VOTABLE><RESOURCE><TABLE>{FIELD}{data}</TABLE></RESOURCE></VOTABLE>".encode())
    assert ([column.name for column in reader.columns], len(rows)) == (["a"], 0)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_rows_longer_than_a_batch_are_read(size: int) -> None:
    texts = ["x" * (size << 20), "y", "z" * (size << 20)]
    for serialization in ("TABLEDATA", "BINARY", "BINARY2"):
        _, rows = read(document([Column("t", "char", "*"), Column("n", "int")], [[text, 1] for text in texts], serialization))
        assert rows["t"].tolist() == texts


def fits_document(table: Table, fields: list[Column], extension: str = "") -> bytes:
    """A VOTable whose rows are a FITS table, as TOPCAT's fits-inline writes it."""
    out = io.BytesIO()
    table.write(out, format="fits")
    stream = base64.b64encode(out.getvalue()).decode()
    xml = "".join(field.xml() for field in fields)
    return f'<VOTABLE><RESOURCE><TABLE>{xml}<DATA><FITS{extension}><STREAM encoding="base64">{stream}</STREAM></FITS></DATA></TABLE></RESOURCE></VOTABLE>'.encode()


@pytest.mark.parametrize("extension", ["", ' extnum="1"'])
def test_a_fits_table_inside_is_read(extension: str) -> None:
    names = ("u1", "i2", "i8", "f4", "f8", "text", "vector", "complex")
    kinds = (
        ("unsignedByte", None),
        ("short", None),
        ("long", None),
        ("float", None),
        ("double", None),
        ("char", "*"),
        ("float", "3"),
        ("doubleComplex", None),
    )
    fields = [Column(name, datatype, arraysize) for name, (datatype, arraysize) in zip(names, kinds, strict=True)]
    _, rows = read(fits_document(MADE_BY_ASTROPY[names], fields, extension))
    assert rows.null("i2").tolist() == rows.null("i8").tolist() == rows.null("f4").tolist() == MASK
    assert (rows["u1"].tolist(), rows["i8"][0], rows["f8"][2]) == ([0, 255, 7], 2**62 + 1, 1e300)
    assert rows["text"].tolist() == ["a", "bcd", "x < y & z"]
    assert [np.frombuffer(cell, ">f4").tolist() for cell in rows["vector"]] == MADE_BY_ASTROPY["vector"].tolist()
    assert [np.frombuffer(cell, ">c16").tolist() for cell in rows["complex"]] == [[1 + 2j], [3], [4j]]


@pytest.mark.parametrize(
    ("fields", "extension", "said"),
    [
        ([Column("u1", "unsignedByte")], "", "has 2 columns, but there are 1 FIELDs"),
        ([Column("u1", "unsignedByte"), Column("text", "int")], "", "is not of its type in its FITS table"),
        ([Column("u1", "char", "*"), Column("text", "char", "*")], "", "is no text in its FITS table"),
        ([Column("u1", "unsignedByte"), Column("text", "double")], "", "is no number in its FITS table"),
        ([Column("u1", "unsignedByte"), Column("text", "char", "*")], ' extnum="7"', "holds no table that can be read"),
        ([Column("u1", "unsignedByte"), Column("text", "char", "*")], ' extnum="0"', "holds no table that can be read"),
    ],
)
def test_a_fits_table_that_does_not_fit_is_refused(fields: list[Column], extension: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        read(fits_document(MADE_BY_ASTROPY["u1", "text"], fields, extension))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_fits_table_is_read_or_refused(data: st.DataObject) -> None:
    out = io.BytesIO()
    MADE_BY_ASTROPY["u1", "text"].write(out, format="fits")
    content = bytearray(out.getvalue())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(32, 126))
    stream = base64.b64encode(bytes(content[: data.draw(st.integers(0, len(content)))])).decode()
    fields = Column("u1", "unsignedByte").xml() + Column("text", "char", "*").xml()
    _read_or_refused(
        f'<VOTABLE><RESOURCE><TABLE>{fields}<DATA><FITS><STREAM encoding="base64">{stream}</STREAM></FITS></DATA></TABLE></RESOURCE></VOTABLE>'.encode()
    )


ALPHABET = st.sampled_from(
    ["<VOTABLE>", "</VOTABLE>", "<RESOURCE>", "</RESOURCE>", "<TABLE>", "</TABLE>", FIELD, '<FIELD name="b" datatype="char" arraysize="*"/>', "<DATA>", "</DATA>",
     "<TABLEDATA>", "</TABLEDATA>", "<TR>", "</TR>", "<TD>", "</TD>", "1", "x", "&lt;", "&amp;", "<BINARY2>", "</BINARY2>", "<BINARY>", "</BINARY>",
     '<STREAM encoding="base64">', "</STREAM>", "AAAAAQ==", "<FITS>", "</FITS>", "<DESCRIPTION>", "</DESCRIPTION>", '<VALUES null="1"/>', "<!--", "-->", " "]
)  # fmt: skip
GOOD = document(
    [Column("a", "int"), Column("b", "char", "*"), Column("c", "double", "2")], [[1, "one", [1.0, 2.0]], [None, "two", None]], "BINARY2"
)


@settings(max_examples=300, deadline=None)
@given(pieces=st.lists(ALPHABET, max_size=40))
def test_any_sequence_of_tags_is_read_or_refused(pieces: list[str]) -> None:
    _read_or_refused(("<VOTABLE><RESOURCE><TABLE>" + "".join(pieces)).encode())


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255), cut=st.integers(1, len(GOOD)))
def test_any_damage_is_read_or_refused(at: int, byte: int, cut: int) -> None:
    damaged = bytearray(GOOD)
    damaged[at] = byte
    _read_or_refused(bytes(damaged))
    _read_or_refused(bytes(damaged[:cut]))
    _read_or_refused(gzip.compress(GOOD)[:cut])


def _read_or_refused(content: bytes) -> Any:
    try:
        return read(content)
    except RequestError as error:
        assert str(error)
    return None
