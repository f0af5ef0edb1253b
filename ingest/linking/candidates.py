"""Sources that a row of a survey may be, as arrays: one entry a pair of row and source."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float64, Int64

from catalog.binary_copy import Rows
from catalog.rows import CopyField
from catalog.schema.column import ColumnType
from ingest.linking.epoch import at_epoch

Vector = Float64[np.ndarray, " m"]

SOURCE_FIELDS = (
    CopyField("row", ColumnType.INTEGER),
    CopyField("source_id", ColumnType.BIGINT),
    *(
        CopyField(name, ColumnType.DOUBLE)
        for name in ("ref_epoch", "ra", "dec", "pmra", "pmdec", "parallax", "radial_velocity", "phot_g_mean_mag")
    ),
)
"""What the queries of candidates select first, in this order."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """m pairs: the row of the block, the source, where it stands at the survey's epoch (degrees; NaN where unknown), and its G magnitude."""

    row: Int64[np.ndarray, " m"]
    source_id: Int64[np.ndarray, " m"]
    ra: Vector
    dec: Vector
    g: Vector

    def __len__(self) -> int:
        return len(self.row)

    def take(self, index: np.ndarray) -> "Candidates":
        """The pairs of an index or a mask."""
        return Candidates(*(getattr(self, field.name)[index] for field in fields(Candidates)))

    @staticmethod
    def at(rows: Rows, epoch: float, release_epoch: float) -> "Candidates":
        """Rows whose first columns are SOURCE_FIELDS, moved to the survey's epoch. ``release_epoch`` is that of sources that do not tell theirs."""
        known = {field.name: np.where(rows.null(field.name), np.nan, rows[field.name]) for field in SOURCE_FIELDS[2:]}
        years = epoch - np.where(np.isnan(known["ref_epoch"]), release_epoch, known["ref_epoch"])
        ra, dec = at_epoch(known["ra"], known["dec"], known["pmra"], known["pmdec"], known["parallax"], known["radial_velocity"], years)
        return Candidates(rows["row"].astype(np.int64), rows["source_id"], ra, dec, known["phot_g_mean_mag"])

    @staticmethod
    def joined(parts: Sequence["Candidates"]) -> "Candidates":
        """All pairs of several, each pair once."""
        whole = Candidates(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Candidates)))
        order = np.lexsort((whole.source_id, whole.row))
        row, source_id = whole.row[order], whole.source_id[order]
        again = np.zeros(len(order), bool)
        again[1:] = (row[1:] == row[:-1]) & (source_id[1:] == source_id[:-1])
        return whole.take(order[~again])
