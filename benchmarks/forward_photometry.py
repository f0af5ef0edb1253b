"""The forward model trained on real photometry: residuals in 13 bands on held-out stars, beside those of a published network.

    python -m benchmarks.forward_photometry --stars FILE.h5 --network FILE.h5 --normalisation FILE.json [--seed N] [--preset full]

``--stars``: the stars that come with Green et al. 2020 (ApJ 907, 57; green2020_test_data_small.h5 of their repository): labels of LAMOST, APOGEE and
GALAH, parallax, reddening (Bayestar19, SFD, or a default that is none), magnitudes in G, BP, RP, PS1 grizy, 2MASS JHKs, WISE W1 W2. ``--network`` and
``--normalisation``: their published network (green2020_nn_model.h5) and how it takes types. A fifth of the stars is held out; on the rest
``models.forward`` trains as it does on spectra: the same code and phases, 13 bands in place of 66.

Both models give magnitudes from a star's type, reddening and parallax, m = M(type) + R reddening + 10 - 5 log10(parallax / mas). Theirs has two
hidden layers, sigmoids, and an R that depends on the type; it gives M of G and the other bands as colours against G. Ours has three layers, tanh, and
one R a band; a flux of 1 stands for magnitude 15 in every band, so that zero points are part of M. Residual: observed less model, of the same held-out
stars, with parallax above ten times its error and a measured reddening, twice:

    labels      at the measured type, reddening and parallax: the errors of all three are in it
    adjusted    reddening and distance modulus moved to fit the star's magnitudes, as far as their errors allow; the type as measured

Whether their network learnt from these stars is not known; ours has not seen those that are compared.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from jaxtyping import Bool, Float64

from models.evaluation.statistics import scatter
from models.forward.bands import NIR_WAVELENGTHS
from models.forward.flux_model import FluxModel
from models.forward.observed.observations import KnownLabels, Observations
from models.forward.settings import CHOICES
from models.forward.training.flux_training import FluxTraining, train_flux_model
from models.forward.training.training_settings import training_settings

BANDS = ("G", "BP", "RP", "g", "r", "i", "z", "y", "J", "H", "Ks", "W1", "W2")
WAVELENGTHS = np.array([622.0, 511.0, 777.0, 481.0, 617.0, 752.0, 866.0, 962.0, *NIR_WAVELENGTHS])
"""nm; where a band lies decides only with which R it starts. Gaia: DR3's pivot wavelengths; PS1: Tonry et al. 2012, ApJ 750, 99, Table 4."""
REFERENCE_MAGNITUDE = 15.0
MODULUS = 5 / np.log(10)
"""Change of the distance modulus with -ln parallax."""
MAGNITUDE = 2.5 / np.log(10)
HELD_OUT_SHARE = 0.2
SETTINGS: dict[str, Any] = {
    "network_rate": 1e-3, "network_rate_clean": 5e-4, "weight_penalty": 100.0, "chi2_cap": 100.0, "cleaning_binaries": False,
}  # fmt: skip
"""In place of the preset's, which are made for spectra: 13 magnitudes with errors of 2 % hold a type far less tightly than 66 fluxes do, so that a fast
network leads stars astray within the errors of their labels; and 0.3 mag of scatter at the labels, 15 errors, is no outlier here. Binaries stay, since
the published network has learnt from them too; flux and parameters at odds with the model are cleaned away as the paper does.
"""
PUBLISHED_ORDER = [0, 2, 1]
"""teff, logg, feh."""
PARALLAX_RATIO = 10.0

Magnitudes = Callable[["Photometry"], tuple[Float64[np.ndarray, "n bands"], Float64[np.ndarray, "n bands"]]]
"""Absolute magnitudes and R of the stars' types."""


@dataclass(frozen=True, eq=False)
class Photometry:
    """Stars with labels (K, dex, dex in the order of ``models.forward.parameters``: teff, feh, logg) and magnitudes; NaN where there is none.

    A reddening that is not known is 0 with an infinite error.
    """

    type: Float64[np.ndarray, "n 3"]
    type_error: Float64[np.ndarray, "n 3"]
    reddening: Float64[np.ndarray, " n"]
    reddening_error: Float64[np.ndarray, " n"]
    parallax: Float64[np.ndarray, " n"]
    parallax_error: Float64[np.ndarray, " n"]
    magnitude: Float64[np.ndarray, "n bands"]
    magnitude_error: Float64[np.ndarray, "n bands"]
    survey: np.ndarray

    def __len__(self) -> int:
        return len(self.parallax)

    def take(self, index: np.ndarray) -> "Photometry":
        """Some of the stars."""
        return Photometry(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


def read_photometry(path: Path) -> Photometry:
    """The stars of a file of Green et al. 2020, whose types stand as teff, logg, feh."""
    with h5py.File(path) as file:
        rows = file["data"][:]
    types, covariance = rows["atm_param"].astype(float), rows["atm_param_cov"].astype(float)
    return Photometry(
        type=types[:, PUBLISHED_ORDER],
        type_error=np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))[:, PUBLISHED_ORDER],
        reddening=rows["r"].astype(float),
        reddening_error=np.where(rows["r_source"] == b"default", np.inf, rows["r_err"]),
        parallax=rows["parallax"].astype(float),
        parallax_error=rows["parallax_err"].astype(float),
        magnitude=rows["mag"].astype(float),
        magnitude_error=rows["mag_err"].astype(float),
        survey=rows["atm_source"].astype(str),
    )


def observations(stars: Photometry) -> Observations:
    """Fluxes whose magnitude is measured against REFERENCE_MAGNITUDE, with independent errors."""
    flux = 10 ** (-0.4 * (stars.magnitude - REFERENCE_MAGNITUDE))
    error = flux * stars.magnitude_error / MAGNITUDE
    there = np.isfinite(flux) & np.isfinite(error)
    flux, error = np.where(there, flux, 0.0), np.where(there, error, np.inf)
    return Observations(
        torch.from_numpy(flux), torch.from_numpy(error), torch.diag_embed(torch.from_numpy(1 / error)),
        torch.from_numpy(stars.parallax), torch.from_numpy(stars.parallax_error),
    )  # fmt: skip


def labels(stars: Photometry) -> KnownLabels:
    """Types in kK and dex, and reddenings."""
    kilo = np.array([1e3, 1.0, 1.0])
    values = (stars.type / kilo, stars.type_error / kilo, stars.reddening, stars.reddening_error)
    return KnownLabels(*(torch.from_numpy(np.ascontiguousarray(each)) for each in values))


def train(stars: Photometry, preset: str, seed: int, **changed: Any) -> FluxTraining:
    """A flux model of 13 bands, trained as on spectra; ``changed`` replaces settings of the preset."""
    settings = {choice.name: choice.ours for choice in CHOICES} | training_settings(preset) | SETTINGS | changed
    return train_flux_model(observations(stars), labels(stars), WAVELENGTHS, settings, seed, lambda progress: None)


def ours(model: FluxModel) -> Magnitudes:
    """Absolute magnitudes of a flux model: a parallax of 100 mas is a distance of 10 pc."""

    def magnitudes(stars: Photometry) -> tuple[Float64[np.ndarray, "n bands"], Float64[np.ndarray, "n bands"]]:
        with torch.no_grad():
            ln_flux = model.ln_flux(labels(stars).type) + 2 * np.log(100.0)
            extinction = MAGNITUDE * torch.exp(model.ln_extinction).expand(len(stars), -1)
        return REFERENCE_MAGNITUDE - MAGNITUDE * ln_flux.numpy(), extinction.numpy()

    return magnitudes


def published(network: Path, normalisation: Path) -> Magnitudes:
    """The network of Green et al. 2020 (their Fig. 2) of types (teff, logg, feh) less a median over a spread."""
    names = ("stellar_model_hidden_1", "stellar_model_hidden_2", "BM", "R")
    with h5py.File(network) as file:
        layers = file["model_weights"]
        kernel = {name: layers[f"{name}/{name}/kernel:0"][:].astype(float) for name in names}
        bias = {name: layers[f"{name}/{name}/bias:0"][:].astype(float) for name in names}
    numbers = json.loads(normalisation.read_text())
    centre, spread = np.array(numbers["theta_med"]), np.array(numbers["theta_std"])

    def magnitudes(stars: Photometry) -> tuple[Float64[np.ndarray, "n bands"], Float64[np.ndarray, "n bands"]]:
        types = (stars.type[:, PUBLISHED_ORDER] - centre) / spread
        hidden = types
        for name in names[:2]:
            hidden = 1 / (1 + np.exp(-(hidden @ kernel[name] + bias[name])))
        absolute = hidden @ kernel["BM"] + bias["BM"]
        absolute[:, 1:] += absolute[:, :1]  # colours against G
        return absolute, np.exp(types @ kernel["R"] + bias["R"])

    return magnitudes


@dataclass(frozen=True, eq=False)
class Residuals:
    """Observed less model magnitudes of n stars, at their labels and with reddening and distance modulus adjusted; NaN where nothing is measured."""

    labels: Float64[np.ndarray, "n bands"]
    adjusted: Float64[np.ndarray, "n bands"]
    extinction: Float64[np.ndarray, "n bands"]


def residuals(stars: Photometry, magnitudes: Magnitudes) -> Residuals:
    """Of stars with a positive parallax. The adjustment is linear least squares in magnitudes, errors of reddening and modulus as its priors."""
    absolute, extinction = magnitudes(stars)
    modulus = 10 - 5 * np.log10(stars.parallax)
    first = stars.magnitude - absolute - extinction * stars.reddening[:, None] - modulus[:, None]
    weight = np.where(np.isfinite(first), stars.magnitude_error**-2, 0.0)
    design = np.stack([extinction, np.ones_like(extinction)], axis=2)  # (n, bands, 2)
    normal = np.einsum("nbi,nb,nbj->nij", design, weight, design)
    normal[:, 0, 0] += stars.reddening_error**-2
    normal[:, 1, 1] += (MODULUS * stars.parallax_error / stars.parallax) ** -2
    moved = np.linalg.solve(normal, np.einsum("nbi,nb->ni", design, weight * np.nan_to_num(first))[..., None])[..., 0]
    return Residuals(first, first - np.einsum("nbi,ni->nb", design, moved), extinction)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Both models on the same held-out stars."""

    stars: Photometry
    ours: Residuals
    published: Residuals

    def table(self) -> str:
        """A row a band: median and spread of residuals in mmag, ours then theirs, and the median R of both."""
        head = f"{'band':5s} {'stars':>6s}  {'at labels: ours':>17s} {'published':>15s}  {'adjusted: ours':>17s} {'published':>15s}  {'R ours':>7s} {'publ.':>6s}"
        lines = [head]
        for band, name in enumerate(BANDS):
            count = int(np.isfinite(self.ours.labels[:, band]).sum())
            cells = []
            for kind in ("labels", "adjusted"):
                for model in (self.ours, self.published):
                    values = getattr(model, kind)[:, band]
                    cells.append(f"{1e3 * np.nanmedian(values):+7.1f} {1e3 * scatter(values):7.1f}")
            theirs, own = np.median(self.published.extinction[:, band]), np.median(self.ours.extinction[:, band])
            lines.append(
                f"{name:5s} {count:6d}  {cells[0]:>17s} {cells[1]:>15s}  {cells[2]:>17s} {cells[3]:>15s}  {own:7.3f} {theirs:6.3f}"
            )
        return "\n".join(lines)

    def by_type(self) -> str:
        """Spread of the adjusted residuals over all bands, mmag, for ranges of teff and logg."""
        teff, logg = self.stars.type[:, 0], self.stars.type[:, 2]
        groups: dict[str, Bool[np.ndarray, " n"]] = {
            "giants, logg < 3.5": logg < 3.5,
            "dwarfs below 5000 K": (logg >= 3.5) & (teff < 5000),
            "dwarfs, 5000 to 6500 K": (logg >= 3.5) & (teff >= 5000) & (teff < 6500),
            "dwarfs above 6500 K": (logg >= 3.5) & (teff >= 6500),
            "[Fe/H] below -1": self.stars.type[:, 1] < -1,
        }
        lines = [f"{'adjusted, all bands':24s} {'stars':>6s} {'ours':>7s} {'publ.':>7s}"]
        for name, chosen in groups.items():
            both = [1e3 * scatter(each.adjusted[chosen].reshape(-1)) for each in (self.ours, self.published)]
            lines.append(f"{name:24s} {int(chosen.sum()):6d} {both[0]:7.1f} {both[1]:7.1f}")
        return "\n".join(lines)


def compare(stars: Photometry, model: FluxModel, network: Magnitudes) -> Comparison:
    """Residuals of the stars whose parallax is above PARALLAX_RATIO times its error, and whose reddening is known."""
    chosen = stars.take((stars.parallax > PARALLAX_RATIO * stars.parallax_error) & np.isfinite(stars.reddening_error))
    return Comparison(chosen, residuals(chosen, ours(model)), residuals(chosen, network))


def split(stars: Photometry, seed: int) -> tuple[Photometry, Photometry]:
    """Stars to learn from and stars held out."""
    held = np.random.default_rng(seed).random(len(stars)) < HELD_OUT_SHARE
    return stars.take(~held), stars.take(held)


def main() -> None:
    """Train, and print the residuals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stars", type=Path, required=True)
    parser.add_argument("--network", type=Path, required=True)
    parser.add_argument("--normalisation", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--preset", default="full")
    options = parser.parse_args()
    learnt, held = split(read_photometry(options.stars), options.seed)
    trained = train(learnt, options.preset, options.seed)
    print(f"{len(learnt)} real stars to learn from, {len(held)} held out; {trained.metrics['seconds']} s")
    for phase in trained.metrics["phases"]:
        words = ", ".join(f"{name} {phase[name]:.1f}" for name in ("chi2", "median_chi2", "L_star", "median_L_star"))
        print(f"phase {phase['phase']}: {phase['stars']} stars, {words}", phase.get("self_cleaning", ""))
    found = compare(held, trained.flux_model, published(options.network, options.normalisation))
    print(
        f"\nresiduals of {len(found.stars)} held-out real stars, parallax above {PARALLAX_RATIO:g} errors, reddening known: median and spread (1.4826 MAD), mmag"
    )
    print(found.table())
    print()
    print(found.by_type())


if __name__ == "__main__":
    main()
