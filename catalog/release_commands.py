"""The commands ``kiel release``: which data releases this database holds, and adding one."""

from dataclasses import asdict

import click

from catalog.command_output import json_option, report
from catalog.database import Role
from catalog.embedded_server import open_database
from catalog.releases import KNOWN_RELEASES, add_release, list_releases
from catalog.settings import settings


@click.group("release")
def command() -> None:
    """Data releases: their coefficient contract, partitions and public schemas."""


@command.command()
@click.argument("name", type=click.Choice(list(KNOWN_RELEASES)))
@click.option("--ranges", type=click.IntRange(1, 32), default=1, show_default=True, help="Source_id ranges that its tables are cut into.")
@json_option
def add(name: str, ranges: int, as_json: bool) -> None:
    """Add the release NAME; one that is there stays as it is."""
    release = add_release(open_database(settings()), name, ranges=ranges)
    sentence = (
        f"{release.name} is there: gaia{release.suffix} and labels_{release.suffix}, {release.n_bp} BP and {release.n_rp} RP coefficients"
    )
    report(asdict(release), sentence, as_json)


@command.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List the releases of this database."""
    with open_database(settings()).connect(Role.WORKER) as connection:
        releases = list_releases(connection)
    lines = "\n".join(f"{release.name}: epoch J{release.epoch}, {release.n_bp} + {release.n_rp} coefficients" for release in releases)
    report(
        {"releases": [asdict(release) for release in releases]},
        lines or "No release yet; add one with `kiel release add gaia_dr3`.",
        as_json,
    )
