"""CSV and TSV say in their headers how many rows they may have, and whether any were cut as far as that is known when they begin."""

from typing import Any

import httpx
import pytest

from tap_service.limits import Limits

CASES = {
    # rows of a block, MAXREC -> the header kiel-overflow
    "a_small_result_is_whole": (5000, 4000, "false"),
    "a_small_result_was_cut": (5000, 10, "true"),
    "the_columns_alone": (5000, 0, "true"),
    "a_result_of_exactly_one_block": (4000, 4000, "false"),
    "more_than_a_block_is_not_known_yet": (1000, 3500, None),
}


@pytest.mark.parametrize("named", ["csv", "tsv", "votable"])
@pytest.mark.parametrize("case", CASES)
def test_the_headers_tell_of_a_cut(serve: Any, stars: Any, case: str, named: str) -> None:
    block_rows, maxrec, expected = CASES[case]
    with serve(stars, Limits(block_rows=block_rows)) as service:
        answer = httpx.get(f"{service.url}/sync", params={"QUERY": "SELECT ra FROM gaiadr3.gaia_source", "MAXREC": maxrec, "FORMAT": named})
    assert answer.headers["kiel-row-limit"] == str(maxrec)
    assert answer.headers.get("kiel-overflow") == expected
    if named != "votable":
        assert len(answer.text.splitlines()) == maxrec + 1
