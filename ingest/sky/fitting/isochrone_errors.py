"""How well the fitted isochrones do, at the excerpt's own points and on isochrones left out of the fit."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from ingest.sky.fitted import IsochroneFit
from ingest.sky.fitting.isochrones import Isochrones, fit_isochrones
from ingest.sky.isochrones import gravity, steps_of
from ingest.sky.tensor_spline import tensor_basis

LEFT_OUT = 5
_LN_10 = np.log(10)


@dataclass(frozen=True)
class IsochroneErrors:
    """Absolute errors of the excerpt's points, (points,)."""

    teff: Float[np.ndarray, " p"]
    """Relative."""
    logg: Float[np.ndarray, " p"]
    """dex"""
    logl: Float[np.ndarray, " p"]
    """dex"""
    mass: Float[np.ndarray, " p"]
    """Relative, of the initial mass."""
    position: Float[np.ndarray, " p"]
    """In steps."""

    def sentence(self) -> str:
        """The errors in words."""

        def three(error: Float[np.ndarray, " p"], scale: float = 1.0) -> str:
            return " / ".join(f"{scale * value:.4f}" for value in (np.median(error), *np.percentile(error, (95, 99))))

        return (
            f"at its {len(self.teff)} points, median / 95 % / 99 %: teff {three(self.teff, 100)} %, logg {three(self.logg)} dex, "
            f"log luminosity {three(self.logl)} dex, initial mass {three(self.mass, 100)} %"
        )


def errors_along(fit: IsochroneFit, excerpt: Isochrones, chosen: Bool[np.ndarray, " n"] | None = None) -> IsochroneErrors:
    """Against the excerpt's own points, at the same place along the same phase."""
    indices = np.arange(len(excerpt.log_age)) if chosen is None else np.flatnonzero(chosen)
    basis = tensor_basis(excerpt.log_age[indices], excerpt.mh[indices], fit.log_age_knots, fit.mh_knots)
    tracks = steps_of(basis @ fit.weights, fit.components, fit.mean)
    errors = []
    for steps, index in zip(tracks, indices, strict=True):
        points = excerpt.points[index]
        ln_mass, remaining, logt, logl = (np.interp(points[:, 0], np.arange(steps.shape[1]), quantity) for quantity in steps)
        mass = np.exp(ln_mass)
        logg = gravity(mass * remaining, logt, logl)
        errors.append(
            np.column_stack(
                [_LN_10 * (logt - points[:, 3]), logg - points[:, 5], logl - points[:, 4], mass / points[:, 1] - 1, points[:, 0]]
            )
        )
    return IsochroneErrors(*np.abs(np.concatenate(errors)).T)


def errors_of_isochrones_left_out(excerpt: Isochrones) -> IsochroneErrors:
    """Of a fifth of the inner isochrones, by a fit that never saw them."""
    _, age = np.unique(excerpt.log_age.round(3), return_inverse=True)
    _, metallicity = np.unique(excerpt.mh.round(4), return_inverse=True)
    inner = (age > 0) & (age < age.max()) & (metallicity > 0) & (metallicity < metallicity.max())
    left_out = inner & ((age + 2 * metallicity) % LEFT_OUT == 0)
    return errors_along(fit_isochrones(excerpt, keep=~left_out), excerpt, left_out)
