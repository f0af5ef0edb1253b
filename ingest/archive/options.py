"""What to fetch from an archive, and the options of ``kiel ingest add`` that say so. Loads nothing heavy: every `kiel ingest` reads it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

import click

from catalog.errors import UsageError
from catalog.settings import settings

WHOLE_SKY = (0, 12 * 4**12 * 2**35 - 1)
"""First and last source_id that there can be: 12 * 4^12 pixels of level 12, 2^35 numbers each."""

_MOST_PARALLEL = 4
_NAMES = (
    "tap",
    "query_set",
    "only",
    "schemas",
    "into",
    "first_id",
    "last_id",
    "n_ranges",
    "rows",
    "parallel",
    "pause",
    "give_up_after",
    "restart",
)

_OPTIONS = (
    click.option("--tap", metavar="URL", help="Fetch from this TAP service in place of, or beside, files."),
    click.option("--query-set", metavar="NAME", help="Queries to put to it: dr3, or zgr23 (those of Zhang, Green & Rix 2023)."),
    click.option("--query", "only", metavar="NAME", multiple=True, help="Only this query of the set; may be repeated."),
    click.option("--schema", "schemas", metavar="KEY=NAME", multiple=True, help="Where the service keeps gaia, tmass or external tables."),
    click.option("--into", type=click.Path(path_type=Path, file_okay=False), help="Folder for the files; default: archive in KIEL's folder."),
    click.option("--first-id", type=click.IntRange(*WHOLE_SKY), default=WHOLE_SKY[0], help="First source_id; default: the whole sky."),
    click.option("--last-id", type=click.IntRange(*WHOLE_SKY), default=WHOLE_SKY[1], help="Last source_id."),
    click.option("--ranges", "n_ranges", type=click.IntRange(1, 100_000), default=64, show_default=True, help="Ranges of source_id to begin with."),
    click.option("--rows", type=click.IntRange(1), default=100_000, show_default=True, help="Rows that one question may give."),
    click.option("--parallel", type=click.IntRange(1, _MOST_PARALLEL), default=1, show_default=True, help="Questions at the same time."),
    click.option("--pause", type=click.FloatRange(0), default=1.0, show_default=True, help="Seconds between questions."),
    click.option("--give-up-after", type=click.FloatRange(0), default=1800.0, show_default=True, help="Seconds without any answer."),
    click.option("--restart", is_flag=True, help="Forget what was fetched earlier for these queries."),
)  # fmt: skip


@dataclass(frozen=True)
class FetchOptions:
    """What to fetch from where, and how gently.

    ``rows`` is the most that one question asks for, ``span`` the first and the last source_id, ``n_ranges`` into how many ranges they are cut at
    first. ``schemas`` stand in place of the archive's. ``restart`` forgets what was fetched earlier.
    """

    url: str
    query_set: str
    into: Path
    only: tuple[str, ...] = ()
    schemas: Mapping[str, str] = field(default_factory=dict)
    span: tuple[int, int] = WHOLE_SKY
    n_ranges: int = 64
    rows: int = 100_000
    parallel: int = 1
    pause: float = 1.0
    give_up_after: float = 1800.0
    restart: bool = False


def archive_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options to a command, which gets them as ``archive``: FetchOptions, or None without --tap."""

    @wraps(command)
    def with_archive(*words: Any, **values: Any) -> Any:
        own = {name: values.pop(name) for name in _NAMES}
        return command(*words, archive=_options(**own), **values)

    for option in reversed(_OPTIONS):
        with_archive = option(with_archive)
    return with_archive


def _options(
    tap: str | None, query_set: str | None, schemas: tuple[str, ...], into: Path | None, first_id: int, last_id: int, **others: Any
) -> FetchOptions | None:
    if tap is None:
        if query_set is not None:
            raise UsageError("--query-set needs --tap URL, the service to put the queries to")
        return None
    if query_set is None:
        raise UsageError("--tap needs --query-set NAME, the queries to put to it")
    if first_id > last_id:
        raise UsageError(f"--first-id {first_id} lies behind --last-id {last_id}")
    pairs = [schema.partition("=") for schema in schemas]
    wrong = [key for key, mark, name in pairs if not (key and mark and name)]
    if wrong:
        raise UsageError(f"--schema {wrong[0]} must be KEY=NAME, such as gaia=gaiadr3")
    folder = into if into is not None else settings().home / "archive"
    return FetchOptions(tap, query_set, folder, schemas={key: name for key, _, name in pairs}, span=(first_id, last_id), **others)
