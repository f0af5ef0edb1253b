"""Which code this is: the version number, and the commit where there is one."""

import functools
import subprocess
from pathlib import Path

VERSION = "0.1.0"
ROOT = Path(__file__).resolve().parent.parent


@functools.cache
def code_version() -> str:
    """The version with the commit that is checked out, as stored with model versions and runs: ``0.1.0+g1a2b3c4``.

    A checkout with uncommitted changes ends in ``.dirty``; without git it is the plain version number.
    """
    try:
        described = subprocess.run(
            ["git", "-C", str(ROOT), "describe", "--always", "--dirty=.dirty", "--abbrev=12", "--match="],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return VERSION
    return f"{VERSION}+g{described}" if described else VERSION
