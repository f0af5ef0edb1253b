"""Points, circles and polygons as clients receive them, and regions of a published table through HTTP."""

import io
import urllib.parse
import urllib.request
import warnings

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io.votable import parse
from astropy.io.votable.tree import TableElement

from catalog.database import Database
from tests.tap_service.conftest import RunningService

SHAPES = "SELECT TOP 1 POINT(-10, 5) AS p, CIRCLE(10, 20, 0.5) AS c, POLYGON(10, 20, 11, 20, 11, 21) AS g, POINT(ra + NULL, dec) AS nowhere FROM gaiadr3.gaia_source"


def ask(service: RunningService, query: str, response_format: str) -> bytes:
    data = urllib.parse.urlencode({"LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": response_format}).encode()
    with urllib.request.urlopen(f"{service.url}/sync", data) as answer:
        return bytes(answer.read())


def table(document: bytes) -> TableElement:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return parse(io.BytesIO(document), verify="exception").get_first_table()


@pytest.mark.parametrize("response_format", ["votable", "votable/td"])
def test_regions_are_arrays_of_degrees_with_their_xtype(service: RunningService, response_format: str) -> None:
    found = table(ask(service, SHAPES, response_format))
    fields = {field.name: field for field in found.fields}
    assert {name: (field.datatype, field.arraysize, field.xtype, str(field.unit)) for name, field in fields.items()} == {
        "p": ("double", "2", "point", "deg"),
        "c": ("double", "3", "circle", "deg"),
        "g": ("double", "*", "polygon", "deg"),
        "nowhere": ("double", "2", "point", "deg"),
    }
    assert all(field.ref == "ICRS" for field in fields.values())
    row = found.array[0]
    assert row["p"].tolist() == [350, 5]
    assert row["c"].tolist() == [10, 20, 0.5]
    assert row["g"].tolist() == [10, 20, 11, 21, 11, 20]
    assert np.ma.getmaskarray(row["nowhere"]).all() or np.isnan(row["nowhere"]).all()


def test_regions_are_dali_text_in_csv_and_tsv(service: RunningService) -> None:
    assert ask(service, SHAPES, "csv").decode().splitlines() == ["p,c,g,nowhere", '"350 5","10 20 0.5","10 20 11 21 11 20",']
    assert ask(service, SHAPES, "tsv").decode().splitlines()[1].split("\t") == ["350 5", "10 20 0.5", "10 20 11 21 11 20", ""]


def test_a_polygon_finds_the_stars_within_it(service: RunningService, stars: Database) -> None:
    with stars.connect(None) as connection:
        rows = connection.execute("SELECT source_id, ra, dec FROM store.gaia_source").fetchall()
    at = SkyCoord([row[1] for row in rows], [row[2] for row in rows], unit="deg")
    # In the frame of its centre a box lies between great circles.
    offset = SkyCoord(45, 10, unit="deg").skyoffset_frame()
    seen = at.transform_to(offset)
    x, y = np.tan(seen.lon), np.tan(seen.lat) / np.cos(seen.lon)
    half = np.tan(np.radians(0.75))
    expected = sorted(
        row[0] for row, inside in zip(rows, (abs(x) <= half) & (abs(y) <= half) & (np.cos(seen.lon) > 0), strict=True) if inside
    )
    assert len(expected) > 50
    for region in ("BOX(45, 10, 1.5, 1.5)", "REGION('Box ICRS 45 10 1.5 1.5')", "BOX(POINT('ICRS', 45, 10), 1.5, 1.5)"):
        found = ask(
            service, f"SELECT source_id FROM gaiadr3.gaia_source WHERE 1 = CONTAINS(POINT(ra, dec), {region}) ORDER BY source_id", "csv"
        )
        assert [int(line) for line in found.decode().split()[1:]] == expected
