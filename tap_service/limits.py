"""How much one request may ask for. /capabilities declares what clients can use of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The limits of a running service."""

    default_rows: int = 1_000_000
    """Rows of a result where the request has no MAXREC."""
    hard_rows: int = 20_000_000
    """Rows of a result, whatever MAXREC says."""
    seconds: float = 60.0
    """The longest that a synchronous query may take in PostgreSQL, the sending of its rows included."""
    drain_seconds: float = 10.0
    """How long after that the rows that PostgreSQL has given may be on their way to the client."""
    concurrent_queries: int = 16
    """Queries that run at the same time; each has a connection and a thread."""
    wait_seconds: float = 5.0
    """How long a query waits for its place before the client is told to come back."""
    request_bytes: int = 2 << 20
    """Bytes of a request's body."""
    upload_bytes: int = 128 << 20
    """Bytes of the uploaded tables of one request together, compressed and not, sent or fetched."""
    upload_rows: int = 2_000_000
    """Rows of one uploaded table."""
    upload_seconds: float = 30.0
    """The longest that fetching the tables of one request from their addresses may take."""
    upload_hosts: frozenset[str] = frozenset()
    """Hosts (a name or address, or with a port behind a colon) that tables may be fetched from although they are not public."""
    job_seconds: int = 1800
    """The longest that a job's query may take, where the job does not say."""
    job_hard_seconds: int = 14_400
    """The same, whatever the job says."""
    retention_seconds: int = 7 * 86_400
    """How long a job and its result are kept, where the job does not say."""
    retention_hard_seconds: int = 30 * 86_400
    """The same, whatever the job says, counted from when it says so."""
    jobs_per_address: int = 4
    """Jobs of one address that run at the same time; the others wait in the queue."""
    list_jobs: bool = True
    """Whether the list of jobs shows an address the jobs that came from there; without, it is empty."""
    longest_wait_seconds: float = 50.0
    """The longest that WAIT holds a request (UWS 1.1 section 2.2.1.1), below what proxies allow; clients ask again."""
    run_id_characters: int = 64
    """Length of a RUNID (UWS 1.1)."""
    datalink_ids: int = 10_000
    """Identifiers in one request for links."""
    block_rows: int = 5_000
    """Rows that are turned into text or BINARY2 and sent at a time."""
    block_bytes: int = 4 << 20
    """The same in bytes, for wide rows: each query in progress has several times as much in memory."""

    def rows(self, maxrec: int | None) -> int:
        """The most rows that a request gets: its MAXREC within the hard limit, or the default."""
        return min(self.default_rows if maxrec is None else maxrec, self.hard_rows)
