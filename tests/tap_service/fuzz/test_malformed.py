"""Damaged queries, injections and texts of any size and depth: rows or an error that says where, within the time limit, and SELECT alone."""

import re
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_service.adql.functions import FUNCTIONS, SPECIAL
from tap_service.adql.geometry import GEOMETRY
from tap_service.adql.udf import UDFS
from tap_service.errors import TapError
from tests.tap_service.fuzz.amount import SLOW, amount
from tests.tap_service.fuzz.answers import Client, Rows
from tests.tap_service.fuzz.choices import Choices
from tests.tap_service.fuzz.grammar import make_query
from tests.tap_service.fuzz.malformed import EXTREMES, INJECTIONS, called, damaged, injected
from tests.tap_service.fuzz.printer import written
from tests.tap_service.fuzz.statement_log import StatementLog, fault

pytestmark = SLOW

VERSIONS = st.sampled_from(["2.1", "2.0"])


def test_a_damaged_query_gives_rows_or_an_error_of_the_writer(client: Client, statement_log: StatementLog) -> None:
    asked = 0

    @amount(500)
    @given(entropy=st.binary(min_size=60, max_size=150), accidents=st.binary(min_size=15, max_size=40), version=VERSIONS)
    def ask(entropy: bytes, accidents: bytes, version: str) -> None:
        nonlocal asked
        text = damaged(written(make_query(entropy), Choices(accidents)), Choices(accidents))
        client.ask(text, version) if accidents[0] < 16 else client.ask_quickly(text, version)
        asked += 1
        if asked % 2000 == 0:
            statement_log.check()

    ask()
    statement_log.check()


def test_an_injection_gives_rows_or_an_error_of_the_writer(client: Client, statement_log: StatementLog) -> None:
    asked = 0

    @amount(300, 0.2)
    @given(accidents=st.binary(min_size=6, max_size=10), version=VERSIONS)
    def ask(accidents: bytes, version: str) -> None:
        nonlocal asked
        client.ask_quickly(injected(Choices(accidents)), version)
        asked += 1
        if asked % 2000 == 0:
            statement_log.check()

    ask()
    statement_log.check()


FUNCTION_NAMES = (*FUNCTIONS, *SPECIAL, *GEOMETRY, *(function.name for function in UDFS.values()))


def test_a_function_of_anything_gives_rows_or_an_error_of_the_writer(client: Client, statement_log: StatementLog) -> None:
    answered = Counter[type]()

    @amount(600, 0.2)
    @given(accidents=st.binary(min_size=15, max_size=40))
    def ask(accidents: bytes) -> None:
        answered[type(client.ask_quickly(called(FUNCTION_NAMES, Choices(accidents))))] += 1
        if answered.total() % 2000 == 0:
            statement_log.check()

    ask()
    statement_log.check()
    assert answered[Rows] > 0.02 * answered.total()


def _storable(text: str) -> bool:
    return "\0" not in text and not re.search("[\ud800-\udfff]", text)


@amount(120, 0.1)
@given(text=st.one_of(st.sampled_from(INJECTIONS), st.text(max_size=30).filter(_storable)))
def test_a_quoted_text_comes_back_as_it_is(client: Client, text: str) -> None:
    quoted = text.replace("'", "''")
    found = client.ask_quickly(f"SELECT TOP 1 '{quoted}' AS x FROM fuzz.stars WHERE '{quoted}' = '' || '{quoted}'")
    assert isinstance(found, Rows), found
    assert found.rows == [(text,)]


@amount(120, 0.1)
@given(text=st.one_of(st.sampled_from(INJECTIONS), st.text(min_size=1, max_size=70).filter(_storable)))
def test_a_delimited_name_comes_back_as_it_is(client: Client, text: str) -> None:
    quoted = text.replace('"', '""')
    found = client.ask_quickly(
        f'SELECT TOP 1 "{quoted}"."{quoted}" FROM (SELECT source_id AS "{quoted}" FROM fuzz.stars) AS "{quoted}" ORDER BY 1'
    )
    assert isinstance(found, Rows), found
    assert (found.fields[0].name, found.rows) == (text, [(1000,)])


@pytest.mark.parametrize("case", EXTREMES)
def test_a_text_of_any_size_and_depth_gives_rows_or_an_error_of_the_writer(client: Client, statement_log: StatementLog, case: str) -> None:
    began = time.monotonic()
    found = client.ask(EXTREMES[case])
    assert isinstance(found, Rows | TapError)
    assert time.monotonic() - began < client.seconds + 10
    assert statement_log.check() > 0


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1",
        "COPY (SELECT 1) TO STDOUT (FORMAT BINARY); DROP TABLE x",
        "COPY (SELECT 1); DROP TABLE x; COPY (SELECT 1) TO STDOUT (FORMAT BINARY)",
        "COPY (SELECT 1) TO STDOUT; COPY (SELECT 1) TO STDOUT (FORMAT BINARY)",
        "COPY (SELECT 'a''; ' || '\\'; DROP TABLE x; --') TO STDOUT (FORMAT BINARY)",
        "COPY (DELETE FROM x RETURNING 1) TO STDOUT (FORMAT BINARY)",
        "COPY (WITH x AS (INSERT INTO y VALUES (1) RETURNING 1) SELECT 1) TO STDOUT (FORMAT BINARY)",
        "COPY (SELECT pg_sleep(1)) TO STDOUT (FORMAT BINARY)",
        "COPY (SELECT 1 -- x\n) TO STDOUT (FORMAT BINARY)",
        "COPY (SELECT $$x$$) TO STDOUT (FORMAT BINARY)",
        "SET LOCAL statement_timeout = 0; SELECT 1",
        "DISCARD ALL; SELECT 1",
        "SET LOCAL ROLE postgres",
    ],
)
def test_the_rule_of_the_log_knows_what_is_no_query(statement: str) -> None:
    assert fault(statement) is not None
