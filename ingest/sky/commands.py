"""The command ``kiel sky``: a simulated sky with known truth, in the archive's own file formats."""

from dataclasses import asdict
from pathlib import Path

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from catalog.command_output import json_option, report


@click.group("sky")
def command() -> None:
    """A simulated sky with known truth, in the archive's own file formats."""


@command.command()
@click.option("--stars", type=click.IntRange(1, 10_000_000), required=True, help="Number of stars.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed gives the same bytes.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="New folder for the files, or one to go on with."
)
@click.option(
    "--release", type=click.Choice(["dr3", "dr4"]), default="dr3", show_default=True, help="Release whose formats to write; dr4 is a mock."
)
@click.option(
    "--alpha-gain", type=click.FloatRange(0), default=2.0, show_default=True, help="Strength of alpha features; 0 is the negative control."
)
@click.option("--inflate", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True, help="True noise over stated errors.")
@click.option("--max-g", type=click.FloatRange(8, 21), default=17.65, show_default=True, help="Faintest G.")
@click.option(
    "--rv-scatter", type=click.FloatRange(0, 1), default=0.1, show_default=True, help="Spread of R_V, the shape of the extinction curve."
)
@click.option("--workers", type=click.IntRange(1), help="Processes; default: one a core.")
@json_option
def make(
    stars: int, seed: int, out: Path, release: str, alpha_gain: float, inflate: float, max_g: float, rv_scatter: float, workers: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Make a simulated sky of N stars in a folder: gaia_source, XP and RVS files, and the truth beside them."""
    from ingest.sky.make import SkySettings, make_sky

    settings = SkySettings(stars, seed, "dr4" if release == "dr4" else "dr3", alpha_gain, inflate, max_g, rv_scatter)
    columns = (TextColumn("simulated stars"), BarColumn(), TextColumn("{task.completed:.0f} of {task.total:.0f}"), TimeRemainingColumn())
    with Progress(*columns, disable=as_json) as bar:
        task = bar.add_task("", total=stars)
        made = make_sky(settings, out, workers=workers, report=lambda done, total: bar.update(task, completed=done))
    sentence = (
        f"{made.folder} holds a simulated sky of {made.stars} stars: {made.files} files, {made.size / 1e6:.0f} MB, {made.written} of them written now. "
        f"Next: `kiel release add sim_{settings.release}`, `kiel ingest add {made.folder} --release sim_{settings.release} --work`."
    )
    report(asdict(made), sentence, as_json)
