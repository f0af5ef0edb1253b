"""A stored version measured on stars that it has not learnt from: read, estimated as a run would, compared, kept with the version, and a page made."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from jaxtyping import Float, Int64

from catalog.errors import UsageError
from catalog.releases import DataRelease, release_named
from catalog.settings import settings as environment
from catalog.stars import StarBatch
from catalog.store.model_store import ModelVersion, add_metrics, read_version
from catalog.version import code_version
from models.evaluation.page import Page
from models.forward.evaluation.estimates import EstimatedStars, estimated
from models.forward.evaluation.references import (
    Reference,
    gaia_reference,
    named_sets,
    placed,
    reddening_reference,
    sky_positions,
    survey_references,
)
from models.forward.evaluation.report import Evaluation, Membership, Sources, evaluated
from models.forward.evaluation.truth import read_bounds, read_truth
from models.forward.evaluation.unseen import BLOCK, other_sources, star_batches
from models.forward.model import load
from models.forward.parameters import PARAMETERS, TYPE
from models.forward.training.sample import SampleStars
from models.forward.version import ForwardVersion
from models.learning.held_out import sample_of
from models.spec import Configuration

Told = Callable[[int, int], None]
"""How many stars of how many have been estimated."""


@dataclass(frozen=True)
class Request:
    """What to compare a version with. ``truth`` and ``information`` are files beside a simulated sky; ``sets`` names sets (none: all)."""

    truth: Path | None = None
    information: Path | None = None
    sets: tuple[str, ...] = ()
    others: int = 20_000
    """Most stars beside those held out: so many of the release, and so many of those with other labels."""


@dataclass(frozen=True, eq=False)
class Measured:
    """An evaluation with its page."""

    evaluation: Evaluation
    page: Page


def evaluate_version(connection: psycopg.Connection, version: ModelVersion, request: Request, command: str, told: Told) -> Measured:
    """Measure a version, and add the numbers to its metrics under ``evaluation``.

    DataError if the release no longer gives the sample that the version learnt from, or a file of a simulated sky is not about these stars; UsageError
    for a truth beside real stars, or a set that no star is in.
    """
    release = release_named(connection, version.release)
    if request.truth is not None and not release.simulated:
        raise UsageError(f"{version.release} is a release of real stars: nobody knows their truth. Leave --truth away.")
    sample = sample_of(connection, version)
    held_out, beyond = sample.held_out["all"], sample.held_out["beyond"]
    known = np.concatenate(
        [part.source_id for part in (sample, sample.beyond, beyond)]
    )  # those learnt from, those held out, those left out
    others = other_sources(connection, release, known, request.others, version.seed)
    source_id = np.unique(np.concatenate([held_out.source_id, beyond.source_id, others.drawn, others.labelled]))
    stored = read_version(connection, version.model_version_id)
    model = load(stored.weights, version.configuration, environment().device)

    def batches() -> Iterator[StarBatch]:
        for number, batch in enumerate(star_batches(connection, release, source_id)):
            told(min(number * BLOCK, len(source_id)), len(source_id))
            yield batch
        told(len(source_id), len(source_id))

    stars, refused = estimated(model, batches())
    of = Membership(*(np.isin(stars.source_id, part) for part in (held_out.source_id, beyond.source_id, others.drawn)))
    sources = _sources(connection, release, stars, [held_out, beyond], version.configuration, request)
    stamp = f"{'Simulated stars' if release.simulated else 'Real stars'}, version {version.version}."
    evaluation = evaluated(stars, of, refused, sources, _at_542(model.version), stamp)
    numbers = {
        "measure": "estimate minus reference; bias is the median, scatter 1.4826 times the median absolute deviation",
        "simulated": release.simulated,
        "held_out": int(of.held_out.sum()),
        "held_out_beyond": int(of.beyond.sum()),
        "others": int((~(of.held_out | of.beyond)).sum()),
        "split": version.metrics["split"],
        "code_version": code_version(),
        **evaluation.numbers,
    }
    add_metrics(connection, version, {"evaluation": numbers})
    return Measured(Evaluation(numbers, evaluation.sections), _page(version, release, evaluation, numbers, command))


def _sources(
    connection: psycopg.Connection,
    release: DataRelease,
    stars: EstimatedStars,
    held_out: Sequence[SampleStars],
    configuration: Configuration,
    request: Request,
) -> Sources:
    """Everything that these stars are compared with."""
    ids = stars.source_id
    reddening = reddening_reference(connection, release, ids)
    surveys = survey_references(connection, release, ids)
    return Sources(
        training_labels=training_labels(ids, held_out, configuration),
        gaia=gaia_reference(stars.parallax, stars.parallax_error, reddening),
        surveys=[each for each in surveys if each.key in ("apogee", "galah")],
        sets=named_sets(connection, release, ids, request.sets, surveys),
        reddening=reddening,
        positions=sky_positions(connection, release, ids),
        truth=read_truth(request.truth, ids) if request.truth is not None else None,
        bounds=read_bounds(request.information, ids) if request.information is not None else (),
    )


def training_labels(source_id: Int64[np.ndarray, " n"], held_out: Sequence[SampleStars], configuration: Configuration) -> Reference:
    """The labels that the training would have used of the stars held out, in the catalogue's units; NaN for all others."""
    values, errors = (np.full((len(source_id), len(PARAMETERS)), np.nan) for _ in range(2))
    unit = np.array([1000.0, 1.0, 1.0])
    for part in held_out:
        here, there = placed(source_id, part.source_id)
        values[here, : len(TYPE)] = part.labels.type.numpy()[there] * unit
        errors[here, : len(TYPE)] = part.labels.type_error.numpy()[there] * unit
    labels = str(configuration["training_labels"])
    return Reference("training_labels", "LAMOST and Hot Payne" if labels in ("paper", "code") else labels, values, errors)


def _at_542(version: ForwardVersion) -> float:
    """R at the band next to 542 nm."""
    extinction: Float[np.ndarray, " bands"] = np.exp(version.flux_model.ln_extinction.detach().numpy())
    return float(extinction[np.argmin(np.abs(version.wavelengths - 542.0))])


def _page(version: ModelVersion, release: DataRelease, evaluation: Evaluation, numbers: dict[str, Any], command: str) -> Page:
    kind = "simulated" if release.simulated else "real"
    warning = (
        "All stars on this page are simulated. The figures show whether the pipeline recovers what was put in; they say nothing about the real sky."
        if release.simulated
        else ""
    )
    facts = (
        (
            "Version",
            f"{version.model} version {version.version}, weights {version.weights_sha256[:16]}, learnt from {version.trained_on} stars",
        ),
        (
            "Sample",
            f"{version.release}: {numbers['held_out']:,} {kind} stars that the version held out, {numbers['held_out_beyond']:,} likewise with labels but poor data, "
            f"{numbers['others']:,} others that it has not seen",
        ),
        ("Learnt from", f"{version.metrics['split']['train']['count']:,} {kind} stars with labels, seed {version.seed}"),
        ("Command", command),
        ("Made", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, code {code_version()}"),
        ("Method", "Zhang, Green & Rix 2023 (MNRAS 524, 1855); figures are numbered as theirs"),
    )
    title = f"Evaluation of {version.model} version {version.version} on {kind} stars"
    return Page(title, warning, facts, evaluation.sections)
