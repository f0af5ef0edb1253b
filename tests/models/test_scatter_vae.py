"""The scatter VAE: shapes of the published network, repeatable training, and labels that follow from a dense computation by hand."""

from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch

from catalog.errors import DataError, UsageError
from catalog.quality import masks
from catalog.releases import KNOWN_RELEASES, DataRelease
from catalog.schema.label_table import LABEL_SCATTER_VAE
from models import scatter_vae
from models.inputs import xp_inputs
from models.learning.sample import TrainingSample
from models.registry import MODELS, model_module

DR3 = KNOWN_RELEASES["gaia_dr3"]
FLAG = masks("scatter_vae")
TINY = scatter_vae.configuration(DR3, "short") | {"steps": 150, "batch": 64, "widths": [40, 10]}


def sample_of(batch, release: DataRelease = DR3) -> TrainingSample:
    stars, _ = xp_inputs(batch, "scatter_vae", release.n_bp, release.n_rp, None)
    return TrainingSample("SELECT 1", stars.source_id, stars, {})


@pytest.fixture(scope="module")
def sample(simulated_spectra) -> TrainingSample:
    return sample_of(simulated_spectra(300))


@pytest.fixture(scope="module")
def weights(sample) -> bytes:
    return scatter_vae.train(sample, TINY, 5, lambda _: None).weights


@pytest.fixture
def model(weights) -> scatter_vae.ScatterVae:
    return scatter_vae.load(weights, TINY)


def test_the_network_has_the_shapes_of_the_published_weights(real_data) -> None:
    """Not the names: each of our parameter shapes occurs as often in the published file."""
    published = np.load(real_data / "weights" / "xp_vae_apogee_weight.npz")
    theirs = sorted(published[name].shape for name in published.files)
    full = scatter_vae.configuration(DR3, "full")
    network = scatter_vae.Network(110, full["widths"], full["latent"])
    assert sorted(tuple(tensor.shape) for tensor in network.state_dict().values()) == theirs


def test_the_network_has_as_many_weights_as_the_published_one() -> None:
    network = scatter_vae.Network(110, [90, 70, 50, 30, 10], 6)
    assert sum(parameter.numel() for parameter in network.parameters()) == 67_182


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(sample, weights) -> None:
    torch.manual_seed(99)  # whatever happened before
    assert scatter_vae.train(sample, TINY, 5, lambda _: None).weights == weights
    assert scatter_vae.train(sample, TINY, 6, lambda _: None).weights != weights


def test_training_leaves_the_callers_random_numbers_and_threads_alone(sample) -> None:
    torch.manual_seed(1)
    expected, threads = torch.rand(3), torch.get_num_threads()
    torch.manual_seed(1)
    scatter_vae.train(sample, TINY | {"steps": 2}, 5, lambda _: None)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_training_learns(sample, model, simulated_spectra) -> None:
    """chi2 of stars it never saw is far below that of the mean spectrum."""
    stars, _ = model.inputs(simulated_spectra(100, first=1000))
    x, sigma = model.standardised(stars)
    drawn, _ = model.reconstruct(model.encode(x)[0])
    assert np.median((((x - drawn) / sigma) ** 2).sum(axis=1)) < 0.2 * np.median(((x / sigma) ** 2).sum(axis=1))


def test_weights_survive_storing(weights, model, simulated_spectra) -> None:
    again = scatter_vae.load(bytes(bytearray(weights)), dict(TINY))
    batch = simulated_spectra(20)
    for name in ("latent", "e_latent", "chi2", "chi2_scatter"):
        np.testing.assert_array_equal(again.predict(batch).labels[name], model.predict(batch).labels[name])


BROKEN = {
    "no safetensors": lambda weights: b"nothing of the kind",
    "cut short": lambda weights: weights[:-100],
    "a tensor missing": lambda weights: _changed(weights, lambda tensors: tensors.pop("mean.weight")),
    "no standardisation": lambda weights: _changed(weights, lambda tensors: tensors.pop("input.scale")),
    "another shape": lambda weights: _changed(weights, lambda tensors: tensors.update({"mean.weight": torch.zeros(6, 11)})),
}


def _changed(weights: bytes, change) -> bytes:
    tensors = safetensors.torch.load(weights)
    change(tensors)
    return safetensors.torch.save(tensors)


@pytest.mark.parametrize("breaking", BROKEN.values(), ids=BROKEN.keys())
def test_weights_that_do_not_fit_are_refused(breaking, weights) -> None:
    with pytest.raises(DataError, match=r"do not fit a scatter_vae of 55 \+ 55 coefficients"):
        scatter_vae.load(breaking(weights), TINY)


def test_labels_follow_from_a_computation_by_hand(weights, model, simulated_spectra) -> None:
    batch = simulated_spectra(7, first=500)
    batch.bp_errors[2, 4] = np.nan
    batch.rp_coefficients[3, 7] = np.nan
    labels = model.predict(batch).labels
    tensors = safetensors.torch.load(weights)
    mean, scale = tensors["input.mean"].numpy(), tensors["input.scale"].numpy()
    for i in range(len(batch)):
        x = (np.r_[batch.bp_coefficients[i], batch.rp_coefficients[i]] / batch.g_mean_flux[i] - mean) / scale
        sigma = np.r_[batch.bp_errors[i], batch.rp_errors[i]] / batch.g_mean_flux[i] / scale
        with torch.no_grad():
            z, log_variance = model.network.encode(torch.tensor(np.nan_to_num(x)[None]).float())
            drawn, scatter = model.network.decode(z)[0].numpy(), model.network.scatter(z)[0].numpy()
        chi2 = chi2_scatter = 0.0
        n = 0
        for j in range(110):
            if np.isfinite(x[j]) and np.isfinite(sigma[j]):
                chi2 += (x[j] - drawn[j]) ** 2 / sigma[j] ** 2
                chi2_scatter += (x[j] - drawn[j]) ** 2 / (sigma[j] ** 2 + scatter[j] ** 2)
                n += 1
        np.testing.assert_allclose(labels["latent"][i], z[0], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(labels["e_latent"][i], np.exp(0.5 * log_variance[0].numpy()), rtol=1e-5)
        np.testing.assert_allclose(labels["chi2"][i], chi2, rtol=1e-4)
        np.testing.assert_allclose(labels["chi2_scatter"][i], chi2_scatter, rtol=1e-4)
        assert labels["n_coefficients"][i] == n
    assert labels["n_coefficients"].tolist() == [110, 110, 109, 109, 110, 110, 110]
    np.testing.assert_allclose(labels["flux_scale"], batch.g_mean_flux, rtol=1e-6)


def test_labels_have_the_label_tables_columns(model, simulated_spectra) -> None:
    labels = model.predict(simulated_spectra(2)).labels
    assert [field.name for field in labels.fields] == [column.name for column in LABEL_SCATTER_VAE.columns[1:]]


def test_every_star_has_a_row_or_a_reason(model, simulated_spectra, without) -> None:
    batch = without(simulated_spectra(40), slice(0, 4), "bp_coefficients", "bp_errors")
    batch = without(batch, slice(4, 6), "bp_coefficients", "bp_errors", "rp_coefficients", "rp_errors")
    batch = without(batch, slice(6, 9), "bp_errors", "rp_errors")
    batch = replace(batch, g_mean_flux=np.where(np.arange(40) < 2, np.nan, batch.g_mean_flux))
    batch.bp_coefficients[10, 0] = 1e300
    predictions = model.predict(batch)
    labelled = set(predictions.labels["source_id"].tolist())
    reasons = {each.source_id: each.reason for each in predictions.no_label}
    assert labelled | reasons.keys() == set(batch.source_id.tolist())
    assert not labelled & reasons.keys()
    of_row = [reasons.get(source_id) for source_id in batch.source_id.tolist()]
    assert of_row[:6] == ["missing_flux_scale"] * 2 + [None] * 2 + ["missing_spectrum"] * 2
    assert of_row[10] == "not_finite"
    assert set(of_row[6:10] + of_row[11:]) == {None}


def test_without_errors_chi2_is_null_and_flagged(model, simulated_spectra, without) -> None:
    labels = model.predict(without(simulated_spectra(3), 1, "bp_errors", "rp_errors")).labels
    for name in ("chi2", "chi2_scatter"):
        assert labels.null(name).tolist() == [False, True, False]
    assert labels["n_coefficients"].tolist() == [110, 0, 110]
    assert (labels["quality_flags"] & FLAG["no_errors"] > 0).tolist() == [False, True, False]
    assert np.isfinite(labels["latent"]).all()


def test_without_bp_the_encoder_sees_the_training_mean(model, simulated_spectra, without) -> None:
    whole = simulated_spectra(3)
    labels = model.predict(without(whole, slice(None), "bp_coefficients", "bp_errors")).labels
    stars, _ = model.inputs(whole)
    x, _ = model.standardised(stars)
    x[:, :55] = 0
    np.testing.assert_allclose(labels["latent"], model.encode(x)[0].numpy(), rtol=1e-5, atol=1e-5)
    assert labels["n_coefficients"].tolist() == [55] * 3
    assert (labels["quality_flags"] & FLAG["missing_bp"] > 0).all()


def test_a_wild_spectrum_is_flagged(model, simulated_spectra) -> None:
    batch = simulated_spectra(2)
    batch.bp_coefficients[1] *= -50
    flags = model.predict(batch).labels["quality_flags"]
    assert (flags & FLAG["poor_reconstruction"] > 0).tolist() == [False, True]


def test_residual_sums_add_up_over_batches(model, simulated_spectra, without) -> None:
    batch = without(simulated_spectra(30), slice(0, 5), "bp_errors")
    whole = model.predict(batch)
    parts = [model.predict(batch.take(slice(a, b))) for a, b in ((0, 7), (7, 8), (8, 30))]
    np.testing.assert_allclose(sum(part.residual_sums for part in parts), whole.residual_sums, rtol=1e-4, atol=1e-4)
    assert whole.residual_sums.shape == (3, model.n_pixels)
    assert whole.residual_sums[2].tolist() == [25.0] * 55 + [30.0] * 55
    np.testing.assert_allclose(whole.residual_sums[1].sum(), whole.labels["chi2_scatter"].sum(), rtol=1e-5)


def test_an_empty_batch_gives_empty_predictions(model, simulated_spectra) -> None:
    predictions = model.predict(simulated_spectra(0))
    assert (len(predictions.labels), predictions.no_label, predictions.residual_sums.sum()) == (0, [], 0.0)


def test_refined_latents_never_fit_worse(model, simulated_spectra) -> None:
    stars, _ = model.inputs(simulated_spectra(50, first=2000))
    x, sigma = model.standardised(stars)
    start, refined = model.encode(x)[0], model.refine(stars).latent

    def objective(z):
        return (((x - model.reconstruct(z)[0]) / sigma) ** 2).sum(axis=1) + (z.numpy() ** 2).sum(axis=1)

    assert (objective(refined) <= objective(start) * (1 + 1e-4)).all()
    assert np.median(objective(refined)) < np.median(objective(start))


def test_a_release_with_other_coefficients_trains_and_predicts(simulated_spectra) -> None:
    release = replace(DR3, n_bp=20, n_rp=31, bp_basis_function_id=1, rp_basis_function_id=2)
    configuration = scatter_vae.configuration(release, "short") | {"steps": 3, "widths": [12, 8]}
    batch = simulated_spectra(50, n_bp=20, n_rp=31)
    trained = scatter_vae.train(sample_of(batch, release), configuration, 0, lambda _: None)
    model = scatter_vae.load(trained.weights, configuration)
    assert model.n_pixels == 51
    assert len(model.predict(batch).labels) == 50
    no_g = replace(batch, g_mean_flux=np.full(50, np.nan))
    assert {each.reason for each in model.predict(no_g).no_label} == {"missing_flux_scale"}


def test_the_two_forms_of_the_loss_weigh_the_latent_variables_differently() -> None:
    torch.manual_seed(0)
    network = scatter_vae.Network(8, [5], 2).eval().requires_grad_(False)
    x, sigma = torch.randn(4, 8), torch.rand(4, 8) + 0.1

    def value(form: str) -> float:
        return float(scatter_vae.loss(network, x, sigma, torch.Generator().manual_seed(3), form))

    mean, log_variance = network.encode(x)
    z = mean + torch.exp(0.5 * log_variance) * torch.randn((4, 2), generator=torch.Generator().manual_seed(3))
    variance = sigma**2 + network.scatter(z) ** 2
    misfit = float((((x - network.decode(z)) ** 2) / variance + variance.log()).sum() / 4)
    divergence = float((mean**2 + log_variance.exp() - 1 - log_variance).sum() / 4)
    assert value("elbo") == pytest.approx(0.5 * misfit + 0.5 * divergence, rel=1e-5)
    assert value("paper") == pytest.approx(misfit / 8 + divergence / 2, rel=1e-5)


@pytest.mark.parametrize("ask", [lambda: scatter_vae.configuration(DR3, "quick"), lambda: model_module("scater_vae")])
def test_a_wrong_name_is_answered_with_the_right_ones(ask) -> None:
    with pytest.raises(UsageError, match=r"short|scatter_vae"):
        ask()


@pytest.mark.parametrize("name", MODELS)
def test_every_model_names_itself_and_its_table(name: str) -> None:
    spec = model_module(name).SPEC
    assert spec.name == name
    assert spec.label_table.name == f"label_{name}"
    assert spec.presets
