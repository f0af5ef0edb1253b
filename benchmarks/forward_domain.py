"""What becomes of stars that the forward model does not know, and what its confidences are worth, on a simulated sky with its truth.

    python -m benchmarks.forward_domain --sky DIR --weights FILE.safetensors --configuration FILE.json [--stars N]

``--sky`` is a folder of `kiel sky make` whose files the database of KIEL_HOME holds, linked, as release ``--release`` (sim_dr3). Labels are made as a
run makes them, from the catalogue alone; the truth only says which star is what. All odd objects of the sky are labelled, and N other stars that are
drawn by a fixed seed (learnt ones among them: LAMOST sees few of a sky's stars). All figures are of simulated stars. Printed, with bars:

    flagged             white dwarfs, M dwarfs and junk with a bit of quality_flags, with outside_domain, or without label      at least 95 %
    kept                ordinary stars (single or binary stars of the grid) with quality_flags < 8                            at least 80 %
    confidence          by its value: share of estimates within 3 of chi_eps of the truth (Eq. 27 without the survey's error), raw and calibrated
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float64

from benchmarks.forward_truth import read_sky, rows_of, types
from catalog.binary_copy import Rows
from catalog.database import Role
from catalog.embedded_server import open_database
from catalog.quality import masks
from catalog.releases import release_named
from catalog.settings import settings as environment
from catalog.store.star_store import read_stars
from ingest.sky.oddities import Kind
from ingest.sky.stars import Stars
from models.forward.confidence.calibration import reliability
from models.forward.confidence.confidence import BAD, TOLERANCE
from models.forward.model import load
from models.forward.parameters import TYPE

FLAGGED, KEPT = 0.95, 0.80
BASIC = 8
UNKNOWN = (Kind.WHITE_DWARF, Kind.M_DWARF, Kind.JUNK)
"""Kinds that the bar is for."""
HOT, REDDENED = 8000.0, 1.0


def groups(stars: Stars) -> Iterator[tuple[str, Bool[np.ndarray, " n"]]]:
    """Names and members; a star may be in several."""
    plain = stars.kind == Kind.STAR
    for kind in (*UNKNOWN, Kind.EMISSION):
        yield kind.name.lower(), stars.kind == kind
    yield "ordinary", plain
    yield f"  hotter than {HOT:g} K", plain & (stars.labels.teff > HOT)
    yield f"  E(B-V) above {REDDENED:g}", plain & (stars.ebv > REDDENED)
    yield "  equal-mass binaries", plain & stars.equal_mass
    yield "  without BP", plain & stars.missing_bp


def told_of_groups(stars: Stars, rows: Rows, refused: Bool[np.ndarray, " n"]) -> None:
    """One line a group."""
    flags, nulls = rows["quality_flags"], rows.nulls.get("outside_domain", np.zeros(len(rows), bool))
    outside = rows["outside_domain"] & ~nulls
    labelled = np.flatnonzero(~refused)
    warned, cut = refused.copy(), refused.copy()
    warned[labelled] = (flags != 0) | outside
    cut[labelled] = flags >= BASIC
    beyond = np.zeros(len(stars), bool)
    beyond[labelled] = outside
    names = {name: value for name, value in masks("forward").items() if value >= BASIC}
    print(f"{'':26} {'stars':>6} {'flagged':>8} {'kept':>7} {'refused':>8} {'outside':>8} " + " ".join(f"{name:>14}" for name in names))
    for name, inside in groups(stars):
        if not inside.any():
            continue
        bits = [np.mean((flags[inside[labelled]] & value) != 0) for value in names.values()]
        print(
            f"{name:26} {inside.sum():6} {warned[inside].mean():8.1%} {1 - cut[inside].mean():7.1%} {refused[inside].mean():8.1%} {beyond[inside].mean():8.1%} "
            + " ".join(f"{share:14.1%}" for share in bits)
        )
    unknown, plain = np.isin(stars.kind, UNKNOWN), stars.kind == Kind.STAR
    print(f"ordinary stars that the basic cut keeps and that lie outside the domain: {(beyond & ~cut)[plain].mean():.2%} (simulated)")
    for name, value, bar in (
        ("white dwarfs, M dwarfs, junk flagged", warned[unknown].mean(), FLAGGED),
        ("ordinary stars kept by the basic cut", 1 - cut[plain].mean(), KEPT),
    ):
        print(f"{name}: {value:.1%}, bar {bar:.0%}: {'met' if value >= bar else 'MISSED'} (simulated)")


def told_of_confidences(stars: Stars, rows: Rows) -> None:
    """Of each label with a classifier, the share that is right by confidence; stars of the grid that pass the basic cut."""
    usable = (stars.kind == Kind.STAR) & (rows["quality_flags"] < BASIC)
    truth = types(stars)
    unit = np.array([1000.0, 1.0, 1.0])
    for at, name in enumerate(TYPE):
        error = np.hypot(rows[f"e_{name}"], TOLERANCE[name] * unit[at])
        right: Bool[np.ndarray, " n"] = ((rows[name] - truth[:, at] * unit[at]) / error) ** 2 < BAD
        print(f"\n{name}: {right[usable].mean():.2%} of {usable.sum()} right (simulated)")
        for kind in ("confidence", "confidence_calibrated"):
            score: Float64[np.ndarray, " n"] = rows[f"{name}_{kind}"].astype(np.float64)
            there = usable & np.isfinite(score) & ~rows.nulls.get(f"{name}_{kind}", np.zeros(len(rows), bool))
            if not there.any():
                print(f"  {kind}: this version has no classifier")
                continue
            curve = reliability(score[there], right[there])
            print(f"  {kind}: expected calibration error {curve['expected_calibration_error']:.3f}, Brier score {curve['brier']:.4f}")
            for low, high, count, mean, share in zip(
                *(curve[key] for key in ("from", "to", "stars", "mean_score", "good_share")), strict=True
            ):
                print(f"    {low:.1f} to {high:.1f}: {count:6} stars, mean {mean:.3f}, right {share:.3f}")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sky", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--configuration", type=Path, required=True)
    parser.add_argument("--release", default="sim_dr3")
    parser.add_argument("--stars", type=int, default=6000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sky, _ = read_sky(arguments.sky)
    odd = sky.kind != Kind.STAR
    drawn = np.random.default_rng(0).permutation(np.flatnonzero(~odd))[: arguments.stars]
    wanted = np.sort(np.concatenate([sky.source_id[odd], sky.source_id[drawn]]))
    configuration = json.loads(arguments.configuration.read_text())
    model = load(arguments.weights.read_bytes(), configuration)
    labels, reasons, seen = [], {}, []
    with open_database(environment()).connect(Role.WORKER) as connection:
        release = release_named(connection, arguments.release)
        for batch in read_stars(connection, release, 0, 2**63 - 1, only=wanted):
            predictions = model.predict(batch)
            seen.append(batch.spectra.source_id)
            labels.append(predictions.labels)
            reasons.update({each.source_id: each.reason for each in predictions.no_label})
    rows, source_id = Rows.concatenate(labels), np.concatenate(seen)
    refused = np.isin(source_id, np.array(list(reasons), np.int64))
    stars = sky.take(rows_of(sky, source_id))
    assert np.array_equal(source_id[~refused], rows["source_id"])
    words = {reason: list(reasons.values()).count(reason) for reason in sorted(set(reasons.values()))}
    print(f"{len(stars)} simulated stars, {refused.sum()} without label {words or ''}")
    told_of_groups(stars, rows, refused)
    told_of_confidences(stars.take(~refused), rows)


if __name__ == "__main__":
    main()
