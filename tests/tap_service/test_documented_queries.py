"""Every query that the docs print is run as it stands there, and gives rows on a simulated sky that has what it asks for."""

import re
from itertools import pairwise
from typing import Any

import pytest
from astropy.table import Table
from pyvo.dal import TAPService

from catalog.database import Database, Role
from catalog.releases import add_release
from catalog.version import ROOT
from ingest.linking.release_links import link_release
from ingest.load import add_paths

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
GUIDE = ROOT / "docs" / "query_guide.md"
SIMULATED = {
    "gaiadr3": "gaiasim_dr3",
    "gaiadr1": "gaiasim_dr3",
    "external": "gaiasim_dr3",
    "surveys": "surveys_sim_dr3",
    "surveys_dr3": "surveys_sim_dr3",
}
"""Schemas of Gaia DR3 and of the default release -> where the simulated sky has the same tables."""
NOT_SIMULATED = (
    "labels",
    "runs.run",
    "runs.model_version",
    "dr2_neighbourhood",
    "reference_label",
    "DISTANCE",
    "CIRCLE",
    "BOX",
    "POLYGON",
    "sigmas",
)
"""Words of queries that may find nothing in a small simulated sky without a run."""
BITS = (0, 3, 23, 31, 33, 41)
_INDENTED = re.compile(r"(?:^ {4,}\S.*\n)+", re.MULTILINE)
_QUOTED = re.compile(r'"""(.*?)"""|"(?:QUERY=)?(SELECT .*?)"', re.DOTALL)


def queries(page: str) -> list[str]:
    """The queries of a page in Markdown: what begins a line with SELECT, quoted queries of Python and curl, and WHERE clauses by themselves."""
    found = []
    for block in _INDENTED.findall(page):
        if any(word in block for word in ("import pyvo", "curl ", "service.search", "kiel ")):
            found += [long or short for long, short in _QUOTED.findall(block) if "SELECT ..." not in short]
        elif block.lstrip().startswith("WHERE"):
            found += [f"SELECT source_id FROM gaiadr3.gaia_source {line.strip()}" for line in block.splitlines()]
        else:
            lines = [line[4:] for line in block.splitlines()]
            starts = [number for number, line in enumerate(lines) if line.startswith(("SELECT ", "WITH "))]
            found += ["\n".join(lines[start:end]) for start, end in pairwise([*starts, len(lines)])]
    return [query.strip() for query in found]


QUERIES = sorted({query: page for page in PAGES for query in queries(page.read_text())}.items(), key=lambda pair: (pair[1], pair[0]))


def test_the_queries_of_the_docs_are_found() -> None:
    counts = {page: sum(found == page for _, found in QUERIES) for page in PAGES}
    assert counts[ROOT / "README.md"] == 2
    assert counts[GUIDE] > 25
    assert all(counts[page] == 1 for page in PAGES if page.parent.name == "tables" and page.name != "README.md")


def test_every_query_of_the_docs_runs_and_finds_what_a_simulated_sky_has(
    sky: Any, database: Database, serve: Any, subtests: pytest.Subtests
) -> None:
    add_release(database, "sim_dr3")
    assert not add_paths(database, "sim_dr3", [sky], work=True).failed
    link_release(database, "sim_dr3")
    with serve(database) as running:
        service = TAPService(running.url)
        for query, page in QUERIES:
            with subtests.test(page=page.name, query=query):
                uploads = {"mine": _some_sources(service)} if "TAP_UPLOAD" in query else None
                service.search(query, uploads=uploads)
                if page == GUIDE and not any(word in query for word in NOT_SIMULATED):
                    assert len(service.search(_on_the_sky(query), uploads=uploads)) > 0


def _some_sources(service: TAPService) -> Table:
    """A list as a person has one."""
    return service.search("SELECT TOP 20 source_id, ra, dec FROM gaiasim_dr3.gaia_source").to_table()


def _on_the_sky(query: str) -> str:
    return re.sub(r"\b(" + "|".join(SIMULATED) + r")\.(?=\w)", lambda found: f"{SIMULATED[found[1]]}.", query)


def test_a_bit_of_a_flag_is_told_by_division_and_remainder(sky: Any, database: Database, serve: Any, subtests: pytest.Subtests) -> None:
    add_release(database, "sim_dr3")
    add_paths(database, "sim_dr3", [next((sky / "surveys").glob("allStar*"))], work=True)
    everywhere = sum(1 << bit for bit in BITS)
    with database.connect(Role.WORKER) as connection:
        connection.execute("UPDATE store.apogee SET aspcapflag = %s WHERE row_number <= 5", (everywhere,))
    with serve(database) as running, database.connect(Role.WORKER) as connection:
        for bit in BITS:
            with subtests.test(bit=bit):
                told = connection.execute("SELECT survey_id FROM store.apogee WHERE aspcapflag & %s <> 0", (1 << bit,)).fetchall()
                found = TAPService(running.url).search(
                    f"SELECT survey_id FROM surveys_sim_dr3.apogee WHERE MOD(aspcapflag / {1 << bit}, 2) = 1"
                )
                assert sorted(str(row["survey_id"]) for row in found) == sorted(row[0] for row in told)
                assert len(told) >= 5
