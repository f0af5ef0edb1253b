"""Public views of the forward model: labels in our units, and under the names and units of Table 2 of Zhang, Green & Rix 2023."""

from catalog.schema.column import Column, ColumnType, Position, PublicView
from catalog.schema.gaia_views import DEC, RA
from catalog.schema.label_forward import COVARIANCE, INVERSE_COVARIANCE, LABEL_FORWARD, N_LABELS, TRIANGLE
from catalog.schema.model_run import RUN_ID
from catalog.schema.release import SOURCE_ID

_COLUMNS = (RUN_ID, SOURCE_ID, RA, DEC, *LABEL_FORWARD.without("run_id", "source_id"))

FORWARD = PublicView(
    "labels",
    "forward",
    LABEL_FORWARD.description + " The published run.",
    _COLUMNS,
    "forward",
    model="forward",
    position=Position(),
)

FORWARD_ALL_RUNS = PublicView(
    "labels",
    "forward_all_runs",
    LABEL_FORWARD.description + " Every complete run; give a run_id.",
    _COLUMNS,
    "forward_all_runs",
    position=Position(),
    indexed=("run_id", "source_id"),
)

_ORDER = "teff in kK, feh, logg in dex, E in mag, parallax in mas"


def _vector(name: str, words: str, ucd: str, length: int) -> Column:
    return Column(name, ColumnType.VECTOR, f"{words}: {_ORDER}.", None, ucd, length=length)


FORWARD_PAPER = PublicView(
    "labels",
    "forward_paper",
    "The published forward run under the names and in the units of the paper's Table 2: temperatures in kK.",
    (
        RUN_ID,
        SOURCE_ID.renamed("gdr3_source_id", "The source_id; of another release where the run is of another one."),
        RA,
        DEC,
        _vector("stellar_params_est", "Estimates of the stellar parameters", "stat.value", N_LABELS),
        _vector("stellar_params_err", "Uncertainties of the stellar parameters", "stat.error", N_LABELS),
        *LABEL_FORWARD.pick("chi2_opt", "ln_prior", "teff_confidence", "feh_confidence", "logg_confidence", "quality_flags"),
        _vector(
            "stellar_params_icov_triu", "Upper triangle of the inverse covariance matrix, row by row", str(INVERSE_COVARIANCE.ucd), TRIANGLE
        ),
        _vector("stellar_params_cov_triu", "Upper triangle of the covariance matrix, row by row", str(COVARIANCE.ucd), TRIANGLE),
    ),
    "forward_paper",
    model="forward",
    position=Position(key="gdr3_source_id"),
    indexed=("gdr3_source_id",),
)

FORWARD_VIEWS: tuple[PublicView, ...] = (FORWARD, FORWARD_ALL_RUNS, FORWARD_PAPER)
