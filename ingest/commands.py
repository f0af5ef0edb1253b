"""The commands ``kiel ingest``: files into the ledger, files into tables, and what became of them."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from psycopg import IsolationLevel
from psycopg.rows import dict_row
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from catalog.command_output import json_option, report
from catalog.content_hash import content_hashes
from catalog.database import Database, Role
from catalog.embedded_server import open_database, reopened_database
from catalog.errors import UsageError
from catalog.releases import release_named
from catalog.settings import settings
from catalog.statements import statement
from ingest import ledger
from ingest.archive.options import FetchOptions, archive_options
from ingest.dust_commands import reddening
from ingest.effort import Effort
from ingest.ledger import Step, Summary
from ingest.link_commands import cuts, link, link_loaded
from ingest.status import contract_notes, file_status, totals

if TYPE_CHECKING:
    from ingest.archive.fetch import FetchedQuery

DEFAULT_RELEASE = "gaia_dr3"

_release_option = click.option("--release", default=DEFAULT_RELEASE, show_default=True, help="Data release that the files belong to.")


def _effort_options(act: Callable[..., None]) -> Callable[..., None]:
    """The options of commands that load files."""
    for option in reversed(
        (
            click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes that load; 1 loads in this one."),
            click.option("--scheduler", metavar="URL", help="Address of a Dask scheduler of your own, in place of workers on this machine."),
            click.option("--memory-limit", metavar="SIZE", help="Memory of a worker process (2GB unless given); one that needs more is ended."),
            click.option(
                "--patience", metavar="SECONDS", type=click.FloatRange(0), default=300.0, show_default=True,
                help="How long a database that is away, or a full disk, is borne before the command ends with code 3.",
            ),
        )
    ):  # fmt: skip
        act = option(act)
    return act


@click.group("ingest")
def command() -> None:
    """Survey files into tables."""


command.add_command(link)
command.add_command(cuts)
command.add_command(reddening)


@command.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@_release_option
@click.option("--work", is_flag=True, help="Load the files at once.")
@click.option("--set", "set_name", metavar="NAME", help="Name of the validation set that reference labels among the files make.")
@click.option("--retry", is_flag=True, help="Plan files again that failed or were no product.")
@archive_options
@_effort_options
@json_option
@click.pass_context
def add(
    ctx: click.Context,
    /,
    paths: tuple[Path, ...],
    release: str,
    work: bool,
    set_name: str | None,
    retry: bool,
    archive: FetchOptions | None,
    as_json: bool,
    **effort: Any,
) -> None:
    """Put files, and every file under folders, into the ledger. Bytes that are known change nothing.

    With --tap and --query-set the files are fetched first, from an archive's TAP service.
    """
    from ingest.load import add_paths  # the format libraries take a second, which status and rejects do not need

    if archive is None and not paths:
        raise UsageError("name files or folders (PATHS), or an archive with --tap URL --query-set NAME")
    fetched = () if archive is None else _fetch(release, archive)
    paths = (*paths, *(path for query in fetched for path in query.files))
    summary = _with_progress(
        as_json,
        lambda step: add_paths(
            reopened_database(settings()), release, paths, set_name=set_name, retry=retry, work=work, effort=_effort(**effort), report=step
        ),
    )
    if work:
        link_loaded(reopened_database(settings()), release, _effort(**effort))
    _finish(ctx, summary, as_json, fetched)


def _fetch(release: str, options: FetchOptions) -> "tuple[FetchedQuery, ...]":
    """Fetch from an archive, with one structured line a step on stderr."""
    from ingest.archive.fetch import fetch_queries  # pyvo and astropy take two seconds

    def said(step: Mapping[str, object]) -> None:
        print(
            " ".join(f"{key}={word!r}" if key == "reason" else f"{key}={word}" for key, word in step.items()), file=sys.stderr, flush=True
        )

    return fetch_queries(open_database(settings()), release, options, said)


@command.command()
@_release_option
@_effort_options
@json_option
@click.pass_context
def work(ctx: click.Context, /, release: str, as_json: bool, **effort: Any) -> None:
    """Load every file that waits; safe to repeat, and to run several at once."""
    from ingest.load import load_pending

    summary = _with_progress(
        as_json, lambda step: load_pending(reopened_database(settings()), release, effort=_effort(**effort), report=step)
    )
    link_loaded(reopened_database(settings()), release, _effort(**effort))
    _finish(ctx, summary, as_json)


@command.command()
@_release_option
@json_option
def status(release: str, as_json: bool) -> None:
    """Tell of every file in the ledger how far it got."""
    with open_database(settings()).connect(Role.WORKER) as connection:
        files = file_status(connection, release_named(connection, release))
    sums = totals(files)
    values = {"release": release, "files": [each.as_dict() for each in files], "totals": [asdict(total) for total in sums]}
    lines = [*(each.line() for each in files), *contract_notes([each.file for each in files]), *(total.line() for total in sums)]
    report(values, "\n".join([*lines, _counts(Summary(tuple(each.file for each in files)))]), as_json)


@command.command()
@_release_option
@click.option("--strict", is_flag=True, help="A loaded file that is gone counts as a difference.")
@click.option("--hash/--no-hash", "hashed", default=True, show_default=True, help="Read every loaded file again and compare its SHA-256.")
@click.option(
    "--content", is_flag=True, help="Hash every table in the order of its key: two catalogues with the same hashes hold the same."
)
@json_option
@click.pass_context
def verify(ctx: click.Context, release: str, strict: bool, hashed: bool, content: bool, as_json: bool) -> None:
    """Compare the ledger with the files and the tables: sums, counts, rejects."""
    from ingest.audit import audit

    database = open_database(settings())
    found = audit(database, release, strict=strict, hashed=hashed)
    hashes = {}
    if content:
        with database.connect(Role.WORKER) as connection:
            connection.isolation_level = IsolationLevel.REPEATABLE_READ
            hashes = content_hashes(connection)
    sentence = (
        f"{found.files} loaded files, {found.rows} rows in their tables, {found.rejects} rejects: "
        + (f"{len(found.differences)} differences." if found.differences else "all as the ledger says.")
    )  # fmt: skip
    lines = [*(f"gone: {told}" for told in found.gone), *(f"differs: {told}" for told in found.differences)]
    report(
        {"release": release, **asdict(found), "content": hashes},
        "\n".join([*lines, *(f"{hashes[name]}  {name}" for name in hashes), sentence]),
        as_json,
    )
    if found.differences:
        ctx.exit(1)


@command.command()
@_release_option
@click.option("--file", metavar="TEXT", help="Only of files with this in their name.")
@click.option("--reason", metavar="NAME", help="Only of this reason.")
@click.option("--limit", type=click.IntRange(1), help="At most so many rows.")
@json_option
def rejects(release: str, file: str | None, reason: str | None, limit: int | None, as_json: bool) -> None:
    """Tell of the rows that were not taken: counts by file and reason; with --json, --file, --reason or --limit the rows themselves."""
    database = open_database(settings())
    chosen = {"file": file, "reason": reason, "limit": limit}
    if not as_json and not any(chosen.values()):
        counts = _rows(database, release, "rejects_by_reason", {})
        sentence = "\n".join(f"{row['rows']:>8}  {row['reason']:<32}  {row['file']}" for row in counts) or "No row was rejected."
        report({}, sentence, as_json)
        return
    rows = _rows(database, release, "rejects", chosen)
    lines = [f"{row['file']}  row {row['row_number']}  {row['record'] or '-'}  {row['reason']}: {row['detail']}" for row in rows]
    report({"release": release, "rejects": rows}, "\n".join(lines) or "No row was rejected.", as_json)


def _rows(database: Database, release: str, name: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    with database.connect(Role.WORKER) as connection:
        release_id = release_named(connection, release).release_id
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(statement(name), {"release_id": release_id, **values}).fetchall()


def _effort(workers: int, scheduler: str | None, memory_limit: str | None, patience: float) -> Effort:
    return Effort(workers, scheduler, memory_limit, patience, lambda: reopened_database(settings()))


def _with_progress(as_json: bool, act: Callable[[Callable[[Step], None]], Summary]) -> Summary:
    """Run with a progress bar on a terminal, else with one structured line a step; both on stderr."""
    console = Console(stderr=True)
    if not console.is_terminal or as_json:
        return act(lambda step: print(_step_line(step), file=sys.stderr, flush=True))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.fields[name]}"))
    with Progress(*columns, console=console) as progress:
        tasks = {stage: progress.add_task(stage, total=None, name="", visible=False) for stage in ("adding", "loading")}

        def show(step: Step) -> None:
            stage = "adding" if step.action in ("added", "known") else "loading"
            done = step.number - 1 if step.action in ("loading", "waiting", "loader_lost") else step.number
            name = Path(step.file.name).name + (" (waiting for another loader)" if step.action == "waiting" else "")
            progress.update(tasks[stage], total=step.total, completed=done, name=name, visible=True)
            if step.action == "failed":
                progress.console.print(f"failed: {step.file.reason}", highlight=False, markup=False)

        return act(show)


def _step_line(step: Step) -> str:
    """One step as key=value words."""
    words = {"step": step.action, "file": repr(step.file.name), "number": f"{step.number}/{step.total}"}
    if step.action == "loaded":
        words |= {"product": str(step.file.product), "rows_in": str(step.file.rows_in), "rows_loaded": str(step.file.rows_loaded)}
        words |= {"rows_rejected": str(step.file.rows_rejected), "seconds": f"{step.seconds:.2f}"}
    elif step.action in ("failed", "not_a_product", "loader_lost") and step.file.reason:
        words |= {"reason": repr(step.file.reason)}
    return " ".join(f"{key}={word}" for key, word in words.items())


def _counts(summary: Summary) -> str:
    states = ("loaded", "failed", "not_a_product", *ledger.PENDING)
    there = ", ".join(f"{summary.count(state)} {state.replace('_', ' ')}" for state in states if summary.count(state))
    return (
        f"{len(summary.files)} files ({there or 'none'}); {summary.rows_in} rows read, {summary.rows_loaded} in the catalogue, "
        f"{summary.rows_rejected} rejected."
    )


def _finish(ctx: click.Context, summary: Summary, as_json: bool, fetched: "tuple[FetchedQuery, ...]" = ()) -> None:
    """One line of result; exit code 1 when a file failed or could not be opened, or an archive did not give what was asked."""
    troubles = [
        *(f"not fetched: {query.trouble}" for query in fetched if query.trouble is not None),
        *(f"failed: {file.name}: {file.reason}" for file in summary.failed),
        *(f"unreadable: {told}" for told in summary.unreadable),
    ]
    values = {
        "added": summary.added,
        "files": [asdict(file) for file in summary.files],
        "unreadable": list(summary.unreadable),
        "notes": list(summary.notes),
        "rows_in": summary.rows_in,
        "rows_loaded": summary.rows_loaded,
        "rows_rejected": summary.rows_rejected,
    }
    if fetched:
        values["fetched"] = [asdict(query) | {"files": [str(path) for path in query.files]} for query in fetched]
    lines = [f"{query.name}: {query.rows} rows in {len(query.files)} files; the archive counts {query.counted}" for query in fetched]
    notes = [*summary.notes, *contract_notes(summary.files)]
    report(values, "\n".join([*troubles, *lines, *notes, f"{summary.added} new; {_counts(summary)}"]), as_json)
    if troubles:
        ctx.exit(1)
