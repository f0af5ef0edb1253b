"""2MASS for the simulated sky: the Gaia archive's best neighbours, its join to the point sources, and their photometry.

Three tables, to be joined as Zhang, Green & Rix 2023 do: source_id -> clean_tmass_psc_xsc_oid -> designation. Columns: Gaia DR3 data model,
tmass_psc_xsc_best_neighbour and tmass_psc_xsc_join; gaiadr1.tmass_original_valid. [assumed] the names of the join's files, and err_maj, err_min,
err_ang and j_date of the photometry; the archive's table has more columns.

Errors are those of ``ingest.sky.photometry_noise``, fitted to real rows. ph_qual follows the rules of the 2MASS
Explanatory Supplement (II.2.a): A, B, C, D by the error, U for an upper limit, which has no error, X for a band without measurement.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64

from ingest.sky.photometry_noise import infrared_magnitude_errors
from ingest.sky.surveys.designation import at_epoch, shifted, two_mass_name
from ingest.sky.surveys.inputs import SurveyInput, SurveyTruth, other_star
from ingest.sky.surveys.survey_table import SurveyColumn, SurveyTable, table_of, write_delimited

Vector = Float64[np.ndarray, " n"]

BANDS = ("j", "h", "ks")
EPOCH = 1999.5
"""About when 2MASS observed."""
_GRADES = ((0.10857, "A"), (0.15510, "B"), (0.21714, "C"), (0.36191, "D"))
"""Largest error in mag of each grade: S/N 10, 7, 5, and 3."""
_POSITION_SIGMA = 0.08
"""Arcsec in each direction."""

BEST_NEIGHBOUR = (
    SurveyColumn("source_id", "i8"), SurveyColumn("original_ext_source_id", "S17"), SurveyColumn("angular_distance", "f4", "arcsec"),
    SurveyColumn("xm_flag", "i2"), SurveyColumn("clean_tmass_psc_xsc_oid", "i8"), SurveyColumn("number_of_neighbours", "i2"),
    SurveyColumn("number_of_mates", "i2"),
)  # fmt: skip
JOIN = (
    SurveyColumn("clean_tmass_psc_xsc_oid", "i8"), SurveyColumn("original_psc_source_id", "S17"), SurveyColumn("original_xsc_source_id", "S17"),
)  # fmt: skip
ORIGINAL_VALID = (
    SurveyColumn("tmass_oid", "i8"), SurveyColumn("designation", "S17"), SurveyColumn("ra", "f8", "deg"), SurveyColumn("dec", "f8", "deg"),
    SurveyColumn("err_maj", "f4", "arcsec"), SurveyColumn("err_min", "f4", "arcsec"), SurveyColumn("err_ang", "i2", "deg"),
    *(SurveyColumn(f"{band}_m{error}", "f4", "mag") for band in BANDS for error in ("", "sigcom")),
    SurveyColumn("ph_qual", "S3"), SurveyColumn("ext_key", "i4", null=-1, declared=True), SurveyColumn("j_date", "f8", "d"),
)  # fmt: skip


@dataclass(frozen=True)
class TwoMassOptions:
    """Shares of the stars."""

    unmatched: float = 0.02
    """Without a best neighbour."""
    extended: float = 0.005
    """With the key of an extended source."""
    missing_band: float = 0.0
    """With no measurement in a band, each band for itself, beside those of the input."""
    upper_limit: float = 0.01
    """With an upper limit in a band because of a neighbour; 3 % of real rows in J have one."""
    wrong_match: float = 0.0
    """Whose neighbour is another star, beside those of the input."""


@dataclass(frozen=True, eq=False)
class TwoMass:
    """2MASS of every star of the input, n long; NaN and empty where there is nothing."""

    magnitude: dict[str, Vector]
    """By band, mag."""
    error: dict[str, Vector]
    ph_qual: np.ndarray
    designation: np.ndarray
    """The empty text for a star without a best neighbour."""
    best_neighbour: SurveyTable
    join: SurveyTable
    original_valid: SurveyTable
    truth: SurveyTruth
    """Of the rows of the tables."""

    @property
    def matched(self) -> Bool[np.ndarray, " n"]:
        """Stars with a best neighbour."""
        return np.asarray(self.designation != "")


def draw_two_mass(stars: SurveyInput, rng: np.random.Generator, options: TwoMassOptions = TwoMassOptions()) -> TwoMass:
    """2MASS of the simulated stars."""
    n = len(stars)
    u, z = rng.random((n, 11)), rng.standard_normal((n, 5))
    ra, dec = at_epoch(stars, EPOCH)
    ra, dec = shifted(ra, dec, *(_POSITION_SIGMA / 3600.0 * z[:, column] for column in (3, 4)))
    matched = (u[:, 0] >= options.unmatched) & ~stars.missing[:, :3].all(axis=1)
    wrong = matched & (u[:, 1] < options.wrong_match)
    star = np.where(wrong, other_star(n, rng), stars.counterpart)
    wrong |= star != np.arange(n)
    true = np.stack([getattr(stars, band) for band in (*BANDS, "w1", "w2")], axis=1)[star]
    # The error that is printed has three digits, and the noise is made of it.
    sigmas = np.round(infrared_magnitude_errors(true), 3)
    name = np.where(matched, two_mass_name(ra, dec), "")
    # In the order of the designations; two stars in one place are one source, the first of them.
    rows = np.unique(name, return_index=True)[1].astype(np.int64)
    rows = rows[name[rows] != ""]
    found = np.isin(np.arange(n), rows)
    name = np.where(found, name, "")
    magnitude, error = {}, {}
    grades = np.full((n, 3), "X", "U1")
    for column, band in enumerate(BANDS):
        missing, limit = stars.missing[:, column] | (u[:, 2 + column] < options.missing_band), u[:, 8 + column] < options.upper_limit
        values, sigma, grades[:, column] = _band(true[:, column], sigmas[:, column], z[:, column], missing, limit)
        magnitude[band], error[band] = (np.where(found, array, np.nan) for array in (values, sigma))
    quality = np.where(found, np.array(["".join(grade) for grade in grades.tolist()], "U3"), "")
    oid = np.arange(1, len(rows) + 1, dtype=np.int64) * 1_000 + (u[rows, 5] * 1_000).astype(np.int64)
    photometry = {
        "tmass_oid": oid, "designation": name[rows], "ra": np.round(ra[rows], 6), "dec": np.round(dec[rows], 6), "err_maj": np.full(len(rows), 0.08),
        "err_min": np.full(len(rows), 0.07), "err_ang": (180 * u[rows, 6]).astype(np.int16), "ph_qual": quality[rows],
        "ext_key": np.where(u[rows, 7] < options.extended, oid, -1), "j_date": np.round(2_450_600 + 1_350 * u[rows, 6], 4),
        **{f"{band}_m": magnitude[band][rows] for band in BANDS}, **{f"{band}_msigcom": error[band][rows] for band in BANDS},
    }  # fmt: skip
    return TwoMass(
        magnitude, error, quality, name, _neighbours(stars, rows, oid, name, wrong, z),
        table_of(JOIN, len(rows), {"clean_tmass_psc_xsc_oid": oid, "original_psc_source_id": name[rows]}),
        table_of(ORIGINAL_VALID, len(rows), photometry), SurveyTruth(star[rows], rows, np.zeros(len(rows), bool)),
    )  # fmt: skip


def _band(
    true: Vector, sigma: Vector, z: Vector, missing: Bool[np.ndarray, " n"], limit: Bool[np.ndarray, " n"]
) -> tuple[Vector, Vector, np.ndarray]:
    """Measured magnitude, its error, and the grade."""
    grade = np.full(len(true), "U", "U1")
    for largest, letter in reversed(_GRADES):
        grade[(sigma <= largest) & ~limit] = letter
    limit = grade == "U"
    grade[missing] = "X"
    # An upper limit is what would have been seen: brighter than the star.
    values = np.round(np.where(limit, true - 0.5 * np.abs(z), true + sigma * z), 3)
    return np.where(missing, np.nan, values), np.where(missing | limit, np.nan, sigma), grade


def _neighbours(
    stars: SurveyInput, rows: Int64[np.ndarray, " rows"], oid: np.ndarray, name: np.ndarray, wrong: np.ndarray, z: np.ndarray
) -> SurveyTable:
    order = np.argsort(stars.source_id[rows], kind="stable")
    rows, oid = rows[order], oid[order]
    distance = _POSITION_SIGMA * np.hypot(z[rows, 3], z[rows, 4]) + np.where(wrong[rows], 1.0, 0.0)
    values = {
        "source_id": stars.source_id[rows], "original_ext_source_id": name[rows], "angular_distance": distance, "xm_flag": np.full(len(rows), 8),
        "clean_tmass_psc_xsc_oid": oid, "number_of_neighbours": np.where(wrong[rows], 2, 1), "number_of_mates": np.where(wrong[rows], 1, 0),
    }  # fmt: skip
    return table_of(BEST_NEIGHBOUR, len(rows), values)


def write_two_mass(folder: Path, two_mass: TwoMass) -> list[Path]:
    """The three files, as comma-separated text: the archive's cross-match files are plain CSV."""
    files = {
        "tmasspscxscBestNeighbour0001.csv.gz": two_mass.best_neighbour,
        "tmasspscxscJoin0001.csv.gz": two_mass.join,
        "tmass_original_valid.csv.gz": two_mass.original_valid,
    }
    for name, table in files.items():
        write_delimited(folder / name, table, null="null", quoted=True)
    return [folder / name for name in files]
