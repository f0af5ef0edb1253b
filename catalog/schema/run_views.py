"""Public views of the schemas ``runs`` and ``tap_schema``: what made each number, and what this service has."""

from catalog.schema.column import Column, ColumnType, PublicView
from catalog.schema.ingest_ledger import INGEST_FILE, INGEST_REJECT
from catalog.schema.model_run import MODEL_VERSION, RUN, RUN_CHUNK, RUN_ID
from catalog.schema.publication import TAP_SCHEMA_TABLES
from catalog.schema.release import RELEASE

RELEASE_NAME = RELEASE["name"].renamed("release", "Data release.")
_VERSION = MODEL_VERSION["version"].renamed("version", "Version of the model.")
_PUBLISHED = Column("is_published", ColumnType.BOOLEAN, "Whether the run is what the labels schemas show.", ucd="meta.code", nullable=False)


def _as_text(column: Column) -> Column:
    """A JSON column as its view shows it."""
    return Column(column.name, ColumnType.TEXT, column.description + " JSON.", ucd=column.ucd)


RUN_VIEW = PublicView(
    "runs",
    "run",
    RUN.description,
    (
        RUN_ID,
        RUN["model"],
        _VERSION,
        RELEASE_NAME,
        RUN["state"],
        _PUBLISHED,
        *RUN.pick("sources", "labelled", "unlabelled", "simulated"),
        RUN["model_version_id"],
        _as_text(RUN["configuration"]),
        *RUN.pick("code_version", "created", "finished"),
    ),
    "run",
    indexed=("run_id",),
)

RUN_CHUNK_VIEW = PublicView(
    "runs", "run_chunk", RUN_CHUNK.description, RUN_CHUNK.without("worker", "lease_until"), "run_chunk", indexed=("run_id",)
)

MODEL_VERSION_VIEW = PublicView(
    "runs",
    "model_version",
    MODEL_VERSION.description,
    (
        *MODEL_VERSION.pick("model_version_id", "model", "version", "weights_sha256"),
        RELEASE_NAME,
        *MODEL_VERSION.pick("training_query", "training_count", "training_sha256", "trained_on", "seed"),
        _as_text(MODEL_VERSION["configuration"]),
        _as_text(MODEL_VERSION["metrics"]),
        *MODEL_VERSION.pick("code_version", "licence", "created"),
    ),
    "model_version",
    indexed=("model_version_id",),
)

RELEASE_VIEW = PublicView("runs", "release", RELEASE.description, RELEASE.without("release_id"), "release", indexed=("name",))

INGEST_FILE_VIEW = PublicView(
    "runs",
    "ingest_file",
    INGEST_FILE.description,
    (INGEST_FILE["file_id"], RELEASE_NAME, *INGEST_FILE.without("file_id", "release_id", "header", "code_version")),
    "ingest_file",
    indexed=("file_id",),
)

INGEST_REJECT_VIEW = PublicView(
    "runs", "ingest_reject", INGEST_REJECT.description, INGEST_REJECT.columns, "ingest_reject", indexed=("file_id", "source_id")
)

TAP_SCHEMA_VIEWS = tuple(
    PublicView("tap_schema", table.name.removeprefix("tap_"), table.description, table.without("serial"), "tap_schema", indexed=())
    for table in TAP_SCHEMA_TABLES
)

RUN_VIEWS: tuple[PublicView, ...] = (
    RUN_VIEW, RUN_CHUNK_VIEW, MODEL_VERSION_VIEW, RELEASE_VIEW, INGEST_FILE_VIEW, INGEST_REJECT_VIEW,
)  # fmt: skip
