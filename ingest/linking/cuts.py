"""How many rows each cut of a paper's training sample passes, alone and one after the other (views surveys.training_...)."""

from dataclasses import dataclass
from typing import Any

from psycopg import sql

from catalog.database import Database, Role
from catalog.errors import UsageError
from catalog.releases import release_named
from catalog.schema.column import ColumnType, PublicView
from catalog.schema.public_views import PER_RELEASE
from catalog.schema.training_views import TRAINING_VIEWS, cuts_of

PAPERS: dict[str, PublicView] = {view.name.removeprefix("training_"): view for view in TRAINING_VIEWS}
"""The training views by the model that each paper is of."""


@dataclass(frozen=True)
class CutCount:
    """One cut: the rows that pass it, those that no cut up to this one refuses, and those that could not be asked."""

    name: str
    rule: str
    passed: int
    left: int
    unavailable: int


@dataclass(frozen=True)
class CutCounts:
    """The cuts of one paper in one release. ``undecided`` rows pass every cut that could be asked, but not all could: they are not chosen."""

    paper: str
    view: str
    candidates: int
    cuts: tuple[CutCount, ...]
    chosen: int
    undecided: int
    options: dict[str, int]


def count_cuts(database: Database, release: str, paper: str | None = None) -> list[CutCounts]:
    """The counts of every paper's training view, or of one; UsageError for a paper or release that there is not."""
    if paper is not None and paper not in PAPERS:
        raise UsageError(f"there is no training sample {paper}; there are {', '.join(PAPERS)}.")
    with database.connect(Role.WORKER) as connection:
        schema = PER_RELEASE["surveys"].format(suffix=release_named(connection, release).suffix)
        found = []
        for name, view in PAPERS.items():
            if paper in (None, name):
                row = connection.execute(_query(view, schema)).fetchone()
                assert row is not None
                found.append(_counts(name, view, schema, list(row)))
        return found


def _options(view: PublicView) -> list[str]:
    """Its boolean columns that are no cuts: what stands after ``chosen``."""
    names = [column.name for column in view.columns]
    return [column.name for column in view.columns[names.index("chosen") + 1 :] if column.type is ColumnType.BOOLEAN]


def _query(view: PublicView, schema: str) -> sql.Composed:
    cuts = [sql.Identifier(column.name) for column in cuts_of(view)]
    counted: list[sql.Composable] = []
    for number, cut in enumerate(cuts):
        so_far = sql.SQL(" AND ").join(sql.SQL("{} IS NOT FALSE").format(earlier) for earlier in cuts[: number + 1])
        counted += [cut, so_far, sql.SQL("{} IS NULL").format(cut)]
    counted += [sql.Identifier("chosen"), sql.SQL("chosen IS NULL"), *map(sql.Identifier, _options(view))]
    counts = sql.SQL(", ").join(sql.SQL("count(*) FILTER (WHERE {})").format(condition) for condition in counted)
    return sql.SQL("SELECT count(*), {} FROM {}").format(counts, sql.Identifier(schema, view.name))


def _counts(paper: str, view: PublicView, schema: str, row: list[Any]) -> CutCounts:
    cuts = cuts_of(view)
    candidates, counted, (chosen, undecided, *options) = row[0], row[1 : 1 + 3 * len(cuts)], row[1 + 3 * len(cuts) :]
    return CutCounts(
        paper, f"{schema}.{view.name}", candidates,
        tuple(
            CutCount(cut.name, cut.description.removeprefix("Cut: "), *counted[3 * number : 3 * number + 3]) for number, cut in enumerate(cuts)
        ),
        chosen, undecided, dict(zip(_options(view), options, strict=True)),
    )  # fmt: skip
