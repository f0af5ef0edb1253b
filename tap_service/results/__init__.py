"""What a result looks like on the wire: binary COPY blocks in, documents out, block by block.

field_types     a column of a result, and how its cells arrive from PostgreSQL
block_cells     the cells of a COPY block, a column at a time
binary2         VOTable BINARY2 and BINARY rows (VOTable 1.4 sections 5.3 and 5.4)
text_columns    the same cells as text, by Arrow
votable, xml_text   VOTable documents: header, BINARY2, BINARY or TABLEDATA, trailer, errors
service_descriptor  from a row of a VOTable to its DataLink documents
delimited       CSV and TSV
gzipped         a document in gzip
formats         RESPONSEFORMAT: which of these was asked for
"""
