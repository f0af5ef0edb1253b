"""The simulated sky: stars with known labels, and their spectra and photometry with honest noise.

What is here is simulated: it proves that pipelines recover what was put in, not how well they do on the real sky.

What stars are:
    labels              the six labels of a star
    options             what kind of sky is drawn
    draws               one independent random stream for each purpose
    galaxy              where the stars of each component are, how old and how metal-rich
    abundances          alpha elements, carbon and nitrogen
    isochrones          mass, teff, logg and luminosity by age, [M/H] and evolutionary stage: smooth functions fitted to PARSEC
    stages              where on its isochrone a star stands
    kinematics          velocities, and how they look from the Sun
    dust                reddening by sightline and distance
    clusters            open and globular clusters
    field               streams of candidates, kept when Gaia's limits let them in
    oddities            white dwarfs, M dwarfs, emission and junk: what models must not be fooled by
    identifiers         source_id of displaced positions
    stars               all of it together: draw_stars
    truth               the truth table, which neither ingest nor models ever read

What their light is:
    wavelengths         the grid of wavelengths, the infrared bands, the black body
    emulator            flux at the surface by the labels: smooth functions fitted to Kurucz's grid
    elements            features of alpha elements, carbon and nitrogen
    extinction          Gordon's curve and its R(V)
    tensor_spline       the functions that isochrones and emulator are written in
    light               of one object: surface flux by its kind, distance, dust, and its G
    observed_light      of simulated stars with their companions, as it reaches the Earth
    fitted/             the fitted numbers, with their origin and errors
    fitting/            how they were fitted; the only place that reads the grids

What is measured of it:
    xp_forward          XP coefficients and G, BP, RP from a spectrum at Earth
    xp_noise            their errors, correlations and noise
    photometry_noise    errors of parallaxes and magnitudes
    line_list           absorption lines of the RVS window and the H band
    molecular_lines     those of CO, CN and OH from spectroscopic constants
    line_formation      from labels to the depth of lines
    rvs                 spectra of Gaia's Radial Velocity Spectrometer
    hband               spectra as APOGEE's, with pixel masks

How well it could be known:
    fisher              Cramer-Rao bounds by the same forward operator
    information         the table of them, which is as little read as the truth

How it is written:
    gaia_rows           rows of gaia_source, XP and RVS tables for a block of stars
    bulk_tables         the columns of these tables
    bulk_ecsv           gzipped ECSV in ranges of level-8 pixels, with checksums
    surveys/            the surveys on the ground, each in its own format
    survey_files        all of their files of one sky
    make                a whole sky in a folder
    commands            kiel sky
"""
