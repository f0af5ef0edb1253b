"""Every table of the schema ``store`` and every public view, described once.

    column          Column, StoreTable, PublicView: what a description is
    release         data releases, sources far from their pixel
    ingest_ledger   files and rejected rows
    archive_ledger  queries to archives, and their ranges
    gaia_source, xp_spectrum, xp_sampled_spectrum, rvs_spectrum     what the archives give
    astrophysical_parameters        what Gaia's own pipelines found
    id_map          sources of earlier releases
    fidelity        how far astrometry can be trusted
    apogee, apogee_spectrum, astronn, lamost, hot_payne, galah      surveys, in their own terms (survey_row: what their rows share)
    reference_label     labels of any other table, as named sets
    two_mass        infrared photometry by source, the tables that it is joined from, and what they come to
    survey_link     which source each row of a survey is
    unwise          infrared fluxes by position
    reddening       E of maps of the dust
    model_run       weights, versions, runs, chunks, sources without a label, what is published
    label_table     the labels, one table a model (label_forward: the forward model's)
    publication     publications and TAP_SCHEMA
    uws_job         asynchronous queries
    public_views    what people query, in one list:
        gaia_views, photometry_views, survey_views, harmonised_views, training_views, label_views, forward_views,
        run_views
    table_pages     docs/tables, made from it

DDL: ``METADATA`` (alembic compares it with the database). TAP_SCHEMA and docs read the same objects.
"""

import sqlalchemy as sa

from catalog.schema.apogee import APOGEE
from catalog.schema.apogee_spectrum import APOGEE_SPECTRUM
from catalog.schema.archive_ledger import ARCHIVE_QUERY, ARCHIVE_RANGE
from catalog.schema.astronn import ASTRONN
from catalog.schema.astrophysical_parameters import ASTROPHYSICAL_PARAMETERS
from catalog.schema.column import StoreTable
from catalog.schema.fidelity import FIDELITY
from catalog.schema.gaia_source import GAIA_SOURCE
from catalog.schema.galah import GALAH
from catalog.schema.hot_payne import HOT_PAYNE
from catalog.schema.id_map import ID_MAP
from catalog.schema.ingest_ledger import INGEST_FILE, INGEST_PROGRESS, INGEST_REJECT
from catalog.schema.label_table import LABEL_TABLES
from catalog.schema.lamost import LAMOST
from catalog.schema.model_run import MODEL_VERSION, MODEL_WEIGHTS, NO_LABEL, PUBLISHED, RUN, RUN_CHUNK
from catalog.schema.publication import PUBLICATION, TAP_SCHEMA_TABLES
from catalog.schema.reddening import REDDENING
from catalog.schema.reference_label import REFERENCE_LABEL
from catalog.schema.release import DISPLACED_SOURCE, RELEASE
from catalog.schema.rvs_spectrum import RVS_SPECTRUM
from catalog.schema.survey_link import SURVEY_LINK, SURVEY_LINKING
from catalog.schema.two_mass import TMASS_BEST_NEIGHBOUR, TMASS_JOIN, TMASS_PSC, TWO_MASS, TWO_MASS_PHOTOMETRY
from catalog.schema.unwise import UNWISE
from catalog.schema.uws_job import UWS_JOB
from catalog.schema.xp_sampled_spectrum import XP_SAMPLED_SPECTRUM
from catalog.schema.xp_spectrum import XP_SPECTRUM

STORE_TABLES: tuple[StoreTable, ...] = (
    RELEASE,
    DISPLACED_SOURCE,
    INGEST_FILE,
    INGEST_REJECT,
    ARCHIVE_QUERY,
    ARCHIVE_RANGE,
    INGEST_PROGRESS,
    GAIA_SOURCE,
    XP_SPECTRUM,
    XP_SAMPLED_SPECTRUM,
    RVS_SPECTRUM,
    ASTROPHYSICAL_PARAMETERS,
    ID_MAP,
    FIDELITY,
    APOGEE,
    APOGEE_SPECTRUM,
    ASTRONN,
    LAMOST,
    HOT_PAYNE,
    GALAH,
    REFERENCE_LABEL,
    TWO_MASS,
    TMASS_BEST_NEIGHBOUR,
    TMASS_JOIN,
    TMASS_PSC,
    TWO_MASS_PHOTOMETRY,
    SURVEY_LINK,
    SURVEY_LINKING,
    UNWISE,
    REDDENING,
    MODEL_WEIGHTS,
    MODEL_VERSION,
    RUN,
    RUN_CHUNK,
    NO_LABEL,
    *LABEL_TABLES.values(),
    PUBLISHED,
    PUBLICATION,
    *TAP_SCHEMA_TABLES,
    UWS_JOB,
)

METADATA = sa.MetaData(schema="store")
TABLES: dict[str, sa.Table] = {table.name: table.sqlalchemy(METADATA) for table in STORE_TABLES}
