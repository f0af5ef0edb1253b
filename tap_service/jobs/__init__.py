"""/async: queries as jobs (UWS 1.1), kept in PostgreSQL, run by processes of their own.

job             what a job is: phases, times, parameters
job_table       its row, and every step of its life as one transaction
documents       UWS as XML
resources       /async and all below it
waiting         WAIT: woken by NOTIFY
results         files: what came with a job, and its result
worker          the process that runs jobs
worker_processes    workers started, watched and ended by the service
expiry          what is past its time of destruction goes
"""
