"""Of the candidates of each row the source that it is linked to, and what speaks against it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int8, Int16, Int32, Int64

from catalog.schema.survey_link import LinkFlag
from ingest.linking.candidates import Candidates
from ingest.linking.epoch import separation
from ingest.linking.rules import NEARLY_AS_NEAR, NEARLY_AS_NEAR_ARCSEC, LinkRules

NO_LINK, GIVEN, NEIGHBOURHOOD, CROSSMATCH_2MASS, POSITION = -1, 0, 1, 2, 3
"""Places in catalog.schema.survey_link.METHODS."""

_DOUBTED = LinkFlag.FAR | LinkFlag.NOT_THE_NEAREST | LinkFlag.SEVERAL_NEIGHBOURS
"""What makes a link by identifier ambiguous; other sources nearby do not, for the survey knew which star it meant."""


@dataclass(frozen=True, eq=False)
class Identified:
    """m pairs that identifiers name. ``method`` GIVEN, NEIGHBOURHOOD or CROSSMATCH_2MASS, ``place`` of the identifier among the survey's.

    ``distance`` (mas) and ``difference`` (mag, absolute) are those of the neighbourhood table, infinite where it does not tell; of a 2MASS counterpart
    ``distance`` is that from the row's position. Both are 0 elsewhere.
    """

    source: Candidates
    method: Int8[np.ndarray, " m"]
    place: Int8[np.ndarray, " m"]
    distance: Float64[np.ndarray, " m"]
    difference: Float64[np.ndarray, " m"]


@dataclass(frozen=True, eq=False)
class Links:
    """What n rows are linked to; ``source_id`` is 0 and ``method`` NO_LINK where no source was found. ``separation`` in arcsec, NaN for none."""

    source_id: Int64[np.ndarray, " n"]
    method: Int8[np.ndarray, " n"]
    separation: Float64[np.ndarray, " n"]
    n_candidates: Int32[np.ndarray, " n"]
    flags: Int16[np.ndarray, " n"]
    ambiguous: Bool[np.ndarray, " n"]


def choose(
    ra: Float64[np.ndarray, " n"], dec: Float64[np.ndarray, " n"], identified: Identified, nearby: Candidates, names_source: Bool[np.ndarray, " n"],
    rules: LinkRules,
) -> Links:  # fmt: skip
    """Link n rows at positions in degrees (NaN for none). ``names_source`` marks rows whose identifiers can be looked up in the release.

    Identifiers come first: the release's own, then those through a neighbourhood table (the nearest source, then the one of the smallest magnitude
    difference), then the 2MASS cross-match (the nearest source); then the nearest source within the radius. Equal ones are decided by the smaller source_id, so the result
    does not depend on the order of the candidates.
    """
    n = len(ra)
    apart = separation(ra[nearby.row], dec[nearby.row], nearby.ra, nearby.dec)
    near = apart <= rules.radius
    nearby, apart = nearby.take(near), apart[near]
    order = np.lexsort((nearby.source_id, apart, nearby.row))
    nearby, apart = nearby.take(order), apart[order]
    count = np.bincount(nearby.row, minlength=n).astype(np.int32)

    source_id, method = np.zeros(n, np.int64), np.full(n, NO_LINK, np.int8)
    distance, g = np.full(n, np.nan), np.full(n, np.nan)
    first = _first_of_each(nearby.row)
    rows = nearby.row[first]
    source_id[rows], method[rows], distance[rows], g[rows] = nearby.source_id[first], POSITION, apart[first], nearby.g[first]

    named = identified.source
    order = np.lexsort((named.source_id, identified.difference, identified.distance, identified.place, identified.method, named.row))
    best = order[_first_of_each(named.row[order])]
    rows = named.row[best]
    source_id[rows], method[rows], g[rows] = named.source_id[best], identified.method[best], named.g[best]
    distance[rows] = separation(ra[rows], dec[rows], named.ra[best], named.dec[best])

    flags = np.zeros(n, np.int16)

    def set_flag(flag: LinkFlag, where: np.ndarray) -> None:
        flags[where] |= flag.value

    linked, by_name = method != NO_LINK, (method >= GIVEN) & (method < POSITION)
    other = nearby.source_id != source_id[nearby.row]
    set_flag(LinkFlag.SEVERAL_IN_RADIUS, count > 1)
    limit = np.fmax(NEARLY_AS_NEAR * distance, distance + NEARLY_AS_NEAR_ARCSEC)[nearby.row]
    set_flag(LinkFlag.SECOND_NEARLY_AS_NEAR, nearby.row[other & (apart <= limit)])
    set_flag(LinkFlag.SECOND_BRIGHTER, nearby.row[other & (nearby.g < g[nearby.row])])
    set_flag(LinkFlag.NOT_THE_NEAREST, nearby.row[other & (apart < distance[nearby.row])])
    set_flag(LinkFlag.FAR, by_name & (distance > rules.far))
    set_flag(LinkFlag.GIVEN_UNKNOWN, names_source & (method != GIVEN) & (method != NEIGHBOURHOOD))
    set_flag(LinkFlag.NO_POSITION, linked & np.isnan(distance))
    set_flag(LinkFlag.SEVERAL_NEIGHBOURS, _several_neighbours(identified, best))
    ambiguous = np.where(by_name, (flags & _DOUBTED.value) != 0, linked & (count > 1))
    return Links(source_id, method, distance, count, flags, ambiguous)


def _first_of_each(row: np.ndarray) -> np.ndarray:
    """Where each row begins in a sorted list of rows."""
    starts = np.ones(len(row), bool)
    starts[1:] = row[1:] != row[:-1]
    return np.flatnonzero(starts)


def _several_neighbours(identified: Identified, best: np.ndarray) -> np.ndarray:
    """Rows whose chosen identifier or 2MASS counterpart leads to several sources."""
    named, row = identified.source, identified.source.row

    def way(i: int) -> tuple[int, int, int]:
        return int(row[i]), int(identified.method[i]), int(identified.place[i])

    chosen = {way(i): int(named.source_id[i]) for i in best if identified.method[i] != GIVEN}
    return np.array(
        sorted({int(row[i]) for i in range(len(row)) if chosen.get(way(i), named.source_id[i]) != named.source_id[i]}), np.int64
    )
