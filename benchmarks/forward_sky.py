"""How well a trained version of the forward model finds the stars of a simulated sky again, against their truth and their bounds.

    python -m benchmarks.forward_sky --sky DIR --weights FILE.safetensors --configuration FILE.json [--stars N]

``--sky`` is a folder of `kiel sky make` whose files the database of KIEL_HOME holds, linked, as release ``--release`` (sim_dr3); the version was trained
there. Figures are of the stars that its training held out, and apart from these of others that it has not learnt from, many of them of kinds and
magnitudes that its surveys do not reach. All figures are of simulated stars. Each is printed beside its bar:

    over the bound      1.4826 MAD of (estimate - truth) over that star's bound, quality_flags < 8, G < 17     at most 1.4 each, aim 1.15
    bias                median of (estimate - truth) over the reported error                                  below 0.2
    pulls               1.4826 MAD of the same                                                               0.9 to 1.2
    scatter             of stars as LAMOST chooses them, as in section 4 of Zhang, Green & Rix 2023             90 K, 0.15, 0.15, 0.03 mag
    correlations        before and after the parallax term, as in their Fig. 6                               0.99 to about 0.86 of (parallax, logg)
"""

import numpy as np
import torch
from jaxtyping import Bool, Float64

from benchmarks.forward_fits import Fits, Limits, measured, read_version, sides, version_arguments
from benchmarks.forward_truth import ordinary, parameters, read_sky
from catalog.embedded_server import open_database
from catalog.settings import settings as environment
from ingest.sky.stages import GIANT_LOGG
from ingest.sky.stars import Stars
from models.forward.evaluation.report import PAPER_CORRELATIONS
from models.forward.parameters import PARAMETERS

MAGNITUDES = ((0.0, 13.0), (13.0, 14.5), (14.5, 16.0), (16.0, 17.0))
FAINTEST = 17.0
BASIC = 8
"""quality_flags below this: the paper's basic cut."""
OVER_BOUND, AIM, BIAS, PULLS, SIGNIFICANT = 1.4, 1.15, 0.2, (0.9, 1.2), 5.0
UNITS = ("K", "dex", "dex", "mag", "mas")
PAPER_SCATTER = (90.0, 0.15, 0.15, 0.03)


def spread(values: Float64[np.ndarray, "n ..."]) -> Float64[np.ndarray, "..."]:
    """1.4826 MAD."""
    return np.asarray(1.4826 * np.median(np.abs(values - np.median(values, axis=0)), axis=0))


def implied_median(significance: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Median of (estimate - truth) / sigma of a positive parameter whose truth is so many sigma, as the term -2 ln x of Eq. 19 makes it.

    With x^ the maximum of the likelihood, the objective ((x - x^) / s)^2 - 2 ln x is least at x = (x^ + sqrt(x^2 + 4 s^2)) / 2, which rises with x^; so
    its median is that of the median x^ = truth: it is too large by (sqrt(t^2 + 4) - t) / 2 at a truth of t sigma, 1 at 0 and 1 / t far out.
    """
    return np.asarray((np.sqrt(significance**2 + 4.0) - significance) / 2.0)


def row(name: str, values: Float64[np.ndarray, " 5"], bar: tuple[float, float] | None = None) -> None:
    """One line of five numbers, an asterisk at each that misses the bar."""
    marks = ["*" if bar is not None and not bar[0] <= value <= bar[1] else " " for value in values]
    print(f"  {name:<44}" + " ".join(f"{value:9.3f}{mark}" for value, mark in zip(values, marks, strict=True)))


def header(title: str) -> None:
    """A table's title and the five parameters."""
    print(f"\n{title}\n  {'':<44}" + " ".join(f"{name:>9} " for name in PARAMETERS))


def by_magnitude(fits: Fits) -> list[tuple[str, Bool[np.ndarray, " n"]]]:
    """The magnitude ranges and all together."""
    parts = [(f"G {low:g} to {high:g}", (fits.g >= low) & (fits.g < high)) for low, high in MAGNITUDES]
    return [
        (f"{name} ({inside.sum()})", inside) for name, inside in [*parts, (f"all G < {FAINTEST:g}", fits.g < FAINTEST)] if inside.sum() > 5
    ]


def over_bounds(fits: Fits, known: Limits, truth: Float64[np.ndarray, "n 5"]) -> None:
    """The main bar, and what a miss consists of."""
    off = fits.estimate[:, :5] - truth
    for title, bound in (
        ("abundances (the bar's: alpha, C and N unknown, the population's spread at the type as prior)", known.abundances),
        ("everything (mass at the type and R_V unknown too)", known.everything),
    ):
        header(f"1.4826 MAD of (estimate - truth) over the bound with {title}; bar {OVER_BOUND}, aim {AIM}; * misses the bar; simulated")
        for name, inside in by_magnitude(fits):
            row(name, spread(off[inside] / bound[inside]), (0.0, OVER_BOUND))
    header("the bounds themselves, medians (K, dex, dex, mag, mas)")
    for name, inside in by_magnitude(fits):
        row(name, np.median(known.abundances[inside], axis=0))
    better = fits.loss_from_truth < fits.loss - 0.1
    right = np.where(better[:, None], fits.estimate_from_truth[:, :5], fits.estimate[:, :5]) - truth
    header("what a miss consists of: spread (and median) over the same bound, to first order in each cause")
    for name, inside in by_magnitude(fits):
        print(f"  {name}: {better[inside].mean():.2%} in a wrong minimum")
        for word, moved in (
            ("noise of fluxes and parallax", known.noise), ("network", known.network), ("abundances of the star", known.abundance),
            ("mass and R_V of the star", known.mass_and_rv), ("all of these", known.noise + known.network + known.abundance + known.mass_and_rv),
            ("had no star a wrong minimum", right),
        ):  # fmt: skip
            row(f"    {word}", spread(moved[inside] / known.abundances[inside]))
            if word in ("network", "abundances of the star", "mass and R_V of the star"):
                row("        its median", np.median(moved[inside] / known.abundances[inside], axis=0))


def pulls(fits: Fits, truth: Float64[np.ndarray, "n 5"]) -> None:
    """Bias and width of (estimate - truth) over the reported error; extinction and parallax apart where they are not significant."""
    pull = (fits.estimate[:, :5] - truth) / fits.sigma[:, :5]
    significant = np.column_stack([np.ones((len(truth), 3), bool), truth[:, 3:] > SIGNIFICANT * fits.sigma[:, 3:5]])
    chosen = np.where(significant, pull, np.nan)
    for title, of, bar in (
        (f"median pull, bar {BIAS}", np.nanmedian, (-BIAS, BIAS)),
        (f"pull width, 1.4826 MAD, bar {PULLS[0]} to {PULLS[1]}", lambda x, axis: 1.4826 * np.nanmedian(np.abs(x - np.nanmedian(x, axis=axis)), axis=axis), PULLS),
    ):  # fmt: skip
        header(f"{title}; ext and parallax where the truth is above {SIGNIFICANT:g} sigma; simulated")
        for name, inside in by_magnitude(fits):
            row(name, of(chosen[inside], axis=0), bar)
    print(
        f"\nMedian pull of ext and parallax by their truth in sigma, against what the terms -2 ln ext - 2 ln parallax of Eq. 19 imply; simulated, G < {FAINTEST:g}"
    )
    inside = fits.g < FAINTEST
    for i in (3, 4):
        t = truth[inside, i] / fits.sigma[inside, i]
        for low, high in ((0.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 5.0), (5.0, 10.0)):
            some = (t >= low) & (t < high)
            if some.sum() > 20:
                seen, implied = np.median(pull[inside, i][some]), np.median(implied_median(t[some]))
                print(
                    f"  {PARAMETERS[i]:<9} {low:4.0f} to {high:4.0f} sigma ({some.sum():5d} stars): {seen:+.2f} seen, {implied:+.2f} implied"
                )


def lamost_like(fits: Fits, truth: Float64[np.ndarray, "n 5"]) -> None:
    """Scatter of stars like those of the paper's validation: parallax S/N of 5 or more, chi2 / 61 up to 5."""
    off = fits.estimate[:, :5] - truth
    some = (fits.parallax / fits.parallax_error > SIGNIFICANT) & (fits.chi2 / 61 <= 5)
    if some.sum() < 20:
        return
    wide = np.percentile(off[some], [16, 84], axis=0)
    header(
        f"scatter of {some.sum()} stars against truth, chosen as in the paper's section 4, half the range from 16 to 84 % (the paper's: 90 K, 0.15, 0.15, 0.03 mag); simulated"
    )
    row("half range", (wide[1] - wide[0]) / 2)
    row("1.4826 MAD", spread(off[some]))
    row("paper", np.array([*PAPER_SCATTER, np.nan]))


def correlations(fits: Fits, known: Limits) -> None:
    """Median correlations of errors before and after the parallax term: the paper's, the model's, the sky's own."""
    good = np.linalg.eigvalsh(fits.flux_information[:, :5, :5])[:, 0] > 0
    fits, known = fits.take(good), known.take(good)
    pairs = [
        (np.linalg.inv(fits.flux_information[:, :5, :5]), fits.covariance[:, :5, :5]),
        (np.linalg.inv(known.flux_information), np.linalg.inv(known.information)),
    ]
    dwarf = fits.estimate[:, 2] > GIANT_LOGG
    print(
        "\nMedian correlation of errors before and after the parallax term (the paper's Fig. 6: all of its stars; the sky: by its own response); simulated"
    )
    print(
        "  "
        + " " * 18
        + "".join(f"{name:>20}" for name in ("paper", "model", "sky", "model, dwarfs", "sky, dwarfs", "model, giants", "sky, giants"))
    )
    for (a, b), paper in PAPER_CORRELATIONS.items():
        i, j = PARAMETERS.index(a), PARAMETERS.index(b)
        seen = [paper]
        for some in (np.ones(len(dwarf), bool), dwarf, ~dwarf):
            for both in pairs:
                before, after = (np.median((c[:, i, j] / np.sqrt(c[:, i, i] * c[:, j, j]))[some]) for c in both)
                seen.append((float(before), float(after)))
        print(f"  {f'({a}, {b})':<18}" + "".join(f"{x:+10.3f} to {y:+.3f}" for x, y in seen))


def report(fits: Fits, known: Limits, sky: Stars) -> None:
    """All tables of some stars."""
    stars = sky.take(fits.row)
    plain = ordinary(stars)
    truth = parameters(stars) * [1000.0, 1.0, 1.0, 1.0, 1.0]
    basic = fits.flags < BASIC
    for bound, words in ((np.inf, "all"), (FAINTEST, f"G < {FAINTEST:g}")):
        some = plain & (fits.g < bound)
        print(
            f"{words}: basic cut keeps {basic[some].mean():.1%} of {some.sum()} single stars of the grid and {basic[stars.is_binary & (fits.g < bound)].mean():.1%} of "
            f"{(stars.is_binary & (fits.g < bound)).sum()} binaries; confidences of all three 0.5 or more: {((fits.flags & 7) == 0)[some & basic].mean():.1%} of those kept"
        )
    chosen = (basic & (fits.g < FAINTEST))[plain]
    mine, limits, what = fits.take(plain).take(chosen), known.take(chosen), truth[plain][chosen]
    over_bounds(mine, limits, what)
    pulls(mine, what)
    lamost_like(mine, what)
    correlations(mine, limits)


def main() -> None:
    """The command."""
    parser = version_arguments(__doc__)
    parser.add_argument("--stars", type=int, default=5000, help="so many of the sky's stars that are neither learnt from nor held out")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sky, settings = read_sky(arguments.sky)
    version, configuration = read_version(arguments.weights, arguments.configuration)
    database = open_database(environment())
    learnt, held = sides(database, arguments.release, configuration, arguments.seed)
    print(
        f"Simulated stars of {arguments.sky.name}, {len(sky)} in all. The version has learnt from {len(learnt)} of them, {len(held)} were held out; converged and refused below."
    )
    free = sky.source_id[~np.isin(sky.source_id, np.concatenate([learnt, held]))]
    others = np.random.default_rng(0).permutation(free)[: arguments.stars]
    for title, only in (
        ("HELD-OUT STARS OF THE TRAINING SAMPLE (these are the bars')", held),
        ("STARS THAT THE SURVEYS DO NOT HAVE, or not well", others),
    ):
        fits, known, refused = measured(
            database,
            arguments.release,
            version,
            configuration,
            sky,
            np.sort(only),
            alpha_gain=settings.alpha_gain,
            rv_scatter=settings.rv_scatter,
        )
        print(
            f"\n=== {title}: {len(fits)} fitted, {fits.converged.mean():.2%} converged, {len(refused)} refused {sorted(set(refused.values()))}"
        )
        report(fits, known, sky)


if __name__ == "__main__":
    main()
