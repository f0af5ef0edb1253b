"""unWISE: the band-merged catalogue, its bands as vectors [W1, W2] or as columns ``flux_w1``, ``flux_w2``, and the catalogue of single bands.

Columns: catalog.unwise.me; the split names are those of SDSS's copy. A file of one band has no object identifier: its rows go by unwise_detid, and
the band is told by the column ``band`` or by that identifier (``0000p000w1o0000001``). A flux of 0 says that a band has no detection: all of
the band is null then.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from catalog.schema.column import ColumnType
from catalog.schema.unwise import BANDS, UNWISE
from ingest.described_product import Made, Rules, described_product
from ingest.file_table import DTYPES, Field, FileTable
from ingest.product import FileContext
from ingest.row_checks import RowChecks

_IN_FILES = {"primary": "primary12"}
"""Our name of a quantity -> the catalogue's, where they differ."""
_QUANTITIES = tuple(column.name.removeprefix("w1_") for column in UNWISE.columns if column.name.startswith("w1_"))
_COLUMNS = tuple(f"{band}_{quantity}" for band in BANDS for quantity in _QUANTITIES)
_BAND_OF_DETECTION = re.compile(r"w([12])o\d")


@dataclass(frozen=True)
class _Band:
    """A quantity of one band: its column, the numbers (NaN for none), and where the band has none at all."""

    column: str
    numbers: Float64[np.ndarray, " rows"]
    null: Bool[np.ndarray, " rows"]

    @property
    def type(self) -> ColumnType:
        """The type of its column."""
        return UNWISE[self.column].type


def _in_file(quantity: str) -> str:
    return _IN_FILES.get(quantity, quantity)


def _split_field(band: str, quantity: str) -> Field:
    name = _in_file(quantity)
    return Field(f"{band}_{quantity}", ColumnType.DOUBLE, synonyms=(f"{name}_{band}", f"{quantity}_{band}", f"{band}{quantity}"))


_VECTORS = tuple(Field(_in_file(quantity), ColumnType.DOUBLE, is_array=True) for quantity in _QUANTITIES)
_SPLIT = tuple(_split_field(band, quantity) for band in BANDS for quantity in _QUANTITIES)
_SCALARS = tuple(Field(quantity, ColumnType.DOUBLE) for quantity in _QUANTITIES)
_BAND = Field("band", ColumnType.SMALLINT)


def _merged(table: FileTable) -> dict[str, Float64[np.ndarray, " rows"]]:
    """The numbers of both bands, by column."""
    found = {}
    for quantity, vector in zip(_QUANTITIES, _VECTORS, strict=True):
        both = table.ragged(vector.name).matrix(len(BANDS)) if vector.name in table else None
        for number, band in enumerate(BANDS):
            field = _split_field(band, quantity)
            split = np.where(table.null(field.name), np.nan, table.values(field))
            found[field.name] = split if both is None else both[:, number]
    return found


def _single(table: FileTable) -> dict[str, Float64[np.ndarray, " rows"]]:
    """The numbers of the one band of each row, NaN in the other."""
    band = _band_of(table)
    return {
        f"{name}_{field.name}": np.where((band == number) & ~table.null(field.name), table.values(field), np.nan)
        for number, name in enumerate(BANDS, 1)
        for field in _SCALARS
    }


def _band_of(table: FileTable) -> np.ndarray:
    """1 or 2 by the column ``band``, else by the detection's identifier; 0 where neither tells."""
    names = table.values(Field("survey_id", ColumnType.TEXT)).tolist()
    told = np.array([int(found[1]) if (found := _BAND_OF_DETECTION.search(name or "")) else 0 for name in names], np.int16)
    return np.where(table.null("band"), told, table.values(_BAND))


def _quantities(numbers: Mapping[str, Float64[np.ndarray, " rows"]]) -> Iterator[_Band]:
    for column, values in numbers.items():
        flux = numbers[f"{column[:2]}_flux"]
        yield _Band(column, values, np.isnan(values) | np.isnan(flux) | (flux == 0))


def _made(numbers: Mapping[str, Float64[np.ndarray, " rows"]]) -> dict[str, tuple[np.ndarray, Bool[np.ndarray, " rows"]]]:
    made = {}
    for band in _quantities(numbers):
        dtype = DTYPES[band.type]
        usable = np.where(band.null | ~_fits(band), 0.0, band.numbers)
        made[band.column] = (usable.astype(dtype), band.null)
    return made


def _made_single(table: FileTable, file: FileContext) -> Made:
    """The columns of a row of one band, whose detection counts or does not as the source does."""
    made = _made(_single(table))
    first, second = (made[f"{band}_primary"] for band in BANDS)
    return made | {"is_primary": (np.where(first[1], second[0], first[0]), first[1] & second[1])}


def _fits(band: _Band) -> Bool[np.ndarray, " rows"]:
    """Whether a number is one of its column's type; nulls are."""
    dtype = DTYPES[band.type]
    if dtype.kind == "f":
        return band.null | (np.abs(band.numbers) <= np.finfo(dtype).max)
    whole = np.where(band.null | ~np.isfinite(band.numbers), 0.5, band.numbers)
    return band.null | ((whole == np.rint(whole)) & (np.abs(whole) <= np.iinfo(dtype).max))


def _check(checks: RowChecks, table: FileTable, numbers: Mapping[str, Float64[np.ndarray, " rows"]]) -> None:
    checks.require("ra", "dec")
    for band in _quantities(numbers):
        reason = "not_finite" if DTYPES[band.type].kind == "f" else "unparsable"
        checks.reject(~_fits(band), reason, lambda row, band=band: f"{band.column} is {band.numbers[row]}")  # type: ignore[misc]
        if band.column.endswith("_dflux"):
            checks.reject(
                ~band.null & ~(band.numbers > 0),
                "error_not_positive",
                lambda row, band=band: f"{band.column} is {band.numbers[row]}",  # type: ignore[misc]
            )


def _check_merged(checks: RowChecks, table: FileTable, file: FileContext) -> None:
    """Vectors have a number for each band; numbers are finite, errors positive."""
    for vector in _VECTORS:
        lengths = table.ragged(vector.name).lengths
        checks.reject(
            ~table.null(vector.name) & (lengths != len(BANDS)),
            f"wrong_number_of_{vector.name}",
            lambda row, name=vector.name, lengths=lengths: f"{name} has {lengths[row]} numbers in place of {len(BANDS)}",  # type: ignore[misc]
        )
    _check(checks, table, _merged(table))


def _check_single(checks: RowChecks, table: FileTable, file: FileContext) -> None:
    """The band is known; numbers are finite, errors positive."""
    band = _band_of(table)
    checks.reject(~np.isin(band, (1, 2)), "unknown_band", lambda row: f"band {band[row]}, and unwise_detid tells none")
    _check(checks, table, _single(table))


def recognises(names: Collection[str]) -> bool:
    """Whether a header is one of the band-merged catalogue."""
    return "unwise_objid" in names and any(field.column_in(names) for field in (_VECTORS[0], _split_field("w1", "flux")))


def recognises_single(names: Collection[str]) -> bool:
    """Whether a header is one of the catalogue of single bands."""
    return {"unwise_detid", "flux", "dflux"}.issubset(names) and "unwise_objid" not in names


UNWISE_ROWS = described_product(
    "unwise", UNWISE, recognises, required=("survey_id", "ra", "dec"), made=_COLUMNS, more_fields=(*_VECTORS, *_SPLIT),
    synonyms={"survey_id": ("unwise_objid",), "is_primary": ("primary",)},
    rules=Rules(lambda table, file: _made(_merged(table)), _check_merged),
)  # fmt: skip
UNWISE_BAND_ROWS = described_product(
    "unwise_band", UNWISE, recognises_single, required=("survey_id", "ra", "dec"), made=(*_COLUMNS, "is_primary"),
    more_fields=(*_SCALARS, _BAND), synonyms={"survey_id": ("unwise_detid",)},
    rules=Rules(
        _made_single,
        _check_single,
    ),
)  # fmt: skip

UNWISE_PRODUCTS = (UNWISE_ROWS, UNWISE_BAND_ROWS)
"""The band-merged catalogue, and the catalogue of single bands."""
