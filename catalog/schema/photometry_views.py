"""Public views of photometry beyond Gaia's and of reddening: 2MASS under the archive's names, unWISE with magnitudes, E of dust maps."""

from collections.abc import Iterable

from catalog.schema.column import Column, ColumnType, Position, PublicView, StoreTable
from catalog.schema.reddening import REDDENING
from catalog.schema.survey_link import LINK_COLUMNS
from catalog.schema.two_mass import TMASS_BEST_NEIGHBOUR, TMASS_JOIN, TMASS_PSC, TWO_MASS_PHOTOMETRY
from catalog.schema.unwise import BANDS, UNWISE

_OURS = ("release_id", "file_id", "row_number")


def _as_stored(
    name: str,
    table: StoreTable,
    position: Position | None = None,
    indexed: Iterable[str] = ("source_id",),
    archive_schema: str | None = None,
) -> PublicView:
    """A view of the schema gaia with the columns of its table."""
    return PublicView(
        "gaia", name, table.description, _columns(table), name, position=position, indexed=tuple(indexed), archive_schema=archive_schema
    )


def _columns(table: StoreTable) -> tuple[Column, ...]:
    return table.without(*_OURS)


UNWISE_VIEW = PublicView(
    "surveys",
    "unwise",
    UNWISE.description,
    (
        *_columns(UNWISE),
        *(
            column
            for band, (name, ucd) in BANDS.items()
            for column in (
                Column(
                    f"{band}_mag",
                    ColumnType.REAL,
                    f"Magnitude in {name}, Vega scale; null without a positive flux.",
                    "mag",
                    f"phot.mag;{ucd}",
                ),
                Column(f"{band}_mag_error", ColumnType.REAL, f"Error of {band}_mag, to first order.", "mag", f"stat.error;phot.mag;{ucd}"),
            )
        ),
        *LINK_COLUMNS[:-1],
        LINK_COLUMNS[-1].renamed("best_of_source"),
    ),
    "unwise",
    position=Position(key="position_key"),
    indexed=("survey_id", "position_key", "source_id"),
)

PHOTOMETRY_VIEWS: tuple[PublicView, ...] = (
    _as_stored("two_mass", TWO_MASS_PHOTOMETRY),
    _as_stored("tmass_psc_xsc_best_neighbour", TMASS_BEST_NEIGHBOUR),
    _as_stored("tmass_psc_xsc_join", TMASS_JOIN, indexed=("clean_tmass_psc_xsc_oid",)),
    _as_stored("tmass_original_valid", TMASS_PSC, Position(key="position_key"), ("designation", "position_key"), "gaiadr1"),
    _as_stored("reddening", REDDENING),
    UNWISE_VIEW,
)
