"""How good a version of the forward model is, on stars that it has not learnt from.

unseen              which stars: those that its split held out, and others of the release
estimates           what the version says of them, as a run would write it, with residuals and correlations
references          what surveys, named sets, the map of the dust and Gaia say of them
truth               what is true of simulated ones, and how well it could be known
comparison          estimates beside a reference, in numbers by magnitude and temperature
clusters            members of clusters: parallaxes and [Fe/H]
dust                extinctions beside other maps, and slices in distance
comparison_figures  figures 7, 8, 10, 11, 16, 17, pulls, errors by magnitude
flux_figures        figures 6 and 9, residuals by band
quality_figures     figure 18, reliability of the confidences
sky_figures         figures 19 to 23
tables              the numbers as tables of the page
report              all of it: numbers and sections
evaluate            a stored version, read, estimated, compared, kept and shown
"""
