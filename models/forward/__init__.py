"""The forward model of Zhang, Green & Rix 2023 (MNRAS 524, 1855): flux of a star from its type, extinction and parallax, and its inversion.

parameters      the five (with xi six) parameters of a star, in the order of every vector and matrix here
bands           the 66 bands: 61 XP samples, J, H, Ks, W1, W2
settings        the paper's choices and ours side by side
flux_model      network and extinction curve: parameters -> fluxes with Jacobian
type_prior      Gaussian mixture of (teff, feh, logg)
objective       what is minimised for a star, at inference (Eq. 19) and in training (Eq. 14)
version         everything a stored version consists of, as safetensors
observed/       the catalogue's stars as whitened flux vectors
inference/      observations -> estimates: starts, solver, minima, uncertainties
training/       the sample, the phases, the steps of network and stars
confidence/     which estimates can be trusted: the paper's cut, classifiers, how unlike the training stars a star is
model           all of it put together: what the registry knows
label_rows, triangles    estimates to rows of label_forward; covariances packed in K
run_figures     a run's labels beside survey labels, on held-out stars
flux_residuals  predicted beside observed fluxes of stars with labels
products/       what a version says: predicted fluxes, extinction curve, figures of both, residuals of labelled stars
evaluation/     how good a version is on stars that it held out
commands        its own commands under kiel model
"""
