"""The simulated sky: stars with known labels, and their spectra and photometry with honest noise.

What is here is simulated: it proves that pipelines recover what was put in, not how well they do on the real sky.

    labels        the six labels of a star
    draws         one independent random stream for each purpose
    galaxy        where the stars of each component are, how old and how metal-rich
    abundances    alpha elements, carbon and nitrogen
    kinematics    velocities, and how they look from the Sun
    dust          reddening by sightline and distance
    clusters      open and globular clusters
    oddities      white dwarfs, M dwarfs, emission and junk: what models must not be fooled by
    identifiers   source_id of displaced positions
    stars         all of it together: draw_stars
    truth         the truth table, which neither ingest nor models ever read
"""
