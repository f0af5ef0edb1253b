"""What the catalogue is: its tables, its releases and runs, how rows cross into PostgreSQL, what is published.

The layer under ingest, models and tap_service. It imports none of them, and no torch, dask or HTTP.

    errors, settings, version      whose fault it is; the environment, read here only; what code this is
    embedded_server                the PostgreSQL that is used, unless the operator names one:
        postgres_binaries, postmaster, server_account    its programs, its process, the account that it runs as
    database                       connections by role
    schema/                        one description of every column: gives DDL, TAP_SCHEMA and docs
    migrate, partitions            the tables' history applied; a partition for each release
    publish, tap_schema            the public views of one publication, and its TAP_SCHEMA
    statements                     the named SQL of sql/queries
    binary_copy                    numpy to and from PostgreSQL's binary COPY: the one way for bulk rows
    packed_vectors                 float32 vectors where they stand in a buffer that was received
    rows, content_hash             blocks of rows as numpy arrays; one hash for all that a table holds
    healpix, spherical_polygon     sky cover of identifiers; polygons on the sky
    releases, spectra, xp_bases    data releases; packed XP spectra; the basis functions that they are in
    stars                          spectra with all that the catalogue says of their sources
    quality, labels                the bits of the models' flags; the order of labels in their covariances
    runs, store/                   the life of a run and its fenced chunks; one file a kind of row
    command_output                 a sentence for people, or JSON for programs
    commands, release_commands     kiel db, kiel release
"""
