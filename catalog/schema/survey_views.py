"""Public views of the schemas ``surveys...``: native columns of each survey, harmonised labels, and the training samples of the papers."""

from catalog.schema.column import PublicView

SURVEY_VIEWS: tuple[PublicView, ...] = ()
