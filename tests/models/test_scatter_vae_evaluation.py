"""The evaluation measures what it says, with stars that the version never saw, and stores it with the split and the seed."""

import numpy as np
import pytest

from catalog.database import Role
from catalog.errors import DataError
from catalog.store.model_store import version_of
from models import scatter_vae
from models.learning.versions import train_version
from models.scatter_vae_evaluation import GROUPS, METHODS, PAIRS, compare, evaluate_version, median_reduced_chi2

TINY = {"steps": 300, "batch": 64, "widths": [40, 10]}


@pytest.fixture
def stars(database, simulated_spectra, load_spectra):
    load_spectra(database, simulated_spectra(200), "field.fits")
    load_spectra(database, simulated_spectra(40, first=500), "xp_opcruz_sy.csv")
    load_spectra(database, simulated_spectra(8, first=800), "xp_bright_ddf30.parquet")
    return database


def train(database):
    return train_version(database, "scatter_vae", "gaia_dr3", "short", 3, lambda _: None, TINY).version


def test_reduced_chi2_by_hand() -> None:
    x = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [5.0, 5.0, 5.0]])
    sigma = np.array([[1.0, 1.0, 1.0], [1.0, 2.0, np.inf], [0.1, 0.1, 0.1]])
    model = np.array([[0.0, 2.0, 1.0], [1.0, 4.0, 99.0], [5.0, 5.0, 5.0]])
    # (1 + 4) / 2 = 2.5, (1 + 4) / 1 = 5 without the masked number, 0
    assert median_reduced_chi2(x, model, sigma, 1) == 2.5


def test_every_group_and_method_is_measured_and_stored(stars) -> None:
    version = train(stars)
    with stars.connect(Role.WORKER) as connection:
        measures = evaluate_version(connection, version)
    with stars.connect(Role.WORKER) as connection:
        stored = version_of(connection, "scatter_vae").metrics["evaluation"]
    assert [(each.group, each.stars) for each in measures] == list(zip(GROUPS, (30, 8, 4), strict=True))
    for each in measures:
        assert tuple(each.median) == METHODS
        assert all(np.isfinite(value) and value > 0 for value in each.median.values())
        assert stored["groups"][each.group] == {"stars": each.stars, **each.median}
        for amortised, own in (("encoder", "refined"), ("plain_pca", "em_pca")):
            assert each.median[own] <= each.median[amortised]
    assert stored["seed"] == 3
    assert stored["split"]["held_out_field"]["count"] == 30
    assert {method for pair in PAIRS for method in pair} == set(METHODS)


def test_the_measures_follow_from_the_held_out_stars_alone(stars) -> None:
    """The same model measured on the training stars gives other figures, and measuring twice the same."""
    version = train(stars)
    with stars.connect(Role.WORKER) as connection:
        first, again = evaluate_version(connection, version), evaluate_version(connection, version)
        sample = scatter_vae.sample(connection, _release(connection), version.configuration, version.seed)
    assert first == again
    held_out = {int(each) for part in sample.held_out.values() for each in part.source_id}
    assert not held_out & set(sample.train.source_id.tolist())
    weights = scatter_vae.train(sample, version.configuration, version.seed, lambda _: None).weights
    other = compare(scatter_vae.load(weights, version.configuration), sample.train, {"field": sample.train})
    assert other[0].median["encoder"] != first[0].median["encoder"]


def _release(connection):
    from catalog.releases import release_named

    return release_named(connection, "gaia_dr3")


def test_a_sample_that_changed_is_not_measured(stars, simulated_spectra, load_spectra) -> None:
    version = train(stars)
    load_spectra(stars, simulated_spectra(5, first=900), "more.fits")
    with stars.connect(Role.WORKER) as connection, pytest.raises(DataError, match="253 stars now, not the 248"):
        evaluate_version(connection, version)


def test_a_split_that_changed_is_not_measured(stars) -> None:
    """The same stars, one of them with its spectrum in a file of another group now: it would be held out, and was learnt."""
    version = train(stars)
    with stars.connect(Role.WORKER) as connection:
        connection.execute("UPDATE store.ingest_file SET name = 'xp_calspec.csv' WHERE name = 'xp_opcruz_sy.csv'")
    with stars.connect(Role.WORKER) as connection, pytest.raises(DataError, match="fall into other groups now"):
        evaluate_version(connection, version)
