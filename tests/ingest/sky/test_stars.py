"""Simulated stars: a seed is a sky, options do what they say and nothing else, and the population is what was asked for."""

import os
import subprocess
import sys
from dataclasses import fields
from types import MappingProxyType
from typing import Any

import astropy.units as u
import healpy as hp
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.time import Time

from catalog.errors import RunError, UsageError
from catalog.healpix import ARCSEC, MAX_PADDING, pixel_offset
from catalog.version import ROOT
from ingest.sky.clusters import CLUSTERS
from ingest.sky.galaxy import DISC_SCALES, FEH_RANGE, R_SUN, SHARES, Population, cylinder_radius, galactocentric
from ingest.sky.labels import LABEL_NAMES, StellarLabels
from ingest.sky.light import apparent_g
from ingest.sky.oddities import OFF_GRID, Kind
from ingest.sky.options import StarOptions
from ingest.sky.stages import GIANT_LOGG, TEFF_RANGE
from ingest.sky.stars import LIGHTEST_COMPANION, Stars, draw_stars

N = 6000
SEED = 11


def drawn(n: int = 1500, seed: int = SEED, **options: Any) -> Stars:
    return draw_stars(n, np.random.default_rng(seed), StarOptions(**options))


@pytest.fixture(scope="module")
def stars() -> Stars:
    return drawn(N)


@pytest.fixture(scope="module")
def small() -> Stars:
    return drawn()


def arrays(stars: Stars) -> dict[str, np.ndarray]:
    result: dict[str, np.ndarray] = {}
    for each in fields(stars):
        value = getattr(stars, each.name)
        if isinstance(value, StellarLabels):
            result |= {f"{each.name}.{name}": getattr(value, name) for name in LABEL_NAMES}
        else:
            result[each.name] = value
    return result


def differing(one: Stars, other: Stars) -> set[str]:
    theirs = arrays(other)
    return {name for name, values in arrays(one).items() if values.tobytes() != theirs[name].tobytes()}


def test_a_seed_gives_the_same_bytes_and_another_seed_another_sky(small: Stars) -> None:
    assert differing(small, drawn()) == set()
    assert {"ra", "labels.teff", "source_id", "ebv"} <= differing(small, drawn(seed=SEED + 1))


def test_the_first_stars_of_a_larger_sky_are_those_of_a_smaller_one(stars: Stars, small: Stars) -> None:
    assert differing(stars.take(np.arange(len(small))), small) == set()


COMPANIONS = {"mass_ratio", "equal_mass", "companion_radius", "g", "companion.teff", "companion.logg"}


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        ({"binary_share": 0.5}, COMPANIONS),
        ({"rv_scatter": 0.1}, {"rv"}),
        ({"rest_frame_error": 2.0}, {"rest_frame_shift"}),
        ({"emission_share": 0.1}, {"kind", "shape"}),
        ({"junk_share": 0.1}, {"kind", "shape"}),
        ({"wrong_match_share": 0.1}, {"wrong_match"}),
        ({"missing_bp_share": 0.1}, {"missing_bp"}),
        ({"missing_nir_share": 0.1}, {"missing_nir"}),
        ({"n_far_displaced": 4}, {"source_id"}),
        ({"displaced_share": 0.0}, {"source_id"}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_option_changes_only_what_it_speaks_of(small: Stars, options: dict[str, Any], changed: set[str]) -> None:
    assert differing(small, drawn(**options)) == changed


@pytest.mark.parametrize(("name", "kind"), [("white_dwarf_share", Kind.WHITE_DWARF), ("m_dwarf_share", Kind.M_DWARF)])
def test_objects_outside_the_grid_take_the_place_of_stars_and_leave_the_others(small: Stars, name: str, kind: Kind) -> None:
    odd = drawn(**{name: 0.1})
    rows = odd.kind == kind
    assert rows.mean() == pytest.approx(0.1, abs=0.03)
    # identifiers may differ where a number in a pixel was taken, so they are looked at by pixel
    assert differing(small.take(~rows), odd.take(~rows)) <= {"source_id"}
    assert ((small.source_id >> 35) == (odd.source_id >> 35))[~rows].all()
    teff, logg = odd.labels.teff[rows], odd.labels.logg[rows]
    assert (logg > 7).all() if kind is Kind.WHITE_DWARF else (teff < TEFF_RANGE[0]).all()
    assert ((odd.g[rows] > 6.0) & (odd.g[rows] < 17.65)).all()
    assert (odd.distance[rows] < 1.5).all()
    assert (odd.cluster[rows] == -1).all()


def test_binaries_add_the_light_of_a_companion_on_the_same_isochrone() -> None:
    single, double = drawn(), drawn(binary_share=0.3)
    rows = double.is_binary
    dwarfs = (single.labels.logg >= GIANT_LOGG) & (single.mass > 1.05 * LIGHTEST_COMPANION)
    assert rows[dwarfs].mean() == pytest.approx(0.3, abs=0.06)
    assert not rows[~dwarfs].any()
    assert ((double.mass_ratio > 0) == rows).all() and (double.mass_ratio <= 1).all()
    assert (double.mass * double.mass_ratio >= 0.99 * LIGHTEST_COMPANION)[rows].all()
    brighter = (single.g - double.g)[rows]
    assert (brighter > 0).all() and (brighter < 0.753).all()
    equal = double.equal_mass[rows]
    assert equal.mean() == pytest.approx(0.1, abs=0.06)
    assert brighter[equal] == pytest.approx(np.full(equal.sum(), 2.5 * np.log10(2)))
    assert (double.mass_ratio[double.equal_mass] == 1).all()
    unlike = rows & ~double.equal_mass
    ordinary = unlike & (double.labels.logg > 4.2) & (double.mass_ratio < 0.9)
    assert (double.companion.teff < double.labels.teff)[ordinary].all()
    assert (double.companion_radius < double.radius)[ordinary].all()
    assert (double.companion.teff > 3500).all()


def test_troubles_come_in_the_shares_asked_for() -> None:
    troubled = drawn(
        2000, emission_share=0.05, junk_share=0.05, wrong_match_share=0.1, missing_bp_share=0.1, missing_nir_share=0.2, rv_scatter=0.2
    )
    assert (troubled.kind == Kind.EMISSION).mean() == pytest.approx(0.05, abs=0.02)
    assert (troubled.kind == Kind.JUNK).mean() == pytest.approx(0.05, abs=0.02)
    assert troubled.missing_bp.mean() == pytest.approx(0.1, abs=0.025)
    assert troubled.missing_nir.mean(axis=0) == pytest.approx(np.full(5, 0.2), abs=0.04)
    assert (troubled.rv.mean(), troubled.rv.std()) == pytest.approx((3.1, 0.2), abs=0.02)
    wrong = troubled.wrong_match > 0
    assert wrong.mean() == pytest.approx(0.1, abs=0.025)
    assert np.isin(troubled.wrong_match[wrong], troubled.source_id).all()
    assert (troubled.wrong_match[wrong] != troubled.source_id[wrong]).all()
    assert ((troubled.shape != 0).any(axis=1) == (troubled.kind != Kind.STAR)).all()


def test_every_star_is_within_the_limits(stars: Stars) -> None:
    assert ((stars.g > 6.0) & (stars.g < 17.65)).all()
    assert ((stars.labels.teff > TEFF_RANGE[0]) & (stars.labels.teff < TEFF_RANGE[1])).all()
    assert ((stars.labels.feh >= FEH_RANGE[0] - 0.05) & (stars.labels.feh <= FEH_RANGE[1] + 0.05)).all()
    assert stars.g == pytest.approx(apparent_g(stars.labels, stars.radius, stars.distance, stars.ebv))
    bright = drawn(500, max_g=13.0, min_g=9.0)
    assert ((bright.g > 9.0) & (bright.g < 13.0)).all()
    assert stars.parallax * stars.distance == pytest.approx(np.ones(N))


def test_shares_of_giants_clusters_components_and_bright_stars_are_those_asked_for(stars: Stars) -> None:
    field = stars.cluster < 0
    assert field.mean() == pytest.approx(0.95, abs=0.01)
    assert (stars.labels.logg < GIANT_LOGG)[field].mean() == pytest.approx(0.6, abs=0.02)
    for population, share in SHARES.items():
        assert (stars.population == population)[field].mean() == pytest.approx(share, abs=0.02)
    assert (stars.g < 14.0)[field].mean() > 0.3
    only = drawn(400, cluster_share=0.0, giant_share=1.0, populations=MappingProxyType({Population.ACCRETED: 1.0}))
    assert (only.population == Population.ACCRETED).all() and (only.labels.logg < GIANT_LOGG).all()


@pytest.mark.parametrize("options", [{}, {"max_g": 14.0}, {"max_g": 12.0}, {"bright_share": 1.0}, {"m_dwarf_share": 0.3}], ids=str)
def test_no_star_comes_twice(options: dict[str, Any]) -> None:
    stars = drawn(600, **options)
    for values in (stars.ra, stars.labels.teff, stars.distance, stars.source_id):
        assert len(np.unique(values)) == 600


def test_stars_are_in_random_order(stars: Stars) -> None:
    number = np.arange(N)
    for values in (stars.labels.logg, stars.g, stars.cluster, stars.source_id):
        assert abs(np.corrcoef(number, values)[0, 1]) < 0.06


def test_two_alpha_sequences_with_a_valley(stars: Stars) -> None:
    here = (stars.labels.feh > -0.5) & (stars.labels.feh < -0.1) & (stars.cluster < 0)
    counts = np.histogram(stars.labels.alpha_m[here], [0.03, 0.07, 0.115, 0.155, 0.2, 0.26])[0]
    assert counts[2] < 0.4 * min(counts[0], counts[4])


def test_discs_are_as_thick_as_they_were_made(stars: Stars) -> None:
    near = (stars.distance < 1.5) & (stars.cluster < 0) & (stars.labels.logg > GIANT_LOGG)
    x = galactocentric(stars.distance, np.radians(stars.l), np.radians(stars.b))
    heights = {p: np.abs(x[2])[near & (stars.population == p)].mean() for p in DISC_SCALES}
    assert 1.15 < heights[Population.THICK] / heights[Population.THIN] < 2.2
    radius = cylinder_radius(x)
    assert radius[stars.population == Population.THIN].mean() < R_SUN + 1.0
    thin = (stars.population == Population.THIN) & (radius > 4) & (radius < 13)
    slope = np.polyfit(radius[thin], stars.labels.feh[thin], 1)[0]
    assert slope == pytest.approx(-0.055, abs=0.012)


def test_each_population_moves_in_its_own_way(stars: Stars) -> None:
    x = galactocentric(stars.distance, np.radians(stars.l), np.radians(stars.b)).T
    radius = np.hypot(x[:, 0], x[:, 1])
    turning = (x[:, 1] * stars.velocity[:, 0] - x[:, 0] * stars.velocity[:, 1]) / radius
    outward = (x * stars.velocity).sum(axis=1) / np.sqrt((x**2).sum(axis=1))
    means = {p: turning[(stars.population == p) & (radius > 5)].mean() for p in SHARES}
    assert means[Population.THIN] == pytest.approx(214, abs=6)
    assert means[Population.THICK] == pytest.approx(183, abs=8)
    assert abs(means[Population.ACCRETED]) < 35
    accreted = stars.population == Population.ACCRETED
    assert outward[accreted].std() > 2.2 * turning[accreted].std()
    assert np.sqrt((stars.velocity[accreted] ** 2).sum(axis=1)).max() < 900


def test_accreted_stars_have_little_alpha_for_their_metallicity(stars: Stars) -> None:
    feh = stars.labels.feh
    alpha = {
        p: stars.labels.alpha_m[(stars.population == p) & (feh > -1.3) & (feh < -0.8)].mean()
        for p in (Population.ACCRETED, Population.HALO)
    }
    assert alpha[Population.HALO] - alpha[Population.ACCRETED] > 0.05


@pytest.mark.parametrize("number", range(len(CLUSTERS)))
def test_clusters_have_one_age_one_metallicity_one_motion_and_one_distance(stars: Stars, number: int) -> None:
    cluster, rows = CLUSTERS[number], stars.cluster == number
    assert rows.sum() >= 10
    members = stars.take(rows)
    assert (members.population == cluster.population).all()
    assert (members.age == cluster.age).all()
    assert members.labels.feh == pytest.approx(np.full(len(members), cluster.feh), abs=0.05)
    assert members.labels.alpha_m == pytest.approx(np.full(len(members), cluster.alpha_m), abs=0.05)
    assert members.distance == pytest.approx(np.full(len(members), cluster.distance), abs=0.02)
    apart = np.degrees(hp.rotator.angdist([cluster.ra, cluster.dec], np.array([members.ra, members.dec]), lonlat=True))
    assert np.median(apart) < np.degrees(2 * cluster.scale_radius * 1e-3 / cluster.distance)
    assert np.median(members.radial_velocity) == pytest.approx(cluster.radial_velocity, abs=cluster.dispersion + 1.0)
    assert np.median(members.pmra) == pytest.approx(cluster.pmra, abs=0.6 + 0.02 * abs(cluster.pmra))


def test_members_show_giants_and_dwarfs(stars: Stars) -> None:
    for population in (Population.OPEN_CLUSTER, Population.GLOBULAR_CLUSTER):
        giants = (stars.labels.logg < GIANT_LOGG)[stars.population == population]
        assert 0.15 < giants.mean() < 0.9


def test_stars_stand_outside_their_pixels_as_real_ones_do(stars: Stars) -> None:
    offset = pixel_offset(stars.source_id, stars.ra, stars.dec)
    assert 0 < (offset > 0).sum() < 0.015 * N
    assert offset.max() <= 5.51 * ARCSEC
    assert len(np.unique(stars.source_id)) == N
    far = drawn(300, n_far_displaced=3)
    assert (pixel_offset(far.source_id, far.ra, far.dec) > MAX_PADDING).sum() == 3


@pytest.mark.parametrize("years", [1.5, -16.0, 0.0])
def test_stars_move_with_their_proper_motions(small: Stars, years: float) -> None:
    later = small.after(years)
    assert differing(small, later) <= {"ra", "dec"}
    then = SkyCoord(
        small.ra * u.deg,
        small.dec * u.deg,
        distance=small.distance * u.kpc,
        pm_ra_cosdec=small.pmra * u.mas / u.yr,
        pm_dec=small.pmdec * u.mas / u.yr,
        obstime=Time("J2016"),
    ).apply_space_motion(dt=years * u.yr)
    assert SkyCoord(later.ra * u.deg, later.dec * u.deg).separation(then).mas.max() < 0.1


def test_the_sky_does_not_depend_on_the_number_of_threads() -> None:
    program = (
        "import hashlib, numpy as np; from ingest.sky.stars import draw_stars; from ingest.sky.options import StarOptions\n"
        "s = draw_stars(150, np.random.default_rng(1), StarOptions(binary_share=0.2, m_dwarf_share=0.05))\n"
        "print(hashlib.sha256(b''.join(getattr(s, n).tobytes() for n in ('ra', 'source_id', 'g', 'ebv', 'mass', 'companion_radius'))).hexdigest())"
    )
    digests = set()
    for threads in ("1", "4"):
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        digests.add(done.stdout)
    assert len(digests) == 1


def test_an_apparent_magnitude_of_the_callers_decides_who_is_kept() -> None:
    def brighter(labels: StellarLabels, radius: Any, distance: Any, ebv: Any) -> Any:
        return apparent_g(labels, radius, distance, ebv) - 1.0

    stars = draw_stars(300, np.random.default_rng(1), apparent_g=brighter)
    ours = apparent_g(stars.labels, stars.radius, stars.distance, stars.ebv)
    assert ours.max() > 17.65
    assert (ours - 1.0).max() < 17.65


def test_limits_that_no_star_meets_end_with_a_reason() -> None:
    with pytest.raises(RunError, match="widen the limits"):
        drawn(5, min_g=-6.0, max_g=-5.9, bright_g=-5.9)


@pytest.mark.parametrize(("limits", "absent", "present"), [((6.0, 12.0), "NGC 6791", "NGC 2682"), ((16.6, 17.6), "NGC 2632", "NGC 6791")])
def test_clusters_with_no_star_within_the_limits_are_left_out(limits: tuple[float, float], absent: str, present: str) -> None:
    stars = drawn(500, min_g=limits[0], max_g=limits[1], bright_g=limits[1], cluster_share=0.5)
    names = {CLUSTERS[number].name for number in stars.cluster if number >= 0}
    assert absent not in names
    assert present in names
    assert (stars.cluster >= 0).mean() > 0.4


def test_less_than_one_star_is_refused() -> None:
    with pytest.raises(UsageError, match="one star or more"):
        drawn(0)


def test_one_star_is_a_sky_and_a_demanding_sky_is_whole() -> None:
    assert len(drawn(1)) == 1
    stars = draw_stars(2000, np.random.default_rng(2), StarOptions.demanding())
    assert set(np.unique(stars.kind)) == {int(kind) for kind in Kind}
    for name, values in arrays(stars).items():
        assert np.isfinite(values).all(), name
    assert np.isin(stars.kind, OFF_GRID).mean() < 0.04
