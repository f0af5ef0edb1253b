"""dr2_neighbourhood, dr3_neighbourhood: which sources of an earlier release are which of this one (Gaia archive data model).

A header is recognised by the numbers of both releases and little else: surveys with many columns may carry both as well (GALAH DR3 does).
The numbers of the later release must be those of the release that the file is loaded into, or the file is refused.
"""

from collections.abc import Collection

import numpy as np

from catalog.errors import DataError
from catalog.healpix import END
from catalog.schema.column import ColumnType
from catalog.schema.id_map import ID_MAP
from ingest.described_product import Made, Rules, described_product
from ingest.file_table import Field, FileTable
from ingest.product import FileContext, Product
from ingest.row_checks import RowChecks

_PAIR = frozenset({"angular_distance", "magnitude_difference", "proper_motion_propagation"})


def neighbourhood(from_system: str, to_system: str) -> Product:
    """The product of the table that links the sources of two releases."""
    numbers = frozenset({f"{from_system}_source_id", f"{to_system}_source_id"})

    def recognises(names: Collection[str]) -> bool:
        return numbers.issubset(names) and 2 * len((numbers | _PAIR).intersection(names)) >= len(names)

    def make(block: FileTable, file: FileContext) -> Made:
        if file.release.id_system != to_system:
            raise DataError(
                f"it links the numbers of {from_system} to those of {to_system}, and {file.release.name} numbers its sources as "
                f"{file.release.id_system}; load it into a release of {to_system}"
            )
        return {"from_system": (np.full(len(block), from_system, object), np.zeros(len(block), bool))}

    return described_product(
        f"{from_system}_neighbourhood", ID_MAP, recognises, required=("from_source_id", "source_id"),
        synonyms={"from_source_id": (f"{from_system}_source_id",), "source_id": (f"{to_system}_source_id",)}, made=("from_system",),
        rules=Rules(make, _check),
    )  # fmt: skip


def _check(checks: RowChecks, block: FileTable, file: FileContext) -> None:
    for name in ("from_source_id", "source_id"):
        value = block.values(Field(name, ColumnType.BIGINT))
        checks.reject((value <= 0) | (value >= END), f"{name}_off_the_sky", lambda row, name=name, value=value: f"{name} {value[row]}")  # type: ignore[misc]


DR2_NEIGHBOURHOOD = neighbourhood("dr2", "dr3")
DR3_NEIGHBOURHOOD = neighbourhood("dr3", "dr4")
