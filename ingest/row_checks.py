"""The rules that a row must keep, by name. A row that breaks one is rejected with the name and what was seen; the other rows load.

Rules are asked in a fixed order and the first broken one is told. All work on whole columns.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from catalog.binary_copy import Rows, copy_fields
from catalog.healpix import END
from catalog.releases import SIMULATED_SOLUTION_ID, DataRelease
from catalog.schema.column import ColumnType
from catalog.schema.ingest_ledger import INGEST_REJECT
from ingest.file_table import Field, FileTable

LEVEL_8 = 43
"""Bits of a source_id below its level-8 HEALPix pixel."""
_REJECT_FIELDS = copy_fields(INGEST_REJECT.pick("file_id", "row_number", "source_id", "record", "reason", "detail"))
_DETAIL_LENGTH = 300


@dataclass(frozen=True)
class Rejects:
    """Rows that are not taken: number in the file, source where it is known, key in the survey's own terms, reason and detail."""

    row_number: Int64[np.ndarray, " n"]
    source_id: Int64[np.ndarray, " n"]
    source_unknown: Bool[np.ndarray, " n"]
    record: np.ndarray
    reason: np.ndarray
    detail: np.ndarray

    def __len__(self) -> int:
        return len(self.row_number)

    def of_file(self, file_id: int) -> Rows:
        """The rejects as rows of ingest_reject."""
        values = {
            "file_id": np.full(len(self), file_id, np.int32),
            "row_number": self.row_number,
            "source_id": self.source_id,
            "record": self.record,
            "reason": self.reason,
            "detail": self.detail,
        }
        return Rows(_REJECT_FIELDS, values, {"source_id": self.source_unknown, "record": self.record == ""})


class RowChecks:
    """The rules asked so far of a block of rows; it begins with the one of every product: each value is of its type."""

    def __init__(self, table: FileTable) -> None:
        self._table = table
        self._good = np.ones(len(table), bool)
        self._reason = np.full(len(table), "", object)
        self._detail = np.full(len(table), "", object)
        self._record = np.full(len(table), "", object)
        self._unparsable = table.unparsable()
        self.source_id = np.zeros(len(table), np.int64)
        self._unknown = np.ones(len(table), bool)
        self.reject(self._rows(self._unparsable), "unparsable", lambda row: self._unparsable[row])

    @classmethod
    def of_sources(cls, table: FileTable, pixels: tuple[int, int] | None = None) -> "RowChecks":
        """The rules of rows whose key is source_id: it is there, on the sky, and within the level-8 pixels that the file's name promises."""
        checks = cls(table)
        column = table.columns.get("source_id")
        source_id = np.zeros(len(table), np.int64) if column is None else np.asarray(column.values)
        checks.source_id = source_id
        missing = table.null("source_id")
        checks.reject(missing, "missing_source_id", lambda row: "source_id is null")
        checks.reject(source_id <= 0, "source_id_not_positive", lambda row: f"source_id {source_id[row]}")
        checks.reject(source_id >= END, "source_id_off_the_sky", lambda row: f"source_id {source_id[row]}, the largest pixel ends at {END}")
        if pixels is not None:
            pixel = source_id >> LEVEL_8
            outside = (pixel < pixels[0]) | (pixel > pixels[1])
            checks.reject(
                outside, "outside_the_files_range",
                lambda row: f"source_id {source_id[row]} lies in the level-8 pixel {pixel[row]}, the file's name says {pixels[0]} to {pixels[1]}",
            )  # fmt: skip
        checks._unknown = missing | checks._rows([row for row, seen in checks._unparsable.items() if seen.startswith("source_id:")])
        return checks

    def _rows(self, indices: Iterable[int]) -> Bool[np.ndarray, " rows"]:
        mask = np.zeros(len(self._table), bool)
        mask[list(indices)] = True
        return mask

    def name_records(self, record: np.ndarray) -> None:
        """Say how the survey itself names each row: text (n,), empty where it does not."""
        self._record = record

    def require(self, *names: str) -> None:
        """Reject rows in which one of the fields is null: ``missing_NAME``."""
        for name in names:
            self.reject(self._table.null(name), f"missing_{name}", lambda row, name=name: f"{name} is null")  # type: ignore[misc]

    @property
    def good(self) -> Bool[np.ndarray, " rows"]:
        """Rows that have broken no rule yet."""
        return self._good.copy()

    def reject(self, broken: Bool[np.ndarray, " rows"], reason: str, detail: Callable[[int], str]) -> None:
        """Reject the rows that break a rule; ``detail`` tells of a row what was seen."""
        new = broken & self._good
        self._good &= ~new
        self._reason[new] = reason
        for row in np.flatnonzero(new).tolist():
            self._detail[row] = detail(row)[:_DETAIL_LENGTH]

    def keep_worlds_apart(self, release: DataRelease) -> None:
        """Reject simulated rows in a real release, and rows that are not simulated in a simulated one, by their solution_id."""
        solution = self._table.values(Field("solution_id", ColumnType.BIGINT))
        simulated = ~self._table.null("solution_id") & (solution == SIMULATED_SOLUTION_ID)
        if release.simulated:
            self.reject(
                ~simulated, "real_in_a_simulated_release", lambda row: f"the row is not of `kiel sky make`, and {release.name} is simulated"
            )
        else:
            self.reject(
                simulated,
                "simulated_in_a_real_release",
                lambda row: f"the row is simulated, and {release.name} is real; load it as sim_dr3",
            )

    def rejects(self) -> Rejects:
        """Every rejected row, and the rows whose fields could not be told apart."""
        bad = np.flatnonzero(~self._good)
        malformed = self._table.malformed
        none = np.zeros(len(malformed), np.int64)
        return Rejects(
            np.concatenate([self._table.row_number[bad], np.array(list(malformed), np.int64)]),
            np.concatenate([self.source_id[bad], none]),
            np.concatenate([self._unknown[bad], none == 0]),
            np.concatenate([self._record[bad], np.full(len(malformed), "", object)]),
            np.concatenate([self._reason[bad], np.full(len(malformed), "wrong_field_count", object)]),
            np.concatenate([self._detail[bad], np.array([seen[:_DETAIL_LENGTH] for seen in malformed.values()], object)]),
        )
