"""Published labels of the forward model as clients get them: covariances by name, the paper's names and units, models side by side."""

import io
from typing import Any

import httpx
import numpy as np
import pytest
from astropy.io.votable import parse_single_table

from catalog.database import Role

NAMES = ("teff", "feh", "logg", "ext", "parallax")
UNITS = ("K", None, None, "mag", "mas")


def ask(http: httpx.Client, query: str) -> Any:
    answer = http.post("sync", data={"LANG": "ADQL", "QUERY": query, "FORMAT": "votable"})
    assert answer.status_code == 200, answer.text
    return parse_single_table(io.BytesIO(answer.content))


def matrices(triangles: np.ndarray) -> np.ndarray:
    """The symmetric matrices of packed triangles, by numpy's own order."""
    row, column = np.triu_indices(5)
    found = np.zeros((len(triangles), 5, 5))
    found[:, row, column] = found[:, column, row] = triangles
    return found


@pytest.fixture(scope="module")
def labels(tap: Any) -> Any:
    with httpx.Client(base_url=tap.url + "/", timeout=60, trust_env=False) as http:
        return ask(http, "SELECT * FROM labels_dr3.forward ORDER BY source_id").array


def test_every_covariance_is_that_of_numpy_in_its_unit(http: httpx.Client, labels: Any) -> None:
    covariance = matrices(labels["covariance"].data)
    for i, first in enumerate(NAMES):
        selected = ", ".join(f"kiel_cov('forward', covariance, '{first}', '{second}') AS c{j}" for j, second in enumerate(NAMES))
        found = ask(http, f"SELECT {selected}, e_{first} FROM labels_dr3.forward ORDER BY source_id")
        assert np.array_equal(np.column_stack([found.array[f"c{j}"] for j in range(5)]), covariance[:, i].astype(np.float32))
        assert np.allclose(found.array[f"e_{first}"] ** 2, covariance[:, i, i], rtol=1e-5)
        unit = found.get_field_by_id_or_name(f"c{i}").unit
        assert (str(unit) if unit else None) == (f"{UNITS[i]}2" if UNITS[i] else None)


def test_the_error_of_a_combination_is_that_of_numpy(http: httpx.Client, labels: Any) -> None:
    weights = np.array([0.001, 0.5, -2.0, 0.0, 3.0])
    given = ", ".join(f"'{name}', {weight}" for name, weight in zip(NAMES, weights, strict=True))
    found = ask(http, f"SELECT kiel_sigma('forward', covariance, {given}) AS s FROM labels_dr3.forward ORDER BY source_id").array["s"]
    covariance = matrices(labels["covariance"].data)
    assert np.allclose(found, np.sqrt(np.einsum("i,nij,j->n", weights, covariance, weights)), rtol=1e-5)


def test_the_distance_of_two_runs_is_that_of_numpy(http: httpx.Client) -> None:
    given = ", ".join(f"'{name}', a.{name}, b.{name}" for name in NAMES)
    columns = ", ".join(f"{run}.{name} AS {name}_{run}" for run in "ab" for name in (*NAMES, "covariance"))
    query = f"""SELECT TOP 200 {columns}, kiel_mahalanobis('forward', a.covariance, 'forward', b.covariance, {given}) AS d
        FROM labels_dr3.forward_all_runs AS a JOIN labels_dr3.forward_all_runs AS b ON b.source_id = a.source_id AND b.run_id > a.run_id"""
    found = ask(http, query).array
    assert len(found) == 200
    together = matrices(found["covariance_a"].data) + matrices(found["covariance_b"].data)
    difference = np.column_stack([found[f"{name}_a"] - found[f"{name}_b"] for name in NAMES]).astype(float)
    expected = np.sqrt(np.einsum("ni,ni->n", difference, np.linalg.solve(together, difference[..., None])[..., 0]))
    assert np.allclose(found["d"], expected, rtol=1e-3)


def test_the_papers_table_has_the_papers_units(http: httpx.Client, labels: Any) -> None:
    found = ask(http, "SELECT * FROM labels_dr3.forward_paper ORDER BY gdr3_source_id")
    names = [field.name for field in found.fields]
    assert names == [
        "run_id", "gdr3_source_id", "ra", "dec", "stellar_params_est", "stellar_params_err", "chi2_opt", "ln_prior", "teff_confidence", "feh_confidence",
        "logg_confidence", "quality_flags", "stellar_params_icov_triu", "stellar_params_cov_triu",
    ]  # fmt: skip
    paper, factor = found.array, np.array([1e-3, 1, 1, 1, 1])
    assert paper["gdr3_source_id"].tolist() == labels["source_id"].tolist()
    for column, prefix in (("stellar_params_est", ""), ("stellar_params_err", "e_")):
        assert np.allclose(paper[column], np.column_stack([labels[prefix + name] for name in NAMES]) * factor, rtol=1e-6)
    covariance, inverse = matrices(paper["stellar_params_cov_triu"].data), matrices(paper["stellar_params_icov_triu"].data)
    assert np.allclose(covariance, matrices(labels["covariance"].data) * factor[:, None] * factor, rtol=1e-6)
    assert np.allclose(inverse, matrices(labels["inverse_covariance"].data) / factor[:, None] / factor, rtol=1e-6)
    assert np.allclose(covariance @ inverse, np.eye(5), atol=1e-3)
    for name in ("chi2_opt", "ln_prior", "quality_flags", "ra"):
        assert np.array_equal(paper[name], labels[name]), name


def test_the_basic_cut_is_one_comparison_and_flags_have_names(http: httpx.Client, labels: Any) -> None:
    query = "SELECT source_id FROM labels_dr3.forward WHERE {} ORDER BY source_id"
    cut = ask(http, query.format("quality_flags < 8")).array["source_id"]
    assert cut.tolist() == labels["source_id"][labels["quality_flags"] < 8].tolist()
    poor = ask(http, query.format("kiel_flag('forward', quality_flags, 'poor_fit') = 1")).array["source_id"]
    assert poor.tolist() == labels["source_id"][(labels["quality_flags"] & 8) != 0].tolist()


def test_all_models_has_a_source_once_and_null_where_a_model_has_no_label(http: httpx.Client, tap: Any) -> None:
    found = ask(
        http, "SELECT source_id, forward_teff, forward_run_id, scatter_vae_chi2, scatter_vae_run_id FROM labels_dr3.all_models"
    ).array
    forward = dict(tap.sql("SELECT source_id, teff FROM labels_dr3.forward"))
    vae = dict(tap.sql("SELECT source_id, chi2 FROM labels_dr3.scatter_vae"))
    assert sorted(found["source_id"].tolist()) == sorted(forward.keys() | vae.keys())
    for row in found:
        for name, known in (("forward_teff", forward), ("scatter_vae_chi2", vae)):
            value = known.get(int(row["source_id"]), np.nan)
            assert np.array_equal(np.ma.filled(row[name], np.nan), np.float32(value), equal_nan=True)
    assert forward.keys() - vae.keys() and vae.keys() - forward.keys()
    one = ask(http, f"SELECT source_id FROM labels_dr3.all_models WHERE source_id = {min(forward)}").array
    assert len(one) == 1


def test_cones_find_labels_under_either_name(http: httpx.Client, tap: Any) -> None:
    [[ra, dec]] = tap.sql("SELECT ra, dec FROM labels_dr3.forward ORDER BY source_id LIMIT 1")
    counts = [
        ask(http, f"SELECT COUNT(*) AS n FROM labels_dr3.{table} WHERE DISTANCE(ra, dec, {ra}, {dec}) < 5").array["n"][0]
        for table in ("forward", "forward_paper")
    ]
    assert counts[0] == counts[1] > 0


def test_a_range_of_sources_reaches_the_index_of_every_model(tap: Any) -> None:
    with tap.database.connect(Role.OWNER) as connection:
        connection.execute("SET enable_seqscan = off")  # with so few rows a scan would be cheaper
        plan = connection.execute("EXPLAIN SELECT * FROM labels_dr3.all_models WHERE source_id BETWEEN 1000 AND 100000000").fetchall()
    lines = [line.strip() for (line,) in plan]
    for table in ("label_forward_r", "label_scatter_vae_r"):
        (at,) = [number for number, line in enumerate(lines) if "Index Scan" in line and table in line]
        assert "source_id = s.source_id" in lines[at + 1]
