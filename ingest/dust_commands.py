"""The command ``kiel ingest reddening``: E of every source of a release from a local map of the dust."""

import sys
from dataclasses import asdict
from pathlib import Path

import click

from catalog.command_output import json_option, report
from catalog.embedded_server import open_database
from catalog.settings import settings

MAPS = ("bayestar2019", "bayestar2017", "bayestar2015")


@click.command("reddening")
@click.option("--map", "version", type=click.Choice(MAPS), default=MAPS[0], show_default=True, help="The map.")
@click.option("--release", default="gaia_dr3", show_default=True, help="Data release whose sources are asked for.")
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), help="Folder with bayestar/ and sfd/; else that of dustmaps.")
@click.option("--max-samples", type=click.IntRange(min=1), help="Samples of the map to read into memory; else all.")
@json_option
def reddening(version: str, release: str, data_dir: Path | None, max_samples: int | None, as_json: bool) -> None:
    """Mean and error of E for each source by a local map that dustmaps reads; goes on where it was broken off."""
    from ingest.dust_reddening import DustSummary, add_reddening  # astropy's coordinates take a second

    def tell(summary: DustSummary) -> None:
        counts = f"sources={summary.sources} from_map={summary.from_map} from_sfd={summary.from_sfd} outside_maps={summary.outside_maps}"
        print(f"step=reddening map={version} {counts}", file=sys.stderr, flush=True)

    done = add_reddening(open_database(settings()), release, version, data_dir=data_dir, max_samples=max_samples, report=tell)
    lacking = "" if done.sfd_there or not done.outside_maps else " (the files of SFD, which would tell of them, are not there)"
    report(
        asdict(done),
        f"{done.rows_loaded} rows of reddening for {release}: {done.from_map} of {version}, {done.from_sfd} of SFD, {done.rows_rejected} of them "
        f"given up to other files; {done.outside_maps} sources outside the maps{lacking}, {done.without_parallax} without a parallax.",
        as_json,
    )
