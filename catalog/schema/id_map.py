"""id_map: which sources of an earlier Gaia release are which of this one; the archive's neighbourhood tables.

Names, units and meaning: Gaia archive data model, DR3, table dr2_neighbourhood; dr3_neighbourhood of DR4 is taken to mirror it. Many to many: a
source of one release may have several neighbours in the other, so every pair is a row, and the same number may mean another star. The primary
key finds the sources of an earlier number, the index the earlier numbers of a source.
"""

from catalog.schema.column import Column, ColumnType, StoreTable
from catalog.schema.ingest_ledger import FILE_ID, ROW_NUMBER
from catalog.schema.release import RELEASE_ID, SOURCE_ID

ID_MAP = StoreTable(
    "id_map",
    "Pairs of a source of an earlier Gaia release and a neighbouring source of this one.",
    (
        RELEASE_ID,
        Column("from_system", ColumnType.TEXT, "The earlier release whose numbers from_source_id follows: dr2 or dr3.", nullable=False),
        Column(
            "from_source_id", ColumnType.BIGINT, "Identifier of the source in the earlier release.", ucd="meta.id", nullable=False
        ),
        SOURCE_ID,
        Column(
            "angular_distance", ColumnType.REAL, "Angular distance of the two sources at the epoch of the earlier release.", "mas",
            "pos.angDistance",
        ),
        Column(
            "magnitude_difference", ColumnType.REAL, "G magnitude of the later source minus that of the earlier one.", "mag",
            "phot.mag;arith.diff",
        ),
        Column(
            "proper_motion_propagation", ColumnType.BOOLEAN,
            "Whether the later position was moved along its proper motion to the epoch of the earlier release.", ucd="meta.code",
        ),
        FILE_ID,
        ROW_NUMBER,
    ),
    primary_key=("release_id", "from_system", "from_source_id", "source_id"),
    partition_by="release_id",
    indexes=(("source_id",),),
)  # fmt: skip
