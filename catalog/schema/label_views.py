"""Public views of the schemas ``labels...``: what the models found."""

from catalog.schema.column import Column, ColumnType, Position, PublicView
from catalog.schema.gaia_source import GAIA_SOURCE
from catalog.schema.gaia_views import DEC, RA
from catalog.schema.label_table import LABEL_SCATTER_VAE
from catalog.schema.model_run import NO_LABEL, RUN, RUN_ID
from catalog.schema.release import SOURCE_ID

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

LABEL_VIEWS: tuple[PublicView, ...] = (SCATTER_VAE, SCATTER_VAE_ALL_RUNS, SCATTER_VAE_PAPER, ALL_MODELS, NO_LABEL_VIEW)
