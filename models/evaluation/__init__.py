"""What the evaluations of the models share: statistics of differences, drawings, and the page that shows both.

statistics  bias, scatter, percentiles, pulls and outliers of differences, whole and in bins
drawing     figures drawn without touching matplotlib's global state, as PNG with a caption
page        one self-contained HTML page of tables and drawings
"""
