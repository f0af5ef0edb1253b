"""Stars with observations, survey labels and estimates as an inference gives them, some of them wrong in a way that can be learnt."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from models.forward.bands import N_BANDS
from models.forward.confidence_training import SurveyStars
from models.forward.inference import Estimates
from models.forward.observations import KnownLabels, Observations

DrawStars = Callable[..., SurveyStars]


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
