"""The line formation: a curve of growth, chemistry that conserves atoms, blur that conserves strength, the same bytes each time."""

import os
import subprocess
import sys

import numpy as np
import pytest

from catalog.errors import DataError
from catalog.version import ROOT
from ingest.sky.labels import StellarLabels
from ingest.sky.line_formation import Layer, SpectralWindow
from ingest.sky.line_list import LineList
from ingest.sky.rvs import RVS_WAVELENGTH, equivalent_width, rvs_flux


def labels(teff: float = 4750, logg: float = 2.5, feh: float = 0, alpha_m: float = 0, c_fe: float = 0, n_fe: float = 0) -> StellarLabels:
    return StellarLabels(*(np.array([value], float) for value in (teff, logg, feh, alpha_m, c_fe, n_fe)))


def one_line(strength: float, damping: float = 1.0) -> SpectralWindow:
    line = LineList(("Fe I",), np.array([858.0]), np.array([3.0]), np.array([strength]), np.array([damping]))
    return SpectralWindow(RVS_WAVELENGTH, line, 3.2, 0.8)


def width(strength: float) -> float:
    return float(equivalent_width(one_line(strength).flux(labels()), 858.0, 3.0)[0])


def test_lines_grow_linearly_then_hardly_then_as_the_root() -> None:
    assert width(-2.0) / width(-3.0) == pytest.approx(10, rel=0.03)
    assert width(1.2) / width(0.2) < 3
    assert width(4.5) / width(3.5) == pytest.approx(np.sqrt(10), rel=0.25)


@pytest.mark.parametrize("strength", [-3.0, -1.0, 0.0, 2.0, 4.0])
def test_no_line_is_deeper_than_the_deepest(strength: float) -> None:
    flux = one_line(strength).flux(labels())
    assert flux.min() > 0.2
    assert flux.max() <= 1 + 1e-9


@pytest.mark.parametrize("teff", [3600.0, 4300.0, 5000.0, 7000.0, 11000.0])
@pytest.mark.parametrize("c_fe", [-0.4, 0.0, 0.2])
def test_carbon_and_oxygen_are_conserved(teff: float, c_fe: float) -> None:
    layer = Layer(labels(teff, 2.0, -0.3, 0.1, c_fe))
    bound, carbon, oxygen = (float(number[0]) for number in layer._carbon_monoxide)
    assert bound + carbon == pytest.approx(0.55 * 10 ** (-0.3 + c_fe))
    assert bound + oxygen == pytest.approx(10 ** (-0.3 + 0.1))
    assert min(bound, carbon, oxygen) > 0


def test_carbon_is_atomic_in_the_sun_and_bound_in_cool_giants() -> None:
    def bound_fraction(layer: Layer) -> float:
        bound, carbon, _ = layer._carbon_monoxide
        return float((bound / (bound + carbon))[0])

    assert bound_fraction(Layer(labels(5777, 4.44))) < 0.1
    assert bound_fraction(Layer(labels(3800, 1.0))) > 0.9


@pytest.mark.parametrize("rotation", [0.0, 5.0, 30.0, 80.0])
def test_rotation_makes_lines_broader_and_no_stronger(rotation: float) -> None:
    window = one_line(0.5)
    still, turning = window.flux(labels()), window.flux(labels(), rotation=np.array([rotation]))
    assert equivalent_width(turning, 858.0, 4.0) == pytest.approx(equivalent_width(still, 858.0, 4.0), rel=1e-3)
    if rotation >= 5:
        assert turning.min() > still.min()
    else:
        assert np.abs(turning - still).max() < 1e-5


@pytest.mark.parametrize("velocity", [-12.0, 0.4, 7.0])
def test_a_velocity_shifts_lines_by_what_doppler_says(velocity: float) -> None:
    depth = 1 - one_line(0.0).flux(labels(), velocity=np.array([velocity]))[0]
    assert np.average(RVS_WAVELENGTH, weights=depth) == pytest.approx(858.0 * (1 + velocity / 299792.458), abs=2e-4)


@pytest.mark.parametrize("name", ["rotation", "velocity"])
def test_a_quantity_of_another_length_is_refused(name: str) -> None:
    with pytest.raises(DataError, match=f"{name} has the shape"):
        rvs_flux(labels(), **{name: np.zeros(2)})


def test_a_star_does_not_depend_on_its_neighbours() -> None:
    rng = np.random.default_rng(5)
    many = StellarLabels(rng.uniform(4000, 7000, 300), rng.uniform(1, 5, 300), *rng.normal(0, 0.2, (4, 300)))
    together = rvs_flux(many)
    for i in (0, 127, 128, 299):
        assert np.array_equal(rvs_flux(many.take(np.array([i])))[0], together[i])


PROGRAM = """
import hashlib, numpy
from ingest.sky.labels import StellarLabels
from ingest.sky.rvs import rvs_flux
ranges = ((4000, 7000), (1, 5), (-1, 0.3), (0, 0.3), (0, 0), (0, 0))
labels = StellarLabels(*(numpy.linspace(low, high, 40) for low, high in ranges))
print(hashlib.sha256(rvs_flux(labels).tobytes()).hexdigest())
"""


def test_the_number_of_threads_changes_no_byte() -> None:
    digests = set()
    for threads in ("1", "2"):
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        digests.add(done.stdout.strip())
    assert len(digests) == 1
    assert len(digests.pop()) == 64
