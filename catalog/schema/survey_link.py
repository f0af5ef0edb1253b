"""survey_link: which Gaia source each row of a survey is, how that was found, and which row of a source is the one to use.

Survey tables keep what their files say; what linking found (ingest/linking) stands here and can be made again at any time.
"""

from dataclasses import replace
from enum import IntFlag

from catalog.schema.column import Column, ColumnType, StoreTable
from catalog.schema.release import RELEASE_ID, SURVEY_ID


class LinkFlag(IntFlag):
    """Bits of link_flags. 0 is a link that nothing speaks against; a bit is never used again for another meaning."""

    FAR = 1 << 0
    """The source stands further from the survey's position than the survey's limit: the identifier that was given may be another star's."""
    SEVERAL_IN_RADIUS = 1 << 1
    """More than one source stands within the radius of the survey's position."""
    SECOND_NEARLY_AS_NEAR = 1 << 2
    """Another source within the radius is no further than 1.5 times the linked one, or 0.1 arcsec beyond it."""
    SECOND_BRIGHTER = 1 << 3
    """Another source within the radius is brighter in G."""
    NOT_THE_NEAREST = 1 << 4
    """Another source within the radius is nearer than the one that the given identifier or the 2MASS cross-match names."""
    GIVEN_UNKNOWN = 1 << 5
    """The row gives an identifier that leads to no source of this release."""
    SEVERAL_NEIGHBOURS = 1 << 6
    """The neighbourhood table leads from the given identifier to several sources, or several have the 2MASS counterpart; the nearest was taken."""
    NO_POSITION = 1 << 7
    """There is no separation: the row has no position, or the source has no gaia_source row."""


METHODS = ("given", "neighbourhood", "crossmatch_2mass", "position")
"""How a link can be found, the surest first."""

_BITS = ", ".join(f"{flag.value} {flag.name}" for flag in LinkFlag)

LINK_METHOD = Column(
    "method",
    ColumnType.TEXT,
    "How the source was found: given (the survey's own Gaia identifier), neighbourhood (through a table from another Gaia release), "
    "crossmatch_2mass (through the archive's 2MASS cross-match) or position; null where no source was found.",
    ucd="meta.code.class",
)
SEPARATION = Column(
    "separation_arcsec",
    ColumnType.DOUBLE,
    "Distance between the survey's position and the source's, moved to the survey's epoch.",
    "arcsec",
    "pos.angDistance",
)
LINK_AMBIGUOUS = Column(
    "ambiguous",
    ColumnType.BOOLEAN,
    "Whether another star may be meant: link_flags tells why.",
    ucd="meta.code.qual",
    nullable=False,
)
N_CANDIDATES = Column(
    "n_candidates",
    ColumnType.INTEGER,
    "Number of sources within the survey's radius of its position.",
    ucd="meta.number",
    nullable=False,
)
LINK_FLAGS = Column("link_flags", ColumnType.SMALLINT, f"Bits that tell about the link: {_BITS}.", ucd="meta.code.qual", nullable=False)
IS_PRIMARY = Column(
    "is_primary",
    ColumnType.BOOLEAN,
    "Whether the row is the one to use of all rows that the survey has of the source, by the survey's rule for duplicates.",
    ucd="meta.code",
    nullable=False,
)
LINKED_SOURCE = Column(
    "source_id",
    ColumnType.BIGINT,
    "Gaia source that the row is linked to, in the numbering of this release; null where none was found.",
    ucd="meta.id.cross",
)

SURVEY_LINK = StoreTable(
    "survey_link",
    "The Gaia source of each row of the surveys, how it was found, and which row of a source is the one to use.",
    (
        RELEASE_ID,
        Column("survey", ColumnType.TEXT, "Table of the survey, such as apogee.", ucd="meta.id", nullable=False),
        Column("set_name", ColumnType.TEXT, "Name of the set of reference labels; empty for a survey.", ucd="meta.id", nullable=False),
        SURVEY_ID,
        LINKED_SOURCE,
        LINK_METHOD,
        SEPARATION,
        N_CANDIDATES,
        LINK_FLAGS,
        LINK_AMBIGUOUS,
        IS_PRIMARY,
    ),
    primary_key=("release_id", "survey", "set_name", "survey_id"),
    partition_by="release_id",
    indexes=(("survey", "source_id"),),
)

SURVEY_LINKING = StoreTable(
    "survey_linking",
    "The last linking of each survey, and the last joining of 2MASS: from which files it was made, so that it is made again only when these change.",
    (
        RELEASE_ID,
        Column("survey", ColumnType.TEXT, "Table of the survey, or two_mass_photometry.", ucd="meta.id", nullable=False),
        Column(
            "fingerprint",
            ColumnType.TEXT,
            "Digest of the rules and of the files that the link follows from.",
            ucd="meta.code",
            nullable=False,
        ),
        Column("rows", ColumnType.BIGINT, "Rows of the survey.", ucd="meta.number", nullable=False),
        Column("linked", ColumnType.BIGINT, "Rows with a source.", ucd="meta.number", nullable=False),
        Column("finished", ColumnType.TIMESTAMP, "When linking ended.", ucd="time.end", nullable=False, default="now()"),
    ),
    primary_key=("release_id", "survey"),
    foreign_keys=(("release_id", "release.release_id"),),
)

LINK_COLUMNS: tuple[Column, ...] = (
    LINKED_SOURCE,
    LINK_METHOD.renamed("link_method"),
    SEPARATION.renamed("link_separation"),
    replace(N_CANDIDATES.renamed("link_candidates"), nullable=True),
    replace(LINK_FLAGS, nullable=True),
    replace(LINK_AMBIGUOUS.renamed("link_ambiguous"), nullable=True),
    replace(IS_PRIMARY, nullable=True),
)
"""What the views of the surveys show of a link; all null until `kiel ingest link` has run."""
