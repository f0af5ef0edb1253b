"""Asynchronous queries (UWS 1.1): one row a job, from its creation to its destruction."""

from catalog.schema.column import Column, ColumnType, StoreTable

JOB_PHASES = ("PENDING", "QUEUED", "EXECUTING", "COMPLETED", "ERROR", "ABORTED")
"""Phases that a job can be in here; UWS 1.1 section 2.1.3 has others (HELD, SUSPENDED, UNKNOWN, ARCHIVED), which no job of this service reaches."""

# JSON stands in text columns: jsonb refuses characters that people may send, and a job must be created whatever its query is.
UWS_JOB = StoreTable(
    "uws_job",
    "Asynchronous queries that people sent: who may not read these rows may not see their queries.",
    (
        Column("job_id", ColumnType.TEXT, "Random name of the job; who knows it may do everything with the job.", ucd="meta.id", nullable=False),
        Column("client", ColumnType.TEXT, "Address that the job came from (IPv6: its /64 network): its share of the queue.", nullable=False),
        Column("phase", ColumnType.TEXT, "One of " + ", ".join(JOB_PHASES) + ".", ucd="meta.code.status", nullable=False, default="'PENDING'"),
        Column("created", ColumnType.TIMESTAMP, "When the job was created, in whole milliseconds.", nullable=False),
        Column("queued", ColumnType.TIMESTAMP, "When the job was last told to run."),
        Column("started", ColumnType.TIMESTAMP, "When a worker began with the job."),
        Column("ended", ColumnType.TIMESTAMP, "When the job reached its last phase."),
        Column("destruction", ColumnType.TIMESTAMP, "When job and result are removed.", nullable=False),
        Column("execution_duration", ColumnType.INTEGER, "The longest that the query may take.", unit="s", nullable=False),
        Column("parameters", ColumnType.TEXT, "JSON: the request's parameters, pairs of name and value as they came.", nullable=False),
        Column("run_id", ColumnType.TEXT, "The client's own name for the job, one of the parameters.", ucd="meta.id"),
        Column("files", ColumnType.TEXT, "JSON: files in the job's folder by the name of the part of the request that each came in.", nullable=False),
        Column("links", ColumnType.TEXT, "Address of the DataLink service as the client knows it.", ucd="meta.ref.url", nullable=False),
        Column("turn", ColumnType.BIGINT, "Place in the queue: the jobs of one address take turns one after the other.", ucd="meta.number"),
        Column("attempt", ColumnType.INTEGER, "How often a worker began; only the newest attempt may end the job.", ucd="meta.number", nullable=False, default="0"),
        Column("lost", ColumnType.INTEGER, "How often a worker died with the job.", ucd="meta.number", nullable=False, default="0"),
        Column("worker", ColumnType.BIGINT, "Advisory lock that the job's worker holds for as long as it lives.", ucd="meta.id"),
        Column("result_type", ColumnType.TEXT, "Media type of the result."),
        Column("result_bytes", ColumnType.BIGINT, "Size of the result.", unit="byte"),
        Column("result_rows", ColumnType.BIGINT, "Rows of the result.", ucd="meta.number"),
        Column("overflow", ColumnType.BOOLEAN, "Whether rows were cut."),
        Column("error", ColumnType.TEXT, "Why the job has no result.", ucd="meta.note"),
        Column("transient", ColumnType.BOOLEAN, "Whether the same job may do better at another time."),
    ),
    primary_key=("job_id",),
    indexes=(("phase", "turn"), ("client", "created"), ("destruction",)),
    checks=(("phase", "phase IN ('" + "', '".join(JOB_PHASES) + "')"),),
)  # fmt: skip
