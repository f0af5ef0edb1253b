"""Bodies with tables in the shapes that clients really send them, whole and in pieces."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_service.errors import ParameterError
from tap_service.limits import Limits
from tap_service.uploads.multipart import MultipartBody
from tests.tap_service.uploads.votable_writer import Column, document

TABLE = document([Column("a", "int")], [[1], [2]])
QUERY = b"SELECT COUNT(*) AS n FROM TAP_UPLOAD.t1"


def body(boundary: str, *parts: tuple[str, bytes], lead: bytes = b"", end: bytes = b"\r\n") -> bytes:
    lines = [lead]
    for headers, content in parts:
        lines.append(f"--{boundary}\r\n{headers}\r\n\r\n".encode() + content + b"\r\n")
    return b"".join(lines) + f"--{boundary}--".encode() + end


def field(name: str, more: str = "") -> str:
    return f'Content-Disposition: form-data; name="{name}"{more}'


TOPCAT = "<<<--------------MULTIPART-BOUNDARY------->>>"
PLAIN = "\r\nContent-Type: text/plain; charset=UTF-8"
VOTABLE = "\r\nContent-Type: application/x-votable+xml"
# Content-Type, and the body.
SHAPES: dict[str, tuple[str, bytes]] = {
    "topcat": (
        f'multipart/form-data; boundary="{TOPCAT}"',
        body(TOPCAT, (field("LANG") + PLAIN, b"ADQL"), (field("QUERY") + PLAIN, QUERY), (field("FORMAT") + PLAIN, b"csv"), (field("UPLOAD") + PLAIN, b"t1,param:t1"),
             (field("t1", '; filename="t1"') + VOTABLE, TABLE), lead=b"\r\n"),
    ),
    "astroquery": (
        "multipart/form-data; boundary====1763750000000===",
        body("===1763750000000===", (field("QUERY"), QUERY), (field("FORMAT"), b"csv"), (field("PHASE"), b"RUN"), (field("tapclient"), b"x"), (field("UPLOAD"), b"t1,param:t1"),
             (field("t1", '; filename="t.vot"') + "\r\nContent-Type: None", TABLE)),
    ),
    "no_content_type_and_the_file_first": (
        "multipart/form-data; boundary=b",
        body("b", (field("t1", '; filename=""'), TABLE), (field("UPLOAD"), b"t1,param:t1"), (field("QUERY"), QUERY), (field("FORMAT"), b"csv"), end=b""),
    ),
    "a_table_without_a_file_name": (
        "multipart/form-data; boundary=b",
        body("b", (field("UPLOAD"), b"t1,param:table"), (field("QUERY"), QUERY), (field("FORMAT"), b"csv"), (field("table") + VOTABLE, TABLE)),
    ),
    "capitals_and_a_charset_of_the_body": (
        "Multipart/Form-Data; Charset=utf-8; Boundary=b",
        body("b", ('CONTENT-DISPOSITION: form-data; NAME="upload"', b"t1,PARAM:X"), (field("query"), QUERY), (field("Format"), b"csv"), (field("x", "; FileName=t"), TABLE)),
    ),
    "text_after_the_end": (
        "multipart/form-data; boundary=b",
        body("b", (field("UPLOAD"), b"t1,param:x"), (field("QUERY"), QUERY), (field("FORMAT"), b"csv"), (field("x", "; filename=x"), TABLE), end=b"\r\nepilogue"),
    ),
    "empty_uploads_and_unused_parts": (
        "multipart/form-data; boundary=b",
        body("b", (field("UPLOAD"), b""), (field("UPLOAD"), b"t1,param:x;"), (field("QUERY"), QUERY), (field("FORMAT"), b"csv"), (field("x", "; filename=x"), TABLE), (field("y", "; filename=y"), b"no table")),
    ),
}  # fmt: skip


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_body_as_clients_send_it_is_read(service: Any, shape: str, chunked: bool) -> None:
    content_type, content = SHAPES[shape]
    pieces = (content[at : at + 37] for at in range(0, len(content), 37))
    answer = httpx.post(f"{service.url}/sync", content=pieces if chunked else content, headers={"Content-Type": content_type}, timeout=60)
    assert (answer.status_code, answer.text) == (200, "n\n2\n")


BROKEN = {
    "no_boundary": ("multipart/form-data", SHAPES["astroquery"][1], "names no boundary"),
    "another_boundary": ("multipart/form-data; boundary=other", SHAPES["astroquery"][1], "is no multipart/form-data"),
    "a_boundary_without_end": (f"multipart/form-data; boundary={'b' * 5000}", b"", "cannot be read"),
    "cut": ("multipart/form-data; boundary=b", SHAPES["text_after_the_end"][1][:-30], "ends before its last boundary"),
    "empty": ("multipart/form-data; boundary=b", b"", "ends before its last boundary"),
    "one_file_twice": ("multipart/form-data; boundary=b", body("b", (field("x", "; filename=x"), b"1"), (field("x", "; filename=x"), b"2")), "Two files of the request are called 'x'"),
    "many_parts": ("multipart/form-data; boundary=b", body("b", *[(field("x"), b"1")] * 1001), "more than 1000 parts"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_body_is_the_clients_fault(service: Any, case: str) -> None:
    content_type, content, said = BROKEN[case]
    answer = httpx.post(f"{service.url}/sync", content=content, headers={"Content-Type": content_type}, timeout=60)
    assert answer.status_code in (400, 413)
    assert said in answer.text


@settings(max_examples=100, deadline=None)
@given(data=st.data(), content=st.binary(max_size=300), value=st.text(st.characters(exclude_categories=("Cs",)), max_size=50))
def test_a_body_in_any_pieces_gives_the_same(tmp_path_factory: Any, data: st.DataObject, content: bytes, value: str) -> None:
    folder: Path = tmp_path_factory.mktemp("parts")
    whole = body("b", (field("q"), value.encode()), (field("t", "; filename=t"), content))
    parts = MultipartBody("multipart/form-data; boundary=b", folder, Limits())
    if b"\r\n--b" in content or "\r\n--b" in value:
        return
    at = 0
    while at < len(whole):
        size = data.draw(st.integers(1, 64))
        parts.write(whole[at : at + size])
        at += size
    parts.finish()
    assert (parts.pairs, parts.files["t"].read_bytes()) == ([("q", value)], content)


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory: Any, content: bytes) -> None:
    parts = MultipartBody("multipart/form-data; boundary=b", None, Limits())
    try:
        parts.write(b"--b\r\n" + content)
        parts.finish()
    except ParameterError as error:
        assert str(error)
    finally:
        parts.close()
