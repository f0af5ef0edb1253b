"""kiel run: create, work, status, show, validate, publish, withdraw."""

from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from catalog.command_output import json_option, report
from catalog.database import Database, Role
from catalog.embedded_server import open_database
from catalog.errors import RunError
from catalog.runs import Run, create_run, list_runs, publish_run, read_run, withdraw_run
from catalog.settings import settings
from catalog.statements import statement

run_argument = click.argument("run_id", type=int)


def _database() -> Database:
    return open_database(settings())


def _tell(run: Run, sentence: str, as_json: bool, **more: Any) -> None:
    report(asdict(run) | more, sentence, as_json)


@click.group("run")
def command() -> None:
    """Runs: a model version applied to a release, from creation to publication."""


@command.command()
@click.argument("model")
@click.option("--release", default="gaia_dr3", show_default=True, help="Data release whose sources get labels.")
@click.option("--version", type=int, help="Version of the model; default: the newest.")
@click.option("--chunk-sources", type=click.IntRange(1), default=1000, show_default=True, help="Sources a chunk.")
@click.option("--allow-simulated-weights", is_flag=True, help="Allow a version that learnt from simulated stars; the run is marked so.")
@json_option
def create(model: str, release: str, version: int | None, chunk_sources: int, allow_simulated_weights: bool, as_json: bool) -> None:
    """Create a run of MODEL and cut it into chunks; the same run again if it is there."""
    run = create_run(
        _database(), model, release, version=version, chunk_sources=chunk_sources, allow_simulated_weights=allow_simulated_weights
    )
    _tell(run, f"run {run.run_id}: {run.model} version {run.version} on {run.release}, {run.sources} sources, {run.state}", as_json)


@command.command()
@run_argument
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Worker processes on this machine.")
@click.option("--scheduler", help="Address of a Dask scheduler of your own, in place of workers on this machine.")
@json_option
def work(run_id: int, workers: int, scheduler: str | None, as_json: bool) -> None:
    """Work on a run until it is complete; resumes where it stands."""
    from models.running.run_batch import ChunkOutcome
    from models.running.scheduling import work as work_on_run

    def tell_chunk(outcome: ChunkOutcome, left: int) -> None:
        if not as_json and outcome.ended != "busy":
            counts = (
                f"{outcome.labelled} labels, {outcome.unlabelled} without, {outcome.seconds:.1f} s"
                if outcome.ended == "done"
                else outcome.error
            )
            click.echo(f"chunk {outcome.chunk} {outcome.ended}: {counts}; {left} left")

    summary = work_on_run(
        _database(), run_id, workers=workers, scheduler=scheduler, lease_seconds=settings().lease_seconds, report=tell_chunk
    )
    run = summary.run
    sentence = f"run {run.run_id} is {run.state}: {run.labelled} labels, {run.unlabelled} sources without; {summary.chunks} chunks here in {summary.seconds:.1f} s"
    _tell(run, sentence, as_json, chunks_here=summary.chunks, seconds=summary.seconds)


@command.command()
@json_option
def status(as_json: bool) -> None:
    """List the runs, newest first."""
    with _database().connect(Role.WORKER) as connection:
        runs = list_runs(connection)
    if as_json:
        report({"runs": [asdict(run) for run in runs]}, "", as_json)
        return
    table = Table("run", "model", "version", "release", "state", "sources", "labels", "without")
    for run in runs:
        row = (run.run_id, run.model, run.version, run.release, run.state, run.sources, run.labelled, run.unlabelled)
        table.add_row(*("" if value is None else str(value) for value in row))
    Console().print(table)


@command.command()
@run_argument
@json_option
def show(run_id: int, as_json: bool) -> None:
    """Show one run: its chunks by state, and why sources have no label."""
    with _database().connect(Role.WORKER) as connection:
        run = read_run(connection, run_id)
        chunks = connection.execute(statement("chunk_states"), {"run_id": run_id}).fetchall()
        reasons = connection.execute(statement("no_label_reasons"), {"run_id": run_id}).fetchall()
    if as_json:
        _tell(run, "", True, chunks={state: count for state, count, _sources, _seconds in chunks}, no_label=dict(reasons))
        return
    for name, value in asdict(run).items():
        click.echo(f"{name:22} {'' if value is None else value}")
    for state, count, sources, seconds in chunks:
        click.echo(f"chunks {state:15} {count} with {sources} sources, {seconds:.1f} s of work")
    for reason, count in reasons:
        click.echo(f"no label: {reason:12} {count} sources")


@command.command()
@run_argument
@json_option
def validate(run_id: int, as_json: bool) -> None:
    """Look at a complete run before it is published: rows, finite numbers, labels against surveys. Ends with 1 where a check fails."""
    from models.running.validation import validate_run

    found = validate_run(_database(), run_id)
    kind = "simulated " if found.simulated else ""
    lines = [f"{check.name}: {'passed' if check.passed else 'FAILED'}, {check.seen}" for check in found.checks]
    lines += [f"{each.words}: {each.value:.3g} {each.unit} ({each.stars} {kind}stars)" for each in found.figures]
    more = {
        "passed": found.passed,
        "simulated": found.simulated,
        "checks": [asdict(each) for each in found.checks],
        "figures": [asdict(each) for each in found.figures],
    }
    _tell(found.run, "\n".join(lines), as_json, **more)
    if not found.passed:
        raise RunError(f"run {run_id} is not fit to be published: {', '.join(each.name for each in found.checks if not each.passed)}.")


@command.command()
@run_argument
@json_option
def publish(run_id: int, as_json: bool) -> None:
    """Make a complete run the one that people see."""
    database = _database()
    serial = publish_run(database, run_id)
    with database.connect(Role.WORKER) as connection:
        run = read_run(connection, run_id)
    _tell(run, f"run {run_id} is published as labels of {run.model} on {run.release} (publication {serial})", as_json, publication=serial)


@command.command()
@run_argument
@json_option
def withdraw(run_id: int, as_json: bool) -> None:
    """Take a published run out of sight; its rows stay."""
    database = _database()
    serial = withdraw_run(database, run_id)
    with database.connect(Role.WORKER) as connection:
        run = read_run(connection, run_id)
    _tell(run, f"run {run_id} is withdrawn (publication {serial})", as_json, publication=serial)
