"""The simulated stars: drawn whole, with everything that is true of them.

The same seed gives the same stars, the first stars of a larger sky are those of a smaller one, and an option changes only what it speaks of.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int8, Int16, Int64

from catalog.errors import UsageError
from ingest.sky import identifiers, kinematics, light, oddities
from ingest.sky.clusters import CLUSTERS
from ingest.sky.draws import Draws
from ingest.sky.dust import DustMap
from ingest.sky.extinction import MEAN_RV
from ingest.sky.field import COLUMNS, ApparentG, ClusterStream, FieldStream, Sky, Stream, first_stars, labels_of
from ingest.sky.galaxy import FIELD, Population, draw_age, galactocentric, sightlines
from ingest.sky.isochrones import track
from ingest.sky.labels import LABEL_NAMES, StellarLabels
from ingest.sky.oddities import Kind
from ingest.sky.options import StarOptions
from ingest.sky.stages import GIANT_LOGG, reach, stage_of_mass
from ingest.sky.wavelengths import NIR_BANDS

Vector = Float64[np.ndarray, " n"]

LIGHTEST_COMPANION = 0.6
"""Solar masses: lighter stars are cooler than the grid of model atmospheres, and give less than 2 % of a binary's light."""


@dataclass(frozen=True, eq=False)
class Stars:
    """n simulated stars, what is true of each; positions are those of J2016.0, the epoch of Gaia DR3 (``after`` gives later ones)."""

    source_id: Int64[np.ndarray, " n"]
    labels: StellarLabels
    kind: Int8[np.ndarray, " n"]
    """``oddities.Kind``."""
    population: Int8[np.ndarray, " n"]
    """``galaxy.Population``."""
    cluster: Int16[np.ndarray, " n"]
    """Place in ``clusters.CLUSTERS``, -1 for field stars."""
    age: Vector
    """Gyr."""
    mass: Vector
    """Solar masses, as radius."""
    radius: Vector
    distance: Vector
    """kpc: the true parallax in mas is its inverse."""
    ra: Vector
    """Degrees, as dec, l, b."""
    dec: Vector
    l: Vector  # noqa: E741  (the archive's name)
    b: Vector
    pmra: Vector
    """mas/yr, with cos(dec), as pmdec."""
    pmdec: Vector
    radial_velocity: Vector
    """km/s."""
    velocity: Float64[np.ndarray, "n 3"]
    """Galactocentric, km/s."""
    ebv: Vector
    """E(B-V), mag."""
    rv: Vector
    """R_V of the dust before the star."""
    g: Vector
    """G in mag by which the star was selected: without noise, at R_V 3.1, without emission lines, of both stars of a binary."""
    companion: StellarLabels
    """Of the fainter star of an unresolved binary; where there is none, the star's own labels again."""
    companion_radius: Vector
    """Solar radii; 0 where there is no companion."""
    mass_ratio: Vector
    """0 where there is no companion."""
    equal_mass: Bool[np.ndarray, " n"]
    """A binary of two stars alike: its light is that of one star, twice."""
    rest_frame_shift: Vector
    """km/s by which the RVS spectrum misses the rest frame; positive to the red."""
    wrong_match: Int64[np.ndarray, " n"]
    """source_id of the star whose row of the surveys on the ground this one gets; 0 where it gets its own."""
    missing_bp: Bool[np.ndarray, " n"]
    missing_nir: Bool[np.ndarray, "n 5"]
    """By band, in the order of ``wavelengths.NIR_BANDS``."""
    shape: Float64[np.ndarray, "n 4"]
    """Standard normal numbers that shape the spectrum of an oddity."""

    def __len__(self) -> int:
        return len(self.source_id)

    @property
    def is_binary(self) -> Bool[np.ndarray, " n"]:
        """Which have a companion."""
        return self.companion_radius > 0.0

    @property
    def parallax(self) -> Vector:
        """True parallax, mas."""
        return 1.0 / self.distance

    def after(self, years: float) -> "Stars":
        """The same stars some Julian years later: moved on the sky along great circles, all else as it was."""
        offset = np.hypot(self.pmra, self.pmdec) * years / 3.6e6
        ra, dec = identifiers.moved(self.ra, self.dec, np.abs(offset), np.arctan2(self.pmra, self.pmdec) + (np.pi if years < 0 else 0.0))
        return replace(self, ra=ra, dec=dec)

    @staticmethod
    def concatenate(parts: Sequence["Stars"]) -> "Stars":
        """The stars of all parts, in order."""
        joined: dict[str, Any] = {}
        for each in fields(Stars):
            values = [getattr(part, each.name) for part in parts]
            joined[each.name] = StellarLabels.concatenate(values) if isinstance(values[0], StellarLabels) else np.concatenate(values)
        return Stars(**joined)

    def take(self, index: Any) -> "Stars":
        """The stars of an index or a mask."""
        taken: dict[str, Any] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            taken[each.name] = value.take(index) if isinstance(value, StellarLabels) else value[index]
        return Stars(**taken)


def draw_stars(
    n: int,
    rng: np.random.Generator,
    options: StarOptions | None = None,
    *,
    apparent_g: ApparentG = light.apparent_g,
) -> Stars:
    """Draw n stars, in random order; ``rng`` gives one number, from which all else follows.

    Stars are kept by ``apparent_g(labels, radius, distance, ebv)``, G of ordinary stars (solar radii, kpc, mag).
    UsageError for less than one star.
    """
    if n < 1:
        raise UsageError(f"A simulated sky has one star or more, not {n}.")
    options = options or StarOptions()
    draws = Draws.of(rng)
    sky = Sky(draws, DustMap.drawn(draws), apparent_g, options.alpha_scatter)
    slots, streams = _slots(n, sky, options)
    star = np.zeros(n, COLUMNS)
    population, cluster = np.zeros(n, np.int8), np.full(n, -1, np.int16)
    for number, stream in streams.items():
        rows = np.flatnonzero(slots == number)
        star[rows] = first_stars(stream, sky, len(rows))
        if isinstance(stream, ClusterStream):
            cluster[rows], population[rows] = CLUSTERS.index(stream.cluster), stream.cluster.population
        else:
            population[rows] = stream.population
    kind = _kinds(n, draws, options)
    shape = draws.generator("shape").standard_normal((n, 4))
    for off_grid in oddities.OFF_GRID:
        rows = np.flatnonzero(kind == off_grid)
        if len(rows):
            star[rows] = _off_grid_rows(off_grid, shape[rows], sky, options)
            population[rows], cluster[rows] = Population.THIN, -1
    stars = _whole(star, kind, population, cluster, shape, draws, options)
    return _with_wrong_matches(_with_companions(stars, star["x"], sky, options), draws, options)


def _slots(n: int, sky: Sky, options: StarOptions) -> tuple[Int64[np.ndarray, " n"], Mapping[int, Stream]]:
    """Which stream each star comes from, and the streams by number; clusters without a star within the limits are left out."""
    u = sky.draws.generator("slots").random((n, 4))
    shares = np.array([options.populations.get(population, 0.0) for population in FIELD])
    population = np.searchsorted(np.cumsum(shares) / shares.sum() * (1 + 1e-12), u[:, 0], side="right")
    giant = u[:, 1] < options.giant_share
    bright = (u[:, 2] < options.bright_share) & (
        options.bright_g < options.max_g
    )  # or else both streams would be one, and its stars come twice
    limits = [(options.min_g, options.max_g), (options.min_g, options.bright_g)]
    members = [ClusterStream(each, *limits[0]) for each in CLUSTERS]
    seen = [100 + i for i, each in enumerate(members) if each.is_within_limits(sky.dust)]
    which = np.array([*seen, 0])[(u[:, 0] * len(seen)).astype(np.int64)]
    member = (u[:, 3] < options.cluster_share) & (len(seen) > 0)
    slots = np.where(member, which, population * 4 + giant * 2 + bright)
    streams: dict[int, Stream] = {100 + i: each for i, each in enumerate(members)}
    for i, each in enumerate(FIELD):
        for giants in (False, True):
            for is_bright in (False, True):
                streams[i * 4 + giants * 2 + is_bright] = FieldStream(each, giants, *limits[is_bright])
    return slots, streams


def _kinds(n: int, draws: Draws, options: StarOptions) -> Int8[np.ndarray, " n"]:
    kind = np.full(n, Kind.STAR, np.int8)
    for each, share in (
        (Kind.JUNK, options.junk_share),
        (Kind.EMISSION, options.emission_share),
        (Kind.M_DWARF, options.m_dwarf_share),
        (Kind.WHITE_DWARF, options.white_dwarf_share),
    ):
        kind[draws.generator(f"kind {each.name}").random(n) < share] = each
    return kind


def _off_grid_rows(kind: Kind, shape: Float64[np.ndarray, "n 4"], sky: Sky, options: StarOptions) -> Any:
    """White or M dwarfs, near the Sun, spread through the thin disc to where Gaia's limit is."""
    rng = sky.draws.generator(kind.name)
    # one star after another, so that the first are the same however many there are
    rows = [_off_grid_row(kind, shape[i : i + 1], sky, options, rng) for i in range(len(shape))]
    return np.concatenate(rows)


def _off_grid_row(kind: Kind, shape: Float64[np.ndarray, "1 4"], sky: Sky, options: StarOptions, rng: np.random.Generator) -> Any:
    star = np.zeros(1, COLUMNS)
    drawn = oddities.draw_off_grid(kind, 1, rng)
    for name in LABEL_NAMES:
        star[name] = getattr(drawn.labels, name)
    star["age"], star["mass"], star["radius"] = draw_age(Population.THIN, 1, rng), drawn.mass, drawn.radius
    surface = oddities.off_grid_flux(kind, drawn.labels, shape)
    absolute = light.g_magnitude(surface) - 2.5 * np.log10(light.dilution(drawn.radius, np.array([0.01])))
    nearest, farthest = reach(absolute, options.min_g) * 1.2, reach(absolute, options.max_g)
    table = sightlines(Population.THIN)
    distance, star["l"], star["b"] = table.draw(np.maximum(farthest, 2 * table.distance[0]), rng)
    star["distance"] = np.clip(distance, nearest, np.maximum(farthest, nearest))
    for _ in range(2):  # the second time moved nearer, where dust would hide it
        star["ebv"] = sky.dust.ebv(star["distance"], star["l"], star["b"])
        star["g"] = light.g_magnitude(surface * light.transmission(star["ebv"])) - 2.5 * np.log10(
            light.dilution(star["radius"], star["distance"])
        )
        star["distance"] *= 10.0 ** (-0.2 * np.maximum(star["g"] - options.max_g + 0.01, 0.0))
    star["ra"], star["dec"] = kinematics.galactic_to_equatorial(star["l"], star["b"])
    position = galactocentric(star["distance"], star["l"], star["b"])
    star["vx"], star["vy"], star["vz"] = kinematics.draw_velocities(Population.THIN, position, rng)
    return star


def _whole(
    star: Any,
    kind: Int8[np.ndarray, " n"],
    population: Int8[np.ndarray, " n"],
    cluster: Int16[np.ndarray, " n"],
    shape: Float64[np.ndarray, "n 4"],
    draws: Draws,
    options: StarOptions,
) -> Stars:
    """Stars as seen from the Sun, with their names and their troubles, single and rightly matched so far."""
    n = len(star)
    velocity = np.stack([star["vx"], star["vy"], star["vz"]])
    motions = kinematics.seen_from_the_sun(star["ra"], star["dec"], star["distance"], velocity)
    ra, dec = np.degrees(star["ra"]), np.degrees(star["dec"])
    detected = identifiers.displaced(
        ra, dec, draws.generator("displacement"), share=options.displaced_share, n_far=min(options.n_far_displaced, n)
    )
    labels = labels_of(star)
    rv = MEAN_RV + options.rv_scatter * draws.generator("rv").standard_normal(n)
    return Stars(
        source_id=identifiers.source_ids(*detected, draws.generator("source_id")),
        labels=labels,
        kind=kind,
        population=population,
        cluster=cluster,
        **{name: star[name].copy() for name in ("age", "mass", "radius", "distance", "ebv", "g")},
        ra=ra,
        dec=dec,
        l=np.degrees(star["l"]) % 360.0,
        b=np.degrees(star["b"]),
        pmra=motions.pmra,
        pmdec=motions.pmdec,
        radial_velocity=motions.radial_velocity,
        velocity=np.ascontiguousarray(velocity.T),
        rv=np.clip(rv, 2.3, 5.6),  # where Gordon et al. 2023 is defined
        companion=labels,
        companion_radius=np.zeros(n),
        mass_ratio=np.zeros(n),
        equal_mass=np.zeros(n, bool),
        rest_frame_shift=options.rest_frame_error * draws.generator("rest frame").standard_normal(n),
        wrong_match=np.zeros(n, np.int64),
        missing_bp=draws.generator("missing bp").random(n) < options.missing_bp_share,
        missing_nir=draws.generator("missing nir").random((n, len(NIR_BANDS))) < options.missing_nir_share,
        shape=np.where((kind == Kind.STAR)[:, None], 0.0, shape),
    )


def _with_companions(stars: Stars, x: Vector, sky: Sky, options: StarOptions) -> Stars:
    """Some dwarfs get a companion on the same isochrone, which adds its light to theirs."""
    u = sky.draws.generator("binaries").random((len(stars), 3))
    able = (stars.kind == Kind.STAR) & (stars.labels.logg >= GIANT_LOGG) & (stars.mass > 1.05 * LIGHTEST_COMPANION)
    # the share is one of all dwarfs
    rows = np.flatnonzero(able & (u[:, 0] < options.binary_share))
    if not len(rows):
        return stars
    twin = u[rows, 1] < options.twin_share
    lightest = LIGHTEST_COMPANION / stars.mass[rows]
    ratio = np.where(twin, 1.0, lightest + u[rows, 2] * (0.98 - lightest))
    single = stars.labels.take(rows)
    age, mh = stars.age[rows], single.mh
    at = np.where(twin, x[rows], stage_of_mass(ratio * stars.mass[rows], age, mh, x[rows]))
    _, teff, logg, logl = track(age, mh, at)
    radius = np.where(twin, stars.radius[rows], np.sqrt(10.0**logl) * (5772.0 / teff) ** 2)
    second = replace(single, teff=np.where(twin, single.teff, teff), logg=np.where(twin, single.logg, logg))
    g = sky.apparent_g(second, radius, stars.distance[rows], stars.ebv[rows])
    companion = StellarLabels(*(getattr(stars.companion, name).copy() for name in LABEL_NAMES))
    for name in LABEL_NAMES:
        getattr(companion, name)[rows] = getattr(second, name)
    result = replace(
        stars,
        companion=companion,
        **{name: getattr(stars, name).copy() for name in ("companion_radius", "mass_ratio", "equal_mass", "g")},
    )
    result.companion_radius[rows], result.mass_ratio[rows], result.equal_mass[rows] = radius, ratio, twin
    result.g[rows] = -2.5 * np.log10(10.0 ** (-0.4 * stars.g[rows]) + 10.0 ** (-0.4 * g))
    return result


def _with_wrong_matches(stars: Stars, draws: Draws, options: StarOptions) -> Stars:
    """Some stars get the survey rows of one that was drawn before them."""
    u = draws.generator("wrong matches").random((len(stars), 2))
    number = np.arange(len(stars))
    other = (u[:, 1] * number).astype(np.int64)
    wrong = (u[:, 0] < options.wrong_match_share) & (number > 0)
    return replace(stars, wrong_match=np.where(wrong, stars.source_id[other], 0))
