"""What the catalogue is: its tables, its releases and runs, how rows cross into PostgreSQL, what is published.

The layer under ingest, models and tap_service. It imports none of them, and no torch, dask or HTTP.

    errors, settings, version      whose fault it is; the environment, read here only; what code this is
    embedded_server, database      the PostgreSQL that is used, and connections to it by role
    schema/                        one description of every column: gives DDL, TAP_SCHEMA and docs
    migrate, publish               the tables' history applied; the public views of one publication
    statements                     the named SQL of sql/queries
    binary_copy                    numpy to and from PostgreSQL's binary COPY: the one way for bulk rows
    packed_vectors                 float32 vectors where they stand in a buffer that was received
    healpix, releases, spectra     sky cover of identifiers; data releases; packed XP spectra
    labels, quality                what the models give, and the bits of their flags
    runs, store/                   the life of a run and its fenced chunks; one file a kind of row
    commands                       kiel db
"""
