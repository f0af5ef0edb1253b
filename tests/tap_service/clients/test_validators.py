"""The validators of STILTS find nothing in what the service says: taplint in all its stages, votlint in every serialization, datalinklint."""

import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tap_service.results.formats import FORMATS

STAGES = ("TMV", "TME", "TMS", "TMC", "CPV", "CAP", "AVV", "QGE", "QPO", "QAS", "UWS", "MDQ", "OBS", "LOC", "UPL", "EXA")
"""All that it has by itself; EPN is for planets."""
TABLES = 25
"""Of how many tables taplint asks a row."""
NO_OBSPLAN = re.compile(r"F-LOC-NOTP-1 No table with name ivoa\.obsplan")
VOTABLES = [known.media_type for known in FORMATS if known.media_type.startswith("application/x-votable")]
QUERIES = {
    "sources": "SELECT TOP 20 * FROM gaiadr3.gaia_source",
    "arrays": "SELECT TOP 20 * FROM gaiadr3.xp_continuous_mean_spectrum",
    "a_survey": "SELECT TOP 20 * FROM surveys.apogee",
    "times_and_texts": "SELECT * FROM runs.run",
    "no_rows": "SELECT * FROM gaiadr3.gaia_source WHERE 1 = 0",
    "an_error": "SELECT nothing FROM gaiadr3.gaia_source",
}


def said(stilts: str, *words: str) -> str:
    ran = subprocess.run([stilts, *words], capture_output=True, text=True, timeout=300)
    return ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def taplint(tap: Any, stilts: str) -> str:
    """One run of it."""
    report = said(stilts, "taplint", f"tapurl={tap.url}", f"stages={' '.join(STAGES)}", "report=EWFS", f"maxtable={TABLES}")
    assert re.search(r"^Totals: ", report, re.MULTILINE), report
    return report


@pytest.mark.parametrize("stage", STAGES)
def test_taplint_finds_nothing(taplint: str, stage: str) -> None:
    assert f"Section {stage}: " in taplint
    found = re.findall(rf"^[EWF]-{stage}-.*$", taplint, re.MULTILINE)
    assert [line for line in found if not NO_OBSPLAN.match(line)] == []


@pytest.mark.parametrize("name", VOTABLES)
def test_votlint_finds_nothing(tap: Any, stilts: str, tmp_path: Path, name: str) -> None:
    for query in QUERIES.values():
        path = tmp_path / "result.vot"
        path.write_bytes(httpx.get(f"{tap.url}/sync", params={"QUERY": query, "RESPONSEFORMAT": name}, trust_env=False).content)
        assert said(stilts, "votlint", f"votable={path}") == "", query


@pytest.mark.parametrize("verb", ["1", "2", "3"])
def test_votlint_finds_nothing_in_a_cone(tap: Any, stilts: str, tmp_path: Path, verb: str) -> None:
    path = tmp_path / "cone.vot"
    cone = {"RA": "45", "DEC": "10", "SR": "60", "VERB": verb, "MAXREC": "20"}
    path.write_bytes(httpx.get(f"{tap.url.removesuffix('/tap')}/scs/gaiadr3.gaia_source", params=cone, trust_env=False).content)
    assert said(stilts, "votlint", f"votable={path}") == ""


def test_datalinklint_finds_nothing(tap: Any, stilts: str, tmp_path: Path, member: dict[str, Any]) -> None:
    path = tmp_path / "links.vot"
    identifiers = [("ID", str(member["source_id"])), ("ID", f"gaiadr3/{member['source_id']}"), ("ID", "4"), ("ID", "Sirius")]
    path.write_bytes(httpx.get(f"{tap.url.removesuffix('/tap')}/datalink/links", params=identifiers, trust_env=False).content)
    report = said(stilts, "datalinklint", str(path))
    assert "Datalink table rows checked" in report, report
    assert re.findall(r"^[EWF]-.*$", report, re.MULTILINE) == []
    assert said(stilts, "votlint", f"votable={path}") == ""
