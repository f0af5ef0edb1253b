"""Files into tables: each file in one transaction, whole or not at all, whatever is killed and however often it is tried.

A file's rows are copied into a temporary table, block by block, while they are read; damage that shows at the end of the file undoes
everything. Then, one merge at a time in a release, each key keeps its fullest row, ties going to the smallest file sha256; a row that is
not kept becomes a reject (``duplicate_source``, ``duplicate_row``) that names the file which holds the key now. That rule orders all rows of a
key, so the tables are the same for every order of files and any number of loaders.
"""

import errno
import gzip
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psycopg
from psycopg import sql

from catalog.binary_copy import Rows, write_rows
from catalog.database import Database, Role
from catalog.errors import DataError, TransientError
from catalog.healpix import MAX_PADDING, pixel_offset
from catalog.releases import DataRelease, release_named
from catalog.rows import CopyField
from catalog.schema.column import ColumnType
from catalog.schema.column import names as column_names
from catalog.statements import statement
from catalog.version import code_version
from ingest import ledger
from ingest.ledger import LedgerFile, Report, Step, Summary
from ingest.product import FileContext, Product
from ingest.reader import TableReader, blocks_of, describe, format_of, is_known, open_table
from ingest.registry import PRODUCTS, product_of, seen_in
from ingest.source_file import ZIP_MAGIC, SourceFile, files_under, is_simulated, source_files, zip_damage

MOST_DISPLACED = 20
DISPLACED_SHARE = 1e-3
"""A file with more sources beyond the padding than both of these is taken for wrong. Of 25,897 real sources none is."""

_STAGED = sql.Identifier("staged")
_REJECTS = sql.Identifier("store", "ingest_reject")
_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM}


def _silent(step: Step) -> None:
    """Reports to nobody."""


def add_paths(
    database: Database, release: str, paths: Iterable[Path], *, set_name: str | None = None, retry: bool = False, work: bool = False,
    report: Report = _silent,
) -> Summary:  # fmt: skip
    """Put every file named by or under ``paths`` into the ledger of a release; with ``work`` load them.

    Bytes that are known stay as they are, unless ``retry`` plans failed files and those of no product again. UsageError for a path or a
    release that does not exist, before anything is written. ``set_name`` names the set that reference labels among the files make.
    """
    unreadable: list[str] = []
    found = list(files_under(paths, lambda path, error: unreadable.append(f"{_shown(path)} cannot be read ({error.strerror})")))
    with database.connect(Role.WORKER, autocommit=True) as connection, _told_as_transient():
        data_release = release_named(connection, release)
        known: dict[str, None] = {}
        added = 0
        for number, path in enumerate(found, 1):
            try:
                if (shown := _shown(path)) != str(path.absolute()):
                    raise DataError(f"the name of {shown} is not UTF-8, so that the ledger cannot hold it; rename the file or its folder")
                with _file_faults(shown):
                    sources = [(source, *source.digest()) for source in source_files(path, is_known)]
            except DataError as error:
                unreadable.append(str(error))
                continue
            for source, sha256, size in sources:
                name = str(source.path.resolve()) + source.name.removeprefix(str(source.path))
                is_new = ledger.add(connection, data_release, name, sha256, size, set_name)
                file = ledger.file_of(connection, data_release, sha256)
                if not is_new and ((retry and file.state in ledger.RETRIED) or (file.state in ledger.PENDING and not _is_there(file))):
                    ledger.plan_again(connection, file, name)
                    file = ledger.file_of(connection, data_release, sha256)
                known[sha256] = None
                added += is_new
                report(Step("added" if is_new else "known", file, number, len(found)))
        if work:
            _load(connection, data_release, set(known), report)
        return Summary(tuple(ledger.file_of(connection, data_release, sha256) for sha256 in known), added, tuple(unreadable))


def load_pending(database: Database, release: str, *, report: Report = _silent) -> Summary:
    """Load every file of the release that is not in a last state; other loaders may run at the same time.

    Returns when each has been loaded, here or by another loader, has failed or is no product. TransientError when the database goes away:
    the same call goes on from there.
    """
    with database.connect(Role.WORKER, autocommit=True) as connection, _told_as_transient():
        return _load(connection, release_named(connection, release), None, report)


def _load(connection: psycopg.Connection, release: DataRelease, only: set[str] | None, report: Report) -> Summary:
    """First the files that are free, then, waiting for them, those that another loader held."""
    pending = [file for file in ledger.files(connection, release) if file.state in ledger.PENDING and (only is None or file.sha256 in only)]
    done: dict[str, LedgerFile] = {}
    for wait in (False, True):
        for file in pending:
            if file.sha256 in done:
                continue
            if wait:
                report(Step("waiting", file, len(done) + 1, len(pending)))
            with ledger.held(connection, file, wait=wait) as mine:
                if not mine:
                    continue
                started = time.monotonic()
                now = ledger.file_of(connection, release, file.sha256)
                if now.state in ledger.PENDING:
                    report(Step("loading", now, len(done) + 1, len(pending)))
                    _load_file(connection, release, now)
                    now = ledger.file_of(connection, release, file.sha256)
                done[file.sha256] = now
                report(Step(now.state, now, len(done), len(pending), time.monotonic() - started))
    # Counts of files loaded early may have changed since, where later files held fuller rows.
    return Summary(tuple(ledger.file_of(connection, release, file.sha256) for file in pending))


def _load_file(connection: psycopg.Connection, release: DataRelease, file: LedgerFile) -> None:
    """One file to its last state. Its own faults are written into the ledger; those of the database and the machine pass through."""
    try:
        source = SourceFile.named(file.name)
        if _digest(source)[0] != file.sha256:
            raise DataError(f"{file.name} has changed since it was added; add it again")
        head = _head(source)
        if format_of(head) is None:
            ledger.end(connection, file, "not_a_product", f"{describe(head)}; readers know CSV, ECSV, FITS, VOTable and Parquet")
            return
        with open_table(source) as reader:
            found = product_of(reader.tables)
            if found is None:
                products = " nor ".join(product.name for product in PRODUCTS)
                ledger.end(connection, file, "not_a_product", f"{reader.format}, {seen_in(reader.tables)}: neither {products}")
                return
            product, tables = found
            context = FileContext(release, file.name, is_simulated(source.path), file.set_name)
            header = {"format": reader.format, "tables": len(reader.tables), "taken": tables, "columns": dict(reader.tables[tables[0]])}
            for table in tables:
                header |= product.compare(reader.tables[table], reader.units[table])
            ledger.set_state(connection, file, "verified", product.name, header)
            ledger.set_state(connection, file, "loading", product.name, header)
            with connection.transaction():
                _load_rows(connection, context, file, product, source, reader, tables)
    except DataError as error:
        ledger.end(connection, file, "failed", str(error))
    except (psycopg.IntegrityError, psycopg.DataError) as error:
        ledger.end(connection, file, "failed", f"PostgreSQL refused its rows ({str(error).strip().splitlines()[0]}); tell the developers")


def _load_rows(
    connection: psycopg.Connection, context: FileContext, file: LedgerFile, product: Product, source: SourceFile, reader: TableReader,
    tables: list[int],
) -> None:  # fmt: skip
    """Everything that a file's transaction does."""
    release, table = context.release, sql.Identifier("store", product.table.name)
    connection.execute(statement("make_staging").format(table=table))
    rows_in = 0
    offsets = _PixelOffsets()
    for block in blocks_of(source, reader, tables, product.fields):
        checked = product.check(block, context)
        rows_in += len(checked.rows) + len(checked.rejects)
        write_rows(connection, _STAGED, _of_file(checked.rows, file.file_id))
        write_rows(connection, _REJECTS, checked.rejects.of_file(file.file_id))
        if product.has_positions:
            offsets.measure(checked.rows)
    ledger.lock_merge(connection, release)
    rows_loaded = _merge(connection, release, file, product, table)
    offsets.keep(connection, release)
    values = {"file_id": file.file_id, "rows_in": rows_in, "rows_loaded": rows_loaded, "code_version": code_version()}
    rejected, on_record = connection.execute(statement("finish_file"), values).fetchone() or (0, -1)
    assert rejected == on_record, f"{file.name}: {rejected} rows not taken, {on_record} on record"


def _merge(connection: psycopg.Connection, release: DataRelease, file: LedgerFile, product: Product, table: sql.Identifier) -> int:
    """Each key keeps its fullest row; returns how many rows of the file stand in the table."""
    has_source = any(column.name == "source_id" for column in product.table.columns)
    source = "{alias}.source_id" if has_source else "NULL::bigint"
    parts = {
        "table": table,
        "columns": sql.SQL(", ").join(map(sql.Identifier, column_names(product.table.columns))),
        "key_staged": sql.SQL(", ").join(sql.Identifier("s", name) for name in product.key),
        "same_key": sql.SQL(" AND ").join(
            sql.SQL("{} = {}").format(sql.Identifier("t", name), sql.Identifier("s", name)) for name in product.key
        ),
        "record_staged": sql.SQL("concat_ws('/', {})").format(sql.SQL(", ").join(sql.Identifier("s", name) for name in product.key)),
        "source_staged": sql.SQL(source).format(alias=sql.Identifier("s")),
        "source_held": sql.SQL(source).format(alias=sql.Identifier("t")),
        "reason": sql.Literal(product.duplicate_reason),
        "completeness_staged": product.completeness("s"),
        "completeness_held": product.completeness("t"),
        "unit": sql.Literal(f" {product.completeness_unit}"),
    }
    values = {"release_id": release.release_id, "file_id": file.file_id, "sha256": file.sha256, "product": product.name}
    connection.execute("ANALYZE staged")
    connection.execute(statement("set_aside_duplicates_within").format(**parts))
    connection.execute(statement("make_rivals"))
    if connection.execute(statement("find_rivals").format(**parts), values).rowcount:
        connection.execute("ANALYZE rival")
        connection.execute(statement("set_aside_losers").format(**parts))
        connection.execute(statement("take_out_losers").format(**parts), values)
    loaded = connection.execute(statement("insert_staged").format(**parts)).rowcount
    connection.execute(statement("point_rejects_at_winners").format(**parts), values)
    return loaded


class _PixelOffsets:
    """How far the rows of a file lie outside the pixels of their identifiers (design of the sky covers: catalog.healpix)."""

    def __init__(self) -> None:
        self._rows = 0
        self._largest = 0.0
        self._displaced: dict[int, float] = {}

    def measure(self, rows: Rows) -> None:
        """Every good row counts, also one that another row of its source replaces: so the order of files does not matter."""
        if not len(rows):
            return
        offsets = pixel_offset(rows["source_id"], rows["ra"], rows["dec"])
        self._rows += len(rows)
        near = offsets <= MAX_PADDING
        self._largest = max(self._largest, float(offsets[near].max(initial=0.0)))
        for source_id, offset in zip(rows["source_id"][~near].tolist(), offsets[~near].tolist(), strict=True):
            self._displaced[source_id] = max(offset, self._displaced.get(source_id, 0.0))

    def keep(self, connection: psycopg.Connection, release: DataRelease) -> None:
        """Raise the release's padding, and list the sources beyond it; DataError where these are too many to be true.

        Every cone asks for the listed sources one by one, so a file whose positions are of another frame or unit must not fill the list.
        """
        if len(self._displaced) > max(MOST_DISPLACED, DISPLACED_SHARE * self._rows):
            raise DataError(
                f"{len(self._displaced)} of {self._rows} rows lie more than {MAX_PADDING * 3600:.0f} arcsec outside the pixel of their source_id: "
                "ra and dec are not ICRS degrees, or belong to other sources; correct the file and add it again"
            )
        connection.execute(statement("raise_pixel_offset"), {"release_id": release.release_id, "offset": self._largest})
        with connection.cursor() as cursor:
            cursor.executemany(
                statement("add_displaced_source"),
                [
                    {"release_id": release.release_id, "source_id": source_id, "offset_deg": offset}
                    for source_id, offset in self._displaced.items()
                ],
            )


def _of_file(rows: Rows, file_id: int) -> Rows:
    """The rows with the file that they came from."""
    fields = (*rows.fields, CopyField("file_id", ColumnType.INTEGER))
    return Rows(fields, {**rows.values, "file_id": np.full(len(rows), file_id, np.int32)}, rows.nulls)


@contextmanager
def _told_as_transient() -> Iterator[None]:
    """A database that goes away, stops, or lacks space is a passing fault: nothing is half done, and the command can be repeated."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        what = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise TransientError(
            f"the database stopped answering while files were being loaded ({what}). Nothing is half loaded: repeat the command."
        ) from error


@contextmanager
def _file_faults(name: str) -> Iterator[None]:
    """A file that the system does not let us read is the file's fault; a full disk is not."""
    try:
        yield
    except zlib.error as error:
        raise DataError(f"{name} is damaged ({error}); fetch it again") from error
    except (zipfile.BadZipFile, gzip.BadGzipFile, EOFError) as error:
        raise DataError(f"{name} is damaged or truncated ({error}); fetch it again") from error
    except OSError as error:
        if error.errno in _PASSING:
            raise TransientError(f"{name} could not be read just now ({error.strerror}); repeat the command later") from error
        raise DataError(f"{name} cannot be read ({error.strerror or error}); correct that and add it again with --retry") from error


def _digest(source: SourceFile) -> tuple[str, int]:
    with _file_faults(source.name):
        return source.digest()


def _head(source: SourceFile) -> bytes:
    """The first bytes; DataError when they cannot be had, or belong to a damaged zip archive."""
    with _file_faults(source.name):
        head = source.head()
    if head.startswith(ZIP_MAGIC) and source.member is None and (damage := zip_damage(source.path)):
        raise DataError(f"{source.name} is a damaged zip archive ({damage}); fetch it again")
    return head


def _shown(path: Path) -> str:
    """The path as text can hold it: bytes of its name that are not UTF-8 as escapes."""
    return str(path.absolute()).encode(errors="backslashreplace").decode()


def _is_there(file: LedgerFile) -> bool:
    try:
        SourceFile.named(file.name)
    except DataError:
        return False
    return True
