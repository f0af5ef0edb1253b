"""The commands ``kiel model``: versions of the models, trained, listed, shown; and what each model does in its own way.

torch is imported by the functions that need it, so that help and lists are there at once.
"""

import json
from pathlib import Path
from typing import Any

import click

from catalog.command_output import json_option, report
from catalog.database import Role
from catalog.embedded_server import open_database
from catalog.errors import UsageError
from catalog.settings import settings
from catalog.store.model_store import ModelVersion, version_of, versions
from models.learning.options import assigned, preset_option, release_option, settings_option
from models.learning.progress import told_progress
from models.model_commands import VERBS, commands_of
from models.registry import MODELS


@click.group("model")
def command() -> None:
    """Versions of the models: train, list, show, evaluate, predict."""


for verb in VERBS:
    command.add_command(verb)


@command.command()
@click.argument("model", type=click.Choice(list(MODELS)))
@release_option
@preset_option
@click.option("--seed", default=0, show_default=True, help="Seed of split, initial weights and batches.")
@settings_option
@json_option
def train(model: str, release_name: str, preset: str | None, seed: int, assignments: tuple[str, ...], as_json: bool) -> None:
    """Train MODEL and store it as a new version; the version that is there if the same was trained before."""
    from models.learning.versions import train_version
    from models.registry import model_module

    chosen = preset or model_module(model).SPEC.presets[0]
    with told_progress(f"{model} seed {seed}") as told:
        trained = train_version(open_database(settings()), model, release_name, chosen, seed, told, assigned(assignments))
    version, stars = trained.version, trained.version.metrics["split"]["train"]["count"]
    sentence = (
        f"{model} version {version.version} is {'trained' if trained.new else 'there already: same settings, sample and seed'}: {stars} stars, "
        f"seed {seed}, weights {version.weights_sha256[:12]}. Next: `kiel model evaluate {model} --version {version.version}` "
        "or `kiel run create`."
    )
    report({**_summary(version), "new": trained.new}, sentence, as_json)


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
@click.option(
    "--plots", type=click.Path(file_okay=False, path_type=Path), default=None, metavar="DIR",
    help="Draw what the version has learnt into this folder, with its tables.",
)  # fmt: skip
@json_option
def show(model: str, number: int | None, plots: Path | None, as_json: bool) -> None:
    """Show everything that made a version of MODEL, and its figures."""
    with open_database(settings()).connect(Role.WORKER) as connection:
        version = version_of(connection, model, number)
        if plots is not None:
            draw = getattr(commands_of(model), "draw_version", None)
            if draw is None:
                raise UsageError(f"a version of {model} has nothing to draw: `kiel model show {model}` without --plots.")
            files = [str(path) for path in draw(connection, version, plots)]
            report({"model": model, "version": version.version, "files": files}, "\n".join(files), as_json)
            return
    whole = {**vars(version), "created": version.created.isoformat()}
    lines = [f"{name}: {json.dumps(value, indent=2) if isinstance(value, dict) else value}" for name, value in whole.items()]
    report(whole, "\n".join(lines), as_json)


def _summary(version: ModelVersion) -> dict[str, Any]:
    names = ("model_version_id", "model", "version", "release", "seed", "training_count", "training_sha256", "weights_sha256", "trained_on")
    return {name: getattr(version, name) for name in names} | {"created": version.created.isoformat()}
