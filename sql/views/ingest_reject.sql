SELECT reject_id, file_id, row_number, source_id, record, reason, detail, winner_file_id
FROM store.ingest_reject
