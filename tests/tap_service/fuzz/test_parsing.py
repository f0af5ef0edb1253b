"""The parser alone: whatever the text, a tree or an AdqlSyntaxError with a place in it; and what a tree is written as means the tree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_service.adql import AdqlSyntaxError, parse
from tests.tap_service.fuzz.amount import SLOW, amount
from tests.tap_service.fuzz.answers import check_place
from tests.tap_service.fuzz.choices import Choices
from tests.tap_service.fuzz.grammar import make_query
from tests.tap_service.fuzz.malformed import EXTREMES, damaged, injected
from tests.tap_service.fuzz.printer import written

pytestmark = SLOW

ENTROPY = st.binary(min_size=60, max_size=250)
STYLE = st.binary(min_size=30, max_size=100)


def reads(text: str, version: str = "2.1") -> bool:
    """Whether the parser takes a text; AssertionError for an error that points outside of it, or for any other exception."""
    try:
        parse(text, version)
    except AdqlSyntaxError as error:
        check_place(error, text)
        assert error.message and str(error).startswith(error.message)
        return False
    return True


@amount(500)
@given(entropy=ENTROPY, style=STYLE)
def test_what_a_tree_is_written_as_means_the_tree(entropy: bytes, style: bytes) -> None:
    query = make_query(entropy)
    assert parse(written(query, Choices(style))) == query


@amount(500)
@given(entropy=ENTROPY, style=STYLE, accidents=st.binary(min_size=15, max_size=40), version=st.sampled_from(["2.1", "2.0"]))
def test_a_damaged_query_is_read_or_refused_with_its_place(entropy: bytes, style: bytes, accidents: bytes, version: str) -> None:
    reads(damaged(written(make_query(entropy), Choices(style)), Choices(accidents)), version)


@amount(300, 0.2)
@given(accidents=st.binary(min_size=5, max_size=10))
def test_an_injection_is_read_or_refused_with_its_place(accidents: bytes) -> None:
    reads(injected(Choices(accidents)))


@amount(150, 0.2)
@given(text=st.text(max_size=200))
def test_any_text_is_read_or_refused_with_its_place(text: str) -> None:
    reads(text)
    reads(f"SELECT {text} FROM t")


@pytest.mark.parametrize("case", EXTREMES)
def test_a_text_of_any_size_and_depth_is_read_or_refused_with_its_place(case: str) -> None:
    reads(EXTREMES[case])
