"""The clients that people use: pyvo and STILTS give the same rows as SQL."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvo
from astropy.table import Table

from catalog.database import Role
from tap_service.limits import Limits

QUERY = (
    "SELECT TOP 500 source_id, ra, dec, phot_g_mean_mag FROM gaiadr3.gaia_source "
    "WHERE 1 = CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', 45, 10, 1.5)) ORDER BY source_id"
)


def expected(service: Any) -> dict[str, np.ndarray]:
    query = """
        SELECT source_id, ra, dec, coalesce(phot_g_mean_mag, 'NaN')::float8 FROM gaiadr3.gaia_source
        WHERE degrees(acos(least(1, sin(radians(dec)) * sin(radians(10)) + cos(radians(dec)) * cos(radians(10)) * cos(radians(ra - 45))))) <= 1.5
        ORDER BY source_id LIMIT 500"""
    with service.database.connect(Role.TAP_READER) as connection:
        rows = connection.execute(query).fetchall()
    assert len(rows) > 100
    names = ("source_id", "ra", "dec", "phot_g_mean_mag")
    return {name: np.array(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}


def same(table: Table, rows: dict[str, np.ndarray]) -> None:
    for name, values in rows.items():
        seen = np.ma.filled(table[name], 0 if name == "source_id" else np.nan)
        np.testing.assert_array_equal(seen, values.astype(seen.dtype), err_msg=name)


def test_pyvo_gives_the_rows_of_sql(service: Any) -> None:
    tap = pyvo.dal.TAPService(service.url)
    result = tap.search(QUERY)
    same(result.to_table(), expected(service))
    assert result.getdesc("ra").unit == "deg"
    assert result.getdesc("dec").ucd == "pos.eq.dec;meta.main"


def test_pyvo_warns_of_a_cut_result(serve: Any, stars: Any) -> None:
    with serve(stars, Limits(default_rows=7)) as service, pytest.warns(pyvo.dal.exceptions.DALOverflowWarning):
        assert len(pyvo.dal.TAPService(service.url).search("SELECT source_id FROM gaiadr3.gaia_source")) == 7


def test_pyvo_understands_what_the_service_declares(service: Any) -> None:
    tap = pyvo.dal.TAPService(service.url)
    assert (tap.maxrec, tap.hardlimit) == (1_000_000, 20_000_000)
    ways = [method.ivo_id.rpartition("#")[2] for method in tap.upload_methods]
    assert ways == ["upload-inline", "upload-http", "upload-https"]
    assert "gaiadr3.gaia_source" in tap.tables
    assert {column.name for column in tap.tables["gaiadr3.gaia_source"].columns} >= {"source_id", "ra", "dec"}
    assert tap.get_tap_capability().get_adql().get_feature("ivo://ivoa.net/std/tapregext#features-adqlgeo", "DISTANCE")


def test_pyvo_shows_the_services_own_message(service: Any) -> None:
    with pytest.raises(pyvo.dal.DALQueryError, match=r"did you mean gaiadr3\.gaia_source"):
        pyvo.dal.TAPService(service.url).search("SELECT * FROM gaia_sauce")


def test_stilts_gives_the_rows_of_sql(service: Any, stilts: str, tmp_path: Path) -> None:
    out = tmp_path / "out.fits"
    words = [f"tapurl={service.url}", f"adql={QUERY}", "sync=true", f"out={out}"]
    ran = subprocess.run([stilts, "tapquery", *words], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    same(Table.read(out), expected(service))
