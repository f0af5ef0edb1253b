"""The label tables, one a model: ``label_{model}``, keyed by run and source, one partition a run."""

from catalog.schema.column import Column, ColumnType, StoreTable
from catalog.schema.label_forward import LABEL_FORWARD
from catalog.schema.model_run import RUN_ID
from catalog.schema.release import SOURCE_ID

QUALITY_FLAGS = Column(
    "quality_flags", ColumnType.INTEGER, "Bits that tell what to beware of; 0 is good.", ucd="meta.code.qual", nullable=False
)

LABEL_SCATTER_VAE = StoreTable(
    "label_scatter_vae",
    "Latent description of each XP spectrum by the scatter variational autoencoder (Laroche & Speagle 2024).",
    (
        RUN_ID,
        SOURCE_ID,
        Column("latent", ColumnType.VECTOR, "Mean of the six latent variables.", ucd="stat.value", nullable=False, length=6),
        Column(
            "e_latent", ColumnType.VECTOR, "Standard deviation of the six latent variables.", ucd="stat.error", nullable=False, length=6
        ),
        Column(
            "chi2",
            ColumnType.REAL,
            "Chi squared of the reconstructed coefficients, measurement errors only; null without errors.",
            ucd="stat.fit.chi2",
        ),
        Column(
            "chi2_scatter",
            ColumnType.REAL,
            "Chi squared of the reconstructed coefficients, measurement errors and learned intrinsic scatter; null without errors.",
            ucd="stat.fit.chi2",
        ),
        Column("n_coefficients", ColumnType.SMALLINT, "Number of coefficients that were compared.", ucd="meta.number", nullable=False),
        Column("flux_scale", ColumnType.REAL, "G flux that the coefficients were divided by.", "s**-1", "phot.flux;em.opt", nullable=False),
        QUALITY_FLAGS,
    ),
    primary_key=("run_id", "source_id"),
    partition_by="run_id",
)

LABEL_TABLES = {"scatter_vae": LABEL_SCATTER_VAE, "forward": LABEL_FORWARD}
