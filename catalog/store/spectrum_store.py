"""Spectra out of the table xp_spectrum, in batches by ranges of source_id."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import psycopg
from jaxtyping import Float64
from psycopg import sql

from catalog.binary_copy import CopyField, decode_cells, raw_blocks
from catalog.packed_vectors import PackedVectors
from catalog.releases import DataRelease
from catalog.schema.column import ColumnType
from catalog.spectra import CORRELATIONS, SpectrumBatch, unpack_into
from catalog.statements import statement

_SCALARS = (
    CopyField("source_id", ColumnType.BIGINT),
    CopyField("layout", ColumnType.SMALLINT),
    CopyField("g_mean_flux", ColumnType.DOUBLE),
    CopyField("g_mean_mag", ColumnType.REAL),
)
_RECEIVED_BYTES = 2 << 20
"""Bytes that are received before they are unpacked: they are still in the cache then, and the server goes on sending meanwhile."""


def read_spectra(
    connection: psycopg.Connection[Any],
    release: DataRelease,
    first_source_id: int,
    last_source_id: int,
    *,
    block_rows: int = 2_000,
    correlations: bool = True,
) -> Iterator[SpectrumBatch]:
    """The spectra of a release from first_source_id to last_source_id, inclusive, in that order, block_rows sources at a time.

    G photometry is joined from gaia_source, NaN where that has none. Without ``correlations`` PostgreSQL reads and sends heads alone
    (880 of 12,760 bytes in DR3), and the batch's layouts have those bits off. Each batch takes the memory of block_rows sources
    at once; up to some 30 MB (2,000 whole spectra) that memory is used again and again, beyond it every batch is slowed by fresh pages.
    DataError names a source whose head or correlations do not have the length that the release and its layout ask for.
    """
    query = statement("spectra" if correlations else "spectra_without_correlations")
    parameters = {"release_id": release.release_id, "first_source_id": int(first_source_id), "last_source_id": int(last_source_id)}
    for batch, _ in read_spectra_with(connection, release, query, parameters, (), block_rows=block_rows, correlations=correlations):
        yield batch


def read_spectra_with(
    connection: psycopg.Connection[Any],
    release: DataRelease,
    query: sql.Composable,
    parameters: Mapping[str, Any],
    more: Sequence[str],
    *,
    block_rows: int,
    correlations: bool,
) -> Iterator[tuple[SpectrumBatch, Float64[np.ndarray, "columns n"]]]:
    """Spectra in batches as :func:`read_spectra` gives them, of a query that has ``more`` double precision columns between the G photometry and the head.

    With each batch come these columns, a row of the array each; NaN for null.
    """
    fields = (*_SCALARS, *(CopyField(name, ColumnType.DOUBLE) for name in more))
    n_scalars, n_packed = len(fields), 2 if correlations else 1
    batch, columns, filled = None, np.empty((len(more), 0)), 0
    for block in raw_blocks(connection, query, parameters, block_rows=block_rows, block_bytes=_RECEIVED_BYTES):
        starts, lengths = block.cells(n_scalars + n_packed)  # head and correlations come last
        scalars = decode_cells(block, fields, starts[:, :n_scalars], lengths[:, :n_scalars])
        layout = scalars["layout"] if correlations else scalars["layout"] & np.int16(~CORRELATIONS)
        packed = [PackedVectors(block.bytes, starts[:, j], lengths[:, j]) for j in range(n_scalars, n_scalars + n_packed)]
        at = 0
        while at < len(block):
            if batch is None:
                batch, filled = SpectrumBatch.blank(block_rows, release.n_bp, release.n_rp, correlations=correlations), 0
                columns = np.empty((len(more), block_rows))
            rows = slice(at, at + min(len(block) - at, block_rows - filled))
            part = batch.take(slice(filled, filled + rows.stop - rows.start))
            head, *tail = (vectors.take(rows) for vectors in packed)
            unpack_into(part, scalars["source_id"][rows], layout[rows], head, *tail)
            part.g_mean_flux[:], part.g_mean_mag[:] = scalars["g_mean_flux"][rows], scalars["g_mean_mag"][rows]
            for column, name in zip(columns, more, strict=True):
                column[filled : filled + len(part)] = scalars[name][rows]
            at, filled = rows.stop, filled + len(part)
            if filled == block_rows:
                yield batch, columns
                batch = None
    if batch is not None:
        yield batch.take(slice(filled)), columns[:, :filled]
