"""lamost: a row for each low-resolution spectrum of LAMOST's stellar catalogue, with the survey's names and units.

Names: dr8_v2.0_LRS_stellar as public code reads it; the columns from uid on are known of data release 10, and null where a file has none.
"""

from catalog.schema.column import Column, ColumnType
from catalog.schema.survey_row import ABUNDANCE, FEH, LOGG, TEFF, flags, measured, number, position, survey_table, text

_I, _S = ColumnType.INTEGER, ColumnType.SMALLINT

LAMOST = survey_table(
    "lamost",
    "LAMOST low-resolution stellar catalogue: labels of each spectrum of A, F, G and K stars.",
    (
        Column("obsid", ColumnType.BIGINT, "Number of the spectrum.", ucd="meta.id"),
        text("obsdate", "Date of observation, yyyy-mm-dd.", "time.start;obs"),
        Column("lmjd", _I, "Local modified Julian day of observation.", ucd="time.epoch", principal=False),
        Column("mjd", _I, "Modified Julian day of observation.", ucd="time.epoch", principal=False),
        text("planid", "Name of the plate."),
        Column("spid", _S, "Number of the spectrograph.", ucd="meta.id;instr"),
        Column("fiberid", _S, "Number of the fibre.", ucd="meta.id;instr"),
        *(number(f"snr{band}", f"Signal to noise in {band}.", None, "stat.snr") for band in "ugriz"),
        text("class", "Class of the object.", "src.class"),
        text("subclass", "Spectral type.", "src.spType"),
        *measured("z", "z_err", "redshift", None, "src.redshift", principal=False),
        Column("gaia_source_id", ColumnType.BIGINT, "Gaia identifier that the file gives, in data release 8 of Gaia DR2; null where -9999.", ucd="meta.id"),
        *measured("teff", "teff_err", "effective temperature", "K", TEFF),
        *measured("logg", "logg_err", "surface gravity, log10 of cm/s2", None, LOGG),
        *measured("feh", "feh_err", "iron abundance [Fe/H], dex", None, FEH),
        *measured("rv", "rv_err", "heliocentric radial velocity", "km/s", "spect.dopplerVeloc;pos.heliocentric"),
        *position("of the input catalogue, whose epochs are mixed and not told"),
        text("uid", "Identifier of the star in the survey.", principal=False),
        text("gp_id", "Identifier of the group of spectra of one star.", principal=False),
        text("designation", "Name of the star by its position.", principal=False),
        Column("ra_obs", ColumnType.DOUBLE, "Right ascension of the fibre.", "deg", "pos.eq.ra", principal=False),
        Column("dec_obs", ColumnType.DOUBLE, "Declination of the fibre.", "deg", "pos.eq.dec", principal=False),
        number("gaia_g_mean_mag", "Gaia DR2 G magnitude that the file copies.", "mag", "phot.mag;em.opt", principal=False),
        text("fibertype", "What the fibre was for.", "meta.code", principal=False),
        flags("offsets", "Set where the fibre was offset on purpose.", principal=False),
        number("offsets_v", "Size of that offset.", "arcsec", "pos.angDistance", principal=False),
        flags("fibermask", "Bits of trouble with the fibre; 0 is good."),
        *measured("alpha_m", "alpha_m_err", "abundance [alpha/M], dex", None, ABUNDANCE),
        number("vsini_lasp", "Projected rotation.", "km/s", "phys.veloc.rotat", principal=False),
    ),
)  # fmt: skip
