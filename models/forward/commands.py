"""The forward model's own commands under ``kiel model``: evaluate, predict, residuals; and what ``show --plots`` draws."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
import psycopg

from catalog.command_output import json_option, report
from catalog.database import Role
from catalog.embedded_server import open_database
from catalog.errors import UsageError
from catalog.settings import settings
from catalog.store.model_store import ModelVersion, read_version, version_of
from models.learning.progress import LINE_SECONDS

if TYPE_CHECKING:
    from astropy.table import Table

    from models.forward.version import ForwardVersion

MODEL = "forward"
UNITS = {"teff": "K", "feh": "dex", "logg": "dex", "ext": "mag", "parallax": "mas"}
"""Of scatter and bias."""

version_option = click.option("--version", "number", type=int, default=None, help="Number of the version; default: the newest.")
format_option = click.option(
    "--format", "format_", type=click.Choice(["csv", "ecsv"]), default="csv", show_default=True, help="ECSV has units and words too."
)
out_option = click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), default=None, help="Write the table here; default: standard output."
)
plot_option = click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), default=None, help="Draw it into this PNG file.")


def loaded(connection: psycopg.Connection, version: ModelVersion) -> "ForwardVersion":
    """The networks and tables of a stored version."""
    from models.forward.version import ForwardVersion

    stored = read_version(connection, version.model_version_id)
    return ForwardVersion.from_bytes(stored.weights, stored.configuration)


def words_of(version: ModelVersion) -> str:
    """Which version it is and what kind of stars it has learnt from, for titles."""
    return f"{version.model} version {version.version}, learnt from {version.trained_on} stars"


@click.command(MODEL)
@click.option(
    "--teff", multiple=True, required=True, type=float, help="Effective temperature, K. Any option given several times makes a grid."
)
@click.option("--logg", multiple=True, required=True, type=float, help="Surface gravity, log10 of cm/s2.")
@click.option("--feh", multiple=True, required=True, type=float, help="[Fe/H], dex.")
@click.option("--ext", multiple=True, default=(0.0,), show_default=True, type=float, help="Extinction, about E(B-V) in mag.")
@click.option("--parallax", multiple=True, default=(1.0,), show_default=True, type=float, help="Parallax, mas.")
@click.option(
    "--xi", multiple=True, default=(0.0,), show_default=True, type=float, help="Shape of the extinction curve, of versions that have it."
)
@version_option
@format_option
@out_option
@plot_option
@json_option
def predict(
    teff: tuple[float, ...], logg: tuple[float, ...], feh: tuple[float, ...], ext: tuple[float, ...], parallax: tuple[float, ...],
    xi: tuple[float, ...], number: int | None, format_: Literal["csv", "ecsv"], out: Path | None, plot: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Predicted fluxes of stars with these parameters in every band, W m-2 nm-1, and R, the optical depth per unit of extinction."""
    from models.forward.products.figures import predicted_figure
    from models.forward.products.predicted_flux import grid, predicted_flux, write_file, write_table

    with open_database(settings()).connect(Role.WORKER) as connection:
        version = version_of(connection, MODEL, number)
        model = loaded(connection, version)
    if not model.flux_model.has_xi and xi != (0.0,):
        raise UsageError(f"version {version.version} was trained without xi: every star has the same extinction curve.")
    values = [teff, feh, logg, ext, parallax, *([xi] if model.flux_model.has_xi else [])]
    found = predicted_flux(model, grid(values))
    table = found.table()
    table.meta = {"model": MODEL, "version": version.version, "trained_on": version.trained_on}
    if plot is not None:
        write_file(plot, predicted_figure(found, words_of(version)).png)
    outside = int((~found.inside).sum())
    if as_json:
        rows = [
            dict(zip(table.colnames, (each.tolist() if hasattr(each, "tolist") else each for each in row), strict=True)) for row in table
        ]
        report(
            {"model": MODEL, "version": version.version, "trained_on": version.trained_on, "outside": outside, "rows": rows}, "", as_json
        )
    else:
        text = write_table(table, format_, out)
        click.echo(text if out is None else f"{out}: {len(found.flux)} stars in {len(found.wavelengths)} bands.", nl=out is not None)
    if version.trained_on == "simulated":
        click.echo(f"{words_of(version)}: no measurement of the real sky is in these fluxes.", err=True)
    if outside:
        click.echo(
            f"{outside} of {len(found.inside)} stars lie outside the range of types that {words_of(version)}: no more than a guess.",
            err=True,
        )


@click.command(MODEL)
@click.option("--source-id", "source_ids", multiple=True, required=True, type=int, help="Gaia source; may be given several times.")
@click.option("--run", "run_id", type=int, default=None, help="Run whose labels to take; default: the published one, else the newest.")
@format_option
@out_option
@plot_option
@json_option
def residuals(
    source_ids: tuple[int, ...], run_id: int | None, format_: Literal["csv", "ecsv"], out: Path | None, plot: Path | None, as_json: bool
) -> None:
    """Predicted and observed fluxes of labelled stars, and their differences in units of the errors, recomputed from version and labels."""
    from models.forward.products.predicted_flux import write_file, write_table
    from models.forward.products.stored_residuals import residuals_figure, run_residuals

    with open_database(settings()).connect(Role.WORKER) as connection:
        found = run_residuals(connection, run_id, source_ids)
    table = found.table()
    if plot is not None:
        write_file(plot, residuals_figure(found).png)
    if as_json:
        report({**table.meta, "without_label": dict(found.without_label), "rows": _rows(table)}, "", as_json)
    else:
        text = write_table(table, format_, out)
        click.echo(text if out is None else f"{out}: {len(table)} fluxes of {len(found.residuals.source_id)} stars.", nl=out is not None)
    for source_id, reason in found.without_label.items():
        click.echo(f"{source_id} has no residuals in run {found.run.run_id}: {reason}.", err=True)


@click.command(MODEL)
@version_option
@click.option(
    "--truth",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=None,
    help="truth.parquet of the simulated sky that the release holds. Only this command reads it.",
)
@click.option(
    "--information",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=None,
    help="Its information.parquet, or a file with bounds of the same names.",
)
@click.option(
    "--set", "sets", multiple=True, metavar="NAME", help="Named set of reference labels to compare with; default: all that have any star."
)
@click.option(
    "--others", default=20_000, show_default=True, type=click.IntRange(min=0), help="Most stars beside those that the version held out."
)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), default=None, help="The page; default: under evaluations in KIEL_HOME."
)
@json_option
def evaluate(
    number: int | None, truth: Path | None, information: Path | None, sets: tuple[str, ...], others: int, out: Path | None, as_json: bool
) -> None:
    """Measure a version on stars that it has not learnt from, keep the numbers with it, and write a page with the paper's figures."""
    from models.forward.evaluation.evaluate import Request, evaluate_version
    from models.forward.products.predicted_flux import write_file

    database = open_database(settings())
    with database.connect(Role.WORKER) as connection:
        version = version_of(connection, MODEL, number)
        request = Request(truth, information, sets, others)
        named = f"kiel model evaluate {MODEL} --version {version.version}"
        given = [
            *(f" --{name}" for name, value in (("truth", truth), ("information", information)) if value),
            *(f" --set {each}" for each in sets),
        ]
        measured = evaluate_version(connection, version, request, named + "".join(given) + f" --others {others}", _told_now_and_then())
    page = out or settings().home / "evaluations" / f"{MODEL}_{version.version}.html"
    write_file(page, measured.page.html().encode())
    numbers = measured.evaluation.numbers
    if as_json:
        report({"model": MODEL, "version": version.version, "page": str(page), "evaluation": numbers}, "", as_json)
        return
    click.echo(_summary(numbers))
    click.echo(f"{page}: the page with all numbers and figures.")


def _summary(numbers: dict[str, Any]) -> str:
    """The scatter about each reference of the stars that pass its main cut, in a table of lines."""
    kind = "simulated" if numbers["simulated"] else "real"
    lines = [
        f"{numbers['held_out']} held-out stars, {numbers['held_out_beyond']} with poorer data, {numbers['others']} others, all {kind}; scatter (1.4826 MAD) and bias of estimate minus reference:"
    ]
    chosen = [(found["words"], found["groups"]["validated"]["parameters"]) for found in numbers["references"].values()]
    if "truth" in numbers:
        first = next(iter(numbers["truth"].values()))
        chosen.append((f"{first['words']}, {first['groups']['ordinary']['words']}", first["groups"]["ordinary"]["parameters"]))
    for words, parameters in chosen:
        told = ", ".join(
            f"{name} {each['whole']['scatter']:.3g} {UNITS[name]} ({each['whole']['bias']:+.2g})" for name, each in parameters.items()
        )
        lines.append(f"  {words}: {told or 'no star passes the cuts'}")
    return "\n".join(lines)


def _told_now_and_then() -> Callable[[int, int], None]:
    """Tells how many stars have been estimated: one line in ten seconds, and the last."""
    last = time.monotonic()

    def told(done: int, stars: int) -> None:
        nonlocal last
        if done == stars or time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            click.echo(f"estimated {done} of {stars} stars", err=True)

    return told


def _rows(table: "Table") -> list[dict[str, Any]]:
    return [
        {name: value.item() if hasattr(value, "item") else value for name, value in zip(table.colnames, row, strict=True)} for row in table
    ]


def draw_version(connection: psycopg.Connection, version: ModelVersion, folder: Path) -> list[Path]:
    """Write the paper's figures 12 to 15 of a version and its extinction curve (CSV and ECSV) into a folder; the files."""
    from models.forward.products.figures import version_figures
    from models.forward.products.predicted_flux import extinction_table, write_file, write_table

    model = loaded(connection, version)
    files = []
    for drawing in version_figures(model, words_of(version)):
        files.append(write_file(folder / f"{drawing.name}.png", drawing.png))
    table = extinction_table(model)
    table.meta = {"model": MODEL, "version": version.version, "trained_on": version.trained_on}
    for format_ in ("csv", "ecsv"):
        write_table(table, format_, path := folder / f"extinction_curve.{format_}")
        files.append(path)
    return files
