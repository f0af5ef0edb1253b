"""Which conditions become cones, and the ranges that cover them."""

import random
from itertools import pairwise

import pytest

from tap_service.adql import translate
from tap_service.adql.covers import MOST_RANGES, few
from tap_service.table_set import TableSet

CONE = "DISTANCE(ra, dec, 10, 20) < 1"


@pytest.mark.parametrize(
    ("where", "by_ranges"),
    [
        (CONE, True),
        (f"mag < 3 AND ({CONE} AND flags = 1)", True),
        (f"{CONE} OR source_id = 5", True),
        ("1 = CONTAINS(POINT(ra, dec), CIRCLE(10, 20, 1))", True),
        ("CONTAINS(POINT(10, 20), CIRCLE(ra, dec, 1)) = 1", True),
        ("DISTANCE(ra, dec, 10 + 1, 2 * 10) < 3600 / 3600", True),
        (f"NOT {CONE}", False),
        ("DISTANCE(ra, dec, 10, 20) > 1", False),
        ("0 = CONTAINS(POINT(ra, dec), CIRCLE(10, 20, 1))", False),
        ("DISTANCE(ra, dec, 10, 20) < mag", False),
        ("DISTANCE(ra, dec, mag, 20) < 1", False),
        ("DISTANCE(dec, ra, 10, 20) < 1", False),
        ("DISTANCE(ra + 1, dec, 10, 20) < 1", False),
        ("DISTANCE(1, 2, 3, 4) < 1", False),
        ("DISTANCE(ra, dec, 10, 20) < 1 / 0", False),
        ("DISTANCE(ra, dec, 10, 20) < CAST(0.5 AS INTEGER)", False),
        ("DISTANCE(ra, dec, 10, 20) < " + " * ".join(["9223372036854775807"] * 40), False),
        ("DISTANCE(ra, dec, 10, 20) < 1e300 * 1e300", False),
        ("DISTANCE(ra, dec, 10, 20) < 1e300", False),
        (f"CASE WHEN {CONE} THEN 1 ELSE 0 END = 1", False),
    ],
)
def test_a_constant_region_that_must_hold_is_read_by_ranges(table_set: TableSet, where: str, by_ranges: bool) -> None:
    text = translate(f"SELECT ra FROM sky.main WHERE {where}", table_set).statement.as_string(None)
    assert ("BETWEEN" in text) is by_ranges


def test_a_cover_includes_the_displaced_sources(table_set: TableSet) -> None:
    text = translate(f"SELECT ra FROM sky.main WHERE {CONE}", table_set).statement.as_string(None)
    assert '"t1"."source_id" IN (17, 18)' in text


def test_a_table_without_position_is_tested_row_by_row(table_set: TableSet) -> None:
    text = translate("SELECT teff FROM labels.forward WHERE DISTANCE(teff, logg, 10, 20) < 1", table_set).statement.as_string(None)
    assert "BETWEEN" not in text


@pytest.mark.parametrize("count", [1, 2, MOST_RANGES, MOST_RANGES + 1, 500])
def test_few_ranges_hold_all_that_many_held(count: int) -> None:
    numbers = sorted(random.Random(count).sample(range(10**6), 2 * count))
    ranges = list(zip(numbers[::2], numbers[1::2], strict=True))
    fewer = few(ranges)
    assert len(fewer) == min(count, MOST_RANGES)
    assert all(any(first <= low and high <= last for first, last in fewer) for low, high in ranges)
    assert all(earlier[1] < later[0] for earlier, later in pairwise(fewer))
    gaps = sorted((b[0] - a[1] for a, b in pairwise(ranges)), reverse=True)
    assert sorted((b[0] - a[1] for a, b in pairwise(fewer)), reverse=True) == gaps[: len(fewer) - 1]
