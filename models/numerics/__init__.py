"""Numerical methods that the models share: arrays in, arrays out; no database, no files but the constants beside them.

flux_scale              the G flux that the coefficients of a spectrum are divided by
synthetic_g             our linear synthetic G: its 110 numbers, how they were made, how good they are
principal_components    PCA and error-weighted EM-PCA with their projections
latent_refinement       the latent vector of one star at a time by damped Gauss-Newton steps, batched
xp_sampling             Gaia's external calibration: XP coefficients to fluxes at wavelengths, as matrices
xp_fluxes               sampled fluxes of many stars with their covariances
parallax_zero_point     zero point of Gaia's parallaxes (Lindegren et al. 2021)
threads                 how many threads torch takes
devices                 which processor torch works on
"""
