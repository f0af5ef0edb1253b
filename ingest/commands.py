"""The commands ``kiel ingest``: files into the ledger, files into tables, and what became of them."""

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from psycopg.rows import dict_row
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from catalog.command_output import json_option, report
from catalog.database import Database, Role
from catalog.embedded_server import open_database
from catalog.releases import release_named
from catalog.settings import settings
from catalog.statements import statement
from ingest import ledger
from ingest.dust_commands import reddening
from ingest.ledger import LedgerFile, Step, Summary

DEFAULT_RELEASE = "gaia_dr3"

_release_option = click.option("--release", default=DEFAULT_RELEASE, show_default=True, help="Data release that the files belong to.")


@click.group("ingest")
def command() -> None:
    """Survey files into tables."""


command.add_command(reddening)


@command.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@_release_option
@click.option("--work", is_flag=True, help="Load the files at once.")
@click.option("--set", "set_name", metavar="NAME", help="Name of the validation set that reference labels among the files make.")
@click.option("--retry", is_flag=True, help="Plan files again that failed or were no product.")
@json_option
@click.pass_context
def add(ctx: click.Context, paths: tuple[Path, ...], release: str, set_name: str | None, work: bool, retry: bool, as_json: bool) -> None:
    """Put files, and every file under folders, into the ledger. Bytes that are known change nothing."""
    from ingest.load import add_paths  # the format libraries take a second, which status and rejects do not need

    summary = _with_progress(
        as_json,
        lambda step: add_paths(open_database(settings()), release, paths, set_name=set_name, retry=retry, work=work, report=step),
    )
    _finish(ctx, summary, as_json)


@command.command()
@_release_option
@json_option
@click.pass_context
def work(ctx: click.Context, release: str, as_json: bool) -> None:
    """Load every file that waits; safe to repeat, and to run several at once."""
    from ingest.load import load_pending

    summary = _with_progress(as_json, lambda step: load_pending(open_database(settings()), release, report=step))
    _finish(ctx, summary, as_json)


@command.command()
@_release_option
@json_option
def status(release: str, as_json: bool) -> None:
    """Tell of every file in the ledger how far it got."""
    database = open_database(settings())
    with database.connect(Role.WORKER) as connection:
        files = ledger.files(connection, release_named(connection, release))
    lines = [_line(file) for file in files]
    report({"release": release, "files": [asdict(file) for file in files]}, "\n".join([*lines, _counts(Summary(tuple(files)))]), as_json)


@command.command()
@_release_option
@json_option
def rejects(release: str, as_json: bool) -> None:
    """Tell of the rows that were not taken: counts by file and reason; with --json every row."""
    database = open_database(settings())
    if as_json:
        report({"release": release, "rejects": _rows(database, release, "rejects")}, "", as_json)
        return
    counts = _rows(database, release, "rejects_by_reason")
    sentence = "\n".join(f"{row['rows']:>8}  {row['reason']:<32}  {row['file']}" for row in counts) or "No row was rejected."
    report({}, sentence, as_json)


def _rows(database: Database, release: str, name: str) -> list[dict[str, Any]]:
    with database.connect(Role.WORKER) as connection:
        release_id = release_named(connection, release).release_id
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(statement(name), {"release_id": release_id}).fetchall()


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
            done = step.number - 1 if step.action in ("loading", "waiting") else step.number
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
    elif step.action in ("failed", "not_a_product"):
        words |= {"reason": repr(step.file.reason)}
    return " ".join(f"{key}={word}" for key, word in words.items())


def _line(file: LedgerFile) -> str:
    rows = "" if file.rows_in is None else f"  {file.rows_in} rows: {file.rows_loaded} in the catalogue, {file.rows_rejected} rejected"
    reason = f"  ({file.reason})" if file.reason else ""
    return f"{file.state:<14}{file.product or '':<15}{file.name}{rows}{reason}"


def _counts(summary: Summary) -> str:
    states = ("loaded", "failed", "not_a_product", *ledger.PENDING)
    there = ", ".join(f"{summary.count(state)} {state.replace('_', ' ')}" for state in states if summary.count(state))
    return (
        f"{len(summary.files)} files ({there or 'none'}); {summary.rows_in} rows read, {summary.rows_loaded} in the catalogue, "
        f"{summary.rows_rejected} rejected."
    )


def _finish(ctx: click.Context, summary: Summary, as_json: bool) -> None:
    """One line of result; exit code 1 when a file failed or could not be opened."""
    troubles = [
        *(f"failed: {file.name}: {file.reason}" for file in summary.failed),
        *(f"unreadable: {told}" for told in summary.unreadable),
    ]
    values = {
        "added": summary.added,
        "files": [asdict(file) for file in summary.files],
        "unreadable": list(summary.unreadable),
        "rows_in": summary.rows_in,
        "rows_loaded": summary.rows_loaded,
        "rows_rejected": summary.rows_rejected,
    }
    report(values, "\n".join([*troubles, f"{summary.added} new; {_counts(summary)}"]), as_json)
    if troubles:
        ctx.exit(1)
