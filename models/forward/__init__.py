"""The forward model of Zhang, Green & Rix 2023 (MNRAS 524, 1855): flux of a star from its type, extinction and parallax, and its inversion.

parameters      the five (with xi six) parameters of a star, in the order of every vector and matrix here
bands           the 66 bands: 61 XP samples, J, H, Ks, W1, W2
settings        the paper's choices and ours side by side
observations    what is known of stars: fluxes whitened by their covariances, parallaxes
flux_vectors    the catalogue's stars to observations
nir_fluxes      J, H, Ks, W1, W2 from magnitudes, with cuts
whitening       Cholesky's whitening matrices, eigenvalues where they must
flux_model      network and extinction curve: parameters -> fluxes with Jacobian
type_prior      Gaussian mixture of (teff, feh, logg)
objective       what is minimised for a star, at inference (Eq. 19) and in training (Eq. 14)
bounds          the box that the solver stays in, with walls
starts          where it starts: types of the prior, extinction and parallax solved for each
minima          which starts are worth following, which minima they found
search          the search for the lowest minimum, in two rounds
fitting         stars fitted from given starts; fit_stars, the training's
inference       infer: observations to estimates
uncertainty     Fisher information and its inverse
basic_cut       the paper's three conditions of a usable estimate
training        a version from a sample: flux model, prior, confidence
training_settings  the training's choices, the paper's and ours side by side
sample          the stars with labels, from the catalogue, split by identifier and seed
flux_training   the phases carried out, on any set of bands
phases          the two schedules
training_stars  stars with their parameters of the moment, in blocks
network_fit     Eq. 12: one step of the network, and where it starts
linear_label_prior  labels as a prior, without Eq. 14's logarithmic terms
star_descent    stars by the paper's optimisers
joint_fit       what ends a phase: network's last layer and all stars at their joint minimum
readout_step    its Gauss-Newton step, the stars eliminated
gauge           what no flux can tell apart, set by the labels
self_cleaning   stars at odds with the model
checkpoint      where a training stands, in a file
features        what the confidence classifiers see of a star
confidence      the classifiers of teff, feh, logg at run time
calibration     reliability curves, and isotonic calibration of scores to frequencies
classifier_fit  how one classifier learns
confidence_training  classifiers and domain at the end of a training, with their figures
domain          how unlike the training stars a star is
triangles       covariance matrices as packed float32 triangles in K
label_rows      fits to rows of label_forward, with the paper's flags
run_figures     a run's labels beside survey labels, on held-out stars
model           all of it put together: what the registry knows
version         everything a stored version consists of, as safetensors
flux_residuals  predicted beside observed fluxes of stars with labels
products/       what a version says: predicted fluxes, extinction curve, figures of both, residuals of labelled stars
evaluation/     how good a version is on stars that it held out
commands        its own commands under kiel model
"""
