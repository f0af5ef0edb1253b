"""The surveys of one sky: every file is there and whole, the same for a seed, and the truth beside them fits its rows."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits

from ingest.sky.gaia_rows import true_magnitudes
from ingest.sky.hband import H_PIXELS
from ingest.sky.options import StarOptions
from ingest.sky.photometry_noise import PARALLAX_ZERO_POINT
from ingest.sky.stars import draw_stars
from ingest.sky.survey_files import SURVEY_TRUTH, survey_input, write_surveys
from ingest.sky.surveys.inputs import SurveyInput


@pytest.fixture(scope="module")
def stars() -> SurveyInput:
    drawn = draw_stars(400, np.random.default_rng(5), StarOptions.demanding(max_g=14.0))
    noise = np.random.default_rng(6).standard_normal(len(drawn))
    return survey_input(drawn, true_magnitudes(drawn), noise, "dr3", 1.0)


@pytest.fixture(scope="module")
def folder(stars: SurveyInput, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sky")
    write_surveys(stars, path, 3)
    return path


def test_every_survey_has_its_files_and_none_is_half_written(folder: Path) -> None:
    names = sorted(path.name for path in (folder / "surveys").iterdir())
    assert not [name for name in names if name.endswith(".part")]
    for word in ("allStar", "apogee_spectra_0000", "GALAH", "LRS", "hot_payne", "tmass", "unwise", "gedr3spur", "reddening"):
        assert any(word in name for name in names), word


def test_the_same_seed_gives_the_same_bytes(stars: SurveyInput, folder: Path, tmp_path: Path) -> None:
    write_surveys(stars, tmp_path, 3)
    digests = [
        {path.relative_to(place): hashlib.sha256(path.read_bytes()).hexdigest() for path in place.rglob("*") if path.is_file()}
        for place in (folder, tmp_path)
    ]
    assert digests[0] == digests[1]


def test_the_truth_names_a_star_of_the_sky_for_every_row(stars: SurveyInput, folder: Path) -> None:
    truth = pq.read_table(folder / SURVEY_TRUTH).to_pydict()
    ids = set(stars.source_id.tolist())
    assert set(truth["true_source_id"]) <= ids
    assert {carried for carried in truth["carried_source_id"] if carried is not None} <= ids
    assert set(truth["survey"]) >= {"apogee", "lamost", "galah", "two_mass", "unwise", "fidelity", "reddening"}
    rows = {survey: truth["survey"].count(survey) for survey in set(truth["survey"])}
    assert rows["fidelity"] == len(stars)
    assert all(
        sorted(r for r, s in zip(truth["survey_row"], truth["survey"], strict=True) if s == name) == list(range(n))
        for name, n in rows.items()
    )


def test_apogee_spectra_belong_to_allstar_rows_and_tell_that_they_are_simulated(folder: Path) -> None:
    with fits.open(next((folder / "surveys").glob("allStar*"))) as catalogue:
        known = set(catalogue[1].data["APOGEE_ID"])
    with fits.open(folder / "surveys" / "apogee_spectra_0000.fits") as spectra:
        table = spectra[1]
        assert table.header["SIMULATE"] is True and table.header["CRVAL1"] == 4.179
        assert set(table.data["APOGEE_ID"]) <= known and len(table.data) > 10
        assert table.data["FLUX"].shape[1] == H_PIXELS
        assert (table.data["SNR"] >= 50).all() and (table.data["SNR"] <= 500).all()
        good = table.data["MASK"] == 0
        assert 0.3 < good.mean() < 0.9
        assert np.abs(np.median(table.data["FLUX"][good]) - 0.95) < 0.1


def test_parallaxes_of_the_surveys_are_those_of_the_catalogue(stars: SurveyInput) -> None:
    pull = (stars.parallax - 1 / stars.distance - PARALLAX_ZERO_POINT) / stars.parallax_error
    assert abs(pull.mean()) < 0.2 and abs(pull.std() - 1) < 0.15
