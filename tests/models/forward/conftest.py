"""Stars with observations, survey labels and estimates, some of them wrong in a way that can be learnt; and a small version with stars of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ingest.sky.make import SkySettings, make_sky
from models.forward.bands import N_BANDS, WAVELENGTHS
from models.forward.confidence.confidence_training import SurveyStars
from models.forward.flux_model import FluxModel
from models.forward.inference.inference import Estimates
from models.forward.observed.observations import KnownLabels, Observations
from models.forward.parameters import logarithmic
from models.forward.training.training_settings import training_settings
from models.forward.type_prior import TypePrior
from models.forward.version import ForwardVersion

DrawStars = Callable[..., SurveyStars]


@pytest.fixture(scope="session")
def small_sky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a simulated sky of 420 stars, bright enough that many have measurements of high quality. To be read; who adds files copies it."""
    folder = tmp_path_factory.mktemp("small") / "sky"
    make_sky(SkySettings(stars=420, seed=11, max_g=15.5), folder, workers=1)
    return folder


@pytest.fixture(scope="session")
def draw_stars() -> DrawStars:
    """``draw_stars(n, seed=0, trouble=1.0)``: stars of which some have wrong estimates, more of them where band 10 is drawn too bright.

    ``trouble`` 0 makes every estimate agree.
    """

    def draw(n: int, seed: int = 0, trouble: float = 1.0) -> SurveyStars:
        random = np.random.default_rng(seed)
        hidden = random.standard_normal(n)
        good = 1 - trouble / (1 + np.exp(2.5 - 2.5 * hidden[:, None] + np.array([0.0, 0.5, -0.5])))
        wrong = random.random((n, 3)) > good

        types = np.column_stack([random.uniform(4, 7, n), random.normal(-0.3, 0.3, n), random.uniform(1, 5, n)])
        survey_error = np.broadcast_to([0.05, 0.05, 0.08], (n, 3))
        error = np.broadcast_to([0.06, 0.1, 0.1], (n, 3))
        survey = types + survey_error * random.standard_normal((n, 3))
        total = np.sqrt(error**2 + survey_error**2 + 0.1**2)
        off = np.where(random.random((n, 3)) < 0.5, -1, 1) * random.uniform(3.5, 8, (n, 3))
        estimated = np.where(wrong, survey + off * total, survey + 0.6 * total * random.standard_normal((n, 3)))
        parallax = random.uniform(0.5, 5, n)
        parallax_error = random.uniform(0.02, 0.1, n)

        wavelength = np.linspace(0.4, 1.0, N_BANDS)
        flux = 100 * parallax[:, None] ** 2 * np.exp(-((wavelength - 2.5 / types[:, :1]) ** 2) / 0.1)
        flux_error = 0.01 * flux
        residual = random.standard_normal((n, N_BANDS))
        residual[:, 10] += 3 * hidden
        predicted = flux + flux_error * residual
        whitening = np.eye(N_BANDS) / flux_error[:, :, None]

        variables = np.column_stack([estimated, np.log(random.uniform(0.01, 0.5, n)), np.log(parallax)])
        covariance = np.zeros((n, 5, 5))
        covariance[:, range(5), range(5)] = np.column_stack([error**2, np.full(n, 1e-4), parallax_error**2])
        chi2 = (residual**2).sum(1)
        numbers = {
            "variables": variables, "loss": chi2, "chi2": chi2, "ln_prior": random.normal(-2, 1, n), "iterations": np.full(n, 5), "converged": np.ones(n, bool),
            "n_starts": np.full(n, 2), "n_minima": np.ones(n, int), "runner_up": np.full((n, 5), np.nan), "runner_up_delta": np.full(n, np.nan),
            "flux": predicted, "flux_information": np.linalg.inv(covariance), "information": np.linalg.inv(covariance), "covariance": covariance,
        }  # fmt: skip
        columns = {
            **{f"phot_{band}_mean_flux_over_error": random.uniform(100, 2000, n) for band in ("g", "bp", "rp")},
            **{f"{band}_chi_squared": random.uniform(20, 200, n) for band in ("bp", "rp")},
            "phot_bp_rp_excess_factor": random.uniform(1.1, 1.3, n), "phot_g_mean_mag": random.uniform(10, 17, n),
            "ruwe": np.exp(0.05 * random.standard_normal(n)), "fidelity_v2": random.uniform(0.5, 1, n), "norm_dg": random.uniform(-30, -5, n),
        }  # fmt: skip
        observed = Observations(
            torch.from_numpy(flux),
            torch.from_numpy(flux_error),
            torch.from_numpy(whitening),
            torch.from_numpy(parallax + parallax_error * random.standard_normal(n)),
            torch.from_numpy(parallax_error),
        )
        labels = KnownLabels(*(torch.tensor(each) for each in (survey, survey_error, np.full(n, 0.1), np.full(n, 0.03))))
        estimates = Estimates(**{name: torch.from_numpy(np.asarray(value)) for name, value in numbers.items()})
        return SurveyStars(columns, observed, labels, estimates)

    return draw


@pytest.fixture(scope="session")
def black_bodies() -> Callable[..., ForwardVersion]:
    """``black_bodies(xi=False)``: a version whose stars are black bodies with radii and a few features, learnt in a second."""

    @lru_cache(maxsize=2)
    def version(xi: bool = False) -> ForwardVersion:
        torch.manual_seed(1)
        random = np.random.default_rng(1)
        n = 1500
        dwarf = random.random(n) < 0.6
        teff = np.where(dwarf, random.uniform(4, 7.5, n), random.uniform(4, 5.3, n))
        logg = np.where(dwarf, 4.6 - 0.2 * np.clip(teff - 5, 0, None), 2.5 + 1.4 * (teff - 4.7)) + 0.1 * random.standard_normal(n)
        types = np.column_stack([teff, random.normal(-0.2, 0.3, n), logg])
        inputs = torch.from_numpy(types)
        model = FluxModel(WAVELENGTHS, xi=xi).double()
        model.centre.copy_(inputs.mean(0))
        model.scale.copy_(inputs.std(0))
        planck = -np.log(np.expm1(1.4388e4 / (WAVELENGTHS * teff[:, None]))) - 5 * np.log(WAVELENGTHS / 500)
        lines = (
            types[:, 1:2] * np.exp(-(((WAVELENGTHS - 450) / 60) ** 2)) * -0.3
            + (logg[:, None] - 4) * np.exp(-(((WAVELENGTHS - 520) / 25) ** 2)) * -0.1
        )
        target = torch.from_numpy(planck + lines - 2.3 * (logg[:, None] - 4.4) + 8)
        with torch.no_grad():
            model.output.bias.copy_(target.mean(0))
            if xi:
                model.extinction_slope.copy_(torch.from_numpy(0.1 * np.log(WAVELENGTHS / 550)))
        optimiser = torch.optim.Adam([each for name, each in model.named_parameters() if "extinction" not in name], lr=1e-2)
        for _ in range(250):
            loss = ((model.ln_flux(inputs) - target) ** 2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        prior = TypePrior.fitted(types, 4, 1)
        return ForwardVersion(
            WAVELENGTHS, model.requires_grad_(False).eval(), prior, prior.quantile(0.001, torch.Generator().manual_seed(1), 10_000)
        )

    return version


@pytest.fixture(scope="session")
def observe() -> Callable[..., tuple[Observations, Tensor]]:
    """``observe(version, n, seed=0)``: stars drawn from its prior as observed with errors of about 1 %, and their true variables."""

    def observed(version: ForwardVersion, n: int, seed: int = 0) -> tuple[Observations, Tensor]:
        random = np.random.default_rng(seed)
        types = version.type_prior.draw(n, torch.Generator().manual_seed(seed)).numpy()
        values = np.column_stack([types, random.exponential(0.3, n) + 0.01, 10 ** random.normal(0, 0.3, n), random.normal(0, 0.3, n)])
        truth = logarithmic(torch.from_numpy(values[:, : version.flux_model.n_parameters]))
        flux = version.flux_model.flux(truth).numpy()
        covariance = (0.0001 * np.eye(N_BANDS) + 0.005**2) * flux[:, :, None] * flux[:, None, :]
        lower = np.linalg.cholesky(covariance)
        seen = flux + (lower @ random.standard_normal((n, N_BANDS, 1)))[..., 0]
        parallax_error = random.uniform(0.02, 0.3, n)
        parallax = values[:, 4] + parallax_error * random.standard_normal(n)
        numbers = (seen, np.sqrt(np.einsum("nii->ni", covariance)), np.linalg.inv(lower), parallax, parallax_error)
        return Observations(*(torch.from_numpy(each) for each in numbers)), truth

    return observed


@dataclass(frozen=True)
class LearnableStars:
    """Stars of a small sky of its own: smooth spectra in ``wavelengths``, their truth, and labels with known errors."""

    wavelengths: np.ndarray
    observed: Observations
    labels: KnownLabels
    variables: torch.Tensor
    extinction: np.ndarray


@pytest.fixture(scope="session")
def learnable_stars() -> Callable[..., LearnableStars]:
    """``learnable_stars(n, seed=0, label_error=1.0, twice=0)``: stars in 12 bands with errors of 1 %; the first ``twice`` of them are two stars alike."""

    def make(n: int, seed: int = 0, label_error: float = 1.0, twice: int = 0) -> LearnableStars:
        random = np.random.default_rng(seed)
        wavelengths = np.geomspace(400.0, 2200.0, 12)
        teff = random.uniform(4.5, 7.0, n)
        types = np.column_stack([teff, random.normal(-0.2, 0.25, n), random.uniform(2.0, 4.6, n)])
        ext = random.gamma(2.0, 0.08, n)
        parallax = random.uniform(0.5, 4.0, n)
        blue = wavelengths / 550 - 1
        ln_flux = (
            np.log(50) - 2 * np.log1p(np.exp(14.4 / (wavelengths / 1000) / teff[:, None] - 3.5)) + 0.3 * types[:, 1:2] * np.exp(-blue)
            - 1.2 * (types[:, 2:] - 4.0) + 0.1 * np.sin(3 * blue) * (types[:, 2:] - 4.0)
        )  # fmt: skip
        extinction = 2.0 * (wavelengths / 550) ** -1.5 * (1 + 0.1 * np.cos(3 * blue))
        flux = np.exp(ln_flux + 2 * np.log(parallax[:, None]) - ext[:, None] * extinction)
        flux[:twice] *= 2
        sigma = 0.01 * flux
        type_error = label_error * np.broadcast_to([0.05, 0.05, 0.08], (n, 3))
        ext_error, parallax_error = np.full(n, 0.03 * label_error), 0.02 * parallax
        noisy = flux + sigma * random.standard_normal(flux.shape)
        tensors = [
            torch.tensor(each) for each in (noisy, sigma, np.eye(12) / sigma[:, :, None], parallax + parallax_error * random.standard_normal(n), parallax_error)
        ]  # fmt: skip
        labels = [
            types + type_error * random.standard_normal((n, 3)), type_error, ext + ext_error * random.standard_normal(n), ext_error,
        ]  # fmt: skip
        variables = torch.tensor(np.column_stack([types, np.log(ext), np.log(parallax)]))
        return LearnableStars(
            wavelengths, Observations(*tensors), KnownLabels(*(torch.tensor(each) for each in labels)), variables, extinction
        )

    return make


@pytest.fixture(scope="session")
def quick_settings() -> dict[str, Any]:
    """Settings of a training of seconds."""
    steps = {"least_steps_network": 300, "least_steps_high_quality": 120, "least_steps_clean": 100}
    epochs = {"epochs_network": 1, "epochs_high_quality": 1, "epochs_clean": 1}
    model = {"width": 16, "layers": 3, "xi": False, "prior_components": 4, "ln_prior_share": 0.001}
    return {**training_settings("full"), **model, **steps, **epochs, "network_rate": 1e-2, "network_rate_clean": 3e-3}
