"""What a product is: the columns read from its files, how its header looks, how its rows are checked, and which row of a source wins."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from psycopg import sql

from catalog.binary_copy import Rows
from catalog.releases import DataRelease
from catalog.schema.column import StoreTable
from ingest.file_table import Field, FileTable
from ingest.row_checks import Rejects


@dataclass(frozen=True)
class CheckedRows:
    """A block after its checks: the good rows as the table takes them (all columns but file_id), and the rows that are not taken."""

    rows: Rows
    rejects: Rejects


@dataclass(frozen=True)
class Product:
    """A kind of file.

    ``recognises`` looks at a header's column names (lower case); it raises DataError for a header that can be nothing else but lacks
    what the product needs. ``completeness`` gives SQL for how full a row is (higher wins a source), from the alias of its table;
    ``completeness_unit`` says what that number counts. ``has_positions`` marks rows with ra and dec.
    """

    name: str
    table: StoreTable
    fields: tuple[Field, ...]
    recognises: Callable[[Collection[str]], bool]
    check: Callable[[FileTable, DataRelease], CheckedRows]
    completeness: Callable[[str], sql.Composable]
    completeness_unit: str
    has_positions: bool = False
