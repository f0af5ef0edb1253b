"""The mock DR4: numbers that change, a link of many to many, and positions at its own epoch."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from catalog.healpix import END
from ingest.sky.surveys.inputs import SurveyInput
from ingest.sky.surveys.neighbourhood import MockRelease, NeighbourhoodOptions, draw_mock_dr4, unused_source_ids, write_neighbourhood

OPTIONS = NeighbourhoodOptions(renumbered=0.1, gone=0.03, new=0.04, split=0.05, merged=0.05)


@pytest.fixture(scope="module")
def release(stars: SurveyInput) -> MockRelease:
    return draw_mock_dr4(stars, np.random.default_rng(8), OPTIONS)


def test_the_file_has_the_columns_of_dr2_neighbourhood_with_the_later_releases(release: MockRelease, tmp_path: Path) -> None:
    path = write_neighbourhood(tmp_path, release)
    assert path.name == "Dr3Neighbourhood_000000-786431.csv.gz"
    table = Table.read(path, format="ascii.ecsv")
    assert table.colnames == ["dr3_source_id", "dr4_source_id", "angular_distance", "magnitude_difference", "proper_motion_propagation"]
    assert (
        table["angular_distance"].unit == "mas" and table["magnitude_difference"].unit == "mag" and table["dr4_source_id"].dtype == np.int64
    )
    for name in table.colnames[:4]:
        assert np.array_equal(np.asarray(table[name]), release.neighbourhood[name]), name


def test_some_stars_are_gone_some_new_and_neither_is_in_the_table(release: MockRelease, stars: SurveyInput) -> None:
    gone, new = release.gone, release.new
    assert 0.02 < gone.mean() < 0.04 and 0.03 < new.mean() < 0.05 and not (gone & new).any()
    dr3 = set(release.neighbourhood["dr3_source_id"].tolist())
    assert dr3.isdisjoint(stars.source_id[gone | new].tolist()) and set(stars.source_id[~gone & ~new].tolist()) <= dr3
    present = set(release.star[~release.spurious].tolist())
    assert present == set(np.flatnonzero(~gone).tolist())
    unlinked = set(release.source_id.tolist()) - set(release.neighbourhood["dr4_source_id"].tolist())
    assert unlinked == set(release.source_id[new[release.star]].tolist())
    assert set(release.neighbourhood["dr4_source_id"].tolist()) <= set(release.source_id.tolist())


def test_the_link_is_many_to_many(release: MockRelease) -> None:
    table = release.neighbourhood
    dr3, dr4 = Counter(table["dr3_source_id"].tolist()), Counter(table["dr4_source_id"].tolist())
    assert max(dr3.values()) == 2 and max(dr4.values()) == 2
    assert 0.03 < np.mean(np.array(list(dr3.values())) == 2) < 0.07 and 0.03 < np.mean(np.array(list(dr4.values())) == 2) < 0.07
    assert len(set(zip(table["dr3_source_id"].tolist(), table["dr4_source_id"].tolist(), strict=True))) == len(table)


def test_a_number_may_change_and_may_mean_something_else(release: MockRelease, stars: SurveyInput) -> None:
    old = stars.source_id[release.star]
    real = ~release.spurious
    linked = real & ~release.new[release.star]
    assert 0.08 < np.mean(release.source_id[linked] != old[linked]) < 0.16
    assert not np.isin(release.source_id[real & release.new[release.star]], stars.source_id).any()
    usurped = release.spurious & (release.source_id == old)
    assert 0.3 < usurped.sum() / release.spurious.sum() < 0.7 and (release.magnitude_offset[release.spurious] >= 1).all()
    assert (release.magnitude_offset[real] == 0).all()


def test_close_and_equal_pairs_are_the_same_star(release: MockRelease) -> None:
    table, spurious = release.neighbourhood, release.truth.outlier
    assert (table["angular_distance"][~spurious] < 1).all() and (table["angular_distance"][spurious] > 100).all()
    assert (np.abs(table["magnitude_difference"][~spurious]) < 0.05).all() and (np.abs(table["magnitude_difference"][spurious]) >= 1).all()


def test_numbers_are_unique_ordered_and_in_their_pixels(release: MockRelease, stars: SurveyInput) -> None:
    assert (np.diff(release.source_id) > 0).all() and release.source_id.min() > 0 and release.source_id.max() < END
    assert np.array_equal(release.source_id >> 35, stars.source_id[release.star] >> 35)
    assert len(release.ra) == len(release.source_id) == len(release.dec)


def test_positions_are_of_2017_5(release: MockRelease, stars: SurveyInput) -> None:
    real = ~release.spurious
    star = release.star[real]
    assert np.allclose((release.dec[real] - stars.dec[star]) * 3.6e6, 1.5 * stars.pmdec[star], atol=0.2)
    parts = release.spurious
    assert (np.abs(release.dec[parts] - stars.dec[release.star[parts]]) * 3600 < 2).all()


def test_numbers_drawn_twice_or_in_use_are_drawn_again() -> None:
    pixels = np.zeros(2_000, np.int64) + (5 << 35)
    used = (5 << 35) | (np.arange(1, 1 << 12, dtype=np.int64) << 7)
    ids = unused_source_ids(pixels, used, np.random.default_rng(1))
    assert len(np.unique(ids)) == 2_000 and not np.isin(ids, used).any() and (ids >> 35 == 5).all()


def test_without_shares_the_releases_are_the_same(stars: SurveyInput) -> None:
    same = draw_mock_dr4(stars, np.random.default_rng(8), NeighbourhoodOptions(0, 0, 0, 0, 0))
    assert same.source_id.tolist() == sorted(stars.source_id.tolist()) and len(same.neighbourhood) == len(stars)
    assert np.array_equal(same.neighbourhood["dr3_source_id"], same.neighbourhood["dr4_source_id"])
