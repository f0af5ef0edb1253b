"""Results name the papers of the releases whose sources they have."""

from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest

from tap_service.citations import PAPERS, citations
from tap_service.results.field_types import Field

SOURCE = Field("source_id", "long", source_release="gaiadr3")
FOUND = {
    "no_sources": ((Field("n", "int"),), []),
    "sources_of_a_release": ((SOURCE, Field("ra", "double")), ["2023A&A...674A...1G"]),
    "the_same_release_twice": ((SOURCE, SOURCE), ["2023A&A...674A...1G"]),
    "simulated_sources": ((Field("source_id", "long", source_release="gaiasim_dr3"),), []),
}


@pytest.mark.parametrize("case", FOUND)
def test_a_release_is_cited_once(case: str) -> None:
    fields, bibcodes = FOUND[case]
    assert [info.value for info in citations(fields)] == bibcodes


def test_a_result_names_the_paper(service: Any) -> None:
    answer = httpx.get(f"{service.url}/sync", params={"QUERY": "SELECT TOP 1 source_id FROM gaiadr3.gaia_source"})
    infos = [
        info for info in ET.fromstring(answer.content).iter("{http://www.ivoa.net/xml/VOTable/v1.3}INFO") if info.get("name") == "citation"
    ]
    assert [(info.get("value"), info.get("ucd"), info.text) for info in infos] == [
        (PAPERS["gaiadr3"][0], "meta.bib.bibcode", PAPERS["gaiadr3"][1])
    ]
