"""Linking: which Gaia source each row of a survey is, and what 2MASS has of each source. A step of its own after loading, `kiel ingest link`.

epoch           where a source stands at another epoch
rules           the rules of each survey: identifiers, epoch, radius, duplicates
candidates      sources that a row may be
cover           ranges of source_id that hold every candidate of a position
stray           the fast and the far-displaced sources, held in memory
choose          of the candidates of a row, the source and the flags
link            a survey's rows in blocks, from the tables to survey_link
two_mass        photometry in 2MASS a row a source, from the tables that it is loaded into
loaded_files    from which files a table was made
cuts            how many rows the cuts of a paper's training sample leave
"""
