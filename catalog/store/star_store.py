"""Stars out of the catalogue: spectra with correlations and what the other tables say of each source, in batches by ranges of source_id."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
from jaxtyping import Int64
from psycopg import sql

from catalog.releases import DataRelease
from catalog.stars import STAR_COLUMNS, StarBatch
from catalog.statements import statement
from catalog.store.spectrum_store import read_spectra_with


def read_stars(
    connection: psycopg.Connection[Any],
    release: DataRelease,
    first_source_id: int,
    last_source_id: int,
    *,
    only: Int64[np.ndarray, " n"] | None = None,
    block_rows: int = 2_000,
) -> Iterator[StarBatch]:
    """The stars of a release from first_source_id to last_source_id, inclusive, in that order, block_rows sources at a time; ``only`` those named.

    Every source with a spectrum comes once. What a table does not have of it is NaN; a release without photometry or fidelity gives NaN throughout.
    DataError as in :func:`catalog.store.spectrum_store.read_spectra`.
    """
    parameters: dict[str, Any] = {
        "release_id": release.release_id,
        "first_source_id": int(first_source_id),
        "last_source_id": int(last_source_id),
    }
    query: sql.Composable = statement("stars")
    if only is not None:
        query, parameters["only"] = statement("stars_named").format(stars=query), only.tolist()
    batches = read_spectra_with(connection, release, query, parameters, STAR_COLUMNS, block_rows=block_rows, correlations=True)
    for spectra, columns in batches:
        yield StarBatch(spectra, dict(zip(STAR_COLUMNS, columns, strict=True)))
