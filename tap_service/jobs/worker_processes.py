"""Workers as processes of the service: started with it, started again when they die, ended with it however it ends.

Each worker's standard input is a pipe that only the service holds open: when the service is gone, even killed, the worker reads its
end and stops.
"""

import logging
import os
import subprocess
import sys
import threading
import time
from types import TracebackType

from catalog.version import ROOT

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.2
_SHORT_LIFE_SECONDS = 10.0
_LONGEST_PAUSE_SECONDS = 30.0
_STOP_SECONDS = 5.0


class WorkerProcesses:
    """So many workers while the block lasts."""

    def __init__(self, number: int, threads: int) -> None:
        self._threads = threads
        self._stopping = threading.Event()
        self._watchers = [threading.Thread(target=self._watch, name=f"worker-{i}") for i in range(number)]

    def __enter__(self) -> "WorkerProcesses":
        for watcher in self._watchers:
            watcher.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stopping.set()
        for watcher in self._watchers:
            watcher.join()

    def _watch(self) -> None:
        """Keeps one worker alive."""
        pause = _LOOK_SECONDS
        while not self._stopping.is_set():
            began = time.monotonic()
            worker = self._start()
            while worker.poll() is None and not self._stopping.wait(_LOOK_SECONDS):
                pass
            if self._stopping.is_set():
                _stop(worker)
                return
            # A worker that cannot even begin is not started over and over without a pause.
            lived = time.monotonic() - began
            pause = _LOOK_SECONDS if lived > _SHORT_LIFE_SECONDS else min(2 * pause, _LONGEST_PAUSE_SECONDS)
            log.error("a worker ended after %.1f s with exit code %s; the next one starts in %.1f s", lived, worker.returncode, pause)
            self._stopping.wait(pause)

    def _start(self) -> subprocess.Popen[bytes]:
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        words = [sys.executable, "-m", "kiel_main", "tap", "work", "--threads", str(self._threads), "--until-stdin-ends"]
        return subprocess.Popen(words, stdin=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path})


def _stop(worker: subprocess.Popen[bytes]) -> None:
    assert worker.stdin is not None
    worker.stdin.close()
    worker.terminate()  # one that is still starting does not read yet
    try:
        worker.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
