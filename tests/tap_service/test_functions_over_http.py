"""User-defined functions as clients get them: types, shapes and xtypes of their results in every format."""

import csv
import io
from typing import Any

import healpy
import httpx
import numpy as np
import pytest
from astropy.io.votable import parse_single_table

FROM = "FROM gaiadr3.gaia_source"


def ask(service: Any, query: str, form: str) -> httpx.Response:
    return httpx.post(f"{service.url}/sync", data={"LANG": "ADQL", "QUERY": query, "FORMAT": form}, timeout=60)


def table(service: Any, query: str, form: str = "votable") -> Any:
    answer = ask(service, query, form)
    assert answer.status_code == 200, answer.text
    return parse_single_table(io.BytesIO(answer.content))


@pytest.mark.parametrize("form", ["votable", "votable/td"])
def test_a_histogram_is_an_array_of_int(service: Any, form: str) -> None:
    found = table(service, f"SELECT ivo_histogram(phot_g_mean_mag, 9, 17, 4) AS h, COUNT(*) AS n {FROM}", form)
    field = found.get_field_by_id_or_name("h")
    assert (field.datatype, field.arraysize) == ("int", "6")
    counts = found.array["h"][0]
    magnitudes = table(service, f"SELECT phot_g_mean_mag AS g {FROM} WHERE phot_g_mean_mag IS NOT NULL").array["g"]
    assert counts[1:-1].tolist() == np.histogram(magnitudes[magnitudes < 17], 4, (9, 17))[0].tolist()
    assert counts.sum() == found.array["n"][0] and counts[0] == (magnitudes < 9).sum() + found.array["n"][0] - len(magnitudes)


def test_a_histogram_of_a_size_that_rows_tell_and_text_formats(service: Any) -> None:
    query = f"SELECT ivo_histogram(phot_g_mean_mag, 9, 17, visits) AS h FROM (SELECT phot_g_mean_mag, 4 AS visits {FROM}) AS t"
    assert table(service, query).get_field_by_id_or_name("h").arraysize == "*"
    rows = list(csv.reader(io.StringIO(ask(service, query, "csv").text)))
    assert rows[0] == ["h"] and len(rows[1][0].split()) == 6


def test_points_leave_as_dali_points(service: Any) -> None:
    query = f"""SELECT ra, dec, ivo_epoch_prop_pos(ra, dec, NULL, NULL, NULL, NULL, 2016, 2000) AS p,
        ivo_healpix_center(6, gaia_healpix_index(6, source_id)) AS q, ivo_healpix_index(6, ra, dec) AS i, gaia_healpix_index(6, source_id) AS j {FROM}"""
    found = table(service, query)
    for name in "pq":
        field = found.get_field_by_id_or_name(name)
        assert (field.datatype, field.arraysize, field.xtype) == ("double", "2", "point")
    array = found.array
    assert np.allclose(array["p"][:, 0], array["ra"], atol=1e-12) and np.allclose(array["p"][:, 1], array["dec"], atol=1e-12)
    assert array["i"].tolist() == array["j"].tolist(), "the fixture's sources lie in their pixels"
    lon, lat = healpy.pix2ang(64, np.asarray(array["i"]), nest=True, lonlat=True)
    assert np.allclose(array["q"], np.stack((lon, lat), axis=1), atol=1e-10)


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        (f"SELECT SQRT(-1 - ra) {FROM}", "guard the function with CASE WHEN"),
        (f"SELECT 1 / (ra - ra) {FROM}", "Write CASE WHEN y"),
        (f"SELECT kiel_flag('scatter_vae', source_id, 'nothing') {FROM}", "there is no flag of scatter_vae"),
        (f"SELECT ivo_healpix_index(99, ra, dec) {FROM}", "from 0 to 29"),
        (
            f"SELECT COORD1(ivo_epoch_prop_pos(ra, dec, 1, 1, 1, 1, CAST(NULL AS REAL), 2000)) {FROM}",
            "leave such rows out with IS NOT NULL",
        ),
    ],
)
def test_what_a_function_refuses_is_the_querys_fault(service: Any, query: str, hint: str) -> None:
    answer = ask(service, query, "votable")
    assert answer.status_code == 400
    assert hint in answer.text
