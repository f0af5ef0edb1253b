"""Reading and writing rows of ``store``: one file a kind of row.

spectrum_store  spectra in batches that torch takes without a copy
star_store      the same with parallaxes, photometry and what else is known of the sources
model_store     model versions and their weights
"""
