"""How the fitted numbers of the simulated sky are made; only this folder reads the grids, which are not part of the product.

    stellar_flux     the Kurucz (1993) grid and the infrared passbands -> fitted/stellar_flux.npz
    isochrones       the PARSEC excerpt -> fitted/isochrones.npz
    flux_errors, isochrone_errors    how well each does
    fit_emulators    the script: fits both, prints origin and errors, writes the files
    fit_xp_forward   official simulator's and real XP coefficients -> fitted/xp_forward.npz
    line_strengths   the script that fits the lines of the RVS window to real spectra, and prints them
    fit_xp_noise     the errors and correlations of real XP spectra -> fitted/xp_noise.npz

python -m ingest.sky.fitting.fit_emulators --data FOLDER
"""
