"""Streams of simulated stars, component by component: candidates are drawn, moved, reddened, and kept when Gaia's limits let them in.

A stream is cut into blocks of fixed sizes with generators of their own, so its first stars are the same however many are asked for.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from catalog.errors import RunError
from ingest.sky import abundances, clusters, galaxy, kinematics
from ingest.sky.clusters import Cluster
from ingest.sky.draws import Draws
from ingest.sky.dust import DustMap
from ingest.sky.galaxy import Population
from ingest.sky.isochrones import current_mass, track
from ingest.sky.labels import LABEL_NAMES, StellarLabels, overall_metallicity
from ingest.sky.stages import GIANT_LOGG, nearest_isochrone, on_the_grid, reach, rough_absolute_g, stage_table

Vector = Float64[np.ndarray, " n"]
ApparentG = Callable[[StellarLabels, Any, Any, Any], Any]
"""G in mag from labels, radius (solar radii), distance (kpc) and E(B-V) (mag), an array each."""

HIDDEN_TEFF_SCATTER = 0.009
"""Relative scatter of Teff at fixed radius, so that no label follows exactly from the others and an isochrone."""
MOST_REDDENING = 3.0
_GIANTS_FAVOURED = 0.5
"""Members of clusters are drawn by the mass function times this power of the luminosity."""
_FIRST_BLOCK, _LARGEST_BLOCK, _BLOCKS_WITHOUT_A_STAR = 128, 4096, 40

COLUMNS = np.dtype(
    [
        (name, np.float64)
        for name in (*LABEL_NAMES, "x", "age", "mass", "radius", "distance", "l", "b", "ra", "dec", "vx", "vy", "vz", "ebv", "g")
    ]
)
"""What a stream gives: ages in Gyr, masses and radii in the Sun's, kpc, radians, Galactocentric km/s, mag."""


@dataclass(frozen=True, eq=False)
class Sky:
    """What all streams of a simulated sky share."""

    draws: Draws
    dust: DustMap
    apparent_g: ApparentG
    alpha_scatter: float = 1.0


@dataclass(frozen=True)
class FieldStream:
    """Giants or dwarfs of one component, to a faintest magnitude."""

    population: Population
    giants: bool
    brightest: float
    faintest: float

    @property
    def name(self) -> str:
        """Names its random stream."""
        return f"field {self.population.name} {'giants' if self.giants else 'dwarfs'} {self.faintest}"

    def candidates(self, sky: Sky, n: int, rng: np.random.Generator) -> Any:
        """Stars at places in the Galaxy, before their light is known."""
        population, table = self.population, stage_table()
        sightlines = galaxy.sightlines(population)
        star = np.zeros(n, COLUMNS)
        star["age"] = galaxy.draw_age(population, n, rng)
        feh = galaxy.draw_feh(population, n, rng)
        here = np.full(n, galaxy.R_SUN)
        star["feh"] = galaxy.move_feh(population, feh, here)
        seen_to = reach(rough_absolute_g(table.teff, table.logl), self.faintest)
        kept = on_the_grid(table.teff, table.logg) & ((table.logg < GIANT_LOGG) == self.giants)
        star["x"], possible = table.draw(kept * sightlines.number_within(seen_to), star["age"], star["feh"], rng)
        here_seen = track(star["age"], star["feh"], star["x"])
        far = np.maximum(reach(rough_absolute_g(here_seen.teff, here_seen.logl), self.faintest), 2 * sightlines.distance[0])
        star["distance"], star["l"], star["b"] = sightlines.draw(far, rng)
        position = galaxy.galactocentric(star["distance"], star["l"], star["b"])
        star["feh"] = galaxy.move_feh(population, feh, galaxy.cylinder_radius(position))
        star["alpha_m"] = abundances.draw_alpha(population, star["feh"], rng, sky.alpha_scatter)
        star["ra"], star["dec"] = kinematics.galactic_to_equatorial(star["l"], star["b"])
        star["vx"], star["vy"], star["vz"] = kinematics.draw_velocities(population, position, rng)
        _evolve(star, sky, rng)
        return star[possible & ((star["logg"] < GIANT_LOGG) == self.giants)]


@dataclass(frozen=True)
class ClusterStream:
    """Members of one cluster, to a faintest magnitude; giants are favoured, so that a few dozen members show them."""

    cluster: Cluster
    brightest: float
    faintest: float

    @property
    def name(self) -> str:
        """Names its random stream."""
        return f"cluster {self.cluster.name} {self.faintest}"

    def is_within_limits(self, dust: DustMap) -> bool:
        """Whether some members, one in 200 of all those on the grid, are about as bright as the limits ask."""
        cluster, table = self.cluster, stage_table()
        node = nearest_isochrone(np.array([cluster.age]), overall_metallicity(np.array([cluster.feh]), np.array([cluster.alpha_m])))
        teff, logg, logl, number = (
            values.reshape(-1, values.shape[-1])[node][0] for values in (table.teff, table.logg, table.logl, table.number)
        )
        centre = kinematics.equatorial_to_galactic(np.radians([cluster.ra]), np.radians([cluster.dec]))
        ebv = dust.ebv(np.array([cluster.distance]), *centre)
        g = rough_absolute_g(teff, logl) + 5.0 * np.log10(cluster.distance * 100.0) + 2.6 * ebv
        weight = number * on_the_grid(teff, logg) * 10.0 ** (_GIANTS_FAVOURED * logl)
        return bool(weight[(g > self.brightest + 0.3) & (g < self.faintest - 0.3)].sum() > 0.005 * weight.sum())

    def candidates(self, sky: Sky, n: int, rng: np.random.Generator) -> Any:
        """Members at their places, before their light is known."""
        cluster, table = self.cluster, stage_table()
        star = np.zeros(n, COLUMNS)
        star["age"] = cluster.age
        spread = clusters.ABUNDANCE_SPREAD * rng.standard_normal((n, 2))
        star["feh"], star["alpha_m"] = cluster.feh + spread[:, 0], cluster.alpha_m + spread[:, 1]
        seen = reach(rough_absolute_g(table.teff, table.logl), self.faintest) > cluster.distance
        weight = seen * on_the_grid(table.teff, table.logg) * 10.0 ** (_GIANTS_FAVOURED * table.logl)
        star["x"], possible = table.draw(weight, star["age"], overall_metallicity(star["feh"], star["alpha_m"]), rng)
        star["ra"], star["dec"], star["distance"] = clusters.on_the_sky(cluster, clusters.draw_places(cluster, n, rng))
        star["l"], star["b"] = kinematics.equatorial_to_galactic(star["ra"], star["dec"])
        star["vx"], star["vy"], star["vz"] = clusters.draw_cluster_velocities(cluster, n, rng)
        _evolve(star, sky, rng)
        return star[possible]


Stream = FieldStream | ClusterStream


def _evolve(star: Any, sky: Sky, rng: np.random.Generator) -> None:
    """The labels that follow from age, metallicity and x, and the dust before the star."""
    mh = overall_metallicity(star["feh"], star["alpha_m"])
    _, teff, star["logg"], logl = track(star["age"], mh, star["x"])
    star["mass"] = current_mass(star["age"], mh, star["x"])
    star["radius"] = np.sqrt(10.0**logl) * (5772.0 / teff) ** 2
    star["teff"] = teff * np.exp(HIDDEN_TEFF_SCATTER * rng.standard_normal(len(star)))
    star["c_fe"], star["n_fe"] = abundances.carbon_nitrogen(star["logg"], star["feh"], star["alpha_m"], star["mass"], rng)
    star["ebv"] = sky.dust.ebv(star["distance"], star["l"], star["b"])


def labels_of(star: Any) -> StellarLabels:
    """The six labels of rows of COLUMNS."""
    return StellarLabels(*(star[name] for name in LABEL_NAMES))


def accepted(stream: Stream, sky: Sky) -> Iterator[Any]:
    """The stream's stars, block by block (rows of COLUMNS), without end.

    RunError when no star of many blocks is within the limits.
    """
    empty, block = 0, 0
    while empty < _BLOCKS_WITHOUT_A_STAR:
        rng = sky.draws.generator(stream.name, block)
        star = stream.candidates(sky, min(_FIRST_BLOCK << block, _LARGEST_BLOCK), rng)
        star = star[on_the_grid(star["teff"], star["logg"]) & (star["ebv"] < MOST_REDDENING)]
        if len(star):
            star["g"] = sky.apparent_g(labels_of(star), star["radius"], star["distance"], star["ebv"])
            star = star[(star["g"] > stream.brightest) & (star["g"] < stream.faintest)]
        empty = 0 if len(star) else empty + 1
        block += 1
        yield star
    raise RunError(
        f"No star of {stream.name} lies between G {stream.brightest} and {stream.faintest}: widen the limits or set its share to 0."
    )


def first_stars(stream: Stream, sky: Sky, n: int) -> Any:
    """The first n stars of a stream."""
    parts: list[Any] = [np.zeros(0, COLUMNS)]
    found = 0
    for part in accepted(stream, sky) if n else ():
        parts.append(part)
        found += len(part)
        if found >= n:
            break
    return np.concatenate(parts)[:n]
