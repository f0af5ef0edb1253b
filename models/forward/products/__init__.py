"""What a version of the forward model says: predicted fluxes, the extinction curve, the paper's figures 12 to 15, residuals of labelled stars.

predicted_flux   parameters -> a table of fluxes in 66 bands, with what lies outside the training range
extinction_law   the published curve that the learnt one is compared with
tracks           main sequence and giant branch in the Kiel diagram, as the paper's figures follow them
figures          figures 12 to 15
stored_residuals flux residuals of stars that a run has labelled, recomputed
"""
