"""Every example runs, on the simulated catalogue with rows, and clients find them all."""

from typing import Any

import httpx
import pytest
import pyvo
from astropy.table import Table

from tap_service.examples import EXAMPLES, GUIDE_SCHEMA

WITHOUT_ROWS = {"cone"}
"""What a few hundred stars over the whole sky, need not have."""


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.key)
def test_an_example_gives_rows(http: httpx.Client, example: Any) -> None:
    answer = http.post("sync", data={"LANG": "ADQL", "QUERY": example.on(GUIDE_SCHEMA).query, "FORMAT": "csv"})
    assert answer.status_code == 200, answer.text
    assert answer.elapsed.total_seconds() < 5
    rows = Table.read(answer.text, format="ascii.csv")
    assert len(rows) > 0 or example.key in WITHOUT_ROWS


def test_pyvo_lists_them(tap: Any) -> None:
    found = pyvo.dal.TAPService(tap.url).examples
    assert [query["QUERY"] for query in found] == [example.on(GUIDE_SCHEMA).query for example in EXAMPLES]
