"""Connections to the catalogue's database, each in one of its four roles.

The roles are the border of what a part of the system may do (sql/roles/roles.sql). A connection logs in with the DSN of its part
and takes its role from the connection's options, so privileges hold whichever login is used. In production the TAP service
has a login of its own that is a member of tap_service and tap_reader only (KIEL_TAP_DATABASE_URL; the embedded server makes one).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from catalog.errors import TransientError


class Role(StrEnum):
    """Who a connection acts as."""

    OWNER = "kiel_owner"
    """Migrations, releases and publication."""
    WORKER = "kiel_worker"
    """Ingest, training and runs: reads and writes ``store``."""
    TAP_SERVICE = "tap_service"
    """The service's own bookkeeping: publications and TAP_SCHEMA; may become tap_reader."""
    TAP_READER = "tap_reader"
    """Every query that a person writes: SELECT on the public views only."""


@dataclass(frozen=True)
class Database:
    """Where the database is: the DSN for owner and workers, and the DSN of the TAP service's login."""

    url: str
    tap_url: str

    def dsn(self, role: Role | None) -> str:
        """The DSN for a role; None is the login itself, which only sets up roles and databases."""
        base = self.tap_url if role in (Role.TAP_SERVICE, Role.TAP_READER) else self.url
        if role is None:
            return base
        options = str(conninfo_to_dict(base).get("options") or "")
        return make_conninfo(base, options=f"{options} -c role={role.value}".strip())

    def connect(self, role: Role | None, *, autocommit: bool = False, **kwargs: Any) -> psycopg.Connection[Any]:
        """A new connection; TransientError names host and port when the server cannot be reached."""
        dsn = self.dsn(role)
        try:
            return psycopg.connect(dsn, autocommit=autocommit, application_name=f"kiel {role or 'setup'}", **kwargs)
        except psycopg.OperationalError as error:
            where = conninfo_to_dict(dsn)
            place = f"{where.get('host', 'the default socket')}:{where.get('port', 5432)}, database {where.get('dbname', '')}"
            raise TransientError(
                f"PostgreSQL does not answer at {place} ({str(error).strip().splitlines()[-1]}). "
                "Start the embedded server with `kiel db up`, or correct KIEL_DATABASE_URL."
            ) from error

    def engine(self, role: Role | None) -> sa.Engine:
        """A SQLAlchemy engine without a pool of its own, for alembic and Core."""
        return sa.create_engine("postgresql+psycopg://", creator=lambda: self.connect(role), poolclass=sa.pool.NullPool)

    def named(self, dbname: str) -> "Database":
        """The same server, another database."""
        return Database(make_conninfo(self.url, dbname=dbname), make_conninfo(self.tap_url, dbname=dbname))
