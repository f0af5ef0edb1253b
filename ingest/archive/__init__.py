"""Rows from an archive's TAP service: named queries, cut into ranges of source_id, saved as VOTable files that go the ordinary way.

    query_set     the queries in sql/archive_queries, by name and by set
    service       what a TAP service is like, and one question to it: a whole answer in a file, or why not
    politeness    how long to wait before the next question
    range_ledger  which queries and ranges are known, and how far each got
    fetch         every range of the queries that are wanted
    options       the words of `kiel ingest add` that belong to it

From command to file: commands -> fetch.fetch_queries -> service.save -> range_ledger; then add.add_files takes the files.
"""
