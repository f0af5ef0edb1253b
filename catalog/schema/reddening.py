"""reddening: E of each source from a map of the dust, as a prior for the models.

How mean and error come about: Zhang, Green & Rix 2023 (MNRAS 524, 1855, section 2.3) average a map over the parallax's error
(ingest.dust_maps does the same). The unit is the map's own: that of Bayestar 2017 and 2019 (Green et al. 2018, 2019) is arbitrary, about
E(B-V) in mag; multiply by the map's own coefficients for the extinction in a band.
"""

from catalog.schema.column import Column, ColumnType, StoreTable
from catalog.schema.ingest_ledger import FILE_ID, ROW_NUMBER
from catalog.schema.release import RELEASE_ID, SOURCE_ID

REDDENING = StoreTable(
    "reddening",
    "Reddening of each source by a map of the dust: mean and error over the parallax's error and the map's samples.",
    (
        RELEASE_ID,
        SOURCE_ID,
        Column(
            "reddening_map",
            ColumnType.TEXT,
            "Map that the values are of, such as bayestar2019; null where the map has none.",
            None,
            "meta.id",
        ),
        Column(
            "reddening",
            ColumnType.REAL,
            "Mean E in the map's own unit: arbitrary in Bayestar 2017 and 2019, about E(B-V) in mag; null where the map has none.",
            None,
            "phot.color.excess",
        ),
        Column(
            "reddening_error",
            ColumnType.REAL,
            "Standard error of reddening, in the same unit.",
            None,
            "stat.error;phot.color.excess",
        ),
        FILE_ID,
        ROW_NUMBER,
    ),
    primary_key=("release_id", "source_id"),
    partition_by="release_id",
)
