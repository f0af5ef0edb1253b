"""STILTS, and with it what TOPCAT does behind its windows: queries, uploads, crossmatches and cone searches, by the commands people type."""

import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from astropy.table import Table

QUERY = "SELECT source_id, ra, dec, parallax, radial_velocity FROM gaiadr3.gaia_source ORDER BY source_id"


class Stilts:
    """The command, run in a folder."""

    def __init__(self, path: str, folder: Path) -> None:
        self.path = path
        self.folder = folder

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.path, *words], capture_output=True, text=True, timeout=120, cwd=self.folder)

    def table(self, *words: str) -> Table:
        out = self.folder / "out.fits"
        ran = self.run(*words, f"out={out}")
        assert ran.returncode == 0, ran.stderr
        return Table.read(out)


@pytest.fixture
def run(stilts: str, tmp_path: Path) -> Stilts:
    return Stilts(stilts, tmp_path)


@pytest.fixture
def mine(tap: Any, tmp_path: Path) -> Path:
    """Thirty stars of the catalogue in a file, last ones first, with names."""
    rows = tap.sql("SELECT source_id, ra, dec FROM gaiadr3.gaia_source ORDER BY source_id DESC LIMIT 30")
    source_id, ra, dec = zip(*rows, strict=True)
    path = tmp_path / "mine.fits"
    Table({"name": [f"star {i}" for i in range(30)], "source_id": source_id, "ra": ra, "dec": dec}).write(path)
    return path


def same(table: Table, rows: list[tuple[Any, ...]]) -> None:
    for name, values in zip(table.colnames, zip(*rows, strict=True), strict=True):
        if None in values:
            seen = np.ma.filled(np.ma.asarray(table[name]).astype(float), np.nan)
            np.testing.assert_allclose(seen, [np.nan if value is None else value for value in values], rtol=1e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(table[name], values, err_msg=name)


@pytest.mark.parametrize("sync", ["true", "false"])
def test_tapquery(run: Stilts, tap: Any, sync: str) -> None:
    same(run.table("tapquery", f"tapurl={tap.url}", f"adql={QUERY}", f"sync={sync}"), tap.sql(QUERY))


def test_tapquery_takes_a_row_limit(run: Stilts, tap: Any) -> None:
    ran = run.run("tapquery", f"tapurl={tap.url}", f"adql={QUERY}", "sync=true", "maxrec=3", "ofmt=csv")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("\n") == 4


@pytest.mark.parametrize("sync", ["true", "false"])
def test_tapquery_shows_the_services_own_words(run: Stilts, tap: Any, sync: str) -> None:
    ran = run.run(
        "tapquery", f"tapurl={tap.url}", "adql=SELECT paralax FROM gaiadr3.gaia_source", f"sync={sync}", "parse=false", "ofmt=csv"
    )
    assert ran.returncode != 0
    assert "did you mean parallax" in ran.stderr


@pytest.mark.parametrize("sync", ["true", "false"])
def test_tapquery_joins_two_uploaded_tables(run: Stilts, tap: Any, mine: Path, sync: str) -> None:
    Table({"name": ["star 3", "star 4"], "weight": [0.5, 0.25]}).write(run.folder / "weights.fits")
    query = (
        "SELECT s.name, g.source_id, w.weight FROM TAP_UPLOAD.up1 AS s JOIN gaiadr3.gaia_source AS g ON g.source_id = s.source_id "
        "LEFT JOIN TAP_UPLOAD.up2 AS w ON w.name = s.name ORDER BY g.source_id"
    )
    table = run.table(
        "tapquery", f"tapurl={tap.url}", f"adql={query}", f"sync={sync}", "nupload=2", f"upload1={mine}", "upname1=up1", "upload2=weights.fits", "upname2=up2"
    )  # fmt: skip
    assert len(table) == 30
    weights = {str(row["name"]).strip(): float(row["weight"]) for row in table if not np.isnan(np.ma.filled(row["weight"], np.nan))}
    assert weights == {"star 3": 0.5, "star 4": 0.25}


@pytest.mark.parametrize("interface", ["tap1.1", "cap"])
def test_tapskymatch_finds_every_star_of_a_list(run: Stilts, tap: Any, mine: Path, interface: str) -> None:
    table = run.table(
        "tapskymatch", f"in={mine}", "inlon=ra", "inlat=dec", f"tapurl={tap.url}", f"interface={interface}", "taptable=gaiadr3.gaia_source",
        "taplon=ra", "taplat=dec", "tapcols=source_id,parallax", f"sr={1 / 3600}", "find=best", "blocksize=12", "fixcols=all",
    )  # fmt: skip
    assert len(table) == 30
    inside = [name for name in table.colnames if name.startswith("source_id")]
    np.testing.assert_array_equal(table[inside[0]], table[inside[1]])


def test_tapresume_takes_a_job_up_again(run: Stilts, tap: Any) -> None:
    with httpx.Client(trust_env=False) as client:
        url = client.post(f"{tap.url}/async", data={"LANG": "ADQL", "QUERY": QUERY, "PHASE": "RUN"}).headers["location"]
        same(run.table("tapresume", f"joburl={url}", "delete=finished"), tap.sql(QUERY))
        assert client.get(url).status_code == 404


def cone_url(tap: Any) -> str:
    """Where the cone search of the sources is: named on the page for people."""
    page = httpx.get(tap.url, trust_env=False).text
    [found] = re.findall(r'href="([^"]*/scs/gaiadr3\.gaia_source)\?', page)
    return str(httpx.URL(tap.url).join(found))


def test_cone(run: Stilts, tap: Any) -> None:
    table = run.table("cone", f"serviceurl={cone_url(tap)}", "lon=132.85", "lat=11.81", "radius=5", "verb=2")
    wanted = {row[0] for row in tap.sql("SELECT source_id FROM gaiadr3.gaia_source WHERE oracle.separation(ra, dec, 132.85, 11.81) <= 5")}
    assert set(table["source_id"].tolist()) == wanted
    assert len(wanted) > 3


def test_coneskymatch(run: Stilts, tap: Any, mine: Path) -> None:
    table = run.table(
        "coneskymatch", f"in={mine}", "icmd=head 6", "ra=ra", "dec=dec", f"sr={1 / 3600}", "find=best", "fixcols=all",
        "parallel=3", "erract=abort", f"serviceurl={cone_url(tap)}",
    )  # fmt: skip
    inside = [name for name in table.colnames if name.startswith("source_id")]
    assert len(table) == 6
    np.testing.assert_array_equal(table[inside[0]], table[inside[1]])


def test_votlint_finds_nothing_in_a_result(run: Stilts, tap: Any) -> None:
    query = "SELECT g.*, l.*, c.* FROM gaiadr3.gaia_source AS g JOIN labels.scatter_vae AS l ON l.source_id = g.source_id, tap_schema.columns AS c"
    for name in ("votable", "votable/td"):
        path = run.folder / "result.vot"
        path.write_bytes(httpx.get(f"{tap.url}/sync", params={"QUERY": query, "FORMAT": name, "MAXREC": 70}, trust_env=False).content)
        ran = run.run("votlint", str(path))
        assert ran.stdout + ran.stderr == "", name
