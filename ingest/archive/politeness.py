"""How long to wait before the next question to an archive.

Between questions there is a pause. After faults that pass the waits double, with a random part so that many clients do not come back
together, and never end before the service's own Retry-After. When nothing has worked for a stated time, we give up.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from catalog.errors import TransientError


class PassingError(Exception):
    """A question that had no answer this time: what was seen, when the service wants to be asked again, and whether it was too slow."""

    def __init__(self, words: str, retry_after: float | None = None, *, slow: bool = False) -> None:
        super().__init__(words)
        self.retry_after = retry_after
        self.slow = slow


@dataclass
class Politeness:
    """Waits in seconds. ``clock`` and ``random`` are for tests that must not wait."""

    pause: float = 1.0
    give_up_after: float = 1800.0
    first_wait: float = 1.0
    longest_wait: float = 120.0
    clock: Callable[[], float] = time.monotonic
    random: Random = field(default_factory=Random)
    _faults: int = 0
    _failing_since: float | None = None

    def worked(self) -> float:
        """An answer came: the wait before the next question."""
        self._faults, self._failing_since = 0, None
        return self.pause

    def failed(self, fault: PassingError) -> float:
        """The wait after a fault; TransientError when nothing has worked for too long, or the service wants to be left alone for longer."""
        now = self.clock()
        if self._failing_since is None:
            self._failing_since = now
        left = self._failing_since + self.give_up_after - now
        doubled = min(self.first_wait * 2.0**self._faults, self.longest_wait)
        self._faults = min(self._faults + 1, 60)
        wait = max(doubled * self.random.uniform(0.5, 1.0), fault.retry_after or 0.0, self.pause)
        if wait > left:
            asked = f" and asks to be left alone for {fault.retry_after:.0f} s" if fault.retry_after else ""
            raise TransientError(
                f"the archive has not answered a question for {now - self._failing_since:.0f} s{asked} ({fault}); what was fetched stays: "
                "repeat the command later"
            )
        return wait
