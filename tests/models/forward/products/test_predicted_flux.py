"""Fluxes for parameters: those of the model itself, with what was not learnt marked and nonsense refused; tracks of the paper's figures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.table import Table

from catalog.errors import UsageError
from models.forward.bands import FLUX_UNIT, WAVELENGTHS
from models.forward.flux_model import FluxModel
from models.forward.parameters import logarithmic
from models.forward.products.figures import version_figures, without_continuum
from models.forward.products.predicted_flux import extinction_table, grid, predicted_flux, write_table
from models.forward.products.tracks import giant_branch_teff, main_sequence_logg
from models.forward.type_prior import TypePrior
from models.forward.version import ForwardVersion

SUN = [5772.0, 0.0, 4.44, 0.1, 2.0]


def made_version(*, xi: bool = False) -> ForwardVersion:
    """A version with random weights and a prior about the Sun."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = FluxModel(WAVELENGTHS, xi=xi).double()
        if xi:
            torch.nn.init.normal_(model.extinction_slope, std=0.1)
    prior = TypePrior(
        torch.ones(1, dtype=torch.float64), torch.tensor([[5.772, 0.0, 4.44]], dtype=torch.float64), torch.eye(3, dtype=torch.float64)[None]
    )
    return ForwardVersion(WAVELENGTHS, model.requires_grad_(False), prior, prior.quantile(0.001, torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("xi", [False, True], ids=["five parameters", "with xi"])
def test_the_table_holds_the_models_own_fluxes(xi) -> None:
    version = made_version(xi=xi)
    row = [*SUN, 0.5] if xi else SUN
    found = predicted_flux(version, np.array([row]))
    inner = torch.tensor([row], dtype=torch.float64)
    inner[:, 0] /= 1000
    expected = version.flux_model.flux(logarithmic(inner))
    np.testing.assert_allclose(found.flux, expected.numpy() * FLUX_UNIT, rtol=1e-12)
    np.testing.assert_allclose(found.extinction[0], version.flux_model.extinction(logarithmic(inner))[0].numpy())
    assert found.table().colnames[: len(row)] == ["teff", "feh", "logg", "ext", "parallax", "xi"][: len(row)]


def test_no_dust_is_no_dust() -> None:
    version = made_version()
    dusty, clear = predicted_flux(version, np.array([SUN, [*SUN[:3], 0.0, SUN[4]]])).flux
    assert np.isfinite(clear).all()
    np.testing.assert_allclose(dusty, clear * np.exp(-0.1 * predicted_flux(version, np.array([SUN])).extinction[0]))


def test_types_that_were_not_learnt_are_marked() -> None:
    found = predicted_flux(made_version(), np.array([SUN, [9900.0, 0.0, 4.44, 0.1, 2.0]]))
    assert found.inside.tolist() == [True, False]


NONSENSE = {
    "no temperature": [0.0, 0.0, 4.4, 0.1, 1.0], "negative extinction": [5000.0, 0.0, 4.4, -0.1, 1.0], "parallax of nothing": [5000.0, 0.0, 4.4, 0.1, 0.0],
    "not a number": [5000.0, float("nan"), 4.4, 0.1, 1.0], "too few": [5000.0, 0.0, 4.4, 0.1], "infinite": [5000.0, 0.0, float("inf"), 0.1, 1.0],
}  # fmt: skip


@pytest.mark.parametrize("row", NONSENSE.values(), ids=NONSENSE.keys())
def test_parameters_of_no_star_are_refused(row) -> None:
    with pytest.raises(UsageError):
        predicted_flux(made_version(), np.array([row]))


def test_a_grid_has_every_combination_once() -> None:
    found = grid([(1.0, 2.0), (3.0,), (4.0, 5.0, 6.0)])
    assert found.shape == (6, 3)
    assert len({tuple(row) for row in found.tolist()}) == 6


@pytest.mark.parametrize("format_", ["csv", "ecsv"])
def test_tables_are_written_and_read_back(format_, tmp_path) -> None:
    from astropy.table import Table

    table = extinction_table(made_version(xi=True))
    text = write_table(table, format_, tmp_path / "deep" / f"curve.{format_}")
    read = Table.read(tmp_path / "deep" / f"curve.{format_}", format=f"ascii.{format_}")
    assert (tmp_path / "deep" / f"curve.{format_}").read_text() == text
    for name in ("extinction", "extinction_low", "extinction_high", "wavelength"):
        np.testing.assert_allclose(read[name], table[name])


def test_a_spectrum_without_its_continuum_is_its_lines() -> None:
    x = np.linspace(-1, 1, 61)
    continuum = 1e-16 * (2 + x - 0.3 * x**4)
    lines = np.ones_like(x)
    lines[30] = 0.8
    found = without_continuum(np.stack([continuum, continuum * lines]))
    np.testing.assert_allclose(found[0], 1.0, rtol=1e-10)
    assert found[1].argmin() == 30
    assert found[1, 30] == pytest.approx(0.82, abs=0.03)


TRACK = {4000.0: 4.6, 5000.0: 4.6, 5650.0: 4.275, 6300.0: 3.95, 9000.0: 3.95}
BRANCH = {1.0: 5200 - 441.86 * 2.65, 3.65: 5200.0, 4.0: 5690.0}


def test_the_tracks_are_those_of_equations_28_and_29() -> None:
    np.testing.assert_allclose(main_sequence_logg(np.array(list(TRACK))), list(TRACK.values()))
    np.testing.assert_allclose(giant_branch_teff(np.array(list(BRANCH))), list(BRANCH.values()))


def test_the_figures_of_a_version_say_which_it_is() -> None:
    drawings = version_figures(made_version(xi=True), "Version 7, simulated stars.")
    assert [each.name.split("_")[1] for each in drawings] == ["12", "13", "14", "15"]
    assert all("Version 7, simulated stars." in each.title for each in drawings)
    assert drawings[3].png.startswith(b"\x89PNG")


def test_a_place_where_no_file_can_stand_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write_table(Table({"a": [1]}), "csv", tmp_path / "file" / "table.csv")
