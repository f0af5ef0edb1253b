"""The stars that a forward model learns from and those held out: survey labels, reddening and flux vectors, read in one pass by identifiers.

Labels come from the rows that surveys.training_forward chooses, or from any survey or named set of surveys.survey_labels. Whitening matrices are 17
kB a star: they stand as float32 in a file without a name under KIEL_HOME, mapped into memory, so that a sample of millions needs little of it; the
file goes with the process.
"""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import torch
from jaxtyping import Bool, Float32, Float64, Int16, Int64
from psycopg import sql

from catalog.binary_copy import CopyField, read_rows
from catalog.errors import DataError, TransientError
from catalog.releases import DataRelease
from catalog.rows import Rows
from catalog.schema.column import ColumnType
from catalog.settings import settings as environment
from catalog.spectra import Band
from catalog.stars import STAR_COLUMNS, StarBatch
from catalog.statements import statement, template
from catalog.store.star_store import read_stars
from models.forward.bands import N_BANDS, XP_WAVELENGTHS
from models.forward.observed.flux_vectors import flux_vectors
from models.forward.observed.observations import KnownLabels, Observations
from models.learning.sample import identifiers_sha256
from models.numerics.xp_sampling import sampling_matrices
from models.spec import Configuration

BLOCK = 2_000
"""Stars that are asked for at a time."""
_VALUES = ("teff", "e_teff", "feh", "e_feh", "logg", "e_logg", "reddening", "reddening_error")
_FIELDS = (
    CopyField("source_id", ColumnType.BIGINT),
    CopyField("survey_id", ColumnType.TEXT),
    *(CopyField(name, ColumnType.DOUBLE) for name in _VALUES),
)
_ERROR_LIMITS = sql.SQL("c.is_primary AND c.e_teff < 500 AND c.e_logg < 0.5 AND c.e_feh < 0.5")
"""The paper's limits of the labels' errors, for labels that have no training view."""
_LABEL_CUTS = sql.SQL("c.cut_primary AND c.cut_has_xp AND c.cut_separation AND c.cut_teff_error AND c.cut_logg_error AND c.cut_feh_error")
"""The paper's cuts that labels and match must pass in any case; its others ask the survey's signal-to-noise, and Gaia's astrometry and photometry."""


@dataclass(frozen=True, eq=False)
class SampleStars:
    """Stars of one side of the split, by source_id. ``columns`` are the catalogue's own numbers (catalog/stars.py), ``missing`` the bits of FluxVectors."""

    source_id: Int64[np.ndarray, " n"]
    survey_id: np.ndarray
    observations: Observations
    labels: KnownLabels
    columns: Mapping[str, Float64[np.ndarray, " n"]]
    missing: Int16[np.ndarray, " n"]
    numbers_sha256: str

    def __len__(self) -> int:
        return len(self.source_id)


@dataclass(frozen=True, eq=False)
class ForwardSample:
    """What the query gave and how the seed split it. ``counts``: by side, stars left out and stars that lack something, by reason.

    ``beyond`` are stars with labels, too, but with poor parallaxes, crowded or noisy spectra, so that the flux model does not learn from them. The
    catalogue is full of such stars: the confidence classifiers learn from them. Of ``held_out``, ``all`` are like ``train`` and ``beyond`` like these.
    """

    query: str
    source_id: Int64[np.ndarray, " sample"]
    train: SampleStars
    beyond: SampleStars
    held_out: Mapping[str, SampleStars]
    sampling: Mapping[str, Float64[np.ndarray, "coefficients samples"]]
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """SHA-256 of the sorted identifiers that the query gave, one a line."""
        return identifiers_sha256(self.source_id)

    @property
    def numbers_sha256(self) -> str:
        """SHA-256 of the training stars' labels, spectra and photometry as the catalogue gave them."""
        return hashlib.sha256(f"{self.train.numbers_sha256} {self.beyond.numbers_sha256}".encode()).hexdigest()

    @property
    def split(self) -> dict[str, dict[str, object]]:
        """Size and identifiers' SHA-256 of each part, as stored with a version."""
        parts = {"train": self.train, "beyond": self.beyond} | {f"held_out_{name}": stars for name, stars in self.held_out.items()}
        return {name: {"count": len(stars), "sha256": identifiers_sha256(stars.source_id)} for name, stars in parts.items()}


def held_out(source_id: Int64[np.ndarray, " n"], share: float, seed: int) -> Bool[np.ndarray, " n"]:
    """Which stars are held out: each by its own identifier and the seed alone, so that a star stays on its side whatever stars come or go."""
    with np.errstate(over="ignore"):  # the arithmetic is modulo 2^64 (Steele, Lea & Flood 2014, SplitMix64)
        mixed = source_id.astype(np.uint64) + np.uint64(seed + 1) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return np.asarray(mixed.astype(np.float64) < share * 2.0**64)


def read_sample(connection: psycopg.Connection[Any], release: DataRelease, configuration: Configuration, seed: int) -> ForwardSample:
    """The release's stars with labels, split by the seed; DataError if there are none.

    A star without a usable spectrum or without finite labels is left out and counted; one without reddening, parallax or some bands is kept with
    infinite errors in their place.
    """
    query = _query(release, configuration)
    text = query.as_string(connection)
    sampling = sampling_matrices(release.bp_basis_function_id, release.rp_basis_function_id, XP_WAVELENGTHS)
    counts: dict[str, dict[str, int]] = {}
    reader = _Reader(connection, release, configuration, sampling)
    rows = _rows(connection, query)
    if len(rows) == 0:
        raise DataError(f"release {release.name} has no stars to train the forward model on: {_why(connection, release, configuration)}")
    source_id, parts = reader.split(rows, seed, ("train", "held_out"), counts)
    further = _query_beyond(release, configuration)
    beyond = _rows(connection, further) if further is not None else Rows.empty(_FIELDS)
    _, others = reader.split(beyond, seed, ("beyond", "held_out_beyond"), counts)
    held = {"all": parts["held_out"], "beyond": others["held_out_beyond"]}
    matrices = {str(band): matrix for band, matrix in sampling.items()}
    return ForwardSample(text, source_id, parts["train"], others["beyond"], held, matrices, counts)


def _rows(connection: psycopg.Connection[Any], query: sql.Composed) -> Rows:
    """Labels as a query gives them."""
    blocks = list(read_rows(connection, query, _FIELDS))
    return Rows.concatenate(blocks) if blocks else Rows.empty(_FIELDS)


def _view(name: str, release: DataRelease) -> sql.Composed:
    return template(f"views/{name}.sql").format(
        columns=sql.SQL("*"), release_id=sql.Literal(release.release_id), cut_dialect=sql.Literal(release.cut_dialect)
    )


def _query(release: DataRelease, configuration: Configuration) -> sql.Composed:
    """The rows to learn from, in SQL with its parameters in place, as it is stored with a version."""
    labels = str(configuration["training_labels"])
    chosen = {"paper": "chosen", "code": "chosen_by_code"}.get(labels)
    if chosen is not None:
        rows, condition = _view("training_forward", release), sql.SQL("c.{}").format(sql.Identifier(chosen))
    else:
        survey, _, set_name = labels.partition("/")
        rows = _view("survey_labels", release)
        named = sql.SQL("c.survey = {} AND c.set_name = {}").format(sql.Literal(survey), sql.Literal(set_name))
        condition = sql.SQL("{} AND {}").format(named, _ERROR_LIMITS)
    return statement("training_labels_forward").format(rows=rows, condition=condition, release_id=sql.Literal(release.release_id))


def _query_beyond(release: DataRelease, configuration: Configuration) -> sql.Composed | None:
    """The rows with labels that one of the paper's other cuts left out; None where no such cuts were made."""
    chosen = {"paper": "chosen", "code": "chosen_by_code"}.get(str(configuration["training_labels"]))
    if chosen is None:
        return None
    condition = sql.SQL("{} AND c.{} IS NOT TRUE").format(_LABEL_CUTS, sql.Identifier(chosen))
    return statement("training_labels_forward").format(
        rows=_view("training_forward", release), condition=condition, release_id=sql.Literal(release.release_id)
    )


def _why(connection: psycopg.Connection[Any], release: DataRelease, configuration: Configuration) -> str:
    """Why the query gave nothing, and what to do."""
    labels = str(configuration["training_labels"])
    if labels not in ("paper", "code"):
        return f"no rows of {labels} with small errors are linked to its sources; training_labels is paper, code, or survey[/set] of surveys.survey_labels."
    chosen = sql.Identifier("chosen" if labels == "paper" else "chosen_by_code")
    query = statement("training_candidates_forward").format(rows=_view("training_forward", release), chosen=chosen)
    candidates, _, undecided = connection.execute(query).fetchone() or (0, 0, 0)
    if not candidates:
        return "it has no LAMOST rows that are linked to sources. Ingest LAMOST's stellar catalogue, then `kiel ingest link`."
    return (
        f"of {candidates} LAMOST rows none passes every cut, and {undecided} pass all that could be asked. "
        "See `kiel ingest cuts --paper forward`."
    )


class _Reader:
    """Reads stars with labels."""

    def __init__(
        self, connection: psycopg.Connection[Any], release: DataRelease, configuration: Configuration,
        sampling: Mapping[Band, Float64[np.ndarray, "coefficients samples"]],
    ) -> None:  # fmt: skip
        self.connection, self.release, self.configuration, self.sampling = connection, release, configuration, sampling

    def split(
        self, rows: Rows, seed: int, names: tuple[str, str], counts: dict[str, dict[str, int]]
    ) -> tuple[Int64[np.ndarray, " n"], dict[str, SampleStars]]:
        """The sources of label rows, and their stars in two parts, the second held out; adds to ``counts`` under the parts' names."""
        source_id, first = np.unique(rows["source_id"], return_index=True)  # of rows of one source in a named set the first counts
        values = np.stack([rows[name][first] for name in _VALUES], axis=1)
        survey_id = rows["survey_id"][first]
        usable = np.isfinite(values[:, :6]).all(axis=1) & (values[:, 1:6:2] > 0).all(axis=1)
        held = held_out(source_id, float(self.configuration["held_out_share"]), seed)
        counts[f"query {names[0]}"] = {"rows": len(rows), "sources": len(source_id)}
        parts = {}
        for name, side in zip(names, (~held, held), strict=True):
            counts[name] = {"unusable labels": int((side & ~usable).sum())} if (side & ~usable).any() else {}
            chosen = side & usable
            parts[name] = self.read(source_id[chosen], survey_id[chosen], values[chosen], counts[name])
        return source_id, parts

    def read(
        self, source_id: Int64[np.ndarray, " n"], survey_id: np.ndarray, values: Float64[np.ndarray, "n 8"], counts: dict[str, int]
    ) -> SampleStars:
        """The stars with a flux vector, in the order of identifiers; adds to ``counts``."""
        n, at = len(source_id), 0
        whitening = mapped_matrices(n, N_BANDS)
        flux, flux_error = np.empty((n, N_BANDS)), np.empty((n, N_BANDS))
        parallax, parallax_error = np.empty(n), np.empty(n)
        columns = {name: np.empty(n) for name in STAR_COLUMNS}
        missing, kept = np.empty(n, np.int16), np.empty(n, np.int64)
        state = hashlib.sha256(np.ascontiguousarray(values).astype("<f8").tobytes())
        found = 0
        for begin in range(0, n, BLOCK):
            wanted = source_id[begin : begin + BLOCK]
            for stars in read_stars(self.connection, self.release, int(wanted[0]), int(wanted[-1]), only=wanted):
                found += len(stars)
                _digest(state, stars)
                vectors = flux_vectors(stars, self.sampling, self.configuration)
                rows = slice(at, at + len(vectors.kept))
                observed = vectors.observations
                whitening[rows] = observed.whitening.numpy()
                flux[rows], flux_error[rows] = observed.flux.numpy(), observed.flux_error.numpy()
                parallax[rows], parallax_error[rows] = observed.parallax.numpy(), observed.parallax_error.numpy()
                for name in STAR_COLUMNS:
                    columns[name][rows] = stars[name][vectors.kept]
                missing[rows] = vectors.missing
                kept[rows] = np.searchsorted(source_id, stars.spectra.source_id[vectors.kept])
                for reason, count in vectors.counts().items():
                    counts[reason] = counts.get(reason, 0) + count
                at = rows.stop
        if found < n:
            counts["without spectrum"] = n - found
        cut = slice(at)
        chosen = kept[cut]
        observations = Observations(*(torch.from_numpy(each[cut]) for each in (flux, flux_error, whitening, parallax, parallax_error)))
        labels = known_labels(values[chosen], float(self.configuration["type_error_floor"]))
        for reason, mask in (
            ("without reddening", torch.isinf(labels.ext_error)),
            ("without parallax", torch.isinf(observations.parallax_error)),
        ):
            if bool(mask.any()):
                counts[reason] = int(mask.sum())
        return SampleStars(
            source_id[chosen], survey_id[chosen], observations, labels, {name: each[cut] for name, each in columns.items()}, missing[cut], state.hexdigest()
        )  # fmt: skip


def known_labels(values: Float64[np.ndarray, "n 8"], floor: float) -> KnownLabels:
    """Labels of (teff in K, error, feh, error, logg, error, reddening, error); reddening that is not known is 0 with an infinite error."""
    unit = np.array([1e-3, 1.0, 1.0])
    ext, error = values[:, 6], values[:, 7]
    known = np.isfinite(ext) & np.isfinite(error) & (error > 0)
    return KnownLabels(
        torch.from_numpy(values[:, 0:6:2] * unit),
        torch.from_numpy(np.hypot(values[:, 1:6:2] * unit, floor)),
        torch.from_numpy(np.where(known, ext, 0.0)),
        torch.from_numpy(np.where(known, error, np.inf)),
    )


def mapped_matrices(n: int, bands: int, folder: Path | None = None) -> Float32[np.ndarray, "n bands bands"]:
    """Room for n matrices in a file without a name, mapped into memory; its disk space is taken at once and given back with the array.

    TransientError where the disk does not have it.
    """
    if n == 0:
        return np.empty((0, bands, bands), np.float32)
    folder = folder or environment().home / "training"
    folder.mkdir(parents=True, exist_ok=True)
    size = n * bands * bands * 4
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            raise TransientError(
                f"the training sample needs {size / 1e9:.1f} GB in {folder}, and there is no room ({error.strerror}): free some, or set KIEL_HOME to a larger disk."
            ) from error
        return np.memmap(file, np.float32, "r+", shape=(n, bands, bands))


def _digest(state: Any, stars: StarBatch) -> None:
    """Add everything of these stars that a flux vector follows from."""
    spectra = stars.spectra
    for name in ("bp_coefficients", "rp_coefficients", "bp_errors", "rp_errors", "bp_correlations", "rp_correlations"):
        state.update(np.ascontiguousarray(getattr(spectra, name), "<f4").tobytes())
    for name in STAR_COLUMNS:
        state.update(np.ascontiguousarray(stars[name], "<f8").tobytes())
