"""What follows from the loaded files of a release: links of its surveys, photometry of 2MASS by source, and the planner's statistics of both."""

from collections.abc import Iterable
from dataclasses import dataclass

from catalog.database import Database
from catalog.schema.survey_link import SURVEY_LINK
from catalog.schema.two_mass import TWO_MASS_PHOTOMETRY
from ingest.linking.link import LinkedSurvey, link_surveys
from ingest.linking.two_mass import JoinedTwoMass, join_two_mass
from ingest.planner_statistics import refresh_statistics


@dataclass(frozen=True)
class ReleaseLinks:
    """The surveys that have rows in the release, and what 2MASS came to; None where there is nothing of it."""

    surveys: tuple[LinkedSurvey, ...]
    two_mass: JoinedTwoMass | None


def link_release(database: Database, release: str) -> ReleaseLinks:
    """Bring everything up to date that follows from the release's files; what has not changed is left. UsageError, TransientError as its parts."""
    surveys = tuple(link_surveys(database, release))
    two_mass = join_two_mass(database, release)
    refresh_statistics(database, changed_tables(surveys, two_mass))
    return ReleaseLinks(surveys, two_mass)


def changed_tables(surveys: Iterable[LinkedSurvey], two_mass: JoinedTwoMass | None) -> list[str]:
    """The tables that linking has changed."""
    links = [SURVEY_LINK.name] if any(each.relinked for each in surveys) else []
    return [*links, TWO_MASS_PHOTOMETRY.name] if two_mass is not None and two_mass.joined else links
