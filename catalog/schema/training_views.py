"""surveys.training_...: the candidates of each paper's training sample, every cut as a column of its own, and which rows pass all.

A cut is true or false of every row: a missing value fails it. It is null in all rows of a release that cannot ask it, because the release has no such
column (cut_dialect gaia_dr4 has no phot_bp_rp_excess_factor and no fidelity_v2) or because no file with it has been loaded. ``chosen`` is the logical
AND of all cuts: where none is false but some could not be asked it is null, so WHERE chosen never lets a row pass unasked.
"""

from dataclasses import replace

from catalog.schema.column import Column, ColumnType, PublicView
from catalog.schema.harmonised_views import LABELS, SURVEY
from catalog.schema.release import SOURCE_ID, SURVEY_ID
from catalog.schema.survey_link import IS_PRIMARY, LINK_AMBIGUOUS, LINK_METHOD, SEPARATION

CUT = "cut_"
"""How the names of cuts begin."""
_UNASKED = " Null where the release cannot be asked."

_ROW = (
    SURVEY,
    replace(SURVEY_ID, ucd="meta.id.cross"),
    SOURCE_ID,
    LINK_METHOD.renamed("link_method"),
    SEPARATION.renamed("link_separation"),
    LINK_AMBIGUOUS.renamed("link_ambiguous"),
    IS_PRIMARY,
    *LABELS,
    Column("snr", ColumnType.REAL, "Signal to noise of the survey's spectrum, as in survey_labels.", None, "stat.snr"),
)
"""What every training view says of a row, before its cuts."""


def _cut(name: str, rule: str) -> Column:
    return Column(f"{CUT}{name}", ColumnType.BOOLEAN, f"Cut: {rule}.", ucd="meta.code")


def _asked(name: str, rule: str) -> Column:
    """A cut that not every release can be asked."""
    return Column(f"{CUT}{name}", ColumnType.BOOLEAN, f"Cut: {rule}.{_UNASKED}", ucd="meta.code")


def _option(name: str, words: str) -> Column:
    return Column(name, ColumnType.BOOLEAN, f"{words}.", ucd="meta.code")


_CHOSEN = _option("chosen", "Whether the row passes every cut; null where it fails none but some could not be asked")
_PRIMARY = _cut("primary", "The row is the one to use of its source")
_HAS_XP = _cut("has_xp", "The source has an XP spectrum in this release")


def _training(model: str, paper: str, more: tuple[Column, ...], cuts: tuple[Column, ...], options: tuple[Column, ...] = ()) -> PublicView:
    return PublicView(
        "surveys",
        f"training_{model}",
        f"Candidates for training {model}, with the cuts of {paper} one by one.",
        (*_ROW, *more, *cuts, _CHOSEN, *options),
        f"training_{model}",
    )


def _hot_payne(name: str, words: str, unit: str | None = None) -> tuple[Column, Column]:
    return (
        Column(f"hot_payne_{name}", ColumnType.REAL, f"Hot Payne's {words} of the same spectrum; null without one.", unit),
        Column(f"hot_payne_e_{name}", ColumnType.REAL, f"Error of hot_payne_{name}.", unit, "stat.error"),
    )


TRAINING_FORWARD = _training(
    "forward",
    "Zhang, Green & Rix 2023 (MNRAS 524, 1855, section 2.5)",
    (
        Column(
            "labels_from",
            ColumnType.TEXT,
            "Whose labels the row has: hot_payne where it has the spectrum at 7000 K or hotter (their figure 1), else lamost.",
            ucd="meta.ref",
        ),
        *_hot_payne("teff", "effective temperature", "K"),
        *_hot_payne("logg", "surface gravity, log10 of cm/s2"),
        *_hot_payne("feh", "[Fe/H], dex"),
    ),
    (
        _PRIMARY,
        _HAS_XP,
        _cut("separation", "The source stands less than 0.25 arcsec from the survey's position"),
        _cut("snr", "LAMOST's S/N is above 20 in g, r and i"),
        _cut("teff_error", "The error of teff is below 500 K"),
        _cut("logg_error", "The error of logg is below 0.5"),
        _cut("feh_error", "The error of feh is below 0.5"),
        _cut("parallax", "parallax_over_error (parallax by its error where that column is null) is above 3, without a zero point"),
        _asked("fidelity", "fidelity_v2 is above 0.5"),
        _asked("excess_factor", "phot_bp_rp_excess_factor is below 1.3, as the paper says; the released code does not ask"),
    ),
    (
        _option("option_hot_payne_everywhere", "The released code would take Hot Payne's labels: the spectrum has them, at any temperature"),
        _option("chosen_by_code", "Chosen as the released code does: Hot Payne's labels wherever there are any, and no cut in the excess factor"),
    ),
)  # fmt: skip

TRAINING_UNCERTAIN_NN = _training(
    "uncertain_nn",
    "Fallows & Sanders 2024 (MNRAS 531, 2126, section 2)",
    (),
    (
        _cut("duplicate", "EXTRATARG bit 4 (DUPLICATE) is not set"),
        _cut("aspcapflag", "ASPCAPFLAG bit 23 (STAR_BAD) is not set: aspcapflag & 8388608 = 0"),
        _cut("starflag", "STARFLAG bits 3, 4, 9, 12, 13 and 16 are not set: starflag & 78360 = 0"),
        _cut("labels", "All of alpha_m, teff, logg, c_fe, n_fe and feh have a value"),
        _PRIMARY,
        _HAS_XP,
        _asked("excess_factor", "phot_bp_rp_excess_factor is below 3.0"),
        _cut("ruwe", "ruwe is 1.4 or less"),
        _asked("two_mass", "2MASS has J and H of the source, with errors: an upper limit has none"),
        _asked("unwise", "unWISE has W1 and W2 of the source"),
    ),
)

TRAINING_RVS_CNN = _training(
    "rvs_cnn",
    "Guiglion et al. 2024 (A&A 682, A9, sections 2.1, 2.4 and 2.5)",
    (),
    (
        _PRIMARY,
        _cut("aspcapflag", "ASPCAPFLAG bits 7 (STAR_WARN) and 23 (STAR_BAD) are not set: aspcapflag & 8388736 = 0"),
        _cut("aspcap_chi2", "ASPCAP_CHI2 is below 25"),
        _cut("fe_h_flag", "FE_H_FLAG is 0 (printed E_H_FLAG)"),
        _cut("teff_error", "The error of teff is below 100 K"),
        _cut("logg_error", "The error of logg is below 0.1"),
        _cut("mh_error", "The error of mh is below 0.2 where mh is below -0.5, else below 0.1"),
        _cut("feh_error", "The error of feh is below 0.2 where feh is below -0.5, else below 0.1"),
        _cut("alpha_m_error", "The error of alpha_m is below 0.1"),
        _cut("has_rvs", "The source has an RVS spectrum in this release"),
        _HAS_XP,
        _cut("rvs_snr", "rvs_spec_sig_to_noise is 30 or more"),
        _cut("parallax_error", "The error of the parallax is less than 20 % of it"),
        _cut("positive_parallax", "The parallax is above 0"),
        _cut("ruwe", "ruwe is below 1.4"),
        _cut("flux_over_error", "Mean flux over its error is above 500 in G, BP and RP"),
        _cut("not_galaxy", "in_galaxy_candidates is false"),
        _cut("not_quasar", "in_qso_candidates is false"),
        _cut("not_variable", "phot_variable_flag is not VARIABLE"),
        _cut("single", "non_single_star is 0"),
    ),
)

TRAINING_ASPGAP = _training(
    "aspgap",
    "Li et al. 2024 (ApJS 272, 2, section 2.2 and table 1) on APOGEE, and those of its comparison with GALAH (section 4.3.4)",
    (Column("purpose", ColumnType.TEXT, "Training for APOGEE's rows, validation for GALAH's.", ucd="meta.note"),),
    (
        _PRIMARY,
        _HAS_XP,
        _cut(
            "flags",
            "APOGEE: aspcapflag & 8608481563 = 0 (TEFF, LOGG, M_H, ALPHA_M and CHI2 warn or bad, NO_GRID); "
            "GALAH: flag_sp, flag_fe_h, flag_guess and red_flag are 0",
        ),
        _cut("teff", "teff is 3000 to 7000 K; not asked of GALAH: true"),
        _cut("logg", "logg is 0 to 5.5; not asked of GALAH: true"),
        _cut("mh", "mh is -2.5 to 0.6; not asked of GALAH: true"),
        _cut("alpha_m", "alpha_m is -0.1 to 0.6; not asked of GALAH: true"),
        _cut(
            "kiel",
            "Main sequence (logg > 4.2 - 1.5 log10(teff/5777) and logg < 4.8) or giant branch (logg between (5/3000)(teff - 3000) - 1.9 and + 0.5: "
            "table 1 prints both as upper limits); not asked of GALAH: true",
        ),
        _cut("teff_error", "The error of teff is 50 K or less; GALAH: below 200 K"),
        _cut("logg_error", "The error of logg is 0.05 or less; GALAH: below 0.25"),
        _cut("metallicity_error", "The error of mh is 0.02 or less; GALAH: that of feh is below 0.2"),
        _cut("alpha_error", "The error of alpha_m is 0.02 or less; GALAH: that of alpha_fe is below 0.05"),
        _cut("snr", "APOGEE's S/N is above 200; not asked of GALAH: true"),
    ),
    (_option("has_apogee_spectrum", "There is a combined H-band spectrum of the star, which the hallucinator is trained on"),),
)  # fmt: skip

TRAINING_SCATTER_VAE = _training(
    "scatter_vae",
    "Laroche & Speagle 2024 (section 2.2): the good catalogue. The paper's model itself trains on every candidate with an XP spectrum",
    (
        Column(
            "labels_from",
            ColumnType.TEXT,
            "Whose labels the row has: astronn where the catalogue has the row, else apogee. Of astroNN, which has no [M/H], the cut in the error of "
            "[M/H] asks that of [Fe/H].",
            ucd="meta.ref",
        ),
    ),
    (
        _PRIMARY,
        _HAS_XP,
        _cut("teff_snr", "teff over its error is above 30"),
        _cut("logg_error", "The error of logg is below 0.4"),
        _cut("mh_error", "The error of mh, of astroNN's rows that of feh, is below 0.2"),
        _cut("colour", "bp_rp (BP minus RP where that column is null) lies between 0 and 4"),
        _cut("magnitude", "G lies between 6 and 17.5"),
        _cut("starflag", "No bit of STARFLAG is set"),
        _cut("aspcapflag", "ASPCAPFLAG bits 19 (M_H_BAD) and 23 (STAR_BAD) are not set: aspcapflag & 8912896 = 0"),
    ),
    (
        _option("pristine", "Chosen, and teff over its error is above 100, the error of logg below 0.1 and that of mh (astroNN: feh) below 0.05"),
    ),
)  # fmt: skip

TRAINING_VIEWS: tuple[PublicView, ...] = (
    TRAINING_FORWARD, TRAINING_UNCERTAIN_NN, TRAINING_RVS_CNN, TRAINING_ASPGAP, TRAINING_SCATTER_VAE,
)  # fmt: skip


def cuts_of(view: PublicView) -> tuple[Column, ...]:
    """The cuts of a training view, in the order in which they are counted."""
    return tuple(column for column in view.columns if column.name.startswith(CUT))
