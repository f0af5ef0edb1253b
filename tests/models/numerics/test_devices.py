"""The device that is asked for is the one that works, and a GPU gives the labels of the CPU but for rounding."""

import numpy as np
import pytest
import torch

from catalog.errors import UsageError
from catalog.releases import KNOWN_RELEASES
from models import scatter_vae
from models.inputs import xp_inputs
from models.learning.sample import TrainingSample
from models.numerics.devices import chosen_device, device_class

TINY = scatter_vae.configuration(KNOWN_RELEASES["gaia_dr3"], "short") | {"steps": 150, "batch": 64, "widths": [40, 10]}
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that torch sees")


def test_the_cpu_can_always_be_asked_for() -> None:
    assert device_class(chosen_device("cpu")) == "cpu"


def test_auto_takes_a_gpu_exactly_where_there_is_one() -> None:
    assert (chosen_device("auto").type == "cuda") is torch.cuda.is_available()


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_gpu_that_is_not_there_is_told() -> None:
    with pytest.raises(UsageError, match="sees none"):
        chosen_device("cuda")


def test_an_unknown_device_is_told() -> None:
    with pytest.raises(UsageError, match="tpu"):
        chosen_device("tpu")


@needs_gpu
def test_a_gpu_labels_stars_as_the_cpu_does(simulated_spectra) -> None:
    batch = simulated_spectra(300)
    stars, _ = xp_inputs(batch, "scatter_vae", 55, 55, None)
    trained = scatter_vae.train(TrainingSample("SELECT 1", stars.source_id, stars, {}), TINY, 5, lambda _: None, "cuda")
    assert str(trained.metrics["training"]["device"]).startswith("cuda ")
    ours, theirs = (scatter_vae.load(trained.weights, TINY, device) for device in ("cuda", "cpu"))
    assert ours.device_class != theirs.device_class == "cpu"
    left, right = ours.predict(batch).labels, theirs.predict(batch).labels
    assert np.array_equal(left["source_id"], right["source_id"])
    for name in ("latent", "e_latent", "chi2", "chi2_scatter"):
        np.testing.assert_allclose(left[name], right[name], rtol=2e-3, atol=2e-4)
    refined, reference = ours.refine(stars), theirs.refine(stars)
    np.testing.assert_allclose(refined.objective.cpu(), reference.objective, rtol=1e-2)
