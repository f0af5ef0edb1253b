"""What is past its time of destruction goes: rows, and with them results and uploads; then folders that no row knows."""

from dataclasses import dataclass

from tap_service.jobs.job_table import JobTable
from tap_service.jobs.results import JobFiles


@dataclass(frozen=True)
class Expired:
    """How much went."""

    jobs: int
    orphans: int


def expire(table: JobTable, files: JobFiles) -> Expired:
    """Remove what is past its time; safe to repeat, and in several processes at once. Running queries of such jobs are stopped by their workers."""
    gone = table.expire()
    for job_id in gone:
        files.remove(job_id)
    return Expired(len(gone), files.remove_orphans(table.known))
