"""A finished run looked at before people see it: are its rows whole and its numbers finite, and how do its labels compare.

Checks pass or fail and decide; figures are for people to judge. What a figure is, is the model's own affair (``ModelModule.run_figures``).
"""

from dataclasses import dataclass

import psycopg
from psycopg import sql

from catalog.database import Database, Role
from catalog.errors import RunError
from catalog.releases import release_named
from catalog.runs import Run, count_rows, partition_name, read_run
from catalog.schema.column import ColumnType
from catalog.schema.label_table import LABEL_TABLES
from catalog.store.model_store import versions
from models.registry import model_module
from models.spec import Figure


@dataclass(frozen=True)
class Check:
    """One thing that must hold, whether it does, and what was seen."""

    name: str
    passed: bool
    seen: str


@dataclass(frozen=True)
class Validation:
    """What was found of a run; ``simulated`` tells what kind of stars the figures are of."""

    run: Run
    simulated: bool
    checks: tuple[Check, ...]
    figures: tuple[Figure, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


def validate_run(database: Database, run_id: int) -> Validation:
    """Look at a run whose chunks are all done; RunError if they are not."""
    with database.connect(Role.WORKER) as connection:
        run = read_run(connection, run_id)
        if run.state not in ("complete", "published", "withdrawn"):
            raise RunError(f"run {run_id} is {run.state}; finish it with `kiel run work {run_id}` before it is validated.")
        checks = (_rows(connection, run), _finite(connection, run))
        version = next(each for each in versions(connection, run.model) if each.model_version_id == run.model_version_id)
        release = release_named(connection, run.release)
        figures = model_module(run.model).run_figures(connection, release, run.run_id, version.configuration, version.seed)
    return Validation(run, release.simulated, checks, tuple(figures))


def _rows(connection: psycopg.Connection, run: Run) -> Check:
    """Every source has a label or a reason, exactly one."""
    labelled, unlabelled, both = count_rows(connection, run)
    passed = labelled + unlabelled == run.sources and both == 0 and labelled > 0
    return Check("rows", passed, f"{labelled} labels and {unlabelled} reasons for {run.sources} sources, {both} with both")


def _finite(connection: psycopg.Connection, run: Run) -> Check:
    """No number of a label is NaN or infinite; what is missing is null."""
    table = LABEL_TABLES[run.model]
    numbers = [sql.Identifier(column.name) for column in table.columns if column.type in (ColumnType.REAL, ColumnType.DOUBLE)]
    wrong = sql.SQL(" OR ").join(sql.SQL("{} IN ('NaN', 'Infinity', '-Infinity')").format(each) for each in numbers)
    query = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(sql.Identifier("store", partition_name(table.name, run.run_id)), wrong)
    (count,) = connection.execute(query).fetchone() or (0,)
    return Check("finite numbers", count == 0, f"{count} rows with numbers that are not finite in {len(numbers)} columns")
