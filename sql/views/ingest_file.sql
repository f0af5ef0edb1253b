SELECT f.file_id, d.name AS release, f.sha256, f.name, f.size, f.md5, f.set_name, f.product, f.state, f.reason,
       f.rows_stated, f.rows_in, f.rows_kept, f.rows_loaded, f.rows_rejected, f.added, f.finished, f.attempts
FROM store.ingest_file AS f
JOIN store.release AS d ON d.release_id = f.release_id
