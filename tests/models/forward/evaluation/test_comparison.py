"""Estimates beside a reference: known offsets and noise come out, each choice holds its own stars, and nothing is made up where there is nothing."""

import json

import numpy as np
import pytest

from models.forward.bands import BAND_NAMES, N_BANDS
from models.forward.evaluation.comparison import choices, compared, flux_residual_numbers, truth_choices
from models.forward.evaluation.estimates import quality_counts
from models.forward.evaluation.references import Reference
from models.forward.evaluation.truth import Bounds, Truth, kind_counts
from models.forward.parameters import PARAMETERS

N = 4000
OFFSET = np.array([30.0, 0.05, -0.1, 0.01, 0.0])
NOISE = np.array([50.0, 0.1, 0.1, 0.02, 0.02])


def noisy(stars, seed: int = 1) -> Reference:
    """A truth from which the estimates differ by OFFSET and their own errors."""
    noise = np.random.default_rng(seed).normal(size=stars.values.shape) * NOISE
    return Reference("truth", "the truth", stars.values - OFFSET - noise, np.full_like(stars.values, np.nan))


def test_offsets_noise_and_pulls_come_out(make_stars) -> None:
    stars = make_stars(N)
    bounds = Bounds("b", "half the noise", np.tile(NOISE / 2, (N, 1)))
    numbers = compared(stars, noisy(stars), choices(stars), bounds)
    for group in ("all", "validated", "reliable", "confident"):
        for column, name in enumerate(PARAMETERS):
            if group == "confident" and name in ("ext", "parallax"):
                assert name not in numbers["groups"][group]["parameters"]  # there is no confidence in these
                continue
            whole = numbers["groups"][group]["parameters"][name]["whole"]
            assert whole["n"] == N
            assert whole["bias"] == pytest.approx(OFFSET[column], abs=4 * NOISE[column] / N**0.5)
            assert whole["scatter"] == pytest.approx(NOISE[column], rel=0.06)
            assert whole["pull_width"] == pytest.approx(1.0, rel=0.06)
            assert whole["bound_ratio"] == pytest.approx(2.0, rel=0.06)
            assert whole["reference_scatter"] is None
    assert numbers["bound"] == {"key": "b", "words": "half the noise"}
    json.dumps(numbers, allow_nan=False)


def test_bins_hold_the_stars_between_their_edges(make_stars) -> None:
    stars = make_stars(N)
    by_g = compared(stars, noisy(stars), choices(stars))["groups"]["all"]["parameters"]["teff"]["by_g"]
    assert [(each["from"], each["to"]) for each in by_g] == [(12, 13), (13, 14), (14, 15), (15, 16), (16, 17)]
    assert [each["n"] for each in by_g] == [int(((stars.g >= each["from"]) & (stars.g < each["to"])).sum()) for each in by_g]


def test_temperature_bins_follow_the_reference_and_not_the_estimate(make_stars) -> None:
    stars = make_stars(400)
    reference = Reference("r", "r", np.tile([5200.0, 0.0, 4.0, 0.1, 1.0], (400, 1)), np.full((400, 5), np.nan))
    by_teff = compared(stars, reference, choices(stars))["groups"]["all"]["parameters"]["logg"]["by_teff"]
    assert [(each["from"], each["to"], each["n"]) for each in by_teff] == [(5000, 5500, 400)]


CASES = {
    "a poor parallax is not validated": ("validated", {"parallax_error": 10.0}, False),
    "a large loss is not validated": ("validated", {"loss": 331.0}, False),
    "a loss of five a band is": ("validated", {"loss": 330.0}, True),
    "a flag above the confidences is not reliable": ("reliable", {"quality_flags": 8}, False),
    "flags of confidences leave it reliable": ("reliable", {"quality_flags": 7}, True),
    "no confidence is not confident": ("confident", {"confidence": float("nan")}, False),
    "one half is not above one half": ("confident", {"confidence": 0.5}, False),
}


@pytest.mark.parametrize(("key", "replaced", "inside"), CASES.values(), ids=CASES.keys())
def test_a_star_is_chosen(make_stars, key, replaced, inside) -> None:
    plain = make_stars(2)
    changed = {name: np.array(getattr(plain, name)) for name in replaced}
    for name, value in replaced.items():
        changed[name][0] = value
    found = {each.key: each for each in choices(make_stars(2, **changed))}[key].masks["teff"]
    assert found.tolist() == [inside, True]


def test_a_choice_stays_within_its_base(make_stars) -> None:
    stars = make_stars(10)
    base = np.arange(10) < 4
    for choice in choices(stars, base):
        for mask in choice.masks.values():
            assert (mask <= base).all()


def test_of_a_version_without_classifiers_nobody_is_confident(make_stars) -> None:
    stars = make_stars(5, confidence=np.full((5, 3), np.nan))
    assert "confident" not in {each.key for each in choices(stars)}
    assert [row[0] for row in quality_counts(stars)] == ["all stars", "basic cut"]


def test_the_truth_chooses_single_stars_and_well_measured_extinctions(make_stars) -> None:
    stars = make_stars(4, g=np.array([13.0, 13.0, 18.0, 13.0]))
    values = stars.values.copy()
    values[:, PARAMETERS.index("ext")] = [0.5, 0.05, 0.5, 0.5]
    truth = Truth(
        Reference("truth", "t", values, np.full_like(values, np.nan)), np.array(["star", "star", "star", "white_dwarf"], object),
        np.array([False, False, False, False]), np.full(4, None, object),
    )  # fmt: skip
    found = {each.key: each for each in truth_choices(stars, truth, np.array([True, True, True, True]))}
    assert found["ordinary"].masks["teff"].tolist() == [True, True, False, False]
    assert found["measured"].masks["ext"].tolist() == [True, False, False, False]
    assert "teff" not in found["measured"].masks
    assert truth_choices(stars, truth, np.zeros(4, bool))[0].masks["teff"].sum() == 0


def test_what_a_reference_does_not_say_is_not_compared(make_stars) -> None:
    stars = make_stars(50)
    values = np.full((50, 5), np.nan)
    values[:20, 1] = 0.0
    numbers = compared(stars, Reference("r", "r", values, values), choices(stars))
    assert set(numbers["groups"]["all"]["parameters"]) == {"feh"}
    assert numbers["groups"]["all"]["parameters"]["feh"]["whole"]["n"] == 20


def test_table_3_counts_cuts_within_cuts(make_stars) -> None:
    confidence = np.array([[0.9, 0.9, 0.9], [0.9, 0.1, 0.9], [0.9, 0.9, 0.9], [0.1, 0.1, 0.1]])
    stars = make_stars(4, quality_flags=np.array([0, 2, 16, 7]), confidence=confidence)
    assert [(count, share) for _, count, share in quality_counts(stars)] == [(4, 1.0), (3, 0.75), (2, 0.5), (2, 0.5), (1, 0.25), (1, 0.25)]


def test_residuals_by_band_see_offsets_missing_bands_and_outliers(make_stars) -> None:
    residuals = np.zeros((101, N_BANDS), np.float32)
    residuals[:, 3] = np.linspace(-1, 3, 101)
    residuals[:, 4] = np.nan
    residuals[:10, 5] = 4.0
    rows = flux_residual_numbers(make_stars(101, residuals=residuals), np.ones(101, bool))
    assert [row["band"] for row in rows] == list(BAND_NAMES)
    assert rows[3]["median"] == pytest.approx(1.0)
    assert rows[3]["half_width"] == pytest.approx(1.36)
    assert rows[4] == {"band": BAND_NAMES[4], "stars": 0, "median": None, "half_width": None, "beyond_3": None}
    assert rows[5]["beyond_3"] == pytest.approx(10 / 101, rel=1e-4)


def test_what_becomes_of_each_kind_is_counted(make_stars) -> None:
    stars = make_stars(6, quality_flags=np.array([0, 0, 8, 16, 0, 0]), out_of_domain=np.array([0.5, 3.5, 0.5, 9.0, 0.5, float("nan")]))
    kind = np.array(["star", "star", "star", "white_dwarf", "m_dwarf", ""], object)
    truth = Truth(
        Reference("t", "t", stars.values, stars.errors), kind, np.array([False, False, True, False, False, False]), np.full(6, None, object)
    )
    assert kind_counts(stars, truth) == [
        ("single stars", 2, 1.0, 0.5, 0.5), ("unresolved binaries", 1, 0.0, 0.0, 1.0), ("m dwarf", 1, 1.0, 0.0, 0.0), ("white dwarf", 1, 0.0, 1.0, 1.0),
    ]  # fmt: skip
