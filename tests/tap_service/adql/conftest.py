"""A small set of tables to resolve queries against."""

import pytest

from catalog.schema.column import Position
from tap_service.table_set import TableSet, TapColumn, TapTable

MAIN = TapTable(
    "sky",
    "main",
    "Stars of the tests.",
    (
        TapColumn("source_id", "long", ucd="meta.id;meta.main", description="Identifier.", indexed=True),
        TapColumn("ra", "double", unit="deg", ucd="pos.eq.ra;meta.main", utype="stc:ra", description="Right ascension."),
        TapColumn("dec", "double", unit="deg", ucd="pos.eq.dec;meta.main", description="Declination."),
        TapColumn("parallax", "double", unit="mas", ucd="pos.parallax.trig"),
        TapColumn("mag", "float", unit="mag", ucd="phot.mag;em.opt"),
        TapColumn("flags", "int", ucd="meta.code"),
        TapColumn("visits", "short", ucd="meta.number"),
        TapColumn("name", "char", "*", ucd="meta.id"),
        TapColumn("size", "int"),
        TapColumn("Teff [K]", "float", unit="K"),
        TapColumn("variable", "boolean"),
        TapColumn("observed", "char", "*", "timestamp"),
        TapColumn("cov", "float", "3"),
        TapColumn("info", "char", "*", "json"),
    ),
    permanent="sky__p0007",
    position=Position(),
    padding=5.5 / 3600,
    displaced=(17, 18),
)
LABELS = TapTable(
    "labels",
    "forward",
    "Labels of the tests.",
    (
        TapColumn("source_id", "long", ucd="meta.id"),
        TapColumn("teff", "float", unit="K", ucd="phys.temperature.effective"),
        TapColumn("e_teff", "float", unit="K"),
        TapColumn("logg", "float"),
    ),
    permanent="labels__p0007",
)
OTHER_LABELS = TapTable("labels_dr4", "forward", None, LABELS.columns, permanent="labels_dr4__p0007")


@pytest.fixture(scope="session")
def table_set() -> TableSet:
    """Publication 7: sky.main with a position, and labels.forward and labels_dr4.forward without."""
    return TableSet(7, (MAIN, LABELS, OTHER_LABELS))
