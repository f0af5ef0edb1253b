"""Makes the weights of our linear synthetic G again, and measures them against the catalogue's G of real stars.

    python -m benchmarks.synthetic_g                  compare the stored weights with a fresh computation
    python -m benchmarks.synthetic_g --write          and store the fresh ones (once for each new pair of basis functions)
    python -m benchmarks.synthetic_g --real DIR       and print synthetic minus catalogue G for the stars under DIR that have both

GaiaXPy's generator is linear in the coefficients, so its G flux of 110 unit vectors is the whole functional.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from models.numerics.flux_scale import ZERO_POINT_G, flux_of_magnitude
from models.numerics.synthetic_g import synthetic_g, weights_file

N_BP = N_RP = 55
BP_BASIS, RP_BASIS = 56, 57
HEADER = """# G flux in e-/s of a spectrum whose only coefficient is this one (1 e-/s), BP basis {bp} and RP basis {rp}, Gaia DR3 calibration.
# Made by `python -m benchmarks.synthetic_g --write` with GaiaXPy {version} (ESA/Gaia/DPAC).
"""


def unit_spectra() -> pd.DataFrame:
    """110 spectra in the archive's columns, each with one coefficient 1 and the others 0."""
    rows = []
    for i, vector in enumerate(np.eye(N_BP + N_RP)):
        row: dict[str, object] = {"source_id": i + 1, "solution_id": 1}
        for band, basis, values in (("bp", BP_BASIS, vector[:N_BP]), ("rp", RP_BASIS, vector[N_BP:])):
            row |= {
                f"{band}_basis_function_id": basis,
                f"{band}_degrees_of_freedom": 1,
                f"{band}_n_parameters": len(values),
                f"{band}_n_measurements": 1,
                f"{band}_n_rejected_measurements": 0,
                f"{band}_standard_deviation": 1.0,
                f"{band}_chi_squared": 1.0,
                f"{band}_coefficients": values,
                f"{band}_coefficient_errors": np.ones(len(values)),
                f"{band}_coefficient_correlations": np.zeros(len(values) * (len(values) - 1) // 2),
                f"{band}_n_relevant_bases": len(values),
                f"{band}_relative_shrinking": 0.0,
            }
        rows.append(row)
    return pd.DataFrame(rows)


def computed_weights() -> np.ndarray:
    """The weights from GaiaXPy, float64 (110,)."""
    from gaiaxpy import PhotometricSystem, generate

    table = generate(unit_spectra(), photometric_system=PhotometricSystem.Gaia_DR3_Vega, save_file=False)
    flux = table["GaiaDr3Vega_flux_G"].to_numpy()  # W m-2 nm-1
    magnitude = table["GaiaDr3Vega_mag_G"].to_numpy()
    positive = flux > 0
    zero_point = float(np.median(magnitude[positive] + 2.5 * np.log10(flux[positive])))
    return flux * flux_of_magnitude(np.array(zero_point))


def write(weights: np.ndarray) -> None:
    """Store the weights beside the module that reads them."""
    import gaiaxpy

    lines = [HEADER.format(bp=BP_BASIS, rp=RP_BASIS, version=gaiaxpy.__version__), "band,coefficient,weight\n"]
    for i, weight in enumerate(weights):
        lines.append(f"{'bp' if i < N_BP else 'rp'},{i if i < N_BP else i - N_BP},{weight:.12g}\n")
    weights_file(BP_BASIS, RP_BASIS).write_text("".join(lines))


def measured(weights: np.ndarray, real: Path) -> None:
    """Print synthetic minus catalogue G of the stars under ``real`` that have coefficients and a catalogue G."""
    catalogue = pd.read_csv(real / "xp_with_gaia_labels.csv").set_index("source_id")["phot_g_mean_mag"]
    spectra = [pd.read_csv(path) for path in sorted((real / "xp_continuous").glob("*.csv.gz"))]
    spectra.append(pd.read_parquet(real / "xp_continuous" / "xp_bright_ddf30.parquet"))
    table = pd.concat(spectra).drop_duplicates("source_id").set_index("source_id")
    table = table.loc[table.index.intersection(catalogue.index)].dropna(subset=["bp_coefficients"])
    vectors = np.array(
        [np.fromstring(f"{row.bp_coefficients.strip('()[]')},{row.rp_coefficients.strip('()[]')}", sep=",") for row in table.itertuples()]
    )
    g = catalogue.loc[table.index].to_numpy()
    difference = ZERO_POINT_G - 2.5 * np.log10(vectors @ weights) - g
    for name, chosen in (("G < 6", g < 6), ("6 <= G < 8", (g >= 6) & (g < 8)), ("G >= 8", g >= 8)):
        part = difference[chosen]
        print(f"{name:11s} {len(part):3d} stars   synthetic - catalogue G {part.mean():+.4f} +- {part.std(ddof=1):.4f} mag")


def main() -> None:
    """Compare, write, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--real", type=Path)
    arguments = parser.parse_args()
    fresh = computed_weights()
    if arguments.write:
        write(fresh)
    synthetic_g.cache_clear()
    stored = synthetic_g(BP_BASIS, RP_BASIS)
    if stored is None:
        raise SystemExit(f"no stored weights for bases {BP_BASIS} and {RP_BASIS}; run with --write")
    print(f"stored and fresh weights differ by at most {np.abs(stored - fresh).max():.2e} (largest weight {np.abs(fresh).max():.3f})")
    if arguments.real:
        measured(stored, arguments.real)


if __name__ == "__main__":
    main()
