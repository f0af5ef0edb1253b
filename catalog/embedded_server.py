"""The embedded PostgreSQL: our own launcher over the programs that ``catalog/postgres_binaries`` finds.

One folder (``home``) holds everything: ``data`` (kept between runs), ``server.json`` (port and random passwords, 0600),
``postgres.log`` and ``lock``. The server listens on 127.0.0.1 and on a unix socket in a short folder, asks for SCRAM passwords, and
outlives the command that started it. PostgreSQL refuses to run as root, so root's server runs as ``postgres`` or ``nobody``:
always as the owner of the data folder once there is one.
"""

import contextlib
import errno
import fcntl
import json
import logging
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from catalog.database import Database
from catalog.errors import DataError, KielError, TransientError, UsageError
from catalog.postgres_binaries import OLDEST_MAJOR, WHEEL_PACKAGE, PostgresBinaries, find_binaries
from catalog.settings import Settings, socket_folder

LOGIN = "kiel"
TAP_LOGIN = "kiel_tap"
DATABASE = "kiel"
PORTS = range(15432, 32000)  # below every system's range for outgoing connections, so that a kept port is rarely taken
START_SECONDS = 120.0
STOP_SECONDS = 60.0
RESTART_SECONDS = 10.0  # how long the children of a killed postmaster may hold its memory
SOCKET_PATH_LIMIT = 103

SERVER_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "max_locks_per_transaction": "256",  # one publication makes and drops many views in one transaction
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServerStatus:
    """What is known of the embedded server without asking it."""

    running: bool
    version: str | None
    port: int | None
    pid: int | None
    data: Path
    binaries: Path | None


@dataclass(frozen=True)
class _Access:
    """What is kept in server.json: where the server listens, and the two logins' passwords."""

    port: int
    password: str
    tap_password: str


class EmbeddedServer:
    """The PostgreSQL server of one home folder; every method may be called at any time, from several processes at once.

    ``binaries`` names the folder of the programs and ``port`` the TCP port; without them they are found and chosen.
    """

    def __init__(self, home: Path, *, binaries: Path | None = None, port: int | None = None) -> None:
        self.home = home.absolute()
        self.data = self.home / "data"
        self._named_binaries = binaries
        self._named_port = port
        self._process: subprocess.Popen[bytes] | None = None

    def up(self) -> Database:
        """Starts the server unless it runs, making the data folder and the database ``kiel`` the first time.

        Raises UsageError, DataError or TransientError, each with one sentence that says what stands in the way.
        """
        with self._locked():
            if self._running_pid() is None:
                self._start()
            database = self.database()
            _make_database(database)
        return database

    def down(self) -> bool:
        """Stops the server cleanly (fast shutdown: sessions end, nothing is lost); False if it did not run."""
        if not self.data.exists():
            return False
        with self._locked():
            pid = self._running_pid()
            if pid is None:
                return False
            try:
                os.kill(pid, signal.SIGINT)
            except PermissionError as error:
                raise DataError(
                    f"The server of {self.data} (process {pid}) belongs to another account; stop it as that account."
                ) from error
            deadline = time.monotonic() + STOP_SECONDS
            while self._alive(pid):
                if time.monotonic() > deadline:
                    raise TransientError(f"The server (process {pid}) is still stopping after {STOP_SECONDS:.0f} s; see {self.log_file}.")
                time.sleep(0.02)
            with contextlib.suppress(OSError):
                socket_folder(self.home).rmdir()
            return True

    def status(self) -> ServerStatus:
        """Whether the server runs and where; starts nothing."""
        pid = self._running_pid()
        access = self._read_access()
        binaries = find_binaries(self._named_binaries, self._data_major())
        return ServerStatus(
            pid is not None,
            binaries.version if binaries else None,
            access.port if access else self._named_port,
            pid,
            self.data,
            binaries.folder if binaries else None,
        )

    def database(self) -> Database:
        """Where the running server is; TransientError when it does not run."""
        access = self._read_access()
        if access is None or self._running_pid() is None:
            raise TransientError(
                f"No database: the embedded server in {self.home} does not run. Start it with `kiel db up`, or set KIEL_DATABASE_URL."
            )
        place = f"127.0.0.1:{access.port}/{DATABASE}?sslmode=disable&gssencmode=disable"
        return Database(f"postgresql://{LOGIN}:{access.password}@{place}", f"postgresql://{TAP_LOGIN}:{access.tap_password}@{place}")

    @property
    def log_file(self) -> Path:
        """The server's own messages."""
        return self.home / "postgres.log"

    # Starting

    def _start(self) -> None:
        account = self._account()
        binaries = self._binaries()
        if account is not None:
            binaries = self._reachable(binaries, account)
        if not self.data.exists():
            self._make_data(binaries, account)
        self._clear_stale_pid_file()
        folder = self._socket_folder(account)
        deadline = time.monotonic() + RESTART_SECONDS
        while True:
            access = self._access_with_free_port()
            log_start = self.log_file.stat().st_size if self.log_file.exists() else 0
            self._launch(binaries, account, access.port, folder)
            try:
                return self._wait_until_ready()
            except _DiedError:
                said = self._log_since(log_start)
            if "could not bind" in said and time.monotonic() < deadline:
                continue  # somebody took the port between our look and the start
            if ("postmaster.pid" in said or "pre-existing shared memory" in said) and time.monotonic() < deadline:
                time.sleep(0.2)  # a killed postmaster's children are still on their way out
                continue
            raise _start_error(said, self.log_file)

    def _launch(self, binaries: PostgresBinaries, account: pwd.struct_passwd | None, port: int, sockets: Path) -> None:
        settings = {**SERVER_SETTINGS, "port": str(port), "unix_socket_directories": str(sockets)}
        if Path("/dev/shm").exists() and shutil.disk_usage("/dev/shm").total < 256 << 20:  # noqa: S108 - a container's default is 64 MB
            settings["dynamic_shared_memory_type"] = "sysv"
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with self.log_file.open("ab") as messages:
            self._process = subprocess.Popen(
                [binaries.postgres, "-D", self.data, *options],
                cwd=self.data,
                stdin=subprocess.DEVNULL,
                stdout=messages,
                stderr=messages,
                env=_clean_environment(),
                start_new_session=True,
                **_as_account(account),
            )

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise _DiedError
            lines = self._pid_file_lines()
            if len(lines) >= 8 and lines[7].strip() == "ready" and int(lines[0]) == self._process.pid:
                return
            time.sleep(0.02)
        raise TransientError(
            f"The server is still starting after {START_SECONDS:.0f} s (it may be recovering); see {self.log_file}, and try again."
        )

    def _make_data(self, binaries: PostgresBinaries, account: pwd.struct_passwd | None) -> None:
        """Runs initdb in a folder beside, which takes the name ``data`` only when it is whole."""
        access = self._read_access() or _Access(self._named_port or _free_port(), secrets.token_urlsafe(24), secrets.token_urlsafe(24))
        self._write_access(access)
        unfinished = self.home / "data.unfinished"
        password_file = self.home / "initdb.password"
        shutil.rmtree(unfinished, ignore_errors=True)
        password_file.unlink(missing_ok=True)
        try:
            unfinished.mkdir(mode=0o700)
            with open(os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(access.password + "\n")
            if account is not None:
                for path in (unfinished, password_file):
                    os.chown(path, account.pw_uid, account.pw_gid)
            made = subprocess.run(
                [
                    binaries.initdb,
                    "-D",
                    unfinished,
                    "-U",
                    LOGIN,
                    f"--pwfile={password_file}",
                    "-A",
                    "scram-sha-256",
                    "--no-locale",
                    "-E",
                    "UTF8",
                    "--data-checksums",
                ],
                cwd=unfinished,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                env=_clean_environment(),
                check=False,
                **_as_account(account),
            )
            if made.returncode:
                raise _start_error(made.stderr + made.stdout, self.home)
            unfinished.rename(self.data)
        finally:
            password_file.unlink(missing_ok=True)
            shutil.rmtree(unfinished, ignore_errors=True)

    def _account(self) -> pwd.struct_passwd | None:
        """The account that root's server runs as: the owner of the data folder; None for an ordinary user, who runs it himself."""
        owner = self.data.stat().st_uid if self.data.exists() else None
        if os.geteuid() != 0:
            if owner not in (None, os.geteuid()):
                raise DataError(
                    f"The data folder {self.data} belongs to {_account_name(owner)}; work as that account, or set KIEL_HOME to another folder."
                )
            return None
        if owner == 0:
            raise DataError(
                f"The data folder {self.data} belongs to root, as whom PostgreSQL refuses to run; give it to another account (chown -R)."
            )
        if owner is not None:
            try:
                return pwd.getpwuid(owner)
            except KeyError as error:
                raise DataError(
                    f"The data folder {self.data} belongs to user number {owner}, which has no account here; chown -R it."
                ) from error
        for name in ("postgres", "nobody"):
            with contextlib.suppress(KeyError):
                return pwd.getpwnam(name)
        raise UsageError(
            "PostgreSQL refuses to run as root, and there is neither an account postgres nor nobody; work as an ordinary user."
        )

    def _binaries(self) -> PostgresBinaries:
        """The programs to start; those of the same major version where there is a data folder."""
        major = self._data_major()
        binaries = find_binaries(self._named_binaries, major)
        if binaries is None and major is None:
            raise UsageError(
                f"No PostgreSQL programs were found: neither those of the package {WHEEL_PACKAGE} nor a system PostgreSQL >= {OLDEST_MAJOR}. "
                "Install one, name its folder in KIEL_POSTGRES_BIN, or a server in KIEL_DATABASE_URL."
            )
        if binaries is None or (major is not None and binaries.major != major):
            seen = f"the programs in {binaries.folder} are {binaries.version}" if binaries else "no such programs were found"
            raise DataError(
                f"The data folder {self.data} was made by PostgreSQL {major}, and {seen}. "
                f"Name programs of {major} in KIEL_POSTGRES_BIN, or move the folder away to begin an empty catalogue."
            )
        return binaries

    def _reachable(self, binaries: PostgresBinaries, account: pwd.struct_passwd) -> PostgresBinaries:
        """Programs that the account can run: those found, or a copy beside the data folder where the path is closed to it."""
        if not _may_enter(self.home, account):
            raise UsageError(
                f"PostgreSQL refuses to run as root, and the account {account.pw_name} cannot enter {self.home}; set KIEL_HOME to a folder that it can."
            )
        if _may_enter(binaries.folder, account):
            return binaries
        package = binaries.folder.parent.parent
        if package.name != WHEEL_PACKAGE:
            raise UsageError(f"The account {account.pw_name} cannot enter {binaries.folder}; name other programs in KIEL_POSTGRES_BIN.")
        copy = self.home / f"postgres-{binaries.version}"
        if not copy.exists():
            unfinished = copy.with_name(copy.name + ".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            folder = binaries.folder.parent
            shutil.copytree(folder, unfinished / package.name / folder.name, symlinks=True)
            # The programs find their libraries by a path relative to themselves.
            shutil.copytree(package.with_name(package.name + ".libs"), unfinished / (package.name + ".libs"), symlinks=True)
            for path in [unfinished, *unfinished.rglob("*")]:
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
            unfinished.rename(copy)
        return PostgresBinaries(copy / package.name / binaries.folder.parent.name / "bin", binaries.version)

    def _socket_folder(self, account: pwd.struct_passwd | None) -> Path:
        owner = account.pw_uid if account else os.geteuid()
        folder = socket_folder(self.home)
        closed = account is not None and not _may_enter(folder.parent, account)
        if closed or len(os.fsencode(folder / ".s.PGSQL.65535")) > SOCKET_PATH_LIMIT:
            folder = Path("/tmp") / folder.name  # noqa: S108 - the owner is checked below
        folder.mkdir(mode=0o755, exist_ok=True)
        if account is not None and folder.stat().st_uid == 0:
            os.chown(folder, account.pw_uid, account.pw_gid)
        if folder.is_symlink() or folder.stat().st_uid != owner:
            raise DataError(
                f"The socket folder {folder} belongs to {_account_name(folder.lstat().st_uid)}; remove it, or set TMPDIR to another place."
            )
        folder.chmod(0o755)
        return folder

    # What is kept and what runs

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time starts or stops the server; the home folder is made here."""
        try:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.home.stat().st_uid == os.geteuid():
                # Root's folder lets the server's account through to the data folder and shows it nothing else.
                self.home.chmod(0o711 if os.geteuid() == 0 else 0o700)
            with (self.home / "lock").open("w") as lock:
                deadline = time.monotonic() + START_SECONDS
                while True:
                    try:
                        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        break
                    except BlockingIOError as error:
                        if time.monotonic() > deadline:
                            raise TransientError(
                                f"Another command has been starting or stopping the server of {self.home} for too long."
                            ) from error
                        time.sleep(0.05)
                yield
        except OSError as error:
            raise _file_error(error, self.home) from error

    def _access_with_free_port(self) -> _Access:
        access = self._read_access()
        if access is None:
            raise DataError(
                f"{self._access_file} with the server's passwords is gone; bring it back, or move {self.data} away to begin an empty catalogue."
            )
        port = self._named_port or access.port
        if not _is_free(port):
            if self._named_port is not None:
                raise TransientError(
                    f"Port {port} on 127.0.0.1 is taken by another program; stop that one, or set KIEL_POSTGRES_PORT to a free port."
                )
            port = _free_port()
            log.warning("Port %d on 127.0.0.1 is taken by another program; the server uses %d from now on.", access.port, port)
        access = _Access(port, access.password, access.tap_password)
        self._write_access(access)
        return access

    @property
    def _access_file(self) -> Path:
        return self.home / "server.json"

    def _read_access(self) -> _Access | None:
        try:
            return _Access(**json.loads(self._access_file.read_text()))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError as error:
            raise DataError(
                f"{self._access_file} belongs to another account; work as that account, or set KIEL_HOME to another folder."
            ) from error
        except (ValueError, TypeError) as error:
            raise DataError(
                f"{self._access_file} is damaged; bring it back, or move {self.home} away to begin an empty catalogue."
            ) from error

    def _write_access(self, access: _Access) -> None:
        new = self._access_file.with_suffix(".new")
        new.unlink(missing_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(access), file)
        new.rename(self._access_file)

    def _data_major(self) -> int | None:
        try:
            return int((self.data / "PG_VERSION").read_text())
        except PermissionError:
            return None  # another account's folder; up() says so
        except (FileNotFoundError, NotADirectoryError, ValueError) as error:
            if not self.data.exists():
                return None
            raise DataError(
                f"{self.data} is no PostgreSQL data folder (its PG_VERSION is missing or damaged); move it away or set KIEL_HOME."
            ) from error

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return []

    def _running_pid(self) -> int | None:
        lines = self._pid_file_lines()
        pid = int(lines[0]) if lines and lines[0].strip().isdigit() else None
        return pid if pid is not None and self._alive(pid) else None

    def _alive(self, pid: int) -> bool:
        """Whether the process lives and is a server of this data folder (numbers are used again, and the dead may linger)."""
        if self._process is not None and self._process.pid == pid:
            return self._process.poll() is None
        return _is_postgres(pid, self.data)

    def _clear_stale_pid_file(self) -> None:
        """Removes the pid file of a server that is gone: its number may belong to another process by now, which PostgreSQL cannot tell."""
        if self._running_pid() is None:
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _log_since(self, start: int) -> str:
        with self.log_file.open("rb") as file:
            file.seek(start)
            return file.read().decode(errors="replace")


class _DiedError(Exception):
    """The server ended while it was starting."""


def open_database(settings: Settings) -> Database:
    """The database of these settings: KIEL_DATABASE_URL, else the embedded server if it runs, else TransientError."""
    if settings.database_url:
        return Database(settings.database_url, settings.tap_database_url or settings.database_url)
    return embedded_server(settings).database()


def embedded_server(settings: Settings) -> EmbeddedServer:
    """The embedded server of these settings, running or not."""
    return EmbeddedServer(settings.home, binaries=settings.postgres_bin, port=settings.postgres_port)


def make_tap_login(connection: psycopg.Connection[Any], database: Database) -> None:
    """Makes the TAP service's login of ``database.tap_url`` unless it exists, a member of tap_service and tap_reader only.

    To be called once these roles exist, as a superuser or a role that may create roles. Does nothing where the service has no login of its own.
    """
    owner, login = conninfo_to_dict(database.url).get("user"), conninfo_to_dict(database.tap_url)
    name = login.get("user")
    if name is None or name == owner:
        return
    if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone() is None:
        # NOINHERIT: the login alone may do nothing; each connection names its role.
        make = sql.SQL("CREATE ROLE {} LOGIN NOINHERIT PASSWORD {}")
        connection.execute(make.format(sql.Identifier(str(name)), sql.Literal(str(login.get("password", "")))))
    connection.execute(sql.SQL("GRANT tap_service, tap_reader TO {}").format(sql.Identifier(str(name))))


def _make_database(database: Database) -> None:
    with database.named("postgres").connect(None, autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def _as_account(account: pwd.struct_passwd | None) -> dict[str, Any]:
    return {} if account is None else {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _clean_environment() -> dict[str, str]:
    """No PG* variable and no locale of the caller reaches the server."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _may_enter(folder: Path, account: pwd.struct_passwd) -> bool:
    return (
        subprocess.run(["/bin/sh", "-c", 'cd "$0"', folder], cwd="/", capture_output=True, check=False, **_as_account(account)).returncode
        == 0
    )


def _account_name(uid: int | None) -> str:
    try:
        return pwd.getpwuid(uid or 0).pw_name
    except KeyError:
        return f"user number {uid}"


def _is_postgres(pid: int, data: Path) -> bool:
    """Whether process ``pid`` is a living PostgreSQL server whose working folder is ``data``."""
    process = Path("/proc") / str(pid)
    if Path("/proc/self/stat").exists():
        try:
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            return state not in "ZX" and (process / "cmdline").read_bytes().split(b"\0")[2:3] == [os.fsencode(data)]
        except (OSError, IndexError):
            return False
    printed = subprocess.run(["ps", "-o", "state=,command=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(printed) and not printed.startswith("Z") and str(data) in printed


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as PostgreSQL does: a closed connection's rest does not count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.errno not in (errno.EADDRINUSE, errno.EACCES)
    return True


def _free_port() -> int:
    for _ in range(100):
        port = secrets.choice(PORTS)
        if _is_free(port):
            return port
    raise TransientError("No free TCP port was found on 127.0.0.1; set KIEL_POSTGRES_PORT to one.")


def _start_error(said: str, where: Path) -> KielError:
    """The error for what initdb or postgres printed before it ended."""
    telling = [line for line in said.splitlines() if any(word in line for word in ("FATAL", "PANIC", "rror:", "ERROR", "No space"))]
    cause = telling[0].partition(": ")[2] if telling else (said.strip().splitlines() or ["it said nothing"])[-1]
    if "No space left" in said:
        return TransientError(f"No space left for the database in {where}: {cause.strip()}; make room or set KIEL_HOME to another folder.")
    return DataError(f"PostgreSQL did not start: {cause.strip()} (its messages: {where}).")


def _file_error(error: OSError, home: Path) -> KielError:
    """The error for a file operation that failed in the home folder."""
    place = error.filename or home
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return TransientError(f"No space left for the database at {place}; make room or set KIEL_HOME to another folder.")
    return DataError(
        f"The embedded server cannot use {place} ({error.strerror}); correct the folder's permissions or set KIEL_HOME to another one."
    )
