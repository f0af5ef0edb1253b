"""Stars that a version has not learnt from: those that its split held out, and others of the release, a sample that the seed draws.

Only the former have the labels that the training would have used; the latter are what most of a catalogue is: no LAMOST spectrum, or none that passes
the training's cuts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import psycopg
from jaxtyping import Int64

from catalog.releases import DataRelease
from catalog.stars import StarBatch
from catalog.statements import statement
from catalog.store.star_store import read_stars

SURVEYS = ("apogee", "galah", "reference_label")
"""Whose stars are looked for beside any of the release's."""
BLOCK = 2_000
"""Stars that are read and estimated at a time."""


@dataclass(frozen=True, eq=False)
class OtherSources:
    """Sources that were not learnt and not held out, both sorted: ``drawn`` from all of the release, ``labelled`` from those with labels of SURVEYS."""

    drawn: Int64[np.ndarray, " n"]
    labelled: Int64[np.ndarray, " m"]


def other_sources(
    connection: psycopg.Connection, release: DataRelease, sample: Int64[np.ndarray, " k"], most: int, seed: int
) -> OtherSources:
    """Up to ``most`` of either kind, beside the sources of the version's ``sample``."""
    known = np.sort(sample)
    parameters = {"release_id": release.release_id, "seed": seed}
    return OtherSources(
        _first(connection, "sources_in_an_order", parameters, known, most),
        _first(connection, "labelled_sources_in_an_order", {**parameters, "surveys": list(SURVEYS)}, known, most),
    )


def _first(
    connection: psycopg.Connection, query: str, parameters: Mapping[str, object], known: Int64[np.ndarray, " m"], most: int
) -> Int64[np.ndarray, " n"]:
    """The first ``most`` sources of a query that are not in the sorted ``known``; sorted themselves."""
    found: list[Int64[np.ndarray, " k"]] = [np.empty(0, np.int64)]
    left = most
    with connection.cursor(name=query) as cursor:
        cursor.execute(statement(query), parameters)
        while left > 0 and (rows := cursor.fetchmany(BLOCK)):
            here = np.array([row[0] for row in rows], np.int64)
            here = here[~np.isin(here, known)][:left]
            found.append(here)
            left -= len(here)
    return np.sort(np.concatenate(found))


def star_batches(connection: psycopg.Connection, release: DataRelease, source_id: Int64[np.ndarray, " n"]) -> Iterator[StarBatch]:
    """The stars of these identifiers, BLOCK at a time, in their order."""
    wanted = np.unique(source_id)
    for begin in range(0, len(wanted), BLOCK):
        block = wanted[begin : begin + BLOCK]
        yield from read_stars(connection, release, int(block[0]), int(block[-1]), only=block)
