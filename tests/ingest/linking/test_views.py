"""Harmonised labels by their formulae, links beside native columns, and chunks of workers that are read through indexes."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from catalog.database import Database, Role
from ingest.linking.cuts import PAPERS
from ingest.linking.link import link_surveys

Put = Callable[..., None]
LABELS = ("teff", "logg", "feh", "mh", "alpha_m", "alpha_fe", "c_fe", "n_fe")
NONE = (None, None)
RA, DEC = 75.0, 41.8
_ROWS = re.compile(r"actual rows=([\d.]+)")

# survey -> native columns, and what the harmonised view makes of them: (value, error) of each label, S/N and flags
ROWS: dict[str, tuple[dict[str, Any], dict[str, tuple[Any, Any]], float | None, int | None]] = {
    "apogee": (
        {"teff": 4500.0, "teff_err": 20.0, "logg": 2.5, "logg_err": 0.05, "fe_h": -0.2, "fe_h_err": 0.01, "m_h": -0.25, "m_h_err": 0.02,
         "alpha_m": 0.1, "alpha_m_err": 0.02, "c_fe": 0.03, "c_fe_err": 0.04, "n_fe": 0.2, "n_fe_err": 0.05, "snr": 150.0, "aspcapflag": 1 << 33},
        {"teff": (4500, 20), "logg": (2.5, 0.05), "feh": (-0.2, 0.01), "mh": (-0.25, 0.02), "alpha_m": (0.1, 0.02), "alpha_fe": (0.05, 0.03),
         "c_fe": (0.03, 0.04), "n_fe": (0.2, 0.05)},
        150.0, 1 << 33,
    ),
    "astronn": (
        {"teff": 4510.0, "teff_err": 30.0, "logg": 2.4, "logg_err": 0.1, "fe_h": -0.3, "fe_h_err": 0.03, "c_h": -0.2, "c_h_err": 0.04, "o_h": 0.0},
        {"teff": (4510, 30), "logg": (2.4, 0.1), "feh": (-0.3, 0.03), "c_fe": (0.1, 0.05)}, None, None,
    ),
    "lamost": (
        {"obsid": 3, "teff": 5800.0, "teff_err": 40.0, "logg": 4.4, "logg_err": 0.06, "feh": 0.1, "feh_err": 0.04, "snrg": 60.0, "fibermask": 0},
        {"teff": (5800, 40), "logg": (4.4, 0.06), "feh": (0.1, 0.04)}, 60.0, 0,
    ),
    "hot_payne": (
        {"teff": 9000.0, "e_teff": 80.0, "logg": 4.0, "e_logg": 0.1, "fe_h": -0.1, "e_fe_h": 0.12, "c_h": 0.2, "e_c_h": 0.05, "n_h": -0.4, "e_n_h": 0.16},
        {"teff": (9000, 80), "logg": (4, 0.1), "feh": (-0.1, 0.12), "c_fe": (0.3, 0.13), "n_fe": (-0.3, 0.2)}, None, None,
    ),
    "galah": (
        {"teff": 6000.0, "e_teff": 90.0, "logg": 4.2, "e_logg": 0.2, "fe_h": 0.0, "e_fe_h": 0.07, "alpha_fe": 0.08, "e_alpha_fe": 0.03, "c_fe": 0.5,
         "e_c_fe": 0.1, "flag_c_fe": 1, "snr_c2_iraf": 44.0, "flag_sp": 4},
        {"teff": (6000, 90), "logg": (4.2, 0.2), "feh": (0, 0.07), "alpha_fe": (0.08, 0.03)}, 44.0, 4,
    ),
    "reference_label": (
        {"set_name": "seismic", "logg": 2.91, "e_logg": 0.01, "feh": 0.1, "mh": 0.12, "alpha_m": 0.03}, {"logg": (2.91, 0.01), "feh": (0.1, None),
         "mh": (0.12, None), "alpha_m": (0.03, None), "alpha_fe": (0.05, None)}, None, None,
    ),
}  # fmt: skip


def test_labels_of_every_survey_under_one_set_of_names(put: Put, database: Database, subtests: pytest.Subtests) -> None:
    source = 7 << 35
    put(database, "gaia_source", {"source_id": [source], "ra": [RA], "dec": [DEC]})
    for survey, (native, *_) in ROWS.items():
        put(database, survey, {"survey_id": ["row"], "ra": [RA], "dec": [DEC]} | {name: [value] for name, value in native.items()})
    put(database, "apogee", {"survey_id": ["alone"], "teff": [4000.0]})
    link_surveys(database, "gaia_dr3")
    columns = ", ".join(f"{name}, e_{name}" for name in LABELS)
    with database.connect(Role.TAP_READER) as connection:
        query = f"SELECT survey, survey_id, set_name, source_id, is_primary, snr, flags, {columns} FROM surveys.survey_labels"
        found = {row[:2]: row[2:] for row in connection.execute(query).fetchall()}
    assert len(found) == len(ROWS) + 1
    assert found["apogee", "alone"][:5] == ("", None, False, None, None)
    for survey, (native, labels, snr, flags) in ROWS.items():
        with subtests.test(survey):
            row = found[survey, "row"]
            assert row[:3] == (native.get("set_name", ""), source, True)
            assert row[3:5] == (pytest.approx(snr), flags)
            for place, name in enumerate(LABELS):
                expected = labels.get(name, NONE)
                assert row[5 + 2 * place : 7 + 2 * place] == tuple(
                    None if value is None else pytest.approx(value, abs=1e-6) for value in expected
                ), name


def test_native_rows_show_their_links_and_stay_when_there_is_none(put: Put, database: Database) -> None:
    put(database, "gaia_source", {"source_id": [7 << 35], "ra": [RA], "dec": [DEC]})
    query = "SELECT survey_id, teff, source_id, link_method, link_separation, link_candidates, link_ambiguous, is_primary FROM surveys_dr3.lamost ORDER BY 1"
    put(database, "lamost", {"survey_id": ["a", "b"], "obsid": [1, 2], "teff": [5000.0, 6000.0], "ra": [RA, RA], "dec": [DEC, DEC + 1]})
    with database.connect(Role.WORKER) as connection:
        before = connection.execute(query).fetchall()
    link_surveys(database, "gaia_dr3")
    with database.connect(Role.WORKER) as connection:
        after = connection.execute(query).fetchall()
    assert before == [("a", 5000.0, *[None] * 6), ("b", 6000.0, *[None] * 6)]
    assert after == [("a", 5000.0, 7 << 35, "position", 0.0, 1, False, True), ("b", 6000.0, None, None, None, 0, False, False)]


SURVEYS = ("apogee", "astronn", "lamost", "hot_payne", "galah", "unwise")
FILLED = ("gaia_source", "two_mass_photometry", "xp_spectrum", "fidelity", "survey_link", "apogee_spectrum", *SURVEYS)


def test_a_range_of_sources_and_a_cone_that_is_joined_are_read_through_indexes(
    put: Put, database: Database, subtests: pytest.Subtests
) -> None:
    n = 20_000
    source = np.arange(1, n + 1) << 35
    names = np.array([f"{number:06d}" for number in range(n)], object)
    put(database, "gaia_source", {"source_id": source, "ra": np.full(n, RA), "dec": np.full(n, DEC)})
    put(database, "fidelity", {"source_id": source, "fidelity_v2": np.ones(n)})
    none, true = np.zeros(n, np.int32), np.ones(n, bool)
    put(database, "two_mass_photometry", {"source_id": source, "j_m": np.ones(n)})
    for survey in SURVEYS:
        own = (
            {"obsid": np.arange(n)} if survey == "lamost" else {"ra": np.full(n, RA), "dec": np.full(n, DEC)} if survey == "unwise" else {}
        )
        own |= {"apogee_id": names} if survey == "apogee" else {}
        put(database, survey, {"survey_id": names} | own)
        link = {
            "survey": np.full(n, survey, object),
            "set_name": np.full(n, "", object),
            "survey_id": names,
            "source_id": source,
            "n_candidates": none,
        }
        put(database, "survey_link", link | {"link_flags": none.astype(np.int16), "ambiguous": ~true, "is_primary": true})
    with database.connect(Role.OWNER) as connection:
        connection.execute("INSERT INTO store.xp_spectrum (release_id, source_id, layout, head, file_id) "
                           "SELECT 1, source_id, 0, '', 0 FROM store.gaia_source")  # fmt: skip
        connection.execute("INSERT INTO store.apogee_spectrum (release_id, survey_id, flux_kind, flux, flux_error, file_id) "
                           "SELECT 1, survey_id, '', '', '', 0 FROM store.apogee")  # fmt: skip
        for table in FILLED:
            connection.execute(f"ANALYZE store.{table}")
    first, last = int(source[5_000]), int(source[5_020])
    cone = f"(g.source_id BETWEEN {first} AND {last} OR g.source_id BETWEEN {last + (7 << 35)} AND {last + (9 << 35)})"
    joined = "FROM gaiadr3.gaia_source AS g JOIN surveys_dr3.{} AS v USING (source_id)"
    beside = (
        "FROM gaiadr3.gaia_source AS g CROSS JOIN LATERAL (SELECT * FROM surveys_dr3.{} AS s WHERE s.source_id = g.source_id OFFSET 0) AS v"
    )
    with database.connect(Role.WORKER) as connection:
        for view in (*(f"training_{paper}" for paper in PAPERS), "survey_labels", *SURVEYS):
            # PostgreSQL passes no join into a union of joins: there a query has to ask source by source (docs/linking.md).
            together = (beside if view == "survey_labels" else joined).format(view)
            for query in (f"FROM surveys_dr3.{view} AS v WHERE source_id BETWEEN {first} AND {last}", f"{together} WHERE {cone}"):
                with subtests.test(query):
                    plan = [line for (line,) in connection.execute(f"EXPLAIN (ANALYZE, TIMING OFF) SELECT v.* {query}").fetchall()]
                    # Whether a table has any row is asked by reading one.
                    read_whole = [line for line in plan if "Seq Scan" in line and (rows := _ROWS.search(line)) and float(rows[1]) > 1]
                    assert read_whole == []
                    removed = [int(line.rpartition(":")[2]) for line in plan if "Rows Removed by Filter" in line]
                    assert sum(removed) < 1_000
