"""Random and damaged queries over HTTP, in every format: a whole document of the status that it claims, and never a 5xx."""

import csv
import gzip
import io
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.database import Database
from tap_service.errors import TapError
from tap_service.limits import Limits
from tap_service.results.formats import FORMATS
from tests.tap_service.fuzz.amount import SLOW, amount
from tests.tap_service.fuzz.answers import Client
from tests.tap_service.fuzz.choices import Choices
from tests.tap_service.fuzz.grammar import make_query
from tests.tap_service.fuzz.malformed import damaged, injected
from tests.tap_service.fuzz.printer import written
from tests.tap_service.fuzz.statement_log import StatementLog

pytestmark = SLOW

FORMAT_NAMES = [name for known in FORMATS for name in (known.media_type, *known.aliases)]
_NAMESPACE = {"v": "http://www.ivoa.net/xml/VOTable/v1.3"}


@pytest.fixture(scope="module")
def http(fuzzed: Database, serve: Callable[..., AbstractContextManager[Any]]) -> Iterator[httpx.Client]:
    """A client of the service over the small tables; one query may take two seconds."""
    with serve(fuzzed, Limits(seconds=2.0)) as running, httpx.Client(base_url=running.url, timeout=60) as asking:
        yield asking


def _ask(http: httpx.Client, text: str, method: str, parameters: dict[str, str]) -> httpx.Response:
    pairs = {"LANG": "ADQL", "QUERY": text, **parameters}
    # Lone surrogates go as the bytes that they would be, which are not UTF-8.
    body = "&".join(f"{name}={quote(value.encode('utf-8', 'surrogatepass'))}" for name, value in pairs.items())
    if method == "GET":
        return http.get(f"/sync?{body}")
    return http.post("/sync", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})


def _statuses(document: ElementTree.Element) -> list[str | None]:
    infos = [*document.findall("v:RESOURCE[@type='results']/v:INFO", _NAMESPACE)]
    return [info.get("value") for info in infos if info.get("name") == "QUERY_STATUS"]


def check_error(answer: httpx.Response) -> None:
    """An error is the client's, and says so in a VOTable (DALI 1.1 section 4.2)."""
    assert answer.status_code in (400, 413), f"{answer.status_code}: {answer.text[:2000]}"
    assert answer.headers["content-type"].startswith("application/x-votable+xml")
    document = ElementTree.fromstring(answer.content)
    assert _statuses(document) == ["ERROR"]
    assert document.find(".//v:TABLE", _NAMESPACE) is None


def row_count(answer: httpx.Response, columns: int) -> int | None:
    """The rows of a document that is whole, None where its format does not tell."""
    kind = answer.headers["content-type"]
    content = gzip.decompress(answer.content) if kind.startswith("application/gzip") else answer.content
    if kind.startswith("text/csv"):
        rows = list(csv.reader(io.StringIO(answer.text, newline="")))
        if columns == 1:
            return None  # an empty line may be a row
        assert {len(row) for row in rows} <= {columns}
        return len(rows) - ("header=present" in kind)
    if kind.startswith("text/tab"):
        lines = answer.text.split("\n")
        assert lines.pop() == ""
        assert {line.count("\t") + 1 for line in lines} == {columns}
        return len(lines) - 1
    document = ElementTree.fromstring(content)
    assert _statuses(document) in (["OK"], ["OVERFLOW"], ["OK", "OVERFLOW"])
    assert len(document.findall(".//v:FIELD", _NAMESPACE)) == columns
    return len(document.findall(".//v:TR", _NAMESPACE)) if "TABLEDATA" in kind or "text/xml" in kind else None


def test_every_answer_is_a_whole_document_of_its_status(http: httpx.Client, client: Client, statement_log: StatementLog) -> None:
    outcomes: Counter[str] = Counter()

    @amount(200, 0.05)
    @given(
        entropy=st.binary(min_size=60, max_size=150),
        accidents=st.binary(min_size=15, max_size=40),
        broken=st.sampled_from(["no", "no", "damaged", "injected"]),
        method=st.sampled_from(["GET", "POST"]),
        form=st.sampled_from(FORMAT_NAMES),
        maxrec=st.sampled_from([None, None, 0, 1, 7, 100000]),
    )
    def ask(entropy: bytes, accidents: bytes, broken: str, method: str, form: str, maxrec: int | None) -> None:
        text = written(make_query(entropy), Choices(accidents))
        if broken != "no":
            text = damaged(text, Choices(accidents)) if broken == "damaged" else injected(Choices(accidents))
        parameters = {"RESPONSEFORMAT": form} | ({} if maxrec is None else {"MAXREC": str(maxrec)})
        answer = _ask(http, text, method, parameters)
        outcomes[f"{answer.status_code}"] += 1
        if outcomes.total() % 2000 == 0:
            statement_log.check()
        if answer.status_code != 200:
            check_error(answer)
            return
        found = client.ask_quickly(text, maxrec=maxrec)
        if isinstance(found, TapError):
            assert maxrec == 0 or "time limit" in str(found), f"{found}, but over HTTP there are rows\n{text}"
            return
        counted = row_count(answer, len(found.fields))
        assert counted in (None, min(len(found.rows), 100000 if maxrec is None else maxrec)), text

    ask()
    statement_log.check()
    assert outcomes["200"] > 0.3 * outcomes.total()
