"""Fit of the isochrones: equivalent points along each, their quantities as tensor splines in (log age, [M/H]), compressed.

The excerpt: PARSEC (Bressan et al. 2012), 14 metallicities by 21 ages, in the file parsec_excerpt.npz. Each of the five phases is cut
into the same number of steps on every isochrone: along the length of its curve in log teff and log luminosity, for the main sequence in ln
mass as well, and for helium burning half by length and half by mass, so that neither the drop to the clump nor the clump is lost.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from ingest.sky.fitted import IsochroneFit
from ingest.sky.isochrones import LOWEST_MASS
from ingest.sky.tensor_spline import tensor_basis

ORIGIN = (
    "Fitted to PARSEC isochrones (Bressan et al. 2012), Z 0.0001 to 0.04 with [M/H] = log10(Z / 0.0152), log age 8.6 to 10.1, phases main "
    "sequence to early asymptotic giant branch, as packaged by FSPS: github.com/cconroy20/fsps (MIT), commit bd187a0d, ISOCHRONES/PARSEC."
)
SOLAR_Z = 0.0152
STEPS = (60, 14, 40, 32, 20)  # of each phase
# Closer around log age 9.15, where helium burning changes from quiet to flash and the tip of the giant branch rises by 0.6 dex.
LOG_AGE_KNOTS = np.array([8.6, 8.8, 9.0, 9.1, 9.2, 9.3, 9.45, 9.7, 9.9, 10.1])
MH_KNOTS = np.array([-2.19, -1.9, -1.5, -1.1, -0.7, -0.4, -0.1, 0.15, 0.43])
COMPONENTS = 60
ROUGHNESS = 3e-3  # weight of the second differences of neighbouring coefficients: keeps ages between the excerpt's on a smooth path
_LEAST_GAIN = 1e-7  # solar masses: steps that no star lives in
_SCALES = np.array([0.05, 0.003, 0.003, 0.01])  # the errors that count as equal when components are chosen
_TEFF_IN_LENGTH, _MASS_IN_LENGTH = 6.0, 2.0


@dataclass(frozen=True)
class Isochrones:
    """The excerpt: each isochrone at the equivalent points, and its own points with their places among these."""

    log_age: Float[np.ndarray, " n"]
    mh: Float[np.ndarray, " n"]
    steps: Float[np.ndarray, "n 4 steps"]
    """Initial mass, mass of today over it, log10 teff, log10 luminosity."""
    points: tuple[Float[np.ndarray, "p 6"], ...]
    """Position in steps, then the same four quantities and log g as the excerpt gives it."""


def _cut(phase: int, rows: Float[np.ndarray, "r 4"]) -> Float[np.ndarray, " r"]:
    """Place of each row along its phase, 0 to 1."""
    mass, _, logt, logl = rows.T
    stretch = (_TEFF_IN_LENGTH * np.diff(logt)) ** 2 + np.diff(logl) ** 2
    if phase == 0:
        stretch = stretch + (_MASS_IN_LENGTH * np.diff(np.log(mass))) ** 2
    length = np.concatenate([[0.0], np.cumsum(np.sqrt(stretch))])
    place = length / length[-1]
    if phase >= 3 and mass[-1] > mass[0]:
        place = (place + (mass - mass[0]) / (mass[-1] - mass[0])) / 2
    return np.asarray(place)


def _read_isochrone(rows: Float[np.ndarray, "r 8"]) -> tuple[Float[np.ndarray, "4 steps"], Float[np.ndarray, "p 6"]]:
    mass = np.maximum.accumulate(rows[:, 2])
    phases = np.maximum.accumulate(rows[:, 7])  # a few isochrones step back for a row, and the last row is marked 0
    values = np.column_stack([mass, rows[:, 3] / mass, rows[:, 5], rows[:, 4], rows[:, 6]])
    first = np.array([np.interp(LOWEST_MASS, mass, column) for column in values.T])
    heavier = mass > LOWEST_MASS
    values, phases = np.vstack([first, values[heavier]]), np.concatenate([[0.0], phases[heavier]])
    starts = [*(int(np.argmax(phases >= phase)) for phase in range(5)), len(values) - 1]
    steps, points = [], []
    for phase, count in enumerate(STEPS):
        inside = values[starts[phase] : starts[phase + 1] + 1]  # up to the first point of the next phase
        place = _cut(phase, inside[:, :4])
        at = np.arange(count + (phase == 4)) / count
        steps.append(np.stack([np.interp(at, place, column) for column in inside[:, :4].T]))
        points.append(np.column_stack([sum(STEPS[:phase]) + place * count, inside]))
    return np.concatenate(steps, axis=1), np.concatenate(points)


def read_isochrones(folder: Path) -> Isochrones:
    """All isochrones of parsec_excerpt.npz."""
    with np.load(folder / "parsec_excerpt.npz") as file:
        data = file["data"].astype(float)
    cuts = np.flatnonzero(np.diff(data[:, 1]) != 0) + 1
    parts = np.split(data, cuts)
    read = [_read_isochrone(part) for part in parts]
    return Isochrones(
        log_age=np.array([part[0, 1] for part in parts]),
        mh=np.log10(np.array([part[0, 0] for part in parts]) / SOLAR_Z),
        steps=np.stack([steps for steps, _ in read]),
        points=tuple(points for _, points in read),
    )


def _penalty() -> Float[np.ndarray, "m m"]:
    """Penalised splines (Eilers & Marx 1996, Statistical Science 11, 89) in both directions, and a trace of ridge."""
    ages, metallicities = np.eye(len(LOG_AGE_KNOTS) + 2), np.eye(len(MH_KNOTS) + 2)
    across, along = np.diff(ages, 2, axis=0), np.diff(metallicities, 2, axis=0)
    rough = np.kron(across.T @ across, metallicities) + np.kron(ages, along.T @ along)
    return ROUGHNESS * rough + 1e-6 * np.eye(len(rough))


def fit_isochrones(excerpt: Isochrones, keep: Bool[np.ndarray, " n"] | None = None) -> IsochroneFit:
    """Least squares over the isochrones (those of ``keep`` alone where given)."""
    used = np.ones(len(excerpt.log_age), bool) if keep is None else keep
    gained = np.diff(excerpt.steps[used, 0], axis=1, prepend=0.0)  # the first step gains the lowest mass
    values = np.concatenate([np.log(np.maximum(gained, _LEAST_GAIN))[:, None], excerpt.steps[used, 1:]], axis=1)
    mean = values.mean(axis=0)
    scaled = ((values - mean) / _SCALES[:, None]).reshape(len(values), -1)
    basis = tensor_basis(excerpt.log_age[used], excerpt.mh[used], LOG_AGE_KNOTS, MH_KNOTS)
    coefficients = np.linalg.solve(basis.T @ basis + _penalty(), basis.T @ scaled)
    _, _, right = np.linalg.svd(basis @ coefficients, full_matrices=False)
    right = right[:COMPONENTS] * np.sign(right[np.arange(COMPONENTS), np.abs(right[:COMPONENTS]).argmax(axis=1)])[:, None]
    return IsochroneFit(
        log_age_knots=LOG_AGE_KNOTS,
        mh_knots=MH_KNOTS,
        weights=coefficients @ right.T,
        components=right.reshape(COMPONENTS, *mean.shape) * _SCALES[:, None],
        mean=mean,
        phase_starts=np.cumsum((0, *STEPS[:-1])).astype(float),
        origin=ORIGIN,
        errors="",
    )
