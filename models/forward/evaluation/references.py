"""What estimates are compared with: survey labels, named sets, the map of the dust, Gaia's parallaxes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from jaxtyping import Float, Int64
from psycopg import sql

from catalog.errors import UsageError
from catalog.releases import DataRelease
from catalog.statements import statement, template
from models.forward.parameters import PARAMETERS, TYPE

APOGEE_BAD = (1 << 19) | (1 << 24) | (1 << 27)
"""ASPCAPFLAG's METALS_BAD, CHI2_BAD and SN_BAD, which the paper rejects (section 5.3)."""


@dataclass(frozen=True, eq=False)
class Reference:
    """What somebody else says of n stars, in the order of PARAMETERS (K, dex, dex, mag, mas); NaN where nothing is said.

    ``key`` names it in stored figures, ``words`` on the page. Errors are NaN where none are given: of a truth always.
    """

    key: str
    words: str
    values: Float[np.ndarray, "n 5"]
    errors: Float[np.ndarray, "n 5"]

    def parameters(self) -> tuple[str, ...]:
        """Those of which it says anything."""
        return tuple(name for number, name in enumerate(PARAMETERS) if np.isfinite(self.values[:, number]).any())


@dataclass(frozen=True, eq=False)
class NamedSet:
    """A set of reference labels: types as a Reference; distance (pc), extinction in V and cluster beside them, NaN or None where not given."""

    reference: Reference
    distance: Float[np.ndarray, " n"]
    extinction: Float[np.ndarray, " n"]
    cluster: np.ndarray


def placed(wanted: Int64[np.ndarray, " n"], source_id: Int64[np.ndarray, " m"]) -> tuple[Int64[np.ndarray, " k"], Int64[np.ndarray, " k"]]:
    """Places in ``wanted`` and in ``source_id`` of the sources that both have; each may stand once only in ``source_id``."""
    _, at_wanted, at_found = np.intersect1d(wanted, source_id, assume_unique=True, return_indices=True)
    return at_wanted.astype(np.int64), at_found.astype(np.int64)


def survey_references(connection: psycopg.Connection, release: DataRelease, source_id: Int64[np.ndarray, " n"]) -> list[Reference]:
    """What each survey says of the sources' types, one Reference a survey or set that has any of them.

    Rows of APOGEE with METALS_BAD, CHI2_BAD or SN_BAD, and rows of GALAH with any bit of flag_sp, are left out.
    """
    query = statement("survey_labels_of").format(
        survey_labels=template("views/survey_labels.sql").format(release_id=sql.Literal(release.release_id))
    )
    rows = connection.execute(query, {"source_ids": source_id.tolist()}).fetchall()
    grouped: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for survey, set_name, *rest, flags in rows:
        bad = (survey == "apogee" and (flags or 0) & APOGEE_BAD) or (survey == "galah" and flags)
        if not bad:
            grouped.setdefault((survey, set_name), []).append(tuple(rest))
    return [_reference(survey, set_name, found, source_id) for (survey, set_name), found in grouped.items()]


def _reference(survey: str, set_name: str, rows: list[tuple[Any, ...]], source_id: Int64[np.ndarray, " n"]) -> Reference:
    numbers = np.array([row[1:] for row in rows], np.float64)
    here, there = placed(source_id, np.array([row[0] for row in rows], np.int64))
    values, errors = (np.full((len(source_id), len(PARAMETERS)), np.nan) for _ in range(2))
    for number in range(len(TYPE)):
        values[here, number] = numbers[there, 2 * number]
        errors[here, number] = numbers[there, 2 * number + 1]
    if set_name:
        return Reference(f"set:{set_name}", f"the set {set_name}", values, errors)
    return Reference(survey, SURVEY_WORDS.get(survey, survey), values, errors)


SURVEY_WORDS = {"apogee": "APOGEE", "galah": "GALAH", "lamost": "LAMOST", "hot_payne": "Hot Payne", "astronn": "astroNN"}


def named_sets(
    connection: psycopg.Connection,
    release: DataRelease,
    source_id: Int64[np.ndarray, " n"],
    wanted: tuple[str, ...],
    types: list[Reference],
) -> list[NamedSet]:
    """The named sets that have any of the sources (those ``wanted``, or all if none is named), ``types`` being the surveys' references.

    UsageError for a wanted set that has none of them.
    """
    rows = connection.execute(
        statement("reference_sets_of"), {"release_id": release.release_id, "source_ids": source_id.tolist()}
    ).fetchall()
    by_key = {each.key: each for each in types}
    grouped: dict[str, list[tuple[Any, ...]]] = {}
    for set_name, *rest in rows:
        grouped.setdefault(set_name, []).append(tuple(rest))
    if missing := [name for name in wanted if name not in grouped]:
        raise UsageError(f"no held-out star is in {', '.join(missing)}; sets with any are {', '.join(grouped) or 'none'}.")
    found = []
    n = len(source_id)
    for name, members in grouped.items():
        if wanted and name not in wanted:
            continue
        here, there = placed(source_id, np.array([row[0] for row in members], np.int64))
        distance, extinction, cluster = np.full(n, np.nan), np.full(n, np.nan), np.full(n, None, object)
        distance[here] = np.array([row[1] for row in members], np.float64)[there]
        extinction[here] = np.array([row[3] for row in members], np.float64)[there]
        cluster[here] = np.array([row[5] for row in members], object)[there]
        empty = np.full((n, len(PARAMETERS)), np.nan)
        found.append(
            NamedSet(by_key.get(f"set:{name}", Reference(f"set:{name}", f"the set {name}", empty, empty)), distance, extinction, cluster)
        )
    return found


def gaia_reference(parallax: Float[np.ndarray, " n"], error: Float[np.ndarray, " n"], reddening: Reference | None) -> Reference:
    """Gaia's parallaxes (zero point taken off) and the reddening map's values, as one Reference."""
    n = len(parallax)
    values, errors = (np.full((n, len(PARAMETERS)), np.nan) for _ in range(2))
    there = np.isfinite(error)
    values[there, 4], errors[there, 4] = parallax[there], error[there]
    if reddening is not None:
        values[:, 3], errors[:, 3] = reddening.values[:, 3], reddening.errors[:, 3]
    return Reference("gaia_and_map", "Gaia's parallaxes and the map of the dust", values, errors)


def reddening_reference(connection: psycopg.Connection, release: DataRelease, source_id: Int64[np.ndarray, " n"]) -> Reference | None:
    """The reddening map's values; None where it has none of the sources."""
    rows = connection.execute(statement("reddening_of"), {"release_id": release.release_id, "source_ids": source_id.tolist()}).fetchall()
    rows = [row for row in rows if row[2] is not None]
    if not rows:
        return None
    here, there = placed(source_id, np.array([row[0] for row in rows], np.int64))
    values, errors = (np.full((len(source_id), len(PARAMETERS)), np.nan) for _ in range(2))
    values[here, 3] = np.array([row[2] for row in rows], np.float64)[there]
    errors[here, 3] = np.array([row[3] for row in rows], np.float64)[there]
    return Reference("reddening", f"reddening by {rows[0][1]}", values, errors)


def sky_positions(
    connection: psycopg.Connection, release: DataRelease, source_id: Int64[np.ndarray, " n"]
) -> dict[str, Float[np.ndarray, " n"]]:
    """ra, dec, pmra, pmdec, and Galactic l and b of the sources; NaN where the catalogue has none."""
    import healpy

    rows = connection.execute(
        statement("sky_positions_of"), {"release_id": release.release_id, "source_ids": source_id.tolist()}
    ).fetchall()
    columns = {name: np.full(len(source_id), np.nan) for name in ("ra", "dec", "pmra", "pmdec", "l", "b")}
    if rows:
        here, there = placed(source_id, np.array([row[0] for row in rows], np.int64))
        for number, name in enumerate(("ra", "dec", "pmra", "pmdec"), start=1):
            columns[name][here] = np.array([row[number] for row in rows], np.float64)[there]
        known = np.isfinite(columns["ra"]) & np.isfinite(columns["dec"])
        longitude, latitude = healpy.Rotator(coord=["C", "G"])(columns["ra"][known], columns["dec"][known], lonlat=True)
        columns["l"][known], columns["b"][known] = longitude % 360, latitude
    return columns
