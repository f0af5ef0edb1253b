"""Tables from addresses: fetched from a real server, and never from where a stranger must not make this machine look."""

import contextlib
import http.server
import io
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import httpx
import pytest

from tap_service.errors import ParameterError, TooLargeError
from tap_service.limits import Limits
from tap_service.uploads.fetch import TableFetch, is_public
from tests.tap_service.uploads.votable_writer import Column, document

TABLE = document([Column("a", "int")], [[1], [2]])


class Tables(http.server.BaseHTTPRequestHandler):
    """A server of tables that answers in all the ways that servers do."""

    seen: ClassVar[list[tuple[str, dict[str, str]]]] = []

    def do_GET(self) -> None:
        self.seen.append((self.path, dict(self.headers)))
        path = self.path.partition("?")[0]
        if path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
        elif path == "/loop":
            self.send_response(301)
            self.send_header("Location", "/loop")
            self.end_headers()
        elif path == "/missing":
            self.send_error(404)
        elif path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", str(len(TABLE)))
            self.end_headers()
            self.wfile.write(TABLE[:-20])
        elif path == "/endless":
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(b" " * 65536)
        elif path in ("/slow", "/silent"):
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(600):
                    if path == "/slow":
                        self.wfile.write(b" ")
                        self.wfile.flush()
                    time.sleep(0.05)
        else:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(TABLE)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def tables() -> Iterator[str]:
    """The address of such a server on this machine, HOST:PORT."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tables)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def fetched(url: str, **limits: Any) -> bytes:
    target = io.BytesIO()
    TableFetch(Limits(**limits)).fetch(url, target)
    return target.getvalue()


@pytest.mark.parametrize(
    "path", ["/t.xml", "/to//t.xml", "/to/http://{host}/t.xml", "/a b?c=d&e=f g", "/\u00e9?q=\u00e9", "/to//to//to//t.xml"]
)
def test_a_table_is_fetched_from_an_allowed_host(tables: str, path: str) -> None:
    assert fetched(f"http://{tables}{path.format(host=tables)}", upload_hosts=frozenset({tables})) == TABLE


def test_a_request_says_who_asks_and_carries_no_password(tables: str) -> None:
    Tables.seen.clear()
    fetched(f"http://{tables}/t.xml", upload_hosts=frozenset({"127.0.0.1"}))
    [(_, headers)] = Tables.seen
    assert headers["User-Agent"].startswith("kiel/")
    assert headers["Host"] == tables
    assert not {"Authorization", "Cookie"} & set(headers)


# Addresses, and what is said of them. {host} is a server on this machine that is not allowed.
REFUSED = {
    "this_machine": ("http://{host}/t.xml", "not on the public network"),
    "this_machine_by_name": ("http://localhost/t.xml", "not on the public network"),
    "this_machine_as_a_number": ("http://2130706433/t.xml", "not on the public network"),
    "this_machine_in_ipv6": ("http://[::1]/t.xml", "not on the public network"),
    "this_machine_wrapped_in_ipv6": ("http://[::ffff:127.0.0.1]/t.xml", "not on the public network"),
    "no_address_at_all": ("http://0.0.0.0/t.xml", "not on the public network"),
    "the_cloud's_own_data": ("http://169.254.169.254/latest/meta-data/", "not on the public network"),
    "a_home_network": ("https://192.168.1.1/t.xml", "not on the public network"),
    "a_host_that_is_not": ("http://no-such-host.invalid/t.xml", "is not known"),
    "a_password": ("http://me:secret@example.org/t.xml", "user name or password"),
    "no_host": ("http:///t.xml", "is no http or https address"),
    "a_port_beyond_all": ("http://example.org:99999/t.xml", "is no address"),
    "a_broken_ipv6_address": ("http://[::1/t.xml", "is no address"),
    "a_line_break": ("http://example.org\r\nHost: x/t.xml", "is no address"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_address_that_must_not_be_called_is_refused(tables: str, case: str) -> None:
    url, said = REFUSED[case]
    Tables.seen.clear()
    with pytest.raises(ParameterError, match=said):
        fetched(url.format(host=tables))
    assert not Tables.seen


def test_a_redirect_to_a_place_that_must_not_be_called_is_refused(tables: str) -> None:
    for target in ("http://localhost:1/t.xml", "http://169.254.169.254/"):
        with pytest.raises(ParameterError, match="not on the public network"):
            fetched(f"http://{tables}/to/{target}", upload_hosts=frozenset({tables}))
    for target in ("file:///etc/passwd", "ftp://example.org/x", "gopher://127.0.0.1/"):
        with pytest.raises(ParameterError, match="is no http or https address"):
            fetched(f"http://{tables}/to/{target}", upload_hosts=frozenset({tables}))


def test_a_redirect_to_no_address_is_the_other_side_s_fault(tables: str) -> None:
    with pytest.raises(ParameterError, match=r"redirects to 'http://\[bad', which is no address"):
        fetched(f"http://{tables}/to/http://[bad", upload_hosts=frozenset({tables}))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    ["10.1.2.3", "172.16.0.1", "192.168.0.1", "127.9.9.9", "169.254.1.1", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::",
     "fe80::1%eth0", "fd00::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2002:c0a8:101::1", "192.0.2.1", "fec0::1", "::127.0.0.1", "::10.0.0.1"],
)  # fmt: skip
def test_other_addresses_are_not(address: str) -> None:
    assert not is_public(address)


def test_limits_and_broken_servers_are_told(tables: str) -> None:
    allowed = frozenset({tables})
    with pytest.raises(ParameterError, match="answers 404"):
        fetched(f"http://{tables}/missing", upload_hosts=allowed)
    with pytest.raises(ParameterError, match="redirects more than 4 times"):
        fetched(f"http://{tables}/loop", upload_hosts=allowed)
    with pytest.raises(ParameterError, match=r"broke off|cannot be fetched"):
        fetched(f"http://{tables}/cut", upload_hosts=allowed)
    with pytest.raises(TooLargeError, match="more than 1000000 bytes"):
        fetched(f"http://{tables}/endless", upload_hosts=allowed, upload_bytes=1_000_000)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ParameterError, match=r"cannot be fetched: .*refused"):
        fetched(f"http://127.0.0.1:{port}/", upload_hosts=frozenset({"127.0.0.1"}))
    with pytest.raises(ParameterError, match="cannot be fetched"):
        fetched(f"https://{tables}/t.xml", upload_hosts=allowed)


@pytest.mark.parametrize("path", ["/slow", "/silent"])
def test_a_server_that_takes_too_long_is_left(tables: str, path: str) -> None:
    began = time.monotonic()
    with pytest.raises(ParameterError, match=r"takes longer than 0\.5 s"):
        fetched(f"http://{tables}{path}", upload_hosts=frozenset({tables}), upload_seconds=0.5)
    assert time.monotonic() - began < 5


def test_a_fetch_that_is_stopped_ends_at_once(tables: str) -> None:
    fetch, began = TableFetch(Limits(upload_hosts=frozenset({tables}))), time.monotonic()
    threading.Timer(0.3, fetch.stop).start()
    with pytest.raises(ParameterError, match="no longer wanted"):
        fetch.fetch(f"http://{tables}/silent", io.BytesIO())
    assert time.monotonic() - began < 5


def test_the_tables_of_a_request_share_its_limits(tables: str) -> None:
    allowed = frozenset({tables})
    fetch = TableFetch(Limits(upload_hosts=allowed, upload_bytes=2 * len(TABLE) + 1))
    for _ in range(2):
        fetch.fetch(f"http://{tables}/t.xml", io.BytesIO())
    with pytest.raises(TooLargeError, match=f"the request's tables have more than {2 * len(TABLE) + 1} bytes"):
        fetch.fetch(f"http://{tables}/t.xml", io.BytesIO())
    fetch = TableFetch(Limits(upload_hosts=allowed, upload_seconds=0.5))
    fetch.fetch(f"http://{tables}/t.xml", io.BytesIO())
    time.sleep(0.5)
    with pytest.raises(ParameterError, match=r"longer than 0\.5 s in all"):
        fetch.fetch(f"http://{tables}/t.xml", io.BytesIO())


# -- through the service


@pytest.fixture(scope="module")
def fetching(serve: Any, stars: Any, tables: str) -> Iterator[Any]:
    with serve(stars, Limits(upload_hosts=frozenset({tables}))) as service:
        yield service


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_query_reads_a_table_at_an_address(fetching: Any, tables: str, method: str) -> None:
    fields = {
        "QUERY": "SELECT * FROM TAP_UPLOAD.t1, TAP_UPLOAD.t2",
        "UPLOAD": f"t1,http://{tables}/a;b.xml;t2,http://{tables}/c.xml?d=e",
        "FORMAT": "csv",
    }
    answer = httpx.request(method, f"{fetching.url}/sync", **({"params": fields} if method == "GET" else {"data": fields}), timeout=30)
    assert (answer.status_code, answer.text) == (200, "a,a_2\n1,1\n1,2\n2,1\n2,2\n")


def test_a_query_of_a_private_address_is_the_clients_fault(service: Any, tables: str) -> None:
    answer = httpx.post(f"{service.url}/sync", data={"QUERY": "SELECT * FROM TAP_UPLOAD.t1", "UPLOAD": f"t1,http://{tables}/t.xml"})
    assert (answer.status_code, "not on the public network" in answer.text) == (400, True)


def test_a_client_that_leaves_ends_the_fetch(fetching: Any, tables: str) -> None:
    fields = {"QUERY": "SELECT * FROM TAP_UPLOAD.t1", "UPLOAD": f"t1,http://{tables}/silent"}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{fetching.url}/sync", data=fields, timeout=1.0)
    deadline = time.monotonic() + 5
    while (goes_on := _fetches()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not goes_on


def _fetches() -> bool:
    """Whether a fetch waits: each has a timer of its own."""
    return any(isinstance(thread, threading.Timer) for thread in threading.enumerate())


def test_a_job_fetches_its_table_when_it_runs(stars: Any, serve: Any, work: Any, tables: str) -> None:
    fields = {"QUERY": "SELECT * FROM TAP_UPLOAD.t1", "UPLOAD": f"t1,http://{tables}/t.xml", "FORMAT": "csv", "PHASE": "RUN"}
    with serve(stars) as service, work(service, environment={"KIEL_TAP_UPLOAD_HOSTS": f"elsewhere.example, {tables}"}):
        job = httpx.post(f"{service.url}/async", data=fields).headers["location"]
        deadline = time.monotonic() + 60
        while (phase := httpx.get(f"{job}/phase").text) in ("QUEUED", "EXECUTING") and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (phase, httpx.get(f"{job}/results/result").text) == ("COMPLETED", "a\n1\n2\n")
