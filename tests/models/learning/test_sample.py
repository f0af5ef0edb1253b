"""The training sample: which stars, which group, which part, and the same for the same seed whatever the order of rows."""

import hashlib

import numpy as np
import pytest

from catalog.database import Role
from catalog.errors import DataError
from catalog.releases import release_named
from models import scatter_vae
from models.learning.sample import hold_out, identifiers_sha256

GROUPS = {"field": np.arange(100, 300), "bright": np.arange(50, 60), "unusual": np.arange(1000, 1040)}
SHARES = {"field": 20, "field_share": 0.15, "unusual_share": 0.1}

SPLITS = {
    "as many field stars as asked": (SHARES, 20, 4),
    "never more than their share": (SHARES | {"field": 300}, 30, 4),
    "no unusual ones": (SHARES | {"unusual_share": 0.0}, 20, 0),
}


@pytest.mark.parametrize("case", SPLITS.values(), ids=SPLITS.keys())
def test_each_group_is_held_out_by_its_own_rule(case) -> None:
    settings, field, unusual = case
    train, held_out = hold_out(GROUPS, **settings, seed=1)
    assert {name: len(ids) for name, ids in held_out.items()} == {"field": field, "bright": 10, "unusual": unusual}
    parts = [train, *held_out.values()]
    assert np.sort(np.concatenate(parts)).tolist() == np.sort(np.concatenate(list(GROUPS.values()))).tolist()
    assert all(set(held_out[name]) <= set(GROUPS[name]) for name in GROUPS)


def test_the_split_depends_on_identifiers_and_seed_alone() -> None:
    turned = {name: ids[::-1] for name, ids in GROUPS.items()}
    first, again, other = (hold_out(groups, **SHARES, seed=seed) for groups, seed in ((GROUPS, 1), (turned, 1), (GROUPS, 2)))
    for name in GROUPS:
        np.testing.assert_array_equal(first[1][name], again[1][name])
    assert set(first[0]) == set(again[0])
    assert set(first[1]["field"]) != set(other[1]["field"])


def test_the_checksum_is_that_of_the_sorted_identifiers() -> None:
    assert identifiers_sha256(np.array([30, 4, 200])) == hashlib.sha256(b"4\n30\n200\n").hexdigest()


def read(database, seed=0):
    with database.connect(Role.WORKER) as connection:
        release = release_named(connection, "gaia_dr3")
        return scatter_vae.sample(connection, release, scatter_vae.configuration(release, "short"), seed)


def test_files_make_the_groups_and_errors_make_the_sample(database, simulated_spectra, load_spectra, without) -> None:
    load_spectra(database, without(simulated_spectra(50), [3, 4], "bp_errors", "rp_errors"), "some/folder/anything.fits")
    load_spectra(database, simulated_spectra(20, first=100), "some/folder/xp_opcruz_pn.csv.gz")
    load_spectra(database, without(simulated_spectra(5, first=200), [0], "bp_coefficients", "bp_errors"), "xp_bright_ddf30.parquet")
    sample = read(database)
    assert len(sample.source_id) == 48 + 20 + 4
    assert {name: len(stars) for name, stars in sample.held_out.items()} == {"field": 7, "bright": 4, "unusual": 2}
    assert len(sample.train) == 48 - 7 + 20 - 2
    assert sample.split["train"]["sha256"] == identifiers_sha256(sample.train.source_id)
    with database.connect(Role.WORKER) as connection:
        found = connection.execute(sample.query).fetchall()
    assert sorted(row[0] for row in found) == sorted(sample.source_id.tolist())


def test_a_release_without_errors_says_what_it_needs(database) -> None:
    with pytest.raises(DataError, match="no spectra with errors"):
        read(database)


def test_too_few_stars_are_counted_in_the_message(database, simulated_spectra, load_spectra) -> None:
    load_spectra(database, simulated_spectra(5), "xp_bright_ddf30.parquet")
    with pytest.raises(DataError, match="only 0 of 5 spectra"):
        read(database)
