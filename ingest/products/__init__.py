"""The products, one a file: xp_continuous (BP/RP mean spectra as coefficients) and gaia_source. ingest.registry lists them."""
