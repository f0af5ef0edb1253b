"""A simulated sky through the real command: the same bytes however it is made, and files that ingest and GaiaXPy take as the archive's own."""

import fcntl
import gzip
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from psycopg import sql

from catalog.database import Database, Role
from catalog.errors import DataError, TransientError
from catalog.releases import SIMULATED_SOLUTION_ID, add_release
from catalog.version import ROOT
from ingest.load import add_paths
from ingest.sky.make import LEAST_STARS_A_FILE, SkySettings, make_sky

STARS = 300
SETTINGS = SkySettings(STARS, 5)
N_FILES = STARS // LEAST_STARS_A_FILE
FOLDERS = {"gaia_source": "GaiaSource", "xp_continuous_mean_spectrum": "XpContinuousMeanSpectrum", "rvs_mean_spectrum": "RvsMeanSpectrum"}
XP = "xp_continuous_mean_spectrum"


def words(folder: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "kiel_main", "sky", "make", "--stars", str(STARS), "--seed", "5", "--out", str(folder), *more]


def kiel(folder: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(words(folder, *more), cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def held(folder: Path) -> dict[str, str]:
    """Every file under the folder with the MD5 of its bytes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.md5(path.read_bytes()).hexdigest() for path in files}


def table(folder: Path, name: str) -> pd.DataFrame:
    """All rows of a table's files as a reader of CSV sees them."""
    texts = [gzip.decompress(path.read_bytes()).decode() for path in sorted((folder / name).glob("*.csv.gz"))]
    return pd.concat([pd.read_csv(io.StringIO(text), comment="#", na_values="null") for text in texts], ignore_index=True)


def states(summary: Any) -> dict[str, tuple[str, int | None, int | None]]:
    return {Path(file.name).name: (file.state, file.rows_loaded, file.rows_rejected) for file in summary.files}


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sky made on one worker; nothing was said but its JSON."""
    folder = tmp_path_factory.mktemp("made") / "sky"
    made = kiel(folder, "--workers", "1", "--json")
    assert (made.returncode, made.stderr) == (0, "")
    assert json.loads(made.stdout)["stars"] == STARS
    return folder


@pytest.fixture
def sim_database(database: Database) -> Database:
    """A catalogue with real and simulated releases."""
    add_release(database, "sim_dr3")
    add_release(database, "sim_dr4")
    return database


# --- the same bytes --------------------------------------------------------------------------------------------------------------


def test_two_workers_write_the_bytes_of_one(sky: Path, tmp_path: Path) -> None:
    assert kiel(tmp_path / "sky", "--workers", "2").returncode == 0
    assert held(tmp_path / "sky") == held(sky)


def test_a_sky_killed_in_the_middle_leaves_no_worker_and_is_finished_to_the_same_bytes(sky: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sky"
    with subprocess.Popen(words(folder, "--workers", "1"), cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and not any(folder.rglob("*.csv.gz")):
            time.sleep(0.005)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(signal.SIGKILL)
    assert children
    deadline = time.monotonic() + 20
    while alive := [child for child in children if _runs(child)]:
        assert time.monotonic() < deadline, f"still running: {alive}"
        time.sleep(0.05)
    assert 0 < len(list(folder.rglob("*.csv.gz"))) < len(FOLDERS) * N_FILES, "killed in the middle"
    assert kiel(folder, "--workers", "1").returncode == 0
    assert held(folder) == held(sky)


def _runs(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_finished_sky_is_left_as_it_is(sky: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in sky.rglob("*.gz")}
    assert make_sky(SETTINGS, sky, workers=1).written == 0
    assert {path: path.stat().st_mtime_ns for path in sky.rglob("*.gz")} == before


def test_lost_files_are_made_again(sky: Path, tmp_path: Path) -> None:
    folder, name = tmp_path / "sky", "gaia_source"
    subprocess.run(["cp", "-r", str(sky), str(folder)], check=True)
    lost = next((folder / name).glob("*.csv.gz")).name.removeprefix(FOLDERS[name])
    for each in folder.rglob(f"*{lost}"):
        each.unlink()
    assert make_sky(SETTINGS, folder, workers=1).written == len(FOLDERS)
    assert held(folder) == held(sky)


# --- refusals --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other", [{"stars": 301}, {"seed": 6}, {"release": "dr4"}, {"alpha_gain": 0.0}, {"inflate": 1.2}, {"max_g": 16.0}, {"rv_scatter": 0.0}]
)
def test_a_folder_of_other_settings_is_refused_and_left_alone(sky: Path, other: dict[str, Any]) -> None:
    before = held(sky)
    with pytest.raises(DataError, match=f"of other settings .*{next(iter(other))}"):
        make_sky(replace(SETTINGS, **other), sky)
    assert held(sky) == before


def test_the_command_says_in_a_sentence_that_it_refuses_a_folder(sky: Path) -> None:
    refused = kiel(sky, "--inflate", "1.2")
    assert refused.returncode == 1
    assert "holds a simulated sky of other settings (inflate 1.0)" in " ".join(refused.stderr.split())


def test_a_folder_that_another_process_works_on_is_refused(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(TransientError, match="another process"):
        make_sky(SETTINGS, tmp_path)
    os.close(descriptor)
    assert not list(tmp_path.iterdir())


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("all I have")
    with pytest.raises(DataError, match="holds other files"):
        make_sky(SETTINGS, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


# --- what is in the files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FOLDERS)
def test_checksum_lists_agree_with_the_files(sky: Path, name: str) -> None:
    listed = dict(reversed(line.split("  ")) for line in (sky / name / "_MD5SUM.txt").read_text().splitlines())
    files = held(sky / name)
    del files["_MD5SUM.txt"]
    assert listed == files
    assert len(files) == N_FILES
    assert all(file.startswith(f"{FOLDERS[name]}_") for file in files)


def test_every_star_is_in_the_truth_and_in_the_files(sky: Path) -> None:
    truth = pq.read_table(sky / "truth.parquet").to_pandas()
    for name in ("gaia_source", XP):
        rows = table(sky, name)
        assert sorted(rows["source_id"]) == sorted(truth["source_id"])
        assert set(rows["solution_id"]) == {SIMULATED_SOLUTION_ID}
    source = table(sky, "gaia_source").merge(truth, on="source_id", suffixes=("", "_true"))
    spectra = table(sky, "rvs_mean_spectrum")
    assert set(spectra["source_id"]) == set(source["source_id"][source["has_rvs"] == True])  # noqa: E712
    usual = (source["kind"] == "star") & ~source["missing_bp"]
    dust = source["ebv"] * (source["rv"] - 3.1).abs()  # stars are selected at R_V 3.1
    assert ((source["phot_g_mean_mag"] - source["g"]).abs() < 0.02 + 1.2 * dust)[usual].all()
    pull = (source["parallax"] - source["parallax_true"] + 0.03) / source["parallax_error"]
    assert abs(pull.std() - 1) < 0.15
    assert abs(pull.mean()) < 0.2


def test_missing_bp_is_null_and_its_rp_stays(sky: Path) -> None:
    truth = pq.read_table(sky / "truth.parquet").to_pandas()
    rows = table(sky, XP).merge(truth[["source_id", "missing_bp"]], on="source_id")
    assert rows["missing_bp"].any()
    assert (rows["bp_coefficients"].isna() == rows["missing_bp"]).all()
    assert rows["rp_coefficients"].notna().all()


# --- as ingest takes them --------------------------------------------------------------------------------------------------------


def test_a_simulated_release_takes_the_rows_of_every_file_and_never_the_truth(sky: Path, sim_database: Database) -> None:
    summary = add_paths(sim_database, "sim_dr3", [sky], work=True)
    assert not summary.unreadable
    found = states(summary)
    assert not summary.failed
    # A second spectrum of a star is the only row that is not kept.
    assert {file.product for file in summary.files if file.rows_rejected} <= {"apogee_spectrum"}
    assert {found[file][0] for file in found if file.startswith(("GaiaSource_", "XpContinuousMeanSpectrum_"))} == {"loaded"}
    secrets = ("truth.parquet", "survey_truth.parquet", "information.parquet", "sky.json")
    assert [found[file][0] for file in secrets] == ["not_a_product"] * len(secrets)
    with sim_database.connect(Role.WORKER) as connection:
        for name in ("gaia_source", "xp_spectrum"):
            count = sql.SQL("SELECT count(*) FROM store.{}").format(sql.Identifier(name))
            assert connection.execute(count).fetchone() == (STARS,)


def test_a_real_release_takes_no_simulated_row(sky: Path, sim_database: Database) -> None:
    summary = add_paths(sim_database, "gaia_dr3", [sky / "gaia_source", sky / XP], work=True)
    assert summary.rows_loaded == 0
    assert summary.rows_rejected == 2 * STARS
    with sim_database.connect(Role.WORKER) as connection:
        assert connection.execute("SELECT DISTINCT reason FROM store.ingest_reject").fetchall() == [("simulated_in_a_real_release",)]


def test_a_simulated_release_takes_no_real_row(sim_database: Database, archive: Any, tmp_path: Path) -> None:
    file = archive.csv(tmp_path / "real.csv", [archive.spectrum(4295806720), archive.spectrum(34361129088)])
    summary = add_paths(sim_database, "sim_dr3", [file], work=True)
    assert (summary.rows_loaded, summary.rows_rejected) == (0, 2)
    with sim_database.connect(Role.WORKER) as connection:
        assert connection.execute("SELECT DISTINCT reason FROM store.ingest_reject").fetchall() == [("real_in_a_simulated_release",)]


def test_a_mock_dr4_has_51_bp_coefficients_and_loads_into_its_release(sim_database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "sky"
    made = make_sky(SkySettings(stars=120, seed=3, release="dr4"), folder, workers=1)
    assert made.stars == len(table(folder, "gaia_source"))  # some stars have gone since DR3, some are new
    spectra = table(folder, XP)
    lengths = spectra["bp_coefficients"].dropna().map(lambda text: len(json.loads(text)))
    assert set(lengths) == {51}
    assert set(spectra["rp_coefficients"].map(lambda text: len(json.loads(text)))) == {55}
    source = table(folder, "gaia_source")
    assert "phot_bp_rp_excess_factor" not in source
    assert set(source["ref_epoch"]) == {2017.5}
    summary = add_paths(sim_database, "sim_dr4", [folder], work=True)
    rows = {name: len(table(folder, name)) for name in ("gaia_source", XP, "rvs_mean_spectrum", "dr3_neighbourhood")}
    assert rows["gaia_source"] == rows[XP] == made.stars
    assert (summary.rows_loaded, summary.rows_rejected) == (sum(rows.values()), 0)
    assert not summary.failed


# --- as GaiaXPy takes them -------------------------------------------------------------------------------------------------------

GAIAXPY = """
import sys, warnings
import gaiaxpy
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    spectra, sampling = gaiaxpy.calibrate(sys.argv[1], save_file=False)
    photometry = gaiaxpy.generate(sys.argv[1], photometric_system=gaiaxpy.PhotometricSystem.Gaia_DR3_Vega, save_file=False)
# GaiaXPy's own use of an argument that pandas gives up: said of every file
said = [str(each.message) for each in seen if "float_precision" not in str(each.message)]
spectra.merge(photometry, on="source_id").to_pickle(sys.argv[2])
sys.exit("; ".join(said) or 0)
"""


def test_gaiaxpy_reads_our_files_without_a_word_and_finds_our_g(sky: Path, tmp_path: Path) -> None:
    unpacked = tmp_path / "xp.csv"
    unpacked.write_bytes(gzip.decompress(next((sky / XP).glob("*.csv.gz")).read_bytes()))
    answer = tmp_path / "answer.pickle"
    said = subprocess.run([sys.executable, "-c", GAIAXPY, str(unpacked), str(answer)], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr[-500:]
    read = pd.read_pickle(answer)
    assert len(read) == LEAST_STARS_A_FILE
    missing = pq.read_table(sky / "truth.parquet").to_pandas().set_index("source_id")["missing_bp"][read["source_id"]].to_numpy()
    assert [bool(np.isfinite(flux).all()) for flux in read["flux"]] == (~missing).tolist()  # without BP there is no blue flux
    ours = table(sky, "gaia_source")[["source_id", "phot_g_mean_mag"]].merge(read, on="source_id")
    difference = (ours["GaiaDr3Vega_mag_G"] - ours["phot_g_mean_mag"]).abs()
    assert difference.count() == (~missing).sum()
    assert difference[ours["phot_g_mean_mag"] < 15].max() < 0.005
    assert np.sqrt((difference**2).mean()) < 0.005  # the noise of faint spectra included


def test_the_mock_dr4_links_its_stars_to_the_dr3_sky_of_the_same_seed_and_has_new_ones(tmp_path: Path) -> None:
    for release in ("dr3", "dr4"):
        make_sky(SkySettings(stars=200, seed=9, release=release), tmp_path / release, workers=1)  # type: ignore[arg-type]
    dr3, dr4 = (set(table(tmp_path / release, "gaia_source")["source_id"]) for release in ("dr3", "dr4"))
    linked = table(tmp_path / "dr4", "dr3_neighbourhood")
    real = linked[linked["proper_motion_propagation"].astype(str) == "True"]
    assert set(real["dr3_source_id"]) <= dr3 and set(linked["dr4_source_id"]) <= dr4
    unlinked = dr4 - set(linked["dr4_source_id"])
    assert len(unlinked) == round(0.02 * 200), "stars that DR3 lacks"
    assert not unlinked & dr3
