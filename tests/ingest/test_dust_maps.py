"""Reddening from a map in Bayestar's own layout, read by dustmaps itself: the recipe, the ledger, and what happens when it is broken off."""

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import healpy as hp
import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io import fits

from catalog.database import Database, Role
from catalog.errors import DataError, TransientError, UsageError
from catalog.releases import add_release, release_named
from catalog.settings import settings
from ingest import ledger
from ingest.dust_maps import DRAWS, Stars, distance_moduli, open_dust_map
from ingest.dust_reddening import DustSummary, add_reddening
from ingest.load import add_paths
from kiel_main import main

DR3 = "gaia_dr3"
SAMPLES, MODULI = 5, np.arange(4.0, 19.01, 0.5)
SFD_NORTH, SFD_SOUTH = 0.4, 0.02


def write_bayestar(folder: Path, curve: Callable[[np.random.Generator, int], np.ndarray]) -> Path:
    """A map of two resolutions that leaves out a quarter of the sky; ``curve`` gives E by sample and distance in n pixels."""
    h5py = pytest.importorskip("h5py", reason="needs the package h5py (which dustmaps brings)")
    pytest.importorskip("dustmaps", reason="needs the package dustmaps")
    random = np.random.default_rng(4)
    pixels = [(2, pixel) for pixel in range(24)] + [(4, pixel) for pixel in range(96, 144)]
    kinds = [("nside", "i4"), ("healpix_index", "i8"), ("converged", "u1"), ("DM_reliable_min", "f4"), ("DM_reliable_max", "f4")]
    info = np.array([(nside, pixel, 1, 6.0, np.nan) for nside, pixel in random.permutation(pixels).tolist()], kinds)
    samples = curve(random, len(info)).astype(np.float32)
    (folder / "bayestar").mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / "bayestar" / "bayestar2019.h5", "w") as file:
        file.create_dataset("pixel_info", data=info).attrs["DM_bin_edges"] = MODULI
        file.create_dataset("samples", data=samples)
        file.create_dataset("best_fit", data=samples.mean(axis=1))
    return folder


def rising(random: np.random.Generator, pixels: int) -> np.ndarray:
    return random.gamma(0.5, 0.05, (pixels, SAMPLES, len(MODULI))).cumsum(axis=2)


def write_sfd(folder: Path) -> None:
    """SFD's two maps in their projection, coarse and each of one value."""
    (folder / "sfd").mkdir()
    for pole, latitude, value in (("ngp", 90.0, SFD_NORTH), ("sgp", -90.0, SFD_SOUTH)):
        header = fits.Header()
        header.update(CTYPE1="GLON-ZEA", CTYPE2="GLAT-ZEA", CRPIX1=32.5, CRPIX2=32.5, CRVAL1=0.0, CRVAL2=latitude, LONPOLE=180.0)
        header.update(CDELT1=-2.6 if latitude > 0 else 2.6, CDELT2=2.6)
        fits.PrimaryHDU(np.full((64, 64), value, np.float32), header).writeto(folder / "sfd" / f"SFD_dust_4096_{pole}.fits")


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    return write_bayestar(tmp_path / "maps", rising)


def some_stars(n: int) -> Stars:
    random = np.random.default_rng(6)
    ra, dec = random.uniform(0, 360, n), np.degrees(np.arcsin(random.uniform(-1, 1, n)))
    pixel = hp.ang2pix(4096, ra, dec, nest=True, lonlat=True).astype(np.int64)
    source_id = np.sort((pixel << 35) | ((1 + np.arange(n, dtype=np.int64)) << 7))
    ra, dec = hp.pix2ang(4096, source_id >> 35, nest=True, lonlat=True)
    return Stars(source_id, ra, dec, random.uniform(-0.2, 8, n), random.uniform(0.01, 0.3, n))


def fill(database: Database, stars: Stars, **others: Any) -> None:
    """The stars in gaia_source; ``others`` replaces columns."""
    with database.connect(Role.OWNER) as connection:
        file = connection.execute(
            "INSERT INTO store.ingest_file (release_id, sha256, name, size, state) VALUES (1, %s, 's', 1, 'loaded') RETURNING file_id",
            (str(stars.source_id[0]),),
        ).fetchone()
        assert file is not None
        columns = (
            stars.source_id,
            stars.ra,
            stars.dec,
            others.get("parallax", stars.parallax),
            others.get("parallax_error", stars.parallax_error),
        )
        rows = zip(*(values if isinstance(values, list) else values.tolist() for values in columns), strict=True)
        connection.cursor().executemany(
            "INSERT INTO store.gaia_source (release_id, source_id, ra, dec, parallax, parallax_error, file_id) VALUES (1, %s, %s, %s, %s, %s, %s)",
            [(*row, file[0]) for row in rows],
        )


def stored(database: Database) -> list[tuple[Any, ...]]:
    with database.connect(Role.TAP_READER) as connection:
        query = "SELECT source_id, reddening_map, reddening, reddening_error FROM gaiadr3.reddening ORDER BY source_id"
        return connection.execute(query).fetchall()


def map_file(database: Database) -> tuple[Any, ...]:
    with database.connect(Role.WORKER) as connection:
        row = connection.execute(
            "SELECT sha256, name, state, rows_in, rows_loaded, rows_rejected, header FROM store.ingest_file WHERE product = 'reddening' AND name LIKE '%h5'"
        ).fetchone()
    assert row is not None
    return row


# --- the recipe ---------------------------------------------------------------------------------------------------------------


def test_draws_follow_from_the_source_alone_and_are_truncated_at_five_sigma() -> None:
    stars = some_stars(300)
    moduli = distance_moduli(stars)
    assert moduli.shape == (300, DRAWS)
    assert np.array_equal(distance_moduli(stars.take(slice(100, 101))), moduli[100:101])
    parallax = 10 ** (2 - 0.2 * moduli)
    floor = parallax <= 1.0000001e-4
    pull = (parallax - stars.parallax[:, None]) / stars.parallax_error[:, None]
    assert np.abs(pull[~floor]).max() < 5 and floor.any()
    whole = ~floor.any(axis=1)
    assert abs(pull[whole].mean()) < 4 / np.sqrt(pull[whole].size) and abs(pull[whole].std() - 1) < 0.01


def test_mean_and_error_are_those_of_dustmaps_asked_at_every_draw(maps: Path) -> None:
    stars = some_stars(60)
    stars.parallax[::6] = 200.0  # at 5 pc, nearer than the map's first distance
    dust = open_dust_map("bayestar2019", maps)
    found = dust.reddening(stars)
    moduli = distance_moduli(stars)
    assert (moduli < MODULI[0]).any() and (moduli > MODULI[-1]).any()  # every kind of interpolation is asked for
    where = SkyCoord(
        np.repeat(stars.ra, DRAWS) * units.deg,
        np.repeat(stars.dec, DRAWS) * units.deg,
        distance=10 ** (0.2 * moduli.ravel() - 2) * units.kpc,
    )
    asked = dust.bayestar.query(where, mode="samples").reshape(60, DRAWS * SAMPLES).astype(np.float64)
    mean, scatter = asked.mean(axis=1), asked.std(axis=1)
    inside = ~np.isnan(mean)
    assert 5 < inside.sum() < 60
    assert np.array_equal(found.map == "bayestar2019", inside) and np.array_equal(np.isnan(found.mean), ~inside)
    assert np.allclose(found.mean[inside], mean[inside], rtol=1e-5)
    assert np.allclose(found.error[inside], np.sqrt(scatter**2 + (0.1 * mean) ** 2 + 0.03**2)[inside], rtol=1e-5)


def test_dust_that_is_the_same_everywhere_has_only_the_errors_that_are_added(tmp_path: Path) -> None:
    folder = write_bayestar(tmp_path, lambda random, pixels: np.full((pixels, SAMPLES, len(MODULI)), 0.5))
    far = some_stars(40)
    stars = Stars(far.source_id, far.ra, far.dec, np.full(40, 1.0), np.full(40, 0.02))
    found = open_dust_map("bayestar2019", folder).reddening(stars)
    inside = found.map != ""
    assert np.allclose(found.mean[inside], 0.5) and np.allclose(found.error[inside], np.hypot(0.05, 0.03))


def test_outside_the_map_sfd_counts_beyond_the_dust_and_its_own_size_is_its_error_within(maps: Path) -> None:
    write_sfd(maps)
    far = some_stars(200)
    parallax = np.where(np.arange(200) % 2, 0.2, 10.0)  # at 5 kpc, and at 100 pc
    stars = Stars(far.source_id, far.ra, far.dec, parallax, np.full(200, 0.01))
    found = open_dust_map("bayestar2019", maps).reddening(stars)
    b = stars.directions.b
    sfd = (found.map == "sfd") & (np.abs(b.deg) > 8)
    beyond = np.abs(np.sin(b.rad)) / (parallax + 0.02) > 0.4
    expected = np.where(b > 0, SFD_NORTH, SFD_SOUTH)
    assert (sfd & beyond).sum() > 5 and (sfd & ~beyond).sum() > 5
    assert np.allclose(found.mean[sfd], expected[sfd])
    terms = np.hypot(0.1 * expected, 0.03)
    assert np.allclose(found.error[sfd & beyond], terms[sfd & beyond])
    assert np.allclose(found.error[sfd & ~beyond], np.maximum(expected, terms)[sfd & ~beyond])
    assert set(found.map) == {"bayestar2019", "sfd"}


# --- sources of a release -----------------------------------------------------------------------------------------------------


def test_every_source_gets_a_row_that_names_the_maps_file(database: Database, maps: Path) -> None:
    stars = some_stars(120)
    parallax: list[float | None] = stars.parallax.tolist()
    parallax[7] = None
    fill(database, stars, parallax=parallax)
    done = add_reddening(database, DR3, "bayestar2019", data_dir=maps)
    expected = open_dust_map("bayestar2019", maps).reddening(stars)
    has = (expected.map != "") & (np.arange(120) != 7)
    rows = stored(database)
    assert [row[0] for row in rows] == stars.source_id[has].tolist() and {row[1] for row in rows} == {"bayestar2019"}
    assert np.array_equal(
        np.array([row[2:] for row in rows], np.float32), np.stack([expected.mean, expected.error], axis=1)[has].astype(np.float32)
    )
    assert (done.sources, done.from_map, done.from_sfd, done.rows_loaded, done.without_parallax) == (120, has.sum(), 0, has.sum(), 1)
    assert done.outside_maps == 119 - has.sum() and not done.sfd_there
    path = maps / "bayestar" / "bayestar2019.h5"
    sha256, name, state, *counts, header = map_file(database)
    assert (sha256, name, state) == (hashlib.sha256(path.read_bytes()).hexdigest(), str(path.resolve()), "loaded")
    assert counts == [has.sum(), has.sum(), 0]
    assert header["recipe"]["map"] == "bayestar2019" and header["dustmaps"]


def test_broken_off_it_goes_on_and_ends_with_the_same_rows_as_in_one_piece(database: Database, maps: Path) -> None:
    stars = some_stars(150)
    fill(database, stars)

    def break_off(summary: DustSummary) -> None:
        if summary.sources >= 60:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_reddening(database, DR3, "bayestar2019", data_dir=maps, chunk=20, report=break_off)
    first = stored(database)
    assert 0 < len(first) <= 60
    rest = add_reddening(database, DR3, "bayestar2019", data_dir=maps, chunk=33)
    in_pieces = stored(database)
    assert rest.rows_loaded == len(in_pieces) - len(first) and map_file(database)[3:6] == (len(in_pieces), len(in_pieces), 0)
    with database.connect(Role.OWNER) as connection:
        numbers = connection.execute("SELECT row_number FROM store.reddening ORDER BY 1").fetchall()
        assert [row[0] for row in numbers] == list(range(1, len(in_pieces) + 1))
        connection.execute("DELETE FROM store.reddening")
        connection.execute("DELETE FROM store.ingest_file WHERE product = 'reddening'")
    add_reddening(database, DR3, "bayestar2019", data_dir=maps)
    assert stored(database) == in_pieces


def test_again_it_asks_only_for_sources_that_are_new(database: Database, maps: Path) -> None:
    stars = some_stars(80)
    fill(database, stars.take(slice(0, 80, 2)))
    add_reddening(database, DR3, "bayestar2019", data_dir=maps)
    before = stored(database)
    fill(database, stars.take(slice(1, 80, 2)))
    again = add_reddening(database, DR3, "bayestar2019", data_dir=maps)
    assert set(before) < set(stored(database)) and again.from_map == len(stored(database)) - len(before)
    assert add_reddening(database, DR3, "bayestar2019", data_dir=maps).from_map == 0


def test_a_file_that_others_made_gives_way_where_the_map_tells_more(database: Database, maps: Path, tmp_path: Path) -> None:
    stars = some_stars(40)
    fill(database, stars)
    lines = "".join(f"{source_id},0.5,0.1\n" for source_id in stars.source_id.tolist())
    (tmp_path / "file.csv").write_text("source_id,reddening,reddening_err\n" + lines)
    add_paths(database, DR3, [tmp_path / "file.csv"], work=True)
    done = add_reddening(database, DR3, "bayestar2019", data_dir=maps)
    found = stored(database)
    assert len(found) == 40 and sum(row[1] == "bayestar2019" for row in found) == done.rows_loaded > 0
    with database.connect(Role.WORKER) as connection:
        rejects = connection.execute("SELECT reason, count(*) FROM store.ingest_reject GROUP BY reason").fetchall()
        counts = connection.execute("SELECT rows_in, rows_loaded, rows_rejected FROM store.ingest_file WHERE name LIKE '%csv'").fetchone()
    assert rejects == [("duplicate_source", done.rows_loaded)]
    assert counts == (40, 40 - done.rows_loaded, done.rows_loaded)


def test_rows_of_one_map_are_made_in_one_way(database: Database, maps: Path) -> None:
    fill(database, some_stars(20))
    add_reddening(database, DR3, "bayestar2019", data_dir=maps)
    with pytest.raises(DataError, match="max_samples None in place of 2"):
        add_reddening(database, DR3, "bayestar2019", data_dir=maps, max_samples=2)
    write_sfd(maps)
    with pytest.raises(DataError, match="sfd"):
        add_reddening(database, DR3, "bayestar2019", data_dir=maps)


def test_a_map_that_was_added_as_a_file_becomes_one(database: Database, maps: Path) -> None:
    fill(database, some_stars(20))
    (file,) = add_paths(database, DR3, [maps], work=True).files
    assert file.state == "not_a_product"
    assert add_reddening(database, DR3, "bayestar2019", data_dir=maps).rows_loaded == map_file(database)[4] > 0
    (file,) = add_paths(database, DR3, [maps], work=True, retry=True).files
    assert (file.state, file.product) == ("loaded", "reddening")


def test_two_at_once_do_not_work_twice(database: Database, maps: Path) -> None:
    fill(database, some_stars(20))
    add_reddening(database, DR3, "bayestar2019", data_dir=maps)
    with database.connect(Role.WORKER, autocommit=True) as connection:
        file = ledger.file_of(connection, release_named(connection, DR3), map_file(database)[0])
        with ledger.held(connection, file, wait=False), pytest.raises(TransientError, match="another command reads"):
            add_reddening(database, DR3, "bayestar2019", data_dir=maps)


def test_the_stars_of_a_simulated_release_have_no_real_dust(database: Database, tmp_path: Path) -> None:
    add_release(database, "sim_dr3")
    with pytest.raises(UsageError, match="simulated"):
        add_reddening(database, "sim_dr3", "bayestar2019", data_dir=tmp_path)


def test_without_the_package_it_is_told_what_to_install(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "dustmaps"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "dustmaps", None)
    with pytest.raises(UsageError, match="pip install dustmaps"):
        add_reddening(database, DR3, "bayestar2019", data_dir=tmp_path)


BAD_MAPS: dict[str, tuple[Callable[[Path], Any], type[Exception], str]] = {
    "no map": (lambda path: path.unlink(), UsageError, "--data-dir"),
    "no HDF5": (lambda path: path.write_bytes(b"map"), DataError, "fetch it again"),
    "half of it": (lambda path: path.write_bytes(path.read_bytes()[:3000]), DataError, "fetch it again"),
}


@pytest.mark.parametrize("name", BAD_MAPS)
def test_a_map_that_cannot_be_read_is_told(database: Database, maps: Path, name: str) -> None:
    spoil, error, told = BAD_MAPS[name]
    spoil(maps / "bayestar" / "bayestar2019.h5")
    with pytest.raises(error, match=told):
        add_reddening(database, DR3, "bayestar2019", data_dir=maps)
    assert stored(database) == []


def test_the_command_prints_one_json_object_and_nothing_of_dustmaps(
    database: Database, database_url_env: dict[str, str], maps: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(database, some_stars(30))
    for name, value in database_url_env.items():
        if name.startswith("KIEL_"):
            monkeypatch.setenv(name, value)
    settings.cache_clear()
    capsys.readouterr()
    try:
        assert main(["ingest", "reddening", "--map", "bayestar2019", "--release", DR3, "--data-dir", str(maps), "--json"]) == 0
        told = capsys.readouterr()
        assert main(["ingest", "reddening", "--map", "bayestar2019", "--data-dir", str(maps.parent)]) == 2
    finally:
        settings.cache_clear()
    done = json.loads(told.out)
    assert done["sources"] == 30 and done["rows_loaded"] == done["from_map"] == len(stored(database)) > 0
    assert told.err.startswith("step=reddening map=bayestar2019 sources=30 ")
