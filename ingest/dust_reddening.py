"""Reddening of every source of a release from a local map of the dust, chunk by chunk, each whole or not at all.

The map's file stands in the ledger like any other, with its SHA-256 and the rows that it gave; it is loaded from the start, as each chunk of
rows comes with its count. A source that the map has been asked for is not asked for again, so the command goes on where it was broken off.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from psycopg.types.json import Jsonb

from catalog.binary_copy import Rows, copy_fields, read_rows
from catalog.database import Database, Role
from catalog.errors import DataError, TransientError, UsageError
from catalog.releases import DataRelease, release_named
from catalog.schema.gaia_source import GAIA_SOURCE
from catalog.schema.reddening import REDDENING
from catalog.statements import statement
from catalog.version import code_version
from ingest import ledger
from ingest.dust_maps import ABSOLUTE_ERROR, DRAWS, RELATIVE_ERROR, SFD, DustMap, Reddening, Stars, dustmaps_version, open_dust_map
from ingest.faults import file_faults, told_as_transient
from ingest.ledger import LedgerFile
from ingest.merge import StagedWriter
from ingest.product import CheckedRows
from ingest.products.reddening import REDDENING_ROWS
from ingest.row_checks import Rejects
from ingest.source_file import SourceFile

CHUNK = 5000
_READ = copy_fields(GAIA_SOURCE.pick("source_id", "ra", "dec", "parallax", "parallax_error"))
_STAGED = copy_fields(REDDENING.without("file_id"))


@dataclass(frozen=True)
class DustSummary:
    """What the command did: rows by the map that they are of, and sources that have none and why."""

    release: str
    map: str
    file_id: int = 0
    sources: int = 0
    from_map: int = 0
    from_sfd: int = 0
    rows_loaded: int = 0
    rows_rejected: int = 0
    outside_maps: int = 0
    without_parallax: int = 0
    sfd_there: bool = False


def add_reddening(
    database: Database,
    release: str,
    version: str,
    *,
    data_dir: Path | None = None,
    max_samples: int | None = None,
    chunk: int = CHUNK,
    report: Callable[[DustSummary], None] = lambda summary: None,
) -> DustSummary:
    """Mean and error of E for every source of the release that the map has not been asked for; safe to repeat and to break off.

    UsageError for a simulated release, or a map that is not there; TransientError while another command uses the map for the release.
    """
    with database.connect(Role.WORKER, autocommit=True) as connection, told_as_transient():
        data_release = release_named(connection, release)
        if data_release.simulated:
            raise UsageError(f"the stars of {release} are simulated, and so is their dust: load the reddening that lies beside their files")
        dust = open_dust_map(version, data_dir, max_samples)
        file = _in_ledger(connection, data_release, dust, max_samples)
        with ledger.held(connection, file, wait=False) as mine:
            if not mine:
                raise TransientError(f"another command reads {dust.path} for {release} just now; repeat this one when it has ended")
            return _work(connection, data_release, dust, file, chunk, report)


def _work(
    connection: psycopg.Connection[Any], release: DataRelease, dust: DustMap, file: LedgerFile, chunk: int, report: Callable[[DustSummary], None]
) -> DustSummary:  # fmt: skip
    summary = DustSummary(release.name, dust.version, file.file_id, sfd_there=dust.sfd is not None)
    after = 0
    while True:
        values = {"release_id": release.release_id, "file_id": file.file_id, "after": after, "rows": chunk}
        blocks = list(read_rows(connection, statement("sources_without_reddening"), _READ, values))
        if not blocks:
            return summary
        sources = Rows.concatenate(blocks)
        after = int(sources["source_id"][-1])
        has_parallax = ~sources.null("parallax") & ~sources.null("parallax_error")
        has_parallax &= np.isfinite(sources["parallax"]) & np.isfinite(sources["parallax_error"])
        some = sources.take(has_parallax)
        stars = Stars(*(some[field.name].astype(np.int64 if field.name == "source_id" else np.float64) for field in _READ))
        reddening = dust.reddening(stars)
        there = reddening.map != ""
        with connection.transaction():
            loaded = _write(connection, release, file, stars, reddening) if there.any() else 0
        summary = replace(
            summary,
            sources=summary.sources + len(sources),
            from_map=summary.from_map + int((reddening.map == dust.version).sum()),
            from_sfd=summary.from_sfd + int((reddening.map == SFD).sum()),
            rows_loaded=summary.rows_loaded + loaded,
            rows_rejected=summary.rows_rejected + int(there.sum()) - loaded,
            outside_maps=summary.outside_maps + int((~there).sum()),
            without_parallax=summary.without_parallax + int((~has_parallax).sum()),
        )
        report(summary)


def _write(connection: psycopg.Connection[Any], release: DataRelease, file: LedgerFile, stars: Stars, reddening: Reddening) -> int:
    """A chunk's rows into the table and its count into the ledger, in the caller's transaction; how many rows stand in the table."""
    row = connection.execute(statement("rows_of_dust_map"), {"file_id": file.file_id}).fetchone()
    assert row is not None
    there = reddening.map != ""
    n = int(there.sum())
    values = {
        "release_id": np.full(n, release.release_id, np.int16),
        "source_id": stars.source_id[there],
        "reddening_map": reddening.map[there],
        "reddening": reddening.mean[there].astype(np.float32),
        "reddening_error": reddening.error[there].astype(np.float32),
        "row_number": np.arange(row[0] + 1, row[0] + 1 + n, dtype=np.int32),
    }
    writer = StagedWriter(connection, release, file, REDDENING_ROWS)
    writer.write(CheckedRows(Rows(_STAGED, values), _NO_REJECTS))
    loaded = writer.finish()
    counts = {"file_id": file.file_id, "rows": n, "loaded": loaded, "code_version": code_version()}
    connection.execute(statement("count_dust_map_rows"), counts)
    return loaded


_NO_REJECTS = Rejects(
    np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, bool), np.empty(0, object), np.empty(0, object), np.empty(0, object)
)


def _in_ledger(connection: psycopg.Connection[Any], release: DataRelease, dust: DustMap, max_samples: int | None) -> LedgerFile:
    """The map's file in the ledger; DataError where its rows there were made in another way than these would be."""
    with file_faults(str(dust.path)):
        sha256, size = SourceFile(dust.path).digest()
        how: dict[str, Any] = {
            "map": dust.version, "draws": DRAWS, "max_samples": max_samples, "relative_error": RELATIVE_ERROR, "absolute_error": ABSOLUTE_ERROR,
            "sfd": {path.name: SourceFile(path).digest()[0] for path in dust.sfd_paths},
        }  # fmt: skip
    values = {
        "release_id": release.release_id, "sha256": sha256, "name": str(dust.path.resolve()), "size": size, "product": REDDENING_ROWS.name,
        "header": Jsonb({"format": "hdf5", "dustmaps": dustmaps_version(), "recipe": how}), "code_version": code_version(),
    }  # fmt: skip
    connection.execute(statement("add_dust_map"), values)
    file = ledger.file_of(connection, release, sha256)
    row = connection.execute(statement("dust_map_header"), {"file_id": file.file_id}).fetchone()
    _compare(dust, how, ((row and row[0]) or {}).get("recipe", {}), file)
    return file


def _compare(dust: DustMap, how: Mapping[str, Any], kept: Mapping[str, Any], file: LedgerFile) -> None:
    """Rows of one map are made in one way."""
    other = [name for name in how if kept.get(name) != how[name]]
    if other:
        raise DataError(
            f"file {file.file_id} of the ledger ({dust.path}) has given {file.rows_in} rows with "
            + ", ".join(f"{name} {kept.get(name)!r} in place of {how[name]!r}" for name in other)
            + "; repeat the command as it was, with the same files of SFD and the same --max-samples"
        )
