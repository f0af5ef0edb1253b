"""Public views of the schemas ``surveys...``: native columns of each survey, harmonised labels, and the training samples of the papers."""

from catalog.schema.apogee import APOGEE
from catalog.schema.apogee_spectrum import APOGEE_SPECTRUM
from catalog.schema.astronn import ASTRONN
from catalog.schema.column import Column, Position, PublicView, StoreTable
from catalog.schema.galah import GALAH
from catalog.schema.harmonised_views import HARMONISED_VIEWS
from catalog.schema.hot_payne import HOT_PAYNE
from catalog.schema.lamost import LAMOST
from catalog.schema.reference_label import REFERENCE_LABEL
from catalog.schema.survey_link import LINK_COLUMNS
from catalog.schema.training_views import TRAINING_VIEWS


def _native(table: StoreTable) -> tuple[Column, ...]:
    """What the survey gave."""
    return table.without("release_id", "file_id", "row_number")


def _survey_view(table: StoreTable, indexed: tuple[str, ...] = ("survey_id",)) -> PublicView:
    """A survey's rows as they were given, with the source that each is linked to."""
    linked = table is not APOGEE_SPECTRUM
    columns = (*_native(table), *(LINK_COLUMNS if linked else ()))
    positions = any(column.name == "position_key" for column in columns)
    position = Position("ra", "dec", "position_key") if positions else None
    return PublicView(
        "surveys",
        table.name,
        table.description,
        columns,
        table.name,
        position=position,
        indexed=(*indexed, *(key for (key,) in table.indexes), *(("source_id",) if linked else ())),
    )


SURVEY_VIEWS: tuple[PublicView, ...] = (
    *map(_survey_view, (APOGEE, APOGEE_SPECTRUM, ASTRONN, LAMOST, HOT_PAYNE, GALAH)),
    _survey_view(REFERENCE_LABEL, ("set_name", "survey_id")),
    *HARMONISED_VIEWS,
    *TRAINING_VIEWS,
)
