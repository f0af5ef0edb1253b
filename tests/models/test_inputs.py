"""Every star of a batch becomes an input or a reason, and every oddity a flag."""

from dataclasses import replace

import numpy as np
import pytest

from catalog.quality import masks
from models.inputs import xp_inputs

WEIGHTS = np.r_[1.0, np.zeros(54), 1.0, np.zeros(54)]
FLAG = masks("scatter_vae")
BP, RP = ("bp_coefficients", "bp_errors"), ("rp_coefficients", "rp_errors")

# What is taken away from the first star, and what it becomes: the names of its flags, or the reason for none.
CASES = {
    "whole": ((), True, set()),
    "no G": ((), False, {"flux_synthetic"}),
    "no errors": (("bp_errors", "rp_errors"), True, {"no_errors"}),
    "no RP errors": (("rp_errors",), True, {"incomplete"}),
    "no BP": (BP, True, {"missing_bp"}),
    "no RP": (RP, True, {"missing_rp"}),
    "no BP errors and no RP": (("bp_errors", *RP), True, {"no_errors", "missing_rp"}),
    "no BP, no G": (BP, False, "missing_flux_scale"),
    "no RP, no G": (RP, False, "missing_flux_scale"),
    "nothing": (BP + RP, True, "missing_spectrum"),
    "nothing, no G": (BP + RP, False, "missing_spectrum"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_star_becomes_an_input_with_flags_or_a_reason(case, simulated_spectra, without) -> None:
    names, with_g, expected = case
    batch = without(simulated_spectra(3), 0, *names)
    if not with_g:
        batch = replace(batch, g_mean_flux=np.array([np.nan, *batch.g_mean_flux[1:]]))
    stars, no_label = xp_inputs(batch, "scatter_vae", 55, 55, WEIGHTS)
    if isinstance(expected, str):
        assert [(each.source_id, each.reason) for each in no_label] == [(batch.source_id[0], expected)]
        assert stars.source_id.tolist() == batch.source_id[1:].tolist()
    else:
        assert no_label == []
        assert {name for name, mask in FLAG.items() if stars.quality_flags[0] & mask} == expected
    assert (stars.quality_flags[1 if len(stars) == 3 else 0 :] == 0).all()


def test_coefficients_and_errors_are_divided_by_the_flux_scale(simulated_spectra) -> None:
    batch = simulated_spectra(4)
    stars, _ = xp_inputs(batch, "scatter_vae", 55, 55, WEIGHTS)
    np.testing.assert_allclose(stars.flux_scale, batch.g_mean_flux)
    np.testing.assert_allclose(stars.coefficients[:, :55], batch.bp_coefficients / batch.g_mean_flux[:, None])
    np.testing.assert_allclose(stars.errors[:, 55:], batch.rp_errors / batch.g_mean_flux[:, None])


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -1.0])
def test_a_bad_error_masks_its_number_only(bad: float, simulated_spectra) -> None:
    batch = simulated_spectra(2)
    batch.bp_errors[0, 3] = bad
    stars, no_label = xp_inputs(batch, "scatter_vae", 55, 55, WEIGHTS)
    assert no_label == []
    assert stars.compared.sum(axis=1).tolist() == [109, 110]
    assert not stars.compared[0, 3]
    assert stars.present.all()
    assert stars.quality_flags.tolist() == [FLAG["incomplete"], 0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_bad_coefficient_is_missing(bad: float, simulated_spectra) -> None:
    batch = simulated_spectra(2)
    batch.rp_coefficients[1, 0] = bad
    stars, _ = xp_inputs(batch, "scatter_vae", 55, 55, WEIGHTS)
    assert np.isnan(stars.coefficients[1, 55])
    assert stars.errors[1, 55] == np.inf
    assert stars.quality_flags.tolist() == [0, FLAG["incomplete"]]


def test_another_number_of_coefficients_is_out_of_contract(simulated_spectra) -> None:
    batch = simulated_spectra(3, n_bp=60)
    stars, no_label = xp_inputs(batch, "scatter_vae", 55, 55, WEIGHTS)
    assert len(stars) == 0
    assert [(each.source_id, each.reason) for each in no_label] == [(source_id, "out_of_contract") for source_id in batch.source_id]
    assert "60 BP and 55 RP" in no_label[0].detail


def test_the_batch_is_left_as_it_was(simulated_spectra) -> None:
    batch, same = simulated_spectra(3), simulated_spectra(3)
    batch.bp_coefficients[0, 0] = same.bp_coefficients[0, 0] = np.inf
    xp_inputs(batch, "scatter_vae", 55, 55, WEIGHTS)
    np.testing.assert_array_equal(batch.bp_coefficients, same.bp_coefficients)
    np.testing.assert_array_equal(batch.bp_errors, same.bp_errors)
