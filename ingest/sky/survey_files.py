"""The files of every survey of one simulated sky, in the folder ``surveys``, and what is true of their rows beside them.

surveys/...                   2MASS, unWISE, fidelity, reddening, APOGEE with its spectra, LAMOST, Hot Payne, GALAH, each in its own format
survey_truth.parquet          which star each row is really of; neither ingest nor models ever read it
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits
from jaxtyping import Float64

from ingest.sky.hband import FIRST_LOG_WAVELENGTH, H_PIXELS, LOG_WAVELENGTH_STEP, hband_flux, hband_noise
from ingest.sky.photometry_noise import measured_parallax
from ingest.sky.stars import Stars
from ingest.sky.surveys.apogee import draw_apogee, write_apogee
from ingest.sky.surveys.fidelity import draw_fidelity, norm_dg_of, write_fidelity
from ingest.sky.surveys.galah import draw_galah, write_galah
from ingest.sky.surveys.hot_payne import draw_hot_payne, write_hot_payne
from ingest.sky.surveys.inputs import NO_STAR, SurveyInput, SurveyTruth
from ingest.sky.surveys.lamost import draw_lamost, write_lamost
from ingest.sky.surveys.reddening import draw_reddening, write_reddening
from ingest.sky.surveys.survey_table import SurveyDraw, write_fits
from ingest.sky.surveys.two_mass import draw_two_mass, write_two_mass
from ingest.sky.surveys.unwise import draw_unwise, write_unwise
from ingest.sky.wavelengths import NIR_BANDS
from ingest.sky.xp_forward import PHOTOMETRIC_BANDS, Release

SURVEY_TRUTH = "survey_truth.parquet"
SPECTRA_A_FILE = 400
SPECTRA_SNR = (50.0, 500.0)


def survey_input(
    stars: Stars, magnitudes: Float64[np.ndarray, "n 8"], parallax_noise: Float64[np.ndarray, " n"], release: Release, inflate: float
) -> SurveyInput:
    """The stars as the surveys get them; ``parallax_noise`` are the standard normal numbers that the catalogue's parallaxes carry."""
    parallax, error = measured_parallax(1.0 / stars.distance, magnitudes[:, 0], parallax_noise, release=release, inflate=inflate)
    bands = (*PHOTOMETRIC_BANDS, *NIR_BANDS)
    return SurveyInput.of(stars, {band: magnitudes[:, i] for i, band in enumerate(bands)}, parallax, error)


def write_surveys(stars: SurveyInput, folder: Path, seed: int) -> list[Path]:
    """Every survey's files in ``folder/surveys``, and the truth of their rows; the files. Each survey draws from a generator of its own."""

    def rng(survey: int) -> np.random.Generator:
        return np.random.default_rng([seed, 10, survey])

    place = folder / "surveys"
    place.mkdir(parents=True, exist_ok=True)
    two_mass, fidelity = draw_two_mass(stars, rng(0)), draw_fidelity(stars, rng(2))
    draws = {
        "unwise": draw_unwise(stars, norm_dg_of(stars, fidelity), rng(1)), "fidelity": fidelity, "reddening": draw_reddening(stars, rng(3)),
        "apogee": draw_apogee(stars, two_mass, rng(4)), "lamost": draw_lamost(stars, rng(5)), "galah": draw_galah(stars, two_mass, rng(6)),
    }  # fmt: skip
    draws["hot_payne"] = draw_hot_payne(stars, draws["lamost"], rng(7))
    files = [
        *write_two_mass(place, two_mass), write_unwise(place, draws["unwise"]), write_fidelity(place, draws["fidelity"]),
        write_reddening(place, draws["reddening"]), write_apogee(place, draws["apogee"]), write_lamost(place, draws["lamost"]),
        write_hot_payne(place, draws["hot_payne"]), write_galah(place, draws["galah"]),
        *write_apogee_spectra(place, stars, draws["apogee"], rng(8)),
    ]  # fmt: skip
    write_survey_truth(folder / SURVEY_TRUTH, stars, {name: draw.truth for name, draw in draws.items()} | {"two_mass": two_mass.truth})
    return files


def write_apogee_spectra(folder: Path, stars: SurveyInput, apogee: SurveyDraw, rng: np.random.Generator) -> Iterator[Path]:
    """Continuum-normalised H-band spectra of the APOGEE rows on the grid of model atmospheres, some hundred a FITS table, ordered as allStar.

    The survey gives each star a file of its own; here a row holds what such a file does: flux, error and mask of 8,575 pixels.
    """
    rows = np.flatnonzero(stars.on_grid[apogee.truth.star])
    for number, start in enumerate(range(0, len(rows), SPECTRA_A_FILE)):
        some = rows[start : start + SPECTRA_A_FILE]
        star = apogee.truth.star[some]
        snr = np.clip(np.asarray(apogee.table["SNR"], np.float64)[some], *SPECTRA_SNR)
        seen = hband_noise(hband_flux(stars.labels.take(star)), snr, rng, radial_velocity=stars.radial_velocity[star])
        columns = fits.ColDefs(
            [
                fits.Column("APOGEE_ID", "18A", array=np.asarray(apogee.table["APOGEE_ID"])[some]),
                fits.Column("SNR", "E", array=snr), fits.Column("FLUX", f"{H_PIXELS}E", array=seen.flux),
                fits.Column("ERROR", f"{H_PIXELS}E", array=seen.error), fits.Column("MASK", f"{H_PIXELS}J", array=seen.mask.astype(np.int32)),
            ]
        )  # fmt: skip
        table = fits.BinTableHDU.from_columns(columns, name="SPECTRA")
        table.header["CRVAL1"] = (FIRST_LOG_WAVELENGTH, "log10 of first vacuum wavelength in Angstrom")
        table.header["CDELT1"] = (LOG_WAVELENGTH_STEP, "step of log10 wavelength")
        table.header["SIMULATE"] = (True, "simulated spectra")
        path = folder / f"apogee_spectra_{number:04d}.fits"
        write_fits(path, table)
        yield path


def write_survey_truth(path: Path, stars: SurveyInput, truths: Mapping[str, SurveyTruth]) -> None:
    """One row for each row of a survey: the star that was observed, the star whose identifier it carries, and whether its values are off."""
    parts = []
    for survey, truth in sorted(truths.items()):
        n = len(truth.star)
        named = truth.identified_as != NO_STAR
        carried = pa.array(stars.source_id[np.where(named, truth.identified_as, 0)], mask=~named)
        parts.append(
            pa.table(
                {
                    "survey": pa.array([survey] * n, pa.string()), "survey_row": pa.array(np.arange(n)), "true_source_id": pa.array(stars.source_id[truth.star]),
                    "carried_source_id": carried, "outlier": pa.array(truth.outlier),
                }
            )
        )  # fmt: skip
    part = path.with_suffix(".part")
    pq.write_table(pa.concat_tables(parts), part, compression="zstd")
    part.rename(path)
