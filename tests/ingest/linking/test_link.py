"""Rows to sources on real PostgreSQL: no neighbour is lost, identifiers lead, and the same tables always give the same links."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from catalog.database import Database, Role
from catalog.healpix import ARCSEC
from ingest.linking.epoch import at_epoch
from ingest.linking.link import LinkedSurvey, link_surveys
from ingest.linking.rules import FAST_MAS_YR
from ingest.sky.identifiers import displaced, moved, source_ids

DR3 = "gaia_dr3"
Put = Callable[..., None]


def links(database: Database, survey: str = "apogee", release_id: int = 1) -> list[tuple[Any, ...]]:
    """Every link of a survey, by its key."""
    with database.connect(Role.WORKER) as connection:
        query = """SELECT set_name, survey_id, source_id, method, separation_arcsec, n_candidates, link_flags, ambiguous, is_primary
            FROM store.survey_link WHERE release_id = %s AND survey = %s ORDER BY set_name, survey_id COLLATE "C" """
        return connection.execute(query, (release_id, survey)).fetchall()


def one(found: list[LinkedSurvey]) -> LinkedSurvey:
    (result,) = found
    return result


class Sky:
    """Crowded fields of sources displaced from their pixels, some of them fast, and what a survey sees of them at another epoch."""

    def __init__(self, seed: int, epoch: float, n: int = 2_400) -> None:
        random = np.random.default_rng(seed)
        middle_ra = np.array([0.0, 45.0, 180.0, 300.0, 77.0])[np.arange(n) % 5]
        middle_dec = np.array([0.0, 41.8103149, 89.999, -88.0, 20.0])[np.arange(n) % 5]
        angle = random.uniform(0, 2 * np.pi, n)
        self.ra, self.dec = moved(middle_ra, middle_dec, 60.0 * ARCSEC * np.sqrt(random.random(n)), angle)
        detected = displaced(self.ra, self.dec, random, share=1.0, n_far=12)
        self.source_id = source_ids(*detected, random)
        speed = np.where(np.arange(n) % 10 == 0, random.uniform(FAST_MAS_YR, 6_000.0, n), random.gamma(1.5, 20.0, n))
        speed[::100] = FAST_MAS_YR * random.uniform(0.98, 1.02, len(speed[::100]))  # on both sides of the limit
        self.pmra, self.pmdec = speed * np.sin(angle * 7), speed * np.cos(angle * 7)
        self.pmra[1::50] = self.pmdec[1::50] = np.nan
        self.g = random.uniform(8, 20, n)
        self.then = at_epoch(self.ra, self.dec, self.pmra, self.pmdec, np.full(n, np.nan), np.full(n, np.nan), np.full(n, epoch - 2016.0))
        seen = random.choice(n, n // 2, replace=False)
        self.row_ra, self.row_dec = moved(self.then[0][seen], self.then[1][seen], ARCSEC * random.gamma(1.0, 0.6, len(seen)), angle[seen])
        self.survey_id = np.array([f"row{number:05d}" for number in random.permutation(len(seen))], object)

    def sources(self) -> dict[str, Any]:
        return {
            "source_id": self.source_id, "ra": self.ra, "dec": self.dec, "ref_epoch": np.full(len(self.ra), 2016.0), "pmra": self.pmra,
            "pmdec": self.pmdec, "phot_g_mean_mag": self.g,
        }  # fmt: skip

    def nearest(self, radius: float) -> dict[str, tuple[int | None, float | None, int]]:
        """Source, separation and number of sources within the radius of each row, by trying every pair."""
        found: dict[str, tuple[int | None, float | None, int]] = {}
        for name, ra, dec in zip(self.survey_id, self.row_ra, self.row_dec, strict=True):
            # By vectors in space, not by the haversine of the code.
            apart = _angle(ra, dec, *self.then)
            inside = np.flatnonzero(apart <= radius)
            best = inside[np.lexsort((self.source_id[inside], apart[inside]))[:1]]
            found[name] = (int(self.source_id[best[0]]), float(apart[best[0]]), len(inside)) if len(best) else (None, None, 0)
        return found


def _angle(ra: float, dec: float, others_ra: np.ndarray, others_dec: np.ndarray) -> np.ndarray:
    def vector(lon: Any, lat: Any) -> np.ndarray:
        lon, lat = np.radians(lon), np.radians(lat)
        return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)

    difference = np.linalg.norm(vector(others_ra, others_dec) - vector(ra, dec), axis=-1)
    return np.asarray(np.degrees(2 * np.arcsin(difference / 2)) * 3600)


@pytest.mark.parametrize(("survey", "epoch", "radius"), [("apogee", 2000.0, 1.0), ("lamost", 2016.0, 1.0), ("galah", 2015.5, 1.0)])
def test_no_source_is_lost_however_displaced_or_fast_it_is(survey: str, epoch: float, radius: float, put: Put, database: Database) -> None:
    sky = Sky(3, epoch)
    put(database, "gaia_source", sky.sources())
    put(database, survey, {"survey_id": sky.survey_id, "ra": sky.row_ra, "dec": sky.row_dec})
    result = one(link_surveys(database, DR3, surveys=[survey]))
    expected = sky.nearest(radius)
    found = {row[1]: (row[2], row[4], row[5]) for row in links(database, survey)}
    assert len(found) == len(expected) == result.rows
    assert {name: (link[0], link[2]) for name, link in found.items()} == {name: (link[0], link[2]) for name, link in expected.items()}
    for name, (_, apart, _) in expected.items():
        assert found[name][1] == pytest.approx(apart, abs=1e-6)
    fast = {int(s) for s, speed in zip(sky.source_id, np.hypot(sky.pmra, sky.pmdec), strict=True) if speed > FAST_MAS_YR}
    assert sum(link[0] in fast for link in found.values()) > 50
