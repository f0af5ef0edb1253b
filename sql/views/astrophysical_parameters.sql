SELECT
    a.source_id, g.ra, g.dec,
    a.solution_id, a.teff_gspphot, a.teff_gspphot_lower, a.teff_gspphot_upper, a.logg_gspphot, a.logg_gspphot_lower,
    a.logg_gspphot_upper, a.mh_gspphot, a.mh_gspphot_lower, a.mh_gspphot_upper, a.distance_gspphot, a.distance_gspphot_lower,
    a.distance_gspphot_upper, a.azero_gspphot, a.azero_gspphot_lower, a.azero_gspphot_upper, a.ag_gspphot, a.ag_gspphot_lower,
    a.ag_gspphot_upper, a.ebpminrp_gspphot, a.ebpminrp_gspphot_lower, a.ebpminrp_gspphot_upper, a.libname_gspphot, a.teff_gspspec,
    a.teff_gspspec_lower, a.teff_gspspec_upper, a.logg_gspspec, a.logg_gspspec_lower, a.logg_gspspec_upper, a.mh_gspspec,
    a.mh_gspspec_lower, a.mh_gspspec_upper, a.alphafe_gspspec, a.alphafe_gspspec_lower, a.alphafe_gspspec_upper, a.fem_gspspec,
    a.fem_gspspec_lower, a.fem_gspspec_upper, a.flags_gspspec
FROM store.astrophysical_parameters AS a
LEFT JOIN store.gaia_source AS g ON g.release_id = {release_id} AND g.source_id = a.source_id
WHERE a.release_id = {release_id}
