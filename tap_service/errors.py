"""Errors of the service, by whose fault they are, with the HTTP status that says so.

    TapError
    |-- RequestError        the request is wrong: correct it                          400
    |   |-- ParameterError      a parameter is missing, repeated, or has no such value
    |   |-- QueryError          the query cannot be run as it is written
    |   |-- TooLargeError       the request's body is longer than the service reads   413
    |   `-- NotFoundError       there is nothing of that name                       404
    |-- LimitError          the query is right but took longer than it may            400
    |-- BusyError           all places are taken: ask again in a moment               503
    |-- DatabaseDownError   PostgreSQL does not answer                                503
    `-- InternalError       our fault; the log has the details                        500

Every one of them leaves as a VOTable document (DALI 1.1 section 4.2) whose INFO holds the message.
"""

import logging
from http import HTTPStatus

import psycopg
from psycopg import errors as postgres

from catalog.errors import KielError, TransientError
from tap_service.adql.errors import AdqlError

log = logging.getLogger(__name__)


class TapError(KielError):
    """Root of what a request may end in."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    retry_after: int | None = None


class RequestError(TapError):
    """The client's fault."""

    status = HTTPStatus.BAD_REQUEST


class ParameterError(RequestError):
    """A parameter is missing, repeated, or has a value that the service does not know."""


class QueryError(RequestError):
    """The query reads well but cannot be computed: division by zero, a cast of text that is no number."""


class TooLargeError(RequestError):
    """The body of the request is longer than the service reads."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class NotFoundError(RequestError):
    """There is no table, or no other thing, of the name in the address."""

    status = HTTPStatus.NOT_FOUND


class LimitError(TapError):
    """The query ran into a limit of the service, which the message names."""

    status = HTTPStatus.BAD_REQUEST


class BusyError(TapError):
    """Every place for a query is taken."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    retry_after = 5


class DatabaseDownError(TapError):
    """PostgreSQL does not answer."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    retry_after = 30


class InternalError(TapError):
    """Our fault."""


def _what_to_write(state: str, message: str) -> str:
    """What helps against an error in the data (SQLSTATE class 22); nothing where the message says it all."""
    if state == "22012":
        return " Write CASE WHEN y <> 0 THEN x / y END, or leave such rows out with WHERE."
    if state in ("2201E", "2201F") or message == "input is out of range":
        return " Leave such rows out with WHERE, or guard the function with CASE WHEN ... THEN ... END."
    if state == "22003" and message.startswith(("integer", "smallint")):
        return " Whole numbers of a query are 32 bits wide: write CAST(x AS BIGINT), or a decimal point (1000000.0)."
    if state == "22003":
        return " CAST(x AS DOUBLE PRECISION) holds larger numbers, up to 1.8e308."
    return ""


def from_postgres(error: psycopg.Error, timeout_seconds: float) -> TapError:
    """What an error of PostgreSQL while running a query means to the client (SQLSTATE, PostgreSQL appendix A)."""
    message = (error.diag.message_primary or str(error)).strip()
    if isinstance(error, postgres.QueryCanceled):
        return LimitError(
            f"The query was stopped by the service's time limit of {timeout_seconds:g} s for a synchronous query (statement timeout). "
            "Ask for fewer rows (TOP, a smaller region) or for conditions on indexed columns."
        )
    state = error.sqlstate or ""
    if state.startswith("22"):
        return QueryError(f"The query cannot be computed for some row: {message}.{_what_to_write(state, message)}")
    if state.startswith("21"):
        return QueryError(f"The query cannot be computed: {message}.")
    if state.startswith("0A"):
        return QueryError(f"The database cannot run this query: {message}.")
    if state.startswith("53"):
        return BusyError(f"The database is out of resources for this query: {message}.")
    if state.startswith("54"):
        return QueryError(f"The query is too complicated for the database: {message}.")
    if state == "" or state.startswith(("08", "57P")):
        return DatabaseDownError("The connection to the database was lost; ask again in a moment.")
    return InternalError(f"The service failed on this query ({error.__class__.__name__}); this is not your fault, and it has been logged.")


def as_tap_error(error: Exception, timeout_seconds: float) -> TapError:
    """What an exception means to the client; what is our fault goes to the log with its traceback."""
    if isinstance(error, TapError):
        found = error
    elif isinstance(error, AdqlError):
        found = QueryError(str(error))
    elif isinstance(error, psycopg.Error):
        found = from_postgres(error, timeout_seconds)
    elif isinstance(error, TransientError):
        found = DatabaseDownError("The database does not answer, or nothing has been published yet; ask again in a moment.")
    else:
        found = InternalError("The service failed on this request; this is not your fault, and it has been logged.")
    if found.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("%s", found, exc_info=None if isinstance(found, BusyError) else error)
    return found
