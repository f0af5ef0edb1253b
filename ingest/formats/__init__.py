"""The file formats, one a file: each opens a content, tells its tables' column names, and gives blocks of typed rows.

values          text and numbers to typed columns: null spellings, ranges, lists
delimited       CSV and ECSV
fits_table      FITS binary tables
votable         VOTable: TABLEDATA, BINARY, BINARY2
parquet         Parquet
hdf5            HDF5: a dataset for each column, or of records
constants       columns that a header states once for all rows
"""
