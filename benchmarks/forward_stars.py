"""Simulated stars for benchmarks of the forward model's solver: fluxes of a flux model, errors with the covariances of real spectra.

Ordinary stars have ext ~ Exp(0.25) and parallaxes of some ten sigma; hard ones have ext ~ Exp(1), are three times further away, and have three
times the parallax error. Errors of the samples are 0.3 to 5 % with Eq. 2 of Zhang, Green & Rix 2023 on top; 30 % of the stars lack all infrared
bands. The model is right by construction, and the stars' types are drawn from its prior: real spectra will have more stubborn stars.
"""

import csv
import gzip
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor, nn

from ingest.sky.light import band_flux_at_surface, band_transmission, dilution, flux_at_surface, transmission
from ingest.sky.options import StarOptions
from ingest.sky.stars import draw_stars
from ingest.sky.wavelengths import XP_GRID
from models.forward.bands import FLUX_UNIT, N_BANDS, N_XP, WAVELENGTHS, XP_WAVELENGTHS
from models.forward.flux_model import FluxModel
from models.forward.observed.observations import Observations
from models.forward.parameters import logarithmic
from models.forward.type_prior import TypePrior
from models.forward.version import ForwardVersion
from models.numerics.xp_sampling import sampling_matrices

BP_END = 640.0
"""nm."""
TYPE_ERRORS = (0.06, 0.06, 0.1)
"""kK, dex, dex."""


def fitted_version(stars: int = 20_000, steps: int = 3_000, seed: int = 0) -> ForwardVersion:
    """A flux model fitted to the noise-free spectra of simulated stars whose types have a survey's errors, and the prior of those types.

    Without errors the network would learn the steps between stars of one type and different masses, which no survey resolves. The extinction
    curve is the sky's own.
    """
    torch.manual_seed(seed)
    drawn = draw_stars(stars, np.random.default_rng(seed), StarOptions())
    labels = drawn.labels
    at_1_kpc = dilution(drawn.radius, np.ones(stars))[:, None]
    xp = np.stack([np.interp(XP_WAVELENGTHS, XP_GRID, row) for row in flux_at_surface(labels, drawn.kind, drawn.shape)])
    target = torch.from_numpy(np.log(np.hstack([xp, band_flux_at_surface(labels, drawn.kind)]) * at_1_kpc / FLUX_UNIT)).float()
    types = np.stack([labels.teff / 1000, labels.feh, labels.logg], axis=1)
    types += np.random.default_rng([seed, 1]).normal(size=types.shape) * TYPE_ERRORS
    model = FluxModel(WAVELENGTHS)
    inputs = torch.from_numpy(types).float()
    model.centre.copy_(inputs.median(0).values)
    model.scale.copy_(inputs.std(0))
    depth = -np.log(np.hstack([transmission(np.ones(1))[:, np.searchsorted(XP_GRID, XP_WAVELENGTHS)], band_transmission(np.ones(1))]))
    with torch.no_grad():
        model.ln_extinction.copy_(torch.from_numpy(np.log(depth[0])))
        model.output.bias.copy_(target.mean(0))
    network = [each for name, each in model.named_parameters() if name != "ln_extinction"]
    optimiser = torch.optim.Adam(network, lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        some = torch.randint(0, stars, (1024,))
        loss = nn.functional.mse_loss(model.ln_flux(inputs[some]), target[some])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    prior = TypePrior.fitted(types, 16, seed)
    cut = prior.quantile(0.001, torch.Generator().manual_seed(seed))
    return ForwardVersion(WAVELENGTHS, model.double().requires_grad_(False).eval(), prior, cut)


def real_covariances(files: list[Path]) -> Float64[np.ndarray, "m 61 61"]:
    """Covariances of the relative errors of real two-band spectra (CSV of the archive), each scaled to unit median variance."""
    csv.field_size_limit(10_000_000)
    shapes = []
    for path in files:
        with gzip.open(path, "rt") as file:
            for row in csv.DictReader(file):
                if not (row["bp_coefficients"] and row["rp_coefficients"]):
                    continue
                matrices = sampling_matrices(int(row["bp_basis_function_id"]), int(row["rp_basis_function_id"]), XP_WAVELENGTHS)
                flux, covariance = np.zeros(N_XP), np.zeros((N_XP, N_XP))
                for band, matrix in matrices.items():
                    numbers = {
                        name: np.array([float(each) for each in row[f"{band}_{name}"].strip("()[]").split(",")]) for name in _COLUMNS
                    }
                    correlation = np.eye(len(matrix))
                    correlation[np.tril_indices(len(matrix), -1)] = numbers[
                        "coefficient_correlations"
                    ]  # the upper triangle column by column
                    spread = matrix * numbers["coefficient_errors"][:, None]
                    flux += numbers["coefficients"] @ matrix
                    covariance += spread.T @ np.where(correlation == 0, correlation.T, correlation) @ spread
                if flux.min() > 0.1 * np.median(flux):
                    relative = covariance / np.outer(flux, flux)
                    shapes.append(relative / np.median(np.diag(relative)))
    return np.array(shapes)


_COLUMNS = ("coefficients", "coefficient_errors", "coefficient_correlations")


def observed_stars(
    version: ForwardVersion, n: int, shapes: Float64[np.ndarray, "m 61 61"], seed: int, *, hard: bool
) -> tuple[Observations, Tensor]:
    """n stars as observed, and the true variables."""
    rng = np.random.default_rng(seed)
    types = version.type_prior.draw(n, torch.Generator().manual_seed(seed)).numpy()
    types[:, 0] = np.clip(types[:, 0], 3.6, 9.0)
    giant = types[:, 2] < 3.8
    parallax = np.where(giant, 10 ** rng.normal(-0.5, 0.3, n), 10 ** rng.normal(0.1, 0.35, n)) * (0.3 if hard else 1.0)
    ext = rng.exponential(1.0 if hard else 0.25, n) + 1e-3
    truth = logarithmic(torch.from_numpy(np.column_stack([types, ext, parallax])))
    flux = version.flux_model.flux(truth).numpy()
    bp = np.where(XP_WAVELENGTHS < BP_END, 1.0, 0.0)
    level = 10 ** rng.uniform(-2.5, -1.3, n)
    relative = shapes[rng.integers(len(shapes), size=n)] * level[:, None, None] ** 2
    relative = relative + 0.005**2 * (np.eye(N_XP) + 1) + 0.001**2 * (np.outer(bp, bp) + np.outer(1 - bp, 1 - bp))
    covariance = np.zeros((n, N_BANDS, N_BANDS))
    covariance[:, :N_XP, :N_XP] = relative * flux[:, :N_XP, None] * flux[:, None, :N_XP]
    nir = np.arange(N_XP, N_BANDS)
    covariance[:, nir, nir] = (0.03 * flux[:, nir]) ** 2
    lower = np.linalg.cholesky(covariance)
    seen = flux + np.einsum("nij,nj->ni", lower, rng.standard_normal((n, N_BANDS)))
    whitening = np.linalg.inv(lower)
    flux_error = np.sqrt(np.einsum("nii->ni", covariance))
    lacking = rng.random(n) < 0.3
    whitening[np.ix_(lacking, nir)] = 0.0
    seen[np.ix_(lacking, nir)] = 0.0
    flux_error[np.ix_(lacking, nir)] = np.inf
    parallax_error = rng.uniform(0.02, 0.12, n) * (3 if hard else 1)
    measured = parallax + parallax_error * rng.standard_normal(n)
    return Observations(*(torch.from_numpy(each) for each in (seen, flux_error, whitening, measured, parallax_error))), truth
