"""gaia_source: rows of the archive's table gaia_source, whole or in part; source_id, ra and dec are required.

Many files carry source_id, ra and dec: RVS and XP-sampled spectra, cross-matches, synthetic photometry. A header is gaia_source when it has
those three, when at least half of its columns are columns of the archive's table, and when it holds no spectrum (flux, wavelength) and no
labels or clusters of others' making: those are reference labels, whose catalogues often repeat Gaia's columns.
The reference epoch, where the file has it, must be the release's: rows of Gaia DR1 or DR2 look alike but are other sources. Files without
it are known by the designation or by the solution_id; EDR3 has the sources and numbers of DR3.
"""

import re
from collections.abc import Collection

import numpy as np
from psycopg import sql

from catalog.binary_copy import Rows, copy_fields
from catalog.releases import DataRelease
from catalog.schema.column import ColumnType
from catalog.schema.gaia_source import GAIA_SOURCE
from ingest.file_table import Field, FileTable
from ingest.product import CheckedRows, FileContext, Product
from ingest.products.reference_label import CLUSTER, LABELS
from ingest.row_checks import RowChecks

REQUIRED = frozenset({"source_id", "ra", "dec"})
_SPECTRUM = frozenset({"flux", "flux_error", "wavelength"})
_OTHERS = frozenset(
    {spelling for name in ("teff", "logg", "feh", "mh", "alpha_m", "c_fe", "n_fe") for spelling in LABELS[name]} | {*CLUSTER}
)
_COLUMNS = GAIA_SOURCE.without("release_id", "file_id", "row_number")
_STAGED = copy_fields(GAIA_SOURCE.without("file_id"))

SYNONYMS = {"astrometric_params_solved": ("astrometric_params",)}
"""Names in the draft of the DR4 data model, which also leaves out phot_bp_rp_excess_factor and astrometric_excess_noise_sig."""

_SOLUTIONS = {1635378410781933568: "Gaia DR1", 1635721458409799680: "Gaia DR2"}
"""solution_id of all of gaia_source in releases whose numbers are those of other sources."""
_DESIGNATION = Field("designation", ColumnType.TEXT)
_NUMBERED = re.compile(r"Gaia E?DR(\d+) \d+", re.IGNORECASE)

FIELDS = tuple(Field(column.name, column.type, synonyms=SYNONYMS.get(column.name, ()), unit=column.unit) for column in _COLUMNS)

ARCHIVE_COLUMNS = frozenset(
    """
    solution_id designation source_id random_index ref_epoch ra ra_error dec dec_error parallax parallax_error parallax_over_error pm pmra
    pmra_error pmdec pmdec_error ra_dec_corr ra_parallax_corr ra_pmra_corr ra_pmdec_corr dec_parallax_corr dec_pmra_corr dec_pmdec_corr
    parallax_pmra_corr parallax_pmdec_corr pmra_pmdec_corr astrometric_n_obs_al astrometric_n_obs_ac astrometric_n_good_obs_al
    astrometric_n_bad_obs_al astrometric_gof_al astrometric_chi2_al astrometric_excess_noise astrometric_excess_noise_sig
    astrometric_params_solved astrometric_primary_flag nu_eff_used_in_astrometry pseudocolour pseudocolour_error ra_pseudocolour_corr
    dec_pseudocolour_corr parallax_pseudocolour_corr pmra_pseudocolour_corr pmdec_pseudocolour_corr astrometric_matched_transits
    visibility_periods_used astrometric_sigma5d_max matched_transits new_matched_transits matched_transits_removed
    ipd_gof_harmonic_amplitude ipd_gof_harmonic_phase ipd_frac_multi_peak ipd_frac_odd_win ruwe scan_direction_strength_k1
    scan_direction_strength_k2 scan_direction_strength_k3 scan_direction_strength_k4 scan_direction_mean_k1 scan_direction_mean_k2
    scan_direction_mean_k3 scan_direction_mean_k4 duplicated_source phot_g_n_obs phot_g_mean_flux phot_g_mean_flux_error
    phot_g_mean_flux_over_error phot_g_mean_mag phot_bp_n_obs phot_bp_mean_flux phot_bp_mean_flux_error phot_bp_mean_flux_over_error
    phot_bp_mean_mag phot_rp_n_obs phot_rp_mean_flux phot_rp_mean_flux_error phot_rp_mean_flux_over_error phot_rp_mean_mag
    phot_bp_rp_excess_factor phot_bp_n_contaminated_transits phot_bp_n_blended_transits phot_rp_n_contaminated_transits
    phot_rp_n_blended_transits phot_proc_mode bp_rp bp_g g_rp radial_velocity radial_velocity_error rv_method_used rv_nb_transits
    rv_nb_deblended_transits rv_visibility_periods_used rv_expected_sig_to_noise rv_renormalised_gof rv_chisq_pvalue rv_time_duration
    rv_amplitude_robust rv_template_teff rv_template_logg rv_template_fe_h rv_atm_param_origin vbroad vbroad_error vbroad_nb_transits
    grvs_mag grvs_mag_error grvs_mag_nb_transits rvs_spec_sig_to_noise phot_variable_flag l b ecl_lon ecl_lat in_qso_candidates
    in_galaxy_candidates non_single_star has_xp_continuous has_xp_sampled has_rvs has_epoch_photometry has_epoch_rv has_mcmc_gspphot
    has_mcmc_msc in_andromeda_survey classprob_dsc_combmod_quasar classprob_dsc_combmod_galaxy classprob_dsc_combmod_star teff_gspphot
    teff_gspphot_lower teff_gspphot_upper logg_gspphot logg_gspphot_lower logg_gspphot_upper mh_gspphot mh_gspphot_lower mh_gspphot_upper
    distance_gspphot distance_gspphot_lower distance_gspphot_upper azero_gspphot azero_gspphot_lower azero_gspphot_upper ag_gspphot
    ag_gspphot_lower ag_gspphot_upper ebpminrp_gspphot ebpminrp_gspphot_lower ebpminrp_gspphot_upper libname_gspphot
    """.split()  # noqa: SIM905 - a list literal of 152 names is harder to read
)
"""The 152 columns of gaia_source in the Gaia DR3 data model."""


def recognises(names: Collection[str]) -> bool:
    """Whether a header is one of gaia_source, by the rule above."""
    known = (ARCHIVE_COLUMNS | {name for names in SYNONYMS.values() for name in names}).intersection(names)
    return REQUIRED.issubset(names) and not (_SPECTRUM | _OTHERS).intersection(names) and 2 * len(known) >= len(names)


def check(table: FileTable, file: FileContext) -> CheckedRows:
    """The rows with a position on the sky, at the release's epoch."""
    release = file.release
    checks = RowChecks.of_sources(table, file.pixels)
    checks.keep_worlds_apart(release)
    ra, dec, epoch = (table.values(Field(name, ColumnType.DOUBLE)) for name in ("ra", "dec", "ref_epoch"))
    checks.reject(table.null("ra") | table.null("dec"), "missing_position", lambda row: "ra or dec is null")
    on_the_sky = (ra >= 0) & (ra <= 360) & (np.abs(dec) <= 90)
    checks.reject(~on_the_sky, "position_out_of_range", lambda row: f"ra {ra[row]}, dec {dec[row]}")
    checks.reject(
        ~table.null("ref_epoch") & (epoch != release.epoch),
        "epoch_of_another_release",
        lambda row: f"ref_epoch {epoch[row]}, {release.name} has {release.epoch}",
    )
    _check_numbering(checks, table, release)
    good = checks.good
    values = {field.name: table.values(field)[good] for field in FIELDS}
    values |= {"release_id": np.full(int(good.sum()), release.release_id, np.int16), "row_number": table.row_number[good]}
    nulls = {field.name: table.null(field.name)[good] for field in FIELDS}
    return CheckedRows(Rows(_STAGED, values, nulls), checks.rejects())


def _check_numbering(checks: RowChecks, table: FileTable, release: DataRelease) -> None:
    """The row is of a release that numbers its sources as this one."""
    solution = table.values(Field("solution_id", ColumnType.BIGINT))
    checks.reject(
        ~table.null("solution_id") & np.isin(solution, list(_SOLUTIONS)),
        "solution_of_another_release",
        lambda row: f"solution_id {solution[row]} is that of {_SOLUTIONS[int(solution[row])]}",
    )
    if _DESIGNATION.name in table:
        names = table.values(_DESIGNATION).tolist()
        system = np.array([f"dr{found[1]}" if (found := _NUMBERED.match(name)) else "" for name in names], object)
        checks.reject(
            (system != "") & (system != release.id_system),
            "designation_of_another_release",
            lambda row: f"{names[row]}, {release.name} numbers its sources as {release.id_system}",
        )


def _completeness(alias: str) -> sql.Composable:
    """How many columns have a value."""
    return sql.SQL("num_nonnulls({})").format(sql.SQL(", ").join(sql.Identifier(alias, column.name) for column in _COLUMNS))


GAIA_SOURCE_ROWS = Product(
    "gaia_source",
    GAIA_SOURCE,
    FIELDS,
    recognises,
    check,
    _completeness,
    f"of {len(_COLUMNS)} columns have a value",
    required=tuple(sorted(REQUIRED)),
    has_positions=True,
    other_fields=lambda columns: () if "ref_epoch" in columns else (_DESIGNATION,),
)
