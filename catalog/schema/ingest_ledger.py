"""The ingest ledger: one row a file, one row for each row that was not taken, one row for each file that is being loaded."""

from catalog.schema.column import Column, ColumnType, StoreTable
from catalog.schema.release import RELEASE_ID

FILE_ID = Column("file_id", ColumnType.INTEGER, "File of the ledger that the row came from.", ucd="meta.id", nullable=False)
ROW_NUMBER = Column(
    "row_number",
    ColumnType.INTEGER,
    "Row of that file, counted from 1 without header lines: names the row when a fuller one takes its place.",
    ucd="meta.number",
)

FILE_STATES = ("planned", "verified", "loading", "loaded", "failed", "not_a_product")

INGEST_FILE = StoreTable(
    "ingest_file",
    "Every file that was ever added, by content: what it is, how far it got, and how many rows it gave.",
    (
        Column("file_id", ColumnType.INTEGER, "Number of the file inside the database.", ucd="meta.id", nullable=False, identity=True),
        RELEASE_ID,
        Column(
            "sha256",
            ColumnType.TEXT,
            "SHA-256 of the file's bytes, hexadecimal: the same bytes are one file, whatever the name.",
            nullable=False,
        ),
        Column("name", ColumnType.TEXT, "Path under which the file was first added.", ucd="meta.id", nullable=False),
        Column("size", ColumnType.BIGINT, "Size of the file in bytes.", unit="byte", nullable=False),
        Column(
            "md5",
            ColumnType.TEXT,
            "MD5 of the file's bytes, hexadecimal, as its folder's _MD5SUM.txt has it; null where that names no sum.",
        ),
        Column("set_name", ColumnType.TEXT, "Name that the operator gave to a set of reference labels.", ucd="meta.id"),
        Column("product", ColumnType.TEXT, "What the header says the file is; null where it is no product."),
        Column(
            "state", ColumnType.TEXT, "One of " + ", ".join(FILE_STATES) + ".", ucd="meta.code.status", nullable=False, default="'planned'"
        ),
        Column("reason", ColumnType.TEXT, "Why the file failed or is no product, and what to do.", ucd="meta.note"),
        Column(
            "header",
            ColumnType.JSON,
            "The header: its column names and types, how it differs from what the product expects, and the nulls of each column read.",
        ),
        Column(
            "rows_stated",
            ColumnType.BIGINT,
            "Rows that the file itself promises, as its format counts them (NAXIS2 of FITS, Parquet's footer, nrows); null where it does not.",
            ucd="meta.number",
        ),
        Column("rows_in", ColumnType.BIGINT, "Rows read from the file.", ucd="meta.number"),
        Column("rows_kept", ColumnType.BIGINT, "Rows of the file that kept every rule for a single row.", ucd="meta.number"),
        Column("rows_loaded", ColumnType.BIGINT, "Rows of the file that stand in the catalogue now.", ucd="meta.number"),
        Column(
            "rows_rejected",
            ColumnType.BIGINT,
            "Rows of the file that were not taken, each with its reason in ingest_reject.",
            ucd="meta.number",
        ),
        Column("added", ColumnType.TIMESTAMP, "When the file was added.", nullable=False, default="now()"),
        Column("finished", ColumnType.TIMESTAMP, "When the file reached its last state."),
        Column(
            "attempts", ColumnType.INTEGER, "How often a loader has begun with the file.", ucd="meta.number", nullable=False, default="0"
        ),
        Column("code_version", ColumnType.TEXT, "Code that read the file.", ucd="meta.version"),
    ),
    primary_key=("file_id",),
    unique=(("release_id", "sha256"),),
    foreign_keys=(("release_id", "release.release_id"),),
    checks=(("state", "state IN ('" + "', '".join(FILE_STATES) + "')"),),
)

INGEST_REJECT = StoreTable(
    "ingest_reject",
    "Every row that was read and not taken, with its place in the file and the reason.",
    (
        Column("reject_id", ColumnType.BIGINT, "Number of the reject inside the database.", ucd="meta.id", nullable=False, identity=True),
        FILE_ID,
        Column("row_number", ColumnType.BIGINT, "Row in the file, counted from 1 without header lines.", ucd="meta.number", nullable=False),
        Column("source_id", ColumnType.BIGINT, "Source of the row, where it could be read.", ucd="meta.id"),
        Column(
            "record", ColumnType.TEXT, "Key of the row in its table as text: the source_id, or the survey's own identifier.", ucd="meta.id"
        ),
        Column(
            "reason",
            ColumnType.TEXT,
            "Name of the rule that the row broke, such as duplicate_source.",
            ucd="meta.code.error",
            nullable=False,
        ),
        Column("detail", ColumnType.TEXT, "What was seen.", ucd="meta.note"),
        Column("winner_file_id", ColumnType.INTEGER, "For duplicate_source: the file whose row the catalogue holds.", ucd="meta.id"),
    ),
    primary_key=("reject_id",),
    foreign_keys=(("file_id", "ingest_file.file_id"), ("winner_file_id", "ingest_file.file_id")),
    indexes=(("file_id",), ("source_id",), ("record",)),
)

INGEST_PROGRESS = StoreTable(
    "ingest_progress",
    "How far a loader is within its file, told every second or two; the row goes when the file ends, and stays when its loader dies.",
    (
        Column("file_id", ColumnType.INTEGER, "File of the ledger.", ucd="meta.id", nullable=False),
        Column("loader", ColumnType.TEXT, "Host and process of the loader.", ucd="meta.id", nullable=False),
        Column("stage", ColumnType.TEXT, "What it is doing: verifying, reading or merging.", ucd="meta.code.status", nullable=False),
        Column("bytes_done", ColumnType.BIGINT, "Bytes of the file that the stage is through with.", unit="byte", nullable=False),
        Column("rows_done", ColumnType.BIGINT, "Rows read so far.", ucd="meta.number", nullable=False),
        Column("started", ColumnType.TIMESTAMP, "When the stage began.", nullable=False),
        Column("told", ColumnType.TIMESTAMP, "When this was told.", nullable=False),
    ),
    primary_key=("file_id",),  # without a foreign key: telling must wait for no lock that the file's transaction holds
)
