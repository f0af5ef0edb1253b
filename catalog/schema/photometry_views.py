"""Public views of photometry beyond Gaia's and of reddening: 2MASS under the archive's names, unWISE with magnitudes, E of dust maps."""

from collections.abc import Iterable

from catalog.schema.column import Column, Position, PublicView, StoreTable
from catalog.schema.two_mass import TMASS_BEST_NEIGHBOUR, TMASS_JOIN, TMASS_PSC, TWO_MASS

_OURS = ("release_id", "file_id", "row_number")


def _as_stored(name: str, table: StoreTable, position: Position | None = None, indexed: Iterable[str] = ("source_id",)) -> PublicView:
    """A view of the schema gaia with the columns of its table."""
    return PublicView("gaia", name, table.description, _columns(table), name, position=position, indexed=tuple(indexed))


def _columns(table: StoreTable) -> tuple[Column, ...]:
    return table.without(*_OURS)


TWO_MASS_VIEW = PublicView(
    "gaia",
    "two_mass",
    "Photometry in 2MASS by source_id: as loaded so, else joined from best neighbours and point sources; every counterpart, whatever its quality.",
    _columns(TWO_MASS),
    "two_mass",
)

PHOTOMETRY_VIEWS: tuple[PublicView, ...] = (
    TWO_MASS_VIEW,
    _as_stored("tmass_psc_xsc_best_neighbour", TMASS_BEST_NEIGHBOUR),
    _as_stored("tmass_psc_xsc_join", TMASS_JOIN, indexed=("clean_tmass_psc_xsc_oid",)),
    _as_stored("tmass_original_valid", TMASS_PSC, Position(key="position_key"), ("designation", "position_key")),
)
