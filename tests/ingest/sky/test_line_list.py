"""The line lists: positions are real, and nothing in them is unknown to the line formation."""

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import find_peaks

from ingest.sky.line_formation import SPECIES
from ingest.sky.line_list import LineList, h_band_lines, hydrogen_wavelength, rvs_lines, vacuum_wavelength
from ingest.sky.molecular_lines import carbon_monoxide, cyanogen, hydroxyl, night_sky_lines


@pytest.mark.parametrize(
    ("air", "vacuum"),
    [(849.802, 850.036), (854.209, 854.444), (866.214, 866.452), (1574.071, 1574.5017), (1671.896, 1672.3524), (1619.707, 1620.150)],
)
def test_air_wavelengths_become_the_published_vacuum_ones(air: float, vacuum: float) -> None:
    assert vacuum_wavelength(np.array([air]))[0] == pytest.approx(vacuum, abs=0.002)


@pytest.mark.parametrize(
    ("lower", "upper", "published"), [(3, 14, 860.075), (3, 17, 846.959), (4, 11, 1681.111), (4, 13, 1611.372), (4, 20, 1519.600)]
)
def test_hydrogen_lies_where_it_is_published(lower: int, upper: int, published: float) -> None:
    assert hydrogen_wavelength(lower, upper) == pytest.approx(published, abs=0.02)


def test_heads_of_carbon_monoxide_lie_where_they_are_published() -> None:
    wavelengths = np.array([line.wavelength for line in carbon_monoxide(1500.0, 1700.0)])
    for head in (1558.2, 1578.0, 1598.2, 1618.9, 1640.1, 1661.8):
        assert wavelengths[wavelengths > head - 1].min() == pytest.approx(head, abs=0.2) or np.any(np.abs(wavelengths - head) < 0.1)


# Stellar OH lines, Smith et al. 2013, table of windows; air, nm.
@pytest.mark.parametrize("air", [1527.852, 1528.105, 1540.917, 1550.578, 1556.878, 1571.970, 1605.277, 1605.550, 1619.213, 1653.460])
def test_strong_hydroxyl_lines_lie_where_they_are_seen(air: float) -> None:
    wavelengths = np.array([line.wavelength for line in hydroxyl(1500.0, 1700.0)])
    assert np.abs(wavelengths - vacuum_wavelength(np.array([air]))).min() < 0.2


def test_cyanogen_covers_both_windows() -> None:
    assert len(cyanogen(846.0, 870.0)) > 100
    assert len(cyanogen(1514.0, 1696.0)) > 300


def test_night_sky_has_its_three_bands() -> None:
    lines = night_sky_lines(1500.0, 1701.0)
    for head in (1505.0, 1583.0, 1669.0):
        assert any(abs(wavelength - head) < 3 and intensity > 0.2 for wavelength, intensity in lines), head
    assert max(intensity for _, intensity in lines) <= 1


@pytest.mark.parametrize(("lines", "first", "last"), [(rvs_lines(), 845.0, 871.0), (h_band_lines(), 1508.0, 1702.0)])
def test_every_line_is_in_its_window_and_of_a_known_species(lines: LineList, first: float, last: float) -> None:
    assert set(lines.species) <= set(SPECIES)
    assert np.all((lines.wavelength > first) & (lines.wavelength < last))
    assert np.all((lines.excitation >= 0) & (lines.excitation < 13.6))
    assert np.all(np.isfinite(lines.strength) & (lines.damping > 0))


def test_the_h_band_has_lines_of_each_element_that_labels_speak_of() -> None:
    counts = {name: len(h_band_lines().of(name)) for name in SPECIES}
    for name in ("Fe I", "Mg I", "Si I", "Ca I", "Ti I", "Al I", "K I", "Ni I", "OH", "CO", "CN", "H I"):
        assert counts[name] >= 2, name
    assert counts["Fe I"] >= 50


def test_strong_lines_of_the_rvs_list_are_minima_of_a_real_spectrum(real_data: Path) -> None:
    flux = np.genfromtxt(real_data / "rvs" / "RVS_HD176650.csv.gz", delimiter=",", names=True)["flux"]
    wavelength = 846.0 + 0.01 * np.arange(2401)
    seen = wavelength[find_peaks(-flux, prominence=0.05)[0]]
    lines = rvs_lines()
    strong = [i for i, name in enumerate(lines.species) if name in ("Ca II", "Fe I", "Si I") and lines.strength[i] > 0.7]
    offset = np.array([np.abs(seen - lines.wavelength[i]).min() for i in strong])
    assert len(strong) >= 10
    assert offset.max() < 0.02
