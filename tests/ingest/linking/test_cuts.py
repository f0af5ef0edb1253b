"""The papers' cuts: counted by the views as numpy counts them on the simulated sky's own files, and never passed where they cannot be asked."""

import gzip
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table
from click.testing import CliRunner

from catalog.database import Database, Role
from catalog.errors import UsageError
from catalog.healpix import ARCSEC
from catalog.releases import add_release
from ingest.linking.cuts import PAPERS, CutCounts, count_cuts
from ingest.linking.link import link_surveys
from ingest.linking.two_mass import join_two_mass
from ingest.load import add_paths
from ingest.sky.make import SkySettings, make_sky

STARS = 600
Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated sky with every survey."""
    made = tmp_path_factory.mktemp("cuts") / "sky"
    make_sky(SkySettings(STARS, 11), made, workers=1)
    return made


class Files:
    """The sky's files, read by other readers than those of ingest, and linked by trying every pair."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        source = pd.concat([_csv(path) for path in sorted((folder / "gaia_source").glob("*.gz"))])
        self.gaia: Arrays = {name: source[name].to_numpy() for name in source.columns}
        self.place = {int(number): row for row, number in enumerate(self.gaia["source_id"])}
        self.xp, self.rvs = (_source_ids(folder / name) for name in ("xp_continuous_mean_spectrum", "rvs_mean_spectrum"))

    def fits(self, name: str) -> Arrays:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # units and names that FITS does not know
            table = Table.read(self.folder / "surveys" / name, hdu=1)
        columns = {}
        for column in table.colnames:
            values = table[column]
            array = np.asarray(values.filled() if hasattr(values, "filled") else values)
            columns[column] = array.astype(np.float64) if array.dtype.kind == "f" else array.astype(array.dtype.newbyteorder("="))
        return columns

    def of_source(self, name: str, source: np.ndarray) -> np.ndarray:
        """A column of gaia_source for linked rows; NaN where there is no source."""
        rows = np.array([self.place.get(int(number), -1) for number in source])
        values = (
            np.append(self.gaia[name], np.nan) if self.gaia[name].dtype.kind == "f" else np.append(self.gaia[name].astype(object), None)
        )
        return np.asarray(values[rows])

    def nearest(self, ra: np.ndarray, dec: np.ndarray, epoch: float, radius: float) -> tuple[np.ndarray, np.ndarray]:
        """Source (0 for none) and separation in arcsec, on the tangent plane of each position."""
        years = epoch - self.gaia["ref_epoch"]
        east = np.nan_to_num(self.gaia["pmra"]) * years / 1000
        north = np.nan_to_num(self.gaia["pmdec"]) * years / 1000
        found, apart = np.zeros(len(ra), np.int64), np.full(len(ra), np.inf)
        for row, (lon, lat) in enumerate(zip(ra, dec, strict=True)):
            around = (self.gaia["ra"] - lon + 180) % 360 - 180
            distance = np.hypot(around * np.cos(np.radians(lat)) * 3600 + east, (self.gaia["dec"] - lat) * 3600 + north)
            best = int(np.argmin(distance))
            if distance[best] <= radius:
                found[row], apart[row] = self.gaia["source_id"][best], distance[best]
        return found, apart


def _csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, comment="#", na_values=["null"])


def _source_ids(folder: Path) -> set[int]:
    found: set[int] = set()
    for path in folder.glob("*.gz"):
        with gzip.open(path, "rt") as lines:
            found |= {int(line.partition(",")[0]) for line in lines if line[0].isdigit()}
    return found


def _primary(source: np.ndarray, keys: list[np.ndarray], usable: np.ndarray | None = None) -> np.ndarray:
    """The first row of each source in the order of ``keys``, the first of them first."""
    primary = np.zeros(len(source), bool)
    seen: set[int] = set()
    for row in np.lexsort(keys[::-1]).tolist():
        if source[row] and (usable is None or usable[row]) and int(source[row]) not in seen:
            seen.add(int(source[row]))
            primary[row] = True
    return primary


def _is_in(source: np.ndarray, found: set[int]) -> np.ndarray:
    return np.array([int(number) in found for number in source])


def _apogee(files: Files) -> tuple[Arrays, np.ndarray, np.ndarray]:
    """allStar, the source of each row, and which is primary."""
    star = files.fits("allStar-dr17-synspec_rev1.fits")
    given = star["GAIAEDR3_SOURCE_ID"].astype(np.int64)
    near, _ = files.nearest(star["RA"], star["DEC"], 2000.0, 1.0)
    # A row without an identifier stands where its 2MASS counterpart does, which is the nearest source of this sky.
    source = np.where(_is_in(given, set(files.place)), given, near)
    names = np.argsort(np.argsort(star["APSTAR_ID"].astype(str)))
    return star, source, _primary(source, [-star["SNR"], names], (star["EXTRATARG"] & 16) == 0)


def forward(files: Files) -> Arrays:
    rows = _csv(files.folder / "surveys" / "dr8_v2.0_LRS_stellar.csv.gz").replace([-9999, -9999.0], np.nan)
    lamost = {name: rows[name].to_numpy() for name in rows.columns}
    source, apart = files.nearest(lamost["ra"], lamost["dec"], 2016.0, 1.0)
    hot = files.fits("hot_payne.fits.gz")
    hot_row = {str(name).strip(): row for row, name in enumerate(hot["SpecID"].astype(str))}
    spectrum = [
        f"{day.replace('-', '')}-{plan}-{int(spid):02d}-{int(fibre):03d}"
        for day, plan, spid, fibre in zip(lamost["obsdate"], lamost["planid"], lamost["spid"], lamost["fiberid"], strict=True)
    ]
    match = np.array([hot_row.get(name, -1) for name in spectrum])
    hot_teff = np.append(hot["Teff"], np.nan)[match]

    def error(native: str, of_hot: str) -> np.ndarray:
        return np.where(hot_teff >= 7000, np.append(hot[of_hot], np.nan)[match], lamost[native].astype(np.float32).astype(np.float64))

    fidelity = pd.read_csv(files.folder / "surveys" / "gedr3spur.tsv.gz", sep="\t", na_values=["\\N"])
    trusted = dict(zip(fidelity["source_id"].tolist(), fidelity["fidelity_v2"].tolist(), strict=True))
    return {
        "primary": _primary(source, [-lamost["snrg"], lamost["obsid"]]), "has_xp": _is_in(source, files.xp), "separation": apart < 0.25,
        "snr": (lamost["snrg"] > 20) & (lamost["snrr"] > 20) & (lamost["snri"] > 20), "teff_error": error("teff_err", "e_Teff") < 500,
        "logg_error": error("logg_err", "e_logg") < 0.5, "feh_error": error("feh_err", "e_[Fe/H]") < 0.5,
        "parallax": files.of_source("parallax_over_error", source) > 3,
        "fidelity": np.array([trusted.get(int(number), np.nan) for number in source]) > 0.5,
        "excess_factor": files.of_source("phot_bp_rp_excess_factor", source) < 1.3, "": source,
    }  # fmt: skip


def uncertain_nn(files: Files) -> Arrays:
    star, source, primary = _apogee(files)
    surveys = files.folder / "surveys"
    best, join, psc = (
        _csv(surveys / f"{name}.csv.gz") for name in ("tmasspscxscBestNeighbour0001", "tmasspscxscJoin0001", "tmass_original_valid")
    )
    joined = best.merge(join, on="clean_tmass_psc_xsc_oid").merge(psc, left_on="original_psc_source_id", right_on="designation")
    two_mass = set(joined["source_id"][joined[["j_m", "j_msigcom", "h_m", "h_msigcom"]].notna().all(axis=1)].tolist())
    wise = files.fits("unwise_simulated.cat.fits")
    seen, _ = files.nearest(wise["ra"], wise["dec"], 2015.5, 0.5)
    both = set(seen[(wise["flux"] > 0).all(axis=1)].tolist())
    labels = np.stack([star[name] for name in ("ALPHA_M", "TEFF", "LOGG", "C_FE", "N_FE", "FE_H")])
    return {
        "duplicate": (star["EXTRATARG"] & 1 << 4) == 0, "aspcapflag": (star["ASPCAPFLAG"] & 1 << 23) == 0,
        "starflag": (star["STARFLAG"] & sum(1 << bit for bit in (3, 4, 9, 12, 13, 16))) == 0, "labels": np.isfinite(labels).all(axis=0),
        "primary": primary, "has_xp": _is_in(source, files.xp), "excess_factor": files.of_source("phot_bp_rp_excess_factor", source) < 3.0,
        "ruwe": files.of_source("ruwe", source) <= 1.4, "two_mass": _is_in(source, two_mass), "unwise": _is_in(source, both), "": source,
    }  # fmt: skip


def rvs_cnn(files: Files) -> Arrays:
    star, source, primary = _apogee(files)

    def gaia(name: str) -> np.ndarray:
        return files.of_source(name, source)

    def flux(band: str) -> np.ndarray:
        return np.asarray(gaia(f"phot_{band}_mean_flux") > 500 * gaia(f"phot_{band}_mean_flux_error").astype(np.float32).astype(np.float64))

    return {
        "primary": primary, "aspcapflag": (star["ASPCAPFLAG"] & (1 << 7 | 1 << 23)) == 0, "aspcap_chi2": star["ASPCAP_CHI2"] < 25,
        "fe_h_flag": star["FE_H_FLAG"] == 0, "teff_error": star["TEFF_ERR"] < 100, "logg_error": star["LOGG_ERR"] < 0.1,
        "mh_error": star["M_H_ERR"] < np.where(star["M_H"] < -0.5, 0.2, 0.1), "feh_error": star["FE_H_ERR"] < np.where(star["FE_H"] < -0.5, 0.2, 0.1),
        "alpha_m_error": star["ALPHA_M_ERR"] < 0.1, "has_rvs": _is_in(source, files.rvs), "has_xp": _is_in(source, files.xp),
        "rvs_snr": gaia("rvs_spec_sig_to_noise") >= 30, "parallax_error": gaia("parallax_error") < 0.2 * np.abs(gaia("parallax")),
        "positive_parallax": gaia("parallax") > 0, "ruwe": gaia("ruwe") < 1.4, "flux_over_error": flux("g") & flux("bp") & flux("rp"),
        "not_galaxy": gaia("in_galaxy_candidates").astype(str) == "False", "not_quasar": gaia("in_qso_candidates").astype(str) == "False",
        "not_variable": gaia("phot_variable_flag") != "VARIABLE", "single": gaia("non_single_star") == 0, "": source,
    }  # fmt: skip


def aspgap(files: Files) -> Arrays:
    star, source, primary = _apogee(files)
    teff, logg = star["TEFF"], star["LOGG"]
    slope = 5 / 3000 * (teff - 3000)
    with np.errstate(invalid="ignore"):
        dwarf = (logg > 4.2 - 1.5 * np.log10(teff / 5777)) & (logg < 4.8)
    bits = (0, 1, 3, 4, 8, 16, 17, 19, 20, 24, 33)
    of_apogee = {
        "primary": primary, "has_xp": _is_in(source, files.xp), "flags": (star["ASPCAPFLAG"] & sum(1 << bit for bit in bits)) == 0,
        "teff": (teff >= 3000) & (teff <= 7000), "logg": (logg >= 0) & (logg <= 5.5), "mh": (star["M_H"] >= -2.5) & (star["M_H"] <= 0.6),
        "alpha_m": (star["ALPHA_M"] >= -0.1) & (star["ALPHA_M"] <= 0.6), "kiel": dwarf | ((logg < slope + 0.5) & (logg > slope - 1.9)),
        "teff_error": star["TEFF_ERR"] <= 50, "logg_error": star["LOGG_ERR"] <= 0.05, "metallicity_error": star["M_H_ERR"] <= 0.02,
        "alpha_error": star["ALPHA_M_ERR"] <= 0.02, "snr": star["SNR"] > 200, "": source,
    }  # fmt: skip
    galah = files.fits("GALAH_DR3_main_allstar_v2.fits")
    near, _ = files.nearest(galah["ra_dr2"], galah["dec_dr2"], 2015.5, 1.0)
    source = np.where(_is_in(galah["dr3_source_id"], set(files.place)), galah["dr3_source_id"], near)
    number = np.argsort(np.argsort(galah["sobject_id"].astype(str)))
    true = np.ones(len(source), bool)
    of_galah = {
        "primary": _primary(source, [galah["flag_repeat"], -galah["snr_c2_iraf"].astype(np.float32), number]), "has_xp": _is_in(source, files.xp),
        "flags": (galah["flag_sp"] == 0) & (galah["flag_fe_h"] == 0) & (galah["flag_guess"] == 0) & (galah["red_flag"] == 0),
        **dict.fromkeys(("teff", "logg", "mh", "alpha_m", "kiel"), true), "teff_error": galah["e_teff"] < 200, "logg_error": galah["e_logg"] < 0.25,
        "metallicity_error": galah["e_fe_h"] < 0.2, "alpha_error": galah["e_alpha_fe"] < 0.05, "snr": true, "": source,
    }  # fmt: skip
    return {name: np.concatenate([of_apogee[name], of_galah[name]]) for name in of_apogee}


def scatter_vae(files: Files) -> Arrays:
    star, source, primary = _apogee(files)
    colour, g = files.of_source("bp_rp", source), files.of_source("phot_g_mean_mag", source)
    with np.errstate(invalid="ignore"):
        return {
            "primary": primary, "has_xp": _is_in(source, files.xp), "teff_snr": star["TEFF"] / star["TEFF_ERR"] > 30,
            "logg_error": star["LOGG_ERR"] < 0.4, "mh_error": star["M_H_ERR"] < 0.2, "colour": (colour > 0) & (colour < 4),
            "magnitude": (g > 6) & (g < 17.5), "starflag": star["STARFLAG"] == 0, "aspcapflag": (star["ASPCAPFLAG"] & (1 << 19 | 1 << 23)) == 0,
            "": source,
        }  # fmt: skip


BY_HAND: dict[str, Callable[[Files], Arrays]] = {
    "forward": forward, "uncertain_nn": uncertain_nn, "rvs_cnn": rvs_cnn, "aspgap": aspgap, "scatter_vae": scatter_vae,
}  # fmt: skip


def expected_counts(cuts: Arrays) -> tuple[int, list[tuple[str, int, int, int]], int]:
    """Candidates (rows with a source); of each cut its name, rows that pass, rows left, rows that could not be asked; rows that pass all."""
    linked = cuts[""] != 0
    left = linked.copy()
    counts = []
    for name, passes in cuts.items():
        if name:
            passed = np.asarray(passes, bool) & linked
            left &= passed
            counts.append((f"cut_{name}", int(passed.sum()), int(left.sum()), 0))
    return int(linked.sum()), counts, int(left.sum())


def as_counts(found: CutCounts) -> tuple[int, list[tuple[str, int, int, int]], int]:
    return found.candidates, [(cut.name, cut.passed, cut.left, cut.unavailable) for cut in found.cuts], found.chosen


def test_the_views_count_what_numpy_counts_in_the_files(folder: Path, database: Database, subtests: pytest.Subtests) -> None:
    add_release(database, "sim_dr3")
    add_paths(database, "sim_dr3", [folder], work=True)
    link_surveys(database, "sim_dr3")
    join_two_mass(database, "sim_dr3")
    files = Files(folder)
    found = {counts.paper: counts for counts in count_cuts(database, "sim_dr3")}
    assert list(found) == list(PAPERS) == list(BY_HAND)
    for paper, by_hand in BY_HAND.items():
        with subtests.test(paper):
            cuts = by_hand(files)
            assert as_counts(found[paper]) == expected_counts(cuts)
            assert found[paper].undecided == 0
            chosen = np.logical_and.reduce([np.asarray(passes, bool) for name, passes in cuts.items() if name]) & (cuts[""] != 0)
            with database.connect(Role.WORKER) as connection:
                rows = connection.execute(f"SELECT source_id FROM surveys_sim_dr3.training_{paper} WHERE chosen ORDER BY 1").fetchall()
            assert [row[0] for row in rows] == sorted(cuts[""][chosen].tolist())
    # Enough rows on both sides that the counts mean something.
    assert min(found[paper].chosen for paper in ("forward", "uncertain_nn", "aspgap", "scatter_vae")) > 25
    assert sum(cut.passed < counts.candidates for counts in found.values() for cut in counts.cuts) > 25


def test_what_a_release_cannot_be_asked_is_null_and_never_chosen(put: Callable[..., None], with_releases: Database) -> None:
    source, place = np.array([100_000_000 << 35]), {"ra": [75.0], "dec": [41.8]}
    good = {"snrg": [99.0], "snrr": [99.0], "snri": [99.0], "teff_err": [10.0], "logg_err": [0.1], "feh_err": [0.1]}
    for release in ("sim_dr3", "sim_dr4"):
        put(
            with_releases,
            "gaia_source",
            {"source_id": source, "parallax_over_error": [9.0], "phot_bp_rp_excess_factor": [1.2]} | place,
            release,
        )
        put(with_releases, "lamost", {"survey_id": ["1"], "obsid": [1]} | place | good, release)
        with with_releases.connect(Role.WORKER) as connection:
            connection.execute(
                "INSERT INTO store.xp_spectrum (release_id, source_id, layout, head, file_id) "
                "SELECT release_id, %s, 0, '', 0 FROM store.release WHERE name = %s",
                (int(source[0]), release),
            )
        link_surveys(with_releases, release)

    def unasked(release: str) -> tuple[set[str], int, int]:
        (found,) = count_cuts(with_releases, release, "forward")
        return {cut.name for cut in found.cuts if cut.unavailable}, found.chosen, found.undecided

    assert unasked("sim_dr3") == ({"cut_fidelity"}, 0, 1)  # nothing of it is loaded
    put(with_releases, "fidelity", {"source_id": source, "fidelity_v2": [0.9]}, "sim_dr3")
    assert unasked("sim_dr3") == (set(), 1, 0)
    put(with_releases, "fidelity", {"source_id": source, "fidelity_v2": [0.9]}, "sim_dr4")
    assert unasked("sim_dr4") == ({"cut_fidelity", "cut_excess_factor"}, 0, 1)  # whatever is loaded: the dialect has no such cuts
    with with_releases.connect(Role.WORKER) as connection:
        connection.execute("UPDATE store.lamost SET snrg = NULL")
    assert unasked("sim_dr3") == (set(), 0, 0)  # a missing value fails
    assert unasked("sim_dr4") == ({"cut_fidelity", "cut_excess_factor"}, 0, 0)  # refused by a cut that could be asked: false, not null


def test_hot_payne_takes_over_at_7000_k_in_the_paper_and_everywhere_in_the_code(put: Callable[..., None], database: Database) -> None:
    n = 3
    dec = 41.8 + np.arange(n) * 60 * ARCSEC
    spectra = {"obsdate": ["2015-10-24"] * n, "planid": ["P"] * n, "spid": np.ones(n, np.int16), "fiberid": np.arange(n, dtype=np.int16)}
    put(database, "gaia_source", {"source_id": (np.arange(n) + 1) << 35, "ra": [75.0] * n, "dec": dec})
    put(
        database,
        "lamost",
        {"survey_id": ["a", "b", "c"], "obsid": np.arange(n), "ra": [75.0] * n, "dec": dec, "teff": [6500.0, 6600.0, 6700.0]} | spectra,
    )
    hot = {"teff": [6999.0, 7000.0], "fe_h": [-0.1, -0.2], "c_h": [0.2, 0.1], "e_c_h": [0.3, 0.3], "e_fe_h": [0.4, 0.4]}
    put(database, "hot_payne", {"survey_id": ["20151024-P-01-000", "20151024-P-01-001"]} | hot)
    link_surveys(database, "gaia_dr3")
    with database.connect(Role.WORKER) as connection:
        query = """SELECT labels_from, teff, c_fe, e_c_fe, hot_payne_teff, option_hot_payne_everywhere
            FROM surveys_dr3.training_forward ORDER BY survey_id"""
        rows = connection.execute(query).fetchall()
    assert rows == [
        ("lamost", 6500.0, None, None, 6999.0, True),
        ("hot_payne", 7000.0, pytest.approx(0.3), pytest.approx(0.5), 7000.0, True),
        ("lamost", 6700.0, None, None, None, False),
    ]


_NAN = float("nan")
_STAR = {
    "teff": 5000.0,
    "logg": 3.0,
    "m_h": 0.0,
    "alpha_m": 0.0,
    "teff_err": 50.0,
    "logg_err": 0.01,
    "m_h_err": 0.01,
    "alpha_m_err": 0.01,
    "snr": 300.0,
}
# view, columns of APOGEE's (or LAMOST's) row and of its source -> a cut, and whether a row just on the paper's limit passes it
LIMITS: dict[str, tuple[str, dict[str, Any], dict[str, Any], str, bool]] = {
    "AspGap: sigma of logg of 0.05 is in": ("aspgap", _STAR | {"logg_err": 0.05}, {}, "logg_error", True),
    "AspGap: sigma of [M/H] of 0.02 is in": ("aspgap", _STAR | {"m_h_err": 0.02}, {}, "metallicity_error", True),
    "AspGap: sigma of [alpha/M] of 0.02 is in": ("aspgap", _STAR | {"alpha_m_err": 0.02}, {}, "alpha_error", True),
    "AspGap: sigma of teff of 50 K is in": ("aspgap", _STAR, {}, "teff_error", True),
    "AspGap: [M/H] of 0.6 is in": ("aspgap", _STAR | {"m_h": 0.6}, {}, "mh", True),
    "AspGap: [alpha/M] of -0.1 is in": ("aspgap", _STAR | {"alpha_m": -0.1}, {}, "alpha_m", True),
    "AspGap: [alpha/M] of 0.6 is in": ("aspgap", _STAR | {"alpha_m": 0.6}, {}, "alpha_m", True),
    "AspGap: S/N of 200 is out": ("aspgap", _STAR | {"snr": 200.0}, {}, "snr", False),
    "RVS: RUWE of 1.4 is out": ("rvs_cnn", {}, {"ruwe": 1.4}, "ruwe", False),
    "RVS: sigma of logg of 0.1 is out": ("rvs_cnn", {"logg_err": 0.1}, {}, "logg_error", False),
    "RVS: sigma of [M/H] of 0.2 is out below -0.5": ("rvs_cnn", {"m_h": -0.6, "m_h_err": 0.2}, {}, "mh_error", False),
    "RVS: S/N of 30 is in": ("rvs_cnn", {}, {"rvs_spec_sig_to_noise": 30.0}, "rvs_snr", True),
    "uncertain network: RUWE of 1.4 is in": ("uncertain_nn", {}, {"ruwe": 1.4}, "ruwe", True),
    "uncertain network: an excess of 3.0 is out": ("uncertain_nn", {}, {"phot_bp_rp_excess_factor": 3.0}, "excess_factor", False),
    "VAE: sigma of logg of 0.4 is out": ("scatter_vae", {"logg_err": 0.4}, {}, "logg_error", False),
    "VAE: sigma of [M/H] of 0.2 is out": ("scatter_vae", {"m_h_err": 0.2}, {}, "mh_error", False),
    "VAE: G of 17.5 is out": ("scatter_vae", {}, {"phot_g_mean_mag": 17.5}, "magnitude", False),
    "VAE: a colour by its magnitudes": ("scatter_vae", {}, {"phot_bp_mean_mag": 15.0, "phot_rp_mean_mag": 14.0}, "colour", True),
    "ZGR23: an excess of 1.3 is out": ("forward", {}, {"phot_bp_rp_excess_factor": 1.3}, "excess_factor", False),
    "ZGR23: a parallax by its error": ("forward", {}, {"parallax": 3.1, "parallax_error": 1.0}, "parallax", True),
    "ZGR23: a parallax of thrice its error is out": ("forward", {}, {"parallax": 3.0, "parallax_error": 1.0}, "parallax", False),
    "ZGR23: no parallax is out": ("forward", {}, {"parallax": _NAN, "parallax_error": _NAN}, "parallax", False),
    "ZGR23: S/N of 20 is out": ("forward", {"snrg": 21.0, "snrr": 21.0, "snri": 20.0}, {}, "snr", False),
    "ZGR23: S/N not measured is out": ("forward", {"snrg": 21.0, "snrr": _NAN, "snri": 21.0}, {}, "snr", False),
}  # fmt: skip


def test_the_limits_of_a_paper_are_in_or_out_as_it_says(put: Callable[..., None], database: Database, subtests: pytest.Subtests) -> None:
    for name, (paper, row, source, cut, passes) in LIMITS.items():
        with subtests.test(name):
            place = {"ra": [75.0], "dec": [41.8]}
            put(database, "gaia_source", {"source_id": [5 << 35]} | place | {column: [value] for column, value in source.items()})
            survey = {"lamost": {"obsid": [1]}} if paper == "forward" else {"apogee": {}}
            for table, own in survey.items():
                put(database, table, {"survey_id": ["row"]} | own | place | {column: [value] for column, value in row.items()})
            link_surveys(database, "gaia_dr3")
            with database.connect(Role.WORKER) as connection:
                assert connection.execute(f"SELECT cut_{cut} FROM surveys_dr3.training_{paper}").fetchall() == [(passes,)]
        with database.connect(Role.OWNER) as connection:
            for table in ("gaia_source", "apogee", "lamost", "survey_link", "survey_linking"):
                connection.execute(f"DELETE FROM store.{table}")


def test_an_upper_limit_of_2mass_is_no_measurement(put: Callable[..., None], database: Database) -> None:
    source, place = np.array([5, 6]) << 35, {"ra": [75.0] * 2, "dec": [41.8, 42.8]}
    put(database, "gaia_source", {"source_id": source} | place)
    put(database, "apogee", {"survey_id": ["measured", "limit in H"]} | place)
    magnitudes = {"j_m": [12.0, 12.0], "j_msigcom": [0.02, 0.02], "h_m": [11.5, 11.5], "h_msigcom": [0.02, _NAN]}
    put(database, "two_mass", {"source_id": source} | magnitudes)
    join_two_mass(database, "gaia_dr3")
    link_surveys(database, "gaia_dr3")
    with database.connect(Role.WORKER) as connection:
        found = connection.execute("SELECT survey_id, cut_two_mass FROM surveys_dr3.training_uncertain_nn").fetchall()
    assert dict(found) == {"measured": True, "limit in H": False}


def test_simulated_and_real_surveys_never_come_into_one_release(folder: Path, with_releases: Database, tmp_path: Path) -> None:
    simulated = sorted(
        path for path in (folder / "surveys").iterdir() if path.name.startswith(("allStar", "dr8", "GALAH", "hot_payne", "unwise"))
    )
    assert len(simulated) == 5
    for path in simulated:
        (file,) = add_paths(with_releases, "gaia_dr3", [path], work=True).files
        assert file.state == "failed", path.name
        assert "lies in the folder of a simulated sky, and gaia_dr3 is real" in str(file.reason), path.name
        real = tmp_path / path.name
        real.write_bytes(path.read_bytes())
        (file,) = add_paths(with_releases, "sim_dr3", [real], work=True).files
        assert file.state == "failed", path.name
        assert "is simulated, and the file does not lie in the folder of a sky" in str(file.reason), path.name
    with with_releases.connect(Role.WORKER) as connection:
        for table in ("apogee", "lamost", "galah", "hot_payne", "unwise"):
            assert connection.execute(f"SELECT count(*) FROM store.{table}").fetchone() == (0,)


def test_a_paper_that_is_not_there_is_told(database: Database) -> None:
    with pytest.raises(UsageError, match="no training sample payne; there are forward, uncertain_nn"):
        count_cuts(database, "gaia_dr3", "payne")


@pytest.mark.usefixtures("commands_see_it")
def test_the_commands_link_and_count(put: Callable[..., None], database: Database) -> None:
    from ingest.commands import command

    put(database, "gaia_source", {"source_id": [5 << 35], "ra": [75.0], "dec": [41.8]})
    put(database, "lamost", {"survey_id": ["a", "b"], "obsid": [1, 2], "ra": [75.0, 75.0], "dec": [41.8, 40.0]})

    def run(*words: str) -> str:
        done = CliRunner().invoke(command, words, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    assert "1 of 2 rows linked (1 none, 1 position)" in run("link")
    assert "nothing has changed" in run("link", "--survey", "lamost")
    assert '"relinked": true' in run("link", "--again", "--json")
    assert "surveys_dr3.training_forward: 1 candidates" in run("cuts", "--paper", "forward")
    assert '"paper": "scatter_vae"' in run("cuts", "--json")
