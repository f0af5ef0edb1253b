"""The fits against the grids they were made from: errors within their bars, and the same numbers each time."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ingest.sky.extinction import extinction_curve, mean_and_slope
from ingest.sky.fitted import FOLDER, isochrone_fit, stellar_flux_fit
from ingest.sky.fitting.fit_emulators import main
from ingest.sky.fitting.flux_errors import errors_at_nodes, errors_at_nodes_left_out, errors_between_nodes
from ingest.sky.fitting.isochrone_errors import errors_along, errors_of_isochrones_left_out
from ingest.sky.fitting.isochrones import read_isochrones
from ingest.sky.fitting.stellar_flux import photon_mean, read_grid
from ingest.sky.isochrones import PHASES, mass_function, mass_function_weights, phase, stages
from ingest.sky.wavelengths import NIR_BANDS, ln_black_body


@pytest.fixture
def grids(real_data: Path) -> Path:
    """The folder of the grids, beside that of the real survey files."""
    return real_data.parent / "sim"


def test_fluxes_keep_to_two_percent_and_colours_to_20_mmag_at_every_model(grids: Path) -> None:
    errors = errors_at_nodes(stellar_flux_fit(), read_grid(grids))
    assert errors.flux[0] < 0.002
    assert errors.flux[1] < 0.02
    assert errors.bands[2] < 0.01
    assert {name for name, error in errors.colours.items() if error[2] > 0.020} == set()


def test_fluxes_keep_to_two_percent_and_colours_to_20_mmag_at_models_they_never_saw(grids: Path) -> None:
    errors = errors_at_nodes_left_out(read_grid(grids))
    assert errors.flux[0] < 0.003
    assert errors.flux[1] < 0.03
    assert {name for name, error in errors.colours.items() if error[1] > 0.020} == set()


def test_between_models_fluxes_lie_near_bilinear_interpolation(grids: Path) -> None:
    """Which has errors of its own where the grid curves, below 4000 K above all."""
    errors = errors_between_nodes(stellar_flux_fit(), read_grid(grids))
    assert errors.flux[0] < 0.003
    assert {name for name, error in errors.colours.items() if error[0] > 0.003 or error[1] > 0.045} == set()


def test_isochrones_keep_to_their_bars(grids: Path) -> None:
    errors = errors_along(isochrone_fit(), read_isochrones(grids))
    assert np.median(errors.teff) < 0.0025
    assert np.median(errors.logg) < 0.01
    assert np.percentile(errors.teff, 95) < 0.015
    assert np.percentile(errors.logg, 90) < 0.05
    assert np.median(errors.mass) < 0.005


def test_isochrones_keep_to_their_bars_in_every_phase(grids: Path) -> None:
    errors = errors_along(isochrone_fit(), read_isochrones(grids))
    number = phase(errors.position / (len(stages()) - 1))
    for i in range(len(PHASES)):
        assert np.median(errors.teff[number == i]) < 0.015
        assert np.median(errors.logg[number == i]) < 0.03


def test_isochrones_keep_to_their_bars_where_they_never_saw_one(grids: Path) -> None:
    errors = errors_of_isochrones_left_out(read_isochrones(grids))
    assert np.median(errors.teff) < 0.015
    assert np.median(errors.logg) < 0.03
    assert np.percentile(errors.teff, 95) < 0.03


def test_as_many_stars_live_in_each_phase_as_in_the_excerpt(grids: Path) -> None:
    excerpt = read_isochrones(grids)
    starts = [*isochrone_fit().phase_starts.astype(int), excerpt.steps.shape[2] - 1]
    weights = mass_function_weights(10 ** (excerpt.log_age - 9), excerpt.mh)
    for i in range(len(PHASES)):
        mass = excerpt.steps[:, 0, starts[i] : starts[i + 1] + 1]
        expected = (mass_function((mass[:, 1:] + mass[:, :-1]) / 2) * np.diff(mass, axis=1)).sum(axis=1)
        ratio = weights[:, phase(stages()[:-1]) == i].sum(axis=1) / expected
        assert np.median(ratio) == pytest.approx(1.0, abs=0.05)
        assert np.percentile(np.abs(ratio - 1), 75) < 0.20


def test_one_extinction_serves_a_whole_infrared_band(grids: Path) -> None:
    """Within 5 mmag a magnitude of A(V), for a hot and for a cool star."""
    wavelength = np.linspace(900, 9000, 5000)
    curve = mean_and_slope(wavelength)[0]
    with np.load(grids / "passbands.npz") as file:
        for name in NIR_BANDS:
            band = (file[f"{name}_nm"].astype(float), file[f"{name}_rsr"].astype(float))
            for teff in (4000.0, 9000.0):
                flux = np.exp(ln_black_body(wavelength, np.array([teff])))[0]
                dimmed = photon_mean(wavelength, flux * 10 ** (-0.4 * curve), band)
                assert -2.5 * np.log10(dimmed / photon_mean(wavelength, flux, band)) == pytest.approx(
                    extinction_curve().bands[name], abs=0.005
                )


def test_the_script_makes_the_committed_numbers_again(grids: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["--data", str(grids), "--out", str(tmp_path)], catch_exceptions=False)
    assert done.exit_code == 0
    for name in ("stellar_flux", "isochrones"):
        with np.load(FOLDER / f"{name}.npz") as committed, np.load(tmp_path / f"{name}.npz") as again:
            assert str(committed["origin"]) in done.output
            assert str(again["errors"]) in done.output
            assert committed.files == again.files
            # Single components may turn among themselves on another processor; what they add up to may not.
            for weights, components in COMPONENTS[name]:
                products = [
                    file[weights].astype(float) @ file[components].reshape(len(file[components]), -1).astype(float)
                    for file in (committed, again)
                ]
                assert products[0] == pytest.approx(products[1], abs=2e-4 * np.abs(products[0]).max())


COMPONENTS = {
    "stellar_flux": (("solar_weights", "solar_components"), ("change_weights", "change_components")),
    "isochrones": (("weights", "components"),),
}


def test_the_script_makes_the_same_bytes_twice(grids: Path, tmp_path: Path) -> None:
    for folder in ("first", "second"):
        CliRunner().invoke(main, ["--data", str(grids), "--out", str(tmp_path / folder)], catch_exceptions=False)
    for name in ("stellar_flux.npz", "isochrones.npz"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
