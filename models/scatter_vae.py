"""Scatter variational autoencoder of XP coefficients: six numbers a star, learnt without labels (Laroche & Speagle 2024).

Input: the BP and RP coefficients divided by the G flux, each brought to zero mean and unit variance over the training stars. The
encoder gives mean and variance of six latent variables; one decoder gives the coefficients back, another the intrinsic scatter s of
each around them, so that the training asks for x within sqrt(sigma^2 + s^2). Architecture: their section 3 and figure 2, with the batch
normalisation of their published weights. Two choices follow the published weights where the printed text differs: z = mu + eps
sigma (printed: eps mu + sigma), and the loss as sums over coefficients and latent variables (printed: means of either).

Catalogue values use z = mu, so that labels repeat. A missing coefficient has infinite variance: the encoder sees the training mean in
its place, and no chi2 counts it.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import psycopg
import safetensors.torch
import torch
from jaxtyping import Float
from safetensors import SafetensorError
from torch import Tensor, nn

from catalog.binary_copy import Rows, copy_fields
from catalog.errors import DataError, UsageError
from catalog.quality import POOR_RECONSTRUCTION, masks
from catalog.releases import DataRelease
from catalog.schema.label_table import LABEL_SCATTER_VAE
from catalog.spectra import SpectrumBatch
from catalog.statements import statement
from catalog.store.spectrum_store import read_spectra
from models.inputs import NoLabel, XpInputs, xp_inputs
from models.learning.sample import TrainingSample, read_xp_sample
from models.learning.training import Recipe, fit, repeatable
from models.numerics.devices import CPU, chosen_device, device_class
from models.numerics.latent_refinement import Refined, refine
from models.numerics.synthetic_g import synthetic_g
from models.numerics.threads import one_thread
from models.spec import Configuration, Figure, ModelSpec, Predictions, Report, Trained

SPEC = ModelSpec(
    name="scatter_vae",
    title="Scatter variational autoencoder",
    reference="Laroche & Speagle 2024",
    label_table=LABEL_SCATTER_VAE,
    required_inputs=("BP or RP coefficients", "a G flux or magnitude, or both bands for the synthetic one"),
    pixels="BP coefficients, then RP coefficients; residuals over sqrt(error^2 + scatter^2)",
    presets=("full", "short"),
    licence="CC-BY-4.0; learnt from Gaia data, credit ESA/Gaia/DPAC",
)

LATENT = LABEL_SCATTER_VAE["latent"].length or 0
BLOCK = 4096
"""Stars that go through the networks at a time; larger blocks leave the processor's caches."""

_COMMON: dict[str, Any] = {
    "latent": LATENT,
    "widths": [90, 70, 50, 30, 10],
    "loss": "elbo",
    "learning_rate": 2e-3,
    "final_learning_rate": 1e-6,
    "weight_decay": 1e-2,
    "batch": 256,
    "held_out": {"field": 300, "field_share": 0.15, "unusual_share": 0.1},
}
PRESETS: dict[str, dict[str, Any]] = {"full": {"steps": 24_000}, "short": {"steps": 6_000}}
"""For samples of some thousand stars. The paper's recipe (learning rate 1e-4, batch 1024, warm restarts, 5000 epochs of 452,000 stars)
learns next to nothing from so few."""


def configuration(release: DataRelease, preset: str) -> dict[str, Any]:
    """Every setting for training on a release."""
    if preset not in PRESETS:
        raise UsageError(f"scatter_vae has no preset {preset!r}; there are {', '.join(PRESETS)}.")
    contract = {name: getattr(release, name) for name in ("n_bp", "n_rp", "bp_basis_function_id", "rp_basis_function_id")}
    return {"preset": preset, **contract, **_COMMON, **PRESETS[preset]}


def sample(connection: psycopg.Connection, release: DataRelease, configuration: Configuration, seed: int) -> TrainingSample:
    """The release's stars with errors, split by seed."""
    weights = synthetic_g(configuration["bp_basis_function_id"], configuration["rp_basis_function_id"])
    return read_xp_sample(connection, release, SPEC.name, weights, configuration["held_out"], seed)


# --- networks ---------------------------------------------------------------------------------------------------------------


def _layer(n_in: int, n_out: int) -> list[nn.Module]:
    return [nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.GELU()]


def _decoder(latent: int, widths: list[int], pixels: int) -> nn.Sequential:
    """latent -> narrowest width without activation, then up through the widths, then linear."""
    up = widths[::-1]
    hidden = [module for n_in, n_out in pairwise(up) for module in _layer(n_in, n_out)]
    return nn.Sequential(nn.Linear(latent, up[0]), *hidden, nn.Linear(up[-1], pixels))


class Network(nn.Module):
    """Encoder with its two heads, decoder, scatter decoder; everything in standardised coefficients."""

    def __init__(self, pixels: int, widths: list[int], latent: int) -> None:
        super().__init__()
        down = [pixels, *widths]
        self.encoder = nn.Sequential(*(module for n_in, n_out in pairwise(down) for module in _layer(n_in, n_out)))
        self.mean = nn.Linear(widths[-1], latent)
        self.log_variance = nn.Linear(widths[-1], latent)
        self.decoder = _decoder(latent, widths, pixels)
        self.scatter_decoder = _decoder(latent, widths, pixels)

    def encode(self, x: Float[Tensor, "stars pixels"]) -> tuple[Float[Tensor, "stars latent"], Float[Tensor, "stars latent"]]:
        """Mean and logarithm of the variance of the latent variables."""
        hidden = self.encoder(x)
        return self.mean(hidden), self.log_variance(hidden)

    def decode(self, z: Float[Tensor, "stars latent"]) -> Float[Tensor, "stars pixels"]:
        """Standardised coefficients."""
        decoded: Tensor = self.decoder(z)
        return decoded

    def scatter(self, z: Float[Tensor, "stars latent"]) -> Float[Tensor, "stars pixels"]:
        """Intrinsic scatter of the standardised coefficients, between 0 and 1."""
        return torch.sigmoid(self.scatter_decoder(z))


def loss(
    network: Network,
    x: Float[Tensor, "stars pixels"],
    sigma: Float[Tensor, "stars pixels"],
    generator: torch.Generator,
    form: str,
) -> Float[Tensor, ""]:
    """Mean over stars of the negative evidence lower bound, up to a constant.

    ``elbo`` (the published weights): 1/2 sum over pixels + 1/2 sum over latents. ``paper`` (their equation for the loss as printed):
    mean over pixels + mean over latents, which weighs the latter pixels/latents times more.
    """
    mean, log_variance = network.encode(x)
    z = mean + torch.exp(0.5 * log_variance) * torch.randn(mean.shape, generator=generator, device=mean.device)
    variance = sigma**2 + network.scatter(z) ** 2  # (stars, pixels)
    misfit = (x - network.decode(z)) ** 2 / variance + torch.log(variance)
    divergence = mean**2 + torch.exp(log_variance) - 1 - log_variance  # (stars, latent)
    if form == "paper":
        return (misfit.mean(dim=1) + divergence.mean(dim=1)).mean()
    return 0.5 * (misfit.sum(dim=1) + divergence.sum(dim=1)).mean()


# --- a version --------------------------------------------------------------------------------------------------------------


class ScatterVae:
    """A version ready to label stars: networks, standardisation, and the synthetic G that it was made with."""

    def __init__(self, weights: bytes, configuration: Configuration, device: torch.device = CPU) -> None:
        self.device = device
        self.n_bp, self.n_rp = int(configuration["n_bp"]), int(configuration["n_rp"])
        self.latent = int(configuration["latent"])
        self.network = Network(self.n_pixels, list(configuration["widths"]), self.latent)
        try:
            tensors = safetensors.torch.load(weights)
            self._mean = tensors.pop("input.mean").numpy()
            self._scale = tensors.pop("input.scale").numpy()
            synthetic = tensors.pop("input.synthetic_g", None)
            self.network.load_state_dict(tensors)
        except (SafetensorError, KeyError, RuntimeError) as error:
            raise DataError(f"these weights do not fit a scatter_vae of {self.n_bp} + {self.n_rp} coefficients: {error}") from error
        self._synthetic_g = None if synthetic is None else synthetic.numpy()
        self.network.eval().requires_grad_(False).to(device)

    @property
    def n_pixels(self) -> int:
        """Number of coefficients, BP and RP."""
        return self.n_bp + self.n_rp

    @property
    def device_class(self) -> str:
        """What the networks work on, as recorded."""
        return device_class(self.device)

    def inputs(self, batch: SpectrumBatch) -> tuple[XpInputs, list[NoLabel]]:
        """The batch as the model takes it, and the stars that it cannot take."""
        return xp_inputs(batch, SPEC.name, self.n_bp, self.n_rp, self._synthetic_g)

    def standardised(self, stars: XpInputs) -> tuple[Float[np.ndarray, "stars pixels"], Float[np.ndarray, "stars pixels"]]:
        """Coefficients with zero mean and unit variance over the training stars, 0 where missing; errors likewise, infinite where missing."""
        return np.where(stars.present, (stars.coefficients - self._mean) / self._scale, 0.0), stars.errors / self._scale

    @torch.no_grad()
    def encode(self, x: Float[np.ndarray, "stars pixels"]) -> tuple[Float[Tensor, "stars latent"], Float[Tensor, "stars latent"]]:
        """Mean and standard deviation of the latent variables of standardised coefficients."""
        mean, log_variance = self.network.encode(self._tensor(x))
        return mean, torch.exp(0.5 * log_variance)

    @torch.no_grad()
    def reconstruct(self, z: Float[Tensor, "stars latent"]) -> tuple[Float[np.ndarray, "stars pixels"], Float[np.ndarray, "stars pixels"]]:
        """Standardised coefficients of latent vectors, and their intrinsic scatter."""
        return self.network.decode(z).double().cpu().numpy(), self.network.scatter(z).double().cpu().numpy()

    def refine(self, stars: XpInputs, *, steps: int = 30) -> Refined:
        """The latent vector that explains each star's own coefficients best (models/numerics/latent_refinement.py)."""
        x, sigma = self.standardised(stars)
        start, _ = self.encode(x)
        return refine(self.network.decode, start, self._tensor(x), self._tensor(sigma) ** -2, steps=steps)

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).float().to(self.device)

    def predict(self, batch: SpectrumBatch) -> Predictions:
        """Labels or a reason for every star of the batch."""
        stars, no_label = self.inputs(batch)
        with one_thread():
            blocks = [self._predict_block(stars.take(np.arange(at, min(at + BLOCK, len(stars))))) for at in range(0, len(stars), BLOCK)]
        fields = copy_fields(LABEL_SCATTER_VAE.without("run_id"))
        labels = Rows.concatenate([block.labels for block in blocks]) if blocks else Rows.empty(fields)
        sums = sum((block.residual_sums for block in blocks), np.zeros((3, self.n_pixels)))
        return Predictions(labels, no_label + [each for block in blocks for each in block.no_label], sums)

    def _predict_block(self, stars: XpInputs) -> Predictions:
        flag = masks(SPEC.name)
        x, sigma = self.standardised(stars)
        mean, deviation = self.encode(x)
        model, scatter = self.reconstruct(mean)
        compared = stars.compared
        n_compared = compared.sum(axis=1)
        difference = np.where(compared, x - model, 0.0)
        with np.errstate(over="ignore", invalid="ignore"):
            chi2 = ((difference / sigma) ** 2).sum(axis=1)
            normalised = difference / np.sqrt(sigma**2 + scatter**2)  # 0 where not compared
            chi2_scatter = (normalised**2).sum(axis=1)
            latent, e_latent = mean.cpu().numpy(), deviation.cpu().numpy()
            representable = np.isfinite(np.column_stack([chi2, chi2_scatter, stars.flux_scale]).astype(np.float32)).all(axis=1)
        finite = representable & np.isfinite(latent).all(axis=1) & np.isfinite(e_latent).all(axis=1)

        poor = (n_compared > 0) & (chi2_scatter > POOR_RECONSTRUCTION * n_compared)
        rows = Rows(
            copy_fields(LABEL_SCATTER_VAE.without("run_id")),
            {
                "source_id": stars.source_id[finite],
                "latent": latent[finite],
                "e_latent": e_latent[finite],
                "chi2": chi2[finite].astype(np.float32),
                "chi2_scatter": chi2_scatter[finite].astype(np.float32),
                "n_coefficients": n_compared[finite].astype(np.int16),
                "flux_scale": stars.flux_scale[finite].astype(np.float32),
                "quality_flags": (stars.quality_flags | poor * flag["poor_reconstruction"])[finite].astype(np.int32),
            },
            {"chi2": (n_compared == 0)[finite], "chi2_scatter": (n_compared == 0)[finite]},
        )
        no_label = [
            NoLabel(int(stars.source_id[i]), "not_finite", f"latent {latent[i].tolist()}, chi2 {chi2[i]:g}")
            for i in np.flatnonzero(~finite)
        ]
        counted = (compared & finite[:, None]).astype(np.float64)
        summed = normalised[finite]
        return Predictions(rows, no_label, np.stack([summed.sum(axis=0), (summed**2).sum(axis=0), counted.sum(axis=0)]))


def read(
    connection: psycopg.Connection, release: DataRelease, first_source_id: int, last_source_id: int
) -> Iterator[SpectrumBatch]:  # fmt: skip
    """Spectra without correlations, which the model does not look at: 880 instead of 12,760 bytes a star (DR3)."""
    return read_spectra(connection, release, first_source_id, last_source_id, correlations=False)


def run_figures(
    connection: psycopg.Connection, release: DataRelease, run_id: int, configuration: Configuration, seed: int
) -> list[Figure]:  # fmt: skip
    """How well the labelled spectra are drawn, learnt scatter included."""
    stars, value = connection.execute(statement("scatter_vae_fit"), {"run_id": run_id}).fetchone() or (0, 0.0)
    return [Figure("median chi2_scatter a coefficient", value, "", stars)] if stars else []


def load(weights: bytes, configuration: Configuration, device: str = "cpu") -> ScatterVae:
    """The version of stored weights."""
    return ScatterVae(weights, configuration, chosen_device(device))


def train(
    sample: TrainingSample, configuration: Configuration, seed: int, report: Report, device: str = "cpu"
) -> Trained:  # fmt: skip
    """New weights from the sample's training part."""
    stars = sample.train
    if configuration["loss"] not in ("elbo", "paper"):
        raise UsageError(f"scatter_vae has no loss {configuration['loss']!r}; there are elbo and paper.")
    mean, scale = stars.coefficients.mean(axis=0), stars.coefficients.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    x = torch.from_numpy((stars.coefficients - mean) / scale).float()
    sigma = torch.from_numpy(stars.errors / scale).float()
    with repeatable(seed, chosen_device(device)) as generator:
        network = Network(x.shape[1], list(configuration["widths"]), int(configuration["latent"]))
        figures = fit(
            network,
            lambda batch, generator: loss(network, batch[0], batch[1], generator, configuration["loss"]),
            (x, sigma),
            Recipe.from_configuration(configuration),
            generator,
            report,
        )
    tensors = {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
    tensors |= {"input.mean": torch.from_numpy(mean), "input.scale": torch.from_numpy(scale)}
    weights = synthetic_g(configuration["bp_basis_function_id"], configuration["rp_basis_function_id"])
    if weights is not None:
        tensors["input.synthetic_g"] = torch.from_numpy(weights.copy())
    return Trained(safetensors.torch.save(tensors), {"training": figures})
