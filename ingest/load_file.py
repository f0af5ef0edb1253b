"""One file into its table, in one transaction: whole or not at all, whatever is killed and however often it is tried.

A file's rows go to the database block by block while they are read; damage that shows at the end of the file undoes everything.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from catalog.database import Database, Role
from catalog.errors import DataError, TransientError
from catalog.releases import DataRelease
from catalog.statements import statement
from ingest import ledger
from ingest.content import Content, verified
from ingest.faults import cause_in_words, file_faults, told_as_transient
from ingest.file_counts import FileCounts
from ingest.ledger import LedgerFile
from ingest.merge import KEY_TAKEN, DirectWriter, StagedWriter
from ingest.pixel_offsets import PixelOffsets
from ingest.product import FileContext, Product
from ingest.progress import Progress
from ingest.reader import KNOWN_FORMATS, TableReader, blocks_of, describe, format_of, open_table
from ingest.registry import PRODUCTS, product_of, seen_in
from ingest.source_file import ZIP_MAGIC, SourceFile, is_simulated, zip_damage


@contextmanager
def loader_connection(database: Database) -> Iterator[psycopg.Connection]:
    """A connection that loads. The server looks after its client while it waits for a lock, so that a loader that died lets go of its file."""
    with database.connect(Role.WORKER, autocommit=True) as connection, told_as_transient():
        with contextlib.suppress(psycopg.errors.InvalidParameterValue):  # systems on which PostgreSQL cannot ask: it finds out later
            connection.execute(statement("look_after_client"))
        yield connection


def load_if_pending(
    connection: psycopg.Connection, release: DataRelease, file: LedgerFile, progress: Progress, *, wait: bool,
    begun: Callable[[LedgerFile], None] = lambda file: None,
) -> bool:  # fmt: skip
    """Load a file unless it has its last state by now; False when another loader holds it, and ``wait`` is false."""
    with ledger.held(connection, file, wait=wait) as mine:
        if mine:
            now = ledger.file_of(connection, release, file.sha256)
            if now.state in ledger.PENDING:
                begun(now)
                load_file(connection, release, now, progress)
        return mine


def load_file(connection: psycopg.Connection, release: DataRelease, file: LedgerFile, progress: Progress) -> None:
    """One file to its last state. Its own faults are written into the ledger; those of the database and the machine pass through."""
    content: Content | None = None
    ledger.begin(connection, file)
    try:
        progress.begin(file, "verifying")
        source = SourceFile.named(file.name)
        content = verified(source, file.sha256, lambda size: progress.tell(size, 0))
        head = _head(source)
        if format_of(head) is None:
            ledger.end(connection, file, "not_a_product", f"{describe(head)}; readers know {KNOWN_FORMATS}")
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
            ledger.set_verified(connection, file, product.name, header, content.md5, _rows_stated(reader, tables))
            ledger.set_loading(connection, file)
            try:
                _load_rows(connection, context, file, product, content, reader, tables, DirectWriter, progress)
                return
            except KEY_TAKEN:
                pass
        with open_table(source) as reader:
            _load_rows(connection, context, file, product, content, reader, tables, StagedWriter, progress)
    except DataError as error:
        ledger.end(connection, file, "failed", _reason(error, content))
    except (psycopg.IntegrityError, psycopg.DataError) as error:
        ledger.end(connection, file, "failed", f"PostgreSQL refused its rows ({str(error).strip().splitlines()[0]}); tell the developers")
    except (psycopg.OperationalError, TransientError) as error:
        # Where the database is gone, it forgets the lock, and whoever sees the file in its state loads it again.
        with contextlib.suppress(psycopg.Error):
            ledger.let_wait(connection, file, f"stopped by a passing fault ({cause_in_words(error)}); it will be loaded again")
        raise


def _load_rows(
    connection: psycopg.Connection, context: FileContext, file: LedgerFile, product: Product, content: Content, reader: TableReader,
    tables: list[int], make_writer: type[DirectWriter | StagedWriter], progress: Progress,
) -> None:  # fmt: skip
    """The file's transaction."""
    source = content.source
    counts = FileCounts()
    offsets = PixelOffsets()
    rows_stated = _rows_stated(reader, tables)
    progress.begin(file, "reading")
    with connection.transaction():
        writer = make_writer(connection, context.release, file, product)
        lines = counts.read(blocks_of(source, reader, tables, product.fields_in(reader.tables[tables[0]])))
        for block in product.rows(lines):
            checked = product.check(block, context)
            counts.check(checked)
            writer.write(checked)
            if product.has_positions:
                offsets.measure(checked.rows)
            # Formats that are read by jumping have no position; they know their rows.
            progress.tell(file.size * counts.lines // rows_stated if rows_stated else source.position(), counts.rows_in)
        counts.require_stated(rows_stated)
        content.require_unchanged()
        progress.begin(file, "merging")
        rows_loaded = writer.finish()
        offsets.keep(connection, context.release)
        ledger.finish(connection, file, counts, rows_loaded)


def _rows_stated(reader: TableReader, tables: list[int]) -> int | None:
    """The rows that the file promises in these tables; None where it does not of each."""
    stated = [reader.rows_stated[table] for table in tables]
    return None if None in stated else sum(rows or 0 for rows in stated)


def _reason(error: DataError, content: Content | None) -> str:
    """Why the file failed: what was seen, unless it is a consequence of bytes that changed meanwhile."""
    try:
        if content is not None:
            content.require_unchanged()
    except DataError as changed:
        return str(changed)
    return str(error)


def _head(source: SourceFile) -> bytes:
    """The first bytes; DataError when they cannot be had, or belong to a damaged zip archive."""
    with file_faults(source.name):
        head = source.head()
    if head.startswith(ZIP_MAGIC) and source.member is None and (damage := zip_damage(source.path)):
        raise DataError(f"{source.name} is a damaged zip archive ({damage}); fetch it again")
    return head
