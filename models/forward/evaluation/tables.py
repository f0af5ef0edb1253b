"""The numbers of an evaluation as tables of its page, from the very structure that is stored with the version."""

from collections.abc import Mapping, Sequence
from typing import Any

from models.evaluation.page import NumberTable

LABELS = {"teff": "teff [K]", "feh": "[Fe/H] [dex]", "logg": "log g [dex]", "ext": "E [mag]", "parallax": "parallax [mas]"}
HEADS = (
    "stars", "bias", "scatter", "15 %", "84 %", "outliers", "pull: median", "pull: width", "beyond 3", "scatter / reference error",
    "scatter / bound", "stars with one",
)  # fmt: skip
FIELDS = (
    "n", "bias", "scatter", "p15", "p84", "outliers", "pull_bias", "pull_width", "beyond_3", "reference_scatter", "bound_ratio", "bound_n",
)  # fmt: skip


def whole_table(numbers: Mapping[str, Any]) -> NumberTable:
    """One row a choice of stars and parameter."""
    rows = [
        (group["title"], LABELS[name], *(each["whole"][field] for field in FIELDS))
        for group in numbers["groups"].values()
        for name, each in group["parameters"].items()
    ]
    bound = f" The bound: {numbers['bound']['words']}." if "bound" in numbers else ""
    caption = (
        f"Estimate minus {numbers['words']}: bias is the median, scatter 1.4826 MAD, outliers lie beyond 5 scatters; pulls are differences over all errors "
        f"in quadrature.{bound}"
    )
    return _without_empty(NumberTable(caption, ("stars chosen", "parameter", *HEADS), tuple(rows)))


def binned_table(numbers: Mapping[str, Any], group: str, key: str, words: str) -> NumberTable:
    """One row a parameter and bin of one choice of stars; ``key`` is by_g or by_teff."""
    chosen = numbers["groups"][group]
    rows = [
        (LABELS[name], f"{each['from']:g} to {each['to']:g}", *(each[field] for field in FIELDS))
        for name, parameter in chosen["parameters"].items()
        for each in parameter[key]
    ]
    caption = f"Estimate minus {numbers['words']}, by {words}: {chosen['words']}."
    return _without_empty(NumberTable(caption, ("parameter", words, *HEADS), tuple(rows)))


def _without_empty(table: NumberTable) -> NumberTable:
    """The table without columns that have nothing in any row."""
    kept = [column for column in range(len(table.heads)) if any(row[column] not in (None, 0) for row in table.rows)]
    return NumberTable(
        table.caption, tuple(table.heads[each] for each in kept), tuple(tuple(row[each] for each in kept) for row in table.rows)
    )


def comparison_tables(numbers: Mapping[str, Any], binned_group: str) -> list[NumberTable]:
    """The whole samples, then one choice of stars by magnitude and by temperature."""
    listed = [whole_table(numbers)]
    if binned_group in numbers["groups"]:
        listed += [binned_table(numbers, binned_group, "by_g", "G"), binned_table(numbers, binned_group, "by_teff", "teff")]
    return [table for table in listed if table.rows]


def choices_table(chosen: Sequence[tuple[str, str, int]]) -> NumberTable:
    """What the choices of stars are: title, rule, number of stars."""
    return NumberTable("The choices of stars in the tables below.", ("chosen", "rule", "stars"), tuple(chosen))


def counts_table(rows: Sequence[Sequence[Any]]) -> NumberTable:
    """The paper's table 3: cut, stars, share."""
    return NumberTable(
        "Stars that pass the cuts (the paper's table 3).",
        ("cut", "stars", "share"),
        tuple((name, count, share) for name, count, share in rows),
    )


def refused_table(refused: Mapping[str, int]) -> NumberTable:
    """Why held-out stars got no label."""
    return NumberTable("Held-out stars without a label.", ("reason", "stars"), tuple(sorted(refused.items(), key=lambda each: -each[1])))


def bands_table(rows: Sequence[Mapping[str, Any]], words: str) -> NumberTable:
    """Flux residuals by band; ``words`` say of which stars."""
    return NumberTable(
        f"Flux residuals by band, predicted minus observed over the observation's error: median, half the width of the central 68 %, share beyond 3. {words}",
        ("band", "stars", "median", "half width", "beyond 3"),
        tuple((each["band"], each["stars"], each["median"], each["half_width"], each["beyond_3"]) for each in rows),
    )


def kinds_table(rows: Sequence[tuple[str, int, float, float, float]]) -> NumberTable:
    """What becomes of each kind of simulated object."""
    caption = "What becomes of each kind of object: shares that pass the basic cut, that lie outside the domain, and that fail the cut or lie outside."
    return NumberTable(caption, ("kind", "stars", "pass the basic cut", "outside the domain", "fail or outside"), tuple(rows))


def correlations_table(pairs: Sequence[Mapping[str, Any]]) -> NumberTable:
    """Correlations of the errors before and after the parallax, beside the paper's for its catalogue."""
    return NumberTable(
        "Median correlations between the errors of two parameters.",
        ("pair", "fluxes alone", "with the parallax", "the paper: fluxes alone", "the paper: with the parallax"),
        tuple((each["pair"], each["before"], each["after"], each["paper_before"], each["paper_after"]) for each in pairs),
    )


def clusters_table(rows: Sequence[Mapping[str, Any]]) -> NumberTable:
    """Clusters."""
    heads = {
        "cluster": "cluster", "parallax": "parallax [mas]", "members": "members", "poor_parallax": "with a poor parallax",
        "gaia_rms": "Gaia: rms about it [mas]", "estimate_rms": "estimate: rms about it [mas]", "gaia_scatter": "Gaia: scatter [mas]",
        "estimate_scatter": "estimate: scatter [mas]", "feh": "[Fe/H]", "feh_scatter": "[Fe/H]: scatter", "feh_difference": "[Fe/H]: minus the cluster's",
    }  # fmt: skip
    caption = "Members of clusters: parallaxes of those with a poor Gaia parallax (of all where these are fewer than five), [Fe/H] of all members."
    return NumberTable(caption, tuple(heads.values()), tuple(tuple(row[name] for name in heads) for row in rows))


def reliability_table(curves: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> NumberTable:
    """How far the confidences are from the frequency of agreement."""
    rows = [
        (label, kind, sum(curve["stars"]), curve["brier"], curve["expected_calibration_error"])
        for label, kinds in curves.items()
        for kind, curve in kinds.items()
    ]
    caption = "Confidences against agreement with the survey: mean square error (Brier), mean distance from the diagonal in tenths."
    return NumberTable(caption, ("parameter", "confidence", "stars", "Brier", "calibration error"), tuple(rows))
