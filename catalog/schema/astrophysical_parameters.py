"""astrophysical_parameters: what Gaia's own pipelines found for a source, to compare labels with.

Names, units and meaning: Gaia archive data model, DR3, table astrophysical_parameters. GSP-Phot works on BP and RP spectra, parallax and G
(Andrae et al. 2023, A&A 674, A27), GSP-Spec on RVS spectra (Recio-Blanco et al. 2023, A&A 674, A29). ``lower`` and ``upper`` are the 16th and
84th percentiles.
"""

from catalog.schema.column import Column, ColumnType, StoreTable
from catalog.schema.ingest_ledger import FILE_ID, ROW_NUMBER
from catalog.schema.release import RELEASE_ID, SOURCE_ID

_R = ColumnType.REAL


def _with_limits(name: str, words: str, unit: str | None, ucd: str) -> tuple[Column, ...]:
    """A parameter with its 16th and 84th percentile."""
    return (
        Column(name, _R, f"{words}.", unit, ucd),
        Column(f"{name}_lower", _R, f"{words}: 16th percentile.", unit, f"{ucd};stat.min", principal=False),
        Column(f"{name}_upper", _R, f"{words}: 84th percentile.", unit, f"{ucd};stat.max", principal=False),
    )


ASTROPHYSICAL_PARAMETERS = StoreTable(
    "astrophysical_parameters",
    "Atmospheric parameters, extinction and distance of each source by Gaia's own pipelines GSP-Phot and GSP-Spec.",
    (
        RELEASE_ID,
        SOURCE_ID,
        Column("solution_id", ColumnType.BIGINT, "Identifier of the processing that made the row.", ucd="meta.version", principal=False),
        *_with_limits("teff_gspphot", "Effective temperature by GSP-Phot", "K", "phys.temperature.effective"),
        *_with_limits("logg_gspphot", "Surface gravity by GSP-Phot, log10 of cm/s2", None, "phys.gravity"),
        *_with_limits("mh_gspphot", "Metallicity [M/H] by GSP-Phot, dex", None, "phys.abund.Z"),
        *_with_limits("distance_gspphot", "Distance by GSP-Phot", "pc", "pos.distance"),
        *_with_limits("azero_gspphot", "Monochromatic extinction at 547.7 nm by GSP-Phot", "mag", "phys.absorption;em.opt"),
        *_with_limits("ag_gspphot", "Extinction in G by GSP-Phot", "mag", "phys.absorption;em.opt"),
        *_with_limits("ebpminrp_gspphot", "Reddening E(BP - RP) by GSP-Phot", "mag", "phot.color.excess"),
        Column("libname_gspphot", ColumnType.TEXT, "Library of model spectra that GSP-Phot chose.", ucd="meta.id", principal=False),
        *_with_limits("teff_gspspec", "Effective temperature by GSP-Spec", "K", "phys.temperature.effective"),
        *_with_limits("logg_gspspec", "Surface gravity by GSP-Spec, log10 of cm/s2", None, "phys.gravity"),
        *_with_limits("mh_gspspec", "Metallicity [M/H] by GSP-Spec, dex", None, "phys.abund.Z"),
        *_with_limits("alphafe_gspspec", "Abundance of alpha elements [alpha/Fe] by GSP-Spec, dex", None, "phys.abund"),
        *_with_limits("fem_gspspec", "Abundance of neutral iron [Fe/M] by GSP-Spec, dex", None, "phys.abund.Fe"),
        Column("flags_gspspec", ColumnType.TEXT, "Quality flags of GSP-Spec, a digit each; 0 is best.", ucd="meta.code.qual"),
        FILE_ID,
        ROW_NUMBER,
    ),
    primary_key=("release_id", "source_id"),
    partition_by="release_id",
)
