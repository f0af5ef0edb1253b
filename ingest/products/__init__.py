"""The products, one a file; ingest.registry lists them in the order in which headers are tried against them."""
