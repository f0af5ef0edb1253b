"""The file formats, one a file: each opens a content, tells its tables' column names, and gives blocks of typed rows.

values          text and numbers to typed columns: null spellings, ranges, lists
cell_text       what every reader of text asks of a cell
number_lists    cells with lists of numbers
long_cells      quoted cells with thousands of digits, past the CSV parser
delimited       CSV and ECSV
fits_table      FITS binary tables
apogee_star     apStar and aspcapStar: FITS images as a table of one row
votable         VOTable: TABLEDATA, BINARY, BINARY2
parquet         Parquet
hdf5            HDF5: a dataset for each column, or of records
constants       columns that a header states once for all rows
whole_row       all of a row as JSON
"""
