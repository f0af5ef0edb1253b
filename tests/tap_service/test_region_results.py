"""Points, circles and polygons as clients receive them, and regions of a published table through HTTP."""

import io
import urllib.parse
import urllib.request
import warnings

import httpx
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


UPLOAD = """<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>
<FIELD name="spot" datatype="double" arraysize="2" xtype="point"/><FIELD name="coarse" datatype="float" arraysize="2" xtype="point"/>
<FIELD name="disc" datatype="double" arraysize="3" xtype="circle"/><FIELD name="patch" datatype="double" arraysize="*" xtype="polygon"/>
<FIELD name="numbers" datatype="double" arraysize="2"/>
<DATA><TABLEDATA>
<TR><TD>10 20</TD><TD>10.5 20</TD><TD>10 20 1</TD><TD>9 19 9 21 11 21 11 19</TD><TD>1 2</TD></TR>
<TR><TD>NaN NaN</TD><TD>NaN NaN</TD><TD>NaN NaN NaN</TD><TD/><TD>1 2</TD></TR>
</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"""


def ask_of_upload(service: RunningService, query: str) -> httpx.Response:
    data = {"LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": "csv", "UPLOAD": "u,param:x"}
    return httpx.post(f"{service.url}/sync", data=data, files={"x": ("x.xml", UPLOAD.encode())}, timeout=60)


def test_columns_of_an_upload_are_regions_by_their_xtype(service: RunningService) -> None:
    answer = ask_of_upload(
        service,
        "SELECT CONTAINS(spot, patch) AS a, INTERSECTS(disc, patch) AS b, CONTAINS(disc, CIRCLE(10, 20, 2)) AS c, ROUND(DISTANCE(spot, coarse), 4) AS d, "
        "COORD1(coarse) AS e, CENTROID(disc) AS f, CONTAINS(coarse, patch) AS g FROM TAP_UPLOAD.u",
    )
    assert answer.text == 'a,b,c,d,e,f,g\n1,1,1,0.4698,10.5,"10 20",1\n,,,,,,\n'
    refused = ask_of_upload(service, "SELECT CONTAINS(numbers, disc) AS a FROM TAP_UPLOAD.u")
    assert refused.status_code == 400 and "a POINT, a CIRCLE or a POLYGON" in refused.text


def test_stars_are_found_within_the_regions_of_an_upload(service: RunningService, stars: Database) -> None:
    query = "SELECT COUNT(*) AS n FROM TAP_UPLOAD.u AS u JOIN gaiadr3.gaia_source AS g ON 1 = CONTAINS(POINT(g.ra, g.dec), {region})"
    with stars.connect(None) as connection:
        rows = connection.execute("SELECT ra, dec FROM store.gaia_source").fetchall()
    near = SkyCoord([row[0] for row in rows], [row[1] for row in rows], unit="deg").separation(SkyCoord(45, 10, unit="deg")).deg
    for region, count in (
        ("CIRCLE(45, 10, 1)", 2 * (near < 1).sum()),
        ("CIRCLE(COORD1(u.spot) + 35, COORD2(u.spot) - 10, 1)", (near < 1).sum()),
    ):
        assert ask_of_upload(service, query.format(region=region)).text.split() == ["n", str(count)]
