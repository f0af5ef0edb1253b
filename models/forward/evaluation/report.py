"""The whole evaluation of some stars: numbers as they are stored, and the sections of the page with every figure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from models.evaluation.drawing import Drawing
from models.evaluation.page import Section
from models.evaluation.statistics import Spread, median_correlations, without_nan
from models.forward.confidence.calibration import reliability
from models.forward.confidence.confidence import BAD, GOOD, TOLERANCE
from models.forward.evaluation import comparison_figures, flux_figures, quality_figures, sky_figures, tables
from models.forward.evaluation.clusters import Cluster, cluster_numbers, clusters_of
from models.forward.evaluation.comparison import choices, compared, differences, flux_residual_numbers, truth_choices
from models.forward.evaluation.dust import behind_dust, mappable, slices
from models.forward.evaluation.estimates import EstimatedStars, quality_counts
from models.forward.evaluation.references import NamedSet, Reference
from models.forward.evaluation.truth import Bounds, Truth, kind_counts
from models.forward.parameters import PARAMETERS, TYPE

PAPER_CORRELATIONS = {
    ("parallax", "logg"): (0.987, 0.861), ("parallax", "feh"): (-0.497, -0.098), ("parallax", "ext"): (0.266, 0.047),
    ("teff", "feh"): (0.748, 0.448), ("feh", "ext"): (0.515, 0.352),
}  # fmt: skip
"""Medians over the paper's catalogue before and after the parallax (section 4.3)."""


@dataclass(frozen=True, eq=False)
class Sources:
    """What the stars are compared with, each aligned to them; ``training_labels`` are the labels that the version would have learnt from."""

    training_labels: Reference
    gaia: Reference
    surveys: Sequence[Reference] = ()
    sets: Sequence[NamedSet] = ()
    reddening: Reference | None = None
    positions: Mapping[str, Float[np.ndarray, " n"]] = field(default_factory=dict)
    truth: Truth | None = None
    bounds: Sequence[Bounds] = ()


@dataclass(frozen=True, eq=False)
class Membership:
    """Which stars the version held out of its sample, which of those with labels and poorer data, and which were drawn from the rest of the release."""

    held_out: Bool[np.ndarray, " n"]
    beyond: Bool[np.ndarray, " n"]
    drawn: Bool[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Numbers as JSON holds them, and the page's sections."""

    numbers: dict[str, Any]
    sections: list[Section]


def evaluated(
    stars: EstimatedStars, of: Membership, refused: Mapping[str, int], sources: Sources, extinction_542: float, stamp: str
) -> Evaluation:
    """Everything of one set of stars, none of which the version has learnt from. ``stamp`` ends each figure's title: the version, and that the stars are simulated where they are.

    ``extinction_542`` is the version's R at 542 nm.
    """
    parts = [
        _counts(stars, of, refused, stamp),
        _training_labels(stars, of, sources, stamp),
        *(_survey(stars, reference, stamp) for reference in sources.surveys),
        *(_survey(stars, each.reference, stamp) for each in sources.sets if each.reference.parameters()),
        *_truth(stars, of.held_out, sources, stamp),
        _fluxes(stars, of.held_out, sources, stamp),
        _correlations(stars, stamp),
        _confidence(stars, sources, stamp),
        *_clusters(stars, sources, stamp),
        *_dust(stars, sources, extinction_542, stamp),
    ]
    numbers: dict[str, Any] = {}
    for found, _ in parts:
        for key, value in found.items():
            numbers[key] = {**numbers[key], **value} if isinstance(value, dict) and key in numbers else value
    return Evaluation(without_nan(numbers), [section for _, section in parts])


Part = tuple[dict[str, Any], Section]

BEYOND = "the same labels, of held-out stars with poor parallaxes, crowded or noisy spectra, which the sample leaves out"


def _counts(stars: EstimatedStars, of: Membership, refused: Mapping[str, int], stamp: str) -> Part:
    """The stars and cuts; the paper's table 3 and figure 18 are of the stars drawn from the release (of all, where none was drawn)."""
    counted = of.drawn if of.drawn.any() else np.ones(len(stars), bool)
    drawn = stars.take(counted)
    counts = quality_counts(drawn)
    numbers = {
        "stars": len(stars), "refused": dict(refused), "table_3": [dict(zip(("cut", "stars", "share"), row, strict=True)) for row in counts],
        "converged": float(stars.converged.mean()), "several_minima": float((stars.n_minima > 1).mean()), "validated": int(stars.validated.sum()),
    }  # fmt: skip
    words = (
        f"{len(stars)} stars that the version has not learnt from have labels: {int(of.held_out.sum())} of them were held out of its sample, "
        f"{int(of.beyond.sum())} have such labels but data that the sample leaves out, {int(of.drawn.sum())} were drawn from all others of the release, the rest have labels of other surveys or sets. {int((~stars.converged).sum())} of the "
        f"fits did not meet their stopping rule, {int((stars.n_minima > 1).sum())} stars have more than one minimum within 4 of the lowest loss. Table 3 and "
        f"figure 18 are of the {len(drawn)} stars drawn."
    )
    rules = [(each.title, each.words, int(np.logical_or.reduce(list(each.masks.values())).sum())) for each in choices(stars)]
    listed = [tables.counts_table(counts), tables.choices_table(rules), *([tables.refused_table(refused)] if refused else [])]
    absolute = quality_figures.absolute_magnitude(drawn)
    figure = quality_figures.reliable_share_figure(f"Share of reliable stars (figure 18). {stamp}", drawn, absolute)
    return numbers, Section("Stars and cuts", words, listed, [figure])


def _training_labels(stars: EstimatedStars, of: Membership, sources: Sources, stamp: str) -> Part:
    reference = sources.training_labels
    numbers = {
        "training_labels": compared(stars, reference, choices(stars, of.held_out)),
        "gaia_and_map": compared(stars, sources.gaia, choices(stars, of.held_out)),
        "labels_beyond": compared(stars, Reference("labels_beyond", BEYOND, reference.values, reference.errors), choices(stars, of.beyond)),
    }
    both = [reference, sources.gaia]
    mask = of.held_out & stars.validated
    drawings = [
        comparison_figures.corner_figure("figure_7_differences", f"Estimates minus survey labels (figure 7). {stamp}", stars, both, mask),
        comparison_figures.corner_figure(
            "figure_8_normalised", f"The same in units of the reference's errors (figure 8). {stamp}", stars, both, mask, normalised=True
        ),
        comparison_figures.pull_figure("pulls_survey", f"Differences over all errors. {stamp}", stars, reference, mask),
        comparison_figures.by_magnitude_figure("magnitude_survey", f"By magnitude. {stamp}", stars, reference, mask, None),
    ]
    if stars.judged:
        drawings.append(
            comparison_figures.confidence_figure(
                "figure_10_confidence", f"By confidence (figure 10). {stamp}", stars, reference, stars.reliable
            )
        )
    sure, words = (
        (stars.reliable & stars.confident("teff"), "confident in it") if "teff" in stars.judged else (stars.reliable, "of the basic cut")
    )
    title = f"Normalised difference in teff of stars {words} (figure 11). {stamp}"
    drawings.append(comparison_figures.normalised_figure("figure_11_normalised_teff", title, stars, reference, sure))
    listed = [*tables.comparison_tables(numbers["training_labels"], "validated"), tables.whole_table(numbers["gaia_and_map"])]
    if of.beyond.any():
        listed.append(tables.whole_table(numbers["labels_beyond"]))
    words = (
        "Stars held out of the sample that the version learnt from, inferred as a run does, without their survey labels. Extinctions are compared with the map "
        "of the dust, parallaxes with Gaia's, which the estimates have seen. Figures 10 and 11 are of all held-out stars that pass the basic cut, also of those "
        "whose data the sample's cuts leave out."
    )
    return {"references": numbers}, Section(f"Beside {reference.words}", words, listed, drawings)


def _survey(stars: EstimatedStars, reference: Reference, stamp: str) -> Part:
    numbers = compared(stars, reference, choices(stars))
    name = "".join(letter if letter.isalnum() else "_" for letter in reference.key)
    figure = "figure 16" if not reference.key.startswith("set:") else "as figures 16 and 17"
    drawing = comparison_figures.types_figure(
        f"types_{name}", f"Estimates minus {reference.words} ({figure}). {stamp}", stars, reference, stars.reliable
    )
    return {"references": {reference.key: numbers}}, Section(
        f"Beside {reference.words}", "", tables.comparison_tables(numbers, "reliable"), [drawing]
    )


def _truth(stars: EstimatedStars, is_held_out: Bool[np.ndarray, " n"], sources: Sources, stamp: str) -> list[Part]:
    truth = sources.truth
    if truth is None:
        return []
    chosen = truth_choices(stars, truth, is_held_out)
    of: list[Bounds | None] = list(sources.bounds) or [None]
    numbers: dict[str, Any] = {}
    listed = [
        tables.choices_table([(each.title, each.words, int(np.logical_or.reduce(list(each.masks.values())).sum())) for each in chosen])
    ]
    for bounds in of:
        found = compared(stars, truth.reference, chosen, bounds)
        numbers[bounds.key if bounds is not None else "no_bound"] = found
        listed += tables.comparison_tables(found, "ordinary")
    kinds = kind_counts(stars, truth)
    listed.append(tables.kinds_table(kinds))
    mask = chosen[0].masks["teff"]
    first = sources.bounds[0].values if sources.bounds else None
    drawings = [
        comparison_figures.pull_figure(
            "pulls_truth", f"Differences from the truth over reported errors. {stamp}", stars, truth.reference, mask
        ),
        comparison_figures.by_magnitude_figure("magnitude_truth", f"By magnitude. {stamp}", stars, truth.reference, mask, first),
        comparison_figures.corner_figure("truth_differences", f"Estimates minus truth. {stamp}", stars, [truth.reference], mask),
        comparison_figures.types_figure("types_truth", f"Estimates minus truth by type. {stamp}", stars, truth.reference, mask),
    ]
    words = "Simulated stars only: the truth was read by this evaluation, never by training or prediction. " + " ".join(
        f"{bounds.key}: {bounds.words}." for bounds in sources.bounds
    )
    names = ("kind", "stars", "basic_cut", "outside_domain", "caught")
    by_kind = [dict(zip(names, row, strict=True)) for row in kinds]
    return [({"truth": numbers, "kinds": by_kind}, Section("Beside the truth of the simulated sky", words, listed, drawings))]


def _fluxes(stars: EstimatedStars, is_held_out: Bool[np.ndarray, " n"], sources: Sources, stamp: str) -> Part:
    held, unseen = is_held_out & stars.validated, stars.reliable
    numbers = {"held_out": flux_residual_numbers(stars, held), "reliable": flux_residual_numbers(stars, unseen)}
    labels = np.where(np.isfinite(sources.training_labels.values), sources.training_labels.values, sources.gaia.values)
    first, second = "Held-out stars that pass the paper's validation cuts.", "All stars not learnt from that pass the basic cut."
    drawings = [
        flux_figures.residuals_figure(f"Flux residuals (figure 9). {stamp}", stars, held, labels, "the survey"),
        flux_figures.bands_figure("flux_residuals_held_out", f"Flux residuals by band. {first} {stamp}", stars, held),
        flux_figures.bands_figure("flux_residuals_reliable", f"Flux residuals by band. {second} {stamp}", stars, unseen),
    ]
    words = "Predicted minus observed fluxes at the inferred parameters, recomputed from the stored version."
    listed = [tables.bands_table(numbers["held_out"], first), tables.bands_table(numbers["reliable"], second)]
    return {"flux_residuals": numbers}, Section("Fluxes", words, listed, drawings)


def _correlations(stars: EstimatedStars, stamp: str) -> Part:
    measured_parallax = np.isfinite(stars.parallax_error)
    before = median_correlations(stars.flux_correlation[measured_parallax].astype(np.float64))
    after = median_correlations(stars.correlation[measured_parallax].astype(np.float64))
    pairs = []
    for i, first in enumerate(PARAMETERS):
        for j, second in enumerate(PARAMETERS[:i]):
            paper = PAPER_CORRELATIONS.get((first, second)) or PAPER_CORRELATIONS.get((second, first)) or (None, None)
            pairs.append(
                {
                    "pair": f"{second}, {first}",
                    "before": before[j, i],
                    "after": after[j, i],
                    "paper_before": paper[0],
                    "paper_after": paper[1],
                }
            )
    words = "Correlations of the errors, from the Fisher matrices of fluxes alone and of fluxes with Gaia's parallax; the paper's numbers are of its catalogue."
    figure = flux_figures.correlations_figure(f"Correlations of the errors (figure 6). {stamp}", before, after)
    numbers = {
        "correlations": {"parameters": list(PARAMETERS), "fluxes": before, "with_parallax": after, "stars": int(measured_parallax.sum())}
    }
    return numbers, Section("Correlations", words, [tables.correlations_table(without_nan(pairs))], [figure])


def _confidence(stars: EstimatedStars, sources: Sources, stamp: str) -> Part:
    """Reliability against the survey labels and, where there is one, the truth."""
    curves: dict[str, dict[str, dict[str, Any]]] = {}
    for label in TYPE:
        metric = agreement_metric(stars, sources.training_labels, label)
        decided = stars.reliable & np.isfinite(metric) & ((metric < GOOD) | (metric > BAD))
        curves[label] = {}
        for kind, values in (("raw", stars.confidence), ("calibrated", stars.calibrated)):
            here = decided & np.isfinite(values[:, TYPE.index(label)])
            if here.any():
                curves[label][kind] = reliability(values[here, TYPE.index(label)], metric[here] < GOOD)
    numbers = {
        "reliability": curves,
        "agreeing_with_labels": {
            label: _share_good(agreement_metric(stars, sources.training_labels, label), stars.reliable) for label in TYPE
        },
    }
    if not any(curves.values()):
        return numbers, Section("Confidences", "This version has no classifiers of confidence, or no star that they could be judged by.")
    figure = quality_figures.reliability_figure(f"Reliability of the confidences. {stamp}", curves)
    return numbers, Section("Confidences", "", [tables.reliability_table(curves)], [figure])


def agreement_metric(stars: EstimatedStars, reference: Reference, label: str) -> Float[np.ndarray, " n"]:
    """chi_eps^2 of Eq. 27 of one of TYPE."""
    here = differences(stars, reference, label)
    tolerance = TOLERANCE[label] * (1000.0 if label == "teff" else 1.0)
    return here.difference**2 / (here.error**2 + np.nan_to_num(here.reference_error) ** 2 + tolerance**2)


def _share_good(metric: Float[np.ndarray, " n"], among: Bool[np.ndarray, " n"]) -> float:
    known = metric[among & np.isfinite(metric)]
    return float((known < GOOD).mean()) if len(known) else float("nan")


def _clusters(stars: EstimatedStars, sources: Sources, stamp: str) -> list[Part]:
    """Clusters by the truth and by every set that names any."""
    parts: list[Part] = []
    lists: list[tuple[str, str, list[Cluster]]] = []
    if sources.truth is not None:
        values = sources.truth.reference.values
        of_truth = clusters_of(stars, sources.truth.cluster, values[:, PARAMETERS.index("parallax")], values[:, 1], stars.reliable)
        lists.append(("truth", "the truth of the simulated sky", of_truth))
    for each in sources.sets:
        with np.errstate(divide="ignore", invalid="ignore"):
            parallax = 1000.0 / each.distance
        found = clusters_of(stars, each.cluster, parallax, each.reference.values[:, 1], stars.reliable)
        lists.append((each.reference.key, each.reference.words, found))
    for key, words, found in lists:
        if not found:
            continue
        rows = cluster_numbers(stars, found)
        figure = sky_figures.clusters_figure(f"Clusters (figure 19). {stamp}", stars, found, sources.positions, words)
        section = Section(f"Clusters of {words}", "Members that pass the basic cut.", [tables.clusters_table(rows)], [figure])
        parts.append(({"clusters": {key: rows}}, section))
    return parts


def _dust(stars: EstimatedStars, sources: Sources, extinction_542: float, stamp: str) -> list[Part]:
    ext = stars.parameter("ext")
    numbers: dict[str, Any] = {}
    drawings: list[Drawing] = []
    longitude, latitude = sources.positions["l"], sources.positions["b"]
    behind = behind_dust(stars, longitude, latitude)
    beside: list[tuple[str, str, Float[np.ndarray, " n"], Float[np.ndarray, " n"]]] = []
    if sources.reddening is not None:
        beside.append(
            (
                "figure_20_reddening_map",
                f"{sources.reddening.words} (figure 20)",
                np.where(behind, sources.reddening.values[:, 3], np.nan),
                ext,
            )
        )
    if sources.truth is not None:
        beside.append(
            ("reddening_truth", "true E(B-V), reliable stars", np.where(stars.reliable, sources.truth.reference.values[:, 3], np.nan), ext)
        )
    for each in sources.sets:
        if np.isfinite(each.extinction).any():
            name = "".join(letter if letter.isalnum() else "_" for letter in each.reference.key)
            magnitudes = 1.0857362 * ext * extinction_542
            beside.append(
                (
                    f"figure_21_{name}",
                    f"A_V of {each.reference.words} (figure 21)",
                    np.where(stars.reliable, each.extinction, np.nan),
                    magnitudes,
                )
            )
    for name, words, reference, estimate in beside:
        numbers[name] = {"words": words, **asdict(Spread.of(estimate - reference))}
        caption = f"Estimated extinction minus {words} against the latter; lines: 15th, 50th and 84th percentile."
        drawings.append(sky_figures.reddening_figure(name, f"Extinction beside {words}. {stamp}", reference, estimate, words, caption))
    chosen = mappable(stars)
    found = slices(stars, longitude, latitude, chosen)
    numbers["slices"] = [
        {"from_kpc": each.nearest, "to_kpc": each.farthest, "stars": each.stars, "mean": _mean(each.mean), "increase": _mean(each.increase)}
        for each in found
    ]
    drawings.append(sky_figures.slices_figure(f"Dust in slices of distance (figures 22 and 23). {stamp}", found))
    words = (
        f"Figure 20 is of the {int(behind.sum())} reliable stars behind nearly all dust of their sightline (0.4 kpc from the plane, 10 degrees from it, away "
        "from the Magellanic Clouds), beside the map that the catalogue has of them, which is drawn against itself where there is no second map. The slices "
        f"are of {int(chosen.sum())} stars with well-known extinctions and distances."
    )
    return [({"extinction": numbers}, Section("Extinction", words, [], drawings))]


def _mean(values: Float[np.ndarray, " pixels"]) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
