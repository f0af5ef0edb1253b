"""Who the embedded server runs as: PostgreSQL refuses to run as root, so root's server runs as an account without rights."""

import contextlib
import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.errors import DataError, UsageError

ROOTS_SERVER_ACCOUNTS = ("postgres", "nobody")


@dataclass(frozen=True)
class ServerAccount:
    """The account of the server's processes and of its data folder."""

    name: str
    uid: int
    gid: int

    @property
    def is_caller(self) -> bool:
        """Whether the server runs as the account that asks for it."""
        return self.uid == os.geteuid()

    def run_as(self) -> dict[str, Any]:
        """The arguments that make ``subprocess`` run a program as this account."""
        return {} if self.is_caller else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def take(self, path: Path) -> None:
        """Gives a file or folder that was just made to this account."""
        if not self.is_caller:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def may_enter(self, folder: Path) -> bool:
        """Whether the folder and all above it are open to the account: tried, since modes do not tell the whole story."""
        if self.is_caller:
            return os.access(folder, os.X_OK)
        try:
            tried = subprocess.run(["/bin/sh", "-c", 'cd "$0"', folder], cwd="/", capture_output=True, check=False, **self.run_as())
        except PermissionError as error:
            raise UsageError(
                "PostgreSQL refuses to run as root, "
                f"and this root may not become the account {self.name} (a container without that right?). "
                "Work as an ordinary user, or name a server in KIEL_DATABASE_URL."
            ) from error
        return tried.returncode == 0


def account_name(uid: int) -> str:
    """The account's name for a message; accounts without a name have their number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"the user number {uid}"


def server_account(data: Path) -> ServerAccount:
    """The account for a data folder: its owner where it exists, else the caller, or for root the first of ROOTS_SERVER_ACCOUNTS.

    Raises DataError where the owner cannot run the server, UsageError where root finds no account to run it.
    """
    owner = data.stat().st_uid if data.is_dir() else None
    caller = os.geteuid()
    if owner == 0:
        raise DataError(
            f"The data folder {data} belongs to root, as whom PostgreSQL refuses to run; give it to another account (chown -R)."
        )
    if caller != 0:
        if owner not in (None, caller):
            raise DataError(
                f"The data folder {data} belongs to {account_name(owner or 0)}; work as that account, or set KIEL_HOME to another folder."
            )
        return ServerAccount(account_name(caller), caller, os.getegid())
    if owner is not None:
        return ServerAccount(account_name(owner), owner, data.stat().st_gid)
    for name in ROOTS_SERVER_ACCOUNTS:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return ServerAccount(name, entry.pw_uid, entry.pw_gid)
    raise UsageError(
        f"PostgreSQL refuses to run as root, and none of the accounts {', '.join(ROOTS_SERVER_ACCOUNTS)} exists here; "
        "work as an ordinary user."
    )
