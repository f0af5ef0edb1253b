"""What people query: every public view with its columns in order. The SELECT of each stands in ``sql/views/{template}.sql``.

    gaia_views      what the archive gave
    photometry_views 2MASS, unWISE and reddening
    survey_views    what other surveys gave, and their labels in common units
    label_views     what the models found
    run_views       runs, versions, files; TAP_SCHEMA

Views are built from ``store`` only, never from one another, so that each publication stands by itself (catalog/publish.py).
"""

from catalog.schema.column import PublicView
from catalog.schema.gaia_views import GAIA_VIEWS
from catalog.schema.label_views import LABEL_VIEWS
from catalog.schema.photometry_views import PHOTOMETRY_VIEWS
from catalog.schema.run_views import RUN_VIEWS, TAP_SCHEMA_VIEWS
from catalog.schema.survey_views import SURVEY_VIEWS

SCHEMA_DESCRIPTIONS = {
    "gaia": "Gaia sources and spectra of the release {release}, with the archive's names and units.",
    "surveys": "Labels and spectra of other surveys, linked to the sources of the release {release}; training samples of the models.",
    "labels": "Labels that the models gave the sources of the release {release}: the published runs.",
    "runs": "Runs, model versions, releases and files: what made each number.",
    "tap_schema": "Tables and columns of this service (TAP 1.1 section 4).",
}

PER_RELEASE = {"gaia": "gaia{suffix}", "surveys": "surveys_{suffix}", "labels": "labels_{suffix}"}
"""Schemas that are made once a release, with the name that they get."""
OF_DEFAULT_RELEASE = ("surveys", "labels")
"""Of these, the ones that stand once more under their bare name, for the default release."""

PUBLIC_VIEWS: tuple[PublicView, ...] = (*GAIA_VIEWS, *PHOTOMETRY_VIEWS, *SURVEY_VIEWS, *LABEL_VIEWS, *RUN_VIEWS, *TAP_SCHEMA_VIEWS)
