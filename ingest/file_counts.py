"""Rows of a file at each stage, and the nulls of each column, counted while it is read."""

from collections import Counter
from dataclasses import dataclass, field

from catalog.errors import DataError
from ingest.file_table import FileTable
from ingest.product import CheckedRows


@dataclass
class FileCounts:
    """``rows_in``: rows read; ``rows_kept``: rows that kept every rule for a single row; ``nulls``: nulls by field, over the rows read."""

    rows_in: int = 0
    rows_kept: int = 0
    nulls: Counter[str] = field(default_factory=Counter)

    def see(self, block: FileTable, checked: CheckedRows) -> None:
        """Count a block."""
        self.rows_in += len(checked.rows) + len(checked.rejects)
        self.rows_kept += len(checked.rows)
        for name, column in block.columns.items():
            self.nulls[name] += int(column.null.sum())

    def require_stated(self, rows_stated: int | None) -> None:
        """DataError where the file itself promises another number of rows than it gave."""
        if rows_stated is not None and rows_stated != self.rows_in:
            raise DataError(f"the file promises {rows_stated} rows and has {self.rows_in}: it is damaged or truncated; fetch it again")
