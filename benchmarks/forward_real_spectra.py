"""What a run of the forward model says of real spectra, by the collection that they come from.

    kiel run create forward --version N --allow-simulated-weights      in a database that holds real XP spectra
    kiel run work RUN
    python -m benchmarks.forward_real_spectra --run RUN

Prints of each collection (a file of spectra in the ledger): how many stars are labelled, how many not and why; bands that are missing; chi2_opt / 61, of
BP and of RP by themselves; flags; the out-of-domain score; observed less predicted flux by wavelength; and where Gaia's catalogue has teff_gspphot, logg_gspphot or a parallax, the labels beside
them. Weights that have learnt from simulated stars mark the run, and the output says so: such labels are no measurements of real stars.
"""

import argparse
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath

import numpy as np
import psycopg
from jaxtyping import Bool, Float64, Int64

from catalog.database import Role
from catalog.embedded_server import open_database
from catalog.errors import UsageError
from catalog.quality import FORWARD_FLAGS
from catalog.schema.label_forward import MISSING_BANDS
from catalog.settings import settings
from models.forward.bands import FITTED_DOF, XP_WAVELENGTHS
from models.forward.flux_residuals import FluxResiduals
from models.forward.products.stored_residuals import run_residuals

BASIC = 8
COLLECTIONS = {
    "xp_opcruz_pn.csv.gz": "planetary nebulae",
    "xp_opcruz_sy.csv.gz": "symbiotic stars",
    "xp_bright_ddf30.parquet": "ordinary stars",
    "xp_calspec10_hiromon.csv.gz": "ordinary stars",
    "XP_CONTINUOUS_COMBINED_field2000.fits": "field, errors alone",
    "XP_CONTINUOUS_COMBINED_vosa2815_coefficients_only.fits": "coefficients alone",
}
"""File of the collection of real spectra -> its group; other files make the group of examples."""
RANGES = tuple((f"{low} to {low + 100} nm", low, low + 100) for low in range(390, 990, 100))
TEFF_EDGES = (0.0, 4000.0, 4500.0, 5000.0, 5500.0, 6000.0, 7000.0, 20000.0)
LARGE_GROUP = 500
REST = "examples of libraries"
NUMBERS = (
    "quality_flags",
    "chi2_opt",
    "chi2_bp",
    "chi2_rp",
    "n_bands",
    "missing_bands",
    "out_of_domain",
    "ln_prior",
    "converged",
    "n_minima",
    "worst_wavelength",
    "worst_residual",
)
LABELS = ("teff", "e_teff", "feh", "logg", "ext", "parallax")
KNOWN = {"teff": "teff_gspphot", "logg": "logg_gspphot", "feh": "mh_gspphot", "parallax": "parallax"}
STATEMENT = """
SELECT f.name, x.source_id, n.reason, l.quality_flags, l.chi2_opt, l.chi2_bp, l.chi2_rp, l.n_bands, l.missing_bands, l.out_of_domain, l.ln_prior, l.converged, l.n_minima,
    l.worst_wavelength, l.worst_residual,
    l.teff, l.e_teff, l.feh, l.logg, l.ext, l.parallax, g.teff_gspphot, g.logg_gspphot, g.mh_gspphot, g.parallax
FROM store.run AS r
JOIN store.xp_spectrum AS x ON x.release_id = r.release_id
JOIN store.ingest_file AS f ON f.file_id = x.file_id
LEFT JOIN store.label_forward AS l ON l.run_id = r.run_id AND l.source_id = x.source_id
LEFT JOIN store.no_label AS n ON n.run_id = r.run_id AND n.source_id = x.source_id
LEFT JOIN store.gaia_source AS g ON g.release_id = x.release_id AND g.source_id = x.source_id
WHERE r.run_id = %s
ORDER BY x.source_id
"""


@dataclass(frozen=True, eq=False)
class Stars:
    """What the run says of every source: reason (empty: labelled) and numbers (NaN: null)."""

    group: np.ndarray
    source_id: Int64[np.ndarray, " n"]
    reason: np.ndarray
    values: dict[str, Float64[np.ndarray, " n"]]

    def take(self, chosen: Bool[np.ndarray, " n"]) -> "Stars":
        """Some of them."""
        return Stars(
            self.group[chosen], self.source_id[chosen], self.reason[chosen], {name: values[chosen] for name, values in self.values.items()}
        )


def read_run(connection: psycopg.Connection, run_id: int) -> Stars:
    """The run's sources; UsageError if it has none."""
    rows = connection.execute(STATEMENT, (run_id,)).fetchall()
    if not rows:
        raise UsageError(f"there is no run {run_id} of the forward model with sources.")
    names = (*NUMBERS, *LABELS, *(f"known_{name}" for name in KNOWN))
    numbers = np.array([[np.nan if value is None else float(value) for value in row[3:]] for row in rows])
    group = np.array([COLLECTIONS.get(PurePosixPath(row[0]).name, REST) for row in rows])
    return Stars(
        group,
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] or "" for row in rows]),
        dict(zip(names, numbers.T, strict=True)),
    )


def quantiles(values: Float64[np.ndarray, " n"], form: str = "8.2f") -> str:
    """16, 50 and 84 % of the numbers that there are."""
    values = values[np.isfinite(values)]
    return " ".join(f"{value:{form}}" for value in np.quantile(values, [0.16, 0.5, 0.84])) if len(values) else "none".rjust(8)


def story(stars: Stars) -> list[str]:
    """The group in lines."""
    labelled = stars.take(stars.reason == "")
    reasons = Counter(stars.reason[stars.reason != ""].tolist())
    values, n = labelled.values, len(labelled.reason)
    lines = [f"  labelled {n}, not {len(stars.reason) - n}" + "".join(f"; {count} {reason}" for reason, count in reasons.most_common())]
    if n == 0:
        return lines
    missing = values["missing_bands"].astype(int)
    bands = {name: int(((missing >> bit) & 1).sum()) for bit, name in enumerate(MISSING_BANDS)}
    lines.append(f"  without {', '.join(f'{name} {count}' for name, count in bands.items())}")
    for name, words in (("chi2_opt", "chi2_opt"), ("chi2_bp", "of BP"), ("chi2_rp", "of RP")):
        lines.append(f"  {words + ' / 61':<18} 16, 50, 84 %: {quantiles(values[name] / FITTED_DOF)}")
    lines.append(
        f"  {'out_of_domain':<18} 16, 50, 84 %: {quantiles(values['out_of_domain'])}; above 3: {share(values['out_of_domain'] > 3)}"
    )
    flags = values["quality_flags"].astype(int)
    set_flags = [f"{flag.name} {share((flags & flag.mask) != 0)}" for flag in FORWARD_FLAGS]
    lines.append(f"  flags: {', '.join(set_flags)}; basic cut passed: {share(flags < BASIC)}")
    lines.append(f"  converged {share(values['converged'] == 1)}, several minima {share(values['n_minima'] > 1)}")
    worst = Counter(f"{wavelength:.0f} nm" for wavelength in values["worst_wavelength"])
    above = np.median(values["worst_residual"])
    lines.append(
        f"  fits worst at {', '.join(f'{where} {count}' for where, count in worst.most_common(4))}; median residual there {above:+.1f} errors"
    )
    lines += [f"  {name:<18} 16, 50, 84 %: {quantiles(values[name])}" for name in ("teff", "feh", "logg", "ext")]
    for name, column in KNOWN.items():
        off = values[name] - values[f"known_{name}"]
        off = off[np.isfinite(off)]
        if len(off):
            lines.append(
                f"  {name} less {column}, {len(off)} stars: median {np.median(off):.3f}, 1.4826 MAD {1.4826 * np.median(np.abs(off - np.median(off))):.3f}"
            )
    return lines


def by_teff(stars: Stars) -> list[str]:
    """Where a group is large: fits of stars of similar teff."""
    labelled = stars.take(stars.reason == "")
    if len(labelled.reason) < LARGE_GROUP:
        return []
    values, lines = labelled.values, []
    for low, high in pairwise(TEFF_EDGES):
        inside = (values["teff"] >= low) & (values["teff"] < high)
        if inside.any():
            chi2, flags = np.median(values["chi2_opt"][inside]) / FITTED_DOF, values["quality_flags"][inside]
            lines.append(
                f"  teff {low:5.0f} to {high:5.0f}: {int(inside.sum()):4d} stars, median chi2_opt / 61 {chi2:5.2f}, basic cut {share(flags < BASIC)}, "
                f"out_of_domain above 3 {share(values['out_of_domain'][inside] > 3)}"
            )
    return lines


def by_wavelength(residuals: FluxResiduals) -> list[str]:
    """Observed less predicted over predicted flux, in per cent: of each star the mean over a range, of the stars the median and the spread."""
    off = 100 * (residuals.observed - residuals.predicted) / residuals.predicted
    lines = []
    for name, low, high in RANGES:
        inside = off[:, : len(XP_WAVELENGTHS)][:, (low <= XP_WAVELENGTHS) & (high > XP_WAVELENGTHS)]
        means = inside[np.isfinite(inside).all(axis=1)].mean(axis=1)
        if len(means):
            lines.append(f"{name} {np.median(means):+.2f} ({1.4826 * np.median(np.abs(means - np.median(means))):.2f})")
    return [f"  observed less predicted flux, %, median (1.4826 MAD): {', '.join(lines)}"]


def share(which: Bool[np.ndarray, " n"]) -> str:
    """How many, and of all."""
    return f"{int(which.sum())} ({100 * which.mean():.0f} %)"


def main() -> None:
    """Print the groups of a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=int, required=True)
    run_id = parser.parse_args().run
    with open_database(settings()).connect(Role.WORKER) as connection:
        stars = read_run(connection, run_id)
        row = connection.execute("SELECT simulated FROM store.run WHERE run_id = %s", (run_id,)).fetchone()
        assert row is not None
        words = "learnt from SIMULATED stars: no measurements of real stars" if row[0] else "learnt from real stars"
        print(f"run {run_id}, weights that have {words}")
        for group in (*dict.fromkeys(COLLECTIONS.values()), REST):
            chosen = stars.take(stars.group == group)
            if len(chosen.reason) == 0:
                continue
            print(f"\n{group}: {len(chosen.reason)} sources")
            print("\n".join([*story(chosen), *by_teff(chosen)]))
            labelled = chosen.source_id[chosen.reason == ""]
            if len(labelled):
                print("\n".join(by_wavelength(run_residuals(connection, run_id, labelled.tolist()).residuals)))


if __name__ == "__main__":
    main()
