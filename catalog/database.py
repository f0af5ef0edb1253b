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

from catalog.errors import DataError, KielError, TransientError


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
        return make_conninfo(
            base, options=f"{options} -c role={role.value} -c timezone=UTC".strip()
        )  # a server of the operator may keep another zone

    def connect(self, role: Role | None, *, autocommit: bool = False, **kwargs: Any) -> psycopg.Connection[Any]:
        """A new connection; TransientError names host and port when the server cannot be reached, DataError a role that is not there."""
        dsn = self.dsn(role)
        try:
            return psycopg.connect(dsn, autocommit=autocommit, application_name=f"kiel {role or 'setup'}", **kwargs)
        except psycopg.OperationalError as error:
            where = conninfo_to_dict(dsn)
            place = f"{where.get('host', 'the default socket')}:{where.get('port', 5432)}, database {where.get('dbname', '')}"
            reason = " ".join(str(error).split())
            if role is not None and f'"{role.value}"' in reason and role.value != where.get("user"):
                # The server has answered: the role is missing, or the login is no member of it.
                raise DataError(f"the database at {place} has not been set up for this login ({reason}): run `kiel db upgrade`.") from error
            raise TransientError(
                f"PostgreSQL does not answer at {place} ({reason}). "
                "Start the embedded server with `kiel db up`, or correct KIEL_DATABASE_URL."
            ) from error

    def engine(self, role: Role | None) -> sa.Engine:
        """A SQLAlchemy engine without a pool of its own, for alembic and Core."""
        return sa.create_engine("postgresql+psycopg://", creator=lambda: self.connect(role), poolclass=sa.pool.NullPool)

    def named(self, dbname: str) -> "Database":
        """The same server, another database."""
        return Database(make_conninfo(self.url, dbname=dbname), make_conninfo(self.tap_url, dbname=dbname))


def fault_in_words(error: Exception) -> KielError | None:
    """The error to report for what PostgreSQL said in the middle of a command; None for whatever is not the database's own fault."""
    said = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    reason = str(said).strip().partition("\n")[0]
    match said:
        case psycopg.errors.UndefinedTable() | psycopg.errors.UndefinedColumn() | psycopg.errors.InvalidSchemaName():
            return DataError(f"the database is not at the schema of this code ({reason}): run `kiel db upgrade`, then `kiel db check`.")
        case psycopg.errors.InsufficientPrivilege():
            return DataError(
                f"the login of KIEL_DATABASE_URL may not do this ({reason}): it has to own the database and to have CREATEROLE."
            )
        case psycopg.OperationalError():
            return TransientError(f"the database ended the work ({reason}); give the same command again, it goes on where it stood.")
    return None
