"""What the rows of every survey's table have in common: their key, position and file; and short ways to describe labels with their errors.

Names of columns are the provider's in lower case. A name that SQL cannot spell is spelt without its brackets ([Fe/H] as fe_h), and the description
gives the provider's.
"""

from catalog.schema.column import Column, ColumnType, StoreTable
from catalog.schema.ingest_ledger import FILE_ID, ROW_NUMBER
from catalog.schema.release import POSITION_KEY, RELEASE_ID, SURVEY_ID

SURVEY_RELEASE = Column(
    "survey_release",
    ColumnType.TEXT,
    "Data release of the survey, such as dr17, by its files' own words: flags mean other things in other releases; null where they do not tell.",
    ucd="meta.version",
)

TEFF, LOGG, FEH, MH, ABUNDANCE = (
    "phys.temperature.effective",
    "phys.gravity",
    "phys.abund.Fe",
    "phys.abund.Z",
    "phys.abund",
)
"""UCDs of labels."""


def position(of: str) -> tuple[Column, ...]:
    """ra, dec and position_key; ``of`` says whose position at which epoch."""
    return (
        Column("ra", ColumnType.DOUBLE, f"Right ascension, ICRS: {of}.", "deg", "pos.eq.ra;meta.main"),
        Column("dec", ColumnType.DOUBLE, f"Declination, ICRS: {of}.", "deg", "pos.eq.dec;meta.main"),
        POSITION_KEY,
    )


def survey_table(
    name: str, description: str, columns: tuple[Column, ...], *, indexed: tuple[str, ...] = (), external: tuple[str, ...] = ()
) -> StoreTable:
    """A survey's table: keyed by the survey's own identifier within a Gaia release, one partition a release; ``indexed`` besides positions."""
    positions = ("position_key",) if POSITION_KEY in columns else ()
    return StoreTable(
        name,
        description,
        (RELEASE_ID, SURVEY_ID, SURVEY_RELEASE, *columns, FILE_ID, ROW_NUMBER),
        primary_key=("release_id", "survey_id"),
        partition_by="release_id",
        indexes=tuple((column,) for column in (*positions, *indexed)),
        external=external,
    )


def text(name: str, description: str, ucd: str | None = "meta.id", *, principal: bool = True) -> Column:
    """A text."""
    return Column(name, ColumnType.TEXT, description, ucd=ucd, principal=principal)


def number(name: str, description: str, unit: str | None = None, ucd: str | None = None, *, principal: bool = True) -> Column:
    """A number in single precision."""
    return Column(name, ColumnType.REAL, description, unit, ucd, principal=principal)


def flags(name: str, description: str, *, principal: bool = True) -> Column:
    """Bits as the provider sets them, or a number that is one of a few codes."""
    return Column(name, ColumnType.BIGINT, description, ucd="meta.code.qual", principal=principal)


def measured(
    name: str, error: str, words: str, unit: str | None = None, ucd: str | None = None, *, principal: bool = True
) -> tuple[Column, Column]:
    """A measured value and the error of it; ``words`` begin small, as within a sentence."""
    return (
        number(name, f"{words[0].upper()}{words[1:]}.", unit, ucd, principal=principal),
        number(error, f"Error of {words.partition(',')[0]}.", unit, f"stat.error;{ucd}" if ucd else "stat.error", principal=principal),
    )
