"""The scatter VAE's own command under ``kiel model``: evaluate."""

import json
import sys

import click
from rich.console import Console
from rich.table import Table

from catalog.command_output import json_option
from catalog.database import Role
from catalog.embedded_server import open_database
from catalog.settings import settings
from catalog.store.model_store import version_of
from models.learning.options import assigned, preset_option, release_option, settings_option
from models.learning.progress import told_progress

MODEL = "scatter_vae"


@click.command(MODEL)
@click.option("--version", "number", type=int, default=None, help="Evaluate this stored version only.")
@click.option(
    "--seeds", default=3, show_default=True, type=click.IntRange(min=1), help="Number of seeds, from 0; each is trained unless it is there."
)
@release_option
@preset_option
@settings_option
@json_option
def evaluate(number: int | None, seeds: int, release_name: str, preset: str | None, assignments: tuple[str, ...], as_json: bool) -> None:
    """Compare the scatter VAE with principal components on held-out stars, print the table and store it with each version."""
    from models.learning.versions import train_version
    from models.registry import model_module
    from models.scatter_vae_evaluation import evaluate_version

    database = open_database(settings())
    if number is not None:
        with database.connect(Role.WORKER) as connection:
            chosen = [version_of(connection, MODEL, number)]
    else:
        named = preset or model_module(MODEL).SPEC.presets[0]
        chosen = []
        for seed in range(seeds):
            with told_progress(f"{MODEL} seed {seed}") as told:
                chosen.append(train_version(database, MODEL, release_name, named, seed, told, assigned(assignments)).version)
    measured = []
    for version in chosen:
        with database.connect(Role.WORKER) as connection:
            measured.append((version, evaluate_version(connection, version)))
    if as_json:
        rows = [
            {"version": version.version, "seed": version.seed, "group": each.group, "stars": each.stars, **each.median}
            for version, measures in measured for each in measures
        ]  # fmt: skip
        click.echo(json.dumps({"model": MODEL, "measures": rows}))
        return
    table = Table(title="Median reduced chi2 of held-out stars, measurement errors only", title_justify="left")
    for heading in ("stars", "version", "seed", "n", "encoder", "plain PCA", "refined", "EM-PCA"):
        table.add_column(heading, justify="left" if heading == "stars" else "right", no_wrap=True)
    for version, measures in measured:
        for each in measures:
            figures = [f"{each.median[name]:.3g}" for name in ("encoder", "plain_pca", "refined", "em_pca")]
            table.add_row(each.group, str(version.version), str(version.seed), str(each.stars), *figures)
    Console(width=None if sys.stdout.isatty() else 100).print(table)
