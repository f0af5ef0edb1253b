"""The commands ``kiel model``: versions of the models, trained, listed, shown and evaluated.

torch is imported by the functions that need it, so that help and lists are there at once.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from catalog.command_output import json_option, report
from catalog.database import Role
from catalog.embedded_server import open_database
from catalog.errors import UsageError
from catalog.settings import settings
from catalog.store.model_store import ModelVersion, version_of, versions
from models.registry import MODELS
from models.spec import Progress, Report

LINE_SECONDS = 10.0
"""Where no terminal shows a bar, a line this often."""

_preset = click.option(
    "--preset", default=None, help="Training preset; default: the model's first, for results; short is for a demonstration."
)
_release = click.option("--release", "release_name", default="gaia_dr3", show_default=True, help="Release whose stars to learn from.")
_set = click.option("--set", "assignments", multiple=True, metavar="NAME=VALUE", help="Replace a setting of the preset (JSON value).")


@click.group("model")
def command() -> None:
    """Versions of the models: train, list, show, evaluate."""


@command.command()
@click.argument("model", type=click.Choice(list(MODELS)))
@_release
@_preset
@click.option("--seed", default=0, show_default=True, help="Seed of split, initial weights and batches.")
@_set
@json_option
def train(model: str, release_name: str, preset: str | None, seed: int, assignments: tuple[str, ...], as_json: bool) -> None:
    """Train MODEL and store it as a new version; the version that is there if the same was trained before."""
    from models.learning.versions import train_version
    from models.registry import model_module

    chosen = preset or model_module(model).SPEC.presets[0]
    with _progress(f"{model} seed {seed}") as told:
        trained = train_version(open_database(settings()), model, release_name, chosen, seed, told, _assigned(assignments))
    version, stars = trained.version, trained.version.metrics["split"]["train"]["count"]
    sentence = (
        f"{model} version {version.version} is {'trained' if trained.new else 'there already: same settings, sample and seed'}: {stars} stars, "
        f"seed {seed}, weights {version.weights_sha256[:12]}. Next: `kiel model evaluate {model} --version {version.version}` "
        "or `kiel run create`."
    )
    report({**_summary(version), "new": trained.new}, sentence, as_json)


@command.command()
@click.argument("model", type=click.Choice(["scatter_vae"]))
@click.option("--version", "number", type=int, default=None, help="Evaluate this stored version only.")
@click.option(
    "--seeds", default=3, show_default=True, type=click.IntRange(min=1), help="Number of seeds, from 0; each is trained unless it is there."
)
@_release
@_preset
@_set
@json_option
def evaluate(
    model: str, number: int | None, seeds: int, release_name: str, preset: str | None, assignments: tuple[str, ...], as_json: bool
) -> None:
    """Compare MODEL with principal components on held-out stars, print the table and store it with each version."""
    from models.learning.evaluate import evaluate_version
    from models.learning.versions import train_version
    from models.registry import model_module

    database = open_database(settings())
    if number is not None:
        with database.connect(Role.WORKER) as connection:
            chosen = [version_of(connection, model, number)]
    else:
        named = preset or model_module(model).SPEC.presets[0]
        chosen = []
        for seed in range(seeds):
            with _progress(f"{model} seed {seed}") as told:
                chosen.append(train_version(database, model, release_name, named, seed, told, _assigned(assignments)).version)
    measured = []
    for version in chosen:
        with database.connect(Role.WORKER) as connection:
            measured.append((version, evaluate_version(connection, version)))
    if as_json:
        rows = [
            {"version": version.version, "seed": version.seed, "group": each.group, "stars": each.stars, **each.median}
            for version, measures in measured for each in measures
        ]  # fmt: skip
        click.echo(json.dumps({"model": model, "measures": rows}))
        return
    table = Table(title="Median reduced chi2 of held-out stars, measurement errors only", title_justify="left")
    for heading in ("stars", "version", "seed", "n", "encoder", "plain PCA", "refined", "EM-PCA"):
        table.add_column(heading, justify="left" if heading == "stars" else "right", no_wrap=True)
    for version, measures in measured:
        for each in measures:
            figures = [f"{each.median[name]:.3g}" for name in ("encoder", "plain_pca", "refined", "em_pca")]
            table.add_row(each.group, str(version.version), str(version.seed), str(each.stars), *figures)
    Console(width=None if sys.stdout.isatty() else 100).print(table)


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List all stored versions."""
    with open_database(settings()).connect(Role.WORKER) as connection:
        there = versions(connection)
    lines = [
        f"{each.model} {each.version}: {each.release}, {each.training_count} stars, seed {each.seed}, {each.created:%Y-%m-%d %H:%M}"
        for each in there
    ]
    report({"versions": [_summary(each) for each in there]}, "\n".join(lines) or "There is no version yet: `kiel model train`.", as_json)


@command.command()
@click.argument("model", type=click.Choice(list(MODELS)))
@click.option("--version", "number", type=int, default=None, help="Number of the version; default: the newest.")
@json_option
def show(model: str, number: int | None, as_json: bool) -> None:
    """Show everything that made a version of MODEL, and its figures."""
    with open_database(settings()).connect(Role.WORKER) as connection:
        version = version_of(connection, model, number)
    whole = {**vars(version), "created": version.created.isoformat()}
    lines = [f"{name}: {json.dumps(value, indent=2) if isinstance(value, dict) else value}" for name, value in whole.items()]
    report(whole, "\n".join(lines), as_json)


def _summary(version: ModelVersion) -> dict[str, Any]:
    names = ("model_version_id", "model", "version", "release", "seed", "training_count", "training_sha256", "weights_sha256", "trained_on")
    return {name: getattr(version, name) for name in names} | {"created": version.created.isoformat()}


def _assigned(assignments: tuple[str, ...]) -> dict[str, Any]:
    """NAME=VALUE words as settings; a value that is no JSON is a word."""
    assigned: dict[str, Any] = {}
    for word in assignments:
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"--set takes NAME=VALUE, not {word!r}.")
        try:
            assigned[name] = json.loads(value)
        except json.JSONDecodeError:
            assigned[name] = value
    return assigned


@contextmanager
def _progress(what: str) -> Iterator[Report]:
    """Shows a training's progress on stderr: a bar on a terminal, otherwise one line now and then."""
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("loss {task.fields[loss]:.2f}, {task.fields[rate]:,.0f} stars/s"),
        )
        with Bar(*columns, TimeRemainingColumn(), console=console) as bar:
            task = bar.add_task(what, total=None, loss=float("nan"), rate=0.0)
            yield lambda each: bar.update(task, total=each.steps, completed=each.step, loss=each.loss, rate=each.rate)
        return
    last = -LINE_SECONDS  # the first report is told at once

    def line(each: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_SECONDS or each.step == each.steps:
            last = time.monotonic()
            done = f"step={each.step}/{each.steps} loss={each.loss:.3f} stars_per_s={each.rate:.0f} seconds_left={each.seconds_left:.0f}"
            click.echo(f"{what}: {done}", err=True)

    yield line
