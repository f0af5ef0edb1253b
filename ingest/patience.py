"""Trying again what a passing fault stopped: a server that restarts, a disk that is full. The pauses grow, and end after some minutes."""

import logging
import random
import time
from collections.abc import Callable

from catalog.database import Database
from catalog.errors import KielError, TransientError

SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 30.0

log = logging.getLogger(__name__)


class Patience:
    """Pauses between trials; ``seconds`` is how long nothing may succeed before the fault is raised (0: at once).

    ``database`` is where to try. ``reopen`` finds it again after a pause, and may start it.
    """

    def __init__(self, database: Database, seconds: float = 0.0, reopen: Callable[[], Database] | None = None) -> None:
        self.database = database
        self._seconds = seconds
        self._reopen = reopen
        self._since: float | None = None
        self._pause = SHORTEST_PAUSE

    def succeeded(self) -> None:
        """Something was done: the next fault is a new one."""
        self._since, self._pause = None, SHORTEST_PAUSE

    def wait(self, fault: TransientError) -> None:
        """Sleep before the next trial; raises the fault when patience is at its end."""
        now = time.monotonic()
        self._since = self._since if self._since is not None else now
        left = self._since + self._seconds - now
        if left <= 0:
            raise fault
        # Loaders that lost the same server do not all come back at the same moment.
        pause = min(self._pause * random.uniform(0.75, 1.25), left)  # noqa: S311 - no secret
        log.warning("%s Trying again in %.1f s, for another %.0f s.", fault, pause, left)
        time.sleep(pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        if self._reopen is not None:
            try:
                self.database = self._reopen()
            except KielError as error:  # the next trial fails as well, and tells
                log.warning("%s", error)
