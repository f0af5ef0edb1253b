"""What predict promises: a value or a reason for every star whatever its input, the paper's flags, and no star that depends on its companions."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from catalog.binary_copy import Rows
from catalog.errors import DataError, UsageError
from catalog.quality import masks
from catalog.releases import KNOWN_RELEASES
from catalog.schema.label_forward import LABEL_FORWARD, MISSING_BANDS
from catalog.spectra import layout_of
from catalog.stars import StarBatch
from ingest.sky.wavelengths import ln_black_body
from models.forward import model as forward
from models.forward.bands import FLUX_UNIT, N_BANDS, WAVELENGTHS, XP_WAVELENGTHS
from models.forward.flux_model import FluxModel
from models.forward.label_rows import lower_triangular
from models.forward.observed import flux_vectors
from models.forward.triangles import unpacked
from models.forward.type_prior import TypePrior
from models.forward.version import ForwardVersion
from models.numerics.xp_sampling import sampling_matrices
from models.spec import Predictions

BIT = {name: 1 << bit for bit, name in enumerate(MISSING_BANDS)}
NIR = sum(BIT[name] for name in ("J", "H", "Ks", "W1", "W2"))


@pytest.fixture(scope="module")
def model() -> forward.ForwardModel:
    """A version for black bodies: the network is fitted to Planck's law, of which logg says the brightness."""
    rng = np.random.default_rng(5)
    types = np.column_stack([rng.uniform(3.5, 10, 1500), rng.normal(-0.3, 0.3, 1500), rng.uniform(2.3, 5.7, 1500)])
    at_1_kpc = ln_black_body(WAVELENGTHS, 1000 * types[:, 0]) - np.log(FLUX_UNIT)
    at_1_kpc += np.log(10**-15.5) - ln_black_body(np.array([592.0]), 1000 * types[:, 0]) + 2.5 * (4 - types[:, 2:])
    at_1_kpc += 0.02 * types[:, 1:2] * np.cos(WAVELENGTHS / 30)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = FluxModel(WAVELENGTHS)
        inputs, target = torch.from_numpy(types).float(), torch.from_numpy(at_1_kpc).float()
        network.centre.copy_(inputs.mean(0))
        network.scale.copy_(inputs.std(0))
        with torch.no_grad():
            network.output.bias.copy_(target.mean(0))
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
        for step in range(400):
            for group in optimiser.param_groups:
                group["lr"] = 1e-2 * (1 - step / 400)
            loss = ((network.ln_flux(inputs) - target) ** 2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    prior = TypePrior.fitted(types, 4, 0)
    sampling = {str(band): matrix for band, matrix in sampling_matrices(56, 57, XP_WAVELENGTHS).items()}
    cut = prior.quantile(0.001, torch.Generator().manual_seed(0), draws=2000)
    version = ForwardVersion(WAVELENGTHS, network.double().requires_grad_(False).eval(), prior, cut, sampling)
    configuration = forward.configuration(KNOWN_RELEASES["gaia_dr3"], "short") | {"parallax_zero_point": "none"}
    return forward.load(version.to_bytes(), configuration)


@pytest.fixture(scope="module")
def stars(black_body_stars: Callable[..., StarBatch]) -> StarBatch:
    return black_body_stars(40)


def changed(stars: StarBatch, row: int, columns: dict[str, float] | None = None, **arrays: Any) -> StarBatch:
    """The stars with some numbers of one of them replaced; an array of a spectrum by a number or by a function of what it was."""
    values = {name: array.copy() for name, array in stars.columns.items()}
    for name, value in (columns or {}).items():
        values[name][row] = value
    spectra = stars.spectra
    for name, value in arrays.items():
        array = getattr(spectra, name).copy()
        array[row] = value(array[row]) if callable(value) else value
        spectra = replace(spectra, **{name: array})
    given = (
        spectra.bp_coefficients,
        spectra.rp_coefficients,
        spectra.bp_errors,
        spectra.rp_errors,
        spectra.bp_correlations,
        spectra.rp_correlations,
    )
    return StarBatch(replace(spectra, layout=layout_of(*given)), values)


def assert_whole(predictions: Predictions, stars: StarBatch) -> None:
    """Every source once, and nothing but finite numbers in what is not null."""
    found = [*predictions.labels["source_id"].tolist(), *(each.source_id for each in predictions.no_label)]
    assert sorted(found) == sorted(stars.spectra.source_id.tolist())
    for field in predictions.labels.fields:
        if field.dtype.kind == "f":
            values = predictions.labels[field.name][~predictions.labels.null(field.name)]
            assert np.isfinite(values).all(), field.name


def row_of(labels: Rows, source_id: int) -> dict[str, Any]:
    (row,) = np.flatnonzero(labels["source_id"] == source_id)
    return {field.name: None if labels.null(field.name)[row] else labels[field.name][row] for field in labels.fields}


@dataclass(frozen=True)
class Case:
    """What is wrong with a star, and what becomes of it: the reason why it has no label, or what its label says is missing."""

    name: str
    columns: dict[str, float]
    arrays: dict[str, Any]
    reason: str | None = None
    missing: int = 0


NAN = np.nan
BP_GONE = {"bp_coefficients": NAN, "bp_errors": NAN, "bp_correlations": NAN}
RP_GONE = {"rp_coefficients": NAN, "rp_errors": NAN, "rp_correlations": NAN}
NO_TWO_MASS = {name: NAN for band in ("j", "h", "ks") for name in (f"{band}_m", f"{band}_msigcom")}
NO_UNWISE = {name: NAN for band in ("w1", "w2") for name in (f"{band}_flux", f"{band}_dflux")}
CASES = (
    Case("all fluxes zero", {}, {"bp_coefficients": 0.0, "rp_coefficients": 0.0}),
    Case("all fluxes negative", {}, {"bp_coefficients": lambda c: -c, "rp_coefficients": lambda c: -c}),
    Case("fluxes of a thousand suns", {}, {"bp_coefficients": lambda c: 1e12 * c, "rp_coefficients": lambda c: 1e12 * c}),
    Case("BP missing", {}, BP_GONE, missing=BIT["BP"]),
    Case("RP missing", {}, RP_GONE, missing=BIT["RP"]),
    Case("both bands missing", {}, BP_GONE | RP_GONE, reason="missing_spectrum"),
    Case("BP and all infrared missing", NO_TWO_MASS | NO_UNWISE, BP_GONE, missing=BIT["BP"] | NIR),
    Case("one coefficient not a number", {}, {"bp_coefficients": lambda c: np.where(np.arange(len(c)) == 3, NAN, c)}, missing=BIT["BP"]),
    Case("J missing", {"j_m": NAN}, {}, missing=BIT["J"]),
    Case("all infrared missing", NO_TWO_MASS | NO_UNWISE, {}, missing=NIR),
    Case("a crowded star", {"norm_dg": 5.0}, {}, missing=NIR),
    Case("negative infrared fluxes", {"w1_flux": -10.0, "w2_flux": 0.0}, {}, missing=BIT["W1"] | BIT["W2"]),
    Case("infinite variances", {}, {"bp_errors": np.inf, "rp_errors": np.inf}, reason="unusable_spectrum"),
    Case("infinite variances in BP", {}, {"bp_errors": np.inf}, missing=BIT["BP"]),
    Case("errors of zero", {}, {"bp_errors": 0.0, "rp_errors": 0.0}, reason="unusable_spectrum"),
    Case("a singular covariance", {}, {"bp_correlations": 1.0, "rp_correlations": 1.0}),
    Case("an impossible covariance", {}, {"bp_correlations": -1.0, "rp_correlations": -1.0}),
    Case("no correlations", {}, {"bp_correlations": NAN, "rp_correlations": NAN}),
    Case("a negative parallax", {"parallax": -3.0}, {}),
    Case("no parallax", {"parallax": NAN, "parallax_error": NAN}, {}),
    Case("an infinite parallax error", {"parallax_error": np.inf}, {}),
    Case("a parallax error of zero", {"parallax_error": 0.0}, {}),
    Case("an infinite parallax", {"parallax": np.inf}, {}),
    Case("no Gaia photometry", dict.fromkeys(("phot_g_mean_mag", "nu_eff_used_in_astrometry", "ruwe", "fidelity_v2"), NAN), {}),
)


@pytest.fixture(scope="module")
def alone(model: forward.ForwardModel, stars: StarBatch) -> Predictions:
    return model.predict(stars)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_ends_as_a_value_or_a_reason_and_the_batch_goes_on(
    model: forward.ForwardModel, stars: StarBatch, alone: Predictions, case: Case
) -> None:
    batch = changed(stars, 7, case.columns, **case.arrays)
    found = model.predict(batch)
    assert_whole(found, batch)
    source_id = int(stars.spectra.source_id[7])
    reasons = {each.source_id: each.reason for each in found.no_label}
    if case.reason is not None:
        assert reasons == {source_id: case.reason}
    else:
        assert reasons == {}
        assert row_of(found.labels, source_id)["missing_bands"] == case.missing
    others = found.labels["source_id"] != source_id
    for field in found.labels.fields:
        expected = alone.labels[field.name][alone.labels["source_id"] != source_id]
        assert np.array_equal(found.labels[field.name][others], expected, equal_nan=field.dtype.kind == "f"), field.name


def test_ordinary_stars_get_their_temperature_extinction_and_parallax(alone: Predictions, stars: StarBatch) -> None:
    labels = alone.labels
    assert len(labels) == len(stars) and alone.no_label == []
    assert np.median(np.abs(labels["parallax"] - 1.0)) < 0.15  # the network is a rough one
    teff = np.random.default_rng([77, 0]).uniform(4000, 9000, len(stars))  # as black_body_stars draws them
    assert np.median(np.abs(labels["teff"] / teff - 1)) < 0.1
    assert (labels["ext"] > 0).all() and np.median(labels["ext"]) < 0.1
    assert labels["converged"].mean() > 0.9
    assert (labels["n_bands"] == N_BANDS).all() and not labels["missing_bands"].any()


def test_errors_are_the_covariances_and_the_inverse_is_the_inverse(alone: Predictions) -> None:
    labels = alone.labels
    covariance, inverse = unpacked(labels["covariance"]), unpacked(labels["inverse_covariance"])
    for i, name in enumerate(("teff", "feh", "logg", "ext", "parallax")):
        assert labels[f"e_{name}"] == pytest.approx(np.sqrt(covariance[:, i, i]), rel=1e-6)
    scale = np.sqrt(np.einsum("nii->ni", covariance))
    identity = covariance @ inverse * scale[:, None, :] / scale[:, :, None]
    assert np.median(np.abs(identity - np.eye(5)).max(axis=(1, 2))) < 1e-3


def test_shares_of_chi2_add_up_and_the_worst_flux_is_the_worst(model: forward.ForwardModel, stars: StarBatch, alone: Predictions) -> None:
    labels = alone.labels
    parts = labels["chi2_bp"].astype(float) + labels["chi2_rp"] + labels["chi2_nir"]
    assert parts == pytest.approx(labels["chi2_opt"].astype(float), rel=1e-4)
    assert min(labels[name].min() for name in ("chi2_bp", "chi2_rp", "chi2_nir")) >= 0
    observed = model.vectors(stars).observations
    spoilt = changed(stars, 3, {"w2_flux": float(1.5 * stars["w2_flux"][3])})
    row = row_of(model.predict(spoilt).labels, int(stars.spectra.source_id[3]))
    assert row["worst_wavelength"] == pytest.approx(WAVELENGTHS[-1]) and row["worst_residual"] > 5
    assert observed.present.all()


def test_matrices_by_eigenvalues_are_turned_into_triangles_that_whiten_alike() -> None:
    rng = np.random.default_rng(3)
    matrices = torch.from_numpy(rng.normal(size=(4, 7, 7)))
    for star, missing in ((0, slice(2, 4)), (1, slice(4, 7)), (2, slice(0, 2))):
        matrices[star, :, missing] = matrices[star, missing] = 0
    triangles = lower_triangular(matrices)
    assert torch.equal(triangles, torch.tril(triangles))
    assert not triangles[matrices.abs().amax(2) == 0].any(), "what one band adds to chi2 went to a missing one"
    x = torch.from_numpy(rng.normal(size=(4, 7, 5)))
    assert torch.allclose((triangles @ x).norm(dim=1), (matrices @ x).norm(dim=1), rtol=1e-12)


def test_flags_are_the_papers(model: forward.ForwardModel, stars: StarBatch, alone: Predictions) -> None:
    mask = masks("forward")
    labels = alone.labels
    assert ((labels["quality_flags"] & mask["poor_fit"] != 0) == (labels["chi2_opt"] / 61 > 2)).all()
    assert ((labels["quality_flags"] & mask["unlikely_type"] != 0) == (labels["ln_prior"] < model.version.ln_prior_cut)).all()
    assert (labels["quality_flags"] < 64).all()
    off = changed(stars, 2, {"parallax": 50.0})
    row = row_of(model.predict(off).labels, int(stars.spectra.source_id[2]))
    assert (row["quality_flags"] & mask["parallax_off"] != 0) == (abs(row["parallax_deviation"]) > 10)
    assert row["quality_flags"] & (mask["parallax_off"] | mask["poor_fit"])
    # Without classifiers there is no confidence, and none is called low; without a domain nobody is outside.
    assert all(labels.null(name).all() for name in ("teff_confidence", "logg_confidence_calibrated", "out_of_domain", "outside_domain"))
    assert not (labels["quality_flags"] & 7).any()


def test_stars_that_come_twice_are_taken_once(model: forward.ForwardModel, stars: StarBatch, alone: Predictions) -> None:
    found = model.predict(stars.take(np.array([0, 1, 1, 2, 0])))
    assert found.labels["source_id"].tolist() == stars.spectra.source_id[:3].tolist()
    assert [(each.source_id, each.reason) for each in found.no_label] == [(int(stars.spectra.source_id[i]), "duplicate") for i in (1, 0)]


@pytest.mark.parametrize("size", [1, 3, 7, 40])
def test_labels_do_not_depend_on_the_batch_nor_on_the_order(
    model: forward.ForwardModel, stars: StarBatch, alone: Predictions, size: int
) -> None:
    order = np.random.default_rng(size).permutation(len(stars))[: 12 if size == 1 else 40]
    parts = [model.predict(stars.take(order[at : at + size])) for at in range(0, len(order), size)]
    labels = Rows.concatenate([each.labels for each in parts])
    assert labels["source_id"].tolist() == stars.spectra.source_id[order].tolist()
    for field in labels.fields:
        assert np.array_equal(labels[field.name], alone.labels[field.name][order], equal_nan=field.dtype.kind == "f"), field.name


def test_a_star_without_finite_numbers_is_told_which_they_are(model: forward.ForwardModel, stars: StarBatch) -> None:
    found = model.predict(changed(stars.take(slice(1)), 0, {"parallax": 1e30}))
    (refused,) = found.no_label
    assert refused.reason == "not_finite"
    assert "loss" in refused.detail.split(": ")[1].split(", ") and len(refused.detail) < 200


SPOILT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "no bytes of safetensors": ({}, {}),
    "another width": ({}, {"width": 16}),
    "a width that is none": ({}, {"width": None}),
    "xi, which the weights lack": ({}, {"xi": True}),
    "no prior": ({"prior.means": None}, {}),
    "two cuts": ({"ln_prior_cut": torch.zeros(2)}, {}),
    "a cut that is not a number": ({"ln_prior_cut": torch.tensor(torch.nan)}, {}),
    "weights that are not numbers": ({"flux.output.weight": torch.full((N_BANDS, 32), torch.nan)}, {}),
    "part of a domain": ({"domain.place.points": torch.zeros(9, 3)}, {}),
    "part of a classifier": ({"confidence.teff.0.weight": torch.zeros(3)}, {}),
}


@pytest.mark.parametrize(("tensors", "settings"), SPOILT.values(), ids=SPOILT)
def test_weights_that_are_not_whole_are_a_data_error(
    model: forward.ForwardModel, tensors: dict[str, Any], settings: dict[str, Any]
) -> None:
    whole = safetensors.torch.load(model.version.to_bytes())
    left = {name: tensor for name, tensor in (whole | tensors).items() if tensor is not None}
    weights = safetensors.torch.save(left) if tensors or settings else b"weights"
    with pytest.raises(DataError, match="weights"):
        forward.load(weights, dict(model.configuration) | settings)


def test_residual_sums_count_the_bands_that_were_measured(model: forward.ForwardModel, stars: StarBatch, alone: Predictions) -> None:
    assert alone.residual_sums[2].tolist() == [len(stars)] * N_BANDS
    without = model.predict(changed(stars, 4, NO_TWO_MASS | NO_UNWISE, **BP_GONE))
    assert (alone.residual_sums[2] - without.residual_sums[2]).tolist() == [1.0] * 25 + [0.0] * 36 + [1.0] * 5
    assert model.predict(stars.take(slice(0))).residual_sums.tolist() == np.zeros((3, N_BANDS)).tolist()


def test_xi_has_columns_of_its_own_and_the_triangles_stay_those_of_five_labels(model: forward.ForwardModel, stars: StarBatch) -> None:
    plain = model.version.flux_model
    bent = FluxModel(WAVELENGTHS, xi=True).double()
    bent.load_state_dict({**plain.state_dict(), "extinction_slope": torch.from_numpy(0.3 * np.linspace(1, -1, N_BANDS))})
    version = replace(model.version, flux_model=bent)
    configuration = dict(model.configuration) | {"xi": True}
    labels = forward.load(version.to_bytes(), configuration).predict(stars).labels
    assert not any(labels.null(name).any() for name in ("xi", "e_xi", "xi_covariance"))
    assert np.isfinite(labels["xi"]).all() and (labels["e_xi"] > 0).all()
    whole = np.zeros((len(labels), 6, 6))
    whole[:, :5, :5] = unpacked(labels["covariance"])
    whole[:, 5, :5] = whole[:, :5, 5] = labels["xi_covariance"]
    whole[:, 5, 5] = labels["e_xi"].astype(float) ** 2
    error = np.sqrt(np.einsum("nii->ni", whole))
    assert (np.linalg.eigvalsh(whole / error[:, :, None] / error[:, None, :])[:, 0] > -1e-6).all()
    # The inverse triangle is that of the five labels whatever xi is: it goes with their covariances.
    product = unpacked(labels["covariance"]) @ unpacked(labels["inverse_covariance"]) * error[:, None, :5] / error[:, :5, None]
    assert np.median(np.abs(product - np.eye(5)).max(axis=(1, 2))) < 1e-3


def test_spectra_of_another_contract_are_refused_each_by_itself(
    model: forward.ForwardModel, black_body_stars: Callable[..., StarBatch]
) -> None:
    other = black_body_stars(3, release="dr4")
    found = model.predict(other)
    assert [each.reason for each in found.no_label] == ["out_of_contract"] * 3 and len(found.labels) == 0


def test_settings_are_those_of_contract_model_and_training() -> None:
    settings = forward.configuration(KNOWN_RELEASES["gaia_dr3"], "full")
    assert (settings["preset"], settings["n_bp"], settings["bp_basis_function_id"], settings["width"]) == ("full", 55, 56, 32)
    assert "held_out_share" in settings and settings["parallax_zero_point"] == "lindegren2021"
    with pytest.raises(UsageError, match="preset"):
        forward.configuration(KNOWN_RELEASES["gaia_dr3"], "quick")


def test_the_table_has_the_bits_that_flux_vectors_give() -> None:
    assert flux_vectors.MISSING == MISSING_BANDS
    assert [column.name for column in LABEL_FORWARD.columns[:4]] == ["run_id", "source_id", "teff", "e_teff"]
