"""The dump of fidelity_v2 and norm_dg."""

import gzip
from pathlib import Path

import numpy as np

from ingest.sky.surveys.fidelity import draw_fidelity, norm_dg_of, write_fidelity
from ingest.sky.surveys.inputs import SurveyInput

NAMES = [
    "source_id",
    "fidelity_v2",
    "theta_arcsec_worst_source",
    "norm_dg",
    "dist_nearest_neighbor_at_least_m2_brighter",
    "dist_nearest_neighbor_at_least_0_brighter",
    "dist_nearest_neighbor_at_least_2_brighter",
    "dist_nearest_neighbor_at_least_4_brighter",
    "dist_nearest_neighbor_at_least_6_brighter",
    "dist_nearest_neighbor_at_least_10_brighter",
    "fidelity_v1",
]


def test_the_dump_is_ordered_tab_separated_and_has_backslash_n_for_null(stars: SurveyInput, tmp_path: Path) -> None:
    drawn = draw_fidelity(stars, np.random.default_rng(1))
    lines = [line.split("\t") for line in gzip.decompress(write_fidelity(tmp_path, drawn).read_bytes()).decode().splitlines()]
    assert lines[0] == NAMES and len(lines) == len(stars) + 1
    ids = [int(line[0]) for line in lines[1:]]
    assert ids == sorted(stars.source_id.tolist())
    nulls = np.array([line[3] == "\\N" for line in lines[1:]])
    assert 0.4 < nulls.mean() < 0.5 and np.array_equal(nulls, np.isnan(drawn.table["norm_dg"]))
    assert all(0 <= float(line[1]) <= 1 for line in lines[1:])


def test_truth_marks_the_spurious_and_cuts_find_them(stars: SurveyInput) -> None:
    drawn = draw_fidelity(stars, np.random.default_rng(1))
    assert np.array_equal(drawn.table["fidelity_v2"] < 0.5, drawn.truth.outlier) and 0.005 < drawn.truth.outlier.mean() < 0.03
    told = stars.parallax > 5
    again = draw_fidelity(stars, np.random.default_rng(1), spurious=told)
    assert np.array_equal(again.truth.outlier, told[again.truth.star]) and np.array_equal(
        again.table["norm_dg"], drawn.table["norm_dg"], equal_nan=True
    )


def test_norm_dg_comes_back_in_the_order_of_the_stars(stars: SurveyInput) -> None:
    drawn = draw_fidelity(stars, np.random.default_rng(1))
    by_id = dict(zip(drawn.table["source_id"].tolist(), drawn.table["norm_dg"].tolist(), strict=True))
    assert np.array_equal(norm_dg_of(stars, drawn), [by_id[number] for number in stars.source_id.tolist()], equal_nan=True)
    close = norm_dg_of(stars, drawn) > -10
    assert 0.01 < close.mean() < 0.15
