"""``kiel model evaluate|predict|residuals|show forward`` from the command line, on a small simulated sky and a version trained on it.

The version is poor (some hundred stars, seconds of training); what is tested is that each command does what it says with whatever version there is.
"""

import csv
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from catalog.database import Database, Role
from catalog.errors import DataError
from catalog.releases import add_release
from catalog.settings import settings
from catalog.store.model_store import version_of
from catalog.store.star_store import read_stars
from ingest.linking.release_links import link_release
from ingest.load import add_paths
from kiel_main import main
from models.forward import commands
from models.forward.bands import BAND_NAMES, N_BANDS
from models.forward.evaluation.evaluate import Request, evaluate_version
from models.forward.parameters import PARAMETERS
from models.forward.products import stored_residuals
from models.learning.versions import train_version

TINY = {
    "epochs_network": 1, "epochs_high_quality": 1, "epochs_clean": 1, "least_steps_network": 300, "least_steps_high_quality": 30,
    "least_steps_clean": 40, "prior_components": 4, "batch": 64, "training_labels": "reference_label/everywhere", "confidence_epochs": 10,
    "joint_steps": 2,
}  # fmt: skip


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Catalogue:
    database: Database
    sky: Path


@pytest.fixture(scope="module")
def trained(catalogue: Database, small_sky: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    """A small simulated sky in a catalogue, and one version of the forward model, learnt from a set of labels that most ordinary stars have."""
    folder = tmp_path_factory.mktemp("evaluated")
    shutil.copytree(small_sky, folder / "sky")
    labels = label_set(
        folder / "sky" / "truth.parquet", folder / "sky" / "surveys" / "everywhere.csv"
    )  # simulated rows come from a sky's folder only
    add_release(catalogue, "sim_dr3")
    add_paths(catalogue, "sim_dr3", [*sky_files(folder / "sky"), labels], work=True)
    link_release(catalogue, "sim_dr3")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KIEL_HOME", str(folder / "home"))
        settings.cache_clear()
        train_version(catalogue, "forward", "sim_dr3", "short", 0, lambda _: None, TINY)
    settings.cache_clear()
    yield Catalogue(catalogue, folder / "sky")


def sky_files(sky: Path) -> list[Path]:
    """What this test needs of the sky."""
    wanted = ("allStar", "GALAH", "gedr3spur", "tmass", "unwise", "reddening")
    return [
        sky / "gaia_source",
        sky / "xp_continuous_mean_spectrum",
        *(each for each in (sky / "surveys").iterdir() if each.name.startswith(wanted)),
    ]


def label_set(truth: Path, file: Path) -> Path:
    """The labels of a perfect survey, as an operator's table: types with noise, distances, A_V and clusters. It has not seen every fifth star."""
    rows = [row for row in pq.read_table(truth).to_pylist() if row["kind"] == "star"]
    rows = [row for number, row in enumerate(rows) if number % 5]
    noise = np.random.default_rng(0).normal(size=(len(rows), 3))
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["gaia_dr3_source_id", "teff", "e_teff", "logg", "e_logg", "feh", "e_feh", "distance", "extinction", "cluster"])
        for row, (a, b, c) in zip(rows, noise, strict=True):
            writer.writerow([
                row["source_id"], row["teff"] + 20 * a, 20, row["logg"] + 0.05 * b, 0.05, row["feh"] + 0.05 * c, 0.05, 1000 * row["distance"],
                3.1 * row["ebv"], row["cluster"] or ("Overdensity" if row["source_id"] % 7 == 0 else ""),
            ])  # fmt: skip
    return file


@pytest.fixture
def kiel(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KIEL_DATABASE_URL", trained.database.url)
    monkeypatch.setenv("KIEL_HOME", str(tmp_path / "home"))
    settings.cache_clear()

    def run(*words: str) -> Done:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Done(code, *capsys.readouterr())

    yield run
    settings.cache_clear()


@pytest.fixture(scope="module")
def page(trained, tmp_path_factory) -> tuple[str, dict]:
    """The page of one evaluation with everything, and the numbers that are kept with the version."""
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KIEL_DATABASE_URL", trained.database.url)
        patch.setenv("KIEL_HOME", str(folder))
        settings.cache_clear()
        files = (f"--{name}={trained.sky / file}" for name, file in (("truth", "truth.parquet"), ("information", "information.parquet")))
        assert main(["model", "evaluate", "forward", *files]) == 0
    settings.cache_clear()
    with trained.database.connect(Role.WORKER) as connection:
        numbers = version_of(connection, "forward").metrics["evaluation"]
    return (folder / "evaluations" / "forward_1.html").read_text(), numbers


FIGURES = (
    *("figure_6_correlations", "figure_7_differences", "figure_8_normalised", "figure_9_flux_residuals", "figure_18_reliable_share"),
    *("figure_20_reddening_map", "figure_23_dust_slices", "types_apogee", "types_galah", "types_truth", "pulls_truth", "magnitude_truth"),
    *("flux_residuals_held_out", "flux_residuals_reliable", "reddening_truth"),
)


def test_the_page_has_every_figure_with_words_and_says_that_stars_are_simulated(page) -> None:
    html, _ = page
    shown = dict(re.findall(r'<figure id="([^"]+)">\s*<img alt="([^"]*)"', html))
    assert set(FIGURES) <= set(shown)
    for name, words in shown.items():
        assert len(words) > 40, name
        assert "Simulated stars" in words, name
    assert "All stars on this page are simulated" in html
    assert "kiel model evaluate forward --version 1" in html
    assert "sim_dr3" in html


def test_the_page_needs_nothing_else_and_names_no_path(page, trained) -> None:
    html, numbers = page
    assert not re.search(r'(src|href)="(?!data:image/png;base64,|#)', html)
    for text in (re.sub(r'src="[^"]*"', "", html), json.dumps(numbers)):
        assert str(trained.sky) not in text
        assert str(Path.home()) not in text
        assert "/tmp/" not in text


def test_the_numbers_are_kept_with_the_version_and_count_every_star_once(page, trained) -> None:
    _, numbers = page
    assert numbers["simulated"] is True
    with trained.database.connect(Role.WORKER) as connection:
        version = version_of(connection, "forward")
        (sources,) = connection.execute("SELECT count(*) FROM store.xp_spectrum WHERE release_id = 101").fetchone() or (0,)
    assert numbers["split"] == version.metrics["split"]
    refused = sum(numbers["refused"].values())
    learnt = sum(version.metrics["split"][part]["count"] for part in ("train", "beyond"))
    assert numbers["stars"] + refused == sources - learnt
    assert numbers["held_out"] + numbers["held_out_beyond"] + numbers["others"] == numbers["stars"]
    held_out = numbers["references"]["training_labels"]["groups"]["all"]["parameters"]
    assert {name: each["whole"]["n"] for name, each in held_out.items()} == dict.fromkeys(("teff", "feh", "logg"), numbers["held_out"])
    table = {row["cut"]: row["stars"] for row in numbers["table_3"]}
    assert 0 < table["basic cut"] <= table["all stars"]
    assert [each["band"] for each in numbers["flux_residuals"]["reliable"]] == list(BAND_NAMES)


def test_the_truth_is_compared_with_bounds_and_only_where_its_path_is_given(page, trained) -> None:
    _, numbers = page
    families = numbers["truth"]
    assert list(families) == ["xp_phot_error", "xp_phot_sigma"]
    ordinary = families["xp_phot_sigma"]["groups"]["ordinary_unseen"]["parameters"]
    assert set(ordinary) == set(PARAMETERS)
    for each in ordinary.values():
        assert each["whole"]["bound_ratio"] > 0
    with trained.database.connect(Role.WORKER) as connection:
        again = evaluate_version(
            connection, version_of(connection, "forward"), Request(others=0), "", lambda done, stars: None
        ).evaluation.numbers
        connection.rollback()
    assert "truth" not in again
    assert again["references"]["training_labels"] == numbers["references"]["training_labels"]
    assert again["others"] == 0


WRONG = {
    "a set that no star is in": (("evaluate", "forward", "--set", "seismic"), 2, "seismic"),
    "a truth that is no table": (("evaluate", "forward", "--truth", "SKY/sky.json"), 1, "cannot be read as Parquet"),
    "bounds that are none": (("evaluate", "forward", "--information", "SKY/truth.parquet"), 1, "xp_phot_sigma_teff"),
    "a model without such a verb": (("predict", "scatter_vae"), 2, "forward"),
    "a temperature of nothing": (("predict", "forward", "--teff", "0", "--logg", "4", "--feh", "0"), 2, "above zero"),
    "a negative extinction": (("predict", "forward", "--teff", "5000", "--logg", "4", "--feh", "0", "--ext", "-0.1"), 2, "zero or more"),
    "xi of a version without": (("predict", "forward", "--teff", "5000", "--logg", "4", "--feh", "0", "--xi", "1"), 2, "without xi"),
    "residuals without a run": (("residuals", "forward", "--source-id", "1"), 2, "kiel run create forward"),
    "plots of a model that has none": (("show", "scatter_vae", "--plots", "SKY/plots"), 2, "no version of scatter_vae"),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG.keys())
def test_wrong_words_end_with_the_right_ones(case, kiel, trained) -> None:
    words, code, message = case
    done = kiel("model", *(word.replace("SKY", str(trained.sky)) for word in words))
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_predicted_fluxes_are_a_row_a_band_with_units_and_a_grid_of_all_values(kiel, tmp_path) -> None:
    words = ("--teff", 5500, "--teff", 6000, "--logg", 4.5, "--feh", 0, "--parallax", 1, "--parallax", 2)
    text = kiel("model", "predict", "forward", *words, "--format", "ecsv").stdout
    table = Table.read(text, format="ascii.ecsv")
    assert len(table) == 4 * N_BANDS
    assert list(table["band"][:N_BANDS]) == list(BAND_NAMES)
    assert str(table["flux"].unit) == "W / (nm m2)"
    assert table.meta["trained_on"] == "simulated"
    near, far = table[table["parallax"] == 2], table[table["parallax"] == 1]
    np.testing.assert_allclose(near["flux"], 4 * far["flux"])
    done = kiel("model", "predict", "forward", *words, "--out", tmp_path / "fluxes.csv", "--plot", tmp_path / "fluxes.png")
    assert done.returncode == 0, done.stderr
    assert "simulated" in done.stderr
    np.testing.assert_allclose(Table.read(tmp_path / "fluxes.csv", format="ascii.csv")["flux"], table["flux"])
    assert (tmp_path / "fluxes.png").read_bytes().startswith(b"\x89PNG")


def test_dust_dims_by_the_extinction_that_the_table_gives(kiel) -> None:
    text = kiel("model", "predict", "forward", "--teff", 5500, "--logg", 4.5, "--feh", 0, "--ext", 0, "--ext", 0.3).stdout
    table = Table.read(text, format="ascii.csv")
    clear, dusty = table[table["ext"] == 0], table[table["ext"] == 0.3]
    np.testing.assert_allclose(dusty["flux"] / clear["flux"], np.exp(-0.3 * dusty["extinction"]))


def test_what_lies_outside_the_training_range_is_said(kiel) -> None:
    done = kiel("model", "predict", "forward", "--teff", 40000, "--logg", 8, "--feh", 0, "--json")
    found = json.loads(done.stdout)
    assert found["outside"] == 1
    assert not any(row["in_training_range"] for row in found["rows"])
    assert "1 of 1 stars lie outside" in done.stderr


def test_show_draws_figures_and_writes_the_extinction_curve(kiel, tmp_path) -> None:
    done = kiel("model", "show", "forward", "--plots", tmp_path / "plots", "--json")
    assert done.returncode == 0, done.stderr
    names = {Path(file).name for file in json.loads(done.stdout)["files"]}
    assert names == {path.name for path in (tmp_path / "plots").iterdir()}
    assert {name.split("_")[1] for name in names if name.startswith("figure")} == {"12", "13", "14", "15"}
    curve = Table.read(tmp_path / "plots" / "extinction_curve.ecsv", format="ascii.ecsv")
    assert len(curve) == N_BANDS
    assert (curve["extinction"] > 0).all()


@pytest.fixture(scope="module")
def run_id(trained) -> int:
    """A whole run of the version."""
    from catalog.runs import create_run
    from models.running.run_batch import run_chunk

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KIEL_DATABASE_URL", trained.database.url)
        settings.cache_clear()
        run = create_run(trained.database, "forward", "sim_dr3")
        assert run_chunk(trained.database, run.run_id, 0, 60.0).ended == "done"
    settings.cache_clear()
    return run.run_id


def test_residuals_are_those_that_the_run_summed_up(run_id, kiel, trained, tmp_path) -> None:
    with trained.database.connect(Role.WORKER) as connection:
        rows = connection.execute(
            "SELECT source_id, chi2_opt, worst_residual, worst_wavelength FROM store.label_forward ORDER BY source_id LIMIT 5"
        ).fetchall()
    words = [word for row in rows for word in ("--source-id", row[0])]
    done = kiel("model", "residuals", "forward", *words, "--source-id", 1, "--format", "ecsv", "--plot", tmp_path / "residuals.png")
    assert done.returncode == 0, done.stderr
    assert "1 has no residuals in run" in done.stderr
    table = Table.read(done.stdout, format="ascii.ecsv")
    assert table.meta["simulated"] is True, "the stars of this release are simulated"
    assert set(table["source_id"]) == {row[0] for row in rows}
    for source_id, _, worst, wavelength in rows:
        here = table[table["source_id"] == source_id]
        np.testing.assert_allclose(here["residual"], (here["predicted"] - here["observed"]) / here["error"])
        place = int(np.argmax(np.abs(here["residual"])))
        assert here["wavelength"][place] == pytest.approx(wavelength)
        assert abs(here["residual"][place]) == pytest.approx(abs(worst), rel=1e-3)
    assert (tmp_path / "residuals.png").read_bytes().startswith(b"\x89PNG")
    assert kiel("model", "residuals", "forward", "--source-id", 1).returncode == 1
    assert kiel("model", "residuals", "forward", "--source-id", 1, "--run", 999).returncode != 0


def test_every_number_of_the_summary_has_its_unit() -> None:
    parameters = {name: {"whole": {"scatter": 1.5, "bias": -0.25}} for name in PARAMETERS}
    numbers = {
        "held_out": 3, "held_out_beyond": 2, "others": 1, "simulated": True,
        "references": {"r": {"words": "R", "groups": {"validated": {"parameters": parameters}}}},
    }  # fmt: skip
    said = commands._summary(numbers).splitlines()[1]
    assert said.split(": ")[1].split(", ") == [
        "teff 1.5 K (-0.25)", "feh 1.5 dex (-0.25)", "logg 1.5 dex (-0.25)", "ext 1.5 mag (-0.25)", "parallax 1.5 mas (-0.25)",
    ]  # fmt: skip


def test_a_labelled_star_whose_spectrum_is_gone_is_told(run_id, trained, monkeypatch) -> None:
    with trained.database.connect(Role.WORKER) as connection:
        ids = [row[0] for row in connection.execute("SELECT source_id FROM store.label_forward ORDER BY source_id LIMIT 2").fetchall()]
        first_alone = lambda *where, only, **how: read_stars(*where, only=only[:1], **how)  # noqa: E731
        monkeypatch.setattr(stored_residuals, "read_stars", first_alone)
        found = stored_residuals.run_residuals(connection, run_id, ids)
        assert set(found.without_label) == {ids[1]}
        assert "its spectrum is gone" in found.without_label[ids[1]]
        monkeypatch.setattr(stored_residuals, "read_stars", lambda *where, **how: iter(()))
        with pytest.raises(DataError, match="no spectrum that can be fitted"):
            stored_residuals.run_residuals(connection, run_id, ids)


def test_an_evaluation_reads_survey_and_dust_but_writes_only_its_numbers(page, trained) -> None:
    with trained.database.connect(Role.WORKER) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("DROP TABLE store.label_forward")
