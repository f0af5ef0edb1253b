"""Tables that come with a query (TAP 1.1 section 2.5): a VOTable in the request or at an address becomes TAP_UPLOAD.name.

upload             what UPLOAD asks for: table names, and where each VOTable is
multipart          a multipart body as (name, value) pairs and files
fetch              a table from an http address, public ones only
votable            a VOTable document as columns and blocks of rows
upload_column      a FIELD, and the column that holds its values
text_cells         cells of TABLEDATA to values
binary_cells       rows of BINARY and BINARY2 to values
fits_cells         a FITS table inside a VOTable to values
temporary_table    the rows as a temporary table of the query's own connection
"""
