"""A flux model learns spectra and extinction from stars with noisy labels, cleans binaries away, and ends in the same weights however often it is broken off."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from catalog.errors import DataError, RunError, TransientError
from models.forward.observed.observations import KnownLabels
from models.forward.training.checkpoint import Checkpoint
from models.forward.training.flux_training import FluxTraining, train_flux_model
from models.spec import Progress

Stars = Any
NOTHING: Callable[[Progress], None] = lambda progress: None  # noqa: E731


def trained(
    stars: Stars,
    settings: dict[str, Any],
    seed: int = 0,
    report: Callable[[Progress], None] = NOTHING,
    checkpoint: Checkpoint | None = None,
) -> FluxTraining:
    return train_flux_model(stars.observed, stars.labels, stars.wavelengths, settings, seed, report, checkpoint=checkpoint)


@pytest.fixture(scope="module")
def stars(learnable_stars: Callable[..., Stars]) -> Stars:
    return learnable_stars(400, twice=20)


@pytest.fixture(scope="module")
def training(stars: Stars, quick_settings: dict[str, Any]) -> FluxTraining:
    return trained(stars, quick_settings)


def test_fluxes_of_clean_stars_are_learnt_to_their_errors(training: FluxTraining, stars: Stars) -> None:
    last = training.metrics["phases"][-2]
    assert last["phase"] == 5
    assert last["median_chi2"] < 12  # bands
    ratio = training.flux_model.flux(stars.variables[20:]) / stars.observed.flux[20:]
    assert float((ratio - 1).abs().median()) < 0.03  # at the true parameters, which training never saw


def test_the_extinction_curve_is_the_sky_s(training: FluxTraining, stars: Stars) -> None:
    found = np.exp(training.flux_model.ln_extinction.numpy())
    scale = found @ stars.extinction / (stars.extinction @ stars.extinction)
    assert abs(scale - 1) < 0.1
    assert np.sqrt(np.mean((found / stars.extinction / scale - 1)[:8] ** 2)) < 0.08


def test_two_equal_stars_in_one_are_cleaned_away(training: FluxTraining) -> None:
    cleaning = next(each["self_cleaning"] for each in training.metrics["phases"] if "self_cleaning" in each)
    assert cleaning["removed"] == 400 - int(training.clean.sum())
    assert int((~training.clean[:20]).sum()) >= 14
    assert int((~training.clean[20:]).sum()) <= 38
    assert {"by_parameters", "by_flux", "by_parameters_or_flux", "as_binaries"} <= set(cleaning)


def test_each_phase_tells_its_objective(training: FluxTraining) -> None:
    phases = training.metrics["phases"]
    assert [each["phase"] for each in phases] == [1, 2, 3, 5, 6]
    for each in phases:
        assert {"chi2", "median_chi2", "L_star", "L_model", "L_model_capped", "mean_square_weight", "seconds", "stars"} <= set(each)
        assert each["L_model"] == pytest.approx(each["chi2"] + each["mean_square_weight"], rel=1e-3)
    assert phases[1]["median_chi2"] < phases[0]["median_chi2"]


def test_the_prior_is_that_of_the_clean_stars(training: FluxTraining) -> None:
    assert len(training.type_prior.weights) == 4
    types = training.variables[training.clean, :3]
    assert torch.allclose(training.type_prior.weights @ training.type_prior.means, types.mean(0), atol=0.05)
    assert float((training.type_prior.ln_density(types) > training.ln_prior_cut).double().mean()) > 0.95


def test_same_stars_settings_and_seed_give_the_same_model(training: FluxTraining, stars: Stars, quick_settings: dict[str, Any]) -> None:
    assert_same(training, trained(stars, quick_settings))


def assert_same(one: FluxTraining, other: FluxTraining) -> None:
    for name, value in one.flux_model.state_dict().items():
        assert torch.equal(value, other.flux_model.state_dict()[name]), name
    assert torch.equal(one.variables, other.variables)
    assert torch.equal(one.type_prior.means, other.type_prior.means)


class KilledError(Exception):
    pass


@pytest.mark.parametrize("kill_at", [20, 130])
def test_a_training_that_was_killed_goes_on_and_ends_in_the_same_weights(
    training: FluxTraining, stars: Stars, quick_settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill_at: int
) -> None:
    monkeypatch.setattr("models.forward.training.flux_training.REPORT_SECONDS", 0.0)
    path = tmp_path / "training.checkpoint"
    saves = 0

    def save_or_die(self: Checkpoint, state: dict[str, Any]) -> None:
        nonlocal saves
        real_save(self, state)
        saves += 1
        if saves == kill_at:
            raise KilledError

    real_save = Checkpoint.save
    monkeypatch.setattr(Checkpoint, "save", save_or_die)
    with pytest.raises(KilledError):
        trained(stars, quick_settings, checkpoint=Checkpoint(path, interval=0.0))
    monkeypatch.setattr(Checkpoint, "save", real_save)
    first_step: list[int] = []
    resumed = trained(stars, quick_settings, report=lambda each: first_step.append(each.step), checkpoint=Checkpoint(path, interval=1e9))
    assert first_step[0] > kill_at  # it did not begin again
    assert_same(training, resumed)


def test_a_checkpoint_that_cannot_be_read_is_a_new_start(stars: Stars, quick_settings: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "training.checkpoint"
    path.write_bytes(b"half a file")
    assert Checkpoint(path).load() is None
    assert not path.exists()


def test_progress_is_told_with_what_is_left(stars: Stars, quick_settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.forward.training.flux_training.REPORT_SECONDS", 0.0)
    told: list[Progress] = []
    trained(
        stars, {**quick_settings, "least_steps_network": 20, "least_steps_high_quality": 10, "least_steps_clean": 10}, report=told.append
    )
    assert [each.step for each in told] == sorted(each.step for each in told)
    assert told[-1].step == told[-1].steps
    assert all(each.rate > 0 and each.seconds_left >= 0 and each.step <= each.steps for each in told)
    assert all(np.isfinite(each.loss) for each in told)


def test_too_few_good_stars_are_told(learnable_stars: Callable[..., Stars], quick_settings: dict[str, Any]) -> None:
    few = learnable_stars(60)
    with pytest.raises(DataError, match="only 60 of 60 training stars have measurements of high quality"):
        trained(few, quick_settings)


def test_too_few_reddened_stars_for_xi_are_told_before_the_training(stars: Stars, quick_settings: dict[str, Any]) -> None:
    blue = replace(stars, labels=replace(stars.labels, ext=0.5 * stars.labels.ext.clamp(max=0.3)))
    with pytest.raises(DataError, match="only 0 of 400 training stars have ext above"):
        trained(blue, {**quick_settings, "xi": True})


def test_an_objective_that_runs_away_every_time_is_told(stars: Stars, quick_settings: dict[str, Any]) -> None:
    with pytest.raises(RunError, match="ran away 6 times in phase 1"):
        trained(stars, {**quick_settings, "network_rate": 1e3})


def test_stars_without_reddening_or_with_missing_bands_are_learnt_from(
    learnable_stars: Callable[..., Stars], quick_settings: dict[str, Any]
) -> None:
    stars = learnable_stars(300)
    labels = KnownLabels(stars.labels.type, stars.labels.type_error, stars.labels.ext.clone(), stars.labels.ext_error.clone())
    labels.ext[:50], labels.ext_error[:50] = 0.0, torch.inf
    observed = replace(
        stars.observed,
        flux=stars.observed.flux.clone(),
        flux_error=stars.observed.flux_error.clone(),
        whitening=stars.observed.whitening.clone(),
    )
    observed.flux[50:100, 3], observed.flux_error[50:100, 3] = 0.0, torch.inf
    observed.whitening[50:100, 3] = 0.0
    found = train_flux_model(observed, labels, stars.wavelengths, quick_settings, 0, NOTHING)
    error = torch.exp(found.variables[:50, 3]) - torch.exp(stars.variables[:50, 3])
    assert float(error.abs().median()) < 0.03  # the fluxes tell it
    assert found.metrics["phases"][-1]["median_chi2"] < 12


def test_the_slope_of_xi_comes_after_all_else_of_the_clean_stars(
    learnable_stars: Callable[..., Stars], quick_settings: dict[str, Any]
) -> None:
    stars = learnable_stars(300)
    found = trained(stars, {**quick_settings, "xi": True, "least_steps_clean": 0})
    assert found.variables.shape[1] == 6
    assert float(found.flux_model.extinction_slope.abs().max()) > 0
    assert [each["phase"] for each in found.metrics["phases"] if "xi" in each] == [5]
    assert float(found.variables[:, 5].abs().max()) < 4


def test_both_schedules_end_near_the_same_objectives(
    learnable_stars: Callable[..., Stars], quick_settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.forward.training.phases.PAPER_EPOCHS", 120)
    monkeypatch.setattr("models.forward.training.phases.PAPER_FINAL_STEPS", 400)
    stars = learnable_stars(250)
    same = {
        **quick_settings,
        "logarithmic_terms": True,
        "cleaning_binaries": False,
        "cleaning_sigma": 1e9,
        "gradient_clip": 1000.0,
        "batch": 64,
    }
    ours, paper = (trained(stars, {**same, "schedule": schedule}).metrics["phases"] for schedule in ("ours", "paper"))
    assert [each["phase"] for each in ours] == [each["phase"] for each in paper] == [1, 2, 3, 5, 6]
    for objective in ("L_star", "L_model"):
        assert paper[4][objective] < 0.1 * paper[0][objective]
        assert ours[4][objective] < paper[4][objective] < 2.0 * ours[4][objective], objective


def test_a_disk_that_takes_no_state_is_told_and_keeps_the_state_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Checkpoint(tmp_path / "training.checkpoint")
    kept.save({"done": 1})

    def full(state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("unexpected pos 64 vs 0")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(TransientError, match="could not be written"):
        kept.save({"done": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["training.checkpoint"]
    assert kept.load() == {"done": 1}
