"""The sample of the forward model read from a small simulated sky: who learns, who is held out, and what each star brings along."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from catalog.database import Database, Role
from catalog.errors import DataError
from catalog.releases import DataRelease, add_release, release_named
from catalog.store.star_store import read_stars
from ingest.linking.link import link_surveys
from ingest.linking.two_mass import join_two_mass
from ingest.load import add_paths
from models.forward.model import configuration
from models.forward.observed.flux_vectors import flux_vectors
from models.forward.training.sample import ForwardSample, SampleStars, held_out, read_sample

SEED = 3


@pytest.fixture(scope="module")
def sky(catalogue: Database, small_sky: Path) -> tuple[Database, DataRelease]:
    """A catalogue with a simulated sky, linked."""
    add_release(catalogue, "sim_dr3")
    add_paths(catalogue, "sim_dr3", [small_sky], work=True)
    link_surveys(catalogue, "sim_dr3")
    join_two_mass(catalogue, "sim_dr3")
    with catalogue.connect(Role.WORKER) as connection:
        return catalogue, release_named(connection, "sim_dr3")


def sampled(sky: tuple[Database, DataRelease], seed: int = SEED, **settings: Any) -> ForwardSample:
    database, release = sky
    with database.connect(Role.WORKER) as connection:
        return read_sample(connection, release, {**configuration(release, "short"), **settings}, seed)


def parts_of(sample: ForwardSample) -> dict[str, SampleStars]:
    return {"train": sample.train, "beyond": sample.beyond} | {f"held_out_{name}": stars for name, stars in sample.held_out.items()}


@pytest.fixture(scope="module")
def sample(sky: tuple[Database, DataRelease]) -> ForwardSample:
    return sampled(sky)


def test_every_star_is_on_one_side_by_its_identifier_and_the_seed(sample: ForwardSample) -> None:
    parts = parts_of(sample)
    everyone = np.concatenate([each.source_id for each in parts.values()])
    assert len(np.unique(everyone)) == len(everyone) > 50
    assert min(len(each) for each in parts.values()) > 0
    for name, stars in parts.items():
        assert (held_out(stars.source_id, 0.2, SEED) == name.startswith("held_out")).all()
        assert (np.diff(stars.source_id) > 0).all()
    assert set(sample.source_id) == set(sample.train.source_id) | set(sample.held_out["all"].source_id)


def test_stars_beyond_have_labels_but_fail_a_cut_that_those_who_learn_pass(sample: ForwardSample) -> None:
    def clean(stars: SampleStars) -> np.ndarray:
        columns = stars.columns
        near = columns["parallax"] > 3 * columns["parallax_error"]
        return near & (columns["fidelity_v2"] > 0.5) & (columns["phot_bp_rp_excess_factor"] < 1.3)

    assert clean(sample.train).all() and clean(sample.held_out["all"]).all()
    assert (~clean(sample.beyond)).mean() > 0.3  # of the others the survey's signal-to-noise is poor
    for stars in parts_of(sample).values():
        errors = stars.labels.type_error
        assert bool(((errors > 0) & (errors < 0.5)).all()) and bool(torch.isfinite(stars.labels.type).all())


def test_rows_of_labels_columns_and_fluxes_are_those_of_the_same_star(sky: tuple[Database, DataRelease], sample: ForwardSample) -> None:
    database, release = sky
    settings = configuration(release, "short")
    for stars in parts_of(sample).values():
        with database.connect(Role.WORKER) as connection:
            (batch,) = read_stars(connection, release, 0, 2**63 - 1, only=stars.source_id)
        vectors = flux_vectors(batch, sample.sampling, settings)
        assert (batch.spectra.source_id == stars.source_id).all()
        assert torch.equal(vectors.observations.flux, stars.observations.flux)
        assert torch.equal(vectors.observations.whitening.float(), stars.observations.whitening)
        for name, values in stars.columns.items():
            assert np.array_equal(values, batch[name], equal_nan=True), name
        # Types that a survey measures go with colours: hot stars are blue. Rows of other stars would show no such thing.
        colour = stars.columns["phot_bp_mean_mag"] - stars.columns["phot_rp_mean_mag"]
        seen = np.isfinite(colour)
        assert np.corrcoef(colour[seen], stars.labels.type[:, 0].numpy()[seen])[0, 1] < -0.4


def test_another_seed_holds_out_others_and_the_same_seed_the_same(sky: tuple[Database, DataRelease], sample: ForwardSample) -> None:
    again, other = sampled(sky), sampled(sky, seed=SEED + 1)
    assert (again.split, again.sha256, again.numbers_sha256) == (sample.split, sample.sha256, sample.numbers_sha256)
    assert other.sha256 == sample.sha256 and other.split != sample.split
    assert set(sample.split) == {"train", "beyond", "held_out_all", "held_out_beyond"}


def test_labels_of_one_survey_have_none_beyond(sky: tuple[Database, DataRelease]) -> None:
    sample = sampled(sky, training_labels="lamost")
    assert len(sample.beyond) == len(sample.held_out["beyond"]) == 0 < len(sample.train)


@pytest.mark.parametrize(
    "labels, words",
    [
        pytest.param("galactica", "no rows of galactica with small errors", id="a survey that there is not"),
        pytest.param("apogee/nothing", "no rows of apogee/nothing with small errors", id="a set that there is not"),
    ],
)
def test_a_sample_without_stars_says_why(sky: tuple[Database, DataRelease], labels: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        sampled(sky, training_labels=labels)


def test_a_release_without_labels_says_what_to_ingest(sky: tuple[Database, DataRelease]) -> None:
    database, release = sky
    with database.connect(Role.WORKER) as connection, pytest.raises(DataError, match="Ingest LAMOST's stellar catalogue"):
        read_sample(connection, replace(release, release_id=999), configuration(release, "short"), SEED)
