"""The commands ``kiel ingest link`` and ``kiel ingest cuts``: survey rows and 2MASS to Gaia sources, and what the papers' cuts leave of them."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from catalog.command_output import json_option, report
from catalog.database import Database, Role
from catalog.embedded_server import open_database
from catalog.errors import TransientError
from catalog.releases import release_named
from catalog.settings import settings
from ingest.effort import HERE, Effort
from ingest.faults import told_as_transient
from ingest.patience import Patience

if TYPE_CHECKING:
    from ingest.linking.cuts import CutCounts
    from ingest.linking.link import LinkedSurvey
    from ingest.linking.two_mass import JoinedTwoMass

_release_option = click.option("--release", default="gaia_dr3", show_default=True, help="Data release whose sources are meant.")


@click.command()
@_release_option
@click.option("--survey", "surveys", metavar="NAME", multiple=True, help="Survey to link, such as apogee; all of them unless given.")
@click.option("--again", is_flag=True, help="Link also what has not changed.")
@json_option
def link(release: str, surveys: tuple[str, ...], again: bool, as_json: bool) -> None:
    """Link survey rows to Gaia sources; without --survey also join 2MASS. What has not changed since the last time stays as it is."""
    from ingest.linking.link import link_surveys  # healpy, astropy and scipy take a second, which other commands do not need
    from ingest.linking.two_mass import join_two_mass

    database = open_database(settings())
    found = link_surveys(database, release, surveys=surveys or None, again=again, report=_tell)
    joined = None if surveys else join_two_mass(database, release, again=again, report=_tell_joined)
    values = {
        "release": release,
        "surveys": [asdict(each) | {"linked": each.linked} for each in found],
        "two_mass": None if joined is None else asdict(joined),
    }
    lines = [*map(_link_line, found), *([] if joined is None else [_joined_line(joined)])]
    report(values, "\n".join(lines) or f"Neither surveys nor 2MASS have rows in {release}.", as_json)


def link_loaded(database: Database, release: str, effort: Effort = HERE) -> None:
    """Link what loading has changed, once no file of the release waits any more; one line a survey on stderr, and one for 2MASS.

    A database that goes away is borne as long as the effort's patience lasts: what is linked stays so, and the rest goes on.
    """
    patience = Patience(database, effort.patience_seconds, effort.reopen)
    while True:
        try:
            return _link_loaded(patience.database, release)
        except TransientError as fault:
            patience.wait(fault)


def _link_loaded(database: Database, release: str) -> None:
    from ingest import ledger
    from ingest.linking.link import link_surveys
    from ingest.linking.two_mass import join_two_mass

    with database.connect(Role.WORKER) as connection, told_as_transient():
        if any(file.state in ledger.PENDING for file in ledger.files(connection, release_named(connection, release))):
            return
    for each in link_surveys(database, release):
        if each.relinked:
            words = {
                "survey": each.survey,
                "rows": each.rows,
                "linked": each.linked,
                "ambiguous": each.ambiguous,
                "seconds": f"{each.seconds:.2f}",
            }
            print("step=linked", *(f"{key}={word}" for key, word in words.items()), file=sys.stderr, flush=True)
    joined = join_two_mass(database, release)
    if joined is not None and joined.joined:
        print(
            f"step=joined table=two_mass rows={joined.rows} changed={joined.changed} seconds={joined.seconds:.2f}",
            file=sys.stderr,
            flush=True,
        )


def _tell(survey: str, rows: int) -> None:
    print(f"step=linking survey={survey} rows={rows}", file=sys.stderr, flush=True)


def _tell_joined(rows: int) -> None:
    print(f"step=joining table=two_mass rows={rows}", file=sys.stderr, flush=True)


def _joined_line(joined: "JoinedTwoMass") -> str:
    rate = f"{joined.changed} changed; {joined.rows / max(joined.seconds, 1e-9):.0f} rows/s" if joined.joined else "nothing has changed"
    return f"{'two_mass':<16}{joined.rows} sources with photometry; {rate}"


def _link_line(each: "LinkedSurvey") -> str:
    methods = ", ".join(f"{count} {method}" for method, count in each.by_method.items())
    rate = f"{each.rows / max(each.seconds, 1e-9):.0f} rows/s" if each.relinked else "nothing has changed"
    return (
        f"{each.survey:<16}{each.linked} of {each.rows} rows linked ({methods or 'none'}); {each.ambiguous} ambiguous, {each.far} far, "
        f"{each.primaries} primary; {rate}"
    )


@click.command()
@_release_option
@click.option("--paper", metavar="MODEL", help="Model whose paper's cuts to count, such as forward; all of them unless given.")
@json_option
def cuts(release: str, paper: str | None, as_json: bool) -> None:
    """Count what the cuts of each paper's training sample leave: alone, one after the other, and what the release cannot be asked."""
    from ingest.linking.cuts import count_cuts

    found = count_cuts(open_database(settings()), release, paper)
    report({"release": release, "papers": [asdict(each) for each in found]}, "\n\n".join(map(_cut_table, found)), as_json)


def _cut_table(counts: "CutCounts") -> str:
    lines = [f"{counts.view}: {counts.candidates} candidates", f"  {'cut':<24}{'alone':>10}{'left':>10}{'unasked':>10}  rule"]
    lines += [f"  {cut.name:<24}{cut.passed:>10}{cut.left:>10}{cut.unavailable:>10}  {cut.rule}" for cut in counts.cuts]
    undecided = f"; {counts.undecided} pass all that could be asked, and are not chosen" if counts.undecided else ""
    lines.append(f"  {counts.chosen} chosen{undecided}")
    lines += [f"  {number} {name}" for name, number in counts.options.items()]
    return "\n".join(lines)
