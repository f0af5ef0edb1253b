"""Flux vectors: Eq. 2 to the letter, whatever is missing declared missing, and no star's numbers depend on its neighbours."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from catalog.errors import UsageError
from catalog.releases import KNOWN_RELEASES
from catalog.spectra import SpectrumBatch, layout_of
from catalog.stars import STAR_COLUMNS, StarBatch
from models.forward.bands import FLUX_UNIT, N_BANDS, N_XP, NIR_BANDS, XP_WAVELENGTHS
from models.forward.observed.flux_vectors import MISSING, FluxVectors, Oddity, flux_vectors
from models.forward.settings import chosen
from models.numerics.xp_fluxes import BLOCK, XpBand, XpSampler
from models.numerics.xp_sampling import BANDS, merge_weights, sampling_matrices

OURS = chosen(KNOWN_RELEASES["gaia_dr3"])
EXACT = OURS | {"independent_error": 0.0, "zero_point_error": 0.0, "band_zero_point_error": 0.0}
BP, RP = slice(0, 25), slice(26, 61)
"""The samples that are one band's alone; between them lies 642 nm."""
ALL_NIR = sum(1 << MISSING.index(band) for band in NIR_BANDS)


@pytest.fixture(scope="module")
def sampling() -> dict:
    return sampling_matrices(56, 57, XP_WAVELENGTHS)


def with_columns(stars: StarBatch, **values: Any) -> StarBatch:
    return replace(stars, columns={**stars.columns, **{name: np.full(len(stars), value, float) for name, value in values.items()}})


def with_spectra(stars: StarBatch, **arrays: Any) -> StarBatch:
    """The stars with arrays of numbers in place of those of their spectra; a single number fills an array."""
    filled = {name: np.full_like(getattr(stars.spectra, name), value) for name, value in arrays.items()}
    return replace(stars, spectra=replace(stars.spectra, **filled))


def tensors(vectors: FluxVectors) -> dict[str, torch.Tensor]:
    observed = {each.name: getattr(vectors.observations, each.name) for each in fields(vectors.observations)}
    return observed | {"missing": torch.from_numpy(vectors.missing), "oddities": torch.from_numpy(vectors.oddities)}


def assert_sound(vectors: FluxVectors) -> None:
    """What the solver relies on: finite numbers, infinite errors and zero rows exactly where a band is missing."""
    observed = vectors.observations
    assert all(torch.isfinite(each).all() for each in (observed.flux, observed.whitening, observed.parallax))
    assert not torch.isnan(observed.flux_error).any()
    assert (observed.flux_error > 0).all()
    assert (observed.parallax_error > 0).all()
    gone = ~observed.present
    assert not observed.flux[gone].any()
    assert not observed.whitening[gone].any()
    assert not observed.whitening.transpose(1, 2)[gone].any()
    assert observed.whitening.dtype == torch.float64


def test_the_covariance_is_that_of_eq_2(black_body_stars, sampling) -> None:
    stars = black_body_stars(5, seed=1)
    vectors = flux_vectors(stars, sampling, OURS)
    assert_sound(vectors)
    assert vectors.counts() == {}
    sampler = XpSampler(sampling, merge_weights(XP_WAVELENGTHS), FLUX_UNIT)
    ((_, parts, gaia),) = sampler.blocks({band: XpBand.of(stars.spectra, band) for band in BANDS})
    for i in range(5):
        bp, rp = parts["bp"][i], parts["rp"][i]
        flux = bp + rp
        assert np.flatnonzero((bp != 0) & (rp != 0)).tolist() == [25]
        expected = (
            gaia[i]
            + np.diag(0.005 * flux) ** 2
            + 0.005**2 * np.outer(flux, flux)
            + 0.001**2 * np.outer(bp, bp)
            + 0.001**2 * np.outer(rp, rp)
        )
        np.testing.assert_allclose(vectors.observations.flux[i, :N_XP], flux, rtol=1e-12)
        np.testing.assert_allclose(vectors.observations.flux_error[i, :N_XP], np.sqrt(np.diag(expected)), rtol=1e-12)
        whitening = vectors.observations.whitening[i].numpy()
        np.testing.assert_allclose(whitening[:N_XP, :N_XP] @ expected @ whitening[:N_XP, :N_XP].T, np.eye(N_XP), atol=1e-8)
        np.testing.assert_allclose(np.diag(whitening)[N_XP:], 1 / vectors.observations.flux_error[i, N_XP:], rtol=1e-12)
        assert np.count_nonzero(whitening[N_XP:]) == len(NIR_BANDS)
        assert not whitening[:N_XP, N_XP:].any()


def test_without_error_scaling_each_bands_errors_are_divided_by_its_standard_deviation(black_body_stars, sampling) -> None:
    stars = with_columns(black_body_stars(4), bp_standard_deviation=1.25, rp_standard_deviation=2.0)
    scaled = flux_vectors(stars, sampling, EXACT).observations.flux_error
    off = flux_vectors(stars, sampling, EXACT | {"error_scaling": "off"}).observations.flux_error
    np.testing.assert_allclose(scaled[:, BP] / off[:, BP], 1.25, rtol=1e-6)
    np.testing.assert_allclose(scaled[:, RP] / off[:, RP], 2.0, rtol=1e-6)


def test_without_error_scaling_a_band_whose_scale_is_unknown_is_missing(black_body_stars, sampling) -> None:
    stars = with_columns(black_body_stars(2), bp_standard_deviation=np.nan, rp_standard_deviation=0.0)
    assert [each.reason for each in flux_vectors(stars, sampling, EXACT | {"error_scaling": "off"}).no_label] == ["unusable_spectrum"] * 2
    assert len(flux_vectors(stars, sampling, EXACT).kept) == 2


@pytest.mark.parametrize("release", ["dr3", "dr4"])
def test_a_stars_numbers_depend_neither_on_the_batch_nor_on_its_place_in_it(black_body_stars, release: str) -> None:
    matrices = sampling_matrices(*((56, 57) if release == "dr3" else (156, 157)), XP_WAVELENGTHS)
    stars = black_body_stars(2 * BLOCK + 5, seed=3, release=release)
    for row, band in ((4, "bp"), (70, "rp"), (90, "bp")):  # some have one band, some no correlations, some an indefinite covariance
        getattr(stars.spectra, f"{band}_coefficients")[row] = np.nan
    stars.spectra.rp_correlations[11] = np.nan
    stars.spectra.bp_correlations[[12, 80]] = -0.9
    whole = tensors(flux_vectors(stars, matrices, OURS))
    assert ((whole["oddities"] & Oddity.BY_EIGENVALUES) != 0).sum() == 2
    random = np.random.default_rng(6)
    for chosen_rows in (
        *(np.array([row]) for row in (0, 4, 12, 132)),
        np.arange(50, 50 + BLOCK + 1),
        random.permutation(len(stars)),
        random.choice(len(stars), 40),
        np.array([12, 12, 4, 12]),
    ):
        some = tensors(flux_vectors(stars.take(chosen_rows), matrices, OURS))
        for name, values in some.items():
            assert torch.equal(values, whole[name][torch.from_numpy(chosen_rows)]), name


NOTHING = dict.fromkeys(("coefficients", "errors", "correlations"), np.nan)
# What is done to the stars; missing bits; oddities; or the reason of no_label.
CASES: dict[str, tuple[Callable[[StarBatch], StarBatch], int, Oddity, str | None]] = {
    "nothing": (lambda s: s, 0, Oddity(0), None),
    "BP missing": (lambda s: with_spectra(s, **{f"bp_{k}": v for k, v in NOTHING.items()}), 1, Oddity(0), None),
    "RP missing": (lambda s: with_spectra(s, **{f"rp_{k}": v for k, v in NOTHING.items()}), 2, Oddity(0), None),
    "both missing": (
        lambda s: with_spectra(s, **{f"{b}_{k}": v for b in BANDS for k, v in NOTHING.items()}), 0, Oddity(0), "missing_spectrum",
    ),
    "all infrared missing": (lambda s: with_columns(s, norm_dg=0.0), ALL_NIR, Oddity(0), None),
    "BP alone": (
        lambda s: with_columns(with_spectra(s, **{f"rp_{k}": v for k, v in NOTHING.items()}), norm_dg=0.0), 2 | ALL_NIR, Oddity(0), None,
    ),
    "BP's errors NaN": (lambda s: with_spectra(s, bp_errors=np.nan), 1, Oddity.BP_UNUSABLE, None),
    "BP's errors infinite": (lambda s: with_spectra(s, bp_errors=np.inf), 1, Oddity.BP_UNUSABLE, None),
    "BP's errors zero": (lambda s: with_spectra(s, bp_errors=0.0), 1, Oddity.BP_UNUSABLE, None),
    "RP's errors zero, BP missing": (
        lambda s: with_spectra(s, rp_errors=0.0, **{f"bp_{k}": v for k, v in NOTHING.items()}), 3, Oddity.RP_UNUSABLE, "unusable_spectrum",
    ),
    "all errors infinite": (lambda s: with_spectra(s, bp_errors=np.inf, rp_errors=np.inf), 3, Oddity(0), "unusable_spectrum"),
    "no errors at all": (lambda s: with_spectra(s, bp_errors=np.nan, rp_errors=np.nan), 3, Oddity(0), "missing_errors"),
    "coefficients infinite": (lambda s: with_spectra(s, rp_coefficients=-np.inf), 2, Oddity.RP_UNUSABLE, None),
    "all coefficients zero": (lambda s: with_spectra(s, bp_coefficients=0.0, rp_coefficients=0.0), 0, Oddity(0), None),
    "correlations NaN": (lambda s: with_spectra(s, rp_correlations=np.nan), 0, Oddity.RP_UNCORRELATED, None),
    "correlations not read": (
        lambda s: replace(s, spectra=replace(s.spectra, bp_correlations=None, rp_correlations=None)), 0,
        Oddity.BP_UNCORRELATED | Oddity.RP_UNCORRELATED, None,
    ),
    "correlations above 1": (lambda s: with_spectra(s, bp_correlations=1.01), 0, Oddity.BP_UNCORRELATED, None),
    "correlations all 1: singular, which Eq. 2 mends": (lambda s: with_spectra(s, bp_correlations=1.0), 0, Oddity(0), None),
    "correlations not positive definite": (
        lambda s: with_spectra(s, bp_correlations=-0.9), 0, Oddity.BY_EIGENVALUES | Oddity.FLOORED, None,
    ),
    "huge errors": (lambda s: with_spectra(s, bp_errors=3e38), 0, Oddity(0), None),
    "tiny errors and no flux": (
        lambda s: with_spectra(s, bp_coefficients=0.0, rp_coefficients=0.0, bp_errors=1e-30, rp_errors=1e-30), 0,
        Oddity.BY_EIGENVALUES | Oddity.FLOORED, None,
    ),
    "no standard deviation, which only error_scaling=off needs": (
        lambda s: with_columns(s, bp_standard_deviation=np.nan, rp_standard_deviation=np.nan), 0, Oddity(0), None,
    ),
    "no magnitude for the zero point": (lambda s: with_columns(s, phot_g_mean_mag=np.nan), 0, Oddity.ZERO_POINT_UNKNOWN, None),
    "too red for the zero point": (lambda s: with_columns(s, nu_eff_used_in_astrometry=1.0), 0, Oddity.ZERO_POINT_EXTRAPOLATED, None),
    "nothing in gaia_source": (
        lambda s: with_columns(s, parallax=np.nan, parallax_error=np.nan, phot_g_mean_mag=np.nan, astrometric_params_solved=np.nan), 0, Oddity(0), None,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "missing", "oddities", "reason"), CASES.values(), ids=CASES)
def test_bad_input_is_a_value_with_a_reason_and_the_batch_goes_on(
    black_body_stars, sampling, change: Callable[[StarBatch], StarBatch], missing: int, oddities: Oddity, reason: str | None
) -> None:
    good, changed = black_body_stars(3, seed=5), change(black_body_stars(1, seed=6))
    if changed.spectra.bp_correlations is None:
        stars, at = changed, 0
    else:
        stars, at = _joined(good, changed), 3
    vectors = flux_vectors(stars, sampling, OURS)
    assert_sound(vectors)
    if reason is not None:
        assert [(each.source_id, each.reason) for each in vectors.no_label] == [(int(stars.spectra.source_id[at]), reason)]
        assert vectors.kept.tolist() == list(range(at))
        assert vectors.counts() == {f"refused: {reason}": 1}
        return
    assert vectors.no_label == []
    assert (int(vectors.missing[at]), Oddity(int(vectors.oddities[at]))) == (missing, oddities)
    present = vectors.observations.present[at].numpy()
    assert present[BP].all() == (missing & 1 == 0)
    assert present[RP].all() == (missing & 2 == 0)
    assert present[25]  # 642 nm belongs to both bands
    np.testing.assert_array_equal(present[N_XP:], [missing >> (2 + i) & 1 == 0 for i in range(len(NIR_BANDS))])
    if at:
        alone = tensors(flux_vectors(good, sampling, OURS))
        together = tensors(vectors)
        assert all(torch.equal(together[name][:3], values) for name, values in alone.items())


def _joined(first: StarBatch, second: StarBatch) -> StarBatch:
    pairs = [(getattr(first.spectra, each.name), getattr(second.spectra, each.name)) for each in fields(SpectrumBatch)]
    columns = {name: np.concatenate([first[name], second[name]]) for name in first.columns}
    joined = SpectrumBatch(*(np.concatenate(pair) for pair in pairs))
    return StarBatch(replace(joined, source_id=np.arange(1, len(joined) + 1)), columns)


def test_negative_fluxes_stay(black_body_stars, sampling) -> None:
    stars = black_body_stars(2)
    upside_down = with_spectra(stars, bp_coefficients=-stars.spectra.bp_coefficients)
    flux, turned = (flux_vectors(each, sampling, OURS).observations.flux for each in (stars, upside_down))
    np.testing.assert_array_equal(turned[:, BP], -flux[:, BP])
    assert (turned[:, BP] < 0).any()


# zero point setting, parallax, error -> parallax, error
PARALLAXES = {
    "as published": ("none", 2.0, 0.1, 2.0, 0.1),
    "a constant": ("-0.03", 2.0, 0.1, 2.03, 0.1),
    "negative, kept": ("none", -0.4, 0.3, -0.4, 0.3),
    "absent": ("-0.03", np.nan, np.nan, 0.0, np.inf),
    "no error": ("none", 2.0, np.nan, 0.0, np.inf),
    "an error of zero": ("none", 2.0, 0.0, 0.0, np.inf),
    "an infinite error": ("none", 2.0, np.inf, 0.0, np.inf),
    "an infinite parallax": ("none", np.inf, 0.1, 0.0, np.inf),
    # Table 9 of Lindegren et al. at G = 17.5, nu_eff = 1.48, on the ecliptic: -29.18 - 2.41 / 3 microarcsec.
    "Lindegren et al. 2021": ("lindegren2021", 1.0, 0.02, 1.0 + (29.18 + 2.41 / 3) * 1e-3, 0.02),
}


@pytest.mark.parametrize("case", PARALLAXES.values(), ids=PARALLAXES)
def test_the_zero_point_is_taken_off_the_parallax_and_an_absent_one_has_an_infinite_error(black_body_stars, sampling, case) -> None:
    setting, parallax, error, expected, expected_error = case
    stars = with_columns(
        black_body_stars(2), parallax=parallax, parallax_error=error, phot_g_mean_mag=17.5, nu_eff_used_in_astrometry=1.48, ecl_lat=0.0
    )
    observed = flux_vectors(stars, sampling, OURS | {"parallax_zero_point": setting}).observations
    np.testing.assert_allclose(observed.parallax, expected, rtol=1e-12)
    np.testing.assert_array_equal(observed.parallax_error, expected_error)


def test_stars_of_another_contract_are_each_refused(black_body_stars, sampling) -> None:
    vectors = flux_vectors(black_body_stars(3, release="dr4"), sampling, OURS)
    assert len(vectors.kept) == len(vectors.observations) == 0
    assert [each.reason for each in vectors.no_label] == ["out_of_contract"] * 3
    assert vectors.no_label[0].detail == "51 BP and 55 RP coefficients where the model takes 55 and 55"


def test_no_stars_are_no_flux_vectors(black_body_stars, sampling) -> None:
    vectors = flux_vectors(black_body_stars(2).take(slice(0, 0)), sampling, OURS)
    assert vectors.observations.whitening.shape == (0, N_BANDS, N_BANDS)
    assert vectors.no_label == []


@pytest.mark.parametrize(("name", "value"), [("error_scaling", "on"), ("parallax_zero_point", "some"), ("parallax_zero_point", "nan")])
def test_a_choice_that_does_not_exist_is_a_usage_error(black_body_stars, sampling, name: str, value: str) -> None:
    with pytest.raises(UsageError, match=name):
        flux_vectors(black_body_stars(1), sampling, OURS | {name: value})


def test_chi2_of_noise_as_the_coefficients_have_it_is_one_for_each_sample(black_body_stars, sampling) -> None:
    star, draws, random = black_body_stars(1, seed=9), 300, np.random.default_rng(10)
    noisy = star.take(np.zeros(draws, int))
    coefficients = {
        f"{band}_coefficients": random.multivariate_normal(
            getattr(star.spectra, f"{band}_coefficients")[0].astype(float), star.spectra.covariance(band)[0], size=draws, method="eigh"
        )
        for band in BANDS
    }
    noisy = replace(noisy, spectra=replace(noisy.spectra, **coefficients))
    exact = EXACT | {"eigenvalue_floor": 1e-30}
    truth = flux_vectors(star, sampling, exact).observations.flux[0, :N_XP]
    observed = flux_vectors(noisy, sampling, exact).observations
    whitened = torch.einsum("nij,nj->ni", observed.whitening[:, :N_XP, :N_XP], observed.flux[:, :N_XP] - truth)
    chi2 = (whitened**2).sum(1)
    assert chi2.mean() == pytest.approx(N_XP, abs=4 * np.sqrt(2 * N_XP / draws))
    assert chi2.std() == pytest.approx(np.sqrt(2 * N_XP), rel=0.2)


def test_real_spectra_come_through_with_their_missing_bands_declared(real_data: Path, sampling) -> None:
    table = pd.read_csv(real_data / "xp_continuous" / "xp_gaiaxpy_tests.csv.gz").reset_index(drop=True)
    no_bp = table["bp_coefficients"].isna().to_numpy()
    assert 0 < no_bp.sum() < len(table)
    arrays = {
        f"{band}_{ours}": np.stack(
            [
                np.fromstring(cell.strip("()[]"), np.float32, sep=",") if isinstance(cell, str) else np.full(width, np.nan)
                for cell in table[column]
            ]
        ).astype(np.float32)
        for band in BANDS
        for ours, width in (("coefficients", 55), ("errors", 55), ("correlations", 1485))
        for column in [f"{band}_{'' if ours == 'coefficients' else 'coefficient_'}{ours}"]
    }
    columns = {name: np.full(len(table), np.nan) for name in STAR_COLUMNS}
    columns |= {name: table[name].to_numpy(float) for name in ("bp_standard_deviation", "rp_standard_deviation")}
    stars = StarBatch(SpectrumBatch(table["source_id"].to_numpy(), layout_of(**arrays), **arrays), columns)
    for settings in (OURS, chosen(KNOWN_RELEASES["gaia_dr3"], "paper")):
        vectors = flux_vectors(stars, sampling, settings)
        assert_sound(vectors)
        assert vectors.no_label == []
        np.testing.assert_array_equal(vectors.missing, no_bp + ALL_NIR)
        assert not vectors.oddities.any()
        assert torch.isinf(vectors.observations.parallax_error).all()
