"""Where the files of a release stand: their states, how far loaders are, sums by product and state, and what their headers have in particular."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import psycopg
from psycopg.rows import dict_row

from catalog.releases import DataRelease
from catalog.statements import statement
from ingest import ledger
from ingest.ledger import LedgerFile


@dataclass(frozen=True)
class FileProgress:
    """How far a loader is within its file, as it told ``silent_seconds`` ago; rates are of its present stage."""

    loader: str
    stage: str
    bytes_done: int
    rows_done: int
    seconds: float
    silent_seconds: float

    def rate(self, done: int) -> float | None:
        """Bytes or rows a second; None before the first."""
        return done / self.seconds if done and self.seconds > 0 else None

    def seconds_left(self, size: int) -> float | None:
        """Of the present stage, at its rate so far; None where that is not known."""
        rate = self.rate(self.bytes_done)
        return max(size - self.bytes_done, 0) / rate if rate else None


@dataclass(frozen=True)
class FileStatus:
    """A file of the ledger, whether a loader holds it, and what that told last."""

    file: LedgerFile
    held: bool
    progress: FileProgress | None

    @property
    def loader(self) -> str | None:
        """``at work``; ``lost`` where the file is being loaded by nobody: the next command loads it again; None where no loader has begun."""
        if self.file.state not in ledger.PENDING:
            return None
        begun = self.file.state != "planned" or (self.file.attempts > 0 and self.file.reason is None)
        return "at work" if self.held else "lost" if begun else None

    def as_dict(self) -> dict[str, Any]:
        """Everything, for programs."""
        values = {**asdict(self.file), "loader": self.loader, "progress": None}
        if self.progress is not None and self.loader is not None:
            values["progress"] = {
                **asdict(self.progress),
                "bytes_per_second": self.progress.rate(self.progress.bytes_done),
                "rows_per_second": self.progress.rate(self.progress.rows_done),
                "seconds_left": self.progress.seconds_left(self.file.size),
            }
        return values

    def line(self) -> str:
        """One line for people."""
        file = self.file
        words = [f"{file.state:<14}{file.product or '':<25}{file.name}"]
        if file.rows_in is not None:
            words.append(f"{file.rows_in} rows: {file.rows_loaded} in the catalogue, {file.rows_rejected} rejected")
        if self.loader == "lost":
            words.append("loader lost, will be loaded again")
        elif self.loader == "at work":
            words.append(self._pace())
        return "  ".join([*words, *([f"({file.reason})"] if file.reason else [])])

    def _pace(self) -> str:
        told, size = self.progress, self.file.size
        if told is None:
            return "just begun"
        if not told.bytes_done:
            return told.stage
        words = [f"{told.stage}: {told.bytes_done / 1e6:.0f} of {size / 1e6:.0f} MB, {told.rows_done} rows"]
        if rate := told.rate(told.bytes_done):
            words.append(f"{rate / 1e6:.1f} MB/s")
        if (left := told.seconds_left(size)) is not None:
            words.append(f"{left:.0f} s left")
        return ", ".join(words)


@dataclass(frozen=True)
class Total:
    """Sums over the files of a product in a state."""

    product: str | None
    state: str
    files: int
    size: int
    rows_in: int
    rows_kept: int
    rows_loaded: int
    rows_rejected: int

    def line(self) -> str:
        """One line for people."""
        counts = f"{self.rows_in} rows read, {self.rows_kept} good, {self.rows_loaded} in the catalogue, {self.rows_rejected} rejected"
        return f"{self.state:<14}{self.product or '(not known)':<25}{self.files} files, {self.size / 1e6:.1f} MB" + (
            f"; {counts}" if self.state == "loaded" else ""
        )


def file_status(connection: psycopg.Connection, release: DataRelease) -> list[FileStatus]:
    """Every file of the release, in the order in which they were added."""
    with connection.cursor(row_factory=dict_row) as cursor:
        told = cursor.execute(statement("files_in_progress"), {"release_id": release.release_id}).fetchall()
    progress = {row.pop("file_id"): FileProgress(**row) for row in told}
    held = ledger.held_files(connection)
    return [FileStatus(file, file.file_id in held, progress.get(file.file_id)) for file in ledger.files(connection, release)]


def totals(files: Iterable[FileStatus]) -> list[Total]:
    """The sums, by product and state."""

    def key(file: LedgerFile) -> tuple[str, str]:
        return (file.product or "", file.state)

    sums = []
    for (product, state), group in groupby(sorted((each.file for each in files), key=key), key):
        members = list(group)
        rows = [sum(getattr(file, name) or 0 for file in members) for name in ("rows_in", "rows_kept", "rows_loaded", "rows_rejected")]
        sums.append(Total(product or None, state, len(members), sum(file.size for file in members), *rows))
    return sums


def contract_notes(files: Iterable[LedgerFile]) -> list[str]:
    """What headers have that their products do not know, told once for all files with the same: columns that are not read, units not understood."""
    seen: dict[tuple[str, str], int] = {}
    for file in files:
        contract = file.contract or {}
        units = [f"{name} in {unit!r}" for name, unit in sorted(contract.get("unknown_units", {}).items())]
        for what, names in (
            ("columns that are unknown and were not read", contract.get("unknown_columns", [])),
            ("units not understood", units),
        ):
            if names:
                told = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
                seen[str(file.product), f"{len(names)} {what}: {told}"] = (
                    seen.get((str(file.product), f"{len(names)} {what}: {told}"), 0) + 1
                )
    return [f"note: {product}, {count} file{'s' if count > 1 else ''}: {told}" for (product, told), count in sorted(seen.items())]
