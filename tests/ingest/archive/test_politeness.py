"""Waits: they double, never end before Retry-After, begin anew after an answer, and end when nothing works for too long."""

from random import Random

import pytest

from catalog.errors import TransientError
from ingest.archive.politeness import PassingError, Politeness


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def polite(clock: Clock, **others: float) -> Politeness:
    return Politeness(**{"pause": 0.0, "give_up_after": 100.0, **others}, clock=clock, random=Random(1))  # type: ignore[arg-type]


def test_waits_double_to_the_longest_with_a_random_part() -> None:
    kind = polite(Clock(), give_up_after=1e9, longest_wait=16.0)
    waits = [kind.failed(PassingError("busy")) for _ in range(8)]
    for wait, whole in zip(waits, [1, 2, 4, 8, 16, 16, 16, 16], strict=True):
        assert whole / 2 <= wait <= whole
    assert len(set(waits)) == 8


@pytest.mark.parametrize(("retry_after", "pause", "least"), [(7.0, 0.0, 7.0), (None, 3.0, 3.0), (0.0, 0.0, 0.5)])
def test_no_wait_is_shorter_than_what_was_asked_for(retry_after: float | None, pause: float, least: float) -> None:
    assert polite(Clock(), pause=pause).failed(PassingError("busy", retry_after)) >= least


def test_an_answer_begins_anew() -> None:
    clock = Clock()
    kind = polite(clock, pause=0.25)
    for _ in range(5):
        kind.failed(PassingError("busy"))
        clock.now += 15
    assert kind.worked() == 0.25
    clock.now += 1000
    assert kind.failed(PassingError("busy")) <= 1.0


@pytest.mark.parametrize(
    ("elapsed", "retry_after", "told"),
    [(99.9, None, r"not answered a question for 100 s \(busy\)"), (0.0, 3600.0, "asks to be left alone for 3600 s")],
)
def test_we_give_up_in_the_stated_time(elapsed: float, retry_after: float | None, told: str) -> None:
    clock = Clock()
    kind = polite(clock)
    kind.failed(PassingError("busy"))
    clock.now += elapsed
    with pytest.raises(TransientError, match=told):
        kind.failed(PassingError("busy", retry_after))
