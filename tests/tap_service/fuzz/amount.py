"""How many queries the fuzzer makes: few and always the same in the default suite, FUZZ_QUERIES of them, other ones each time, if it is set."""

import os

import pytest
from hypothesis import HealthCheck, settings

_WANTED = int(os.environ.get("FUZZ_QUERIES", "0"))

SLOW = pytest.mark.timeout(600 + _WANTED // 10)
"""Seconds that a test of the fuzzer may take: ten queries a second would be slow."""


def amount(default: int, share: float = 1.0) -> settings:
    """The settings of a test that makes so many queries by default, and a share of FUZZ_QUERIES in a slow run."""
    count = max(int(_WANTED * share), 1) if _WANTED else default
    return settings(
        max_examples=count, deadline=None, database=None, derandomize=not _WANTED, suppress_health_check=list(HealthCheck), print_blob=True
    )
