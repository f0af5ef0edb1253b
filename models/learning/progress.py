"""A training's progress on stderr: a bar on a terminal, otherwise one line now and then."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from models.spec import Progress, Report

LINE_SECONDS = 10.0
"""Where no terminal shows a bar, a line this often."""


@contextmanager
def told_progress(what: str) -> Iterator[Report]:
    """A report for ``train`` that shows how far it is, until the block ends."""
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
