"""Clusters: real places on the sky, and members about them that share their motion."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from ingest.sky import clusters, kinematics
from ingest.sky.clusters import CLUSTERS, Cluster
from ingest.sky.galaxy import Population
from ingest.sky.isochrones import AGE_RANGE, MH_RANGE
from ingest.sky.labels import overall_metallicity

IDS = [cluster.name for cluster in CLUSTERS]


def test_a_dozen_clusters_open_and_globular_within_what_the_isochrones_know() -> None:
    assert len({cluster.name for cluster in CLUSTERS}) == len(CLUSTERS) == 12
    assert sum(cluster.population is Population.GLOBULAR_CLUSTER for cluster in CLUSTERS) == 5
    for cluster in CLUSTERS:
        assert AGE_RANGE[0] <= cluster.age <= AGE_RANGE[1]
        mh = overall_metallicity(np.array([cluster.feh]), np.array([cluster.alpha_m]))[0]
        assert MH_RANGE[0] <= mh <= MH_RANGE[1]
    old = [cluster.age for cluster in CLUSTERS if cluster.population is Population.GLOBULAR_CLUSTER]
    assert min(old) > 11


@pytest.mark.parametrize("cluster", CLUSTERS, ids=IDS)
def test_members_lie_about_the_centre_in_space_and_on_the_sky(cluster: Cluster) -> None:
    places = clusters.draw_places(cluster, 4000, np.random.default_rng(1))
    radius = np.sqrt((places**2).sum(axis=1)) * 1000 / cluster.scale_radius
    assert np.median(radius) == pytest.approx(1.26, abs=0.06)  # Plummer's half-mass radius is 1.305, a little less for the cut
    assert radius.max() <= 5.0
    ra, dec, distance = clusters.on_the_sky(cluster, places)
    centre = SkyCoord(cluster.ra * u.deg, cluster.dec * u.deg, distance=cluster.distance * u.kpc)
    members = SkyCoord(ra * u.rad, dec * u.rad, distance=distance * u.kpc)
    apart = members.separation_3d(centre).to_value(u.kpc)
    assert apart == pytest.approx(np.sqrt((places**2).sum(axis=1)), rel=1e-6, abs=1e-9)
    east, north = (each.to_value(u.rad) for each in centre.spherical_offsets_to(members))
    assert np.corrcoef(east, places[:, 0])[0, 1] > 0.99
    assert np.corrcoef(north, places[:, 1])[0, 1] > 0.99


@pytest.mark.parametrize("cluster", CLUSTERS, ids=IDS)
def test_members_at_the_centre_move_like_the_cluster(cluster: Cluster) -> None:
    n = 4000
    velocity = clusters.draw_cluster_velocities(cluster, n, np.random.default_rng(2))
    ra, dec, distance = (np.full(n, value) for value in (np.radians(cluster.ra), np.radians(cluster.dec), cluster.distance))
    seen = kinematics.seen_from_the_sun(ra, dec, distance, velocity)
    at_distance = cluster.dispersion / (4.74047 * cluster.distance)
    for found, mean, spread in [
        (seen.pmra, cluster.pmra, at_distance),
        (seen.pmdec, cluster.pmdec, at_distance),
        (seen.radial_velocity, cluster.radial_velocity, cluster.dispersion),
    ]:
        assert found.mean() == pytest.approx(mean, abs=5 * spread / np.sqrt(n))
        assert found.std() == pytest.approx(spread, rel=0.06)


def test_globular_clusters_move_like_the_halo_and_open_clusters_like_the_disc() -> None:
    for cluster in CLUSTERS:
        velocity = clusters.draw_cluster_velocities(cluster, 500, np.random.default_rng(3)).mean(axis=1)
        assert np.sqrt((velocity**2).sum()) < 550  # bound to the Galaxy
        if cluster.population is Population.OPEN_CLUSTER:
            assert np.abs(velocity - [0, 229, 0]).max() < 110
