"""Fit the emulators of the simulated sky: ``python -m ingest.sky.fitting.fit_emulators --data FOLDER``.

FOLDER holds kurucz93_m05_p00.npz, passbands.npz and parsec_excerpt.npz, which are not part of the product. Prints for each emulator its
origin and its errors, writes the fitted numbers with both sentences into ingest/sky/fitted (or ``--out``), and gives the same numbers
each time.
"""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

import click
import numpy as np

from ingest.sky.fitted import FOLDER, IsochroneFit, StellarFluxFit
from ingest.sky.fitting.flux_errors import errors_at_nodes, errors_at_nodes_left_out, errors_between_nodes
from ingest.sky.fitting.isochrone_errors import errors_along, errors_of_isochrones_left_out
from ingest.sky.fitting.isochrones import fit_isochrones, read_isochrones
from ingest.sky.fitting.stellar_flux import fit_grid, read_grid

Fit = TypeVar("Fit", StellarFluxFit, IsochroneFit)


def stellar_flux(data: Path) -> StellarFluxFit:
    """The fit of the Kurucz grid, rounded as it is stored, with its errors in words."""
    grid = read_grid(data)
    fit = as_stored(fit_grid(grid))
    return replace(
        fit,
        errors=f"At the grid's {2 * grid.real.sum()} models, {errors_at_nodes(fit, grid).sentence()}. "
        f"At models left out of the fit, {errors_at_nodes_left_out(grid).sentence()}. "
        f"Half-way between models against bilinear interpolation of ln flux, {errors_between_nodes(fit, grid).sentence()}.",
    )


def isochrones(data: Path) -> IsochroneFit:
    """The fit of the isochrones, rounded as it is stored, with its errors in words."""
    excerpt = read_isochrones(data)
    fit = as_stored(fit_isochrones(excerpt))
    return replace(
        fit,
        errors=f"Along the {len(excerpt.log_age)} isochrones, {errors_along(fit, excerpt).sentence()}. "
        f"Along isochrones left out of the fit, {errors_of_isochrones_left_out(excerpt).sentence()}.",
    )


def as_stored(fit: Fit) -> Fit:
    """Its arrays in single precision, which is what the files hold."""
    values = {field.name: getattr(fit, field.name) for field in fields(fit)}
    rounded: dict[str, Any] = {
        name: value.astype(np.float32).astype(float) for name, value in values.items() if isinstance(value, np.ndarray)
    }
    return replace(fit, **rounded)


def write(fit: StellarFluxFit | IsochroneFit, path: Path) -> None:
    """One compressed file: the arrays in single precision, the sentences as text."""
    values = {field.name: getattr(fit, field.name) for field in fields(fit)}
    stored: dict[str, Any] = {
        name: value.astype(np.float32) if isinstance(value, np.ndarray) else np.array(value) for name, value in values.items()
    }
    np.savez_compressed(path, **stored)


@click.command(help=__doc__)
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True, help="Folder of the grids.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=FOLDER, help="Folder of the fitted numbers.")
def main(data: Path, out: Path) -> None:
    """Fit, print, write."""
    out.mkdir(parents=True, exist_ok=True)
    for name, fit in (("stellar_flux", stellar_flux(data)), ("isochrones", isochrones(data))):
        path = out / f"{name}.npz"
        write(fit, path)
        click.echo(f"{path.name} ({path.stat().st_size / 1000:.0f} kB)\n  {fit.origin}\n  {fit.errors}")


if __name__ == "__main__":
    main()
