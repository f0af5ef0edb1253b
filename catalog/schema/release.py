"""Data releases: what their identifiers, coefficients and positions are like."""

from catalog.schema.column import Column, ColumnType, StoreTable

RELEASE_ID = Column(
    "release_id", ColumnType.SMALLINT, "Data release that the row belongs to; a source_id means something only within it.", nullable=False
)
SOURCE_ID = Column(
    "source_id",
    ColumnType.BIGINT,
    "Identifier of the source, unique within its data release; its top bits are a level-12 HEALPix pixel.",
    ucd="meta.id;meta.main",
    nullable=False,
)

SURVEY_ID = Column(
    "survey_id", ColumnType.TEXT, "Identifier of the row in its survey, as the survey writes it.", ucd="meta.id;meta.main", nullable=False
)
POSITION_KEY = Column(
    "position_key",
    ColumnType.BIGINT,
    "Level-12 nested HEALPix pixel of ra and dec, times 2^35: finds positions through the index as a source_id does.",
    ucd="meta.id",
    principal=False,
)

RELEASE = StoreTable(
    "release",
    "Data releases with their coefficient contract and the sky padding that their identifiers need.",
    (
        Column("release_id", ColumnType.SMALLINT, "Number of the release inside the database.", nullable=False),
        Column("name", ColumnType.TEXT, "Name of the release in commands, such as gaia_dr3.", ucd="meta.id", nullable=False),
        Column("suffix", ColumnType.TEXT, "Short name in the public schemas: dr3 gives gaiadr3 and labels_dr3.", nullable=False),
        Column("epoch", ColumnType.DOUBLE, "Reference epoch of positions, Julian year.", unit="yr", ucd="time.epoch", nullable=False),
        Column("n_bp", ColumnType.SMALLINT, "Number of BP coefficients of each source.", ucd="meta.number", nullable=False),
        Column("n_rp", ColumnType.SMALLINT, "Number of RP coefficients of each source.", ucd="meta.number", nullable=False),
        Column("bp_basis_function_id", ColumnType.SMALLINT, "Basis that the BP coefficients refer to.", ucd="meta.id", nullable=False),
        Column("rp_basis_function_id", ColumnType.SMALLINT, "Basis that the RP coefficients refer to.", ucd="meta.id", nullable=False),
        Column(
            "id_system",
            ColumnType.TEXT,
            "Which Gaia numbering its source_ids follow, dr3 or dr4: a survey's given identifier counts only where it is of the same one.",
            ucd="meta.code",
            nullable=False,
        ),
        Column("cut_dialect", ColumnType.TEXT, "Which columns the quality cuts of the models may use in this release.", nullable=False),
        Column(
            "largest_pixel_offset",
            ColumnType.DOUBLE,
            "Largest distance between a source's position and the pixel of its identifier; pads every cone up to 10 arcsec.",
            unit="deg",
            ucd="pos.angDistance",
            nullable=False,
            default="0",
        ),
        Column("is_default", ColumnType.BOOLEAN, "Whether the schema labels shows this release.", nullable=False, default="false"),
        Column(
            "simulated", ColumnType.BOOLEAN, "Whether its sources are simulated stars.", ucd="meta.code", nullable=False, default="false"
        ),
        Column("created", ColumnType.TIMESTAMP, "When the release was added.", ucd="time.creation", nullable=False, default="now()"),
    ),
    primary_key=("release_id",),
    unique=(("name",), ("suffix",)),
)

DISPLACED_SOURCE = StoreTable(
    "displaced_source",
    "Sources further than 10 arcsec outside the pixel of their identifier; every sky cover includes them one by one.",
    (
        RELEASE_ID,
        SOURCE_ID,
        Column(
            "offset_deg",
            ColumnType.DOUBLE,
            "Distance between the position and the pixel.",
            unit="deg",
            ucd="pos.angDistance",
            nullable=False,
        ),
    ),
    primary_key=("release_id", "source_id"),
    foreign_keys=(("release_id", "release.release_id"),),
)
