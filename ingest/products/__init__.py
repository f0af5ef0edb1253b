"""The products, one a file; ingest.registry lists them in the order in which headers are tried against them. docs/ingest.md has them as a table.

gaia_source, xp_continuous, xp_sampled, rvs_mean, astrophysical_parameters, neighbourhood     Gaia's archive
fidelity, two_mass, unwise, reddening                                                         what others found about its sources
apogee, apogee_spectrum, astronn, lamost, hot_payne, galah                                    surveys
reference_label                                                                               any other table with labels, as a named set
survey_rows, photometry_checks                                                                what products of surveys and of photometry share
"""
