"""The forward model on the simulated sky, case by case: extinction curve, clusters, objects of no stellar type, twins in training, R_V by xi.

    python -m benchmarks.forward_cases --sky DIR --weights FILE.safetensors --configuration FILE.json [--only extinction clusters oddities binaries xi]

``--sky`` and the database as for `python -m benchmarks.forward_sky`. All figures are of simulated stars; each is printed beside its bar:

    extinction      the curve's shape against the sky's, rms over 400 to 900 nm, normalised                            3 %
    clusters        parallaxes round the true one, S/N below 5: scatter against the catalogue's; [Fe/H] of each cluster        tighter; 0.1 dex
    oddities        white dwarfs, M dwarfs and junk that carry a flag or a reason; ordinary stars that the basic cut keeps     95 %; 80 %
    binaries        equal-mass binaries put into the training sample: found by self-cleaning, at 10 % false removals          70 %
    xi              a version with xi is trained: correlation of xi with the sky's R_V where E is above 0.5                    0.6

``binaries`` and ``xi`` train a version of their own (minutes each), on the same sample and with the same settings.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64

from benchmarks.forward_fits import Fits, measured, read_version, sides, version_arguments
from benchmarks.forward_sky import BASIC, spread
from benchmarks.forward_truth import ordinary, read_sky, rows_of, true_fluxes
from catalog.database import Database, Role
from catalog.embedded_server import open_database
from catalog.quality import OUT_OF_DOMAIN
from catalog.releases import release_named
from catalog.settings import settings as environment
from ingest.sky.clusters import CLUSTERS
from ingest.sky.extinction import mean_and_slope
from ingest.sky.fisher import response
from ingest.sky.make import SkySettings
from ingest.sky.oddities import Kind
from ingest.sky.stages import GIANT_LOGG
from ingest.sky.stars import LIGHTEST_COMPANION, Stars
from models.forward.bands import WAVELENGTHS
from models.forward.inference.fitting import fit_stars
from models.forward.observed.observations import Observations
from models.forward.parameters import EXT, XI
from models.forward.training.flux_training import FluxTraining, train_flux_model
from models.forward.training.linear_label_prior import LinearLabelPrior
from models.forward.training.sample import ForwardSample, read_sample
from models.forward.training.self_cleaning import half
from models.forward.training.training_stars import measured_variables
from models.forward.version import ForwardVersion

CASES = ("extinction", "clusters", "oddities", "binaries", "xi")
CURVE_RANGE = (400.0, 900.0)
CURVE_BAR, METALLICITY_BAR, FLAGGED_BAR, KEPT_BAR, RECALL_BAR, FALSE, XI_BAR, XI_LEAST_EBV = 0.03, 0.1, 0.95, 0.80, 0.7, 0.10, 0.6, 0.5
POOR_PARALLAX = 5.0
LEAST_MEMBERS = 5
XI_STARS = 2000
"""Fitted at most."""
INJECTED_SHARE = 0.1
"""Of the single dwarfs of the training sample."""


def extinction(version: ForwardVersion, sky: Stars, settings: SkySettings) -> None:
    """The curve against the sky's, by wavelength and as instruments see it in a typical star."""
    model = version.flux_model
    seen = np.exp(model.ln_extinction.detach().numpy())
    inside = (CURVE_RANGE[0] < WAVELENGTHS) & (CURVE_RANGE[1] > WAVELENGTHS)
    plain = sky.take(np.flatnonzero(ordinary(sky) & (sky.g < 15))[:400])
    middle = replace(plain, rv=np.full(len(plain), 3.1))
    flux = true_fluxes(middle, version.sampling, settings.alpha_gain)
    slope = response(lambda some: true_fluxes(some, version.sampling, settings.alpha_gain), middle, ("ebv",)).sum(1)
    print(
        f"\nExtinction curve, {CURVE_RANGE[0]:g} to {CURVE_RANGE[1]:g} nm, R_V 3.1, against Gordon et al. 2023 as the sky has it; bar {CURVE_BAR:.0%} rms after normalisation; simulated"
    )
    by_wavelength = 0.4 * np.log(10.0) * 3.1 * mean_and_slope(WAVELENGTHS)[0]
    for name, true in (("at each wavelength", by_wavelength), ("as XP sees it, mean of 400 stars", np.median(-slope / flux, axis=0))):
        ratio = seen / true
        mean = ratio[inside].mean()
        infrared = ", ".join(f"{value:.2f}" for value in ratio[61:] / mean)
        print(
            f"  {name:<34} rms {ratio[inside].std() / mean:.2%}; scale {mean:.3f} (1: ext is E(B-V)); J, H, Ks, W1, W2 over it {infrared}"
        )


def clusters(fits: Fits, sky: Stars) -> None:
    """Parallaxes and metallicities of members."""
    stars = sky.take(fits.row)
    good = (stars.cluster >= 0) & ordinary(stars) & (fits.flags < BASIC)
    poor = good & (fits.parallax < POOR_PARALLAX * fits.parallax_error)
    print(
        f"\nClusters, {good.sum()} single members that pass the basic cut; parallaxes around the true one (1.4826 MAD, mas; bar: inferred below Gaia's); simulated"
    )
    for name, some in (("all members, S/N < 5", poor), ("all members", good)):
        ours, gaia = fits.estimate[:, 4] - stars.parallax, fits.parallax - stars.parallax
        print(
            f"  {name:<22} ({some.sum():4d}) inferred {spread(ours[some]):.4f}, Gaia {spread(gaia[some]):.4f}; medians {np.median(ours[some]):+.4f}, {np.median(gaia[some]):+.4f}"
        )
    print(
        f"  by cluster: members, [Fe/H] inferred - true (bar {METALLICITY_BAR} dex), its scatter; of members with S/N < 5: their number, parallax scatter inferred and Gaia's"
    )
    for number, cluster in enumerate(CLUSTERS):
        members, faint = good & (stars.cluster == number), poor & (stars.cluster == number)
        if members.sum() < LEAST_MEMBERS:
            continue
        off = fits.estimate[members, 1] - stars.labels.feh[members]
        words = f"    {cluster.name:<9} {members.sum():4d} {np.median(off):+.3f}{'*' if abs(np.median(off)) > METALLICITY_BAR else ' '} {spread(off):.3f}"
        if faint.sum() >= LEAST_MEMBERS:
            words += f"   {faint.sum():4d} {spread(fits.estimate[faint, 4] - stars.parallax[faint]):.4f} {spread(fits.parallax[faint] - stars.parallax[faint]):.4f}"
        print(words)


def oddities(fits: Fits, refused: Mapping[int, str], sky: Stars) -> None:
    """Who is flagged among those that no model of stars should trust, and who is kept among the others."""
    stars = sky.take(fits.row)
    strange = fits.strangeness > OUT_OF_DOMAIN
    none = rows_of(sky, np.array(sorted(refused), np.int64)) if refused else np.empty(0, np.int64)
    print(
        f"\nObjects of no stellar type of the grid, flagged or refused (bar {FLAGGED_BAR:.0%} of white dwarfs, M dwarfs and junk); simulated"
    )
    print(f"  {'':<14}{'number':>7}{'basic cut fails':>17}{'out of domain':>15}{'either':>8}{'or confidence':>15}{'refused':>9}")
    for kinds in (
        (Kind.WHITE_DWARF,),
        (Kind.M_DWARF,),
        (Kind.JUNK,),
        (Kind.WHITE_DWARF, Kind.M_DWARF, Kind.JUNK),
        (Kind.EMISSION,),
        (Kind.STAR,),
    ):
        of, gone = np.isin(stars.kind, kinds), int(np.isin(sky.kind[none], kinds).sum())
        total = of.sum() + gone
        if total:
            shares = [
                (each[of].sum() + gone) / total
                for each in (fits.flags >= BASIC, strange, (fits.flags >= BASIC) | strange, (fits.flags > 0) | strange)
            ]
            print(
                f"  {'+'.join(kind.name.lower() for kind in kinds)[:13]:<14}{total:7d}{shares[0]:17.1%}{shares[1]:15.1%}{shares[2]:8.1%}{shares[3]:15.1%}{gone:9d}"
            )
    plain, basic = ordinary(stars), fits.flags < BASIC
    print(
        f"  basic cut keeps {basic[plain].mean():.1%} of {plain.sum()} ordinary single stars (bar {KEPT_BAR:.0%}); {(fits.flags == 0)[plain].mean():.1%} without any flag"
    )


def binaries(sample: ForwardSample, settings: Mapping[str, Any], seed: int, sky: Stars) -> None:
    """Twins put into the training sample by doubling the light of single dwarfs, and a version trained on it."""
    stars = sky.take(rows_of(sky, sample.train.source_id))
    able = np.flatnonzero(ordinary(stars) & (stars.labels.logg >= GIANT_LOGG) & (stars.mass > 1.05 * LIGHTEST_COMPANION))
    twins = np.random.default_rng(seed).permutation(able)[: int(INJECTED_SHARE * len(able))]
    seen = sample.train.observations
    doubled = Observations(seen.flux.clone(), seen.flux_error.clone(), seen.whitening.clone(), seen.parallax, seen.parallax_error)
    doubled.flux[twins] *= 2
    doubled.flux_error[twins] *= 2
    doubled.whitening[twins] /= 2
    trained: FluxTraining = train_flux_model(doubled, sample.train.labels, WAVELENGTHS, settings, seed, lambda progress: None)
    single = ordinary(stars)
    single[twins] = False
    removed = ~trained.clean.numpy()
    print(
        f"\nSelf-cleaning: {len(twins)} equal-mass binaries put among {single.sum()} single stars of the training sample ({settings['preset']} preset); bar: recall {RECALL_BAR} at {FALSE:.0%} false removals; simulated"
    )
    dwarfs = single & (stars.labels.logg >= GIANT_LOGG)
    print(
        f"  as the training cleaned: recall {removed[twins].mean():.3f}, false removals {removed[single].mean():.1%} of all single stars, {removed[dwarfs].mean():.1%} of single dwarfs"
    )
    gain = _gain_as_binaries(doubled, sample, trained)
    for name, others in (("all single stars", single), ("single dwarfs", dwarfs)):
        limit = np.quantile(gain[others], 1 - FALSE)
        print(
            f"  by the gain of two equal stars over one alone, final model: recall {(gain[twins] > limit).mean():.3f} at {FALSE:.0%} of {name}"
        )
    signal = (seen.parallax / seen.parallax_error).numpy()[twins]
    for low, high in ((0, 10), (10, 30), (30, np.inf)):
        some = (signal >= low) & (signal < high)
        if some.any():
            print(f"    parallax S/N {low:g} to {high:g}: {some.sum()} twins, recall {removed[twins][some].mean():.3f}")


def _gain_as_binaries(observed: Observations, sample: ForwardSample, trained: FluxTraining) -> Float64[np.ndarray, " n"]:
    """L_star of each star as one, less that as two alike, under the final model."""
    prior, exact = LinearLabelPrior(sample.train.labels), observed.to(dtype=torch.float64)
    single = fit_stars(trained.flux_model, exact, prior, trained.variables)
    start = measured_variables(exact, sample.train.labels, trained.flux_model.n_parameters)
    start[:, EXT] = single.variables[:, EXT]
    return np.asarray((single.value - fit_stars(trained.flux_model, half(exact), prior, start).value).numpy())


def xi(
    database: Database, release: str, sample: ForwardSample, settings: Mapping[str, Any], seed: int, sky: Stars, made: SkySettings
) -> None:
    """A version with xi, and what its xi says of the sky's R_V."""
    chosen = {**settings, "xi": True}
    trained = train_flux_model(sample.train.observations, sample.train.labels, WAVELENGTHS, chosen, seed, lambda progress: None)
    version = ForwardVersion(WAVELENGTHS, trained.flux_model, trained.type_prior, trained.ln_prior_cut, sample.sampling)
    dusty = ordinary(sky) & (sky.ebv > XI_LEAST_EBV) & (sky.g < 17) & ~np.isin(sky.source_id, sample.train.source_id)
    wanted = np.random.default_rng(seed).permutation(sky.source_id[dusty])[:XI_STARS]
    fits, _, _ = measured(database, release, version, chosen, sky, wanted, alpha_gain=made.alpha_gain, rv_scatter=made.rv_scatter)
    stars, basic = sky.take(fits.row), fits.flags < BASIC
    print(
        f"\nxi against R_V, spread {made.rv_scatter:g} on this sky, {basic.sum()} of {len(basic)} held-out stars with E(B-V) > {XI_LEAST_EBV:g} pass the basic cut; bar: correlation {XI_BAR}; simulated"
    )
    found = next(each["xi"] for each in trained.metrics["phases"] if "xi" in each)
    print(f"  slope from {found['stars']} reddened training stars, whose fluxes tell {found['known']:.0%} of the variance of xi")
    kinds = {"all": basic, "G < 15": basic & (fits.g < 15), "E > 1": basic & (stars.ebv > 1), "with those that fail": basic | True}
    for name, some in kinds.items():
        if some.sum() > 10:
            value = fits.estimate[some, XI]
            print(
                f"  {name:<20} ({some.sum():4d}) correlation {abs(np.corrcoef(value, stars.rv[some])[0, 1]):.3f}; reported error of xi {np.median(fits.sigma[some, XI]):.2f}, its spread {spread(value):.2f}"
            )


def main() -> None:
    """The command."""
    parser = version_arguments(__doc__)
    parser.add_argument("--only", nargs="+", choices=CASES, default=CASES)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sky, made = read_sky(arguments.sky)
    version, settings = read_version(arguments.weights, arguments.configuration)
    database = open_database(environment())
    if "extinction" in arguments.only:
        extinction(version, sky, made)
    if {"clusters", "oddities"} & set(arguments.only):
        learnt, _ = sides(database, arguments.release, settings, arguments.seed)
        odd = (sky.kind != Kind.STAR) | (sky.cluster >= 0)
        some = np.random.default_rng(0).permutation(np.flatnonzero(~odd))[:3000]
        wanted = np.setdiff1d(np.concatenate([sky.source_id[odd], sky.source_id[some]]), learnt)
        fits, _, refused = measured(
            database, arguments.release, version, settings, sky, wanted, alpha_gain=made.alpha_gain, rv_scatter=made.rv_scatter
        )
        if "clusters" in arguments.only:
            clusters(fits, sky)
        if "oddities" in arguments.only:
            oddities(fits, refused, sky)
    if {"binaries", "xi"} & set(arguments.only):
        with database.connect(Role.WORKER) as connection:
            sample = read_sample(connection, release_named(connection, arguments.release), settings, arguments.seed)
        if "binaries" in arguments.only:
            binaries(sample, settings, arguments.seed, sky)
        if "xi" in arguments.only:
            xi(database, arguments.release, sample, settings, arguments.seed, sky, made)


if __name__ == "__main__":
    main()
