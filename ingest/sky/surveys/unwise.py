"""unWISE for the simulated sky: band-merged fluxes in Vega nanomaggies, with quality factors and the share of a star in its own light.

Columns and types: unWISE catalogue, catalog.unwise.me (Schlafly, Meisner & Green 2019, ApJS 240, 30), band-merged files, where a quantity of
both bands is a vector [W1, W2]; order as the SDSS copy of the table has it. A band without a detection has flux 0. There is no Gaia identifier:
sources are matched by position. One file holds the sky; the catalogue has one for each of 18,240 tiles, whose names here are those
of a grid of 1.5 degrees.

Errors are those of ``ingest.sky.photometry_noise``; dflux states all of them, as the catalogue's own, which lacks the calibration's, does not.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from ingest.sky.photometry_noise import infrared_magnitude_errors
from ingest.sky.surveys.designation import at_epoch, shifted
from ingest.sky.surveys.inputs import SurveyInput, SurveyTruth, other_star
from ingest.sky.surveys.survey_table import SurveyColumn, SurveyDraw, table_hdu, table_of, write_fits

Vector = Float64[np.ndarray, " n"]

FILE_NAME = "unwise_simulated.cat.fits"
EPOCH = 2015.5
DETECTION = 5.0
"""S/N that a band needs."""
_POSITION_SIGMA = 0.05
"""Arcsec in each direction."""
_TILE = 1.5
_PIXEL = 2.75
"""Arcsec of a pixel of the coadds."""

_VECTORS = (
    ("x", "f8", "pix"), ("y", "f8", "pix"), ("flux", "f4", "nanomaggy"), ("dx", "f4", "pix"), ("dy", "f4", "pix"), ("dflux", "f4", "nanomaggy"),
    ("qf", "f4", None), ("rchi2", "f4", None), ("fracflux", "f4", None), ("fluxlbs", "f4", "nanomaggy"), ("dfluxlbs", "f4", "nanomaggy"),
    ("fwhm", "f4", "pix"), ("spread_model", "f4", None), ("dspread_model", "f4", None), ("sky", "f4", "nanomaggy"), ("ra12", "f8", "deg"),
    ("dec12", "f8", "deg"),
)  # fmt: skip
COLUMNS = (
    *(SurveyColumn(name, kind, unit, null=0.0, shape=(2,)) for name, kind, unit in _VECTORS),
    SurveyColumn("coadd_id", "S8"), SurveyColumn("unwise_detid", "S20", shape=(2,)), SurveyColumn("nm", "i4", shape=(2,)),
    *(SurveyColumn(name, "i4", shape=(2,)) for name in ("primary12", "flags_unwise", "flags_info")),
    SurveyColumn("ra", "f8", "deg"), SurveyColumn("dec", "f8", "deg"), SurveyColumn("primary", "i4"), SurveyColumn("unwise_objid", "S16"),
)  # fmt: skip


@dataclass(frozen=True)
class UnwiseOptions:
    """Shares of the stars."""

    unmatched: float = 0.01
    missing_band: float = 0.0
    """Undetected in a band, each band for itself, beside those of the input."""
    poor_quality: float = 0.02
    """With a quality factor below 0.8."""
    wrong_match: float = 0.0
    """Whose position holds another star's light, beside those of the input."""


def draw_unwise(
    stars: SurveyInput, norm_dg: Vector, rng: np.random.Generator, options: UnwiseOptions = UnwiseOptions()
) -> SurveyDraw:  # fmt: skip
    """unWISE of the simulated stars; ``norm_dg`` (NaN for none) says how close and bright a neighbour is, whose light is lost in theirs."""
    n = len(stars)
    u, z = rng.random((n, 13)), rng.standard_normal((n, 6))
    wrong = u[:, 0] < options.wrong_match
    star = np.where(wrong, other_star(n, rng), stars.counterpart)
    ra, dec = at_epoch(stars, EPOCH)
    ra, dec = shifted(ra, dec, *(_POSITION_SIGMA / 3600.0 * z[:, column] for column in (0, 1)))
    magnitudes = np.stack([getattr(stars, band) for band in ("j", "h", "ks", "w1", "w2")], axis=1)[star]
    true = 10.0 ** (0.4 * (22.5 - magnitudes[:, 3:]))
    sigma = (true * infrared_magnitude_errors(magnitudes)[:, 3:] * np.log(10) / 2.5).astype(np.float32).astype(np.float64)
    flux = true + sigma * z[:, 2:4]
    detected = (flux > DETECTION * sigma) & (u[:, 1:3] >= options.missing_band) & ~stars.missing[:, 3:]
    neighbour = 10.0 ** (0.4 * np.clip(np.where(np.isnan(norm_dg), -50.0, norm_dg), -50.0, 3.0) + 3.2)
    quality = np.where(u[:, 3:5] < options.poor_quality, 0.79 * u[:, 5:7], 1.0 - 0.05 * u[:, 5:7] ** 4)
    values: dict[str, np.ndarray] = {
        "flux": flux, "dflux": sigma, "fluxlbs": flux, "dfluxlbs": sigma, "qf": quality, "rchi2": 1.0 + 0.1 * u[:, 7:9],
        "fracflux": np.repeat(1.0 / (1.0 + neighbour + 0.02 * u[:, 9])[:, None], 2, axis=1), "fwhm": np.full((n, 2), 2.4),
        "dx": _POSITION_SIGMA / _PIXEL * np.ones((n, 2)), "dy": _POSITION_SIGMA / _PIXEL * np.ones((n, 2)), "x": np.repeat(2048 * u[:, 10:11], 2, axis=1),
        "y": np.repeat(2048 * u[:, 11:12], 2, axis=1), "spread_model": 0.001 * z[:, 4:6], "dspread_model": np.full((n, 2), 0.001),
        "ra12": np.repeat(ra[:, None], 2, axis=1), "dec12": np.repeat(dec[:, None], 2, axis=1),
    }  # fmt: skip
    values = {name: np.where(detected, array, np.nan) for name, array in values.items()}
    coadd = np.array(
        [
            f"{round(10 * a):04d}{'m' if d < 0 else 'p'}{round(abs(10 * d)):03d}"
            for a, d in zip(_tile(ra, 360.0), _tile(dec, 90.0), strict=True)
        ],
        "U8",
    )
    rows = np.flatnonzero((u[:, 12] >= options.unmatched) & detected.any(axis=1))
    rows = rows[np.lexsort((rows, coadd[rows]))]
    number = np.arange(len(rows)) - np.searchsorted(coadd[rows], coadd[rows])
    detection = [[f"{tile}w{band}o{k:07d}" for band in (1, 2)] for tile, k in zip(coadd[rows].tolist(), number.tolist(), strict=True)]
    there = detected[rows]
    table = table_of(COLUMNS, len(rows), {
        **{name: array[rows] for name, array in values.items()}, "ra": ra[rows], "dec": dec[rows], "coadd_id": coadd[rows],
        "unwise_detid": np.where(there, np.array(detection, "U20").reshape(-1, 2), ""), "nm": np.where(there, 250, 0),
        "primary12": np.where(there, 1, 0), "primary": np.ones(len(rows), np.int32),
        "unwise_objid": np.array([f"{tile}o{k:07d}" for tile, k in zip(coadd[rows].tolist(), number.tolist(), strict=True)], "U16"),
    })  # fmt: skip
    return SurveyDraw(table, SurveyTruth(star[rows].astype(np.int64), rows.astype(np.int64), np.zeros(len(rows), bool)))


def _tile(angle: Vector, largest: float) -> list[float]:
    """The middle of the tile that holds an angle in degrees, below ``largest``."""
    return np.minimum(np.round(angle / _TILE) * _TILE, largest - _TILE).tolist()


def write_unwise(folder: Path, draw: SurveyDraw) -> Path:
    """The catalogue, one FITS binary table."""
    write_fits(folder / FILE_NAME, table_hdu(draw.table))
    return folder / FILE_NAME
