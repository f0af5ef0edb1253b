"""WAIT (UWS 1.1 section 2.2.1.1): requests that sleep until a job changes its phase, woken by NOTIFY over one connection a process."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from catalog.database import Database, Role
from tap_service.jobs.job_table import CHANNEL

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 0.5


class PhaseChanges:
    """Who waits for which job. ``listen`` runs for as long as the service does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[str, set[asyncio.Event]] = {}

    @contextmanager
    def of(self, job_id: str) -> Iterator[asyncio.Event]:
        """An event that is set at each change of the job's phase, and whenever a change may have been missed."""
        changed = asyncio.Event()
        self._waiting.setdefault(job_id, set()).add(changed)
        try:
            yield changed
        finally:
            events = self._waiting[job_id]
            events.discard(changed)
            if not events:
                del self._waiting[job_id]

    async def listen(self) -> None:
        """Tells those who wait; after a lost connection it comes back, and everybody looks again."""
        last = ""
        while True:
            try:
                await self._listen()
            except psycopg.Error as error:
                if (reason := " ".join(str(error).split())) != last:
                    log.warning("changes of jobs are not heard just now: %s", reason)
                last = reason
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _listen(self) -> None:
        dsn = self._database.dsn(Role.TAP_SERVICE)
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True, application_name="kiel tap_service listens") as connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            for job_id in list(self._waiting):
                self._tell(job_id)
            async for told in connection.notifies():
                self._tell(told.payload.partition(" ")[0])

    def _tell(self, job_id: str) -> None:
        for changed in self._waiting.get(job_id, ()):
            changed.set()
