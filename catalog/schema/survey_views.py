"""Public views of the schemas ``surveys...``: native columns of each survey, harmonised labels, and the training samples of the papers."""

from catalog.schema.apogee import APOGEE
from catalog.schema.apogee_spectrum import APOGEE_SPECTRUM
from catalog.schema.astronn import ASTRONN
from catalog.schema.column import Column, Position, PublicView, StoreTable
from catalog.schema.galah import GALAH
from catalog.schema.hot_payne import HOT_PAYNE
from catalog.schema.lamost import LAMOST
from catalog.schema.reference_label import REFERENCE_LABEL


def _native(table: StoreTable) -> tuple[Column, ...]:
    """What the survey gave."""
    return table.without("release_id", "file_id", "row_number")


def _survey_view(table: StoreTable, indexed: tuple[str, ...] = ("survey_id",)) -> PublicView:
    """A survey's rows as they were given."""
    columns = _native(table)
    positions = any(column.name == "position_key" for column in columns)
    position = Position("ra", "dec", "position_key") if positions else None
    return PublicView(
        "surveys",
        table.name,
        table.description,
        columns,
        table.name,
        position=position,
        indexed=(*indexed, *(key for (key,) in table.indexes)),
    )


SURVEY_VIEWS: tuple[PublicView, ...] = (
    *map(_survey_view, (APOGEE, APOGEE_SPECTRUM, ASTRONN, LAMOST, HOT_PAYNE, GALAH)),
    _survey_view(REFERENCE_LABEL, ("set_name", "survey_id")),
)
