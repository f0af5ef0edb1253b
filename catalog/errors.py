"""Errors by whose fault they are, with the exit code that each gives a command.

    KielError
    |-- UsageError      the caller's words are wrong: correct the command          (exit 2)
    |-- DataError       a file, row or stored state is wrong: correct the data     (exit 1)
    |-- RunError        a model run or training failed on good input               (exit 1)
    `-- TransientError  a fault that passes: the same command may work later       (exit 3)

Every message says what was seen, where, and what to do. A single bad row or star is never an exception but a value
with its reason (``ingest_reject``, ``no_label``).
"""


class KielError(Exception):
    """Root of the errors that a command reports in one sentence instead of a traceback."""

    exit_code = 1


class UsageError(KielError):
    """The caller asked for something that does not exist or does not go together."""

    exit_code = 2


class DataError(KielError):
    """Input or stored state is not what it must be."""


class RunError(KielError):
    """Training or inference ended without a usable result."""


class TransientError(KielError):
    """Something outside was not there just now: a server, a lock, disk space."""

    exit_code = 3
