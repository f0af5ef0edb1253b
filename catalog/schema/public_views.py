"""What people query: every public view with its columns in order. The SELECT of each stands in ``sql/views/{template}.sql``.

Views are built from ``store`` only, never from one another, so that each publication stands by itself (catalog/publish.py).
"""

from catalog.schema.column import Column, ColumnType, Position, PublicView
from catalog.schema.gaia_source import GAIA_SOURCE
from catalog.schema.ingest_ledger import INGEST_FILE, INGEST_REJECT
from catalog.schema.label_table import LABEL_SCATTER_VAE
from catalog.schema.model_run import MODEL_VERSION, NO_LABEL, RUN, RUN_CHUNK, RUN_ID
from catalog.schema.publication import TAP_SCHEMA_TABLES
from catalog.schema.release import RELEASE, SOURCE_ID
from catalog.schema.xp_spectrum import XP_SPECTRUM

SCHEMA_DESCRIPTIONS = {
    "gaia": "Gaia sources and spectra of the release {release}, with the archive's names and units.",
    "labels": "Labels that the models gave the sources of the release {release}: the published runs.",
    "runs": "Runs, model versions, releases and files: what made each number.",
    "tap_schema": "Tables and columns of this service (TAP 1.1 section 4).",
}

_RA, _DEC = GAIA_SOURCE.pick("ra", "dec")
_NO_POSITION = " Null where the release gave no gaia_source row."
RA = Column("ra", ColumnType.DOUBLE, _RA.description + _NO_POSITION, _RA.unit, _RA.ucd)
DEC = Column("dec", ColumnType.DOUBLE, _DEC.description + _NO_POSITION, _DEC.unit, _DEC.ucd)
RELEASE_NAME = RELEASE["name"].renamed("release", "Data release.")


def _vector(name: str, description: str, ucd: str) -> Column:
    return Column(name, ColumnType.VECTOR, description, ucd=ucd)


_XP_ARRAYS = tuple(
    _vector(f"{band}_{array}", f"{words} of the {band.upper()} spectrum{note}", ucd)
    for array, words, note, ucd in (
        ("coefficients", "Basis function coefficients", ".", "stat.fit.param"),
        ("coefficient_errors", "Errors of the coefficients", "; null where the file had none.", "stat.error;stat.fit.param"),
        (
            "coefficient_correlations",
            "Upper triangle, column by column, without the diagonal, of the coefficients' correlations",
            "; null where the file had none.",
            "stat.correlation;stat.fit.param",
        ),
    )
    for band in ("bp", "rp")
)

GAIA_SOURCE_VIEW = PublicView(
    "gaia",
    "gaia_source",
    GAIA_SOURCE.description,
    GAIA_SOURCE.without("release_id", "file_id", "row_number"),
    "gaia_source",
    position=Position(),
)

XP_VIEW = PublicView(
    "gaia",
    "xp_continuous_mean_spectrum",
    "Continuous XP (BP and RP) mean spectra: coefficients, errors and correlations as the archive gives them.",
    (
        SOURCE_ID,
        RA,
        DEC,
        *XP_SPECTRUM.without("release_id", "source_id", "payload", "file_id", "row_number", "layout"),
        XP_SPECTRUM["layout"],
        *_XP_ARRAYS,
    ),
    "xp_continuous_mean_spectrum",
    position=Position(),
)

_SCATTER_VAE_COLUMNS = (RUN_ID, SOURCE_ID, RA, DEC, *LABEL_SCATTER_VAE.without("run_id", "source_id"))

SCATTER_VAE = PublicView(
    "labels",
    "scatter_vae",
    LABEL_SCATTER_VAE.description + " The published run.",
    _SCATTER_VAE_COLUMNS,
    "scatter_vae",
    model="scatter_vae",
    position=Position(),
)

SCATTER_VAE_ALL_RUNS = PublicView(
    "labels",
    "scatter_vae_all_runs",
    LABEL_SCATTER_VAE.description + " Every complete run; give a run_id.",
    _SCATTER_VAE_COLUMNS,
    "scatter_vae_all_runs",
    position=Position(),
    indexed=("run_id", "source_id"),
)

_Z = tuple(Column(f"z{i}", ColumnType.REAL, f"Mean of latent variable {i}.", ucd="stat.value") for i in range(1, 7)) + tuple(
    Column(f"sigma_z{i}", ColumnType.REAL, f"Standard deviation of latent variable {i}.", ucd="stat.error") for i in range(1, 7)
)

SCATTER_VAE_PAPER = PublicView(
    "labels",
    "scatter_vae_paper",
    "The published scatter_vae run with the paper's names: latent variables z1 to z6, one a column.",
    (RUN_ID, SOURCE_ID, RA, DEC, *_Z),
    "scatter_vae_paper",
    model="scatter_vae",
    position=Position(),
)

ALL_MODELS = PublicView(
    "labels",
    "all_models",
    "One row a source with the main results of every model's published run.",
    (
        SOURCE_ID,
        RA,
        DEC,
        GAIA_SOURCE["phot_g_mean_mag"],
        RUN_ID.renamed("scatter_vae_run_id", "Run of scatter_vae."),
        LABEL_SCATTER_VAE["latent"].renamed("scatter_vae_latent"),
        LABEL_SCATTER_VAE["chi2"].renamed("scatter_vae_chi2"),
        LABEL_SCATTER_VAE["quality_flags"].renamed("scatter_vae_quality_flags"),
    ),
    "all_models",
    position=Position(),
)

NO_LABEL_VIEW = PublicView(
    "labels",
    "no_label",
    "Sources that a published run could not label, each with the reason.",
    (RUN_ID, RUN["model"], SOURCE_ID, RA, DEC, *NO_LABEL.pick("reason", "detail")),
    "no_label",
    position=Position(),
)

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

PUBLIC_VIEWS: tuple[PublicView, ...] = (
    GAIA_SOURCE_VIEW,
    XP_VIEW,
    SCATTER_VAE,
    SCATTER_VAE_ALL_RUNS,
    SCATTER_VAE_PAPER,
    ALL_MODELS,
    NO_LABEL_VIEW,
    RUN_VIEW,
    RUN_CHUNK_VIEW,
    MODEL_VERSION_VIEW,
    RELEASE_VIEW,
    INGEST_FILE_VIEW,
    INGEST_REJECT_VIEW,
    *TAP_SCHEMA_VIEWS,
)
