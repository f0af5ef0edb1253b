"""fidelity: how far the astrometry of a source can be trusted, and how bright its neighbours are.

Names, units and meaning: Rybizki et al. 2022, MNRAS 510, 2597, as GAVO publishes them (gedr3spur.main) and the Gaia archive copies them
(external.gaiaedr3_spurious).
"""

from catalog.schema.column import Column, ColumnType, StoreTable
from catalog.schema.ingest_ledger import FILE_ID, ROW_NUMBER
from catalog.schema.release import RELEASE_ID, SOURCE_ID

_R = ColumnType.REAL
_BRIGHTER = {
    "m2": "2 mag fainter",
    "0": "as bright",
    "2": "2 mag brighter",
    "4": "4 mag brighter",
    "6": "6 mag brighter",
    "10": "10 mag brighter",
}

FIDELITY = StoreTable(
    "fidelity",
    "Astrometric fidelity of each source, and the light of its neighbours.",
    (
        RELEASE_ID,
        SOURCE_ID,
        Column(
            "fidelity_v2", _R, "Probability that the astrometric solution is not spurious; above 0.5 is usual.", None, "stat.probability"
        ),
        Column("theta_arcsec_worst_source", _R, "Distance to the neighbour that adds most light.", "arcsec", "pos.angDistance"),
        Column(
            "norm_dg",
            _R,
            "Largest of (G minus a neighbour's G in mag, minus its distance in arcsec) within 30 arcsec: the larger, the more crowded; null without neighbours.",
            "mag",
            "phot.mag;arith.diff",
        ),
        *(
            Column(
                f"dist_nearest_neighbor_at_least_{step}_brighter",
                _R,
                f"Distance to the nearest neighbour at least {words}.",
                "arcsec",
                "pos.angDistance",
                principal=False,
            )
            for step, words in _BRIGHTER.items()
        ),
        Column("fidelity_v1", _R, "Fidelity of the first version.", None, "stat.probability", principal=False),
        FILE_ID,
        ROW_NUMBER,
    ),
    primary_key=("release_id", "source_id"),
    partition_by="release_id",
)
