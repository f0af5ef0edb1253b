"""The rules by which the rows of each survey are linked to Gaia sources, and which of a source's rows is the one to use.

They stand here and nowhere else; docs/linking.md tells them in words.
"""

from dataclasses import dataclass

FAST_MAS_YR = 150.0
"""Proper motion, mas/yr, up to which a source is looked for around its pixel; faster ones are held in memory, wherever they are."""
NEARLY_AS_NEAR = 1.5
"""A second source is nearly as near as the linked one when it is no further than this many times its separation,"""
NEARLY_AS_NEAR_ARCSEC = 0.1
"""or no further than this beyond it."""


@dataclass(frozen=True)
class GivenId:
    """A column with a Gaia source_id that the survey gives, and the Gaia release (dr2, dr3, dr4) whose number it is.

    ``numbering`` is that of every row, or None where ``numbering_column`` tells it row by row: by the words of ``tells``, pairs of a value of that
    column (as PostgreSQL writes it) and a numbering, or by itself where there are none. An identifier whose numbering nothing tells is not taken.
    """

    column: str
    numbering: str | None
    numbering_column: str | None = None
    tells: tuple[tuple[str, str], ...] = ()

    def numbering_of(self, told: str | None) -> str:
        """The numbering of a row by its value of ``numbering_column``; empty where it is not known."""
        return self.numbering or (dict(self.tells).get(told, "") if told and self.tells else told or "")


@dataclass(frozen=True)
class Duplicates:
    """Which of several rows of one source is the one to use: none with a bit of ``dropped`` set, else the first by ``order``.

    ``dropped`` is a column with the mask of bits that a row must not have. ``order`` gives columns and whether their highest value comes first;
    rows without a value come last. What is still equal is decided by survey_id, the smallest (byte by byte) first.
    """

    order: tuple[tuple[str, bool], ...] = ()
    dropped: tuple[str, int] | None = None


@dataclass(frozen=True)
class LinkRules:
    """How one survey is linked. ``survey`` is its table.

    ``given`` names identifiers in the order in which they are believed; ``epoch`` is that of the survey's positions, Julian year; ``radius`` (arcsec)
    how far a source may stand from them to be a candidate; ``far`` (arcsec) beyond which a source that an identifier names is doubted.
    ``designation`` is a column with the 2MASS designation, after ``designation_prefix``. ``by_set`` marks tables of several named sets.
    ``follows`` names other surveys whose links rows take over, each with the statement of sql/queries/linking.sql that does it.
    """

    survey: str
    duplicates: Duplicates
    given: tuple[GivenId, ...] = ()
    epoch: float = 2000.0
    radius: float = 1.0
    far: float = 3.0
    designation: str | None = None
    designation_prefix: str = ""
    by_set: bool = False
    follows: tuple[tuple[str, str], ...] = ()

    @property
    def search_radius(self) -> float:
        """How far sources are looked for, arcsec: a 2MASS counterpart may stand further away than a match by position."""
        return max(self.radius, self.far) if self.designation is not None else self.radius


RULES: tuple[LinkRules, ...] = (
    # Positions are those of 2MASS (observed 1997 to 2001) for nearly every target. EXTRATARG bit 4: DUPLICATE, not the highest S/N of its star.
    LinkRules(
        "apogee",
        Duplicates((("snr", True),), dropped=("extratarg", 1 << 4)),
        given=(GivenId("gaiaedr3_source_id", "dr3"), GivenId("gaia_source_id", "dr2")),
        epoch=2000.0, designation="apogee_id", designation_prefix="2M",
    ),
    # Positions are the input catalogue's, of mixed epochs that are not told. Zhang, Green & Rix 2023 (section 2.2) take the closest source of Gaia DR3
    # within 0.25 arcsec, and tell of no propagation. Identifiers of data release 8 are Gaia DR2's; of other releases it is not known.
    LinkRules(
        "lamost",
        Duplicates((("snrg", True), ("obsid", False))),
        given=(GivenId("gaia_source_id", None, "survey_release", (("dr8", "dr2"),)),),
        epoch=2016.0,
    ),
    # A row is a spectrum of LAMOST under another name, and has no position of its own.
    LinkRules("hot_payne", Duplicates((("snrg", True), ("e_teff", False))), epoch=2016.0, follows=(("lamost", "follow_lamost"),)),
    # Positions are Gaia DR2's. flag_repeat is 0 for the spectrum that the survey itself would use.
    LinkRules(
        "galah",
        Duplicates((("flag_repeat", False), ("snr_c2_iraf", True))),
        given=(GivenId("dr3_source_id", "dr3"), GivenId("dr2_source_id", "dr2")),
        epoch=2015.5, designation="star_id",
    ),
    # A row stands for a row of allStar; positions are Gaia's where the file gives Gaia's identifier. ref_epoch, Gaia's too, tells whose number it is.
    LinkRules(
        "astronn",
        Duplicates((("teff_err", False),)),
        given=(GivenId("given_source_id", None, "ref_epoch", (("2015.5", "dr2"), ("2016", "dr3"), ("2017.5", "dr4"))),),
        epoch=2016.0, designation="apogee_id", designation_prefix="2M", follows=(("apogee", "follow_apogee"),),
    ),
    # WISE observed in 2010 and from 2014 on: exposures up to 2017 (five years) have a mean epoch of 2014.8, those up to 2019 (seven years) of 2016.0.
    # Zhang, Green & Rix 2023 take the nearest within 0.5 arcsec.
    LinkRules("unwise", Duplicates((("is_primary", True), ("w1_flux", True))), epoch=2015.5, radius=0.5),
    # Tables of other authors: what they give is believed, and APOGEE's or GALAH's link of the star serves where they give no number of Gaia's.
    LinkRules(
        "reference_label",
        Duplicates(),
        given=(GivenId("given_source_id", None, "id_system"),),
        epoch=2016.0, designation="tmass_id", by_set=True, follows=(("apogee", "follow_apogee_name"), ("galah", "follow_galah_number")),
    ),
)  # fmt: skip
"""In the order of linking: a survey stands after those that it follows."""
