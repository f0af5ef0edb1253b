"""The truth table: everything that is true of the stars, with units, the same bytes from the same seed."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from ingest.sky.clusters import CLUSTERS
from ingest.sky.oddities import Kind
from ingest.sky.options import StarOptions
from ingest.sky.stars import Stars, draw_stars
from ingest.sky.truth import COLUMNS, truth_table, write_truth


@pytest.fixture(scope="module")
def stars() -> Stars:
    return draw_stars(800, np.random.default_rng(1), StarOptions.demanding(cluster_share=0.2, white_dwarf_share=0.05))


def test_the_file_reads_back_as_the_stars_with_units_and_sentences(stars: Stars, tmp_path: Path) -> None:
    write_truth(truth_table(stars), tmp_path / "truth.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["truth.parquet"]
    table = pq.read_table(tmp_path / "truth.parquet")
    assert table.column_names == [column.name for column in COLUMNS]
    assert table.num_rows == len(stars)
    for column in COLUMNS:
        metadata = table.schema.field(column.name).metadata
        assert metadata[b"unit"].decode() == column.unit
        assert metadata[b"description"].decode() == column.description != ""
    assert b"Simulated" in table.schema.metadata[b"description"]
    for name in ("source_id", "distance", "ebv", "pmra", "radial_velocity", "g"):
        assert (table[name].to_numpy() == getattr(stars, name)).all()
    assert (table["teff"].to_numpy() == stars.labels.teff).all()
    assert (table["v_y"].to_numpy() == stars.velocity[:, 1]).all()
    assert table["parallax"].to_numpy() == pytest.approx(1 / stars.distance)


def test_what_is_not_there_is_null(stars: Stars) -> None:
    table = truth_table(stars)
    absent = {
        "feh": stars.kind == Kind.WHITE_DWARF,
        "mh": stars.kind == Kind.WHITE_DWARF,
        "mass_ratio": ~stars.is_binary,
        "companion_teff": ~stars.is_binary,
        "cluster": stars.cluster < 0,
        "wrong_match": stars.wrong_match == 0,
    }
    for name, rows in absent.items():
        assert 0 < rows.sum() < len(stars), name
        assert (table[name].is_null().to_numpy() == rows).all(), name
    assert sum(table[column.name].null_count for column in COLUMNS if column.name in ("teff", "logg", "source_id", "ra", "kind")) == 0


def test_words_stand_for_numbers(stars: Stars) -> None:
    table = truth_table(stars)
    member = int(np.flatnonzero(stars.cluster >= 0)[0])
    assert table["cluster"][member].as_py() == CLUSTERS[stars.cluster[member]].name
    assert table["kind"][int(np.flatnonzero(stars.kind == Kind.WHITE_DWARF)[0])].as_py() == "white_dwarf"
    assert set(table["population"].unique().to_pylist()) >= {"thin", "thick", "open_cluster", "globular_cluster"}


def test_the_same_stars_give_the_same_bytes(stars: Stars, tmp_path: Path) -> None:
    digests = {write_truth(truth_table(stars), tmp_path / name) for name in ("a.parquet", "b.parquet")}
    assert len(digests) == 1
    assert write_truth(truth_table(stars.take(np.arange(799))), tmp_path / "c.parquet") not in digests
