"""The columns of the bulk tables that the simulated sky writes, in the archive's order, with its types and units.

Names, order and types: Gaia DR3 data model (gaia_source, xp_continuous_mean_spectrum, rvs_mean_spectrum). Sentences are ours: those of the
catalogue's own schema where it has the column. The mock DR4 differs as far as is known of the real one: 51 BP coefficients, a renamed column,
no phot_bp_rp_excess_factor.
"""

from dataclasses import replace

from catalog.schema.gaia_source import GAIA_SOURCE
from catalog.schema.xp_spectrum import XP_SPECTRUM
from ingest.sky.bulk_ecsv import BulkColumn, Datatype

_DATATYPES: dict[str, Datatype] = {
    "B": "int8", "S": "int16", "I": "int32", "L": "int64", "F": "float32", "D": "float64", "b": "bool", "T": "string",
}  # fmt: skip

_GAIA_SOURCE = """
solution_id:L designation:T source_id:L random_index:L ref_epoch:D:yr ra:D:deg ra_error:F:mas dec:D:deg dec_error:F:mas
parallax:D:mas parallax_error:F:mas parallax_over_error:F pm:F:mas/yr pmra:D:mas/yr pmra_error:F:mas/yr pmdec:D:mas/yr
pmdec_error:F:mas/yr ra_dec_corr:F ra_parallax_corr:F ra_pmra_corr:F ra_pmdec_corr:F dec_parallax_corr:F dec_pmra_corr:F
dec_pmdec_corr:F parallax_pmra_corr:F parallax_pmdec_corr:F pmra_pmdec_corr:F astrometric_n_obs_al:S astrometric_n_obs_ac:S
astrometric_n_good_obs_al:S astrometric_n_bad_obs_al:S astrometric_gof_al:F astrometric_chi2_al:F astrometric_excess_noise:F:mas
astrometric_excess_noise_sig:F astrometric_params_solved:B astrometric_primary_flag:b nu_eff_used_in_astrometry:F:um**-1
pseudocolour:F:um**-1 pseudocolour_error:F:um**-1 ra_pseudocolour_corr:F dec_pseudocolour_corr:F parallax_pseudocolour_corr:F
pmra_pseudocolour_corr:F pmdec_pseudocolour_corr:F astrometric_matched_transits:S visibility_periods_used:S
astrometric_sigma5d_max:F:mas matched_transits:S new_matched_transits:S matched_transits_removed:S ipd_gof_harmonic_amplitude:F
ipd_gof_harmonic_phase:F:deg ipd_frac_multi_peak:B ipd_frac_odd_win:B ruwe:F scan_direction_strength_k1:F
scan_direction_strength_k2:F scan_direction_strength_k3:F scan_direction_strength_k4:F scan_direction_mean_k1:F:deg
scan_direction_mean_k2:F:deg scan_direction_mean_k3:F:deg scan_direction_mean_k4:F:deg duplicated_source:b phot_g_n_obs:S
phot_g_mean_flux:D:s**-1 phot_g_mean_flux_error:F:s**-1 phot_g_mean_flux_over_error:F phot_g_mean_mag:F:mag phot_bp_n_obs:S
phot_bp_mean_flux:D:s**-1 phot_bp_mean_flux_error:F:s**-1 phot_bp_mean_flux_over_error:F phot_bp_mean_mag:F:mag phot_rp_n_obs:S
phot_rp_mean_flux:D:s**-1 phot_rp_mean_flux_error:F:s**-1 phot_rp_mean_flux_over_error:F phot_rp_mean_mag:F:mag
phot_bp_rp_excess_factor:F phot_bp_n_contaminated_transits:S phot_bp_n_blended_transits:S phot_rp_n_contaminated_transits:S
phot_rp_n_blended_transits:S phot_proc_mode:B bp_rp:F:mag bp_g:F:mag g_rp:F:mag radial_velocity:F:km/s radial_velocity_error:F:km/s
rv_method_used:B rv_nb_transits:S rv_nb_deblended_transits:S rv_visibility_periods_used:S rv_expected_sig_to_noise:F
rv_renormalised_gof:F rv_chisq_pvalue:F rv_time_duration:F:d rv_amplitude_robust:F:km/s rv_template_teff:F:K rv_template_logg:F
rv_template_fe_h:F rv_atm_param_origin:S vbroad:F:km/s vbroad_error:F:km/s vbroad_nb_transits:S grvs_mag:F:mag grvs_mag_error:F:mag
grvs_mag_nb_transits:S rvs_spec_sig_to_noise:F phot_variable_flag:T l:D:deg b:D:deg ecl_lon:D:deg ecl_lat:D:deg in_qso_candidates:b
in_galaxy_candidates:b non_single_star:S has_xp_continuous:b has_xp_sampled:b has_rvs:b has_epoch_photometry:b has_epoch_rv:b
has_mcmc_gspphot:b has_mcmc_msc:b in_andromeda_survey:b classprob_dsc_combmod_quasar:F classprob_dsc_combmod_galaxy:F
classprob_dsc_combmod_star:F teff_gspphot:F:K teff_gspphot_lower:F:K teff_gspphot_upper:F:K logg_gspphot:F logg_gspphot_lower:F
logg_gspphot_upper:F mh_gspphot:F mh_gspphot_lower:F mh_gspphot_upper:F distance_gspphot:F:pc distance_gspphot_lower:F:pc
distance_gspphot_upper:F:pc azero_gspphot:F:mag azero_gspphot_lower:F:mag azero_gspphot_upper:F:mag ag_gspphot:F:mag
ag_gspphot_lower:F:mag ag_gspphot_upper:F:mag ebpminrp_gspphot:F:mag ebpminrp_gspphot_lower:F:mag ebpminrp_gspphot_upper:F:mag
libname_gspphot:T
"""
"""name:type:unit of the 152 columns; B int8, S int16, L int64, F float32, D float64, b boolean, T text."""

_DESCRIBED = {column.name: column for column in (*GAIA_SOURCE.columns, *XP_SPECTRUM.columns)}


def _column(word: str) -> BulkColumn:
    name, kind, *unit = word.split(":")
    known = _DESCRIBED.get(name)
    description = known.description if known else f"Column {name} of the archive; null in the simulation where it has no meaning there."
    return BulkColumn(name, _DATATYPES[kind], description, unit[0] if unit else None, known.ucd if known else None)


GAIA_SOURCE_DR3: tuple[BulkColumn, ...] = tuple(_column(word) for word in _GAIA_SOURCE.split())
"""gaia_source of Gaia DR3."""

GAIA_SOURCE_DR4: tuple[BulkColumn, ...] = tuple(
    replace(column, name="astrometric_params") if column.name == "astrometric_params_solved" else column
    for column in GAIA_SOURCE_DR3
    if column.name not in ("phot_bp_rp_excess_factor", "astrometric_excess_noise_sig")
)
"""gaia_source of the mock DR4."""


def _band(band: str) -> tuple[BulkColumn, ...]:
    scalars = [_column(f"{band}_{word}") for word in (
        "basis_function_id:S", "degrees_of_freedom:S", "n_parameters:B", "n_measurements:S", "n_rejected_measurements:S", "standard_deviation:F",
        "chi_squared:F",
    )]  # fmt: skip
    upper = band.upper()
    arrays = (
        BulkColumn(f"{band}_coefficients", "float64", f"Basis function coefficients of the {upper} spectrum.", ucd="stat.fit.param", array=True),
        BulkColumn(f"{band}_coefficient_errors", "float32", f"Errors of the {upper} coefficients.", ucd="stat.error;stat.fit.param", array=True),
        BulkColumn(
            f"{band}_coefficient_correlations", "float32", f"Upper triangle, column by column, of the correlations of the {upper} coefficients.",
            ucd="stat.correlation;stat.fit.param", array=True,
        ),
    )  # fmt: skip
    return (*scalars, *arrays, _column(f"{band}_n_relevant_bases:S"), _column(f"{band}_relative_shrinking:F"))


XP_CONTINUOUS: tuple[BulkColumn, ...] = (_column("source_id:L"), _column("solution_id:L"), *_band("bp"), *_band("rp"))
"""xp_continuous_mean_spectrum; the arrays' lengths are those of the release."""

RVS_MEAN: tuple[BulkColumn, ...] = (
    _column("source_id:L"), _column("solution_id:L"), _column("ra:D:deg"), _column("dec:D:deg"),
    BulkColumn("flux", "float32", "Normalised flux from 846.00 to 870.00 nm in steps of 0.01 nm, in the star's rest frame.", ucd="phot.flux;em.opt.I", array=True),
    BulkColumn("flux_error", "float32", "Error of the normalised flux.", ucd="stat.error", array=True),
    BulkColumn("combined_transits", "int16", "Number of transits that were combined.", ucd="meta.number"),
    BulkColumn("combined_ccds", "int16", "Number of CCD spectra that were combined.", ucd="meta.number"),
    BulkColumn("deblended_ccds", "int16", "Number of deblended CCD spectra among them.", ucd="meta.number"),
)  # fmt: skip
"""rvs_mean_spectrum."""
