"""What a product is: the columns read from its files, how its header looks, how its rows are checked, and which row of a key wins."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from astropy import units
from psycopg import sql

from catalog.binary_copy import Rows
from catalog.errors import DataError
from catalog.releases import DataRelease
from catalog.schema.column import StoreTable
from ingest.file_table import Field, FileTable
from ingest.row_checks import Rejects

_PIXELS = re.compile(r"_(\d{6})-(\d{6})\.")
"""First and last level-8 pixel in the name of a bulk file (Gaia DR3 archive), as in GaiaSource_000000-003111.csv.gz."""


@dataclass(frozen=True)
class FileContext:
    """What checks know of the file beside its rows.

    ``pixels`` are the first and the last level-8 HEALPix pixel that its name promises (None: it promises none); ``simulated`` whether it lies in
    the folder of a simulated sky; ``set_name`` the name that the operator gave to a set of reference labels.
    """

    release: DataRelease
    name: str = ""
    simulated: bool = False
    set_name: str | None = None

    @property
    def pixels(self) -> tuple[int, int] | None:
        """First and last level-8 pixel of a bulk file, by its name."""
        found = _PIXELS.search(self.name.rpartition("/")[2])
        return (int(found[1]), int(found[2])) if found else None

    def keep_worlds_apart(self) -> None:
        """DataError for a simulated file in a real release, or another way round, where rows cannot tell by themselves."""
        if self.simulated and not self.release.simulated:
            raise DataError(f"the file lies in the folder of a simulated sky, and {self.release.name} is real; load it as sim_dr3")
        if self.release.simulated and not self.simulated:
            raise DataError(f"{self.release.name} is simulated, and the file does not lie in the folder of a sky made by `kiel sky make`")


@dataclass(frozen=True)
class CheckedRows:
    """A block after its checks: the good rows as the table takes them (all columns but file_id), and the rows that are not taken."""

    rows: Rows
    rejects: Rejects


@dataclass(frozen=True)
class Gathering:
    """How lines become rows (ingest.spectrum_lines): a file with the column ``by`` has a line for each of its values; ``row`` says what a row is then."""

    by: str
    row: str
    rows: Callable[[Iterator[FileTable]], Iterator[FileTable]]


@dataclass(frozen=True)
class Product:
    """A kind of file.

    ``recognises`` looks at a header's column names (lower case). ``required`` names the fields that a file of the product must have.
    ``completeness`` gives SQL for how full a row is (the highest of a key is kept), from the alias of its table; ``completeness_unit`` says what
    that number counts. ``key`` is the table's primary key but for release_id. ``has_positions`` marks rows with ra and dec of their source_id.
    ``other_fields`` are read besides, by the columns that a header has and their types: for products that keep more than they understand.
    ``gathering`` makes rows of the lines of files that have several a row; None where a line is a row.
    """

    name: str
    table: StoreTable
    fields: tuple[Field, ...]
    recognises: Callable[[Collection[str]], bool]
    check: Callable[[FileTable, FileContext], CheckedRows]
    completeness: Callable[[str], sql.Composable]
    completeness_unit: str
    required: tuple[str, ...] = ()
    key: tuple[str, ...] = ("source_id",)
    has_positions: bool = False
    other_fields: Callable[[Mapping[str, str]], tuple[Field, ...]] = lambda columns: ()
    gathering: Gathering | None = None

    def fields_in(self, columns: Mapping[str, str]) -> tuple[Field, ...]:
        """What is read of a file whose columns have these names and types."""
        return (*self.fields, *self.other_fields(columns))

    @property
    def duplicate_reason(self) -> str:
        """Why a row is rejected that is not the one kept of its key."""
        return "duplicate_source" if self.key == ("source_id",) else "duplicate_row"

    def rows(self, blocks: Iterator[FileTable]) -> Iterator[FileTable]:
        """Blocks of a file's rows, of the blocks that its reader gives."""
        return blocks if self.gathering is None else self.gathering.rows(blocks)

    def compare(self, columns: Mapping[str, str], column_units: Mapping[str, str]) -> dict[str, Any]:
        """The header against the contract: what the ledger keeps of it. DataError where a required column is missing or a unit is another one.

        Columns that the product does not read are told as ``unknown_columns``, fields that the file lacks as ``missing_columns``, and units that
        cannot be understood as ``unknown_units``.
        """
        there = {field: name for field in self.fields if (name := field.column_in(columns)) is not None}
        lacking = [field.name for field in self.fields if field.name in self.required and field not in there]
        if lacking:
            raise DataError(f"the header is one of {self.name} but has no column {', '.join(lacking)}; fetch the file with it")
        unknown_units = {}
        for field, name in there.items():
            stated = column_units.get(name)
            if field.unit is None or not stated:
                continue
            same = _same_unit(stated, field.unit)
            if same is None:
                unknown_units[name] = stated
            elif not same:
                raise DataError(
                    f"the header gives {name} in {stated!r}, {self.name} takes {field.unit}; convert the column and add the file again"
                )
        row = {"row": self.gathering.row} if self.gathering is not None and self.gathering.by in columns else {}
        return row | {
            "unknown_columns": sorted(set(columns) - {field.column_in(columns) for field in self.fields_in(columns)}),
            "missing_columns": [field.name for field in self.fields if field not in there],
            "unknown_units": unknown_units,
        }


def _same_unit(stated: str, wanted: str) -> bool | None:
    """Whether two spellings are one unit; None where the stated one cannot be understood."""
    try:
        ratio = units.Unit(stated.replace("'", "").replace('"', "").strip()) / units.Unit(wanted)
        for counted in (units.electron, units.photon, units.ct):  # the archive counts electrons where VOUnits count nothing
            power = dict(zip(ratio.bases, ratio.powers, strict=True)).get(counted, 0)
            ratio = ratio / counted**power
        return bool(ratio.is_equivalent(units.dimensionless_unscaled) and abs(ratio.to(units.dimensionless_unscaled) - 1.0) < 1e-12)
    except (ValueError, TypeError, units.UnitsError):  # no unit, or the logarithm of one
        return None
