"""The report on real spectra counts every source once: with what its label says, or with its reason."""

import numpy as np
import pytest

from benchmarks.forward_real_spectra import KNOWN, LABELS, NUMBERS, Stars, read_run, story
from catalog.database import Database, Role
from catalog.errors import UsageError


def made(reasons: list[str], **changed: list[float]) -> Stars:
    names = (*NUMBERS, *LABELS, *(f"known_{name}" for name in KNOWN))
    values = {name: np.where(np.array(reasons) == "", 1.0, np.nan) for name in names}
    return Stars(
        np.full(len(reasons), "made"),
        np.arange(len(reasons)),
        np.array(reasons),
        values | {name: np.array(each) for name, each in changed.items()},
    )


def test_a_run_that_is_not_there_is_wrong_usage(database: Database) -> None:
    with database.connect(Role.WORKER) as connection, pytest.raises(UsageError, match="no run 7"):
        read_run(connection, 7)


def test_stars_without_labels_are_counted_by_their_reason() -> None:
    (line,) = story(made(["missing_errors", "missing_errors", "missing_spectrum"]))
    assert line.strip() == "labelled 0, not 3; 2 missing_errors; 1 missing_spectrum"


def test_flags_bands_and_scores_are_shares_of_the_labelled_stars_alone() -> None:
    nan = np.nan
    told = "\n".join(
        story(
            made(
                ["", "", "", "", "missing_errors"],
                quality_flags=[0, 8, 24, 32, nan],
                missing_bands=[124, 124, 125, 124, nan],
                out_of_domain=[0.5, 3.5, 9.0, nan, nan],
                chi2_opt=[61.0, 122.0, 183.0, 244.0, nan],
                worst_wavelength=[502.0, 502.0, 662.0, 502.0, nan],
                teff=[5000.0, 5100.0, 5200.0, 5300.0, nan],
                known_teff=[4900.0, nan, 5100.0, nan, nan],
            )
        )
    )
    assert "labelled 4, not 1; 1 missing_errors" in told
    assert "without BP 1, RP 0, J 4, H 4, Ks 4, W1 4, W2 4" in told
    assert "above 3: 2 (50 %)" in told
    assert "poor_fit 2 (50 %), unlikely_type 1 (25 %), parallax_off 1 (25 %); basic cut passed: 1 (25 %)" in told
    assert "fits worst at 502 nm 3, 662 nm 1" in told
    assert "teff less teff_gspphot, 2 stars: median 100.000" in told
