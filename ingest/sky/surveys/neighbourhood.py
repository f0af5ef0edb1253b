"""The sources of a mock Gaia DR4, and dr3_neighbourhood, which links them to those of DR3.

Identifiers change between releases and the same number may mean another star, so labels of two releases are comparable only through the
neighbourhood. [assumed] that it mirrors dr2_neighbourhood (Gaia DR3 data model): angular_distance in mas, magnitude_difference in mag, and
whether the later position was moved along the proper motion to the earlier epoch. The link is many-to-many:

* most sources keep their number, a share is renumbered;
* some DR3 sources are gone, some DR4 sources are new: neither stands in the table;
* a DR3 source may have been split into two of DR4, the fainter of which is no star of the simulation; in half of these cases it is the fainter
  one that keeps the old number, which then means something else than it did;
* a DR4 source may have two sources in DR3, one of them a spurious duplicate that stands in no table of the simulated DR3.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64

from ingest.sky.bulk_ecsv import BulkColumn, file_name, write_bulk
from ingest.sky.surveys.designation import at_epoch, shifted
from ingest.sky.surveys.inputs import SurveyInput, SurveyTruth
from ingest.sky.surveys.survey_table import SurveyColumn, SurveyTable, table_of

EPOCH = 2017.5
TABLE = "Dr3Neighbourhood"
_PIXEL_SHIFT, _COMPONENT_BITS, _NUMBER_BITS = 35, 7, 25
_LAST_PIXEL = 12 * 4**8 - 1

_SPUR_MAGNITUDES = (1.0, 3.0)
_SPUR_DISTANCE = (200.0, 1_500.0)
"""mas."""

COLUMNS = (
    SurveyColumn("dr3_source_id", "i8"), SurveyColumn("dr4_source_id", "i8"), SurveyColumn("angular_distance", "f4", "mas"),
    SurveyColumn("magnitude_difference", "f4", "mag"), SurveyColumn("proper_motion_propagation", "b1"),
)  # fmt: skip
_BULK = (
    BulkColumn("dr3_source_id", "int64", "Source identifier in Gaia DR3", ucd="meta.id"),
    BulkColumn("dr4_source_id", "int64", "Source identifier in Gaia DR4", ucd="meta.id;meta.main"),
    BulkColumn("angular_distance", "float32", "Angular distance between the two sources", "mas", "pos.angDistance"),
    BulkColumn(
        "magnitude_difference", "float32", "G magnitude of the later source minus that of the earlier one", "mag", "phot.mag;arith.diff"
    ),
    BulkColumn("proper_motion_propagation", "bool", "Whether the position of the later release was moved along the proper motion"),
)


@dataclass(frozen=True)
class NeighbourhoodOptions:
    """Shares of the stars."""

    renumbered: float = 0.05
    gone: float = 0.01
    """In DR3 and not in DR4."""
    new: float = 0.02
    """In DR4 and not in DR3: whoever writes both releases leaves them out of DR3's files."""
    split: float = 0.01
    merged: float = 0.01


@dataclass(frozen=True, eq=False)
class MockRelease:
    """The sources of DR4: m rows ordered by source_id, of which those with ``spurious`` are no stars but split from one."""

    source_id: Int64[np.ndarray, " m"]
    star: Int64[np.ndarray, " m"]
    """Index into the input; for a spurious source, of the star that it was split from."""
    spurious: Bool[np.ndarray, " m"]
    magnitude_offset: Float64[np.ndarray, " m"]
    """What is added to the star's G: 0 but for spurious sources."""
    ra: Float64[np.ndarray, " m"]
    """Degrees, ICRS, epoch J2017.5."""
    dec: Float64[np.ndarray, " m"]
    gone: Bool[np.ndarray, " n"]
    """Stars of the input that DR4 lacks."""
    new: Bool[np.ndarray, " n"]
    """Stars of the input that DR3 lacks."""
    neighbourhood: SurveyTable
    truth: SurveyTruth
    """Of the neighbourhood's rows: ``star`` behind the DR3 number, ``identified_as`` behind the DR4 number, ``outlier`` where either is spurious."""


def draw_mock_dr4(
    stars: SurveyInput, rng: np.random.Generator, options: NeighbourhoodOptions = NeighbourhoodOptions()
) -> MockRelease:  # fmt: skip
    """The sources of DR4 and their neighbourhood."""
    n = len(stars)
    u, z = rng.random((n, 6)), rng.standard_normal((n, 3))
    fresh = unused_source_ids(np.concatenate([stars.source_id] * 3), stars.source_id, rng).reshape(3, n)
    spur = rng.random((n, 3))
    fate = u[:, 0]
    gone, new = fate < options.gone, (fate >= options.gone) & (fate < options.gone + options.new)
    linked = ~gone & ~new
    split, merged = linked & (u[:, 1] < options.split), linked & (u[:, 2] < options.merged)
    usurped = split & (u[:, 3] < 0.5)
    renumbered = new | usurped | (linked & (u[:, 4] < options.renumbered))
    number = np.where(renumbered, fresh[0], stars.source_id)
    spur_number = np.where(usurped, stars.source_id, fresh[1])
    ra, dec = at_epoch(stars, EPOCH)
    ra, dec = shifted(ra, dec, *(2e-5 / 3600.0 * z[:, column] for column in (0, 1)))
    distance = np.asarray(_SPUR_DISTANCE[0] + (_SPUR_DISTANCE[1] - _SPUR_DISTANCE[0]) * spur[:, 0])
    angle, faintness = 2 * np.pi * spur[:, 1], _SPUR_MAGNITUDES[0] + (_SPUR_MAGNITUDES[1] - _SPUR_MAGNITUDES[0]) * spur[:, 2]
    spur_ra, spur_dec = shifted(ra, dec, distance / 3.6e6 * np.sin(angle), distance / 3.6e6 * np.cos(angle))
    there, parts = np.flatnonzero(~gone), np.flatnonzero(split)
    links, doubled = np.flatnonzero(linked), np.flatnonzero(merged)
    g_change = 0.003 * z[:, 2]
    pairs = {
        "dr3_source_id": np.concatenate([stars.source_id[links], stars.source_id[parts], fresh[2][doubled]]),
        "dr4_source_id": np.concatenate([number[links], spur_number[parts], number[doubled]]),
        "angular_distance": np.concatenate([0.02 * np.hypot(z[links, 0], z[links, 1]), distance[parts], distance[doubled]]),
        "magnitude_difference": np.concatenate([g_change[links], faintness[parts], -faintness[doubled]]),
        "proper_motion_propagation": np.concatenate([np.ones(len(links) + len(parts), bool), np.zeros(len(doubled), bool)]),
    }
    behind = np.concatenate([links, parts, doubled])
    spurious = np.arange(len(behind)) >= len(links)
    order = np.lexsort((pairs["dr3_source_id"], pairs["dr4_source_id"]))
    sources = np.concatenate([number[there], spur_number[parts]])
    rank = np.argsort(sources, kind="stable")
    return MockRelease(
        sources[rank], np.concatenate([there, parts])[rank], (np.arange(len(sources)) >= len(there))[rank],
        np.concatenate([np.zeros(len(there)), faintness[parts]])[rank], np.concatenate([ra[there], spur_ra[parts]])[rank],
        np.concatenate([dec[there], spur_dec[parts]])[rank], gone, new, table_of(COLUMNS, len(behind), pairs).take(order),
        SurveyTruth(behind, behind, spurious).take(order),
    )  # fmt: skip


def unused_source_ids(like: Int64[np.ndarray, " m"], used: Int64[np.ndarray, " n"], rng: np.random.Generator) -> Int64[np.ndarray, " m"]:
    """Identifiers in the pixels of ``like``, with other numbers than ``used`` and no two alike."""
    largest = 1 << _NUMBER_BITS
    number = rng.integers(1, largest, size=len(like))
    while True:
        ids = (like >> _PIXEL_SHIFT << _PIXEL_SHIFT) | (number << _COMPONENT_BITS)
        taken = np.ones(len(ids), bool)
        taken[np.unique(ids, return_index=True)[1]] = False
        taken |= np.isin(ids, used)
        if not taken.any():
            return ids
        number[taken] = 1 + number[taken] % (largest - 1)


def write_neighbourhood(folder: Path, release: MockRelease) -> Path:
    """dr3_neighbourhood as a bulk file: gzipped ECSV that covers the whole sky. [assumed] its name, form and order by the DR4 number."""
    name = file_name(TABLE, 0, _LAST_PIXEL)
    write_bulk(folder, name, _BULK, [{column.name: release.neighbourhood[column.name] for column in _BULK}])
    return folder / name
