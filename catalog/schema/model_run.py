"""Models, their versions, and the runs that give labels: what made a number, kept beside it."""

from catalog.schema.column import Column, ColumnType, StoreTable
from catalog.schema.release import RELEASE_ID, SOURCE_ID

RUN_ID = Column("run_id", ColumnType.INTEGER, "Run that made the row: one model version on one release.", ucd="meta.id", nullable=False)
RUN_STATES = ("created", "working", "complete", "failed", "published", "withdrawn", "retired")
CHUNK_STATES = ("planned", "claimed", "done", "failed")

MODEL_WEIGHTS = StoreTable(
    "model_weights",
    "Weights of model versions, by content.",
    (
        Column("sha256", ColumnType.TEXT, "SHA-256 of the safetensors bytes, hexadecimal.", ucd="meta.id", nullable=False),
        Column("safetensors", ColumnType.BYTES, "The weights in the safetensors format.", nullable=False),
    ),
    primary_key=("sha256",),
    external=("safetensors",),
)

MODEL_VERSION = StoreTable(
    "model_version",
    "Trained versions of the models with everything that made them.",
    (
        Column(
            "model_version_id",
            ColumnType.INTEGER,
            "Number of the version inside the database.",
            ucd="meta.id",
            nullable=False,
            identity=True,
        ),
        Column("model", ColumnType.TEXT, "Name of the model.", ucd="meta.id", nullable=False),
        Column("version", ColumnType.INTEGER, "Number of the version, counted for each model.", ucd="meta.version", nullable=False),
        Column("weights_sha256", ColumnType.TEXT, "SHA-256 of the weights.", ucd="meta.id", nullable=False),
        Column("configuration", ColumnType.JSON, "Every setting of model and training.", nullable=False),
        Column(
            "configuration_sha256",
            ColumnType.TEXT,
            "SHA-256 of configuration, training sample and seed: the same one is never trained twice.",
            nullable=False,
        ),
        Column("release_id", ColumnType.SMALLINT, "Release that the training sample comes from.", nullable=False),
        Column("training_query", ColumnType.TEXT, "SQL that selects the training sample.", nullable=False),
        Column("training_count", ColumnType.BIGINT, "Number of stars that the query gave.", ucd="meta.number", nullable=False),
        Column("training_sha256", ColumnType.TEXT, "SHA-256 of the sorted identifiers of the training sample.", nullable=False),
        Column("trained_on", ColumnType.TEXT, "What kind of stars the version learnt from: real or simulated.", nullable=False),
        Column("seed", ColumnType.BIGINT, "Seed of split, initial weights and batches.", nullable=False),
        Column("metrics", ColumnType.JSON, "Loss and evaluation figures.", nullable=False, default="'{}'::jsonb"),
        Column("code_version", ColumnType.TEXT, "Code that trained the version.", ucd="meta.version", nullable=False),
        Column("licence", ColumnType.TEXT, "Licence of the weights.", nullable=False),
        Column("created", ColumnType.TIMESTAMP, "When the version was stored.", nullable=False, default="now()"),
    ),
    primary_key=("model_version_id",),
    unique=(("model", "version"), ("configuration_sha256",)),
    foreign_keys=(("weights_sha256", "model_weights.sha256"), ("release_id", "release.release_id")),
    checks=(("trained_on", "trained_on IN ('real', 'simulated')"),),
)

RUN = StoreTable(
    "run",
    "One model version applied to one release: frozen when it is created.",
    (
        Column("run_id", ColumnType.INTEGER, "Number of the run.", ucd="meta.id", nullable=False, identity=True),
        Column("model", ColumnType.TEXT, "Name of the model.", ucd="meta.id", nullable=False),
        Column("model_version_id", ColumnType.INTEGER, "Model version that the run applies.", ucd="meta.id", nullable=False),
        RELEASE_ID,
        Column("configuration", ColumnType.JSON, "Every setting of the run.", nullable=False),
        Column(
            "configuration_sha256",
            ColumnType.TEXT,
            "SHA-256 of version, release, selection and settings; a changed one refuses to resume.",
            nullable=False,
        ),
        Column(
            "state", ColumnType.TEXT, "One of " + ", ".join(RUN_STATES) + ".", ucd="meta.code.status", nullable=False, default="'created'"
        ),
        Column("sources", ColumnType.BIGINT, "Number of sources that the chunks hold.", ucd="meta.number", nullable=False),
        Column("labelled", ColumnType.BIGINT, "Number of sources with labels, once complete.", ucd="meta.number"),
        Column("unlabelled", ColumnType.BIGINT, "Number of sources in no_label, once complete.", ucd="meta.number"),
        Column(
            "simulated",
            ColumnType.BOOLEAN,
            "Whether weights from simulated stars were allowed on this release.",
            nullable=False,
            default="false",
        ),
        Column("code_version", ColumnType.TEXT, "Code that created the run.", ucd="meta.version", nullable=False),
        Column("created", ColumnType.TIMESTAMP, "When the run was created.", nullable=False, default="now()"),
        Column("finished", ColumnType.TIMESTAMP, "When the last chunk was done."),
    ),
    primary_key=("run_id",),
    foreign_keys=(("model_version_id", "model_version.model_version_id"), ("release_id", "release.release_id")),
    checks=(("state", "state IN ('" + "', '".join(RUN_STATES) + "')"),),
)

RUN_CHUNK = StoreTable(
    "run_chunk",
    "Chunks of a run: a range of source_id with its state. The fence against late writers is the attempt number.",
    (
        RUN_ID,
        Column("chunk", ColumnType.INTEGER, "Number of the chunk in its run, from 0.", nullable=False),
        Column("first_source_id", ColumnType.BIGINT, "First source_id of the chunk.", nullable=False),
        Column("last_source_id", ColumnType.BIGINT, "Last source_id of the chunk, inclusive.", nullable=False),
        Column("sources", ColumnType.INTEGER, "Number of sources in the chunk when the run was created.", nullable=False),
        Column("state", ColumnType.TEXT, "One of " + ", ".join(CHUNK_STATES) + ".", nullable=False, default="'planned'"),
        Column(
            "attempt",
            ColumnType.INTEGER,
            "How often the chunk was claimed; only the newest attempt may write.",
            nullable=False,
            default="0",
        ),
        Column("worker", ColumnType.TEXT, "Host and process that claimed it last."),
        Column("lease_until", ColumnType.TIMESTAMP, "Until when the claim holds without a sign of life."),
        Column("labelled", ColumnType.INTEGER, "Sources with labels."),
        Column("unlabelled", ColumnType.INTEGER, "Sources in no_label."),
        Column("seconds", ColumnType.REAL, "Time from claim to commit.", unit="s"),
        Column("device", ColumnType.TEXT, "What it was calculated on: cpu, or the GPU's name.", ucd="meta.note"),
        Column(
            "residual_sums",
            ColumnType.DOUBLE_ARRAY,
            "Sums over the chunk's stars of the normalised residual at each pixel, then of its square, then counts.",
        ),
        Column("error", ColumnType.TEXT, "Why the last attempt failed."),
    ),
    primary_key=("run_id", "chunk"),
    foreign_keys=(("run_id", "run.run_id"),),
    checks=(("state", "state IN ('" + "', '".join(CHUNK_STATES) + "')"),),
)

NO_LABEL = StoreTable(
    "no_label",
    "Sources of a run that have no label, each with the reason.",
    (
        RUN_ID,
        SOURCE_ID,
        Column(
            "reason",
            ColumnType.TEXT,
            "Cut that failed, input that was missing, not_finite, or out_of_contract.",
            ucd="meta.code",
            nullable=False,
        ),
        Column("detail", ColumnType.TEXT, "What was seen.", ucd="meta.note"),
    ),
    primary_key=("run_id", "source_id"),
    partition_by="run_id",
)

PUBLISHED = StoreTable(
    "published",
    "Which run of each model people see in each release.",
    (
        Column("model", ColumnType.TEXT, "Name of the model.", ucd="meta.id", nullable=False),
        RELEASE_ID,
        RUN_ID,
        Column("published", ColumnType.TIMESTAMP, "When the run was published.", nullable=False, default="now()"),
    ),
    primary_key=("model", "release_id"),
    foreign_keys=(("release_id", "release.release_id"), ("run_id", "run.run_id")),
)
