"""The catalogue's stars as the model sees them: 66 fluxes whitened by their covariances, and parallaxes (sections 2.1, 2.3 and 2.4).

observations    what is known of stars, and of training stars, as tensors
flux_vectors    stars out of the catalogue to observations, each refused one with its reason
nir_fluxes      J, H, Ks, W1, W2 from magnitudes and fluxes, with cuts (Eq. 5)
whitening       Cholesky's whitening matrices, eigenvalues where they must (Eqs. 2 to 4)
"""
