"""Errors of labels have the stated size at the stated S/N, and outliers are far outside theirs."""

import numpy as np
import pytest

from ingest.sky.labels import LABEL_NAMES, StellarLabels
from ingest.sky.surveys import label_noise
from ingest.sky.surveys.inputs import SurveyInput
from ingest.sky.surveys.label_noise import LabelErrors, measured


@pytest.mark.parametrize("errors", [label_noise.APOGEE, label_noise.LAMOST, label_noise.GALAH, label_noise.HOT_PAYNE])
def test_errors_are_the_bases_at_their_snr_and_grow_as_one_over_snr(errors: LabelErrors) -> None:
    at = errors.at(np.array([errors.snr, errors.snr / 20, errors.snr / 40, 1e9]))
    for name in LABEL_NAMES:
        values, base = getattr(at, name), getattr(errors, name)
        assert values[0] == pytest.approx(base) and values[3] == pytest.approx(base / 2)
        assert values[2] / values[1] == pytest.approx(2.0, rel=1e-2)


def test_noise_is_z_times_sigma_and_outliers_are_6_to_20_sigma_off(stars: SurveyInput) -> None:
    truth, z = stars.labels, np.random.default_rng(2).standard_normal((len(stars), 6))
    sigma = StellarLabels(*(np.full(len(stars), 0.1),) * 6)
    outlier = np.arange(len(stars)) % 10 == 0
    found = measured(truth, sigma, z, outlier)
    pull = (found.logg - truth.logg) / 0.1
    assert np.allclose(pull[~outlier], z[~outlier, 1])
    assert np.all((np.abs(pull[outlier]) >= 6) & (np.abs(pull[outlier]) <= 20)) and np.array_equal(
        np.sign(pull[outlier]), np.sign(z[outlier, 1])
    )
