"""label_forward: what the forward model of Zhang, Green & Rix 2023 finds of each star, with its covariances and how the fit went.

Labels are in K, dex, mag and mas; the order of every vector and matrix is teff, feh, logg, ext, parallax. ``quality_flags`` is the paper's byte, bit for
bit; what we add to it stands in columns of its own.
"""

from catalog.quality import OUT_OF_DOMAIN
from catalog.schema.column import Column, ColumnType, StoreTable
from catalog.schema.model_run import RUN_ID
from catalog.schema.release import SOURCE_ID

_S, _I, _R = ColumnType.SMALLINT, ColumnType.INTEGER, ColumnType.REAL

PARAMETERS: dict[str, tuple[str, str | None, str]] = {
    "teff": ("Effective temperature", "K", "phys.temperature.effective"),
    "feh": ("Iron abundance [Fe/H], dex", None, "phys.abund.Fe"),
    "logg": ("Surface gravity, log10 of cm/s2", None, "phys.gravity"),
    "ext": (
        "Extinction E in the unit of the reddening that the version was trained with, about E(B-V); always positive",
        "mag",
        "phot.color.excess",
    ),
    "parallax": ("Parallax from fluxes and Gaia's measurement together; always positive", "mas", "pos.parallax"),
}
"""Words, unit and UCD of each label, in the order of the vectors and matrices."""
ORDER = ", ".join(PARAMETERS)
N_LABELS = len(PARAMETERS)
TRIANGLE = N_LABELS * (N_LABELS + 1) // 2
MISSING_BANDS = ("BP", "RP", "J", "H", "Ks", "W1", "W2")
"""What each bit of missing_bands stands for."""

LABELS: tuple[Column, ...] = tuple(
    column
    for name, (words, unit, ucd) in PARAMETERS.items()
    for column in (
        Column(name, _R, f"{words}.", unit, ucd, nullable=False),
        Column(f"e_{name}", _R, f"Standard error of {name}, from the Fisher matrix (no prior).", unit, f"stat.error;{ucd}", nullable=False),
    )
)
"""Each label, then its error."""

_SHAPE = (
    Column(
        "xi",
        _R,
        "Shape of the star's extinction curve, R(V), in units of the population's spread; null unless the version models it.",
        None,
        "stat.param",
    ),
    Column("e_xi", _R, "Standard error of xi.", None, "stat.error;stat.param"),
)

COVARIANCE = Column(
    "covariance",
    ColumnType.VECTOR,
    f"Covariances of {ORDER} in K, dex, mag and mas: upper triangle, row by row, diagonal in; positive semi-definite as rounded.",
    None,
    "stat.covariance",
    nullable=False,
    length=TRIANGLE,
)
INVERSE_COVARIANCE = Column(
    "inverse_covariance",
    ColumnType.VECTOR,
    f"The inverse of the covariance matrix of {ORDER}, packed likewise: the information of fluxes and Gaia's parallax.",
    None,
    "stat.covariance",
    nullable=False,
    length=TRIANGLE,
)

CONFIDENCES: tuple[Column, ...] = tuple(
    column
    for name in ("teff", "feh", "logg")
    for column in (
        Column(
            f"{name}_confidence",
            _R,
            f"Confidence in {name} by the paper's classifier, 0 to 1; null where the version has none.",
            None,
            "stat.probability",
        ),
        Column(
            f"{name}_confidence_calibrated",
            _R,
            f"Probability that {name} is right: the confidence, calibrated on stars that the classifier has not seen.",
            None,
            "stat.probability",
        ),
    )
)

RUNNER_UP: tuple[Column, ...] = (
    *(
        Column(
            f"runner_up_{name}",
            _R,
            f"Value of {name} at the second-best minimum; null without one within 4 of the lowest loss.",
            unit,
            ucd,
            principal=False,
        )
        for name, (_, unit, ucd) in PARAMETERS.items()
    ),
    Column(
        "runner_up_delta_loss",
        _R,
        "Loss of the second-best minimum minus that of the best; null without one within 4.",
        None,
        "stat.value",
        principal=False,
    ),
)

_CHI2 = {
    "bp": "Chi squared of the samples up to 632 nm by themselves",
    "rp": "What the samples from 642 nm on add to it",
    "nir": "What J, H, Ks, W1 and W2 add to both, which makes chi2_opt",
}

LABEL_FORWARD = StoreTable(
    "label_forward",
    "Stellar types, extinctions and parallaxes by the forward model of Zhang, Green & Rix 2023, with covariances, confidences and how the fit went.",
    (
        RUN_ID,
        SOURCE_ID,
        *LABELS,
        *_SHAPE,
        COVARIANCE,
        INVERSE_COVARIANCE,
        Column(
            "xi_covariance",
            ColumnType.VECTOR,
            f"Covariances of xi with {ORDER}; null unless the version models xi.",
            None,
            "stat.covariance",
            length=N_LABELS,
            principal=False,
        ),
        Column(
            "quality_flags",
            _I,
            "The paper's bits; below 8 is its basic reliability cut, 0 is best.",
            None,
            "meta.code.qual",
            nullable=False,
        ),
        Column("chi2_opt", _R, "Chi squared of the fluxes at the best fit (Eq. 4).", None, "stat.fit.chi2", nullable=False),
        Column(
            "ln_prior",
            _R,
            "Natural logarithm of the prior's density at the stellar type, per kK dex**2, normalised.",
            None,
            "stat.likelihood",
            nullable=False,
        ),
        *CONFIDENCES,
        Column(
            "out_of_domain",
            _R,
            "How unlike the training stars the star is, in decades: 2 as strange as one of 100, 3 as one of 1,000; null where the version cannot tell.",
            None,
            "stat.value",
        ),
        Column(
            "outside_domain",
            ColumnType.BOOLEAN,
            f"Whether out_of_domain is above {OUT_OF_DOMAIN:g}, or not a number; null where the version cannot tell.",
            None,
            "meta.code.qual",
        ),
        Column(
            "loss",
            _R,
            "What was minimised: chi2_opt, the parallax term and minus twice the logarithms of the priors (Eq. 19).",
            None,
            "stat.fit.goodness",
            nullable=False,
        ),
        Column(
            "converged",
            ColumnType.BOOLEAN,
            "Whether the fit met its stopping rule within the range of types that the version knows.",
            None,
            "meta.code.status",
            nullable=False,
        ),
        Column("n_iterations", _S, "Steps of the fit, of all its starts together.", None, "meta.number", nullable=False, principal=False),
        Column("n_starts", _S, "Starting points that were tried.", None, "meta.number", nullable=False, principal=False),
        Column(
            "n_minima",
            _S,
            "Distinct minima whose loss is within 4 of the lowest; 1 where the solution is unique.",
            None,
            "meta.number",
            nullable=False,
        ),
        *RUNNER_UP,
        Column(
            "missing_bands",
            _S,
            "Bits of what was not there or not used: " + ", ".join(f"{1 << bit} {name}" for bit, name in enumerate(MISSING_BANDS)) + ".",
            None,
            "meta.code",
            nullable=False,
        ),
        Column("n_bands", _S, "Number of fluxes that were fitted, at most 66.", None, "meta.number", nullable=False),
        *(
            Column(f"chi2_{name}", _R, f"{words}; null without any.", None, "stat.fit.chi2", principal=False)
            for name, words in _CHI2.items()
        ),
        Column("worst_wavelength", _R, "Wavelength of the flux that fits worst.", "nm", "em.wl", nullable=False, principal=False),
        Column(
            "worst_residual",
            _R,
            "Observed minus model flux there, in units of its error.",
            None,
            "stat.fit.residual",
            nullable=False,
            principal=False,
        ),
        Column(
            "parallax_deviation",
            _R,
            "Parallax minus Gaia's, its zero point taken off, in units of Gaia's error; null without a measurement.",
            None,
            "stat.fit.residual",
            principal=False,
        ),
        Column(
            "eigenvalue_floor",
            ColumnType.BOOLEAN,
            "Whether the covariance of the fluxes had eigenvalues below the floor, which were raised to it.",
            None,
            "meta.code.status",
            nullable=False,
            principal=False,
        ),
    ),
    primary_key=("run_id", "source_id"),
    partition_by="run_id",
)
