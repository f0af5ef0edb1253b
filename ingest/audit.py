"""The ledger against the world: are the files still what was loaded, and do the tables hold what the ledger says?"""

from dataclasses import dataclass

import psycopg
from psycopg import IsolationLevel, sql

from catalog.database import Database, Role
from catalog.errors import DataError
from catalog.releases import DataRelease, release_named
from catalog.statements import statement
from ingest import ledger
from ingest.faults import file_faults
from ingest.ledger import LedgerFile
from ingest.registry import PRODUCTS
from ingest.source_file import SourceFile


@dataclass(frozen=True)
class Audit:
    """What was compared, and what differs. ``gone`` are loaded files that are not where they were: their rows are in the catalogue all the same."""

    files: int
    rows: int
    rejects: int
    gone: tuple[str, ...]
    differences: tuple[str, ...]


def audit(database: Database, release: str, *, strict: bool = False, hashed: bool = True) -> Audit:
    """Compare every loaded file's bytes with its sum, and its counts with rows and rejects by file; ``strict``: a file that is gone differs.

    Counts are taken in one snapshot, so loaders may be at work. A file that cannot be read just now (ENOSPC and the like) is a TransientError.
    """
    with database.connect(Role.WORKER) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        data_release = release_named(connection, release)
        files = ledger.files(connection, data_release)
        rows = {table: _counts(connection, data_release, table) for table in {product.table.name for product in PRODUCTS}}
        rejects = dict(connection.execute(statement("rejects_by_file"), {"release_id": data_release.release_id}).fetchall())
    loaded = [file for file in files if file.state == "loaded"]
    differences = [told for file in loaded for told in _count_differences(file, rows, rejects)]
    differences += _strays(files, rows, rejects)
    gone: list[str] = []
    for file in loaded if hashed else ():
        try:
            source = SourceFile.named(file.name)
        except DataError as error:
            gone.append(str(error))
            continue
        try:
            with file_faults(file.name):
                sha256 = source.digest().sha256
        except DataError as error:
            differences.append(str(error))
            continue
        if sha256 != file.sha256:
            differences.append(f"{file.name} has other bytes than those that were loaded (SHA-256 {sha256}, then {file.sha256})")
    if strict:
        differences += gone
    return Audit(len(loaded), sum(sum(counts.values()) for counts in rows.values()), sum(rejects.values()), tuple(gone), tuple(differences))


def _counts(connection: psycopg.Connection, release: DataRelease, table: str) -> dict[int, int]:
    query = statement("rows_by_file").format(table=sql.Identifier("store", table))
    return dict(connection.execute(query, {"release_id": release.release_id}).fetchall())


def _count_differences(file: LedgerFile, rows: dict[str, dict[int, int]], rejects: dict[int, int]) -> list[str]:
    """What of a loaded file's counts does not agree."""
    table = next((product.table.name for product in PRODUCTS if product.name == file.product), None)
    if table is None:
        return [f"{file.name} was loaded as {file.product}, which this code does not know; look with the code that loaded it"]
    held, rejected = rows[table].get(file.file_id, 0), rejects.get(file.file_id, 0)
    told = []
    if held != file.rows_loaded:
        told.append(f"{file.name}: {held} rows in {table}, the ledger says {file.rows_loaded}")
    if rejected != file.rows_rejected:
        told.append(f"{file.name}: {rejected} rejects, the ledger says {file.rows_rejected}")
    if file.rows_in != (file.rows_loaded or 0) + (file.rows_rejected or 0):
        told.append(f"{file.name}: {file.rows_in} rows read, but {file.rows_loaded} loaded and {file.rows_rejected} rejected")
    return told


def _strays(files: list[LedgerFile], rows: dict[str, dict[int, int]], rejects: dict[int, int]) -> list[str]:
    """Rows and rejects of files that are not loaded, or loaded into another table."""
    place = {
        file.file_id: next((p.table.name for p in PRODUCTS if p.name == file.product), None) for file in files if file.state == "loaded"
    }
    names = {file.file_id: file.name for file in files}
    told = []
    for table, counts in rows.items():
        for file_id, count in counts.items():
            if place.get(file_id) != table:
                told.append(f"{count} rows in {table} belong to {names.get(file_id, f'file {file_id}')}, which has not been loaded there")
    for file_id, count in rejects.items():
        if file_id not in place:
            told.append(f"{count} rejects belong to {names.get(file_id, f'file {file_id}')}, which has not been loaded")
    return told
