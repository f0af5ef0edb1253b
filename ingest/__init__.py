"""How rows come in: files of the archives become tables, each file and each rejected row on record.

From bytes to columns:
    source_file     a file (or a member of a zip archive): its bytes, its SHA-256, decompression
    content         whether a file holds the bytes that were added, before and after it is read
    manifest        the archive's MD5 sums beside its files
    reader          which format the bytes are, and the reader for it
    formats/        one file a format
    file_table      what every reader gives: typed columns with null masks, a block of rows at a time
    spectrum_lines  spectra with a line for each wavelength, gathered into rows

From columns to good rows:
    product         what a product is: its fields, how its header looks, how its rows are checked
    described_product   products that follow from the description of their table
    products/       the products, one a file
    registry        the products in the order in which they are tried
    row_checks      the rules a row must keep, by name
    positive_definite   whether correlation matrices are

From good rows to tables:
    add             files into the ledger
    load            every file that waits
    scheduling      which file goes to which worker, on Dask
    effort          by how many workers, and how long a passing fault is borne
    patience        trying again what a passing fault stopped
    load_file       one file, one transaction
    merge           its rows into their table: the fullest row of a key stays
    pixel_offsets   how far sources lie outside the pixels of their identifiers
    faults          whose fault an error is

What the ledger knows:
    ledger          files and their states
    file_counts     rows at each stage, nulls of each column
    progress        how far a loader is, told while it works
    status          where files stand, for people and programs
    audit           the ledger against files and tables

Beside files:
    archive/        files from an archive's TAP service
    linking/        survey rows to their sources; training cuts counted
    dust_maps, dust_reddening   reddening of a source by a local map of the dust, and of every source of a release
    sky/            simulated skies, as files (kiel sky)
    commands, link_commands, dust_commands   kiel ingest

From command to work: commands -> load.load_pending (-> scheduling) -> load_file -> product.check, merge -> sql/queries/ingest.sql.
"""
