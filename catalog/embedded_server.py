"""The embedded PostgreSQL: our own launcher over the programs that ``catalog/postgres_binaries`` finds.

One folder, ``home``, holds everything: ``data`` (kept between runs), ``server.json`` (port and random passwords, 0600),
``postgres.log`` and ``lock``. The server listens on 127.0.0.1 and on a unix socket in a short folder, asks for SCRAM passwords, and
outlives the command that started it. Root's server runs as the account that ``catalog/server_account`` names.
"""

import contextlib
import errno
import fcntl
import json
import logging
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
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
from catalog.postgres_binaries import OLDEST_MAJOR, WHEEL_PACKAGE, PostgresBinaries, binaries_for, find_binaries
from catalog.postmaster import PortTakenError, Postmaster, clean_environment, failed_start, shared_memory_settings
from catalog.server_account import ServerAccount, account_name, server_account
from catalog.settings import Settings, socket_folder

LOGIN = "kiel"
TAP_LOGIN = "kiel_tap"
DATABASE = "kiel"
LOCK_SECONDS = 150.0
ANSWER_SECONDS = 10.0
SOCKET_PATH_BYTES = 103  # the shortest limit that systems set on the path of a unix socket
PORTS = range(15432, 32000)  # below the ports that systems give to outgoing connections, so that a kept one is rarely taken
PORT_ATTEMPTS = 100
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
    """What is known of an embedded server without asking it."""

    running: bool
    version: str | None
    """Of the programs; None where none are found."""
    port: int | None
    """None before the first start."""
    pid: int | None
    data: Path
    binaries: Path | None


@dataclass(frozen=True)
class _Access:
    """What server.json keeps: the port and the passwords of the two logins."""

    port: int
    password: str
    tap_password: str


class EmbeddedServer:
    """The PostgreSQL server of one home folder; each method is safe to repeat, and for several processes at once.

    ``binaries`` names the folder of the programs and ``port`` the TCP port; without them they are found and chosen.
    """

    def __init__(self, home: Path, *, binaries: Path | None = None, port: int | None = None) -> None:
        self.home = home.absolute()
        self.data = self.home / "data"
        self._access_file = self.home / "server.json"
        self._named_binaries = binaries
        self._named_port = port
        self._postmaster = Postmaster(self.data, self.home / "postgres.log")

    def up(self) -> Database:
        """Starts the server unless it runs, with the data folder and the database ``kiel`` made the first time.

        Raises UsageError, DataError or TransientError with one sentence that says what stands in the way.
        """
        with _told_in_words(self.home):
            self._make_home()
            account = server_account(self.data)
            with self._locked():
                return self._answering(account)

    def down(self) -> bool:
        """Stops the server cleanly; False where none ran."""
        with _told_in_words(self.home):
            if not self.data.exists():
                return False
            with self._locked():
                stopped = self._postmaster.stop()
            if stopped:
                with contextlib.suppress(OSError):
                    socket_folder(self.home).rmdir()
            return stopped

    def status(self) -> ServerStatus:
        """Whether the server runs, and where; starts nothing."""
        with _told_in_words(self.home):
            running = self._postmaster.running()
            access = self._read_access()
            binaries = find_binaries(self._named_binaries, self._data_major())
        port = running.port if running else self._named_port or (access.port if access else None)
        return ServerStatus(
            running is not None,
            binaries.version if binaries else None,
            port,
            running.pid if running else None,
            self.data,
            binaries.folder if binaries else None,
        )

    def was_killed(self) -> bool:
        """Whether no server runs and the last one left its pid file behind, as one that is stopped does not."""
        return (self.data / "postmaster.pid").exists() and self._postmaster.running() is None

    def database(self) -> Database:
        """Where the running server is; TransientError where none runs."""
        with _told_in_words(self.home):
            running = self._postmaster.running()
            if running is None:
                raise TransientError(
                    f"There is no database: the embedded server of {self.home} does not run. "
                    "Start it with `kiel db up`, or name another server in KIEL_DATABASE_URL."
                )
            access = self._required_access()
        place = f"127.0.0.1:{running.port}/{DATABASE}?sslmode=disable&gssencmode=disable"
        return Database(f"postgresql://{LOGIN}:{access.password}@{place}", f"postgresql://{TAP_LOGIN}:{access.tap_password}@{place}")

    def _answering(self, account: ServerAccount) -> Database:
        """The database ``kiel`` of a server that answers, started where none runs."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            running = self._postmaster.running()
            if running is None:
                self._start(account)
            elif not running.ready:  # somebody else's start, or a recovery after a crash
                self._postmaster.wait_until_ready()
            try:
                database = self.database()
                _make_database(database)
                return database
            except TransientError:  # a server that was just killed or told to stop still seems to run for a moment
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def _start(self, account: ServerAccount) -> None:
        binaries = self._binaries()
        if not account.may_enter(self.home):
            raise UsageError(
                f"PostgreSQL refuses to run as root, and its account {account.name} cannot enter {self.home}; "
                "set KIEL_HOME to a folder open to it."
            )
        binaries = binaries_for(account, binaries, self.home)
        if not self.data.exists():
            self._make_data(binaries, account)
        sockets = self._make_socket_folder(account)
        for _ in range(PORT_ATTEMPTS):
            port = self._keep_free_port()
            settings = {**SERVER_SETTINGS, **shared_memory_settings(), "port": str(port), "unix_socket_directories": str(sockets)}
            try:
                return self._postmaster.start(binaries, account, settings)
            except PortTakenError:
                continue  # somebody was quicker between our look and the start; the next look tells what that means
        raise TransientError("No TCP port on 127.0.0.1 stays free; set KIEL_POSTGRES_PORT to one that does.")

    def _binaries(self) -> PostgresBinaries:
        """The programs to start: those of the data folder's major version where there is one."""
        major = self._data_major()
        binaries = find_binaries(self._named_binaries, major)
        if binaries is not None and major in (None, binaries.major):
            return binaries
        if major is None:
            raise UsageError(
                f"No PostgreSQL programs were found, neither the package {WHEEL_PACKAGE} nor a system PostgreSQL >= {OLDEST_MAJOR}. "
                "Install one, name its folder in KIEL_POSTGRES_BIN, or name a server in KIEL_DATABASE_URL."
            )
        seen = f"the programs in {binaries.folder} are {binaries.version}" if binaries else "there are no programs of that version"
        raise DataError(
            f"The data folder {self.data} was made by PostgreSQL {major}, and {seen}. "
            f"Name programs of version {major} in KIEL_POSTGRES_BIN, or move the folder away to begin an empty catalogue."
        )

    def _make_data(self, binaries: PostgresBinaries, account: ServerAccount) -> None:
        """Runs initdb in a folder beside, which takes the name ``data`` only when it is whole."""
        if (access := self._read_access()) is None:
            access = _Access(self._named_port or _free_port(), secrets.token_urlsafe(24), secrets.token_urlsafe(24))
            self._write_access(access)
        for interrupted in self.home.glob("data.unfinished-*"):
            shutil.rmtree(interrupted, ignore_errors=True)
        # A fresh name each time: an initdb whose starter was killed may still be writing under the last one.
        unfinished = Path(tempfile.mkdtemp(prefix="data.unfinished-", dir=self.home))
        try:
            password_file = unfinished / "password"
            new_data = unfinished / "data"
            new_data.mkdir(mode=0o700)
            _write_private(password_file, access.password)
            for path in (unfinished, new_data, password_file):
                account.take(path)
            options = ["-U", LOGIN, f"--pwfile={password_file}", "--auth=scram-sha-256", "--no-locale", "-E", "UTF8", "--data-checksums"]
            made = subprocess.run(
                [binaries.initdb, "-D", new_data, *options],
                cwd=new_data,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                env=clean_environment(),
                check=False,
                **account.run_as(),
            )
            if made.returncode != 0:
                self._postmaster.log.write_text(made.stdout + made.stderr)
                raise failed_start(made.stderr, self._postmaster.log)
            new_data.rename(self.data)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _make_socket_folder(self, account: ServerAccount) -> Path:
        """A short folder for the unix socket that belongs to the server's account and to nobody else."""
        folder = socket_folder(self.home)
        if len(os.fsencode(folder / ".s.PGSQL.65535")) > SOCKET_PATH_BYTES or not account.may_enter(folder.parent):
            folder = Path("/tmp") / folder.name  # noqa: S108 - the owner is checked
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o755)
            account.take(folder)
        found = folder.lstat()
        if folder.is_symlink() or found.st_uid != account.uid:
            raise DataError(
                f"The folder {folder} for the socket belongs to {account_name(found.st_uid)}; remove it, or set TMPDIR to another place."
            )
        for left_behind in folder.glob(".s.PGSQL.*"):  # by a killed server, whose number PostgreSQL would take for a living process
            left_behind.unlink()
        return folder

    def _make_home(self) -> None:
        if not self.home.exists():
            self.home.mkdir(parents=True)
            # Root's folder lets the server's account through to its data and shows it nothing.
            self.home.chmod(0o711 if os.geteuid() == 0 else 0o700)
        for owner in {self.home.lstat().st_uid, self.home.stat().st_uid} - {os.geteuid()}:
            # Root as well: what another account controls could lead root's hand anywhere.
            raise DataError(
                f"The folder {self.home} belongs to {account_name(owner)}; work as that account, or set KIEL_HOME to another folder."
            )

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time starts or stops the server."""
        with (self.home / "lock").open("w") as lock:
            deadline = time.monotonic() + LOCK_SECONDS
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

    def _keep_free_port(self) -> int:
        """The named port or the kept one; another one is chosen, with a warning, where the kept one is taken."""
        access = self._required_access()
        port = self._named_port or access.port
        if not _is_free(port):
            if self._named_port is not None:
                raise TransientError(
                    f"Port {port} on 127.0.0.1 is taken by another program; stop that one, or set KIEL_POSTGRES_PORT to a free port."
                )
            port = _free_port()
            log.warning("Port %d on 127.0.0.1 is taken by another program; the embedded server uses %d from now on.", access.port, port)
        if port != access.port:
            self._write_access(_Access(port, access.password, access.tap_password))
        return port

    def _read_access(self) -> _Access | None:
        try:
            return _Access(**json.loads(self._access_file.read_text()))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, TypeError) as error:
            raise DataError(
                f"{self._access_file} is damaged; bring it back, or move {self.home} away to begin an empty catalogue."
            ) from error

    def _required_access(self) -> _Access:
        access = self._read_access()
        if access is None:
            raise DataError(
                f"{self._access_file} with the server's passwords is gone; bring it back, "
                f"or move {self.data} away to begin an empty catalogue."
            )
        return access

    def _write_access(self, access: _Access) -> None:
        new = self._access_file.with_suffix(".new")
        new.unlink(missing_ok=True)
        _write_private(new, json.dumps(asdict(access)))
        new.rename(self._access_file)

    def _data_major(self) -> int | None:
        """The major version that made the data folder; None where there is no folder yet."""
        if not self.data.exists():
            return None
        try:
            return int((self.data / "PG_VERSION").read_text())
        except (FileNotFoundError, NotADirectoryError, ValueError) as error:
            raise DataError(
                f"{self.data} is no PostgreSQL data folder (its PG_VERSION is missing or damaged); move it away, "
                "or set KIEL_HOME to another folder."
            ) from error


def embedded_server(settings: Settings) -> EmbeddedServer:
    """The embedded server of these settings, running or not."""
    return EmbeddedServer(settings.home, binaries=settings.postgres_bin, port=settings.postgres_port)


def open_database(settings: Settings) -> Database:
    """The database of these settings: KIEL_DATABASE_URL, else the embedded server's; TransientError where that does not run."""
    if settings.database_url:
        for name, dsn in (("KIEL_DATABASE_URL", settings.database_url), ("KIEL_TAP_DATABASE_URL", settings.tap_database_url or "")):
            _check_dsn(name, dsn)
        return Database(settings.database_url, settings.tap_database_url or settings.database_url)
    return embedded_server(settings).database()


def reopened_database(settings: Settings) -> Database:
    """The database for a command that has lost it: as ``open_database``, but an embedded server that was killed is started again.

    One that was stopped (`kiel db down`) stays down: somebody wanted that.
    """
    if not settings.database_url and (server := embedded_server(settings)).was_killed():
        return server.up()
    return open_database(settings)


def _check_dsn(name: str, dsn: str) -> None:
    try:
        conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        # Neither the DSN nor what libpq says of it is shown, not even as a cause: both may hold the password.
        raise UsageError(
            f"{name} cannot be read: it must be postgresql://USER:PASSWORD@HOST:PORT/DATABASE, in which other characters than letters and "
            "digits are written %XX, or words like host=HOST dbname=DATABASE."
        ) from None


def make_tap_login(connection: psycopg.Connection[Any], database: Database) -> None:
    """Makes the login of ``database.tap_url`` unless it exists, a member of tap_service and tap_reader and of nothing else.

    For a connection that may create roles, once those two exist. Nothing to do where the service has no login of its own.
    """
    login = conninfo_to_dict(database.tap_url)
    name = login.get("user")
    if name is None or name == conninfo_to_dict(database.url).get("user"):
        return
    if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone() is None:
        # NOINHERIT: the login by itself may do nothing; every connection names the role that it takes.
        make = sql.SQL("CREATE ROLE {} LOGIN NOINHERIT PASSWORD {}")
        connection.execute(make.format(sql.Identifier(str(name)), sql.Literal(str(login.get("password") or ""))))
    connection.execute(sql.SQL("GRANT tap_service, tap_reader TO {}").format(sql.Identifier(str(name))))


def _make_database(database: Database) -> None:
    with database.named("postgres").connect(None, autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def _write_private(path: Path, text: str) -> None:
    """Writes a new file that only its owner may read, from its first moment on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as PostgreSQL does: what a closed connection leaves does not count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.errno not in (errno.EADDRINUSE, errno.EACCES)
    return True


def _free_port() -> int:
    for _ in range(PORT_ATTEMPTS):
        port = secrets.choice(PORTS)
        if _is_free(port):
            return port
    raise TransientError(f"No free TCP port was found on 127.0.0.1 from {PORTS.start} to {PORTS.stop}; set KIEL_POSTGRES_PORT to one.")


@contextlib.contextmanager
def _told_in_words(home: Path) -> Iterator[None]:
    """Turns a failed file operation into an error that says what to do."""
    try:
        yield
    except OSError as error:
        raise _file_error(error, home) from error


def _file_error(error: OSError, home: Path) -> KielError:
    place = error.filename or home
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return TransientError(f"No space is left for the database at {place}; make room, or set KIEL_HOME to a folder on another disk.")
    return DataError(
        f"The embedded server cannot use {place} ({error.strerror}); correct its permissions, or set KIEL_HOME to another folder."
    )
