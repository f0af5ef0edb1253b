"""The information table: the bounds of the files' stars, with units, beside the truth, and no more a product than that is."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import ascii as astropy_ascii

from catalog.database import Database, Role
from catalog.releases import add_release
from ingest.load import add_paths
from ingest.sky.fisher import DATA_SETS, REPORTED
from ingest.sky.information import COLUMNS, MOST_STARS, information_sample
from ingest.sky.make import INFORMATION, TRUTH, SkySettings, make_sky
from ingest.sky.oddities import Kind
from ingest.sky.options import StarOptions
from ingest.sky.stars import Stars, draw_stars
from ingest.sky.survey_files import SURVEY_TRUTH

SETTINGS = SkySettings(stars=240, seed=4, max_g=14.5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_sky(SETTINGS, tmp_path_factory.mktemp("made") / "sky", workers=1)
    assert made.stars == SETTINGS.stars
    return made.folder


def test_it_reads_back_with_units_and_sentences_one_row_a_single_ordinary_star(folder: Path) -> None:
    table, truth = pq.read_table(folder / INFORMATION), pq.read_table(folder / TRUTH)
    assert table.column_names == [column.name for column in COLUMNS]
    for column in COLUMNS:
        metadata = table.schema.field(column.name).metadata
        assert (metadata[b"unit"].decode(), metadata[b"description"].decode()) == (column.unit, column.description)
    assert {f"{data_set}_{word}_{name}" for data_set in DATA_SETS for word in ("sigma", "error") for name in REPORTED} < set(
        table.column_names
    )
    assert b"Simulated" in table.schema.metadata[b"description"]
    fit = (np.array(truth["kind"].to_pylist()) == "star") & ~truth["is_binary"].to_numpy() & truth["wrong_match"].is_null().to_numpy()
    assert table["source_id"].to_pylist() == truth["source_id"].to_numpy()[fit].tolist()


def test_what_is_not_known_is_null_and_no_number_is_infinite(folder: Path) -> None:
    table = pq.read_table(folder / INFORMATION)
    assert table["xp_sigma_parallax"].null_count == table.num_rows
    assert table["all_sigma_parallax"].null_count == table["xp_sigma_teff"].null_count == 0
    no_spectrum = table["rvs_signal_to_noise"].is_null().to_numpy()
    assert 0 < no_spectrum.sum() < table.num_rows
    assert table["rvs_sigma_teff"].is_null().to_numpy()[no_spectrum].all()
    few = table["xp_error_teff"].is_null().to_numpy()  # dwarfs, of which the sky has too few
    assert 0 < few.sum() < table.num_rows // 2
    for data_set in DATA_SETS:
        for name in REPORTED:
            error, sigma = table[f"{data_set}_error_{name}"].to_numpy(), table[f"{data_set}_sigma_{name}"].to_numpy()
            assert (error <= sigma * 1.000001)[~np.isnan(error) & ~np.isnan(sigma)].all()
    for name in table.column_names[1:]:
        values = table[name].drop_null().to_numpy()
        assert np.isfinite(values).all() and (name == "g" or (values > 0).all()), name


def test_a_star_has_the_transits_and_the_rvs_spectrum_that_its_rows_in_the_files_have(folder: Path) -> None:
    table = pq.read_table(folder / INFORMATION)
    measured, spectra = {}, set()
    for path in folder.glob("xp_continuous_mean_spectrum/*.csv.gz"):
        rows = astropy_ascii.read(path, format="ecsv", fill_values=("null", "0"))
        for row in rows:
            measured[int(row["source_id"])] = (row["bp_n_measurements"], row["rp_n_measurements"])
    for path in folder.glob("rvs_mean_spectrum/*.csv.gz"):
        spectra |= {int(source) for source in astropy_ascii.read(path, format="ecsv", fill_values=("null", "0"))["source_id"]}
    agree = []
    for row in table.select(["source_id", "bp_transits", "rp_transits", "rvs_signal_to_noise"]).to_pylist():
        bp, rp = measured[row["source_id"]]
        assert bp is np.ma.masked or bp == 60 * row["bp_transits"]
        assert rp == 60 * row["rp_transits"]
        agree.append((row["rvs_signal_to_noise"] is not None) == (row["source_id"] in spectra))
    # The archive's limit is one of measured magnitudes, that of the bounds one of true ones.
    assert np.mean(agree) > 0.97


def test_the_file_is_complete_or_absent_and_made_again_to_the_byte(folder: Path, tmp_path: Path) -> None:
    again = shutil.copytree(folder, tmp_path / "sky")
    (again / INFORMATION).unlink()
    (again / (INFORMATION + ".part")).write_bytes(b"half a file")
    made = make_sky(SETTINGS, again, workers=2)
    assert made.written == 0
    assert (again / INFORMATION).read_bytes() == (folder / INFORMATION).read_bytes()
    assert not list(again.rglob("*.part"))


def test_neither_truth_nor_bounds_are_a_product(folder: Path, database: Database) -> None:
    add_release(database, "sim_dr3")
    hidden = (TRUTH, INFORMATION, SURVEY_TRUTH)
    summary = add_paths(database, "sim_dr3", [folder / name for name in hidden], work=True)
    assert sorted(Path(file.name).name for file in summary.files) == sorted(hidden)
    assert [file.state for file in summary.files] == ["not_a_product"] * len(hidden)
    with database.connect(Role.WORKER) as connection:
        assert connection.execute("SELECT count(*) FROM store.gaia_source").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM store.xp_spectrum").fetchone() == (0,)


def test_only_the_evaluation_that_is_told_where_they_are_names_these_files() -> None:
    from catalog.version import ROOT

    readers = [
        str(path.relative_to(ROOT))
        for folder in ("catalog", "ingest", "models", "tap_service")
        for path in (ROOT / folder).rglob("*.py")
        if (ROOT / "ingest" / "sky") not in path.parents and any(name in path.read_text() for name in (TRUTH, INFORMATION, SURVEY_TRUTH))
    ]
    assert sorted(readers) == ["models/forward/commands.py", "models/forward/evaluation/truth.py"]


def test_a_large_sky_gets_a_sample_that_the_seed_draws() -> None:
    some = draw_stars(300, np.random.default_rng(2), StarOptions.demanding(white_dwarf_share=0.1, wrong_match_share=0.1))
    many = some.take(np.resize(np.arange(300), 3 * MOST_STARS))
    sample = information_sample(many, 7)
    assert len(sample) == MOST_STARS and (np.diff(sample) > 0).all()
    assert (sample == information_sample(many, 7)).all() and not (sample == information_sample(many, 8)).all()
    assert _fit(many.take(sample)).all()
    assert (information_sample(some, 7) == np.flatnonzero(_fit(some))).all()


def _fit(stars: Stars) -> np.ndarray:
    return (stars.kind == Kind.STAR) & ~stars.is_binary & (stars.wrong_match == 0)
