"""Reading and writing rows of ``store``: one file a kind of row."""
