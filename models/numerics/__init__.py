"""Numerical methods that the models share: arrays in, arrays out; no database, no files but the constants beside them.

flux_scale              the G flux that the coefficients of a spectrum are divided by
synthetic_g             our linear synthetic G: its 110 numbers, how they were made, how good they are
principal_components    PCA and error-weighted EM-PCA with their projections
latent_refinement       the latent vector of one star at a time by damped Gauss-Newton steps, batched
least_squares           many small non-linear least-squares problems at once, by Levenberg and Marquardt
xp_sampling             Gaia's external calibration: XP coefficients to fluxes at wavelengths, as matrices
xp_fluxes               sampled fluxes of many stars with their covariances
parallax_zero_point     zero point of Gaia's parallaxes (Lindegren et al. 2021)
rarity                  how rare a number is among those of a sample, in decades: the scale of out-of-domain scores
running_spread          a number against its median and spread at another number
neighbour_distance      distance to the fifth nearest point of a sample
threads                 how many threads torch takes
devices                 which processor torch works on
"""
