"""Which stars a version learns from and which are held out: one query, one split by seed, both stored with the version.

Stars fall into three groups by the file that their spectrum came from (sql/queries/training.sql takes the patterns as parameters; this
is the one place that holds them):

    unusual     planetary nebulae and symbiotic stars
    bright      ordinary and standard stars, picked by hand by their authors: bright, far from a fair sample, held out always
    field       every other file: consecutive sources of the archive, a fair sample
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import psycopg
from jaxtyping import Float, Int

from catalog.errors import DataError
from catalog.releases import DataRelease
from catalog.spectra import WITHOUT_CORRELATIONS
from catalog.statements import statement
from catalog.store.spectrum_store import read_spectra
from models.inputs import XpInputs, xp_inputs

FILE_PATTERNS: dict[str, tuple[str, ...]] = {
    "unusual": ("%xp\\_opcruz%",),
    "bright": (
        "%xp\\_bright\\_ddf%",
        "%xp\\_calspec%",
        "%xp\\_gaiaxpy%",
        "%gaiaxpy\\_reference%",
        "%xp\\_astroquery%",
        "%archive\\_formats%",
        "%xp\\_weiler%",
    ),
}
"""SQL LIKE patterns of file names for each group but field."""


@dataclass(frozen=True, eq=False)
class TrainingSample:
    """What a query gave and how a seed split it: ``train`` and, by group, the stars ``held_out``."""

    query: str
    source_id: Int[np.ndarray, " sample"]
    train: XpInputs
    held_out: Mapping[str, XpInputs]

    @property
    def sha256(self) -> str:
        """SHA-256 of the sorted identifiers that the query gave, one a line."""
        return identifiers_sha256(self.source_id)

    @property
    def numbers_sha256(self) -> str:
        """SHA-256 of the training stars' coefficients and errors as float32: a fuller spectrum or another G gives another one."""
        state = hashlib.sha256()
        for numbers in (self.train.coefficients, self.train.errors):
            state.update(numbers.astype("<f4").tobytes())
        return state.hexdigest()

    @property
    def split(self) -> dict[str, dict[str, object]]:
        """Size and identifiers' SHA-256 of each part, as stored with a version."""
        parts = {"train": self.train} | {f"held_out_{group}": stars for group, stars in self.held_out.items()}
        return {name: {"count": len(stars), "sha256": identifiers_sha256(stars.source_id)} for name, stars in parts.items()}


def identifiers_sha256(source_id: Int[np.ndarray, " n"]) -> str:
    """SHA-256 of sorted identifiers, one a line."""
    return hashlib.sha256("".join(f"{each}\n" for each in np.sort(source_id)).encode()).hexdigest()


def hold_out(
    group: Mapping[str, Int[np.ndarray, " n"]], *, field: int, field_share: float, unusual_share: float, seed: int
) -> tuple[Int[np.ndarray, " train"], dict[str, Int[np.ndarray, " held_out"]]]:
    """Split identifiers by seed: ``field`` field stars but at most ``field_share`` of them, ``unusual_share`` of the unusual, all bright.

    The split depends on the identifiers and the seed alone, not on their order.
    """
    random = np.random.default_rng(seed)
    fields, unusual = (random.permutation(np.sort(group[name])) for name in ("field", "unusual"))
    n_field = min(field, int(field_share * len(fields)))
    n_unusual = int(unusual_share * len(unusual))
    held_out = {"field": fields[:n_field], "bright": np.sort(group["bright"]), "unusual": unusual[:n_unusual]}
    return np.concatenate([fields[n_field:], unusual[n_unusual:]]), {name: np.sort(ids) for name, ids in held_out.items()}


def read_xp_sample(
    connection: psycopg.Connection,
    release: DataRelease,
    model: str,
    synthetic_g: Float[np.ndarray, " pixels"] | None,
    held_out: Mapping[str, float],
    seed: int,
) -> TrainingSample:
    """The release's spectra with coefficients and errors in both bands, split by seed; DataError if too few are left to learn from.

    ``held_out`` holds the keywords of ``hold_out``. Stars without a flux scale or with numbers that are not finite are left out.
    """
    parameters = {
        "release_id": release.release_id, "layout": int(WITHOUT_CORRELATIONS), **{name: list(patterns) for name, patterns in FILE_PATTERNS.items()},
    }  # fmt: skip
    query = psycopg.ClientCursor(connection).mogrify(statement("training_sample_xp"), parameters)
    rows = connection.execute(statement("training_sample_xp"), parameters).fetchall()
    source_id = np.array([row[0] for row in rows], np.int64)
    group_of = np.array([row[1] for row in rows], object)
    if len(source_id) == 0:
        raise DataError(
            f"release {release.name} has no spectra with errors to learn from; "
            "add files with coefficient_errors by `kiel ingest add DIR` and load them with `kiel ingest work`."
        )
    blocks = []
    for batch in read_spectra(connection, release, int(source_id.min()), int(source_id.max()), correlations=False):
        stars, _ = xp_inputs(batch, model, release.n_bp, release.n_rp, synthetic_g)
        blocks.append(stars.take(np.isin(stars.source_id, source_id) & stars.compared.all(axis=1)))
    stars = XpInputs.concatenate(blocks)
    groups = dict(zip(source_id.tolist(), group_of.tolist(), strict=True))
    named = np.array([groups[each] for each in stars.source_id.tolist()], object)
    ids = {name: stars.source_id[named == name] for name in ("field", "bright", "unusual")}
    train, held = hold_out(
        ids, field=int(held_out["field"]), field_share=held_out["field_share"], unusual_share=held_out["unusual_share"], seed=seed
    )
    if len(train) < 2:
        raise DataError(f"only {len(train)} of {len(source_id)} spectra with errors in release {release.name} are left to learn from.")
    return TrainingSample(query, source_id, _chosen(stars, train), {name: _chosen(stars, each) for name, each in held.items()})


def _chosen(stars: XpInputs, source_id: Int[np.ndarray, " n"]) -> XpInputs:
    """The stars with these identifiers, in the order of identifiers, so that a seed gives the same batches however rows are stored."""
    order = np.argsort(stars.source_id)
    return stars.take(order[np.isin(stars.source_id[order], source_id)])
