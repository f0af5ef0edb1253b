"""apogee: a row for each star and field of APOGEE's allStar, with the survey's names and units.

Names, types and masks: data model of allStar-dr17-synspec_rev1. The arrays of the pipeline (FPARAM, grids, covariances, X_H ...) are not kept: the
named labels repeat what people use of them; PARAMFLAG's words stand in columns of their own.
"""

from catalog.schema.column import Column, ColumnType
from catalog.schema.survey_row import ABUNDANCE, FEH, LOGG, MH, TEFF, flags, measured, number, position, survey_table, text

ELEMENTS = (
    "c", "ci", "n", "o", "na", "mg", "al", "si", "p", "s", "k", "ca", "ti", "tiii", "v", "cr", "mn", "fe", "co", "ni", "cu", "ce", "yb",
)  # fmt: skip
"""In the order of ELEM_SYMBOL; iron stands relative to hydrogen (fe_h), the others relative to iron (c_fe)."""
PARAMETERS = ("teff", "logg", "log10vdop", "metals", "c", "n", "alpha", "lgvsini", "o")
"""Order of PARAMFLAG's words."""
TARGET_FLAGS = ("apogee_target1", "apogee_target2", "apogee2_target1", "apogee2_target2", "apogee2_target3", "apogee2_target4")

_TARGETING = tuple(flags(name, f"Targeting bits {name.upper()}.", principal=False) for name in TARGET_FLAGS)


def _abundance(element: str) -> tuple[Column, ...]:
    name = "fe_h" if element == "fe" else f"{element}_fe"
    bracket = "[Fe/H]" if element == "fe" else f"[{element.capitalize().replace('Tiii', 'TiII').replace('Ci', 'CI')}/Fe]"
    ucd = FEH if element == "fe" else ABUNDANCE
    return (
        *measured(name, f"{name}_err", f"calibrated abundance {bracket}, dex", None, ucd),
        number(f"{name}_spec", f"Uncalibrated abundance {bracket}, dex.", None, ucd, principal=False),
        flags(f"{name}_flag", f"Bits of {bracket}, APOGEE_PARAMFLAG; 0, 2, 3 and 6 are bad."),
    )


_GAIA = tuple(
    column
    for name, words, unit, ucd in (
        ("parallax", "parallax", "mas", "pos.parallax.trig"), ("pmra", "proper motion in right ascension", "mas/yr", "pos.pm;pos.eq.ra"),
        ("pmdec", "proper motion in declination", "mas/yr", "pos.pm;pos.eq.dec"),
    )
    for column in measured(
        f"gaiaedr3_{name}", f"gaiaedr3_{name}_error", f"the Gaia EDR3 {words} that the file copies", unit, ucd, principal=False
    )
)  # fmt: skip

APOGEE = survey_table(
    "apogee",
    "APOGEE allStar: labels, errors and flags of each star and field, from H-band spectra.",
    (
        text("apogee_id", "Name of the star by its 2MASS position, 2Mhhmmssss+ddmmsss.", "meta.id;src"),
        text("apstar_id", "Identifier of the combined spectrum."),
        text("target_id", "Telescope, field and star.", principal=False),
        text("aspcap_id", "Identifier of the pipeline's result.", principal=False),
        text("file", "Name of the spectrum's file.", "meta.id;meta.file", principal=False),
        text("telescope", "Telescope: apo25m, lco25m or apo1m.", "meta.id;instr.tel"),
        Column("location_id", ColumnType.INTEGER, "Number of the field.", ucd="meta.id", principal=False),
        text("field", "Name of the field.", "meta.id;obs.field"),
        text("alt_id", "Another name of the star, for stars outside 2MASS.", principal=False),
        *position("the target's position from 2MASS, about epoch 2000"),
        Column("glon", ColumnType.DOUBLE, "Galactic longitude.", "deg", "pos.galactic.lon", principal=False),
        Column("glat", ColumnType.DOUBLE, "Galactic latitude.", "deg", "pos.galactic.lat", principal=False),
        *(
            column
            for band in "jhk"
            for column in measured(band, f"{band}_err", f"magnitude in {band.upper()} of 2MASS, null where 99", "mag", f"phot.mag;em.IR.{band.upper()}")
        ),
        text("src_h", "Where the H magnitude is from.", "meta.ref", principal=False),
        number("ak_targ", "Extinction in K used for targeting.", "mag", "phys.absorption;em.IR.K", principal=False),
        text("ak_targ_method", "How the targeting extinction was found.", "meta.note", principal=False),
        number("ak_wise", "Extinction in K from WISE colours.", "mag", "phys.absorption;em.IR.K", principal=False),
        number("sfd_ebv", "E(B-V) of Schlegel, Finkbeiner and Davis.", "mag", "phot.color.excess", principal=False),
        *_TARGETING,
        text("targflags", "Names of the targeting bits.", "meta.code", principal=False),
        text("survey", "Survey that the target belongs to.", "meta.id", principal=False),
        text("programname", "Programme that the target belongs to.", "meta.id", principal=False),
        Column("nvisits", ColumnType.INTEGER, "Number of visits combined.", ucd="meta.number;obs"),
        number("snr", "Median signal to noise of a pixel of the combined spectrum.", None, "stat.snr"),
        number("snrev", "Signal to noise, revised for persistence.", None, "stat.snr", principal=False),
        flags("starflag", "APOGEE_STARFLAG: bits set in any visit."),
        text("starflags", "Names of starflag's bits.", "meta.code.qual", principal=False),
        flags("andflag", "APOGEE_STARFLAG: bits set in every visit."),
        text("andflags", "Names of andflag's bits.", "meta.code.qual", principal=False),
        number("vhelio_avg", "Barycentric radial velocity, weighted mean of visits.", "km/s", "spect.dopplerVeloc;pos.barycenter"),
        number("vscatter", "Scatter of the visits' radial velocities.", "km/s", "stat.stdev;spect.dopplerVeloc"),
        number("verr", "Error of vhelio_avg.", "km/s", "stat.error;spect.dopplerVeloc"),
        number("rv_teff", "Temperature of the radial-velocity template.", "K", TEFF, principal=False),
        number("rv_logg", "Surface gravity of the radial-velocity template, log10 of cm/s2.", None, LOGG, principal=False),
        number("rv_feh", "Metallicity of the radial-velocity template, dex.", None, FEH, principal=False),
        number("rv_alpha", "Alpha abundance of the radial-velocity template, dex.", None, ABUNDANCE, principal=False),
        number("rv_carb", "Carbon abundance of the radial-velocity template, dex.", None, ABUNDANCE, principal=False),
        number("rv_chi2", "Chi squared of the radial-velocity template.", None, "stat.fit.chi2", principal=False),
        number("rv_ccfwhm", "Width of the cross-correlation peak.", "km/s", "phys.veloc", principal=False),
        number("rv_autofwhm", "Width of the template's auto-correlation peak.", "km/s", "phys.veloc", principal=False),
        flags("rv_flag", "Bits of the radial-velocity fit."),
        Column("n_components", ColumnType.INTEGER, "Number of stars seen in the cross-correlation.", ucd="meta.number"),
        Column(
            "gaiaedr3_source_id",
            ColumnType.BIGINT,
            "Gaia EDR3 identifier (the same as DR3's) that the file gives; null where 0 or -9999.",
            ucd="meta.id",
        ),
        Column(
            "gaia_source_id",
            ColumnType.BIGINT,
            "Gaia DR2 identifier that the file gives; data release 16 and before have it.",
            ucd="meta.id",
            principal=False,
        ),
        *_GAIA,
        *(
            number(f"gaiaedr3_phot_{band}_mean_mag", f"Gaia EDR3 {band.upper()} magnitude that the file copies.", "mag", ucd, principal=False)
            for band, ucd in (("g", "phot.mag;em.opt"), ("bp", "phot.mag;em.opt.B"), ("rp", "phot.mag;em.opt.R"))
        ),
        *measured(
            "gaiaedr3_dr2_radial_velocity", "gaiaedr3_dr2_radial_velocity_error", "the Gaia DR2 radial velocity that the file copies", "km/s",
            "spect.dopplerVeloc", principal=False,
        ),
        *(
            number(f"gaiaedr3_r_{part}_{kind}", f"{words} {long} distance of Bailer-Jones et al. (2021).", "pc", "pos.distance", principal=False)
            for kind, long in (("geo", "geometric"), ("photogeo", "photogeometric"))
            for part, words in (("med", "Median of the"), ("lo", "Lower bound (16 %) of the"), ("hi", "Upper bound (84 %) of the"))
        ),
        text("aspcap_grid", "Grid of model spectra that was fitted.", "meta.id", principal=False),
        number("aspcap_chi2", "Chi squared of the fit, divided by its degrees of freedom.", None, "stat.fit.chi2"),
        flags("aspcapflag", "APOGEE_ASPCAPFLAG; bits up to 41 in data release 17."),
        text("aspcapflags", "Names of aspcapflag's bits.", "meta.code.qual", principal=False),
        *(flags(f"paramflag_{name}", f"APOGEE_PARAMFLAG of the parameter {name}, a word of PARAMFLAG.", principal=False) for name in PARAMETERS),
        number("frac_badpix", "Share of bad pixels.", None, "stat.value;arith.ratio", principal=False),
        number("frac_lowsnr", "Share of pixels of low signal to noise.", None, "stat.value;arith.ratio", principal=False),
        number("frac_sigsky", "Share of pixels with strong sky lines.", None, "stat.value;arith.ratio", principal=False),
        flags("extratarg", "APOGEE_EXTRATARG: 0 not a main target, 1 commissioning, 2 telluric, 3 one-metre telescope, 4 duplicate."),
        flags("memberflag", "Bits of cluster and galaxy membership.", principal=False),
        text("member", "Cluster or galaxy that the star may belong to.", "meta.id", principal=False),
        *measured("teff", "teff_err", "calibrated effective temperature", "K", TEFF),
        *measured("logg", "logg_err", "calibrated surface gravity, log10 of cm/s2", None, LOGG),
        *measured("m_h", "m_h_err", "calibrated metallicity [M/H], dex", None, MH),
        *measured("alpha_m", "alpha_m_err", "calibrated abundance [alpha/M], dex", None, ABUNDANCE),
        number("vmicro", "Microturbulence.", "km/s", "phys.veloc.microTurb"),
        number("vmacro", "Macroturbulence.", "km/s", "phys.veloc", principal=False),
        number("vsini", "Projected rotation.", "km/s", "phys.veloc.rotat"),
        number("teff_spec", "Uncalibrated effective temperature.", "K", TEFF, principal=False),
        number("logg_spec", "Uncalibrated surface gravity, log10 of cm/s2.", None, LOGG, principal=False),
        *(column for element in ELEMENTS for column in _abundance(element)),
    ),
    indexed=("apogee_id",),
)  # fmt: skip
