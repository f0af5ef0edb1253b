"""How what a result holds is to be cited: the papers of the releases whose sources it has."""

from collections.abc import Iterable

from tap_service.results.field_types import Field
from tap_service.results.votable import Info

PAPERS = {"gaiadr3": ("2023A&A...674A...1G", "Gaia Collaboration, Vallenari et al. 2023: Gaia Data Release 3")}
"""By the schema of a release: bibcode and title of its paper. Simulated releases have none."""


def citations(fields: Iterable[Field]) -> tuple[Info, ...]:
    """An INFO for each release that a column identifies sources of."""
    releases = dict.fromkeys(field.source_release for field in fields)
    return tuple(Info("citation", PAPERS[release][0], PAPERS[release][1], "meta.bib.bibcode") for release in releases if release in PAPERS)
