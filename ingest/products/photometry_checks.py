"""Rules that photometry must keep whatever its survey: numbers are finite, errors positive."""

from collections.abc import Mapping

import numpy as np

from catalog.schema.column import ColumnType
from ingest.file_table import Field, FileTable
from ingest.row_checks import RowChecks


def check_errors(checks: RowChecks, table: FileTable, numbers: Mapping[str, bool]) -> None:
    """Reject rows with an infinite number (``not_finite``) or an error of zero or less (``error_not_positive``).

    ``numbers`` names the fields; true marks an error.
    """
    for name, is_error in numbers.items():
        values, there = table.values(Field(name, ColumnType.REAL)), ~table.null(name)
        checks.reject(there & ~np.isfinite(values), "not_finite", lambda row, name=name, values=values: f"{name} is {values[row]}")  # type: ignore[misc]
        if is_error:
            checks.reject(there & ~(values > 0), "error_not_positive", lambda row, name=name, values=values: f"{name} is {values[row]}")  # type: ignore[misc]
