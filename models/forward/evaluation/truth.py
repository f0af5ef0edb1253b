"""The truth of a simulated sky, and how well it could be known at best: the files beside a sky that evaluation alone reads.

They are read where their paths are given, here and nowhere else in the models; no training and no prediction sees them.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Float, Int64

from catalog.errors import DataError
from models.forward.evaluation.estimates import EstimatedStars
from models.forward.evaluation.references import Reference, placed
from models.forward.parameters import PARAMETERS

TRUTH_COLUMNS = dict(zip(PARAMETERS, ("teff", "feh", "logg", "ebv", "parallax"), strict=True))
ALPHABET = {"ext": "ebv"}
"""Names of bounds that are not the parameters' own."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What is true of simulated stars: a Reference, what each is, and the sky's own clusters; ``kind`` is '' for a star that the file lacks."""

    reference: Reference
    kind: np.ndarray
    is_binary: Bool[np.ndarray, " n"]
    cluster: np.ndarray

    @property
    def ordinary(self) -> Bool[np.ndarray, " n"]:
        """Single stars that are no oddity."""
        return (self.kind == "star") & ~self.is_binary


@dataclass(frozen=True, eq=False)
class Bounds:
    """How well parameters could be known at best: one number a star and parameter, NaN where there is none; ``words`` say of what it is the bound."""

    key: str
    words: str
    values: Float[np.ndarray, "n 5"]


def read_truth(path: Path, source_id: Int64[np.ndarray, " n"]) -> Truth:
    """The truth of a simulated sky about these stars, from its truth.parquet; DataError for a file that is none or has none of them."""
    table = _table(path, ("source_id", "kind", "is_binary", "cluster", *TRUTH_COLUMNS.values()))
    here, there = placed(source_id, table["source_id"].to_numpy())
    if len(here) == 0:
        raise DataError(f"{path} says nothing of any of these {len(source_id)} stars: it is the truth of another sky.")
    values = np.full((len(source_id), len(PARAMETERS)), np.nan)
    for number, name in enumerate(TRUTH_COLUMNS.values()):
        values[here, number] = table[name].to_numpy(zero_copy_only=False)[there]
    kind, cluster, binary = np.full(len(source_id), "", object), np.full(len(source_id), None, object), np.zeros(len(source_id), bool)
    kind[here] = np.array(table["kind"].to_pylist(), object)[there]
    cluster[here] = np.array(table["cluster"].to_pylist(), object)[there]
    binary[here] = table["is_binary"].to_numpy(zero_copy_only=False)[there]
    return Truth(Reference("truth", "the truth of the simulated sky", values, np.full_like(values, np.nan)), kind, binary, cluster)


def kind_counts(stars: EstimatedStars, truth: Truth) -> list[tuple[str, int, float, float, float]]:
    """What becomes of each kind of object: name, stars with labels, the shares that pass the basic cut, lie outside the domain, and do either fail or lie."""
    single, binary = truth.ordinary, (truth.kind == "star") & truth.is_binary
    kinds = {"single stars": single, "unresolved binaries": binary}
    kinds |= {str(kind).replace("_", " "): truth.kind == kind for kind in sorted(set(truth.kind.tolist()) - {"", "star"})}
    found = []
    for name, mask in kinds.items():
        if mask.any():
            caught = ~stars.reliable | stars.outside
            passed, outside, either = (float(each[mask].mean()) for each in (stars.reliable, stars.outside, caught))
            found.append((name, int(mask.sum()), passed, outside, either))
    return found


OTHER_DATA = ("xp", "rvs", "all")
"""Families of bounds from other data than the model sees, which are XP, photometry and parallax."""
BOUND = re.compile(r"(.+)_(sigma|error|bound)_teff")


def read_bounds(path: Path, source_id: Int64[np.ndarray, " n"]) -> list[Bounds]:
    """The bounds of a simulated sky, from its information.parquet or a file with columns named alike: NAME_sigma_teff and so on.

    Families from other data than the model sees are left out. Each one's words are its columns' description. Those that know the population (error) come
    before those of the measurements alone (sigma), others named ``bound`` first of all.
    """
    table = _table(path, ("source_id",))
    here, there = placed(source_id, table["source_id"].to_numpy())
    found = []
    for column in table.column_names:
        family = BOUND.fullmatch(column)
        if family is None or family[1] in OTHER_DATA:
            continue
        values = np.full((len(source_id), len(PARAMETERS)), np.nan)
        for number, name in enumerate(PARAMETERS):
            of = f"{family[1]}_{family[2]}_{ALPHABET.get(name, name)}"
            of = of if of in table.column_names else f"{family[1]}_{family[2]}_{name}"
            if of in table.column_names:
                values[here, number] = table[of].to_numpy(zero_copy_only=False)[there]
        said = (table.schema.field(column).metadata or {}).get(b"description", column.encode()).decode()
        found.append(Bounds(f"{family[1]}_{family[2]}", said.replace(" of teff", "").partition(";")[0], values))
    if not found:
        raise DataError(f"{path} has no column such as xp_phot_sigma_teff.")
    return sorted(found, key=lambda each: ("bound", "error", "sigma").index(each.key.rpartition("_")[2]))


def _table(path: Path, columns: tuple[str, ...]) -> pa.Table:
    """A Parquet file that has these columns; DataError if there is none."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}") from error
    if missing := [name for name in columns if name not in table.column_names]:
        raise DataError(f"{path} has no column {', '.join(missing)}.")
    return table
