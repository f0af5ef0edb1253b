"""What needs several layers: the demonstration, composed of the public functions that the single commands call too.

Only this file and kiel_main stand above ingest, models and tap_service.
"""

import itertools
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from catalog import migrate
from catalog.command_output import json_option, report
from catalog.database import Database, Role
from catalog.embedded_server import embedded_server, open_database
from catalog.errors import DataError, RunError, TransientError, UsageError
from catalog.releases import DataRelease, add_release
from catalog.runs import create_run, publish_run
from catalog.settings import settings
from catalog.statements import statement

UNSUPERVISED = "scatter_vae"
"""The model that learns from spectra alone: the demonstration always has it."""
MODELS = (UNSUPERVISED, "forward")
DEFAULT_URL = "http://127.0.0.1:8000/tap"

COUNT = "SELECT COUNT(*) AS n FROM gaia{suffix}.xp_continuous_mean_spectrum"
ONE_STAR = "SELECT TOP 1 ra, dec FROM labels_{suffix}.scatter_vae WHERE ra IS NOT NULL ORDER BY chi2"
CONE = """SELECT g.source_id, g.ra, g.dec, g.phot_g_mean_mag, l.chi2
FROM gaia{suffix}.gaia_source AS g LEFT JOIN labels_{suffix}.scatter_vae AS l ON l.source_id = g.source_id
WHERE DISTANCE(g.ra, g.dec, {ra:.6f}, {dec:.6f}) < 1.0"""
WORST = """SELECT TOP 10 source_id, chi2 / n_coefficients AS reduced_chi2, quality_flags
FROM labels_{suffix}.scatter_vae WHERE chi2 IS NOT NULL ORDER BY reduced_chi2 DESC"""

RELIABLE = "SELECT TOP 10 source_id, teff, e_teff, logg, feh, ext, parallax FROM labels_{suffix}.forward WHERE quality_flags < 8"
KIEL_DIAGRAM = """SELECT kind, COUNT(*) AS n, AVG(teff) AS mean_teff, AVG(e_teff) AS mean_e_teff, AVG(feh) AS mean_feh, AVG(ext) AS mean_ext
FROM (SELECT CASE WHEN logg < 3.5 THEN 'giants' ELSE 'dwarfs' END AS kind, teff, e_teff, feh, ext
      FROM labels_{suffix}.forward WHERE quality_flags < 8) AS l
GROUP BY kind ORDER BY kind"""
_MEANS = {"mean_teff": 0, "mean_e_teff": 0, "mean_feh": 2, "mean_ext": 2}
"""Its means, and the digits behind the point that they are told with."""


@dataclass
class Story:
    """What a flow did, step by step, with counts and seconds; told while it happens."""

    steps: list[dict[str, Any]] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[dict[str, Any]]:
        """Time a step; what the block puts into ``result`` is told behind its name."""
        step: dict[str, Any] = {"step": name, "result": ""}
        click.echo(f"{name} ...", err=True)
        began = time.monotonic()
        yield step
        step["seconds"] = round(time.monotonic() - began, 1)
        self.steps.append(step)

    def table(self) -> Table:
        """The whole story as a table."""
        table = Table("step", "what was done", "seconds", title="What the demonstration did")
        for step in self.steps:
            table.add_row(step["step"], str(step["result"]), f"{step['seconds']:.1f}")
        table.add_row("total", "", f"{sum(step['seconds'] for step in self.steps):.1f}")
        return table


@click.command("demo")
@click.option(
    "--real",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder with real XP files of Gaia DR3 to use in place of a simulated sky.",
)
@click.option("--stars", default=3000, show_default=True, type=click.IntRange(100, 1_000_000), help="Stars of the simulated sky.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="TCP port of the service; 0 takes a free one.")
@click.option("--keep-serving", is_flag=True, help="Go on serving after the questions, until Ctrl-C.")
@json_option
def command(real: Path | None, stars: int, port: int, keep_serving: bool, as_json: bool) -> None:
    """Everything end to end, on a small simulated sky or on real spectra: ingest, training, run, publication, service, questions over HTTP."""
    if real is not None and not real.is_dir():
        raise UsageError(f"{real} is no folder; `kiel demo --real DIR` wants one with XP continuous spectra.")
    story = Story()
    database, release = prepare(story, "sim_dr3" if real is None else "gaia_dr3")
    load_files(database, release, simulated_sky(stars, story) if real is None else real, story)
    labelled = [model for model in MODELS if label_stars(database, release, model, story)]
    with served(port) as url:
        answers = ask(url, release, labelled, story)
        if as_json:
            report({"steps": story.steps, "answers": answers, "url": url, "simulated": release.simulated}, "", as_json)
        else:
            tell(story, answers, release, labelled, url, keep_serving)
        if keep_serving:
            click.echo(f"Serving at {url} until Ctrl-C.", err=as_json)
            signal_wait()


def prepare(story: Story, release_name: str) -> tuple[Database, DataRelease]:
    """A running database with the newest schema and the release."""
    with story.step("database up") as step:
        database = open_database(settings()) if settings().database_url else embedded_server(settings()).up()
        with database.connect(None) as connection:
            step["result"] = f"PostgreSQL {connection.info.server_version // 10000}"
    with story.step("migrate") as step:
        step["result"] = f"schema at {migrate.upgrade(database)}"
    with story.step("release") as step:
        release = add_release(database, release_name)
        step["result"] = f"{release.name}: {release.n_bp} BP and {release.n_rp} RP coefficients{', simulated' if release.simulated else ''}"
    return database, release


def simulated_sky(stars: int, story: Story) -> Path:
    """The folder of a small simulated sky, made on first use and kept."""
    from ingest.sky.make import SkySettings, make_sky

    with story.step("simulated sky") as step:
        made = make_sky(SkySettings(stars=stars, seed=0), settings().home / "sky" / f"demo-{stars}")
        step["result"] = f"{made.stars} simulated stars, {made.files} files, {made.size / 1e6:.0f} MB in {made.folder}"
    return made.folder


def load_files(database: Database, release: DataRelease, directory: Path, story: Story) -> None:
    """Files of ``directory`` into the release's tables, their surveys linked, the papers' training cuts counted."""
    from ingest.linking.cuts import count_cuts
    from ingest.load import add_paths

    with story.step("ingest") as step:
        summary = add_paths(database, release.name, [directory], work=True)
        with database.connect(Role.WORKER) as connection:
            sources = connection.execute(statement("sources_by_layout"), {"release": release.name}).fetchall()
        step["result"] = (
            f"{len(summary.files)} files: {summary.count('loaded')} loaded, {summary.count('not_a_product')} of other kinds, "
            f"{summary.count('failed')} failed, {len(summary.unreadable)} unreadable; {summary.rows_in} rows, {summary.rows_rejected} rejected; "
            f"{sum(count for _, count in sources)} sources with XP spectra ({', '.join(f'{count} with {what}' for what, count in sources)})"
        )
    with story.step("link") as step:
        step["result"] = _linked(database, release)
    with story.step("training cuts") as step:
        papers = count_cuts(database, release.name)
        step["result"] = (
            ", ".join(f"{paper.paper} {paper.chosen} of {paper.candidates} rows chosen" for paper in papers if paper.candidates)
            or "no rows of the surveys that the papers train on"
        )


def label_stars(database: Database, release: DataRelease, model: str, story: Story) -> bool:
    """A model trained on the release's stars, run over every source, validated and published; False where there is nothing to train it on.

    What it learns without survey labels is trained whatever there is: that it cannot be is an error.
    """
    from models.learning.versions import train_version
    from models.running.scheduling import work
    from models.running.validation import validate_run

    kind = "simulated" if release.simulated else "real"
    with story.step(f"train {model}") as step:
        try:
            trained = train_version(database, model, release.name, "short", 0, lambda progress: None)
        except DataError as error:
            if model == UNSUPERVISED:
                raise
            step["result"] = f"skipped: {error}"
            return False
        version = trained.version
        step["result"] = (
            f"version {version.version} ({'new' if trained.new else 'there already'}): {version.metrics['split']['train']['count']} {kind} stars"
        )
    with story.step(f"run {model}") as step:
        run = create_run(database, model, release.name, version=version.version)
        run = work(database, run.run_id, workers=os.cpu_count() or 1).run
        with database.connect(Role.WORKER) as connection:
            reasons = dict(connection.execute(statement("no_label_reasons"), {"run_id": run.run_id}).fetchall())
        why = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
        step["result"] = f"run {run.run_id}: {run.labelled} sources labelled, {run.unlabelled} not" + (f" ({why})" if why else "")
    with story.step(f"validate {model}") as step:
        found = validate_run(database, run.run_id)
        checks = ", ".join(f"{check.name} {'passed' if check.passed else 'FAILED'}" for check in found.checks)
        figures = "; ".join(f"{each.words} {each.value:.3g} {each.unit}".strip() for each in found.figures)
        step["result"] = f"{checks}; of {kind} stars: {figures}" if figures else checks
        if not found.passed:
            raise RunError(f"run {run.run_id} of {model} did not pass: {checks}.")
    with story.step(f"publish {model}") as step:
        step["result"] = f"publication {publish_run(database, run.run_id)}"
    return True


def _linked(database: Database, release: DataRelease) -> str:
    """Link survey rows to the sources as ``kiel ingest work`` does after a load; what became of them, in words."""
    from ingest.linking.release_links import link_release

    links = link_release(database, release.name)
    surveys = ", ".join(f"{each.survey} {each.linked} of {each.rows} rows linked" for each in links.surveys)
    photometry = f"2MASS photometry of {links.two_mass.rows} sources" if links.two_mass is not None else "nothing of 2MASS"
    return f"{surveys or 'no survey has rows'}; {sum(each.ambiguous for each in links.surveys)} ambiguous; {photometry}"


@contextmanager
def served(port: int) -> Iterator[str]:
    """The TAP service as the command that an operator starts, until the block ends; its URL. A taken port gives way to a free one."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the service ends with the demonstration, however that is ended
    with tempfile.TemporaryFile("w+") as log:  # a file takes whatever the service logs; a pipe that nobody reads would block it
        for candidate in (port, 0):
            words = [sys.executable, "-m", "kiel_main", "tap", "serve", "--port", str(candidate)]
            process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True)
            url = _announced_url(process)
            if url is not None:
                break
        else:
            log.seek(0)
            said = log.read().strip().splitlines()
            raise TransientError(f"the TAP service did not start: {said[-1] if said else 'it said nothing within 30 s'}")
        try:
            yield url
        finally:
            process.terminate()
            process.wait(timeout=15)


def _announced_url(process: "subprocess.Popen[str]") -> str | None:
    """The URL that the service prints once it answers; None if it ended or said nothing."""
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], 30)
    line = process.stdout.readline() if readable else ""
    if "http" not in line:
        process.kill()
        return None
    return line.split()[-1]


def ask(url: str, release: DataRelease, labelled: Collection[str], story: Story) -> dict[str, Any]:
    """Ask the service over HTTP with pyvo, as an astronomer would: a count, a cone search, the ten worst reconstructions, giants and dwarfs."""
    import pyvo

    service = pyvo.dal.TAPService(url)
    answers: dict[str, Any] = {}
    with story.step("ask over HTTP") as step:
        answers["sources"] = int(service.search(COUNT.format(suffix=release.suffix))["n"][0])
        star = service.search(ONE_STAR.format(suffix=release.suffix))
        cone = CONE.format(suffix=release.suffix, ra=float(star["ra"][0]), dec=float(star["dec"][0])) if len(star) else None
        answers["cone"] = {"query": cone, "rows": len(service.search(cone)) if cone else 0}
        worst = service.search(WORST.format(suffix=release.suffix))
        answers["worst"] = [
            {"source_id": int(row["source_id"]), "reduced_chi2": float(row["reduced_chi2"]), "quality_flags": int(row["quality_flags"])}
            for row in worst
        ]
        kinds = service.search(KIEL_DIAGRAM.format(suffix=release.suffix)) if "forward" in labelled else []
        answers["kinds"] = [
            {name: str(row[name]) if name == "kind" else float(row[name]) for name in ("kind", "n", *_MEANS)} for row in kinds
        ]
        step["result"] = (
            f"{answers['sources']} sources, {answers['cone']['rows']} stars within 1 degree of one of them, {len(worst)} worst reconstructions"
        ) + "".join(f", {row['n']:.0f} {row['kind']}" for row in answers["kinds"])
    return answers


def tell(
    story: Story, answers: dict[str, Any], release: DataRelease, labelled: Collection[str], url: str, keep_serving: bool
) -> None:  # fmt: skip
    """Print what was done, what the service answered, and how to go on."""
    console = Console()
    console.print(story.table())
    worst = Table(
        "source_id",
        "chi2 / coefficients",
        "quality_flags",
        title=f"The ten {'simulated ' if release.simulated else ''}spectra with the worst reconstruction",
    )
    for row in answers["worst"]:
        worst.add_row(str(row["source_id"]), f"{row['reduced_chi2']:.1f}", str(row["quality_flags"]))
    console.print(worst)
    if answers["kinds"]:
        simulated = "simulated " if release.simulated else ""
        kinds = Table(
            "kind",
            "stars",
            "mean teff, K",
            "mean error, K",
            "mean [Fe/H]",
            "mean ext, mag",
            title=f"Reliable labels of {simulated}stars by the forward model",
        )
        for row in answers["kinds"]:
            kinds.add_row(row["kind"], f"{row['n']:.0f}", *(f"{row[name]:.{digits}f}" for name, digits in _MEANS.items()))
        console.print(kinds)
    # The service of the questions ends with the demonstration; the command to start it again uses the default port.
    start = "" if keep_serving else "  start the service:  ./kiel tap serve\n"
    url = url if keep_serving else DEFAULT_URL
    click.echo(
        f"How to go on:\n{start}"
        f"  TOPCAT:             VO > TAP query, URL {url}\n"
        f"  pyvo:               pyvo.dal.TAPService('{url}').search(QUERY)\n"
        f"  a first query:      {' '.join((RELIABLE if 'forward' in labelled else WORST).format(suffix=release.suffix).split())}\n"
        "  what is there:      ./kiel run status, ./kiel model list, ./kiel ingest status\n"
        "  stop the database:  ./kiel db down"
    )


def signal_wait() -> None:
    """Wait for Ctrl-C."""
    try:
        for _ in itertools.count():
            time.sleep(3600)
    except KeyboardInterrupt:
        return
