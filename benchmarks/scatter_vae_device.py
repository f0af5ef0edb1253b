"""Training and labelling of the scatter VAE on the CPU (one thread) and on the GPU, side by side, on made-up spectra.

    python -m benchmarks.scatter_vae_device [--stars 200000]

Prints steps and stars per second and their ratio. Without a GPU it prints the CPU's figures and says so.
"""

import argparse
import time

import numpy as np
import torch

from catalog.releases import KNOWN_RELEASES
from catalog.spectra import SpectrumBatch, layout_of
from models import scatter_vae
from models.inputs import xp_inputs
from models.learning.sample import TrainingSample
from models.numerics.devices import chosen_device, device_class

STEPS = 500


def spectra(stars: int, seed: int) -> SpectrumBatch:
    """Coefficients that fall with their number, with errors: for speed only, they are no stars."""
    random = np.random.default_rng(seed)
    fall = np.exp(-np.arange(55) / 8)
    bands = [100 * fall * (1 + 0.1 * random.normal(size=(stars, 55))) for _ in range(2)]
    errors = [np.broadcast_to(0.5 + fall, (stars, 55)).copy() for _ in range(2)]
    return SpectrumBatch(
        (np.arange(stars, dtype=np.int64) + 1) << 35, layout_of(*bands, *errors), *bands, *errors,
        g_mean_flux=np.full(stars, 1000.0), g_mean_mag=np.full(stars, np.nan),
    )  # fmt: skip


def measure(device: str, stars: int) -> tuple[float, float, float]:
    """Training steps, stars labelled, and stars refined per second."""
    configuration = scatter_vae.configuration(KNOWN_RELEASES["gaia_dr3"], "short") | {"steps": STEPS, "batch": 1024}
    learn, _ = xp_inputs(spectra(10_000, 1), "scatter_vae", 55, 55, None)
    trained = scatter_vae.train(TrainingSample("SELECT 1", learn.source_id, learn, {}), configuration, 0, lambda _: None, device)
    model = scatter_vae.load(trained.weights, configuration, device)
    batch = spectra(stars, 2)
    model.predict(spectra(5_000, 3))  # the first call pays for what is made once
    began = time.monotonic()
    model.predict(batch)
    labelled = stars / (time.monotonic() - began)
    some = model.inputs(spectra(min(stars, 20_000), 4))[0]
    began = time.monotonic()
    model.refine(some).objective.cpu()
    return STEPS / float(trained.metrics["training"]["seconds"]), labelled, len(some) / (time.monotonic() - began)


def main() -> None:
    """Print the figures of each device."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stars", type=int, default=200_000)
    stars = parser.parse_args().stars
    figures = {"cpu": measure("cpu", stars)}
    if torch.cuda.is_available():
        figures["cuda"] = measure("cuda", stars)
    for device, (steps, labelled, refined) in figures.items():
        name = device_class(chosen_device(device))
        print(f"{name}: {steps:.0f} training steps/s (batch 1024), {labelled:.0f} stars/s labelled, {refined:.0f} stars/s refined")
    if "cuda" in figures:
        ratios = [gpu / cpu for cpu, gpu in zip(figures["cpu"], figures["cuda"], strict=True)]
        print("ratio GPU to CPU: training {:.1f}, labelling {:.1f}, refinement {:.1f}".format(*ratios))
    else:
        print("no GPU here: torch sees none")


if __name__ == "__main__":
    main()
