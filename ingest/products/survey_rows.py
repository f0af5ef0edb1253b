"""What the products of surveys share: numbers that mean "not measured", flags whose top bit is set, and which release of the survey a row is of."""

import re

import numpy as np

from catalog.schema.column import ColumnType, StoreTable
from ingest.described_product import Made
from ingest.file_table import Field, FileTable
from ingest.product import FileContext

NOT_MEASURED = (-9999.0, -9999.99)
"""As APOGEE up to DR16, astroNN and LAMOST write it; NaN and empty cells are null in every product."""
_NUMBERS = (ColumnType.SMALLINT, ColumnType.INTEGER, ColumnType.BIGINT, ColumnType.REAL, ColumnType.DOUBLE)
_RELEASE = re.compile(r"(?<![a-z0-9])e?(dr\d+)", re.IGNORECASE)


def nulls_of(table: StoreTable, **more: tuple[float, ...]) -> dict[str, tuple[float, ...]]:
    """The nulls of a table's fields: NOT_MEASURED of every number, and ``more`` by name."""
    return {column.name: NOT_MEASURED + more.get(column.name, ()) for column in table.columns if column.type in _NUMBERS}


def unsigned(block: FileTable, names: tuple[str, ...]) -> Made:
    """Flags with all their bits (n,): bit 31 of one that the file holds in 32 bits shows as a negative number, and is no higher bit."""
    made = {}
    for name in names:
        values = block.values(Field(name, ColumnType.BIGINT))
        negative = (values < 0) & (values >= -(1 << 31))
        made[name] = (np.where(negative, values + (1 << 32), values), block.null(name))
    return made


def text_of(block: FileTable, name: str) -> np.ndarray:
    """A text field (n,), empty where it is null."""
    texts = block.values(Field(name, ColumnType.TEXT))
    return np.where(block.null(name), "", texts).astype(object)


def release_of(file: FileContext, otherwise: str | None = None) -> str | None:
    """The survey's release that the file's name says (dr17 of allStar-dr17-synspec_rev1.fits); else ``otherwise``."""
    found = _RELEASE.search(re.split(r"[/!]", file.name)[-1])
    return found[1].lower() if found else otherwise


def release_column(releases: list[str | None]) -> tuple[np.ndarray, np.ndarray]:
    """survey_release of each row (n,), and where it is null."""
    return np.array([release or "" for release in releases], object), np.array([release is None for release in releases], bool)
