"""Spectra out of the table xp_spectrum, in batches by ranges of source_id."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg

from catalog.binary_copy import CopyField, read_rows
from catalog.releases import DataRelease
from catalog.schema.column import ColumnType
from catalog.spectra import CORRELATIONS, SpectrumBatch, unpack
from catalog.statements import statement

_FIELDS = (
    CopyField("source_id", ColumnType.BIGINT),
    CopyField("layout", ColumnType.SMALLINT),
    CopyField("payload", ColumnType.VECTOR),
    CopyField("g_mean_flux", ColumnType.DOUBLE),
    CopyField("g_mean_mag", ColumnType.REAL),
)


def read_spectra(
    connection: psycopg.Connection[Any],
    release: DataRelease,
    first_source_id: int,
    last_source_id: int,
    *,
    block_rows: int = 10_000,
    correlations: bool = True,
) -> Iterator[SpectrumBatch]:
    """The spectra of a release from first_source_id to last_source_id, inclusive, in that order, block_rows sources at a time.

    G photometry is joined from gaia_source, NaN where that has none. Without ``correlations`` PostgreSQL sends only the head of each
    payload (880 of 12,760 bytes in DR3), and the batch's layouts have those bits off. DataError names a source whose payload does
    not have the length that the release and its layout ask for.
    """
    parameters = {
        "release_id": release.release_id,
        "first_source_id": int(first_source_id),
        "last_source_id": int(last_source_id),
        "n_bp": release.n_bp,
        "n_rp": release.n_rp,
    }
    query = statement("spectra" if correlations else "spectra_without_correlations")
    for rows in read_rows(connection, query, _FIELDS, parameters, block_rows=block_rows):
        layout = rows["layout"] if correlations else rows["layout"] & np.int16(~CORRELATIONS)
        yield unpack(
            rows["source_id"], layout, rows["payload"], release.n_bp, release.n_rp, correlations=correlations,
            g_mean_flux=rows["g_mean_flux"], g_mean_mag=rows["g_mean_mag"].astype(np.float64),
        )  # fmt: skip
