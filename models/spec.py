"""What a model is to the rest of the system: its description, what it is loaded from, what it gives for a batch of stars.

A model file defines ``SPEC``, ``configuration``, ``sample``, ``train``, ``load`` and ``read`` (ModelModule). A star that a model cannot label is a value with
a reason (NoLabel), never an exception. No torch here: the registry and the commands read this file.
"""

from collections.abc import Callable, Iterator, Mapping, Sized
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import psycopg
from jaxtyping import Float, Int

from catalog.binary_copy import Rows
from catalog.releases import DataRelease
from catalog.schema.column import StoreTable
from models.inputs import NoLabel

Configuration = Mapping[str, Any]
"""Every setting of a model and its training, as JSON holds it."""


@dataclass(frozen=True)
class ModelSpec:
    """A model's fixed description.

    ``required_inputs`` says in words what a star must have to get a label; ``pixels`` what the pixels of the residual sums are.
    ``presets`` names the training presets, the first is the default. ``licence`` is that of the weights we train.
    """

    name: str
    title: str
    reference: str
    label_table: StoreTable
    required_inputs: tuple[str, ...]
    pixels: str
    presets: tuple[str, ...]
    licence: str


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model gives for a batch: each star of the batch is in ``labels`` or in ``no_label``, never in both.

    ``labels`` holds the columns of the model's label table but run_id. ``residual_sums`` adds up over chunks: row 0 the sum over the
    labelled stars of the normalised residual (observed - model) / sigma at each pixel, row 1 of its square, row 2 the number of stars.
    """

    labels: Rows
    no_label: list[NoLabel]
    residual_sums: Float[np.ndarray, "3 pixels"]


@dataclass(frozen=True)
class Figure:
    """A number that tells how good a run is: what it is, in which unit, of how many stars."""

    words: str
    value: float
    unit: str
    stars: int


@dataclass(frozen=True)
class Progress:
    """How far a training is: steps done of all, running loss, stars per second, seconds that are left."""

    step: int
    steps: int
    loss: float
    rate: float
    seconds_left: float


Report = Callable[[Progress], None]


@dataclass(frozen=True, eq=False)
class Trained:
    """A finished training: weights as safetensors bytes, and figures of the training itself."""

    weights: bytes
    metrics: dict[str, Any]


class Sample(Protocol):
    """What a query gave to learn from, and how a seed split it; what the stars hold is between a model's ``sample`` and its ``train``."""

    @property
    def query(self) -> str:
        """The query as it was put."""
        ...

    @property
    def source_id(self) -> Int[np.ndarray, " sample"]:
        """The sources that it gave."""
        ...

    @property
    def sha256(self) -> str:
        """SHA-256 of the sorted identifiers, one a line."""
        ...

    @property
    def numbers_sha256(self) -> str:
        """SHA-256 of the numbers that are learnt from."""
        ...

    @property
    def split(self) -> Mapping[str, Mapping[str, object]]:
        """``count`` and ``sha256`` of the identifiers of each part: ``train`` and those that are held out."""
        ...


class Model(Protocol):
    """A loaded version. Same batch, weights and device class: same predictions."""

    @property
    def n_pixels(self) -> int:
        """Number of pixels of the residual sums."""
        ...

    @property
    def device_class(self) -> str:
        """What it works on, as recorded: cpu, or the GPU's name."""
        ...

    def predict(self, batch: Any) -> Predictions:
        """Labels or a reason for every star of a batch that the module's ``read`` gave."""
        ...


class ModelModule(Protocol):
    """What a model's file defines at its top level."""

    SPEC: ModelSpec

    def configuration(self, release: DataRelease, preset: str) -> dict[str, Any]:
        """Every setting for training on a release; UsageError for a preset that is not there."""
        ...

    def sample(self, connection: psycopg.Connection, release: DataRelease, configuration: Configuration, seed: int) -> Sample:
        """The stars to learn from and those held out; DataError if the release has too few."""
        ...

    def read(
        self, connection: psycopg.Connection, release: DataRelease, first_source_id: int, last_source_id: int
    ) -> Iterator[Sized]:  # fmt: skip
        """The stars of a range of sources, both ends in it, in batches with all that the model looks at; every source with a spectrum once."""
        ...

    def load(self, weights: bytes, configuration: Configuration, device: str = "cpu") -> Model:
        """The model of stored weights on a device (auto, cpu, cuda); DataError if they do not fit the configuration."""
        ...

    def train(
        self, sample: Any, configuration: Configuration, seed: int, report: Report, device: str = "cpu"
    ) -> Trained:  # fmt: skip
        """New weights from the sample's training part, learnt on a device; RunError if the loss does not stay finite."""
        ...

    def run_figures(
        self, connection: psycopg.Connection, release: DataRelease, run_id: int, configuration: Configuration, seed: int
    ) -> list[Figure]:  # fmt: skip
        """What tells how good a finished run on a release is; ``configuration`` and ``seed`` are those of its version."""
        ...
