"""galah: a row for each star of GALAH DR3's main catalogue (allstar), or each spectrum (allspec), with the survey's names and units.

Names, order, types and units: GALAH_DR3_main_allstar_v2. Lines of single elements (ind_LINE_fe ...) of allspec are not kept. flag_sp has other
bits in other releases: survey_release tells which.
"""

from catalog.schema.column import Column, ColumnType
from catalog.schema.survey_row import ABUNDANCE, FEH, LOGG, TEFF, flags, measured, number, position, survey_table, text

ELEMENTS = (
    "Li", "C", "O", "Na", "Mg", "Al", "Si", "K", "Ca", "Sc", "Sc2", "Ti", "Ti2", "V", "Cr", "Cr2", "Mn", "Co", "Ni", "Cu", "Zn", "Rb", "Sr", "Y", "Zr",
    "Mo", "Ru", "Ba", "La", "Ce", "Nd", "Sm", "Eu",
)  # fmt: skip
_B = ColumnType.BIGINT


def _abundance(native: str) -> tuple[Column, ...]:
    name = f"{native.lower()}_fe"
    return (
        *measured(name, f"e_{name}", f"abundance [{native}/Fe], dex", None, ABUNDANCE, principal=native == "alpha"),
        number(f"nr_{name}", f"Number of lines of [{native}/Fe].", None, "meta.number", principal=False),
        flags(f"flag_{name}", f"Bits of [{native}/Fe]; 0 is good, 1 an upper limit.", principal=native == "alpha"),
    )


GALAH = survey_table(
    "galah",
    "GALAH main catalogue: labels, errors and flags of each star, from optical spectra.",
    (
        Column("sobject_id", _B, "Number of the spectrum.", ucd="meta.id"),
        text("star_id", "Name of the star in 2MASS."),
        Column("dr2_source_id", _B, "Gaia DR2 identifier that the file gives; native name source_id in the first version.", ucd="meta.id"),
        Column("dr3_source_id", _B, "Gaia EDR3 identifier (the same as DR3's) that the file gives.", ucd="meta.id"),
        text("survey_name", "Part of the survey.", "meta.id", principal=False),
        Column("field_id", _B, "Number of the field.", ucd="meta.id;obs.field", principal=False),
        flags("flag_repeat", "Bits of repeated observations; 0 for the spectrum to use.", principal=False),
        text("wg4_field", "How the star's surface gravity was constrained.", "meta.code", principal=False),
        text("wg4_pipeline", "Pipeline that was used.", "meta.code", principal=False),
        *position("Gaia DR2's, epoch 2015.5; native names ra_dr2 and dec_dr2"),
        flags("flag_sp", "Bits of trouble with the labels, of which each release has its own; 0 is good."),
        *measured("teff", "e_teff", "effective temperature", "K", TEFF),
        number("irfm_teff", "Effective temperature by the infrared flux method.", "K", TEFF, principal=False),
        number("irfm_ebv", "E(B-V) of that method.", "mag", "phot.color.excess", principal=False),
        text("irfm_ebv_ref", "Where that E(B-V) is from.", "meta.ref", principal=False),
        *measured("logg", "e_logg", "surface gravity, log10 of cm/s2", None, LOGG),
        *measured("fe_h", "e_fe_h", "iron abundance [Fe/H], dex", None, FEH),
        flags("flag_fe_h", "Bits of [Fe/H]; 0 is good."),
        *measured("fe_h_atmo", "e_fe_h_atmo", "iron abundance [Fe/H] of the model atmosphere, dex", None, FEH, principal=False),
        number("vmic", "Microturbulence.", "km/s", "phys.veloc.microTurb", principal=False),
        *measured("vbroad", "e_vbroad", "broadening of the lines", "km/s", "phys.veloc.rotat"),
        number("chi2_sp", "Chi squared of the fit.", None, "stat.fit.chi2"),
        *_abundance("alpha"),
        number("flux_a_fe", "Flux ratio that [alpha/Fe] rests on; native name flux_A_Fe.", None, "stat.value;arith.ratio", principal=False),
        number("chi_a_fe", "Chi squared of that ratio; native name chi_A_Fe.", None, "stat.fit.chi2", principal=False),
        *(column for element in ELEMENTS for column in _abundance(element)),
        *measured("parallax_dr2", "parallax_error_dr2", "the Gaia DR2 parallax that the file copies", "mas", "pos.parallax.trig", principal=False),
        number("r_est_dr2", "Distance by Gaia DR2's parallax.", "pc", "pos.distance", principal=False),
        number("r_lo_dr2", "Lower bound of r_est_dr2.", "pc", "pos.distance", principal=False),
        number("r_hi_dr2", "Upper bound of r_est_dr2.", "pc", "pos.distance", principal=False),
        number("r_len_dr2", "Length scale of the prior of r_est_dr2.", "pc", "pos.distance", principal=False),
        *measured("rv_galah", "e_rv_galah", "radial velocity by GALAH", "km/s", "spect.dopplerVeloc"),
        *measured("rv_gaia_dr2", "e_rv_gaia_dr2", "the Gaia DR2 radial velocity that the file copies", "km/s", "spect.dopplerVeloc", principal=False),
        flags("red_flag", "Bits of trouble with the reduction; 0 is good."),
        number("ebv", "E(B-V) of Schlegel, Finkbeiner and Davis.", "mag", "phot.color.excess", principal=False),
        *(number(f"snr_c{arm}_iraf", f"Signal to noise of a pixel in arm {arm}.", None, "stat.snr") for arm in (1, 2, 3, 4)),
        flags("flag_guess", "Bits of trouble with the first guess; 0 is good."),
        number("v_jk", "V magnitude by 2MASS J and K.", "mag", "phot.mag;em.opt.V", principal=False),
        *(
            column
            for band in ("j", "h", "ks")
            for column in measured(f"{band}_m", f"{band}_msigcom", f"magnitude in {band.capitalize()} of 2MASS", "mag", f"phot.mag;em.IR.{band[0].upper()}", principal=False)
        ),
        text("ph_qual_tmass", "Quality in 2MASS of J, H and Ks.", "meta.code.qual", principal=False),
        *measured("w2mpro", "w2mpro_error", "WISE W2 magnitude", "mag", "phot.mag;em.IR.4-8um", principal=False),
        text("ph_qual_wise", "WISE quality.", "meta.code.qual", principal=False),
        *measured("a_ks", "e_a_ks", "extinction in Ks", "mag", "phys.absorption;em.IR.K", principal=False),
        number("bc_ks", "Bolometric correction in Ks.", "mag", "phot.mag.bc", principal=False),
        number("ruwe_dr2", "Gaia DR2's renormalised unit weight error.", None, "stat.error", principal=False),
        number("mass", "Mass.", "solMass", "phys.mass", principal=False),
        number("lbol", "Bolometric luminosity.", "solLum", "phys.luminosity", principal=False),
        number("age", "Age.", "Gyr", "time.age", principal=False),
    ),
)  # fmt: skip
