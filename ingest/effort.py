"""How hard files are loaded: by how many workers, with how much memory, and how long a passing fault is borne."""

from collections.abc import Callable
from dataclasses import dataclass

from catalog.database import Database


@dataclass(frozen=True)
class Effort:
    """``workers`` is how many processes load (1: this one, unless ``scheduler`` or ``memory_limit`` is given).

    ``scheduler`` is the address of a Dask scheduler in place of workers on this machine. ``memory_limit`` of a worker is in Dask's words, such as
    "2GB". ``patience_seconds`` is how long nothing may succeed before a passing fault is raised. ``reopen`` finds the database again that went
    away, and may start it.
    """

    workers: int = 1
    scheduler: str | None = None
    memory_limit: str | None = None
    patience_seconds: float = 0.0
    reopen: Callable[[], Database] | None = None

    @property
    def here(self) -> bool:
        """Whether the files are loaded in this process."""
        return self.workers == 1 and self.scheduler is None and self.memory_limit is None


HERE = Effort()
"""In this process, and a passing fault is raised at once."""
