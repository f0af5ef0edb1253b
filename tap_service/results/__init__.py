"""What a result looks like on the wire: binary COPY blocks in, documents out, block by block.

field_types     a column of a result, and how its cells arrive from PostgreSQL
block_cells     the cells of a COPY block, a column at a time
binary2         VOTable BINARY2 rows (VOTable 1.4 section 5.4)
text_columns    the same cells as text, by Arrow
votable         VOTable documents: header, BINARY2 or TABLEDATA, trailer, errors
delimited       CSV and TSV
gzipped         a document in gzip
formats         RESPONSEFORMAT: which of these was asked for
"""
