"""Random streams of one seed: repeatable, apart, and free of the order in which they are asked for."""

import numpy as np

from ingest.sky.draws import Draws


def test_a_stream_is_the_same_whenever_it_is_asked_for() -> None:
    draws = Draws.of(np.random.default_rng(3))
    first = draws.generator("dust").random(5)
    draws.generator("slots").random(1000)
    assert (draws.generator("dust").random(5) == first).all()
    assert (Draws.of(np.random.default_rng(3)).generator("dust").random(5) == first).all()


def test_streams_of_other_purposes_blocks_and_seeds_have_nothing_in_common() -> None:
    streams = [Draws(seed).generator(purpose, block).standard_normal(4000) for seed in (1, 2) for purpose in ("a", "b") for block in (0, 1)]
    correlation = np.corrcoef(streams) - np.eye(8)
    assert np.abs(correlation).max() < 0.08


def test_a_stream_is_what_it_was() -> None:
    """A seed means the same sky on every machine and with every later version."""
    assert Draws(20161).generator("slots", 3).integers(1 << 30, size=3).tolist() == [110572756, 954827528, 124310906]
