"""hot_payne: labels of hot stars from their LAMOST spectra (Xiang et al. 2022, A&A 662, A66), with the table's names and units.

Names of SpecID, Teff, logg, [Fe/H] and their errors are those that public code reads; the other labels of the paper may have other names in the
published table, and are null where a file has none of the names that the reader tries.
"""

from catalog.schema.column import Column, ColumnType
from catalog.schema.survey_row import ABUNDANCE, FEH, LOGG, TEFF, flags, measured, number, position, survey_table, text

HOT_PAYNE = survey_table(
    "hot_payne",
    "Hot Payne: labels of hot stars from LAMOST spectra, including rotation and abundances.",
    (
        text("specid", "Name of the LAMOST spectrum, yyyymmdd-planid-spid-fiberid; native name SpecID, without its padding."),
        *position("where the file has one; LAMOST's otherwise, by specid"),
        Column("gaia_source_id", ColumnType.BIGINT, "Gaia identifier that the file gives, where it has one.", ucd="meta.id", principal=False),
        number("snrg", "Signal to noise in g, where the file has it.", None, "stat.snr"),
        *measured("teff", "e_teff", "effective temperature", "K", TEFF),
        *measured("logg", "e_logg", "surface gravity, log10 of cm/s2", None, LOGG),
        *measured("vsini", "e_vsini", "projected rotation", "km/s", "phys.veloc.rotat"),
        *measured("vmic", "e_vmic", "microturbulence", "km/s", "phys.veloc.microTurb", principal=False),
        *measured("he", "e_he", "helium abundance, as the table gives it", None, ABUNDANCE, principal=False),
        *(
            column
            for element, ucd in (("Fe", FEH), *((element, ABUNDANCE) for element in ("C", "N", "O", "Si", "S")))
            for column in measured(
                f"{element.lower()}_h", f"e_{element.lower()}_h", f"abundance [{element}/H] (its native name), dex", None, ucd, principal=element == "Fe"
            )
        ),
        number("chi2", "Chi squared of the fit, where the file has it.", None, "stat.fit.chi2"),
        flags("flag", "Quality flag, where the file has one.", principal=False),
    ),
    indexed=("specid",),
)  # fmt: skip
