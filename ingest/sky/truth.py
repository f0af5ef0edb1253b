"""The truth table of a simulated sky: what every star is, with units; neither ingest nor training nor prediction ever reads it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.sky.clusters import CLUSTERS
from ingest.sky.galaxy import Population
from ingest.sky.labels import LABEL_NAMES
from ingest.sky.oddities import Kind
from ingest.sky.stars import Stars
from ingest.sky.wavelengths import NIR_BANDS


@dataclass(frozen=True)
class TruthColumn:
    """A column of the truth table: its unit in the VOUnits standard (IVOA VOUnits 1.1) and what it is."""

    name: str
    unit: str
    description: str


_LABEL_TEXT = {
    "teff": ("K", "Effective temperature"),
    "logg": ("log(cm.s**-2)", "Surface gravity"),
    "feh": ("dex", "[Fe/H]"),
    "alpha_m": ("dex", "[alpha/M]"),
    "c_fe": ("dex", "[C/Fe]"),
    "n_fe": ("dex", "[N/Fe]"),
}

COLUMNS = (
    TruthColumn("source_id", "", "Identifier; its pixel is that of the detection"),
    TruthColumn("kind", "", "What the object is: " + ", ".join(kind.name.lower() for kind in Kind)),
    TruthColumn("population", "", "Where it belongs: " + ", ".join(population.name.lower() for population in Population)),
    TruthColumn("cluster", "", "Cluster by whose place and properties the star was simulated; null for field stars"),
    *(TruthColumn(name, *_LABEL_TEXT[name]) for name in LABEL_NAMES),
    TruthColumn("mh", "dex", "[M/H] of all elements; null, as all abundances, for white dwarfs"),
    TruthColumn("age", "Gyr", "Age"),
    TruthColumn("mass", "solMass", "Mass"),
    TruthColumn("radius", "solRad", "Radius"),
    TruthColumn("distance", "kpc", "Distance"),
    TruthColumn("parallax", "mas", "Parallax without noise and zero point"),
    TruthColumn("ra", "deg", "Right ascension"),
    TruthColumn("dec", "deg", "Declination"),
    TruthColumn("l", "deg", "Galactic longitude"),
    TruthColumn("b", "deg", "Galactic latitude"),
    TruthColumn("pmra", "mas.yr**-1", "Proper motion in right ascension, times cos(dec)"),
    TruthColumn("pmdec", "mas.yr**-1", "Proper motion in declination"),
    TruthColumn("radial_velocity", "km.s**-1", "Barycentric radial velocity"),
    TruthColumn("v_x", "km.s**-1", "Galactocentric velocity from the Sun's side towards the centre"),
    TruthColumn("v_y", "km.s**-1", "Galactocentric velocity along the Sun's rotation"),
    TruthColumn("v_z", "km.s**-1", "Galactocentric velocity to the north"),
    TruthColumn("ebv", "mag", "Reddening E(B-V)"),
    TruthColumn("rv", "", "R_V of the extinction curve"),
    TruthColumn("g", "mag", "G by which it was selected: without noise, at R_V 3.1, without emission lines, of all the light"),
    TruthColumn("is_binary", "", "Whether an unresolved companion adds its light"),
    TruthColumn("equal_mass", "", "A binary of two stars alike"),
    TruthColumn("mass_ratio", "", "Of a binary, the companion's mass over the star's; else null"),
    TruthColumn("companion_teff", "K", "Effective temperature of the companion; null where there is none"),
    TruthColumn("companion_logg", "log(cm.s**-2)", "Surface gravity of the companion; null where there is none"),
    TruthColumn("companion_radius", "solRad", "Radius of the companion; null where there is none"),
    TruthColumn("rest_frame_shift", "km.s**-1", "Velocity by which the RVS spectrum misses the rest frame, positive to the red"),
    TruthColumn("wrong_match", "", "source_id of the star whose survey rows this one got; null where it got its own"),
    TruthColumn("missing_bp", "", "No BP spectrum"),
    *(TruthColumn(f"missing_{band.lower()}", "", f"No {band} magnitude") for band in NIR_BANDS),
)
"""The truth table, column by column."""


def truth_table(stars: Stars) -> pa.Table:
    """Everything true of the stars, one row each; the fields' metadata are ``unit`` and ``description``."""
    arrays = _values(stars)
    table_fields = [
        pa.field(column.name, arrays[column.name].type, metadata={"unit": column.unit, "description": column.description})
        for column in COLUMNS
    ]
    about = {"description": "Simulated stars: what is true of them. Not real measurements."}
    return pa.table([arrays[column.name] for column in COLUMNS], schema=pa.schema(table_fields, metadata=about))


def write_truth(table: pa.Table, path: Path) -> str:
    """Write a truth table as Parquet, whole or not at all, and give the file's SHA-256; the same table gives the same bytes."""
    part = path.with_name(path.name + ".part")
    pq.write_table(table, part, compression="zstd", write_page_checksum=True)
    digest = hashlib.sha256(part.read_bytes()).hexdigest()
    part.replace(path)
    return digest


def _values(stars: Stars) -> dict[str, pa.Array]:
    values: dict[str, Any] = {
        name: getattr(stars, name)
        for name in (
            *("source_id", "age", "mass", "radius", "distance", "parallax", "ra", "dec", "l", "b", "pmra", "pmdec", "radial_velocity"),
            *("ebv", "rv", "g", "is_binary", "equal_mass", "rest_frame_shift", "missing_bp"),
        )
    }
    values |= {name: getattr(stars.labels, name) for name in LABEL_NAMES}
    values |= {f"v_{axis}": stars.velocity[:, i] for i, axis in enumerate("xyz")}
    values |= {f"missing_{band.lower()}": stars.missing_nir[:, i] for i, band in enumerate(NIR_BANDS)}
    arrays = {name: pa.array(np.ascontiguousarray(value)) for name, value in values.items()}
    arrays["kind"] = _words(stars.kind, [kind.name.lower() for kind in Kind])
    arrays["population"] = _words(stars.population, [population.name.lower() for population in Population])
    arrays["cluster"] = _words(stars.cluster, [cluster.name for cluster in CLUSTERS])
    bare = stars.kind == Kind.WHITE_DWARF
    for name in ("feh", "alpha_m", "c_fe", "n_fe"):
        arrays[name] = pa.array(values[name], mask=bare)
    arrays["mh"] = pa.array(stars.labels.mh, mask=bare)
    single = ~stars.is_binary
    companion = {"mass_ratio": stars.mass_ratio, "companion_teff": stars.companion.teff, "companion_logg": stars.companion.logg}
    for name, value in (companion | {"companion_radius": stars.companion_radius}).items():
        arrays[name] = pa.array(value, mask=single)
    arrays["wrong_match"] = pa.array(stars.wrong_match, mask=stars.wrong_match == 0)
    return arrays


def _words(number: Any, words: list[str]) -> pa.Array:
    """Texts by number; null for numbers below zero."""
    return pa.array([words[i] if i >= 0 else None for i in number.tolist()], pa.string())
