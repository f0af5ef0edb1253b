"""Rows of a file at each stage, and the nulls of each column, counted while it is read."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from catalog.errors import DataError
from ingest.file_table import FileTable
from ingest.product import CheckedRows


@dataclass
class FileCounts:
    """Counted so far: ``lines``, rows as the reader gives them (a product may make one row of several); ``rows_in``, rows that were checked;
    ``rows_kept``, those that kept every rule for a single row; ``nulls``, nulls by field over the lines."""

    lines: int = 0
    rows_in: int = 0
    rows_kept: int = 0
    nulls: Counter[str] = field(default_factory=Counter)

    def read(self, blocks: Iterable[FileTable]) -> Iterator[FileTable]:
        """The same blocks, counted as they pass."""
        for block in blocks:
            self.lines += len(block) + len(block.malformed)
            for name, column in block.columns.items():
                self.nulls[name] += int(column.null.sum())
            yield block

    def check(self, checked: CheckedRows) -> None:
        """Count the rows of a block after their checks."""
        self.rows_in += len(checked.rows) + len(checked.rejects)
        self.rows_kept += len(checked.rows)

    def require_stated(self, rows_stated: int | None) -> None:
        """DataError where the file itself promises another number of rows than it gave."""
        if rows_stated is not None and rows_stated != self.lines:
            raise DataError(f"the file promises {rows_stated} rows and has {self.lines}: it is damaged or truncated; fetch it again")
