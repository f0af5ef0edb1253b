"""Uploads that are refused: with a sentence that names the table and the place, as the client's fault, and the service goes on."""

import gzip
import io
import re
import time
from typing import Any

import httpx
import pytest

from tap_service.errors import ParameterError
from tap_service.limits import Limits
from tap_service.uploads.votable import VOTableReader
from tests.tap_service.uploads.votable_writer import Column, document

QUERY = "SELECT COUNT(*) AS n FROM TAP_UPLOAD.t1"


def asked(service: Any, table: bytes, upload: str = "t1,param:x", query: str = QUERY) -> httpx.Response:
    form = {"QUERY": query, "UPLOAD": upload, "FORMAT": "csv"}
    return httpx.post(f"{service.url}/sync", data=form, files={"x": ("x.xml", table)}, timeout=60)


def one(field: str, cells: str, data: str = "TABLEDATA") -> bytes:
    inner = f"<TABLEDATA>{cells}</TABLEDATA>" if data == "TABLEDATA" else f'<{data}><STREAM encoding="base64">{cells}</STREAM></{data}>'
    return f'<VOTABLE version="1.4"><RESOURCE><TABLE>{field}<DATA>{inner}</DATA></TABLE></RESOURCE></VOTABLE>'.encode()


def row(*cells: str) -> str:
    return "<TR>" + "".join(f"<TD>{cell}</TD>" for cell in cells) + "</TR>"


INT = '<FIELD name="a" datatype="int"/>'
BOMB = b'<!DOCTYPE VOTABLE [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><VOTABLE>&b;</VOTABLE>'
FILE = b'<!DOCTYPE VOTABLE [<!ENTITY f SYSTEM "file:///etc/passwd">]><VOTABLE>&f;</VOTABLE>'
# Documents, and what the message must say.
REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "is no VOTable: .*no element found"),
    "no_xml": (b"source_id\n1\n2\n", "is no VOTable: line 1, column 1"),
    "a_fits_file": (b"SIMPLE  =                    T" + b" " * 3000, "is no VOTable"),
    "html": (b"<html><body>Not found</body></html>", "first element is html"),
    "cut_in_the_middle": (document([Column("a", "int")], [[1], [2]])[:-60], "is no VOTable: line"),
    "an_entity_bomb": (BOMB, "declares the entity a"),
    "a_file_of_ours": (FILE, "declares the entity f"),
    "no_table": (b"<VOTABLE><RESOURCE/></VOTABLE>", "holds no TABLE"),
    "no_field": (b"<VOTABLE><RESOURCE><TABLE/></RESOURCE></VOTABLE>", "has no FIELD"),
    "a_field_without_name": (one('<FIELD datatype="int"/>', ""), "FIELD number 1 has no name"),
    "an_unknown_datatype": (one('<FIELD name="a" datatype="quaternion"/>', ""), "datatype 'quaternion'; VOTable's are boolean"),
    "no_datatype": (one('<FIELD name="a"/>', ""), "datatype ''"),
    "a_strange_arraysize": (one('<FIELD name="a" datatype="int" arraysize="many"/>', ""), "arraysize 'many'"),
    "a_huge_arraysize": (one('<FIELD name="a" datatype="char" arraysize="9999999999999"/>', row("x")), "at most 1048576 bytes a cell"),
    "a_strange_null": (one('<FIELD name="a" datatype="int"><VALUES null="none"/></FIELD>', ""), "null='none', which is no whole number"),
    "too_many_columns": (one("".join(f'<FIELD name="c{n}" datatype="int"/>' for n in range(1501)), ""), "more than 1500 columns"),
    "rows_too_wide": (one("".join(f'<FIELD name="c{n}" datatype="double"/>' for n in range(1400)), row(*["1"] * 1400)), "too wide for the database"),
    "elements_too_deep": (b"<VOTABLE>" + b"<RESOURCE>" * 5000, "more than 100 deep"),
    "too_few_cells": (one(INT + INT.replace('"a"', '"b"'), row("1", "2") + row("3")), "row 2 has 1 cells, but the table has 2 FIELDs"),
    "too_many_cells": (one(INT, row("1") + row("2", "3")), "row 2 has 2 cells"),
    "an_empty_row": (one(INT, "<TR/>"), "row 1 has 0 cells"),
    "another_element_in_a_table": (one(INT, "<TR><X>1</X></TR>"), "has an element X"),
    "a_cell_in_base64": (one(INT, '<TR><TD encoding="base64">AAAAAQ==</TD></TR>'), "row 1 has a TD with an encoding"),
    "a_word_for_a_number": (one(INT, row("1") + row("many")), "column a, row 2: 'many' is no int"),
    "a_number_too_large": (one(INT, row("2147483648")), "column a, row 1: '2147483648' is not between -2147483648 and 2147483647"),
    "a_number_beyond_all": (one(INT.replace("int", "long"), row("9" * 30)), "column a, row 1: '9+' is not between"),
    "a_fraction_for_a_whole_number": (one(INT, row("1.5")), "'1.5' is no int"),
    "a_number_with_underscores": (one(INT, row("1_000")), "'1_000' is no"),
    "a_word_for_a_float": (one('<FIELD name="a" datatype="double"/>', row("1e3") + row("")+ row("x")), "row 3: 'x' is no double"),
    "a_float_too_large": (one('<FIELD name="a" datatype="float"/>', row("1e39")), "row 1: '1e39' is beyond what a float holds"),
    "a_word_for_a_boolean": (one('<FIELD name="a" datatype="boolean"/>', row("maybe")), "'maybe' is no boolean"),
    "an_array_of_the_wrong_length": (one('<FIELD name="a" datatype="int" arraysize="3"/>', row("1 2 3") + row("1 2")), "row 2: '2 values' are not the 3 of its arraysize"),
    "a_word_in_an_array": (one('<FIELD name="a" datatype="double" arraysize="*"/>', row("1 2 x")), "row 1: 'x' is no double"),
    "half_a_complex_number": (one('<FIELD name="a" datatype="floatComplex" arraysize="*"/>', row("1 2 3")), "no whole number of complex ones"),
    "a_time_in_words": (one('<FIELD name="a" datatype="char" arraysize="*" xtype="timestamp"/>', row("yesterday")), "^unsupported-xtype: timestamp .column a, row 1: 'yesterday'.*TAP_UPLOAD.t1"),
    "a_day_that_is_not": (one('<FIELD name="a" datatype="char" arraysize="*" xtype="timestamp"/>', row("2021-02-29")), "^unsupported-xtype: timestamp .*no time of the calendar"),
    "a_time_too_fine": (one('<FIELD name="a" datatype="char" arraysize="*" xtype="timestamp"/>', row("2021-02-28T00:00:00.1234567")), "^unsupported-xtype: .*finer than a microsecond"),
    "a_leap_second": (one('<FIELD name="a" datatype="char" arraysize="*" xtype="timestamp"/>', row("2016-12-31T23:59:60")), "^unsupported-xtype: timestamp"),
    "no_base64": (one(INT, "*****", "BINARY"), "no base64 text"),
    "base64_beyond_ascii": (one(INT, "ä\u00f6", "BINARY"), "no base64 text"),
    "a_stream_cut_within_a_row": (one(INT, "AAAAAQAA", "BINARY"), "ends within row 2"),
    "a_stream_of_few_bits": (one(INT, "AAAAAQAA", "BINARY2"), "ends within row 2"),
    "a_count_beyond_the_stream": (one('<FIELD name="a" datatype="char" arraysize="*"/>', "/////2FiYw==", "BINARY"), "ends within row 1"),
    "rows_without_bytes": (one('<FIELD name="a" datatype="int" arraysize="0"/>', "AAAA", "BINARY"), "rows have no bytes"),
    "a_boolean_of_another_letter": (one('<FIELD name="a" datatype="boolean"/>', "eg==", "BINARY"), "is no boolean"),
    "rows_elsewhere": (b'<VOTABLE><RESOURCE><TABLE>' + INT.encode() + b'<DATA><BINARY><STREAM href="http://127.0.0.1/"/></BINARY></DATA></TABLE></RESOURCE></VOTABLE>', "rows lie elsewhere"),
    "another_encoding": (b'<VOTABLE><RESOURCE><TABLE>' + INT.encode() + b'<DATA><BINARY><STREAM encoding="gzip">x</STREAM></BINARY></DATA></TABLE></RESOURCE></VOTABLE>', "encoding 'gzip'"),
    "a_damaged_gzip": (gzip.compress(document([Column("a", "int")], [[1]]))[:-20], "gzipped, but damaged"),
    "an_unknown_character_set": (b'<?xml version="1.0" encoding="klingon"?><VOTABLE/>', "is no VOTable: .*unknown encoding"),
    "bytes_that_are_no_utf8": (one('<FIELD name="a" datatype="char" arraysize="*"/>', row("x")).replace(b">x<", b">\xff\xfe<"), "is no VOTable"),
    "halves_of_characters": (one('<FIELD name="a" datatype="unicodeChar" arraysize="2"/>', "2AAAQQ==", "BINARY"), "column a, row 1: .* is no text"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_document_that_cannot_be_read_is_the_clients_fault(service: Any, case: str) -> None:
    table, said = REFUSED[case]
    answer = asked(service, table)
    assert answer.status_code in (400, 413), answer.text
    message = re.search(r'<INFO name="QUERY_STATUS" value="ERROR">(.*?)</INFO>', answer.text, re.DOTALL)
    assert message is not None
    text = message[1].replace("&lt;", "<").replace("&gt;", ">")
    assert "TAP_UPLOAD.t1" in text, text
    assert re.search(said, text, re.DOTALL), text


# UPLOAD as it should not be written, and what the message must say.
PARAMETERS = {
    "no_place": ("t1", "should be name,param:part or name,http://address"),
    "no_part": ("t1,", "should be name,param:part"),
    "no_scheme": ("t1,x", "should be name,param:part"),
    "no_name": (",param:x", "names a table ''"),
    "a_schema": ("tap_upload.t1,param:x", "without a schema"),
    "a_quoted_name": ('"t 1",param:x', "names a table"),
    "a_digit_first": ("1t,param:x", "names a table '1t'"),
    "a_long_name": ("t" * 64 + ",param:x", "has 64 characters"),
    "a_missing_part": ("t1,param:y", "needs a part called 'y' in the request, but its parts are x"),
    "one_name_twice": ("t1,param:x;T1,param:x", "names the table T1 twice"),
    "a_file": ("t1,file:///etc/passwd", "points to file:, but tables are taken from param:, http: and https: only"),
    "ftp": ("t1,ftp://example.org/t.xml", "points to ftp:"),
    "vospace": ("t1,vos://example.org/t.xml", "points to vos:"),
}


@pytest.mark.parametrize("case", PARAMETERS)
def test_an_upload_that_is_wrongly_written_is_told_so(service: Any, case: str) -> None:
    upload, said = PARAMETERS[case]
    answer = asked(service, document([Column("a", "int")], [[1]]), upload)
    assert answer.status_code == 400
    assert said in answer.text.replace("&lt;", "<"), answer.text


def test_a_table_that_was_not_uploaded_gets_the_name_of_one_that_was(service: Any) -> None:
    table = document([Column("a", "int")], [[1]])
    assert "did you mean tap_upload.stars?" in asked(service, table, "stars,param:x", "SELECT * FROM TAP_UPLOAD.star").text
    assert "tap_upload.t1" in asked(service, table, query="SELECT * FROM TAP_UPLOAD.zzzz").text


def test_a_query_of_an_upload_that_did_not_come_says_how_to_send_it(service: Any) -> None:
    answer = httpx.get(f"{service.url}/sync", params={"QUERY": QUERY})
    assert answer.status_code == 400
    assert "no table came with the request" in answer.text


def test_a_typing_error_is_told_before_the_table_is_read(service: Any) -> None:
    answer = asked(service, b"no table at all", query="SELEC * FROM TAP_UPLOAD.t1")
    assert "line 1, column 1" in answer.text


LIMITS = Limits(upload_rows=10, upload_bytes=5000, request_bytes=3000)
LARGE = {
    "rows": (document([Column("a", "int")], [[n] for n in range(11)]), 413, "more than 10 rows"),
    "binary_rows": (document([Column("a", "int")], [[n] for n in range(11)], "BINARY"), 413, "more than 10 rows"),
    "bytes": (b" " * 5001, 413, "more than 5000 bytes"),
    "bytes_after_decompression": (gzip.compress(document([Column("a", "char", "*")], [["x" * 6000]])), 413, "more than 5000 bytes"),
    "neither": (document([Column("a", "int")], [[n] for n in range(10)]), 200, "n\n10\n"),
}


@pytest.mark.parametrize("case", LARGE)
def test_what_is_too_large_is_refused_never_cut(serve: Any, stars: Any, case: str) -> None:
    table, status, said = LARGE[case]
    with serve(stars, LIMITS) as service:
        answer = asked(service, table)
    assert (answer.status_code, said in answer.text) == (status, True), answer.text


def test_one_file_as_many_tables_is_as_large_as_all_of_them(serve: Any, stars: Any) -> None:
    """Else a few kilobytes of a compressed file, named fifty times, would keep a place busy for an hour."""
    table = gzip.compress(document([Column("a", "char", "*")], [["x" * 2000]]))
    with serve(stars, LIMITS) as service:
        for names, status, said in (
            (2, 200, "n\n1\n"),
            (3, 413, "TAP_UPLOAD.t3 cannot be read: with the tables before it, it has more than 5000 bytes"),
        ):
            fields = {
                "QUERY": "SELECT COUNT(*) AS n FROM TAP_UPLOAD.t1",
                "FORMAT": "csv",
                "UPLOAD": [f"t{n},param:a" for n in range(1, names + 1)],
            }
            answer = httpx.post(f"{service.url}/sync", data=fields, files={"a": ("a", table)})
            assert (answer.status_code, said in answer.text) == (status, True), answer.text


@pytest.mark.parametrize("begun", [b'<A b="', b"<!--", b"<?pi ", b"<A "])
def test_a_tag_without_an_end_is_refused_before_it_takes_minutes(begun: bytes) -> None:
    reader, began = VOTableReader(io.BytesIO(b"<VOTABLE>" + begun + b"x" * 20_000_000), Limits()), time.monotonic()
    with pytest.raises(ParameterError, match="a tag or a comment of more than 1048576 bytes"):
        list(reader.blocks())
    assert time.monotonic() - began < 1


def test_long_texts_are_no_tags() -> None:
    text = "x" * 5_000_000
    content = document([Column("a", "char", "*")], [[text], ["y"]]).replace(
        b"<RESOURCE", f"<!-- a --><DESCRIPTION>{text}<![CDATA[{text}]]></DESCRIPTION><RESOURCE".encode(), 1
    )
    reader = VOTableReader(io.BytesIO(content), Limits())
    assert [len(text) for rows in reader.blocks() for text in next(iter(rows.values.values()))] == [5_000_000, 1]


def test_reading_tables_has_the_time_of_a_query(serve: Any, stars: Any) -> None:
    table = document([Column("a", "int")], [[n] for n in range(200_000)])
    with serve(stars, Limits(seconds=0.05)) as service:
        answer = asked(service, table)
    assert (answer.status_code, "took longer than the 0.05 s that a query may take" in answer.text) == (400, True), answer.text


def test_a_client_that_is_still_sending_reads_why_its_body_is_too_large(serve: Any, stars: Any) -> None:
    def body() -> Any:
        yield b'--b\r\nContent-Disposition: form-data; name="x"; filename="x"\r\n\r\n'
        for _ in range(200):
            yield b" " * 65536
        yield b"\r\n--b--\r\n"

    with serve(stars, LIMITS) as service:
        answer = httpx.post(f"{service.url}/sync", content=body(), headers={"Content-Type": "multipart/form-data; boundary=b"}, timeout=60)
    assert (answer.status_code, "more than 5000 bytes" in answer.text) == (413, True)


@pytest.mark.parametrize("filename", ["", '; filename="q"'])
def test_parameters_that_are_too_long_are_refused(serve: Any, stars: Any, filename: str) -> None:
    body = f'--b\r\nContent-Disposition: form-data; name="QUERY"{filename}\r\n\r\n{"x" * 6000}\r\n--b--\r\n'
    with serve(stars, LIMITS) as service:
        answer = httpx.post(f"{service.url}/sync", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert answer.status_code == 413
