"""2MASS for the simulated sky: the Gaia archive's best neighbours, its join to the point sources, and their photometry.

Three tables, to be joined as Zhang, Green & Rix 2023 do: source_id -> clean_tmass_psc_xsc_oid -> designation. Columns: Gaia DR3 data model,
tmass_psc_xsc_best_neighbour and tmass_psc_xsc_join; gaiadr1.tmass_original_valid. [assumed] the names of the join's files, and err_maj, err_min,
err_ang and j_date of the photometry; the archive's table has more columns.

Noise [assumed]: S/N 10 at J 15.8, H 15.1, Ks 14.3, limited by the sky, with a floor of 0.02 mag. ph_qual follows the rules of the 2MASS
Explanatory Supplement (II.2.a): A, B, C, D by the error, U for an upper limit, which has no error, X for a band without measurement.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64

from ingest.sky.surveys.designation import at_epoch, shifted, two_mass_name
from ingest.sky.surveys.inputs import SurveyInput, SurveyTruth, other_star
from ingest.sky.surveys.survey_table import SurveyColumn, SurveyTable, table_of, write_delimited

Vector = Float64[np.ndarray, " n"]

BANDS = ("j", "h", "ks")
EPOCH = 1999.5
"""About when 2MASS observed."""
SNR_10 = {"j": 15.8, "h": 15.1, "ks": 14.3}
FLOOR = 0.02
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
    missing_band: float = 0.005
    """With no measurement in a band, each band for itself."""
    wrong_match: float = 0.003
    """Whose neighbour is another star."""


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


def sigma_of(magnitude: Vector, band: str) -> Vector:
    """Error in mag of a star of that true magnitude."""
    return np.hypot(FLOOR, 2.5 / np.log(10) / 10.0 * 10.0 ** (0.4 * (magnitude - SNR_10[band])))


def draw_two_mass(stars: SurveyInput, rng: np.random.Generator, options: TwoMassOptions = TwoMassOptions()) -> TwoMass:
    """2MASS of the simulated stars."""
    n = len(stars)
    u, z = rng.random((n, 8)), rng.standard_normal((n, 5))
    ra, dec = at_epoch(stars, EPOCH)
    ra, dec = shifted(ra, dec, *(_POSITION_SIGMA / 3600.0 * z[:, column] for column in (3, 4)))
    matched = u[:, 0] >= options.unmatched
    wrong = matched & (u[:, 1] < options.wrong_match)
    star = np.where(wrong, other_star(n, rng), np.arange(n))
    name = np.where(matched, two_mass_name(ra, dec), "")
    # In the order of the designations; two stars in one place are one source, the first of them.
    rows = np.unique(name, return_index=True)[1].astype(np.int64)
    rows = rows[name[rows] != ""]
    found = np.isin(np.arange(n), rows)
    name = np.where(found, name, "")
    magnitude, error = {}, {}
    grades = np.full((n, 3), "X", "U1")
    for column, band in enumerate(BANDS):
        values, sigma, grades[:, column] = _band(getattr(stars, band)[star], band, z[:, column], u[:, 2 + column] < options.missing_band)
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
        table_of(ORIGINAL_VALID, len(rows), photometry), SurveyTruth(star[rows], rows, wrong[rows]),
    )  # fmt: skip


def _band(true: Vector, band: str, z: Vector, missing: Bool[np.ndarray, " n"]) -> tuple[Vector, Vector, np.ndarray]:
    """Measured magnitude, its error, and the grade."""
    sigma = sigma_of(true, band)
    # What is printed says 0.001 mag, so the error is rounded before the noise is made of it.
    sigma = np.round(sigma, 3)
    values = np.round(true + sigma * z, 3)
    grade = np.full(len(true), "U", "U1")
    for largest, letter in reversed(_GRADES):
        grade[sigma <= largest] = letter
    limit = grade == "U"
    values = np.where(limit, np.round(SNR_10[band] + 1.3 + 0.1 * z, 3), values)
    grade[missing] = "X"
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
