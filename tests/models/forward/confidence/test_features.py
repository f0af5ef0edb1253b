"""The features of the classifiers: the paper's formulas, and what is missing."""

import dataclasses

import numpy as np
import pytest
import torch

from models.forward.confidence.features import FEATURES, NO_NEIGHBOUR, SCALARS, features
from models.forward.parameters import PARALLAX


def named(stars) -> dict[str, np.ndarray]:
    values = features(stars.columns, stars.observed, stars.estimates).numpy()
    return dict(zip(FEATURES, values.T, strict=True))


def test_there_are_the_papers_20_numbers_and_66_residuals() -> None:
    assert len(SCALARS) == 20 and len(FEATURES) == 86 and len(set(FEATURES)) == 86


def test_features_are_the_papers_functions_of_what_is_known(draw_stars) -> None:
    stars = draw_stars(30)
    seen, observed, estimates, columns = named(stars), stars.observed, stars.estimates, stars.columns
    parallax = np.exp(estimates.variables[:, PARALLAX].numpy())
    expected = {
        "ln_rchi2_opt": np.log(estimates.chi2.numpy() / 61),
        "ln_dplx2": np.log(((parallax - observed.parallax.numpy()) / observed.parallax_error.numpy()) ** 2),
        "ln_prior": estimates.ln_prior.numpy(),
        "teff_est": estimates.variables[:, 0].numpy(),
        "logg_est": estimates.variables[:, 2].numpy(),
        "feh_est_err": np.full(30, 0.1),
        "asinh_plx_snr": np.arcsinh((observed.parallax / observed.parallax_error).numpy()),
        "asinh_bp_snr": np.arcsinh(columns["phot_bp_mean_flux_over_error"]),
        "ln_phot_bp_rp_excess_factor": np.log(columns["phot_bp_rp_excess_factor"]),
        "phot_g_mean_mag": columns["phot_g_mean_mag"],
        "ln_ruwe": np.log(columns["ruwe"]),
        "norm_dg": columns["norm_dg"],
        "ln_rp_chi_squared": np.log(columns["rp_chi_squared"]),
        "asinh_flux_chi 392 nm": np.arcsinh(((estimates.flux - observed.flux) / observed.flux_error)[:, 0].numpy()),
        "asinh_flux_chi W2": np.arcsinh(((estimates.flux - observed.flux) / observed.flux_error)[:, 65].numpy()),
    }
    for name, values in expected.items():
        assert seen[name] == pytest.approx(values), name


@pytest.mark.parametrize(
    "column, value, feature, expected",
    [
        pytest.param("ruwe", np.nan, "ln_ruwe", np.nan, id="no ruwe"),
        pytest.param("ruwe", 0.0, "ln_ruwe", np.log(1e-7), id="a ruwe of zero has the smallest logarithm"),
        pytest.param("bp_chi_squared", np.nan, "ln_bp_chi_squared", np.nan, id="no BP"),
        pytest.param("norm_dg", np.nan, "norm_dg", NO_NEIGHBOUR, id="a fidelity without norm_dg means no neighbour"),
        pytest.param("fidelity_v2", np.nan, "fidelity_v2", np.nan, id="no fidelity"),
    ],
)
def test_what_the_catalogue_lacks_is_defined(draw_stars, column: str, value: float, feature: str, expected: float) -> None:
    stars = draw_stars(3)
    stars.columns[column][1] = value
    assert named(stars)[feature][1] == pytest.approx(expected, nan_ok=True)
    assert np.isfinite(named(stars)[feature][[0, 2]]).all()


def test_without_a_fidelity_row_nothing_is_known_of_neighbours(draw_stars) -> None:
    stars = draw_stars(3)
    stars.columns["fidelity_v2"][1] = stars.columns["norm_dg"][1] = np.nan
    assert np.isnan(named(stars)["norm_dg"][1])


def test_missing_bands_and_parallaxes_are_no_disagreement(draw_stars) -> None:
    stars = draw_stars(3)
    stars.observed.flux_error[1, 60:] = torch.inf
    stars.observed.flux[1, 60:] = 0
    stars.observed.parallax_error[2], stars.observed.parallax[2] = torch.inf, 0
    seen = named(stars)
    assert seen["asinh_flux_chi W1"][1] == 0 and seen["asinh_flux_chi W1"][0] != 0
    assert np.isnan(seen["ln_dplx2"][2]) and np.isnan(seen["asinh_plx_snr"][2])


def test_precision_and_batch_of_the_observations_do_not_matter(draw_stars) -> None:
    stars = draw_stars(100)
    whole = features(stars.columns, stars.observed, stars.estimates)
    some = torch.tensor([97, 3, 50])
    columns = {name: values[some.numpy()] for name, values in stars.columns.items()}
    assert torch.equal(features(columns, stars.observed.take(some), stars.estimates.take(some)), whole[some])
    single = dataclasses.replace(stars.observed, whitening=stars.observed.whitening.float())
    assert torch.equal(features(stars.columns, single, stars.estimates), whole)
