"""reference_label: labels of any other table, as named validation and support sets: seismic gravities, clusters, StarHorse, another catalogue.

A row keeps what the table gave, whole, beside the labels that were understood, in the units of the harmonised views.
"""

from catalog.schema.column import Column, ColumnType, StoreTable
from catalog.schema.ingest_ledger import FILE_ID, ROW_NUMBER
from catalog.schema.release import RELEASE_ID, SURVEY_ID
from catalog.schema.survey_row import ABUNDANCE, FEH, LOGG, MH, TEFF, measured, position, text

SET_NAME = Column(
    "set_name", ColumnType.TEXT, "Name of the set, as the operator gave it or by the file's name.", ucd="meta.id", nullable=False
)

REFERENCE_LABEL = StoreTable(
    "reference_label",
    "Labels from other tables, as named sets to validate with, or to train on few stars.",
    (
        RELEASE_ID,
        SET_NAME,
        SURVEY_ID,
        Column("given_source_id", ColumnType.BIGINT, "Gaia identifier that the table gives.", ucd="meta.id"),
        text("id_system", "Gaia numbering of given_source_id: dr2, dr3 (also EDR3's) or dr4.", "meta.code"),
        text("apogee_id", "APOGEE's name of the star, where the table gives it.", "meta.id"),
        text("tmass_id", "Designation in 2MASS, hhmmssss+ddmmsss, where the table gives it.", "meta.id"),
        Column("sobject_id", ColumnType.BIGINT, "GALAH's number of the spectrum, where the table gives it.", ucd="meta.id"),
        *position("where the table has one"),
        *measured("teff", "e_teff", "effective temperature", "K", TEFF),
        *measured("logg", "e_logg", "surface gravity, log10 of cm/s2", None, LOGG),
        *measured("feh", "e_feh", "iron abundance [Fe/H], dex", None, FEH),
        *measured("mh", "e_mh", "metallicity [M/H], dex", None, MH),
        *measured("alpha_m", "e_alpha_m", "abundance [alpha/M], dex", None, ABUNDANCE),
        *measured("c_fe", "e_c_fe", "abundance [C/Fe], dex", None, ABUNDANCE),
        *measured("n_fe", "e_n_fe", "abundance [N/Fe], dex", None, ABUNDANCE),
        *measured("distance", "e_distance", "distance", "pc", "pos.distance"),
        *measured("extinction", "e_extinction", "extinction in V, A_V", "mag", "phys.absorption;em.opt.V"),
        text("cluster", "Cluster, stream or galaxy that the star belongs to.", "meta.id.assoc"),
        Column("native", ColumnType.JSON, "The whole row of the table, by its own column names, nulls left out.", ucd="meta.record"),
        FILE_ID,
        ROW_NUMBER,
    ),
    primary_key=("release_id", "set_name", "survey_id"),
    partition_by="release_id",
    indexes=(("position_key",), ("given_source_id",), ("apogee_id",), ("tmass_id",)),
)  # fmt: skip
