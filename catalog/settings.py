"""The environment, read here and nowhere else. Everything beyond this file receives what it needs."""

import functools
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from catalog.errors import UsageError
from catalog.version import ROOT


def _default_home() -> Path:
    """Where the embedded server's data lives: one folder a checkout, so two checkouts never meet.

    Root's data stays outside /root, which the unprivileged account that runs PostgreSQL cannot enter.
    """
    checkout = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
    if os.geteuid() == 0:
        return Path("/var/tmp") / f"kiel-{checkout}"  # noqa: S108 - kept between boots; the folder is made 0700 for its owner
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / f"kiel-{checkout}"


class Settings(BaseSettings):
    """What may be set from outside; the variable is the field's name with the prefix KIEL_."""

    model_config = SettingsConfigDict(env_prefix="KIEL_", extra="ignore", env_ignore_empty=True)

    database_url: str | None = Field(None, description="DSN of a PostgreSQL server to use in place of the embedded one.")
    tap_database_url: str | None = Field(
        None, description="DSN of the TAP service's own login, a member of tap_service and tap_reader only; default: database_url."
    )
    home: Path = Field(default_factory=_default_home, description="Folder of the embedded server: data, socket, log, passwords.")
    postgres_bin: Path | None = Field(None, description="Folder with the PostgreSQL binaries for the embedded server (initdb, postgres).")
    postgres_port: int | None = Field(None, ge=1, le=65535, description="TCP port of the embedded server; default: a free one, then kept.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where models train and run: auto takes a GPU where torch sees one.")
    lease_seconds: float = Field(20.0, gt=0, description="How long a claimed chunk stays with a worker that gives no sign of life.")
    public_url: str | None = Field(
        None, description="Address of the service where a proxy stands before it, without /tap; default: as each request names it."
    )
    statement_timeout_seconds: float = Field(60.0, gt=0, description="The longest that one synchronous TAP query may take in PostgreSQL.")
    job_timeout_seconds: int = Field(
        14_400, gt=0, le=1_000_000, description="The longest that the query of one asynchronous TAP job may take."
    )
    job_retention_days: float = Field(30.0, gt=0, description="The longest that an asynchronous TAP job and its result are kept.")
    tap_results: Path | None = Field(None, description="Folder of the jobs' results and uploads; default: tap_results in the home folder.")
    tap_list_jobs: bool = Field(True, description="Whether /async lists, to an address, the jobs that came from there.")
    tap_upload_hosts: str = Field("", description="Hosts (or HOST:PORT) that uploads are fetched from though not public, with commas.")
    tap_trusted_proxies: str = Field("", description="Addresses or networks of proxies whose X-Forwarded-For is believed, with commas.")

    @property
    def results_folder(self) -> Path:
        """Where the jobs' files are."""
        return self.tap_results or self.home / "tap_results"


@functools.cache
def settings() -> Settings:
    """The settings of this process; UsageError names the variables that make no sense."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(f"KIEL_{str(part['loc'][0]).upper()} is {part['input']!r}: {part['msg']}" for part in error.errors())
        raise UsageError(f"The environment is wrong: {wrong}. Correct or unset it.") from error


def socket_folder(home: Path) -> Path:
    """A folder for the unix socket whose path stays under the 104 bytes that some systems allow."""
    name = hashlib.sha256(str(home).encode()).hexdigest()[:8]
    return Path(tempfile.gettempdir()) / f"kiel-{name}"
