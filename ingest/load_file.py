"""One file into its table, in one transaction: whole or not at all, whatever is killed and however often it is tried.

A file's rows go to the database block by block while they are read; damage that shows at the end of the file undoes everything.
"""

import psycopg

from catalog.errors import DataError
from catalog.releases import DataRelease
from catalog.statements import statement
from catalog.version import code_version
from ingest import ledger
from ingest.faults import file_faults
from ingest.ledger import LedgerFile
from ingest.merge import KEY_TAKEN, DirectWriter, StagedWriter
from ingest.pixel_offsets import PixelOffsets
from ingest.product import FileContext, Product
from ingest.reader import TableReader, blocks_of, describe, format_of, open_table
from ingest.registry import PRODUCTS, product_of, seen_in
from ingest.source_file import ZIP_MAGIC, SourceFile, is_simulated, zip_damage


def load_file(connection: psycopg.Connection, release: DataRelease, file: LedgerFile) -> None:
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
            try:
                _load_rows(connection, context, file, product, source, reader, tables, DirectWriter)
                return
            except KEY_TAKEN:
                pass
        with open_table(source) as reader:
            _load_rows(connection, context, file, product, source, reader, tables, StagedWriter)
    except DataError as error:
        ledger.end(connection, file, "failed", str(error))
    except (psycopg.IntegrityError, psycopg.DataError) as error:
        ledger.end(connection, file, "failed", f"PostgreSQL refused its rows ({str(error).strip().splitlines()[0]}); tell the developers")


def _load_rows(
    connection: psycopg.Connection, context: FileContext, file: LedgerFile, product: Product, source: SourceFile, reader: TableReader,
    tables: list[int], make_writer: type[DirectWriter | StagedWriter],
) -> None:  # fmt: skip
    """The file's transaction."""
    rows_in = 0
    offsets = PixelOffsets()
    with connection.transaction():
        writer = make_writer(connection, context.release, file, product)
        for block in blocks_of(source, reader, tables, product.fields_in(reader.tables[tables[0]])):
            checked = product.check(block, context)
            rows_in += len(checked.rows) + len(checked.rejects)
            writer.write(checked)
            if product.has_positions:
                offsets.measure(checked.rows)
        rows_loaded = writer.finish()
        offsets.keep(connection, context.release)
        values = {"file_id": file.file_id, "rows_in": rows_in, "rows_loaded": rows_loaded, "code_version": code_version()}
        rejected, on_record = connection.execute(statement("finish_file"), values).fetchone() or (0, -1)
        assert rejected == on_record, f"{file.name}: {rejected} rows not taken, {on_record} on record"


def _digest(source: SourceFile) -> tuple[str, int]:
    with file_faults(source.name):
        return source.digest()


def _head(source: SourceFile) -> bytes:
    """The first bytes; DataError when they cannot be had, or belong to a damaged zip archive."""
    with file_faults(source.name):
        head = source.head()
    if head.startswith(ZIP_MAGIC) and source.member is None and (damage := zip_damage(source.path)):
        raise DataError(f"{source.name} is a damaged zip archive ({damage}); fetch it again")
    return head
