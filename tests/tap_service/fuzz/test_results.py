"""Random queries mean what plain Python makes of them, and nothing but SELECT reaches PostgreSQL."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tap_service.adql import parse
from tap_service.errors import TapError
from tests.tap_service.fuzz.amount import SLOW, amount
from tests.tap_service.fuzz.answers import Client, disagreement
from tests.tap_service.fuzz.choices import Choices
from tests.tap_service.fuzz.evaluated_rows import AmbiguousError, TooLargeError
from tests.tap_service.fuzz.evaluator import evaluate
from tests.tap_service.fuzz.grammar import make_query
from tests.tap_service.fuzz.printer import written
from tests.tap_service.fuzz.scalar_values import ComputeError
from tests.tap_service.fuzz.statement_log import StatementLog

pytestmark = SLOW

_WHOLE_WAY = b"\x10"
"""Queries whose style begins below this go all the way that the service's do, one in sixteen."""

_CHECK_LOG_AFTER = 5000
"""Queries after which the statements in the log are looked at, and the log emptied."""


def outcome(client: Client, entropy: bytes, style: bytes) -> str:
    """How the comparison of one query went, in a word; AssertionError if the service is wrong."""
    query = make_query(entropy)
    text = written(query, Choices(style))
    tree = parse(text)
    assert tree == query, text
    found = client.ask(text) if style[:1] < _WHOLE_WAY else client.ask_quickly(text)
    try:
        expected = evaluate(tree)
    except (ComputeError, AmbiguousError, TooLargeError) as error:
        return type(error).__name__
    if isinstance(found, TapError):
        return "refused" if "(line " in str(found) else "not computed"
    told = disagreement(found, expected)
    assert told is None, f"{told}\n{text}"
    return "equal"


def test_a_query_gives_what_its_tree_means(client: Client, statement_log: StatementLog) -> None:
    """Most queries can be computed and compared; of the others each side may find an error that the other has no need to meet."""
    outcomes: Counter[str] = Counter()

    @amount(700)
    @given(entropy=st.binary(min_size=90, max_size=250), style=st.binary(min_size=40, max_size=100))
    def ask(entropy: bytes, style: bytes) -> None:
        outcomes[outcome(client, entropy, style)] += 1
        if outcomes.total() % _CHECK_LOG_AFTER == 0:
            print(f"{outcomes.total()} queries, {statement_log.check()} statements: {dict(outcomes)}", flush=True)

    ask()
    statement_log.check()
    total = outcomes.total()
    print(f"{total} queries: {dict(outcomes)}")
    assert outcomes["equal"] > 0.8 * total
    assert outcomes["refused"] < 0.03 * total
    assert outcomes["not computed"] < 0.01 * total
