"""Reading and writing rows of ``store``: one file a kind of row.

spectrum_store  spectra in batches that torch takes without a copy
model_store     model versions and their weights
"""
