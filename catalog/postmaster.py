"""One data folder's server process: started so that it outlives its starter, found again by its pid file, stopped cleanly."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import DataError, KielError, TransientError
from catalog.postgres_binaries import PostgresBinaries
from catalog.server_account import ServerAccount

START_SECONDS = 120.0
STOP_SECONDS = 60.0
ORPHAN_SECONDS = 10.0
"""How long the children of a killed postmaster may keep its shared memory before a start is given up."""


class PortTakenError(Exception):
    """Another program listens on the port."""


class _OrphansError(Exception):
    """Children of an earlier, killed postmaster still use the data folder."""


@dataclass(frozen=True)
class Listening:
    """A running server, as its pid file tells."""

    pid: int
    port: int
    ready: bool


class Postmaster:
    """The server process of the data folder ``data``, whose messages go to ``log``."""

    def __init__(self, data: Path, log: Path) -> None:
        self.data = data
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def running(self) -> Listening | None:
        """The living server of this data folder, whoever started it; None where there is none (a pid file alone is no server)."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            pid, port = int(lines[0]), int(lines[3])
        except (FileNotFoundError, NotADirectoryError, ValueError, IndexError):
            return None
        if not self._alive(pid):
            return None
        return Listening(pid, port, ready=len(lines) > 7 and lines[7].strip() == "ready")

    def start(self, binaries: PostgresBinaries, account: ServerAccount, settings: Mapping[str, str]) -> None:
        """Starts the server and waits until it answers.

        Raises PortTakenError, and for every other failure a KielError with PostgreSQL's own reason.
        """
        deadline = time.monotonic() + ORPHAN_SECONDS
        while True:
            # A pid file that outlived its server goes: its number may be another process's by now, which PostgreSQL cannot tell apart.
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            try:
                return self._start_once(binaries, account, settings)
            except _OrphansError as error:
                if time.monotonic() > deadline:
                    raise TransientError(
                        f"Processes of a killed server still use {self.data} after {ORPHAN_SECONDS:.0f} s; end them or wait, "
                        "then try again."
                    ) from error
                time.sleep(0.2)

    def wait_until_ready(self) -> bool:
        """Waits while the server starts or recovers; False where it ended instead, TransientError where it takes too long."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            ended = self._process is not None and self._process.poll() is not None
            running = None if ended else self.running()
            if running is not None and running.ready:
                return True
            if ended or (running is None and self._process is None):
                return False
            time.sleep(0.02)
        raise TransientError(f"The server is not ready after {START_SECONDS:.0f} s (it may be recovering); see {self.log}, then try again.")

    def stop(self) -> bool:
        """Fast shutdown: sessions end, nothing is lost. False where no server ran; TransientError where it takes too long."""
        running = self.running()
        if running is None:
            return False
        try:
            os.kill(running.pid, signal.SIGINT)
        except ProcessLookupError:
            return True
        except PermissionError as error:
            raise DataError(
                f"The server of {self.data} (process {running.pid}) belongs to another account; stop it as that account."
            ) from error
        deadline = time.monotonic() + STOP_SECONDS
        while self._alive(running.pid):
            if time.monotonic() > deadline:
                raise TransientError(f"The server (process {running.pid}) is still stopping after {STOP_SECONDS:.0f} s; see {self.log}.")
            time.sleep(0.02)
        return True

    def _start_once(self, binaries: PostgresBinaries, account: ServerAccount, settings: Mapping[str, str]) -> None:
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with self.log.open("ab") as messages:
            said_before = messages.tell()
            self._process = subprocess.Popen(
                [binaries.postgres, "-D", self.data, *options],
                cwd=self.data,
                stdin=subprocess.DEVNULL,
                stdout=messages,
                stderr=messages,
                env=clean_environment(),
                start_new_session=True,  # neither the end of this command nor Ctrl-C reaches the server
                **account.run_as(),
            )
        if self.wait_until_ready():
            return
        with self.log.open("rb") as file:
            file.seek(said_before)
            said = file.read().decode(errors="replace")
        if "Address already in use" in said and "could not create any TCP/IP sockets" in said:
            raise PortTakenError
        if "pre-existing shared memory block" in said or 'lock file "postmaster.pid" already exists' in said:
            raise _OrphansError
        raise failed_start(said, self.log)

    def _alive(self, pid: int) -> bool:
        if self._process is not None and self._process.pid == pid:
            return self._process.poll() is None  # our own child: poll also lays it to rest
        return _serves(pid, self.data)


def clean_environment() -> dict[str, str]:
    """The environment of PostgreSQL's programs: no PG* variable and no locale of the caller."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def shared_memory_settings() -> dict[str, str]:
    """Parallel queries need shared memory beyond the 64 MB that containers give to /dev/shm."""
    folder = Path("/dev/shm")  # noqa: S108 - only its size is read
    small = folder.is_dir() and shutil.disk_usage(folder).total < 256 << 20
    return {"dynamic_shared_memory_type": "sysv"} if small else {}


def failed_start(said: str, where: Path) -> KielError:
    """The error for what initdb or postgres said before it ended; ``where`` the rest can be read."""
    lines = said.strip().splitlines() or ["it said nothing"]
    telling = [line for line in lines if any(mark in line for mark in ("FATAL:", "PANIC:", "error:"))]
    cause = telling[0] if telling else lines[-1]
    for mark in ("FATAL:", "PANIC:", "error:"):
        cause = cause.rpartition(mark)[2]
    cause = cause.strip().rstrip(".")
    if "No space left on device" in said:
        return TransientError(f"No space is left for the database ({cause}); make room, or set KIEL_HOME to a folder on another disk.")
    return DataError(f"PostgreSQL did not start: {cause} (all it said: {where}).")


def _serves(pid: int, data: Path) -> bool:
    """Whether process ``pid`` lives and is a PostgreSQL server that works in ``data``; one that waits to be laid to rest does not live."""
    if Path("/proc/self/cwd").exists():
        try:
            return Path(f"/proc/{pid}/cwd").samefile(data) and "postgres" in Path(f"/proc/{pid}/comm").read_text()
        except OSError:
            return False
    printed = subprocess.run(["ps", "-o", "state=,command=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return "postgres" in printed and not printed.startswith("Z")
