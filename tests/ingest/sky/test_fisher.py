"""The information limit: known figures, and what must hold of any Cramer-Rao bound."""

from dataclasses import replace

import numpy as np
import pytest

from catalog.errors import DataError
from ingest.sky import fisher
from ingest.sky.fisher import DATA_SETS, PARAMETERS, REPORTED, Information, bounds, information
from ingest.sky.labels import LABEL_NAMES, StellarLabels
from ingest.sky.oddities import Kind
from ingest.sky.options import StarOptions
from ingest.sky.photometry_noise import infrared_magnitude_errors, parallax_error
from ingest.sky.rvs import rvs_flux, rvs_noise
from ingest.sky.stars import Stars, draw_stars
from ingest.sky.xp_forward import BANDS, band_operator
from ingest.sky.xp_noise import observe

ALPHA, FEH, EBV, PARALLAX = (REPORTED.index(name) for name in ("alpha_m", "feh", "ebv", "parallax"))


def forty(stars: Stars, times: float = 1.0) -> dict[str, np.ndarray]:
    """Forty transits in either band, or so many times as many."""
    return {band: np.full(len(stars), 40.0 * times) for band in BANDS}


def of_magnitude(g: np.ndarray, teff: np.ndarray, logg: float = 2.5, **labels: float) -> Stars:
    """Single stars of these magnitudes and temperatures: solar elsewhere, behind E(B-V) = 0.1 of the mean curve, at rest."""
    n = len(g)
    values = {name: np.full(n, labels.get(name, 0.0)) for name in LABEL_NAMES} | {"teff": teff, "logg": np.full(n, logg)}
    own = StellarLabels(**values)
    star = draw_stars(1, np.random.default_rng(1)).take(np.zeros(n, np.int64))
    zero = np.zeros(n)
    changes = {"rv": zero + 3.1, "radius": zero + 11.0, "ebv": zero + 0.1, "distance": zero + 1.0, "rest_frame_shift": zero}
    star = replace(star, labels=own, companion=own, companion_radius=zero, kind=np.zeros(n, np.int8), **changes)
    return replace(star, distance=10.0 ** (0.2 * (g - information(star, forty(star)).g)))


@pytest.fixture(scope="module")
def stars() -> Stars:
    drawn = draw_stars(260, np.random.default_rng(3), StarOptions(max_g=16.0, missing_bp_share=0.1, missing_nir_share=0.2, rv_scatter=0.1))
    return drawn.take(drawn.kind == Kind.STAR)


@pytest.fixture(scope="module")
def known(stars: Stars) -> Information:
    return information(stars, forty(stars))


# Giants of log g 2.5 seen in 40 transits: bounds of an earlier, independent calculation with other noise and another grid of fluxes.
GIANTS = {
    (4800.0, 13.0): {"teff": 17.0, "feh": 0.024, "alpha_m": 0.037, "ebv": 0.005},
    (4800.0, 15.0): {"teff": 36.0, "feh": 0.051, "alpha_m": 0.086, "ebv": 0.012},
    (4300.0, 13.0): {"alpha_m": 0.025},
    (4300.0, 15.0): {"alpha_m": 0.050},
}


def test_the_bounds_of_giants_are_of_the_known_size() -> None:
    teff, g = np.array(list(GIANTS)).T
    star = of_magnitude(g, teff)
    seen = information(star, forty(star))
    assert seen.g == pytest.approx(g, abs=1e-6)
    for row, expected in zip(seen.bounds("xp"), GIANTS.values(), strict=True):
        for name, sigma in expected.items():
            assert sigma / 2 < row[REPORTED.index(name)] < 2 * sigma, name


def test_more_data_never_give_a_larger_bound(known: Information) -> None:
    for less, more in (("xp", "xp_phot"), ("xp_phot", "all"), ("rvs", "all")):
        assert (known.bounds(more) <= known.bounds(less) * (1 + 1e-9)).all(), (less, more)
    assert (known.bounds("xp", rv_scatter=0.1) >= known.bounds("xp") * (1 - 1e-9)).all()


def test_what_a_data_set_knows_nothing_of_has_no_bound(stars: Stars, known: Information) -> None:
    assert np.isinf(known.bounds("xp")[:, PARALLAX]).all(), "XP spectra tell of radius over distance alone"
    assert np.isinf(known.bounds("rvs")[:, PARALLAX]).all()
    assert np.isfinite(known.bounds("all")[:, PARALLAX]).all()
    faint = np.isnan(known.rvs_signal_to_noise)
    assert 10 < faint.sum() < len(stars) - 10
    assert np.isinf(known.bounds("rvs")[faint]).all() and not known.rvs[faint].any()
    assert np.isfinite(known.bounds("rvs")[~faint][:, :4]).any(axis=0).all()
    assert np.isinf(bounds(np.zeros((2, len(PARAMETERS), len(PARAMETERS))))[:, :-1]).all()


def test_the_parallax_is_known_as_well_as_it_is_measured(stars: Stars, known: Information) -> None:
    # Nothing else tells the distance, since the radius is free.
    assert known.bounds("xp_phot")[:, PARALLAX] == pytest.approx(parallax_error(known.g), rel=0.01)


def test_missing_measurements_tell_nothing(stars: Stars, known: Information) -> None:
    assert stars.missing_bp.any() and stars.missing_nir.any(axis=1).any()
    whole = information(replace(stars, missing_bp=stars.missing_bp & False, missing_nir=stars.missing_nir & False), forty(stars))
    less = known.bounds("xp")[:, FEH] / whole.bounds("xp")[:, FEH]
    assert (less[stars.missing_bp] > 1.2).all() and less[~stars.missing_bp] == pytest.approx(1.0)
    nothing = information(replace(stars, missing_nir=stars.missing_nir | True), forty(stars))
    assert not nothing.photometry.any() and known.photometry.any()


def test_bounds_of_spectra_go_as_the_root_of_the_transits_and_as_the_noise(stars: Stars, known: Information) -> None:
    # Of the stars whose labels are all known: a label that is not is held by the wide prior, which does not change with the noise.
    given = (known.bounds("xp")[:, :PARALLAX] < np.array([1e3, *np.full(PARALLAX - 1, 3.0)])).all(axis=1)
    assert given.mean() > 0.6
    four = information(stars, forty(stars, 4.0)).bounds("xp")
    noisy = information(stars, forty(stars), inflate=1.3).bounds("xp")
    assert four[given, :PARALLAX] * 2 == pytest.approx(known.bounds("xp")[given, :PARALLAX], rel=3e-3)
    assert noisy[given, :PARALLAX] / 1.3 == pytest.approx(known.bounds("xp")[given, :PARALLAX], rel=3e-3)


def test_the_steps_of_the_derivatives_do_not_matter(stars: Stars, known: Information) -> None:
    for step, most in ((0.25, 1e-3), (4.0, 0.02)):
        other = information(stars, forty(stars), step=step)
        for data_set in DATA_SETS:
            one, two = known.bounds(data_set), other.bounds(data_set)
            both = np.isfinite(one) & np.isfinite(two)
            change = np.abs(two[both] / one[both] - 1)
            assert (np.isfinite(one) == np.isfinite(two)).mean() > 0.995
            assert np.percentile(change, 99) < 1e-3 and change.max() < most, (step, data_set)


def test_the_order_of_parameters_and_of_stars_does_not_matter(stars: Stars, known: Information) -> None:
    # A plain inverse, taken in another order of the parameters, of stars of which everything is known.
    whole = (known.bounds("all") < 10.0 * np.where(np.arange(len(REPORTED)) == 0, 1e3, 1.0)).all(axis=1) & known.rvs.any(axis=(1, 2))
    assert whole.sum() > 20
    matrix, order = known.of("all")[whole], np.array([7, 3, 0, 9, 8, 5, 1, 2, 6, 4])
    inverse = np.linalg.inv(matrix[:, order][:, :, order])
    assert np.sqrt(np.diagonal(inverse, axis1=1, axis2=2)) == pytest.approx(bounds(matrix)[:, order], rel=0.01)
    some = np.arange(len(stars))[::-3]
    assert information(stars.take(some), forty(stars.take(some))).bounds("all") == pytest.approx(known.bounds("all")[some], rel=1e-6)


def test_without_alpha_features_spectra_know_of_alpha_by_the_blanketing_alone() -> None:
    star = of_magnitude(np.array([12.0, 12.0]), np.array([4800.0, 4300.0]))
    alpha, feh = PARAMETERS.index("alpha_m"), PARAMETERS.index("feh")
    control = information(star, forty(star), alpha_gain=0.0)
    # [Fe/H] + 0.25 [alpha/M] is all that counts: neither can be told, their sum can.
    assert control.xp[:, alpha, alpha] == pytest.approx(control.xp[:, feh, feh] / 16, rel=1e-4)
    assert np.isinf(control.bounds("xp")[:, [ALPHA, FEH]]).all()
    without = np.delete(np.delete(control.xp, alpha, 1), alpha, 2)
    kept = [name for name in PARAMETERS if name not in ("alpha_m", "ln_parallax", "rv")]
    columns = [[name for name in PARAMETERS if name != "alpha_m"].index(name) for name in kept]
    inverse = np.linalg.inv(without[:, columns][:, :, columns][:, :-1, :-1])
    assert (inverse[:, kept.index("feh"), kept.index("feh")] < 0.03**2).all()
    assert (information(star, forty(star)).bounds("xp")[:, ALPHA] < 0.04).all()


def test_the_population_narrows_what_measurements_leave_open(stars: Stars, known: Information) -> None:
    prior = fisher.population_information(stars)
    giant = stars.labels.logg < 3.6
    assert min(giant.sum(), (~giant).sum()) > fisher.LEAST_POPULATION
    for data_set in DATA_SETS:
        assert (known.bounds(data_set, prior=prior) <= known.bounds(data_set) * (1 + 1e-9)).all()
    alone = bounds(prior)
    for rows in (giant, ~giant):
        for i, name in enumerate(LABEL_NAMES):
            assert alone[rows, i] == pytest.approx(getattr(stars.labels, name)[rows].std(), rel=1e-3)
    carbon = REPORTED.index("c_fe")
    assert np.median(known.bounds("xp")[:, carbon]) > 0.3 > 0.12 > np.median(known.bounds("xp", prior=prior)[:, carbon])
    few = fisher.population_information(stars.take(np.arange(50)))
    assert np.isinf(known.bounds("xp", prior=np.resize(few, prior.shape))).all()


def test_the_mock_release_knows_no_more_of_the_same_transits(stars: Stars, known: Information) -> None:
    # Its basis leaves out directions of BP, and its longer mission gives better parallaxes.
    later = information(stars, forty(stars), release="dr4")
    assert (later.bounds("xp") >= known.bounds("xp") * (1 - 1e-6)).all()
    given = known.bounds("xp")[:, FEH] < 1.0
    assert np.median(later.bounds("xp")[given, FEH] / known.bounds("xp")[given, FEH]) < 1.05
    assert (later.bounds("all")[:, PARALLAX] < known.bounds("all")[:, PARALLAX]).all()


def test_white_dwarfs_and_m_dwarfs_are_refused(stars: Stars) -> None:
    kind = stars.kind.copy()
    kind[4] = Kind.WHITE_DWARF
    with pytest.raises(DataError, match=r"1 of .* white dwarfs or M dwarfs, the first number 4"):
        information(replace(stars, kind=kind), forty(stars))


@pytest.mark.parametrize("data_set", ["xp", "xp_phot", "rvs", "all"])
def test_the_best_linear_estimate_scatters_as_the_bound_says(data_set: str) -> None:
    n, rng = 1500, np.random.default_rng(8)
    one = of_magnitude(np.array([10.0]), np.array([4700.0]), feh=-0.3, alpha_m=0.2, c_fe=0.05, n_fe=0.1)
    names = [name for name in PARAMETERS if name != "rv"]
    slopes, noises, covariances = [], [], []
    if data_set != "rvs":
        true = fisher.xp_coefficients(one)
        own = fisher.response(fisher.xp_coefficients, one, (*LABEL_NAMES, "ebv"), step=0.5)[0]
        own[[PARAMETERS.index("ln_parallax"), PARAMETERS.index("ln_radius")]] = 2 * true
        for band, part in zip(BANDS, (slice(0, 55), slice(55, 110)), strict=True):
            many = np.repeat(true[:, part], n, axis=0)
            seen = observe(band_operator(band), many, np.full(n, 40.0), rng)
            noises.append(seen.coefficients - many)
            slopes.append(own[:, part])
            covariances.append(np.cov(np.vstack([noises[-1], _more(band, many, rng)]).T))
    if data_set in ("xp_phot", "all"):
        sigma = infrared_magnitude_errors(fisher.infrared_magnitudes(one))[0]
        own = fisher.response(fisher.infrared_magnitudes, one, (*LABEL_NAMES, "ebv"))[0]
        own[[PARAMETERS.index("ln_parallax"), PARAMETERS.index("ln_radius")]] = -5 / np.log(10)
        parallax = np.zeros((len(PARAMETERS), 1))
        parallax[PARAMETERS.index("ln_parallax")] = one.parallax
        sigma = np.append(sigma, parallax_error(np.array([10.0])))
        slopes.append(np.hstack([own, parallax]))
        noises.append(sigma * rng.standard_normal((n, 6)))
        covariances.append(np.diag(sigma**2))
    if data_set in ("rvs", "all"):
        own = fisher.response(fisher.rvs_pixels, one, (*LABEL_NAMES, "ebv", "rest_frame_shift"))[0]
        signal = information(one, forty(one)).rvs_signal_to_noise
        flux = rvs_flux(one.labels, ebv=one.ebv, velocity=one.rest_frame_shift)
        seen = rvs_noise(np.repeat(flux, n, axis=0), np.repeat(signal, n), np.full(n, 30), rng)
        noises.append((seen.flux - flux)[:, 18:-18])
        slopes.append(own)
        covariances.append(_rvs_covariance(flux[0, 18:-18], float(signal[0])))
    found = {"xp": REPORTED[:-1], "xp_phot": REPORTED, "rvs": REPORTED[:-1], "all": REPORTED}[data_set]
    information_matrix, estimate = np.zeros((len(names), len(names))), np.zeros((n, len(names)))
    rows = [PARAMETERS.index(name) for name in names]
    for slope, noise, covariance in zip(slopes, noises, covariances, strict=True):
        weighted = np.linalg.solve(covariance, slope[rows].T)
        information_matrix += slope[rows] @ weighted
        estimate += noise @ weighted
    estimate = estimate @ np.linalg.pinv(information_matrix, rcond=1e-13, hermitian=True)
    scatter = estimate.std(axis=0)[[names.index("ln_parallax" if name == "parallax" else name) for name in found]]
    expected = information(one, forty(one)).bounds(data_set)[0, : len(found)]
    if found[-1] == "parallax":
        scatter[-1] *= one.parallax[0]
    assert scatter == pytest.approx(expected, rel=0.1)


def _more(band: str, true: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Further draws of the same noise, so that its covariance is known well without a formula."""
    return np.vstack([observe(band_operator(band), true, np.full(len(true), 40.0), rng).coefficients - true for _ in range(5)])


def _rvs_covariance(flux: np.ndarray, signal: float) -> np.ndarray:
    sigma = np.sqrt(0.5 + 0.5 * flux) / signal
    apart = np.abs(np.subtract.outer(np.arange(len(flux)), np.arange(len(flux))))
    return sigma[:, None] * np.exp(-0.25 * (apart / 1.06) ** 2) * sigma
