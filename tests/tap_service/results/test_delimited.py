"""CSV and TSV: exact lines, and numbers that read back to the same bits."""

import csv
import io
from collections.abc import Callable

import numpy as np
import pytest

from catalog.binary_copy import RawBlock
from tap_service.results.delimited import Csv, Tsv
from tap_service.results.field_types import Field

Copied = Callable[..., list[RawBlock]]

CASES = {
    "source_id": ("6999999999999999999", Field("x", "long"), "6999999999999999999"),
    "shortest_float": ("0.1::real", Field("x", "float"), "0.1"),
    "nan": ("'NaN'::float8", Field("x", "double"), "NaN"),
    "infinities_have_their_sign": ("'-Infinity'::real", Field("x", "float"), "-Inf"),
    "boolean": ("true", Field("x", "boolean"), "true"),
    "timestamp": ("'2016-01-01 01:00:00+01'::timestamptz", Field("x", "char", "*", "timestamp"), "2016-01-01T00:00:00.000000"),
    "vector": (r"'\x3f8000003dcccccd'::bytea", Field("x", "float", "2"), "1 0.1"),
    "vector_of_any_length": (r"'\x3f8000007fc00000'::bytea", Field("x", "float", "*"), "1 NaN"),
    "array": ("array[1.5, 2]::float8[]", Field("x", "double", "*"), "1.5 2"),
    "bytes": (r"'\x01ff'::bytea", Field("x", "unsignedByte", "*"), "1 255"),
    "json": ("'{\"a\": 1}'::jsonb::text", Field("x", "char", "*", "json"), '{"a": 1}'),
    "text_keeps_every_character": ("'né ☃'", Field("x", "char", "*"), "né ☃"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_cell_is_readable(copied: Copied, case: str) -> None:
    value, field, expected = CASES[case]
    blocks = copied(f"SELECT {value}, 7 UNION ALL SELECT NULL, 7")
    fields = (field, Field("n", "int"))
    csv_rows = list(csv.reader(io.StringIO(b"".join(map(Csv(fields).rows, blocks)).decode())))
    assert csv_rows == [[expected, "7"], ["", "7"]]
    assert b"".join(map(Tsv(fields).rows, blocks)).decode() == f"{expected}\t7\n\t7\n"


def test_csv_quotes_what_needs_it(copied: Copied) -> None:
    writer = Csv((Field("a,b", "char", "*"), Field("c", "char", "*")))
    rows = b"".join(map(writer.rows, copied("SELECT E'x,\"y\"\\nz', '' UNION ALL SELECT NULL, 'plain'")))
    assert writer.begin() + rows + writer.end(False) == b'"a,b",c\n"x,""y""\nz",""\n,"plain"\n'


def test_tsv_has_no_tabs_or_line_ends_inside_a_value(copied: Copied) -> None:
    writer = Tsv((Field("a", "char", "*"), Field("b", "char", "*")))
    assert writer.begin() + b"".join(map(writer.rows, copied("SELECT E'x\\ty\\r\\nz', 'say \"w\"'"))) == b'a\tb\nx y  z\tsay "w"\n'


def test_numbers_read_back_to_the_same_bits(copied: Copied) -> None:
    query = "SELECT (random() * 10 ^ (20 * random() - 10))::float8 AS d, (random() * 10 ^ (20 * random() - 10))::real AS r FROM generate_series(1, 500)"
    blocks = copied(query)
    rows = list(csv.reader(io.StringIO(Csv((Field("d", "double"), Field("r", "float"))).rows(blocks[0]).decode())))
    cells = blocks[0].cells(2)[0]
    data = np.frombuffer(blocks[0].buffer, np.uint8)
    doubles = [data[at : at + 8].tobytes() for at in cells[:, 0]]
    floats = [data[at : at + 4].tobytes() for at in cells[:, 1]]
    assert [np.array(float(row[0]), ">f8").tobytes() for row in rows] == doubles
    assert [np.array(float(row[1]), ">f4").tobytes() for row in rows] == floats
