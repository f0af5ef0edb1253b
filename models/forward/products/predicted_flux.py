"""Fluxes that a version predicts for parameters of any star: a table with one row a band.

A type counts as inside the training range where its prior density is not below the version's cut, which leaves out 0.1 % of the prior's mass: the
same rule as the quality flag of a star (Eq. 25).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from astropy import units
from astropy.table import Table
from jaxtyping import Bool, Float

from catalog.errors import UsageError
from models.forward.bands import BAND_NAMES, FLUX_UNIT, N_BANDS
from models.forward.parameters import EXT, N_TYPE, PARALLAX, WITH_XI, logarithmic
from models.forward.version import ForwardVersion

UNITS = {"teff": "K", "feh": None, "logg": None, "ext": "mag", "parallax": "mas", "xi": None}
"""Of the parameters, in the table; None for dex and numbers without unit."""


@dataclass(frozen=True, eq=False)
class PredictedFlux:
    """Parameters of n stars (teff in K), their fluxes (W m-2 nm-1), R of each band, ln of the prior density, and whether the type was learnt."""

    parameters: Float[np.ndarray, "n p"]
    wavelengths: Float[np.ndarray, " bands"]
    flux: Float[np.ndarray, "n bands"]
    extinction: Float[np.ndarray, "n bands"]
    ln_prior: Float[np.ndarray, " n"]
    inside: Bool[np.ndarray, " n"]

    def table(self) -> Table:
        """One row a star and band, with units."""
        n, bands = self.flux.shape
        table = Table()
        for column, name in enumerate(WITH_XI[: self.parameters.shape[1]]):
            table[name] = np.repeat(self.parameters[:, column], bands)
            table[name].unit = UNITS[name]
        table["band"] = np.tile(band_names(self.wavelengths), n)
        table["wavelength"] = np.tile(self.wavelengths, n)
        table["wavelength"].unit = "nm"
        table["flux"] = self.flux.ravel()
        table["flux"].unit = units.Unit("W m-2 nm-1")
        table["extinction"] = self.extinction.ravel()
        table["in_training_range"] = np.repeat(self.inside, bands)
        table["flux"].description = "Predicted flux per wavelength"
        table["extinction"].description = "R: optical depth per unit of ext; flux = (flux without dust) exp(-ext R)"
        table["in_training_range"].description = "Whether the stellar type lies where the version has learnt"
        table["ext"].description = "Extinction, in the unit of the reddening that the version was trained with, about E(B-V)"
        return table


def band_names(wavelengths: Float[np.ndarray, " bands"]) -> list[str]:
    """The bands' names: those of the 66 bands, else the wavelengths."""
    return list(BAND_NAMES) if len(wavelengths) == N_BANDS else [f"{each:g} nm" for each in wavelengths]


def grid(values: Sequence[Sequence[float]]) -> Float[np.ndarray, "n p"]:
    """Every combination of the values of each parameter, the last one running fastest."""
    return np.array(list(itertools.product(*values)), np.float64)


def predicted_flux(version: ForwardVersion, parameters: Float[np.ndarray, "n p"]) -> PredictedFlux:
    """Fluxes of stars with these parameters: teff in K, feh, logg, ext, parallax in mas, and xi if the version has it.

    UsageError for numbers that no star has: a temperature or parallax that is not positive, an extinction below zero, or anything not finite.
    """
    model = version.flux_model
    if parameters.shape[1] != model.n_parameters:
        raise UsageError(f"this version has {model.n_parameters} parameters ({', '.join(WITH_XI[: model.n_parameters])}).")
    if not np.isfinite(parameters).all() or (parameters[:, [0, PARALLAX]] <= 0).any() or (parameters[:, EXT] < 0).any():
        raise UsageError("temperature (K) and parallax (mas) must be above zero, extinction zero or more, and all numbers finite.")
    linear = torch.from_numpy(parameters.copy())
    linear[:, 0] /= 1000
    variables = logarithmic(linear)  # ln 0 is minus infinity, and its exponential no extinction
    with torch.no_grad():
        flux = model.flux(variables)
        extinction = model.extinction(variables).expand_as(flux)
        ln_prior = version.type_prior.ln_density(variables[:, :N_TYPE])
    return PredictedFlux(
        parameters,
        version.wavelengths,
        flux.numpy() * FLUX_UNIT,
        extinction.numpy(),
        ln_prior.numpy(),
        ln_prior.numpy() >= version.ln_prior_cut,
    )


def extinction_table(version: ForwardVersion) -> Table:
    """The extinction curve, R of every band; of a version with xi, the curves of xi = -1, 0 and 1."""
    model = version.flux_model
    table = Table()
    table["band"] = band_names(version.wavelengths)
    table["wavelength"] = version.wavelengths
    table["wavelength"].unit = "nm"
    for name, xi in {"extinction": 0.0, **({"extinction_low": -1.0, "extinction_high": 1.0} if model.has_xi else {})}.items():
        variables = torch.zeros(1, model.n_parameters, dtype=torch.float64)
        variables[:, PARALLAX + 1 :] = xi
        with torch.no_grad():
            table[name] = model.extinction(variables)[0].numpy()
        table[name].description = "R: optical depth per unit of ext" + (f", at xi = {xi:g}" if model.has_xi else "")
    return table


def write_file(path: Path, content: bytes) -> Path:
    """Write a file, with its folder; UsageError where it cannot stand there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}): name another file, or make room.") from error
    return path


def write_table(table: Table, format_: Literal["csv", "ecsv"], to: Path | None) -> str:
    """The table as text, written to a file if one is named; CSV keeps names and numbers only, ECSV units and words too."""
    import io

    text = io.StringIO()
    table.write(text, format=f"ascii.{format_}", **({"delimiter": ","} if format_ == "ecsv" else {}))
    if to is not None:
        write_file(to, text.getvalue().encode())
    return text.getvalue()
