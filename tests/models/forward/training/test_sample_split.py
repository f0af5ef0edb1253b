"""Who is held out depends on a star's identifier and the seed alone; matrices of large samples lie on the disk, not in memory."""

import resource
from pathlib import Path

import numpy as np
import pytest

from catalog.errors import TransientError
from models.forward.training.sample import held_out, mapped_matrices


def test_a_star_stays_on_its_side_whatever_stars_come_or_go() -> None:
    ids = np.random.default_rng(0).integers(1, 2**62, 50_000)
    side = held_out(ids, 0.2, 0)
    assert side.mean() == pytest.approx(0.2, abs=0.01)
    order = np.random.default_rng(1).permutation(len(ids))[:10_000]
    assert np.array_equal(held_out(ids[order], 0.2, 0), side[order])
    assert held_out(ids, 0.2, 1).mean() == pytest.approx(0.2, abs=0.01)
    assert (held_out(ids, 0.2, 1) & side).mean() == pytest.approx(0.04, abs=0.01)  # seeds are independent of each other
    assert held_out(np.arange(50_000), 0.2, 0).mean() == pytest.approx(0.2, abs=0.01)  # and of the identifiers' order
    assert not held_out(ids, 0.0, 0).any()
    assert held_out(ids, 1.0, 0).all()


def test_matrices_take_disk_and_give_it_back(tmp_path: Path) -> None:
    def anonymous() -> int:
        (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
        return int(line.split()[1]) * 1024

    before = anonymous()
    matrices = mapped_matrices(6_000, 66, tmp_path)  # 105 MB
    matrices[:] = 1.0
    assert anonymous() - before < 20e6
    assert float(matrices[5_999].sum()) == 66 * 66
    assert list(tmp_path.iterdir()) == []  # no name to forget
    assert mapped_matrices(0, 66, tmp_path).shape == (0, 66, 66)


def test_a_disk_that_is_too_small_is_told(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(TransientError, match="there is no room"):
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
            mapped_matrices(1_000, 66, tmp_path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
