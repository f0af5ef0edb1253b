"""The ledger of what is fetched from archives: one row a query, one row a range of source_id of it.

The ranges of a query that are planned, fetched or refused tile its source_ids; one whose answer would not fit was split into two others.
"""

from catalog.schema.column import Column, ColumnType, StoreTable
from catalog.schema.release import RELEASE_ID

RANGE_STATES = ("planned", "fetched", "split", "refused")

_QUERY_ID = Column("query_id", ColumnType.INTEGER, "Query that the range belongs to.", ucd="meta.id", nullable=False)
_SPAN = (
    Column("first_id", ColumnType.BIGINT, "First source_id.", ucd="meta.id", nullable=False),
    Column("last_id", ColumnType.BIGINT, "Last source_id.", ucd="meta.id", nullable=False),
)

ARCHIVE_QUERY = StoreTable(
    "archive_query",
    "Every query that was put to an archive's TAP service: its words, and how many rows the archive counts for it.",
    (
        Column("query_id", ColumnType.INTEGER, "Number of the query inside the database.", ucd="meta.id", nullable=False, identity=True),
        RELEASE_ID,
        Column("url", ColumnType.TEXT, "Address of the TAP service.", ucd="meta.ref.url", nullable=False),
        Column("set_name", ColumnType.TEXT, "Query set for which it was asked.", ucd="meta.id", nullable=False),
        Column("name", ColumnType.TEXT, "Name of the query.", ucd="meta.id", nullable=False),
        *_SPAN,
        Column("text", ColumnType.TEXT, "The query as it is asked, its range of source_id open.", nullable=False),
        Column("sha256", ColumnType.TEXT, "SHA-256 of the text, hexadecimal: another text is another query.", nullable=False),
        Column("counted", ColumnType.BIGINT, "Rows that the archive counted after the last range.", ucd="meta.number"),
        Column("planned", ColumnType.TIMESTAMP, "When the query was first asked for.", nullable=False, default="now()"),
    ),
    primary_key=("query_id",),
    unique=(("release_id", "url", "set_name", "name", "first_id", "last_id"),),
    foreign_keys=(("release_id", "release.release_id"),),
)

ARCHIVE_RANGE = StoreTable(
    "archive_range",
    "Every range of source_id of an archive query: how far it got, and the file that holds its answer.",
    (
        Column("range_id", ColumnType.INTEGER, "Number of the range inside the database.", ucd="meta.id", nullable=False, identity=True),
        _QUERY_ID,
        *_SPAN,
        Column(
            "state", ColumnType.TEXT, "One of " + ", ".join(RANGE_STATES) + ".", ucd="meta.code.status", nullable=False, default="'planned'"
        ),
        Column("rows", ColumnType.BIGINT, "Rows of the whole answer.", ucd="meta.number"),
        Column(
            "overflow", ColumnType.BOOLEAN, "Whether an answer was cut by the service's limit of rows.", nullable=False, default="false"
        ),
        Column("file_name", ColumnType.TEXT, "File that holds the answer.", ucd="meta.id"),
        Column("sha256", ColumnType.TEXT, "SHA-256 of that file, by which the ledger of files knows it.", ucd="meta.id"),
        Column("attempts", ColumnType.INTEGER, "How often it was asked.", ucd="meta.number", nullable=False, default="0"),
        Column("last_error", ColumnType.TEXT, "Why the last attempt that failed did.", ucd="meta.note"),
        Column("seconds", ColumnType.REAL, "How long the answer took.", "s", "time.duration"),
        Column("fetched", ColumnType.TIMESTAMP, "When the answer was there."),
    ),
    primary_key=("range_id",),
    unique=(("query_id", "first_id", "last_id"),),
    foreign_keys=(("query_id", "archive_query.query_id"),),
    checks=(("state", "state IN ('" + "', '".join(RANGE_STATES) + "')"),),
)
