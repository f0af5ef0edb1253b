"""Example queries: one list, from which /examples, the query guide's section and the tests come.

Queries name ``labels`` and ``surveys`` (the default release) and ``{gaia}``, the schema of that release's sources, ``gaiadr3`` in the guide.
An example is shown only where all its tables are published. All are valid ADQL 2.0 as well, so that every client's own parser takes them.

Of the questions that people ask in their first hour, these are asked in another way, or not at all:

| question | here |
|---|---|
| labels of an uploaded list, match with uploaded positions | a selection in the place of the upload, which a page of examples cannot carry; the text says what to write |
| two models that differ by more than 3 sigma | the forward model and APOGEE, as long as no other model has published temperatures |
| covariances | in the query guide: not every client's parser knows functions of arrays |
| low and high alpha | of APOGEE: no model yet gives [alpha/M] |
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tap_service.publication_tables import PublicationTables

GUIDE_SCHEMA = "gaiadr3"
_TABLE = re.compile(r"\b(?:FROM|JOIN)\s+([a-z0-9_]+\.[a-z0-9_]+)")


@dataclass(frozen=True)
class Example:
    """A query worth reading: ``key`` names it within the page, ``text`` says what to learn from it."""

    key: str
    name: str
    text: str
    query: str

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that it reads, in their order."""
        return tuple(dict.fromkeys(_TABLE.findall(self.query)))

    def on(self, gaia: str) -> "Example":
        """The same with the schema of the release's sources in its place."""
        return Example(self.key, self.name, self.text.replace("{gaia}", gaia), self.query.replace("{gaia}", gaia))


EXAMPLES: tuple[Example, ...] = (
    Example(
        "first-rows",
        "The first rows of a table",
        "What a table looks like. TOP keeps it short; rows have no order unless ORDER BY gives them one.",
        "SELECT TOP 10 * FROM labels.forward",
    ),
    Example(
        "find-columns",
        "Which tables have an effective temperature?",
        "Tables and columns are data as well. A UCD says what a column means, whatever it is called.",
        """SELECT table_name, column_name, unit, description
FROM tap_schema.columns
WHERE ucd = 'phys.temperature.effective'
ORDER BY table_name""",
    ),
    Example(
        "labels-of-a-list",
        "Labels of a list of sources, and why some have none",
        "LEFT JOIN keeps the sources without a label, and no_label says the reason. For a list of your own, upload a table with a column "
        "source_id under the name mine and write TAP_UPLOAD.mine AS s in the place of the inner query.",
        """SELECT s.source_id, l.run_id, l.teff, l.logg, l.feh, l.quality_flags, n.reason, n.detail
FROM (SELECT TOP 100 source_id FROM {gaia}.xp_continuous_mean_spectrum ORDER BY source_id) AS s
LEFT JOIN labels.forward AS l ON l.source_id = s.source_id
LEFT JOIN labels.no_label AS n ON n.source_id = s.source_id AND n.model = 'forward'""",
    ),
    Example(
        "match-positions",
        "Match by position",
        "Every pair within an arcsecond. Integer division would make 1/3600 zero, so one of the numbers has a point. For positions of your own, "
        "upload a table with ra and dec under the name mine and write TAP_UPLOAD.mine AS m in the place of the inner query.",
        """SELECT m.apogee_id, g.source_id, g.phot_g_mean_mag,
  3600 * DISTANCE(POINT('ICRS', m.ra, m.dec), POINT('ICRS', g.ra, g.dec)) AS separation_arcsec
FROM (SELECT TOP 50 apogee_id, ra, dec FROM surveys.apogee) AS m
JOIN {gaia}.gaia_source AS g ON 1 = CONTAINS(POINT('ICRS', g.ra, g.dec), CIRCLE('ICRS', m.ra, m.dec, 1 / 3600.0))
ORDER BY separation_arcsec""",
    ),
    Example(
        "cone",
        "A cone around the Pleiades",
        "Sources within a degree, brightest first. ADQL 2.1 has a shorter form that goes through the index as well: "
        "DISTANCE(ra, dec, 56.75, 24.12) < 1.",
        """SELECT source_id, ra, dec, parallax, pmra, pmdec, phot_g_mean_mag, bp_rp
FROM {gaia}.gaia_source
WHERE 1 = CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', 56.75, 24.12, 1))
ORDER BY phot_g_mean_mag""",
    ),
    Example(
        "count-flags",
        "How many labels have which flags",
        "quality_flags below 8 is the paper's basic reliability cut; 0 is best. Each bit tells what to beware of.",
        """SELECT run_id, quality_flags, COUNT(*) AS n
FROM labels.forward
GROUP BY run_id, quality_flags
ORDER BY n DESC""",
    ),
    Example(
        "sky-map",
        "Mean metallicity over the sky",
        "The top bits of a source_id are a nested HEALPix pixel: divided by 2^47 = 140737488355328 it is the pixel of level 6 (Nside 64).",
        """SELECT healpix_6, COUNT(*) AS n, AVG(feh) AS mean_feh
FROM (
  SELECT source_id / 140737488355328 AS healpix_6, feh
  FROM labels.forward
  WHERE quality_flags < 8 AND e_feh < 0.2
) AS a
GROUP BY healpix_6
ORDER BY healpix_6""",
    ),
    Example(
        "kiel-diagram",
        "A Kiel diagram in bins",
        "Bins of 100 K and 0.1 in log g, counted by the service: a few hundred rows in the place of millions.",
        """SELECT teff_bin, logg_bin, COUNT(*) AS n
FROM (
  SELECT 100 * FLOOR(teff / 100) AS teff_bin, 0.1 * FLOOR(10 * logg) AS logg_bin
  FROM labels.forward
  WHERE quality_flags < 8
) AS l
GROUP BY teff_bin, logg_bin
ORDER BY teff_bin, logg_bin""",
    ),
    Example(
        "model-and-survey",
        "Where the forward model and a survey differ by more than three sigma",
        "Errors of both added in quadrature. link_ambiguous leaves out stars that may be mistaken for a neighbour.",
        """SELECT TOP 100 l.source_id, l.teff, a.teff AS teff_apogee, l.quality_flags,
  ABS(l.teff - a.teff) / SQRT(l.e_teff * l.e_teff + a.teff_err * a.teff_err) AS sigmas
FROM labels.forward AS l
JOIN surveys.apogee AS a ON a.source_id = l.source_id
WHERE a.is_primary = 'true' AND a.link_ambiguous = 'false' AND a.teff_err > 0
  AND ABS(l.teff - a.teff) > 3 * SQRT(l.e_teff * l.e_teff + a.teff_err * a.teff_err)
ORDER BY sigmas DESC""",
    ),
    Example(
        "second-solutions",
        "Stars whose spectrum has a second explanation",
        "n_minima counts solutions that fit nearly as well; the second-best of them stands beside the best. Most are reddened stars with poor parallaxes.",
        """SELECT TOP 100 source_id, teff, runner_up_teff, ext, runner_up_ext, runner_up_delta_loss
FROM labels.forward
WHERE n_minima > 1
ORDER BY runner_up_delta_loss""",
    ),
    Example(
        "surveys-differ",
        "Where two surveys differ most, in units of their errors",
        "The same source in APOGEE and LAMOST, errors added in quadrature; those above 3 are worth a look. link_ambiguous leaves out stars that may be "
        "mistaken for a neighbour.",
        """SELECT TOP 100 a.source_id, a.teff AS teff_apogee, l.teff AS teff_lamost,
  ABS(a.teff - l.teff) / SQRT(a.teff_err * a.teff_err + l.teff_err * l.teff_err) AS sigmas
FROM surveys.apogee AS a
JOIN surveys.lamost AS l ON l.source_id = a.source_id
WHERE a.is_primary = 'true' AND l.is_primary = 'true' AND a.link_ambiguous = 'false' AND l.link_ambiguous = 'false'
  AND a.teff_err > 0 AND l.teff_err > 0
ORDER BY sigmas DESC""",
    ),
    Example(
        "low-alpha",
        "The low-alpha sequence, with small errors",
        "A cut that follows metallicity, errors below 0.05 dex, and bit 23 of the flags (STAR_BAD, 2^23 = 8388608) not set; > in the last line "
        "gives the high-alpha stars.",
        """SELECT source_id, m_h, alpha_m
FROM surveys.apogee
WHERE is_primary = 'true' AND m_h_err < 0.05 AND alpha_m_err < 0.05 AND MOD(aspcapflag / 8388608, 2) = 0
  AND alpha_m < 0.12 - 0.13 * m_h""",
    ),
    Example(
        "with-gaia",
        "Labels beside Gaia's own columns",
        "Joined by source_id, which means something only within its release. ruwe tells whether the astrometry fits a single star.",
        """SELECT TOP 1000 l.source_id, l.teff, l.logg, l.ext, g.bp_rp, g.phot_g_mean_mag, l.parallax, g.parallax AS gaia_parallax, g.ruwe
FROM labels.forward AS l
JOIN {gaia}.gaia_source AS g ON g.source_id = l.source_id
WHERE l.quality_flags < 8 AND g.ruwe < 1.4""",
    ),
    Example(
        "models-side-by-side",
        "All models of a source in one row",
        "all_models has a row for every source with a label; a model without one gives nulls.",
        """SELECT TOP 100 source_id, forward_teff, forward_logg, forward_feh, forward_quality_flags, scatter_vae_latent, scatter_vae_chi2
FROM labels.all_models
ORDER BY source_id""",
    ),
    Example(
        "two-runs",
        "The same source in two runs",
        "forward_all_runs has every complete run; b is the later one of each pair.",
        """SELECT TOP 100 a.source_id, a.run_id AS run_a, b.run_id AS run_b, b.teff - a.teff AS teff_change, b.feh - a.feh AS feh_change
FROM labels.forward_all_runs AS a
JOIN labels.forward_all_runs AS b ON b.source_id = a.source_id AND b.run_id > a.run_id
ORDER BY teff_change DESC""",
    ),
    Example(
        "runs",
        "What made each number",
        "Runs with their model, the hash of its weights, the release that they read, and how many sources got labels.",
        """SELECT r.run_id, r.model, r.version, m.weights_sha256, r.release, r.labelled, r.unlabelled, r.is_published, r.created
FROM runs.run AS r
JOIN runs.model_version AS m ON m.model_version_id = r.model_version_id
ORDER BY run_id""",
    ),
    Example(
        "why-no-label",
        "Why sources have no label",
        "Every source of a run has a label or a reason.",
        """SELECT model, reason, COUNT(*) AS n
FROM labels.no_label
GROUP BY model, reason
ORDER BY n DESC""",
    ),
    Example(
        "spectra",
        "Spectra of labelled stars",
        "Coefficients of the XP spectra with the best fits, one array a row; xp_sampled_mean_spectrum and rvs_mean_spectrum have fluxes.",
        """SELECT TOP 20 s.source_id, l.chi2_opt, l.teff, s.bp_coefficients, s.rp_coefficients
FROM labels.forward AS l
JOIN {gaia}.xp_continuous_mean_spectrum AS s ON s.source_id = l.source_id
WHERE l.quality_flags = 0
ORDER BY chi2_opt""",
    ),
    Example(
        "infrared",
        "Infrared magnitudes and reddening",
        "2MASS joined by the archive's own match; ph_qual AAA is good in all three bands.",
        """SELECT TOP 100 g.source_id, g.phot_g_mean_mag, t.j_m, t.h_m, t.ks_m, r.reddening, r.reddening_map
FROM {gaia}.gaia_source AS g
JOIN {gaia}.two_mass AS t ON t.source_id = g.source_id
LEFT JOIN {gaia}.reddening AS r ON r.source_id = g.source_id
WHERE t.ph_qual = 'AAA'""",
    ),
    Example(
        "training-sample",
        "Which cut removes how many stars",
        "A training sample has one column a cut; chosen is all of them together.",
        """SELECT cut_starflag, cut_aspcapflag, cut_labels, chosen, COUNT(*) AS n
FROM surveys.training_uncertain_nn
GROUP BY cut_starflag, cut_aspcapflag, cut_labels, chosen""",
    ),
)


def examples_of(published: PublicationTables) -> Iterator[Example]:
    """The examples whose tables a publication has, as they run there."""
    gaia = published.default_gaia_schema
    there = {table.qualified_name for table in published.tables}
    for example in EXAMPLES:
        if gaia is None and "{gaia}" in example.query:
            continue
        shown = example.on(gaia or GUIDE_SCHEMA)
        if there.issuperset(shown.tables):
            yield shown
