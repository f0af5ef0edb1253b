"""Hot Payne on the simulated sky: labels of hot stars from their LAMOST spectra (Xiang et al. 2022, A&A 662, A66).

SpecID names the LAMOST spectrum, padded with blanks to 36 characters. Known names: SpecID, Teff, logg, [Fe/H] and their errors, as ZGR23's code
reads them; [assumed] that the other abundances are spelt likewise. v sin i, micro-turbulence, helium, oxygen and sulphur, which the real table
also has, are not simulated and have no columns here. There is no Gaia identifier.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ingest.sky.surveys import label_noise
from ingest.sky.surveys.inputs import SurveyInput, SurveyTruth
from ingest.sky.surveys.lamost import spec_id
from ingest.sky.surveys.survey_table import SurveyColumn, SurveyDraw, table_hdu, table_of, write_fits

FILE_NAME = "hot_payne.fits.gz"

COLUMNS = (
    SurveyColumn("SpecID", "S36"),
    *(SurveyColumn(f"{prefix}{name}", "f4", unit) for name, unit in (("Teff", "K"), ("logg", "dex"), *((f"[{x}/H]", "dex") for x in ("Fe", "C", "N")))
      for prefix in ("", "e_")),
)  # fmt: skip


@dataclass(frozen=True)
class HotPayneOptions:
    """Which of the LAMOST spectra have a row."""

    min_teff: float = 7000.0
    """True temperature, K."""
    share: float = 0.95
    outliers: float = 0.0


def draw_hot_payne(
    stars: SurveyInput, lamost: SurveyDraw, rng: np.random.Generator, options: HotPayneOptions = HotPayneOptions()
) -> SurveyDraw:  # fmt: skip
    """Hot Payne labels of the hot spectra among LAMOST's, in their order."""
    u, z = rng.random((len(lamost), 2)), rng.standard_normal((len(lamost), 6))
    rows = np.flatnonzero((stars.labels.teff[lamost.truth.star] > options.min_teff) & (u[:, 0] < options.share))
    truth = stars.labels.take(lamost.truth.star[rows])
    outlier = u[rows, 1] < options.outliers
    sigma = label_noise.HOT_PAYNE.at(np.asarray(lamost.table["snrg"][rows], np.float64))
    found = label_noise.measured(truth, sigma, z[rows], outlier)
    values = {
        "SpecID": np.array([f"{name:<36}" for name in spec_id(lamost.take(rows)).tolist()], "U36"), "Teff": found.teff, "e_Teff": sigma.teff, "logg": found.logg, "e_logg": sigma.logg,
        "[Fe/H]": found.feh, "e_[Fe/H]": sigma.feh, "[C/H]": found.c_fe + truth.feh, "e_[C/H]": sigma.c_fe, "[N/H]": found.n_fe + truth.feh,
        "e_[N/H]": sigma.n_fe,
    }  # fmt: skip
    found_in = lamost.truth.take(rows)
    return SurveyDraw(table_of(COLUMNS, len(rows), values), SurveyTruth(found_in.star, found_in.identified_as, outlier))


def write_hot_payne(folder: Path, draw: SurveyDraw) -> Path:
    """One FITS binary table, gzipped."""
    write_fits(folder / FILE_NAME, table_hdu(draw.table))
    return folder / FILE_NAME
