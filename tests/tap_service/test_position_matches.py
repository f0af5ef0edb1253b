"""Lists of places matched with the catalogue over HTTP: no pair within the radius is lost, and none is made up, wherever the sources lie.

The expected pairs are those of every place with every source, by the haversine formula in numpy.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.table import MaskedColumn, Table
from pyvo.dal import TAPService

from catalog.database import Database, Role
from catalog.healpix import ARCSEC, MAX_PADDING, pixel_offset
from ingest.load import add_paths
from ingest.sky.identifiers import displaced, moved, source_ids

PLACES = {
    "north pole": (0.0, 90.0), "south pole": (77.0, -90.0), "ra 0": (0.0, 12.0), "corner of three faces": (0.0, 41.8103148957786),
    "border of faces": (45.0, 0.0), "meridian between polar faces": (90.0, 70.0), "southern border": (180.0, -41.8103148957786), "field": (10.0, 20.0),
}  # fmt: skip
Pairs = set[tuple[int, int]]


def separations(ra: np.ndarray, dec: np.ndarray, star_ra: np.ndarray, star_dec: np.ndarray) -> np.ndarray:
    """Degrees between every place and every star."""
    lon, lat, star_lon, star_lat = (np.radians(angle) for angle in (ra[:, None], dec[:, None], star_ra, star_dec))
    square = np.sin((lat - star_lat) / 2) ** 2 + np.cos(lat) * np.cos(star_lat) * np.sin((lon - star_lon) / 2) ** 2
    return np.degrees(2 * np.arcsin(np.minimum(1, np.sqrt(square))))


class Stars:
    """4000 sources within an arcminute of the places; all but the far ones stand up to 10 arcsec from where their identifiers say."""

    def __init__(self) -> None:
        rng = np.random.default_rng(5)
        around = np.array(list(PLACES.values()))[np.arange(4000) % len(PLACES)]
        self.ra, self.dec = moved(*around.T.copy(), 60 * ARCSEC * np.sqrt(rng.random(4000)), rng.uniform(0, 2 * np.pi, 4000))
        self.dec = np.clip(self.dec, -90, 90)
        detected = list(displaced(self.ra, self.dec, rng, share=0.0, n_far=16))
        near = moved(self.ra[16:], self.dec[16:], 9.9 * ARCSEC * np.sqrt(rng.random(3984)), rng.uniform(0, 2 * np.pi, 3984))
        detected[0][16:], detected[1][16:] = near
        self.source_id = source_ids(detected[0], np.clip(detected[1], -90, 90), rng)

    def csv(self, path: Path) -> None:
        rows = zip(self.source_id.tolist(), self.ra.tolist(), self.dec.tolist(), strict=True)
        path.write_text("source_id,ra,dec,ref_epoch,phot_g_mean_mag\n" + "".join(f"{s},{a!r},{d!r},2016.0,{15.5}\n" for s, a, d in rows))


@pytest.fixture(scope="module")
def stars() -> Stars:
    return Stars()


@pytest.fixture(scope="module")
def tap(catalogue: Database, serve: Any, stars: Stars, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TAPService]:
    """The service over the sources, as ingest loads them."""
    path = tmp_path_factory.mktemp("stars") / "GaiaSource_stars.csv"
    stars.csv(path)
    (file,) = add_paths(catalogue, "gaia_dr3", [path], work=True).files
    assert file.rows_loaded == 4000, file
    with ExitStack() as stack:
        yield TAPService(stack.enter_context(serve(catalogue)).url)


@pytest.fixture(scope="module")
def mine(stars: Stars) -> Table:
    """Places up to 2 arcsec from 600 of the sources, all far-displaced ones among them, some a turn off in ra; 20 elsewhere; 9 that are none."""
    rng = np.random.default_rng(6)
    chosen = np.concatenate([np.arange(40), rng.choice(4000, 560, replace=False)])
    ra, dec = moved(stars.ra[chosen], stars.dec[chosen], 2 * ARCSEC * rng.random(600), rng.uniform(0, 2 * np.pi, 600))
    ra = np.concatenate([ra + rng.choice([0, 0, 360, -360], 600), rng.uniform(0, 360, 20)])
    dec = np.concatenate([np.clip(dec, -90, 90), rng.uniform(-30, -20, 20)])
    radius = np.concatenate([2 * ARCSEC * rng.random(600), np.full(20, 0.01)])
    none = [(np.nan, 1.0, 1.0), (1.0, np.nan, 1.0), (np.nan, np.nan, np.nan)] * 2
    none += [(ra[0], dec[0], np.nan), (ra[1], dec[1], -1.0), (ra[2], dec[2], 0.0)]
    rows = np.concatenate([np.stack([ra, dec, radius], axis=1), none])
    table = Table({"id": np.arange(len(rows), dtype=np.int32)})
    for number, name in enumerate(("ra", "dec", "r")):
        table[name] = MaskedColumn(rows[:, number], mask=np.isnan(rows[:, number]) & (np.arange(len(rows)) % 2 == 0))
    return table


def expected(mine: Table, stars: Stars, radius: np.ndarray | float) -> Pairs:
    ra, dec = (np.asarray(mine[name].filled(np.nan)) for name in ("ra", "dec"))
    with np.errstate(invalid="ignore"):
        near = separations(ra, dec, stars.ra, stars.dec) < np.reshape(radius, (-1, 1))
    return {(int(row), int(stars.source_id[star])) for row, star in np.argwhere(near)}


def found(tap: TAPService, query: str, **uploads: Table) -> list[tuple[int, int | None]]:
    table = tap.search(query, uploads=uploads, maxrec=1_000_000).to_table()
    columns = [table[name].tolist() for name in table.colnames]
    return [(int(first), None if second is None else int(second)) for first, second in zip(*columns, strict=True)]


def test_sources_lie_outside_their_pixels_and_beyond_the_padding(stars: Stars, tap: TAPService, catalogue: Database) -> None:
    offset = pixel_offset(stars.source_id, stars.ra, stars.dec)
    assert (offset > 5 * ARCSEC).sum() > 20
    assert (offset > MAX_PADDING).sum() == 16
    with catalogue.connect(Role.WORKER) as connection:
        listed = [row[0] for row in connection.execute("SELECT source_id FROM store.displaced_source")]
    assert sorted(listed) == sorted(stars.source_id[:16].tolist())


MATCHES = {
    "distance in ON": "SELECT m.id, g.source_id FROM tap_upload.mine AS m JOIN gaiadr3.gaia_source AS g ON DISTANCE(m.ra, m.dec, g.ra, g.dec) < 1 / 3600.0",
    "contains in WHERE": "SELECT m.id, g.source_id FROM gaiadr3.gaia_source AS g, tap_upload.mine AS m WHERE 1 = CONTAINS(POINT('ICRS', g.ra, g.dec), CIRCLE('ICRS', m.ra, m.dec, 1 / 3600.0))",
    "points": "SELECT m.id, g.source_id FROM tap_upload.mine AS m JOIN gaiadr3.gaia_source AS g ON 1 / 3600.0 > DISTANCE(POINT(g.ra, g.dec), POINT(m.ra, m.dec))",
    "a query that picks": "SELECT m.id, g.s FROM tap_upload.mine AS m JOIN (SELECT ra AS x, dec AS y, source_id AS s FROM gaiadr3.gaia_source WHERE phot_g_mean_mag < 16) AS g ON DISTANCE(m.ra, m.dec, g.x, g.y) < 1 / 3600.0",
}  # fmt: skip


@pytest.mark.parametrize("query", MATCHES.values(), ids=MATCHES.keys())
def test_a_list_finds_all_within_an_arcsecond(query: str, tap: TAPService, mine: Table, stars: Stars) -> None:
    pairs = expected(mine, stars, ARCSEC)
    assert len(pairs) > 300
    assert {star for _, star in pairs} & set(stars.source_id[:16].tolist())
    answered = found(tap, query, mine=mine)
    assert len(answered) == len(set(answered))
    assert set(answered) == pairs


def test_each_row_may_bring_its_radius(tap: TAPService, mine: Table, stars: Stars) -> None:
    query = "SELECT m.id, g.source_id FROM tap_upload.mine AS m JOIN gaiadr3.gaia_source AS g ON DISTANCE(m.ra, m.dec, g.ra, g.dec) < m.r"
    pairs = expected(mine, stars, np.asarray(mine["r"].filled(np.nan)))
    assert len(pairs) > 200
    answered = found(tap, query, mine=mine)
    assert len(answered) == len(pairs)
    assert set(answered) == pairs


@pytest.mark.parametrize(
    "sides",
    ["tap_upload.mine AS m LEFT JOIN gaiadr3.gaia_source AS g", "gaiadr3.gaia_source AS g RIGHT OUTER JOIN tap_upload.mine AS m"],
)
def test_rows_without_a_match_stay_in_an_outer_join(sides: str, tap: TAPService, mine: Table, stars: Stars) -> None:
    query = f"SELECT m.id, g.source_id FROM {sides} ON DISTANCE(m.ra, m.dec, g.ra, g.dec) < 1 / 3600.0"
    pairs = expected(mine, stars, ARCSEC)
    alone = {int(row) for row in mine["id"]} - {row for row, _ in pairs}
    assert len(alone) > 29
    answered = found(tap, query, mine=mine)
    assert len(answered) == len(pairs) + len(alone)
    assert set(answered) == pairs | {(row, None) for row in alone}


@pytest.mark.parametrize("radius", [2 * ARCSEC, 8 * ARCSEC])
def test_sources_find_their_neighbours(radius: float, tap: TAPService, stars: Stars) -> None:
    query = (
        "SELECT a.source_id AS one, b.source_id AS other FROM gaiadr3.gaia_source AS a JOIN gaiadr3.gaia_source AS b "
        f"ON DISTANCE(a.ra, a.dec, b.ra, b.dec) < {radius!r} AND a.source_id < b.source_id"
    )
    near = np.argwhere(separations(stars.ra, stars.dec, stars.ra, stars.dec) < radius)
    first, second = stars.source_id[near].T
    assert set(found(tap, query)) == {(a, b) for a, b in zip(first.tolist(), second.tolist(), strict=True) if a < b}


# -- real sources


def test_no_real_source_is_lost_by_a_list_of_their_places(database: Database, serve: Any, real_data: Path) -> None:
    path = real_data / "labels" / "gaia_source_1457.parquet"
    (file,) = add_paths(database, "gaia_dr3", [path], work=True).files
    real = pq.read_table(path, columns=["source_id", "ra", "dec"])
    source_id, ra, dec = (real[name].to_numpy() for name in ("source_id", "ra", "dec"))
    assert file.rows_loaded == len(source_id) == 1457
    assert (pixel_offset(source_id, ra, dec) > 0).sum() == 8
    rng = np.random.default_rng(7)
    offset_ra, offset_dec = moved(ra, dec, 0.999 * ARCSEC * np.sqrt(rng.random(1457)), rng.uniform(0, 2 * np.pi, 1457))
    with serve(database) as service:
        tap = TAPService(service.url)
        for lon, lat in ((ra, dec), (offset_ra, offset_dec)):
            table = Table({"id": np.arange(1457, dtype=np.int32), "ra": lon, "dec": lat})
            near = np.argwhere(separations(lon, lat, ra, dec) < ARCSEC)
            answered = found(tap, MATCHES["distance in ON"], mine=table)
            assert len(answered) == len(near)
            assert set(answered) == {(int(row), int(source_id[star])) for row, star in near}
            assert {star for _, star in answered} == set(source_id.tolist())
        itself = found(
            tap,
            "SELECT a.source_id AS one, b.source_id AS other FROM gaiadr3.gaia_source AS a, gaiadr3.gaia_source AS b "
            "WHERE DISTANCE(a.ra, a.dec, b.ra, b.dec) < 1 / 3600.0",
        )
    near = np.argwhere(separations(ra, dec, ra, dec) < ARCSEC)
    assert sorted(itself) == sorted((int(source_id[a]), int(source_id[b])) for a, b in near)
