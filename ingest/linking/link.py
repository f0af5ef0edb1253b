"""The rows of a survey to Gaia sources, block by block, and the links into survey_link in one transaction.

A survey is linked again only when the files behind its link have changed (its own, those of Gaia's sources and spectra, neighbourhood tables, 2MASS), or
the rules have: tables follow from the files that are loaded, so their digest stands for them. The same tables give the same links, whatever was
loaded first; rows loaded before their sources are linked as soon as the sources are there.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from catalog.binary_copy import Rows, read_rows, write_rows
from catalog.database import Database, Role
from catalog.errors import UsageError
from catalog.healpix import ARCSEC, MAX_PADDING
from catalog.releases import DataRelease, release_named
from catalog.rows import CopyField
from catalog.schema.column import ColumnType
from catalog.schema.survey_link import METHODS
from catalog.statements import statement
from ingest.faults import told_as_transient
from ingest.linking.candidates import SOURCE_FIELDS, Candidates
from ingest.linking.choose import CROSSMATCH_2MASS, GIVEN, NEIGHBOURHOOD, NO_LINK, Identified, Links, choose
from ingest.linking.cover import covering_ranges
from ingest.linking.epoch import separation
from ingest.linking.loaded_files import loaded_files
from ingest.linking.rules import FAST_MAS_YR, RULES, LinkRules
from ingest.linking.stray import StraySources

BLOCK_ROWS = 20_000
"""Rows of a survey in memory at once, with their candidates."""
ALGORITHM = 2
"""Part of every fingerprint: one more whenever the code gives other links from the same tables and rules."""

_LOCK = 0x6B694C31
"""The first key of the advisory lock on linking ("kiL1"); the second is release_id."""
_SOURCE_TABLES = ("gaia_source", "xp_spectrum", "id_map")
_TWO_MASS_TABLES = ("two_mass", "tmass_best_neighbour")

_RANGE = (
    CopyField("row", ColumnType.INTEGER), CopyField("dec", ColumnType.DOUBLE), CopyField("first", ColumnType.BIGINT), CopyField("last", ColumnType.BIGINT),
)  # fmt: skip
_IDENTIFIER = (
    CopyField("row", ColumnType.INTEGER), CopyField("place", ColumnType.SMALLINT), CopyField("numbering", ColumnType.TEXT),
    CopyField("source_id", ColumnType.BIGINT),
)  # fmt: skip
_IDENTIFIED = (
    *SOURCE_FIELDS, CopyField("place", ColumnType.SMALLINT), CopyField("through_neighbourhood", ColumnType.BOOLEAN),
    CopyField("angular_distance", ColumnType.DOUBLE), CopyField("magnitude_difference", ColumnType.DOUBLE),
)  # fmt: skip
_NAME = (CopyField("row", ColumnType.INTEGER), CopyField("source_id", ColumnType.BIGINT), CopyField("designation", ColumnType.TEXT))
_COUNTERPART = _NAME[:2]
_LINKED = (
    CopyField("set_name", ColumnType.TEXT), CopyField("survey_id", ColumnType.TEXT), CopyField("source_id", ColumnType.BIGINT),
    CopyField("method", ColumnType.TEXT), CopyField("separation_arcsec", ColumnType.DOUBLE), CopyField("n_candidates", ColumnType.INTEGER),
    CopyField("link_flags", ColumnType.SMALLINT), CopyField("ambiguous", ColumnType.BOOLEAN),
)  # fmt: skip


@dataclass(frozen=True)
class LinkedSurvey:
    """What linking a survey came to. ``relinked`` is False where nothing had changed; ``by_method`` counts rows, ``none`` those without a source."""

    survey: str
    rows: int
    relinked: bool
    seconds: float
    by_method: dict[str, int] = field(default_factory=dict)
    ambiguous: int = 0
    far: int = 0
    primaries: int = 0

    @property
    def linked(self) -> int:
        """Rows with a source."""
        return self.rows - self.by_method.get("none", 0)


def _silent(survey: str, rows: int) -> None:
    """Reports to nobody."""


def link_surveys(
    database: Database,
    release: str,
    *,
    surveys: Iterable[str] | None = None,
    again: bool = False,
    report: Callable[[str, int], None] = _silent,
) -> list[LinkedSurvey]:
    """Link every survey of a release that has rows, or the named ones; ``again`` also where nothing has changed.

    ``report`` is told of the rows of a survey that are done. Two linkers of one release wait for one another. UsageError for a release or survey
    that does not exist; TransientError when the database goes away: each survey is linked whole or not at all, and the same call goes on.
    """
    wanted = _rules_of(surveys)
    with database.connect(Role.WORKER, autocommit=True) as guard, told_as_transient():
        data_release = release_named(guard, release)
        lock = {"class": _LOCK, "release_id": data_release.release_id}
        guard.execute(statement("linking_lock"), lock)
        linking = _Linking(database, data_release, report)
        found = [linking.link(rules, again) for rules in wanted]
    return [result for result in found if result is not None]


def _rules_of(surveys: Iterable[str] | None) -> list[LinkRules]:
    by_name = {rules.survey: rules for rules in RULES}
    names = set(by_name if surveys is None else surveys)
    if unknown := names - set(by_name):
        raise UsageError(f"there are no rules to link {', '.join(sorted(unknown))}; surveys are {', '.join(by_name)}.")
    return [rules for rules in RULES if rules.survey in names]


class _Linking:
    """One call of ``link_surveys``: what its surveys share."""

    def __init__(self, database: Database, release: DataRelease, report: Callable[[str, int], None]) -> None:
        self._database, self._release, self._report = database, release, report
        self._stray: tuple[str, Rows] | None = None

    def link(self, rules: LinkRules, again: bool) -> LinkedSurvey | None:
        """Link one survey in a transaction of its own; None where it has neither rows nor links."""
        started = time.monotonic()
        key: dict[str, object] = {"release_id": self._release.release_id, "survey": rules.survey}
        with self._database.connect(Role.WORKER) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            epoch, offset = connection.execute(statement("loaded_release"), key).fetchone() or (self._release.epoch, 0.0)
            fingerprint = self._fingerprint(connection, rules, offset)
            last = connection.execute(statement("last_linking"), key).fetchone()
            if last is not None and last[0] == fingerprint and not again:
                return _counted(connection, key, int(last[1]), relinked=False, seconds=time.monotonic() - started)
            if last is None and not _has_rows(connection, rules, key):
                return None
            connection.execute(statement("make_link_tables"))
            stray = self._stray_sources(connection, rules, epoch)
            connection.execute(statement("plan_for_lookups"))
            block = _Block(connection, self._release, rules, epoch, min(offset, MAX_PADDING), stray)
            rows = 0
            for part in self._survey_rows(connection, rules):
                write_rows(connection, sql.Identifier("linked"), block.links(part))
                rows += len(part)
                self._report(rules.survey, rows)
            connection.execute(statement("plan_for_whole_tables"))
            for _, follow in rules.follows:
                connection.execute(statement(follow), key)
            connection.execute(statement("remove_links"), key)
            connection.execute(_keep_links(rules), key)
            counted = _counted(connection, key, rows, relinked=True, seconds=time.monotonic() - started)
            values = {"fingerprint": fingerprint, "rows": rows, "linked": counted.linked}
            connection.execute(statement("keep_linking"), key | values)
            return counted

    def _fingerprint(self, connection: psycopg.Connection, rules: LinkRules, offset: float) -> str:
        """A digest of all that a survey's links follow from, in the transaction's snapshot."""
        followed = [other for other in RULES if other.survey in {survey for survey, _ in rules.follows}]
        tables = {rules.survey, *(other.survey for other in followed), *_SOURCE_TABLES, *_TWO_MASS_TABLES}
        files = loaded_files(connection, self._release.release_id, tables)
        return hashlib.sha256(repr((ALGORITHM, rules, followed, FAST_MAS_YR, self._release.epoch, offset, files)).encode()).hexdigest()

    def _stray_sources(self, connection: psycopg.Connection, rules: LinkRules, epoch: float) -> StraySources:
        """Read once for all surveys, as long as no file of Gaia's sources comes in between."""
        files = repr(loaded_files(connection, self._release.release_id, {"gaia_source"}))
        if self._stray is None or self._stray[0] != files:
            values = {"release_id": self._release.release_id, "fast": FAST_MAS_YR}
            blocks = list(read_rows(connection, statement("stray_sources"), SOURCE_FIELDS, values, block_rows=100_000))
            self._stray = files, Rows.concatenate([Rows.empty(SOURCE_FIELDS), *blocks])
        return StraySources(Candidates.at(self._stray[1], rules.epoch, epoch))

    def _survey_rows(self, connection: psycopg.Connection, rules: LinkRules) -> Iterator[Rows]:
        """The survey's rows along the sky, through a second connection that sees what the first one sees."""
        row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        with _same_snapshot(self._database, row[0]) as reader:
            query = _survey_query(rules)
            yield from read_rows(reader, query, _survey_fields(rules), {"release_id": self._release.release_id}, block_rows=BLOCK_ROWS)


def _has_rows(connection: psycopg.Connection, rules: LinkRules, key: dict[str, object]) -> bool:
    query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE release_id = %(release_id)s)").format(sql.Identifier("store", rules.survey))
    return bool((connection.execute(query, key).fetchone() or (False,))[0])


@contextmanager
def _same_snapshot(database: Database, snapshot: str) -> Iterator[psycopg.Connection]:
    with database.connect(Role.WORKER) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reader.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(snapshot)))
        yield reader


def _survey_fields(rules: LinkRules) -> tuple[CopyField, ...]:
    """The columns of ``_survey_query``."""
    given = [
        CopyField(f"{name}_{place}", kind)
        for place in range(len(rules.given))
        for name, kind in (("given", ColumnType.BIGINT), ("numbering", ColumnType.TEXT))
    ]
    return (
        CopyField("set_name", ColumnType.TEXT), CopyField("survey_id", ColumnType.TEXT), CopyField("ra", ColumnType.DOUBLE),
        CopyField("dec", ColumnType.DOUBLE), CopyField("designation", ColumnType.TEXT), *given,
    )  # fmt: skip


def _survey_query(rules: LinkRules) -> sql.Composed:
    """A survey's rows in the order of the sky; identifiers with what a column tells of the numbering of each, null where the rules tell it."""
    nothing = sql.SQL("NULL::text")
    columns: list[sql.Composable] = [
        sql.Identifier("set_name") if rules.by_set else sql.SQL("''::text"), sql.Identifier("survey_id"), sql.Identifier("ra"), sql.Identifier("dec"),
        nothing if rules.designation is None else sql.Identifier(rules.designation),
    ]  # fmt: skip
    for given in rules.given:
        told = nothing if given.numbering_column is None else sql.SQL("{}::text").format(sql.Identifier(given.numbering_column))
        columns += [sql.Identifier(given.column), told]
    return sql.SQL("SELECT {} FROM {} WHERE release_id = %(release_id)s ORDER BY position_key, survey_id").format(
        sql.SQL(", ").join(columns), sql.Identifier("store", rules.survey)
    )


class _Block:
    """Links the rows of one block after the other."""

    def __init__(
        self, connection: psycopg.Connection, release: DataRelease, rules: LinkRules, epoch: float, offset: float, stray: StraySources
    ) -> None:  # fmt: skip
        self._connection, self._release, self._rules, self._epoch, self._stray = connection, release, rules, epoch, stray
        self._radius = rules.search_radius * ARCSEC
        moved = abs(rules.epoch - epoch) * FAST_MAS_YR * ARCSEC / 1000.0
        self._reach, self._height = self._radius + offset + moved, self._radius + moved + 0.01 * ARCSEC
        numberings = sorted({"dr1", "dr2", "dr3", "dr4"} - {release.id_system})
        known = connection.execute(statement("numberings_with_neighbours"), {"release_id": release.release_id, "numberings": numberings})
        self._numberings = {release.id_system} | {name for (name,) in known.fetchall()}

    def links(self, rows: Rows) -> Rows:
        """The rows as the table ``linked`` takes them."""
        ra, dec = (np.where(rows.null(name), np.nan, rows[name]) for name in ("ra", "dec"))
        self._connection.execute(statement("empty_link_tables"))
        nearby = self._nearby(ra, dec)
        identified, names_source = self._identified(rows)
        if self._rules.designation is not None:
            identified = self._with_2mass(rows["designation"], ra, dec, nearby, identified)
        found = choose(ra, dec, identified, nearby, names_source, self._rules)
        return _as_linked(rows, found)

    def _nearby(self, ra: np.ndarray, dec: np.ndarray) -> Candidates:
        """Every source that may stand within the radius at the survey's epoch."""
        ranges = covering_ranges(ra, dec, self._reach)
        values = {"row": ranges.row.astype(np.int32), "dec": dec[ranges.row], "first": ranges.first, "last": ranges.last}
        write_rows(self._connection, sql.Identifier("link_range"), Rows(_RANGE, values))
        sources = self._read("sources_in_ranges", SOURCE_FIELDS, reach=self._height)
        return Candidates.joined([Candidates.at(sources, self._rules.epoch, self._epoch), self._stray.near(ra, dec, self._radius)])

    def _identified(self, rows: Rows) -> tuple[Identified, np.ndarray]:
        """The sources that the survey's identifiers name, and which rows have an identifier that can be looked up."""
        parts: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
        names_source = np.zeros(len(rows), bool)
        for place, given in enumerate(self._rules.given):
            numbering = np.array([given.numbering_of(told) for told in rows[f"numbering_{place}"].tolist()], object)
            usable = ~rows.null(f"given_{place}") & np.isin(numbering.astype(str), sorted(self._numberings))
            names_source |= usable
            there = np.flatnonzero(usable)
            parts.append((there, np.full(len(there), place, np.int16), numbering[there], rows[f"given_{place}"][there]))
        if parts:
            row, places, numbering, source_id = (np.concatenate(column) for column in zip(*parts, strict=True))
            values = {"row": row.astype(np.int32), "place": places, "numbering": numbering.astype(object), "source_id": source_id}
            write_rows(self._connection, sql.Identifier("link_identifier"), Rows(_IDENTIFIER, values))
        found = self._read("identified_sources", _IDENTIFIED, own=self._release.id_system)
        through = found["through_neighbourhood"]
        return Identified(
            Candidates.at(found, self._rules.epoch, self._epoch), np.where(through, NEIGHBOURHOOD, GIVEN).astype(np.int8),
            found["place"].astype(np.int8), *(np.where(found.null(name), np.inf, found[name]) for name in ("angular_distance", "magnitude_difference")),
        ), names_source  # fmt: skip

    def _with_2mass(
        self, designation: np.ndarray, ra: np.ndarray, dec: np.ndarray, nearby: Candidates, identified: Identified
    ) -> Identified:
        """Also the nearby sources whose 2MASS counterpart has the row's designation, for rows that no identifier leads further."""
        named = np.zeros(len(designation), bool)
        named[identified.source.row] = True
        prefix = self._rules.designation_prefix
        names = np.array(
            [None if name is None or not name.startswith(prefix) else name[len(prefix) :] for name in designation.tolist()], object
        )
        asked = np.flatnonzero(~named[nearby.row] & np.array([name is not None for name in names[nearby.row].tolist()], bool))
        values = {"row": nearby.row[asked].astype(np.int32), "source_id": nearby.source_id[asked], "designation": names[nearby.row[asked]]}
        write_rows(self._connection, sql.Identifier("link_name"), Rows(_NAME, values))
        pairs = self._read("counterparts_in_2mass", _COUNTERPART)
        place = {(row, source): i for i, (row, source) in enumerate(zip(nearby.row.tolist(), nearby.source_id.tolist(), strict=True))}
        found = np.array([place[pair] for pair in zip(pairs["row"].tolist(), pairs["source_id"].tolist(), strict=True)], np.int64)
        near = nearby.take(found)
        apart = separation(ra[near.row], dec[near.row], near.ra, near.dec)
        old, zeros = identified.source, np.zeros(len(found))
        source = Candidates(*(np.concatenate([getattr(old, name), getattr(near, name)]) for name in ("row", "source_id", "ra", "dec", "g")))
        return Identified(
            source, np.concatenate([identified.method, np.full(len(found), CROSSMATCH_2MASS, np.int8)]),
            np.concatenate([identified.place, zeros.astype(np.int8)]), np.concatenate([identified.distance, 1000.0 * apart]),
            np.concatenate([identified.difference, zeros]),
        )  # fmt: skip

    def _read(self, name: str, fields: tuple[CopyField, ...], **values: object) -> Rows:
        blocks = read_rows(self._connection, statement(name), fields, {"release_id": self._release.release_id, **values}, block_rows=50_000)
        return Rows.concatenate([Rows.empty(fields), *blocks])


def _as_linked(rows: Rows, found: Links) -> Rows:
    none = found.method == NO_LINK
    method = np.array([*METHODS, None], object)[found.method]  # NO_LINK is -1: the last
    values = {
        "set_name": rows["set_name"], "survey_id": rows["survey_id"], "source_id": found.source_id, "method": method,
        "separation_arcsec": found.separation, "n_candidates": found.n_candidates, "link_flags": found.flags, "ambiguous": found.ambiguous,
    }  # fmt: skip
    return Rows(_LINKED, values, {"source_id": none, "separation_arcsec": np.isnan(found.separation)})


def _keep_links(rules: LinkRules) -> sql.Composed:
    """The statement that writes the links, with the survey's rule for duplicates in it."""
    usable: sql.Composable = sql.SQL("true")
    if rules.duplicates.dropped is not None:
        column, mask = rules.duplicates.dropped
        usable = sql.SQL("(coalesce({}, 0) & {} = 0)").format(sql.Identifier("s", column), sql.Literal(mask))
    order = [
        sql.SQL("{} {} NULLS LAST, ").format(sql.Identifier("s", column), sql.SQL("DESC" if highest else "ASC"))
        for column, highest in rules.duplicates.order
    ]
    return statement("keep_links").format(
        usable=usable, order=sql.Composed(order), survey=sql.Identifier("store", rules.survey),
        same_set=sql.SQL("AND s.set_name = l.set_name" if rules.by_set else ""),
    )  # fmt: skip


def _counted(connection: psycopg.Connection, key: dict[str, object], rows: int, *, relinked: bool, seconds: float) -> LinkedSurvey:
    with connection.cursor(row_factory=dict_row) as cursor:
        counts = cursor.execute(statement("count_links"), key).fetchall()
    return LinkedSurvey(
        str(key["survey"]), rows, relinked, seconds, {count["method"]: count["rows"] for count in counts}, sum(count["ambiguous"] for count in counts),
        sum(count["far"] for count in counts), sum(count["primaries"] for count in counts),
    )  # fmt: skip
