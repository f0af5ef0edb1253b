"""Uploads as any HTTP client sends them, by the rules' numbers (A3), and what a wrong one is told."""

import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import numpy as np
import pytest
from astropy.io import votable
from astropy.table import Table

SELECT = "SELECT * FROM TAP_UPLOAD.t"


def table_of(answer: httpx.Response) -> Table:
    assert answer.status_code == 200, answer.text
    return votable.parse_single_table(io.BytesIO(answer.content)).to_table(use_names_over_ids=True)


def written(table: Table, serialization: str = "tabledata") -> bytes:
    document = io.BytesIO()
    table.write(document, format="votable", tabledata_format=serialization)
    return document.getvalue()


NUMBERS = written(Table({"n": [3, 1, 2]}))
BROKEN = NUMBERS[: len(NUMBERS) // 2]
MULTIPART = "multipart/form-data; boundary=x"


@dataclass(frozen=True)
class Sent:
    """What a request uploads, and what the answer says: the column n in its order, or an error."""

    upload: list[str]
    files: dict[str, bytes] = field(default_factory=dict)
    query: str = SELECT
    gives: list[int] | None = None
    says: str = ""


CASES = {
    "A3.1 a part of the request": Sent(["t,param:t"], {"t": NUMBERS}, gives=[3, 1, 2]),
    "A3.1 a part with another name than the table": Sent(["t,param:some-part"], {"some-part": NUMBERS}, gives=[3, 1, 2]),
    "A3.2 several tables in one value": Sent(["t,param:a;u,param:b"], {"a": NUMBERS, "b": NUMBERS}, "SELECT t.n FROM TAP_UPLOAD.t AS t JOIN TAP_UPLOAD.u AS u ON t.n = u.n WHERE t.n = 3", gives=[3]),
    "A3.2 several values": Sent(["t,param:a", "u,param:b"], {"a": NUMBERS, "b": NUMBERS}, "SELECT t.n FROM TAP_UPLOAD.t AS t JOIN TAP_UPLOAD.u AS u USING (n) WHERE n = 1", gives=[1]),
    "A3.2 one part for two tables": Sent(["t,param:a;u,param:a"], {"a": NUMBERS}, "SELECT n FROM TAP_UPLOAD.u", gives=[3, 1, 2]),
    "A3.3 names in another case": Sent(["MyTable,param:t"], {"t": NUMBERS}, "SELECT N FROM tap_upload.MYTABLE", gives=[3, 1, 2]),
    "A3.3 a name with its schema": Sent(["TAP_UPLOAD.t,param:t"], {"t": NUMBERS}, says="without a schema"),
    "A3.3 a name that is none": Sent(["1t,param:t"], {"t": NUMBERS}, says="'1t'"),
    "A3.3 one name for two tables": Sent(["t,param:a;T,param:b"], {"a": NUMBERS, "b": NUMBERS}, says="twice"),
    "A3.3 a table that was not uploaded": Sent(["t,param:t"], {"t": NUMBERS}, "SELECT * FROM TAP_UPLOAD.u", says="TAP_UPLOAD.u"),
    "A3.3 a name that nobody else has, without TAP_UPLOAD": Sent(["mine,param:t"], {"t": NUMBERS}, "SELECT * FROM mine", gives=[3, 1, 2]),
    "A3.1 a part that is not there": Sent(["t,param:t"], {"u": NUMBERS}, says="needs a part called 't'"),
    "A3.1 no part at all": Sent(["t,param:t"], says="needs a part called 't'"),
    "A3.1 a place that is no address": Sent(["t,ftp://example.org/t.xml"], says="ftp"),
    "A3.1 half a value": Sent(["t"], says="name,param:part"),
    "A3.5 half a document": Sent(["t,param:t"], {"t": BROKEN}, says="TAP_UPLOAD.t"),
    "A3.5 no document": Sent(["t,param:t"], {"t": b"ra,dec\n1,2\n"}, says="VOTable"),
    "A3.5 an empty part": Sent(["t,param:t"], {"t": b""}, says="TAP_UPLOAD.t"),
    "A3.9 an address of this machine": Sent(["t,http://127.0.0.1:1/t.xml"], says="127.0.0.1"),
    "A3.9 an address of the network here": Sent(["t,http://192.168.0.1/t.xml"], says="192.168.0.1"),
    "A3.9 an address of the cloud's own data": Sent(["t,http://169.254.169.254/latest"], says="169.254.169.254"),
}  # fmt: skip


@pytest.mark.parametrize("rule", CASES)
def test_sync(http: httpx.Client, rule: str) -> None:
    case = CASES[rule]
    data = {"QUERY": case.query, "LANG": "ADQL", "UPLOAD": case.upload}
    answer = http.post(
        "sync", data=data, files={name: (name, content, "application/x-votable+xml") for name, content in case.files.items()}
    )
    if case.gives is not None:
        assert list(table_of(answer)["n"]) == case.gives
    else:
        assert answer.status_code in (400, 413), answer.text
        assert 'value="ERROR"' in answer.text
        assert case.says in answer.text


@pytest.mark.parametrize("head", ["", "Content-Type: None\r\n", "Content-Type: text/xml\r\nContent-Transfer-Encoding: binary\r\n"])
def test_a_part_needs_no_type(http: httpx.Client, head: str) -> None:
    """astroquery writes None there."""
    pairs = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (("QUERY", SELECT), ("UPLOAD", "t,param:t"))
    )
    body = f'{pairs}--x\r\nContent-Disposition: form-data; name="t"; filename="pytable"\r\n{head}\r\n'.encode() + NUMBERS + b"\r\n--x--\r\n"
    assert list(table_of(http.post("sync", content=body, headers={"Content-Type": MULTIPART}))["n"]) == [3, 1, 2]


@pytest.mark.parametrize("serialization", ["tabledata", "binary", "binary2"])
def test_a3_4_and_a3_5_values_names_and_their_order_come_back(http: httpx.Client, serialization: str) -> None:
    sent = Table(
        {
            "order": np.arange(5)[::-1], "Star Name": ["α Cen", "", "x" * 300, "a&b<c>", "last"], "ra_2000": np.linspace(0, 360, 5, endpoint=False),
            "size": np.array([1.5, 2.5, -0.0, 3.4e38, 1e-38], "f4"), "flag": [True, False, True, True, False], "few": np.array([-32768, 32767, 0, 1, 2], "i2"),
        }
    )  # fmt: skip
    files = {"t": ("t", written(sent, serialization))}
    back = table_of(http.post("sync", data={"QUERY": SELECT, "UPLOAD": "t,param:t"}, files=files))
    assert back.colnames == sent.colnames
    for name in sent.colnames:
        np.testing.assert_array_equal(np.asarray(back[name]), np.asarray(sent[name]), err_msg=name)
    named = http.post(
        "sync", data={"QUERY": 'SELECT "Star Name", "order", "size" AS s FROM TAP_UPLOAD.t', "UPLOAD": "t,param:t"}, files=files
    )
    assert table_of(named).colnames == ["Star Name", "order", "s"]


def test_a3_6_nulls_stay_nulls(http: httpx.Client) -> None:
    columns = {"n": np.ma.array([1, 2, 3], mask=[False, True, False]), "x": np.ma.array([1.0, 2.0, 3.0], mask=[True, False, False])}
    files = {"t": ("t", written(Table(columns)))}
    back = table_of(http.post("sync", data={"QUERY": SELECT, "UPLOAD": "t,param:t"}, files=files))
    assert np.ma.getmaskarray(back["n"]).tolist() == [False, True, False]
    query = "SELECT COUNT(*) AS everything, COUNT(n) AS numbers, COUNT(x) AS places FROM TAP_UPLOAD.t"
    counted = http.post("sync", data={"QUERY": query, "UPLOAD": "t,param:t"}, files=files)
    assert list(table_of(counted)[0].values()) == [3, 2, 2]


def test_a3_3_an_upload_is_gone_with_its_request(http: httpx.Client) -> None:
    assert http.post("sync", data={"QUERY": SELECT, "UPLOAD": "t,param:t"}, files={"t": ("t", NUMBERS)}).status_code == 200
    assert http.post("sync", data={"QUERY": SELECT}).status_code == 400
    listed = http.get(
        "sync", params={"QUERY": "SELECT table_name FROM tap_schema.tables WHERE table_name LIKE '%upload%'", "FORMAT": "csv"}
    )
    assert listed.text == "table_name\n"


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """The address of a table on this machine, as seen from this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(NUMBERS)

        def log_message(self, format: str, *args: Any) -> None:
            raise AssertionError(f"the service fetched {self.path} from this machine")

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"{server.server_port}/t.xml"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "127.1", "[::ffff:127.0.0.1]"])
def test_a3_9_nobody_reads_this_machine_through_the_service(http: httpx.Client, elsewhere: str, host: str) -> None:
    answer = http.get("sync", params={"QUERY": SELECT, "UPLOAD": f"t,http://{host}:{elsewhere}"})
    assert answer.status_code == 400
    assert 'value="ERROR"' in answer.text
