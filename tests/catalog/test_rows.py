"""Blocks of rows: what they take, what they refuse, and what counts as null."""

from typing import Any

import numpy as np
import pytest

from catalog.errors import DataError
from catalog.rows import CopyField, Rows
from catalog.schema.column import ColumnType

SMALL = CopyField("small", ColumnType.SMALLINT)
REAL = CopyField("real", ColumnType.REAL)
TEXT = CopyField("text", ColumnType.TEXT)
TIME = CopyField("time", ColumnType.TIMESTAMP)
VECTOR = CopyField("vector", ColumnType.VECTOR, 3)


def test_values_are_kept_in_the_columns_own_dtype() -> None:
    rows = Rows(
        (SMALL, REAL, TEXT, TIME, VECTOR),
        {"small": np.array([1, 2]), "real": np.array([0.1, 1e300]), "text": np.array(["a", "b"]),
         "time": np.array(["2016-01-01", "NaT"], "datetime64[s]"), "vector": np.zeros((2, 3))},
        {"real": np.array([False, True])},
    )  # fmt: skip
    assert [rows[field.name].dtype for field in rows.fields] == ["int16", "float32", object, "datetime64[us]", "float32"]
    assert rows["real"][0] == np.float32(0.1)


def test_none_and_not_a_time_are_null_and_nan_is_not() -> None:
    text, time, real = np.array(["", None, "x"], object), np.array(["NaT", 0, 1], "datetime64[us]"), np.array([np.nan, 1, 2])
    rows = Rows((TEXT, TIME, REAL), {"text": text, "time": time, "real": real}, {"text": np.array([False, False, True])})
    assert rows.null("text").tolist() == [False, True, True]
    assert rows.null("time").tolist() == [True, False, False]
    assert rows.null("real").tolist() == [False, False, False]


@pytest.mark.parametrize(
    ("field", "values", "message"),
    [
        (SMALL, np.array([32768]), "Column small .smallint. cannot hold the values 32768 to 32768"),
        (SMALL, np.array([1.0]), "needs int16 values, not float64"),
        (SMALL, np.array([[1]]), "has shape"),
        (REAL, np.array([1e39]), "Column real .real. cannot hold 1e.39"),
        (TEXT, np.array([b"bytes"]), "needs object values"),
        (TIME, np.array([0]), "needs datetime64"),
        (VECTOR, np.zeros((1, 4), np.float32), "has shape .1, 4. where .1, 3. is needed"),
    ],
)
def test_values_that_would_change_are_refused(field: CopyField, values: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Rows((field,), {field.name: values})


@pytest.mark.parametrize(
    ("values", "nulls"),
    [
        ({"small": np.zeros(2, "int16")}, {}),
        ({"small": np.zeros(2, "int16"), "real": np.zeros(3, "float32")}, {}),
        ({"small": np.zeros(2, "int16"), "real": np.zeros(2, "float32"), "text": np.zeros(2, object)}, {}),
        ({"small": np.zeros(2, "int16"), "real": np.zeros(2, "float32")}, {"text": np.zeros(2, bool)}),
        ({"small": np.zeros(2, "int16"), "real": np.zeros(2, "float32")}, {"real": np.zeros(1, bool)}),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(values: dict[str, Any], nulls: dict[str, Any]) -> None:
    with pytest.raises(DataError):
        Rows((SMALL, REAL), values, nulls)


def test_rows_are_taken_and_joined_with_their_nulls() -> None:
    rows = Rows((SMALL, VECTOR), {"small": np.arange(4), "vector": np.arange(12.0).reshape(4, 3)}, {"small": np.arange(4) == 1})
    assert len(rows) == 4
    for index, expected in ((np.array([3, 1]), [3, 1]), (slice(1, 3), [1, 2]), (np.arange(4) % 2 == 1, [1, 3])):
        part = rows.take(index)
        assert part["small"].tolist() == expected
        assert part.null("small").tolist() == [i == 1 for i in expected]
        assert part["vector"][:, 0].tolist() == [3 * i for i in expected]
    joined = Rows.concatenate([Rows.empty(rows.fields), rows.take(slice(2, 4)), rows])
    assert joined["small"].tolist() == [2, 3, 0, 1, 2, 3]
    assert np.flatnonzero(joined.null("small")).tolist() == [3]
    with pytest.raises(DataError):
        Rows.concatenate([])
    with pytest.raises(DataError):
        Rows.concatenate([rows, Rows.empty((SMALL,))])
