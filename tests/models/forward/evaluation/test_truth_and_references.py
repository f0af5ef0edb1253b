"""References are aligned to the stars by identifier, whatever order their files have; files that are none are refused in words."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.errors import DataError
from models.forward.evaluation.references import gaia_reference, placed
from models.forward.evaluation.truth import read_bounds, read_truth
from models.forward.parameters import PARAMETERS

IDS = np.array([30, 10, 20], np.int64)


def truth_file(path, **replaced):
    columns = {
        "source_id": [10, 20, 40], "kind": ["star", "m_dwarf", "star"], "is_binary": [True, False, False], "cluster": ["A", None, None],
        "teff": [5000.0, 3000.0, 6000.0], "feh": [0.1, None, 0.0], "logg": [4.5, 5.0, 4.0], "ebv": [0.2, 0.0, 0.1], "parallax": [1.0, 50.0, 2.0],
    }  # fmt: skip
    columns |= replaced
    pq.write_table(pa.table({name: values for name, values in columns.items() if values is not None}), path)
    return path


def test_places_are_those_of_the_same_source() -> None:
    here, there = placed(IDS, np.array([20, 50, 30]))
    np.testing.assert_array_equal(IDS[here], np.array([20, 50, 30])[there])
    assert len(here) == 2


def test_the_truth_stands_beside_its_own_star(tmp_path) -> None:
    truth = read_truth(truth_file(tmp_path / "truth.parquet"), IDS)
    np.testing.assert_array_equal(truth.reference.values[:, 0], [np.nan, 5000.0, 3000.0])
    np.testing.assert_array_equal(truth.reference.values[:, PARAMETERS.index("ext")], [np.nan, 0.2, 0.0])
    assert truth.kind.tolist() == ["", "star", "m_dwarf"]
    assert truth.cluster.tolist() == [None, "A", None]
    assert truth.ordinary.tolist() == [False, False, False]  # unknown, a binary, a dwarf
    assert np.isnan(truth.reference.errors).all()


REFUSED = {
    "another sky": ({"source_id": [1, 2, 3]}, "another sky"),
    "a table without the truth": ({"ebv": None}, "no column ebv"),
}


@pytest.mark.parametrize(("replaced", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_truth_is_refused(tmp_path, replaced, message) -> None:
    with pytest.raises(DataError, match=message):
        read_truth(truth_file(tmp_path / "truth.parquet", **replaced), IDS)


def test_a_file_that_is_no_table_is_refused_in_words(tmp_path) -> None:
    (tmp_path / "truth.parquet").write_text("no")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_truth(tmp_path / "truth.parquet", IDS)


def test_bounds_are_of_the_data_that_the_model_sees_and_say_what_they_are(tmp_path) -> None:
    def field(name: str, words: str) -> pa.Field:
        return pa.field(name, pa.float64(), metadata={"description": words})

    names = [f"{family}_{of}" for family in ("xp_sigma", "xp_phot_sigma", "rvs_sigma", "all_error", "own_bound") for of in ("teff", "ebv")]
    schema = pa.schema(
        [pa.field("source_id", pa.int64()), *(field(name, f"Bound of teff from {name}; null where nothing is known") for name in names)]
    )
    table = pa.table([pa.array([20, 30]), *(pa.array([float(k), None]) for k in range(len(names)))], schema=schema)
    pq.write_table(table, tmp_path / "information.parquet")
    found = read_bounds(tmp_path / "information.parquet", IDS)
    assert [each.key for each in found] == ["own_bound", "xp_phot_sigma"]
    assert found[1].words == "Bound from xp_phot_sigma_teff"
    np.testing.assert_array_equal(found[1].values[:, [0, 3]], [[np.nan, np.nan], [np.nan, np.nan], [2.0, 3.0]])
    with pytest.raises(DataError, match="xp_phot_sigma_teff"):
        read_bounds(truth_file(tmp_path / "truth.parquet"), IDS)


def test_a_missing_parallax_is_no_reference() -> None:
    found = gaia_reference(np.array([1.0, 0.0]), np.array([0.1, np.inf]), None)
    np.testing.assert_array_equal(found.values[:, 4], [1.0, np.nan])
    assert found.parameters() == ("parallax",)
