"""Measures the simulated sky: what a small network learns from its spectra, and how quickly a sky is made.

    python -m benchmarks.simulated_sky                         both parts
    python -m benchmarks.simulated_sky --part network          16,000 stars in memory, two networks of about two minutes on one core each
    python -m benchmarks.simulated_sky --part speed --stars 20000 --workers 2

The network sees XP coefficients and colours, noise included, and predicts the true labels. Whether it sees alpha elements themselves, or guesses
them from the other labels, is told by the correlation beyond labels: that of (predicted - expected) with (true - expected) alpha, where expected
is the mean alpha at a star's true (teff, logg, feh), by gradient boosting. In the negative control, a sky whose alpha features have no strength,
it must vanish. Simulated stars: nothing here says how well Gaia's real spectra do.
"""

import argparse
import os
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64
from threadpoolctl import threadpool_limits

from catalog.spectra import Band
from ingest.sky.elements import ALPHA_GAIN
from ingest.sky.fisher import bounds, information, infrared_magnitudes, population_information
from ingest.sky.labels import LABEL_NAMES
from ingest.sky.make import SkySettings, make_sky
from ingest.sky.observed_light import flux_at_earth
from ingest.sky.options import StarOptions
from ingest.sky.photometry_noise import gaia_magnitude_errors, infrared_magnitude_errors, measured_magnitudes
from ingest.sky.stages import GIANT_LOGG
from ingest.sky.stars import Stars, draw_stars
from ingest.sky.xp_forward import BANDS, band_operator, synthetic_g_bp_rp
from ingest.sky.xp_noise import draw_transits, observe

BRIGHT_SKY = StarOptions(min_g=9.3, max_g=14.5, bright_share=0.0, giant_share=0.7, cluster_share=0.0)
"""Stars bright enough that their spectra know of alpha elements; no binaries, oddities or gaps."""
BLOCK = 2_000
HIDDEN = 128


@dataclass(frozen=True, eq=False)
class Measured:
    """What is measured of stars."""

    inputs: Float64[np.ndarray, "n 116"]
    """What the network sees: coefficients at G = 15 and six colours, all with noise."""
    g: Float64[np.ndarray, " n"]
    transits: dict[Band, Float64[np.ndarray, " n"]]


def measured(stars: Stars, alpha_gain: float, rng: np.random.Generator) -> Measured:
    """Observe stars block by block."""
    transits = draw_transits(len(stars), rng)
    inputs, magnitudes = [], []
    for start in range(0, len(stars), BLOCK):
        rows = slice(start, start + BLOCK)
        block = stars.take(rows)
        flux = flux_at_earth(block, alpha_gain=alpha_gain)
        true = {band: band_operator(band).coefficients(flux) for band in BANDS}
        seen = np.hstack([observe(band_operator(band), true[band], transits[band][rows], rng).coefficients for band in BANDS])
        optical = synthetic_g_bp_rp(true["bp"], true["rp"])
        optical = measured_magnitudes(optical, gaia_magnitude_errors(optical), rng)
        infrared = infrared_magnitudes(block)
        infrared = measured_magnitudes(infrared, infrared_magnitude_errors(infrared), rng)
        g = optical[:, 0]
        colours = np.column_stack([optical[:, 1] - optical[:, 2], g - infrared[:, 0], -np.diff(infrared, axis=1)])
        inputs.append(np.hstack([seen * 10 ** (-0.4 * (15.0 - g))[:, None], colours]))
        magnitudes.append(g)
    return Measured(np.vstack(inputs), np.concatenate(magnitudes), transits)


def predicted(
    inputs: Float64[np.ndarray, "n 116"], labels: Float64[np.ndarray, "n 6"], train: np.ndarray, seed: int, epochs: int
) -> Float64[np.ndarray, "n 6"]:
    """Labels by a network of two hidden layers trained on ``train``, after ``epochs`` on one core."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    spread = np.diff(np.percentile(inputs[train], (16, 84), axis=0), axis=0) / 2
    x = torch.tensor(np.arcsinh((inputs - np.median(inputs[train], axis=0)) / spread), dtype=torch.float32)
    centre, scale = labels[train].mean(axis=0), labels[train].std(axis=0)
    y = torch.tensor((labels - centre) / scale, dtype=torch.float32)
    layers = (
        torch.nn.Linear(x.shape[1], HIDDEN),
        torch.nn.SiLU(),
        torch.nn.Linear(HIDDEN, HIDDEN),
        torch.nn.SiLU(),
        torch.nn.Linear(HIDDEN, y.shape[1]),
    )
    net = torch.nn.Sequential(*layers)
    rows = torch.tensor(train)
    steps = epochs * -(-len(rows) // 256)
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=3e-3, total_steps=steps)
    for _ in range(epochs):
        for batch in rows[torch.randperm(len(rows))].split(256):
            loss = torch.nn.functional.smooth_l1_loss(net(x[batch]), y[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    with torch.no_grad():
        return np.asarray(net(x).double().numpy() * scale + centre)


def beyond_labels(
    labels: Float64[np.ndarray, "n 6"], alpha: Float64[np.ndarray, " n"], train: np.ndarray, test: np.ndarray
) -> tuple[float, float]:
    """Correlation of predicted with true alpha beyond (teff, logg, feh) in the test stars, and the rms of the expectation alone."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    known, true = labels[:, :3], labels[:, LABEL_NAMES.index("alpha_m")]
    expectation = (
        HistGradientBoostingRegressor(max_iter=200, learning_rate=0.05, random_state=0).fit(known[train], true[train]).predict(known[test])
    )
    residual = true[test] - expectation
    return float(np.corrcoef(alpha[test] - expectation, residual)[0, 1]), float(np.sqrt((residual**2).mean()))


@dataclass(frozen=True, eq=False)
class Learned:
    """How a network did on its test stars."""

    test: Int64[np.ndarray, " n"]
    error: Float64[np.ndarray, "n 6"]
    seen: Measured
    """Of all stars."""
    correlation: float
    alone: float
    seconds: float

    @property
    def alpha_rms(self) -> float:
        """Rms of [alpha/M]."""
        return _rms(self.error[:, LABEL_NAMES.index("alpha_m")])


def learn(stars: Stars, alpha_gain: float, seed: int, epochs: int) -> Learned:
    """Train on 80 % of the stars and judge by the rest."""
    rng = np.random.default_rng([seed, 1])
    seen = measured(stars, alpha_gain, rng)
    labels = np.column_stack([getattr(stars.labels, name) for name in LABEL_NAMES])
    order = rng.permutation(len(stars))
    train, test = order[: len(stars) * 4 // 5], order[len(stars) * 4 // 5 :]
    began = time.perf_counter()
    guess = predicted(seen.inputs, labels, train, seed, epochs)
    seconds = time.perf_counter() - began
    correlation, alone = beyond_labels(labels, guess[:, LABEL_NAMES.index("alpha_m")], train, test)
    return Learned(test, (guess - labels)[test], seen, correlation, alone, seconds)


def network(n: int, seed: int, epochs: int) -> None:
    """Print what the network learns from a simulated sky, and from its negative control."""
    stars = draw_stars(n, np.random.default_rng(seed), BRIGHT_SKY)
    found = learn(stars, ALPHA_GAIN, seed, epochs)
    tested, g = stars.take(found.test), found.seen.g[found.test]
    transits = {band: found.seen.transits[band][found.test] for band in BANDS}
    told = information(tested, transits)
    known = told.xp + told.photometry  # the network sees no parallax
    limits = bounds(known), bounds(known + population_information(tested))
    bright, giant = g < 13.2, tested.labels.logg < GIANT_LOGG
    print(
        f"{n} simulated stars, {BRIGHT_SKY.min_g} < G < {BRIGHT_SKY.max_g} (median {np.median(g):.1f}), {giant.mean():.0%} giants; 80 % train, 20 % test"
    )
    print(f"network {HIDDEN} x {HIDDEN}, {epochs} epochs, {found.seconds:.0f} s on one core; alpha gain {ALPHA_GAIN}")
    print(" " * 57 + "typical error over the bound from spectra alone, and with the population known")
    print("label          std       rms  G<13.2  giants G<13.2           all  G<13.2  giants         all  G<13.2  giants")
    samples = (slice(None), bright, bright & giant)
    for i, name in enumerate(LABEL_NAMES):
        values = [getattr(tested.labels, name).std(), *(_rms(found.error[rows, i]) for rows in samples)]
        ratios = ["".join(f"{_typical(found.error[rows, i]) / np.median(limit[rows, i]):8.2f}" for rows in samples) for limit in limits]
        text = "".join(f"{value:10.0f}" if name == "teff" else f"{value:10.3f}" for value in values)
        print(f"{name:8s}{text}      " + "    ".join(ratios))
    control = learn(stars, 0.0, seed, epochs)
    for title, each, bar in (("simulated sky", found, "> 0.4"), ("negative control, gain 0", control, "< 0.15")):
        print(
            f"{title}: alpha rms {each.alpha_rms:.3f}; from true labels alone {each.alone:.3f}; "
            f"correlation beyond labels {each.correlation:.2f} (wanted {bar})"
        )


def speed(n: int, workers: int) -> None:
    """Print how long a sky of ``n`` stars with full covariances takes, and the memory it needs."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        made = make_sky(SkySettings(stars=n, seed=0), Path(folder) / "sky", workers=workers)
        seconds = time.perf_counter() - began
    main, child = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu = main.ru_utime + main.ru_stime + child.ru_utime + child.ru_stime
    memory = (main.ru_maxrss + workers * child.ru_maxrss) / 1024
    print(
        f"{n} simulated stars with full covariances on {workers} workers: {seconds:.0f} s ({n / seconds:.0f} stars/s), {made.size / 1e6:.0f} MB"
    )
    print(f"CPU time {cpu:.0f} s; load average {load:.1f} before, {os.getloadavg()[0]:.1f} after, on {os.cpu_count()} cores")
    print(f"peak memory below {memory:.0f} MB: main process {main.ru_maxrss / 1024:.0f}, a worker {child.ru_maxrss / 1024:.0f} at most")
    print(
        f"100,000 stars at this rate: {seconds * 1e5 / n / 60:.1f} min under this load, {cpu * 1e5 / n / workers / 60:.1f} min "
        f"by CPU time alone on {workers} free cores (wanted: 6 on 2)"
    )


def _typical(errors: np.ndarray) -> float:
    """The standard deviation of a normal distribution with the median of |error|: the bound of a few stars is too wide for means."""
    return float(np.median(np.abs(errors)) / 0.6745)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).mean()))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=("network", "speed", "both"), default="both")
    parser.add_argument("--stars", type=int, default=5_000, help="stars of the sky whose making is timed")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--network-stars", type=int, default=16_000)
    parser.add_argument("--epochs", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.part != "network":  # first: memory is measured of this process too
        speed(arguments.stars, arguments.workers)
    if arguments.part != "speed":
        with threadpool_limits(1):
            network(arguments.network_stars, arguments.seed, arguments.epochs)


if __name__ == "__main__":
    main()
