"""Surveys of the simulated sky: what other telescopes would have published of the same stars, in their own file formats.

Everything here is simulated. Names, order, types, units, null values and flag bits of the columns are those of the providers; each file says
from where they are known, and marks what is assumed.

    inputs          the stars as every survey gets them, and what is true of a survey's rows
    survey_table    columns, rows, and files that are complete or absent and the same for the same rows
    designation     names made of positions, and identifiers of Gaia DR2
    label_noise     measured labels: truth, honest errors, outliers
    two_mass        2MASS: the archive's best neighbours, its join, and the photometry
    unwise          unWISE: fluxes in nanomaggies, quality and neighbours' light
    fidelity        fidelity_v2 and norm_dg
    reddening       E by the three-dimensional dust map, with its error
    apogee          APOGEE DR17 allStar; apogee_columns its columns, apogee_flags its bits
    lamost          LAMOST DR8 low resolution, A, F, G and K stars
    hot_payne       Hot Payne labels of the hot ones among the LAMOST spectra
    galah           GALAH DR3 allstar
    neighbourhood   the sources of a mock Gaia DR4 and dr3_neighbourhood

Each draw takes the stars and a generator: the same seed gives the same bytes.
"""
