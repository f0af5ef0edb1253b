"""Random queries mean what plain Python makes of them, and nothing but SELECT reaches PostgreSQL."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_service.adql import parse
from tap_service.connections import Connections
from tap_service.errors import TapError
from tests.tap_service.fuzz.answers import Client, disagreement
from tests.tap_service.fuzz.choices import Choices
from tests.tap_service.fuzz.evaluator import AmbiguousError, TooLargeError, evaluate
from tests.tap_service.fuzz.grammar import make_query
from tests.tap_service.fuzz.printer import written
from tests.tap_service.fuzz.scalar_values import ComputeError
from tests.tap_service.fuzz.statement_log import StatementLog, fault

_DEFAULT = 600
_FEW = 2000
"""Statements are read from the log after so many queries."""
_ENTROPY = st.binary(min_size=20, max_size=250)
_STYLE = st.binary(max_size=100)
_SETTINGS = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}


def outcome(client: Client, entropy: bytes, style: bytes) -> str:
    """How the comparison of one query went, in a word; AssertionError if the service is wrong."""
    query = make_query(entropy)
    text = written(query, Choices(style))
    assert parse(text) == query, text
    found = client.ask(text)
    try:
        expected = evaluate(query)
    except (ComputeError, AmbiguousError, TooLargeError) as error:
        return type(error).__name__
    if isinstance(found, TapError):
        return "refused" if "(line " in str(found) else "not computed"
    told = disagreement(found, expected)
    assert told is None, f"{told}\n{text}"
    return "equal"
