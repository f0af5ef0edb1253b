"""Public views of the schemas ``labels...``: what the models found."""

from dataclasses import replace

from catalog.schema.column import Column, ColumnType, Position, PublicView
from catalog.schema.forward_views import FORWARD_VIEWS
from catalog.schema.gaia_source import GAIA_SOURCE
from catalog.schema.gaia_views import DEC, RA
from catalog.schema.label_forward import COVARIANCE, LABEL_FORWARD
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


def _of(model: str, *columns: Column) -> tuple[Column, ...]:
    """Columns of a model under its name, null where its run has no label."""
    return tuple(replace(column, name=f"{model}_{column.name}", nullable=True) for column in columns)


_FORWARD_MAIN = (
    *(LABEL_FORWARD[name] for label in ("teff", "logg", "feh", "ext", "parallax") for name in (label, f"e_{label}")),
    COVARIANCE,
    *LABEL_FORWARD.pick("chi2_opt", "quality_flags", "converged", "n_minima", "missing_bands", "out_of_domain"),
)

ALL_MODELS = PublicView(
    "labels",
    "all_models",
    "One row a source with the main results of every model's published run; null for a model that has no label of it.",
    (
        SOURCE_ID,
        RA,
        DEC,
        GAIA_SOURCE["phot_g_mean_mag"],
        *_of("forward", replace(RUN_ID, description="Run of forward."), *_FORWARD_MAIN),
        *_of("scatter_vae", replace(RUN_ID, description="Run of scatter_vae."), *LABEL_SCATTER_VAE.pick("latent", "chi2", "quality_flags")),
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

LABEL_VIEWS: tuple[PublicView, ...] = (*FORWARD_VIEWS, SCATTER_VAE, SCATTER_VAE_ALL_RUNS, SCATTER_VAE_PAPER, ALL_MODELS, NO_LABEL_VIEW)
