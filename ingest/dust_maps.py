"""Reddening from a local map of the dust: mean and error of E for each source, over its parallax's error and the samples of the map.

The recipe is that of Zhang, Green & Rix 2023 (MNRAS 524, 1855) and their code: 1,000 draws of the parallax, truncated at 5 sigma; distance
1 / max(parallax, 1e-4) kpc; mean and standard deviation over draws and samples of Bayestar (Green et al. 2015, 2018, 2019); then 10 % of the mean
and 0.03 in quadrature. Where Bayestar has nothing, a star beyond the dust (more than 400 pc from the plane at parallax + 2 sigma) has the value
of SFD (Schlegel, Finkbeiner & Davis 1998) with the same two terms as its error, and any other the value of SFD with an error as large, and no less than those terms.

Parallaxes are taken as published, without a zero-point correction. Maps are read by the package dustmaps, which Kiel does not bring along.
"""

import contextlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units
from astropy.coordinates import SkyCoord
from jaxtyping import Bool, Float32, Float64, Int64
from scipy.special import ndtr, ndtri

from catalog.errors import DataError, UsageError

VERSIONS = ("bayestar2019", "bayestar2017", "bayestar2015")
SFD = "sfd"
DRAWS = 1000
TRUNCATION = 5.0
"""Standard deviations of the parallax."""
SMALLEST_PARALLAX = 1e-4
"""mas: sources are put at no more than 10 Mpc."""
RELATIVE_ERROR, ABSOLUTE_ERROR = 0.10, 0.03
DUST_HEIGHT = 0.4
"""kpc from the plane, beyond which a star lies behind all the dust."""
_STARS_AT_A_TIME = 500

Vector = Float64[np.ndarray, " n"]


@dataclass(frozen=True)
class Stars:
    """Sources whose reddening is asked for: position in degrees (ICRS), parallax and its error in mas, all finite."""

    source_id: Int64[np.ndarray, " n"]
    ra: Vector
    dec: Vector
    parallax: Vector
    parallax_error: Vector

    def __len__(self) -> int:
        return len(self.source_id)

    @property
    def directions(self) -> SkyCoord:
        """Galactic directions."""
        return SkyCoord(self.ra * units.deg, self.dec * units.deg, frame="icrs").galactic

    def take(self, index: Any) -> "Stars":
        """The stars of an index, a slice or a mask."""
        return Stars(*(values[index] for values in (self.source_id, self.ra, self.dec, self.parallax, self.parallax_error)))


@dataclass(frozen=True)
class Reddening:
    """Mean and error of E for each star, in the map's unit, and which map they are of; NaN and the empty text where no map has the star."""

    mean: Vector
    error: Vector
    map: np.ndarray


@dataclass(frozen=True)
class DustMap:
    """An opened map: Bayestar, and SFD where its files are there."""

    version: str
    path: Path
    bayestar: Any
    sfd: Any | None
    sfd_paths: tuple[Path, ...]

    def reddening(self, stars: Stars) -> Reddening:
        """E of each star; depends on the star and the maps alone, whatever other stars are asked for with it."""
        directions = stars.directions
        mean, error = np.full(len(stars), np.nan), np.full(len(stars), np.nan)
        modulus_of_bin = np.asarray(self.bayestar.distmods.value, np.float64)
        for first in range(0, len(stars), _STARS_AT_A_TIME):
            some = slice(first, first + _STARS_AT_A_TIME)
            mean[some], error[some] = _over_distances(self._curves(directions[some]), modulus_of_bin, distance_moduli(stars.take(some)))
        error = np.sqrt(error**2 + (RELATIVE_ERROR * mean) ** 2 + ABSOLUTE_ERROR**2)
        outside = np.isnan(mean)
        name = np.where(outside, "", self.version).astype(object)
        if self.sfd is not None and outside.any():
            with _in_silence():
                whole = np.asarray(self.sfd.query(directions[outside]), np.float64)
            terms = np.hypot(RELATIVE_ERROR * whole, ABSOLUTE_ERROR)
            mean[outside] = whole
            error[outside] = np.where(_beyond_the_dust(stars, directions)[outside], terms, np.maximum(whole, terms))
            name[outside] = np.where(np.isnan(whole), "", SFD)
        return Reddening(mean, error, name)

    def _curves(self, directions: SkyCoord) -> Float32[np.ndarray, "n samples bins"]:
        """E along the line of sight at the map's distances, for each of its samples; NaN outside the map."""
        with _in_silence():
            curves = np.asarray(self.bayestar.query(directions, mode="samples"))
        return curves if curves.shape[2] == len(self.bayestar.distmods) else curves.swapaxes(1, 2)


def distance_moduli(stars: Stars) -> Float64[np.ndarray, "n draws"]:
    """Distance moduli (mag) of 1,000 draws of each star's parallax; the draws of a star follow from its source_id."""
    share = np.stack([np.random.default_rng(source_id).random(DRAWS) for source_id in stars.source_id.tolist()])
    low, high = ndtr(-TRUNCATION), ndtr(TRUNCATION)
    parallax = stars.parallax[:, None] + stars.parallax_error[:, None] * ndtri(low + (high - low) * share)
    return np.asarray(10.0 - 5.0 * np.log10(np.maximum(parallax, SMALLEST_PARALLAX)))


def _over_distances(
    curves: Float32[np.ndarray, "n samples bins"], modulus_of_bin: Float64[np.ndarray, " bins"], moduli: Float64[np.ndarray, "n draws"]
) -> tuple[Vector, Vector]:
    """Mean and standard deviation over draws and samples.

    Between two distances of the map E is linear in distance modulus, nearer than the first proportional to distance, farther than the last
    that of the last: as dustmaps itself interpolates.
    """
    ceiling = np.searchsorted(modulus_of_bin, moduli)
    lower = np.clip(ceiling - 1, 0, len(modulus_of_bin) - 2)
    share = np.clip((moduli - modulus_of_bin[lower]) / (modulus_of_bin[lower + 1] - modulus_of_bin[lower]), 0.0, 1.0)
    near = np.where(ceiling == 0, 10.0 ** (0.2 * (moduli - modulus_of_bin[0])), 1.0)
    at_lower, at_upper = (np.take_along_axis(curves, index[:, None, :], axis=2) for index in (lower, lower + 1))
    values = near[:, None, :] * ((1.0 - share)[:, None, :] * at_lower + share[:, None, :] * at_upper)
    return values.mean(axis=(1, 2)), values.std(axis=(1, 2))


def _beyond_the_dust(stars: Stars, directions: SkyCoord) -> Bool[np.ndarray, " n"]:
    """Whether a star lies above or below the dust even if it is two standard deviations nearer."""
    nearest = 1.0 / np.maximum(stars.parallax + 2.0 * stars.parallax_error, SMALLEST_PARALLAX)
    return np.asarray(nearest * np.abs(np.sin(directions.b.rad)) > DUST_HEIGHT)


def open_dust_map(version: str, data_dir: Path | None, max_samples: int | None = None) -> DustMap:
    """The map of a version under dustmaps' data folder (``data_dir``, else the one that dustmaps is set to).

    ``max_samples`` bounds the samples that are read into memory. UsageError where the package or the map is not there, DataError where the map
    cannot be read.
    """
    bayestar, sfd, configured = _dustmaps()
    folder = data_dir if data_dir is not None else Path(configured())
    path = (folder / "bayestar" / f"{version}.h5").absolute()
    if not path.is_file():
        raise UsageError(
            f"there is no {path}; fetch the map with dustmaps (`from dustmaps.bayestar import fetch; fetch(version={version!r})`), or name the "
            "folder that holds bayestar/ with --data-dir"
        )
    try:
        with _in_silence():
            query = bayestar.BayestarQuery(map_fname=str(path), max_samples=max_samples, version=version)
            if not len(query.distmods) > 1 or not query._n_samples:
                raise ValueError("it has no distances or no samples")
    except (OSError, KeyError, ValueError, IndexError, TypeError) as error:
        raise DataError(f"{path} cannot be read as a map of Bayestar ({type(error).__name__}: {error}); fetch it again") from error
    files = tuple((folder / SFD / f"SFD_dust_4096_{pole}.fits").absolute() for pole in ("ngp", "sgp"))
    if not all(file.is_file() for file in files):
        return DustMap(version, path, query, None, ())
    try:
        with _in_silence():
            return DustMap(version, path, query, sfd.SFDQuery(map_dir=str(folder / SFD)), files)
    except (OSError, KeyError, ValueError, IndexError, TypeError) as error:
        raise DataError(f"{files[0].parent} cannot be read as the map of SFD ({type(error).__name__}: {error}); fetch it again") from error


def dustmaps_version() -> str:
    """The version of the package dustmaps."""
    return metadata.version("dustmaps")


def _dustmaps() -> tuple[Any, Any, Any]:
    """The modules of the two maps, and the function that tells the data folder; imported on use, as the package is not a dependency."""
    try:
        with _in_silence():
            from dustmaps import bayestar, sfd
            from dustmaps.std_paths import data_dir
    except ImportError as error:
        raise UsageError(
            f"reddening from a map needs the package dustmaps, which is not installed ({error}); install it beside Kiel with "
            "`.venv/bin/python -m pip install dustmaps`, fetch a map with it, and repeat the command"
        ) from error
    return bayestar, sfd, data_dir


@contextlib.contextmanager
def _in_silence() -> Iterator[None]:
    """What dustmaps prints of its progress and warns of its settings stays out of the command's output."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
