"""surveys.survey_labels: the labels of every survey and reference set under one set of names, in one set of units.

Formulae stand beside the columns and in sql/views/survey_labels.sql. What a survey does not measure is null, never made up.
"""

from catalog.schema.column import Column, ColumnType, PublicView
from catalog.schema.reference_label import SET_NAME
from catalog.schema.release import SURVEY_ID
from catalog.schema.survey_link import IS_PRIMARY, LINK_COLUMNS
from catalog.schema.survey_row import ABUNDANCE, FEH, LOGG, MH, SURVEY_RELEASE, TEFF


def harmonised(name: str, words: str, unit: str | None, ucd: str) -> tuple[Column, Column]:
    """A label and the error of it, under the harmonised names."""
    return (
        Column(name, ColumnType.REAL, f"{words}.", unit, ucd),
        Column(f"e_{name}", ColumnType.REAL, f"Error of {name}; that of a difference has the errors of its terms in quadrature.", unit, f"stat.error;{ucd}"),
    )  # fmt: skip


LABELS: tuple[Column, ...] = (
    *harmonised("teff", "Effective temperature", "K", TEFF),
    *harmonised("logg", "Surface gravity, log10 of cm/s2", None, LOGG),
    *harmonised("feh", "Iron abundance [Fe/H], dex", None, FEH),
    *harmonised("mh", "Metallicity [M/H], dex; null for surveys that have none (GALAH, LAMOST, Hot Payne, astroNN)", None, MH),
    *harmonised(
        "alpha_m",
        "Abundance [alpha/M], dex: APOGEE's, LAMOST's in releases that have it, reference sets'; null where the survey has none",
        None,
        ABUNDANCE,
    ),
    *harmonised(
        "alpha_fe", "Abundance [alpha/Fe], dex: GALAH's own; of APOGEE and reference sets [alpha/M] + [M/H] - [Fe/H]", None, ABUNDANCE
    ),
    *harmonised("c_fe", "Abundance [C/Fe], dex; of Hot Payne and astroNN [C/H] - [Fe/H]; GALAH's upper limits are null", None, ABUNDANCE),
    *harmonised("n_fe", "Abundance [N/Fe], dex; of Hot Payne and astroNN [N/H] - [Fe/H]", None, ABUNDANCE),
)

SURVEY = Column(
    "survey",
    ColumnType.TEXT,
    "Survey: apogee, astronn, lamost, hot_payne, galah or reference_label.",
    ucd="meta.id",
    nullable=False,
)

SURVEY_LABELS = PublicView(
    "surveys",
    "survey_labels",
    "Labels of every survey and reference set under common names and units, each row with the source that it is linked to.",
    (
        SURVEY,
        SET_NAME.renamed("set_name", "Name of the set of reference labels; empty for a survey."),
        SURVEY_RELEASE,
        SURVEY_ID,
        *LINK_COLUMNS[:-1],
        IS_PRIMARY,
        *LABELS,
        Column(
            "snr", ColumnType.REAL, "Signal to noise: APOGEE's snr, LAMOST's and Hot Payne's snrg, GALAH's snr_c2_iraf.", None, "stat.snr"
        ),
        Column(
            "flags",
            ColumnType.BIGINT,
            "The survey's own main quality bits: aspcapflag, fibermask, Hot Payne's flag, flag_sp; their meaning is the survey's.",
            ucd="meta.code.qual",
        ),
        Column("native_flags", ColumnType.TEXT, "Every quality flag of the row as name=value.", ucd="meta.code.qual"),
    ),
    "survey_labels",
    indexed=("source_id",),
    is_union=True,
)

HARMONISED_VIEWS: tuple[PublicView, ...] = (SURVEY_LABELS,)
