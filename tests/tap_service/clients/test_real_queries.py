"""Queries that people and their programs really send run, or fail with a hint (real_queries.adql)."""

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from astropy.io import votable
from astropy.io.votable.tree import TableElement

_EXPECTATION = re.compile(r"^-- +(gives|same as|columns|fails): +(.*)$")


@dataclass(frozen=True)
class RealQuery:
    """A query, its name, and what it must give."""

    name: str
    text: str
    expected: dict[str, str]


def read_queries(path: Path) -> list[RealQuery]:
    """The blocks of a file; the first is the explanation."""
    found = []
    for block in path.read_text().strip().split("\n\n")[1:]:
        lines = block.splitlines()
        expected = dict(match.groups() for line in lines if (match := _EXPECTATION.match(line)))
        assert expected, f"{lines[0]} expects nothing"
        found.append(RealQuery(lines[0].removeprefix("-- "), block, expected))
    return found


QUERIES = read_queries(Path(__file__).with_name("real_queries.adql"))


def ask(http: httpx.Client, text: str) -> httpx.Response:
    return http.post("sync", data={"LANG": "ADQL", "QUERY": text})


def test_there_are_more_than_a_hundred_and_no_two_share_a_name() -> None:
    assert len({query.name for query in QUERIES}) == len(QUERIES) > 100


def plain(value: Any) -> str:
    """A value as both sides write it: numbers by their value, nulls alike."""
    if value is None or str(value) in ("--", ""):
        return "null"
    try:
        return f"{float(value):.9g}" if abs(float(value)) < 1e15 else str(int(value))
    except (TypeError, ValueError):
        return str(value)


def first_column(table: TableElement) -> list[str]:
    name = table.fields[0].ID
    return sorted("null" if masked else plain(value) for value, masked in zip(table.array[name], table.array.mask[name], strict=True))


@pytest.mark.parametrize("query", [query for query in QUERIES if "fails" not in query.expected], ids=lambda query: query.name)
def test_it_runs(tap: Any, http: httpx.Client, query: RealQuery) -> None:
    answer = ask(http, query.text)
    assert answer.status_code == 200, answer.text
    table = votable.parse(io.BytesIO(answer.content), verify="exception").get_first_table()
    assert all(re.fullmatch(r"[A-Za-z]\w*", field.name) for field in table.fields) or "Source ID" in query.text
    if (columns := query.expected.get("columns")) is not None:
        assert " ".join(field.name for field in table.fields) == columns
    if (gives := query.expected.get("gives")) is not None:
        lowest, highest = {"some rows": (1, 10**6), "no rows": (0, 0)}.get(gives) or [
            int(number)
            for number in re.fullmatch(r"(\d+) rows|(\d+) to (\d+) rows", gives).group(*((1, 1) if " to " not in gives else (2, 3)))  # type: ignore[union-attr]
        ]
        assert lowest <= len(table.array) <= highest
    if (same := query.expected.get("same as")) is not None:
        rows = sorted(plain(row[0]) for row in tap.sql(same))
        assert rows, "the SQL that it is compared with finds nothing"
        assert first_column(table) == rows


@pytest.mark.parametrize("query", [query for query in QUERIES if "fails" in query.expected], ids=lambda query: query.name)
def test_it_fails_with_a_hint(http: httpx.Client, query: RealQuery) -> None:
    answer = ask(http, query.text)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/x-votable+xml"
    [info] = [info for info in votable.parse(io.BytesIO(answer.content)).resources[0].infos if info.name == "QUERY_STATUS"]
    assert info.value == "ERROR"
    message = str(info.content)
    assert "line " in message and "^" in message, f"no place is given: {message}"
    assert re.search(query.expected["fails"], message.split("(line")[0]), message
    assert not re.search(r"Traceback|psycopg|syntax error at or near|__p\d{4}", message), message
