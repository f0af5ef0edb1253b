"""astronn: labels, distances, ages and orbits of APOGEE's stars by the neural networks of astroNN, with the catalogue's names and units.

Names and types: the code that compiles the value-added catalogue of DR17 (henrysky/astroNN_APOGEE_VAC, 5_compile_vac.py). A row stands for the
row of allStar of the same number, so its duplicates are here as well. There is no [M/H].
"""

from catalog.schema.column import Column, ColumnType
from catalog.schema.survey_row import ABUNDANCE, FEH, LOGG, TEFF, measured, number, position, survey_table, text

ELEMENTS = (
    "c", "ci", "n", "o", "na", "mg", "al", "si", "p", "s", "k", "ca", "ti", "tiii", "v", "cr", "mn", "fe", "co", "ni",
)  # fmt: skip
LABELS = ("teff", "logg", *(f"{element}_h" for element in ELEMENTS))


def _label(name: str) -> tuple[Column, ...]:
    words = {"teff": "effective temperature", "logg": "surface gravity, log10 of cm/s2"}.get(
        name, f"abundance [{name.removesuffix('_h').capitalize().replace('iii', 'iII').replace('Ci', 'CI')}/H], dex"
    )
    unit, ucd = ("K" if name == "teff" else None), {"teff": TEFF, "logg": LOGG, "fe_h": FEH}.get(name, ABUNDANCE)
    return (
        *measured(name, f"{name}_err", words, unit, ucd),
        number(
            f"{name}_model_err", f"Part of the error of {words.partition(',')[0]} that the network itself has.", unit, f"stat.error;{ucd}",
            principal=False,
        ),
    )  # fmt: skip


_ORBIT = (
    ("galr", "Galactocentric cylindrical radius", "kpc"), ("galphi", "Galactocentric azimuth", "rad"), ("galz", "height above the plane", "kpc"),
    ("galvr", "Galactocentric radial velocity", "km/s"), ("galvt", "Galactocentric tangential velocity", "km/s"),
    ("galvz", "velocity off the plane", "km/s"), ("e", "eccentricity of the orbit", None), ("zmax", "largest height of the orbit", "kpc"),
    ("rperi", "pericentre of the orbit", "kpc"), ("rap", "apocentre of the orbit", "kpc"), ("jr", "radial action", "kpc.km/s"),
    ("lz", "angular momentum about the axis (Lz)", "kpc.km/s"), ("jz", "vertical action", "kpc.km/s"),
    ("omega_r", "radial frequency", "Gyr**-1"), ("omega_phi", "azimuthal frequency", "Gyr**-1"), ("omega_z", "vertical frequency", "Gyr**-1"),
    ("theta_r", "radial angle", "rad"), ("theta_phi", "azimuthal angle", "rad"), ("theta_z", "vertical angle", "rad"),
    ("rl", "radius of the circular orbit of the same angular momentum", "kpc"), ("energy", "energy of the orbit (Energy)", "km**2/s**2"),
    ("eminusec", "energy above that of the circular orbit (EminusEc)", "km**2/s**2"),
)  # fmt: skip

ASTRONN = survey_table(
    "astronn",
    "Labels, distances, ages and orbits of each row of APOGEE's allStar by astroNN (value-added catalogue).",
    (
        text("apogee_id", "Name of the star by its 2MASS position.", "meta.id;src"),
        text("telescope", "Telescope: apo25m, lco25m or apo1m.", "meta.id;instr.tel"),
        Column("location_id", ColumnType.INTEGER, "Number of the field.", ucd="meta.id", principal=False),
        text("field", "Name of the field, in files that have it.", "meta.id;obs.field"),
        *position("Gaia's where the catalogue gives it, at ref_epoch; else APOGEE's"),
        Column("ra_apogee", ColumnType.DOUBLE, "Right ascension of APOGEE's target.", "deg", "pos.eq.ra", principal=False),
        Column("dec_apogee", ColumnType.DOUBLE, "Declination of APOGEE's target.", "deg", "pos.eq.dec", principal=False),
        number("ref_epoch", "Epoch of Gaia's position, Julian year; 2016.0 tells that given_source_id is of EDR3 and DR3.", "yr", "time.epoch"),
        Column("given_source_id", ColumnType.BIGINT, "Gaia identifier that the file gives, its source_id; of EDR3 in data release 17.", ucd="meta.id"),
        *(column for name in LABELS for column in _label(name)),
        number("dist", "Distance by the network.", "pc", "pos.distance"),
        number("dist_error", "Error of dist.", "pc", "stat.error;pos.distance"),
        number("dist_model_error", "Part of the error of dist that the network itself has.", "pc", "stat.error;pos.distance", principal=False),
        *measured("nn_parallax", "nn_parallax_error", "parallax by the network", "mas", "pos.parallax", principal=False),
        number("nn_parallax_model_error", "Part of the error of nn_parallax that the network itself has.", "mas", "stat.error;pos.parallax", principal=False),
        *measured("fakemag", "fakemag_error", "apparent brightness over distance squared in K, in the network's own scale", None, "phot", principal=False),
        *measured("weighted_dist", "weighted_dist_error", "distance by the network and Gaia's parallax, weighted", "pc", "pos.distance"),
        number("age", "Age by the network.", "Gyr", "time.age"),
        number("age_linear_correct", "Age after a linear correction.", "Gyr", "time.age", principal=False),
        number("age_lowess_correct", "Age after a smooth correction: the one to use.", "Gyr", "time.age"),
        number("age_total_error", "Error of the age.", "Gyr", "stat.error;time.age"),
        number("age_model_error", "Part of the error of the age that the network itself has.", "Gyr", "stat.error;time.age", principal=False),
        number("vhelio_avg", "APOGEE's radial velocity.", "km/s", "spect.dopplerVeloc;pos.barycenter", principal=False),
        *(column for name, words, unit in _ORBIT for column in measured(name, f"{name}_err", words, unit, None, principal=False)),
    ),
    indexed=("apogee_id",),
)  # fmt: skip
