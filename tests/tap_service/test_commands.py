"""kiel tap, as it is typed."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from catalog.version import ROOT

KIEL = [sys.executable, "-m", "kiel_main", "tap"]


def run(words: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*KIEL, *words], capture_output=True, text=True, env=environment, cwd=ROOT, timeout=60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_prints_its_address_when_it_answers_and_stops_when_told(database_url_env: dict[str, str], number: int) -> None:
    process = subprocess.Popen([*KIEL, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True, env=database_url_env, cwd=ROOT)
    try:
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 60)[0], "no address within a minute"
        found = re.search(r"http://127\.0\.0\.1:\d+/tap", process.stdout.readline())
        assert found is not None
        assert httpx.get(f"{found[0]}/availability").status_code == 200
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(10) == 0
        assert time.monotonic() - began < 5
    finally:
        process.kill()


def test_a_taken_port_is_one_sentence(database_url_env: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = run(["serve", "--port", str(taken.getsockname()[1])], database_url_env)
    assert ran.returncode == 3
    assert "is taken by another program; stop it, or choose another with --port" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_an_unknown_host_is_one_sentence(database_url_env: dict[str, str]) -> None:
    ran = run(["serve", "--host", "no.such.host.invalid", "--port", "0"], database_url_env)
    assert ran.returncode == 2
    assert "is no address of this machine" in ran.stderr


def test_check_shows_columns_and_sql(database_url_env: dict[str, str]) -> None:
    ran = run(["check", "SELECT TOP 3 source_id, ra FROM gaiadr3.gaia_source WHERE DISTANCE(ra, dec, 45, 10) < 1"], database_url_env)
    assert ran.returncode == 0, ran.stderr
    for word in ("source_id", "long", "deg", "pos.eq.ra;meta.main", "LIMIT 3"):
        assert word in ran.stdout
    assert re.search(r"gaiadr3__p\d{4}", ran.stdout)


def test_check_gives_programs_the_columns_and_the_sql(database_url_env: dict[str, str]) -> None:
    query = 'SELECT TOP 3 ra AS "[x]", ROUND(ra, 2) FROM gaiadr3.gaia_source'
    ran = run(["check", query, "--json"], database_url_env)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["publication"] >= 1 and told["sql"].startswith("SELECT ")
    first, second = told["columns"]
    assert (first["name"], first["datatype"], first["unit"]) == ("[x]", "double", "deg")
    assert second == {"name": "round_2", "datatype": "double", "unit": "deg"}


def test_check_reads_a_long_query_from_standard_input(database_url_env: dict[str, str]) -> None:
    query = f"SELECT ra FROM gaiadr3.gaia_source WHERE source_id IN ({', '.join(map(str, range(50_000)))})"
    ran = subprocess.run([*KIEL, "check", "-"], input=query, capture_output=True, text=True, env=database_url_env, cwd=ROOT, timeout=60)
    assert ran.returncode == 0 and "ANY (CAST(" in ran.stdout, ran.stderr


def test_check_tells_what_is_no_adql_without_a_database() -> None:
    environment = {**os.environ, "KIEL_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}
    ran = run(["check", "SELECT ra FROM t LIMIT 5"], environment)
    assert ran.returncode == 2 and "ADQL has no LIMIT; write SELECT TOP n at the beginning (line 1, column 18)" in ran.stderr
    ran = run(["check", "--json", "--lang", "2.0", "SELECT ra FROM t LIMIT 5"], environment)
    assert ran.returncode == 2 and json.loads(ran.stdout)["kind"] == "AdqlSyntaxError"


def test_check_points_at_a_mistake(database_url_env: dict[str, str]) -> None:
    ran = run(["check", "SELECT raa FROM gaiadr3.gaia_source"], database_url_env)
    assert ran.returncode == 2
    assert "line 1, column 8" in ran.stderr
    assert "  SELECT raa FROM gaiadr3.gaia_source\n         ^" in ran.stderr


def test_the_service_starts_without_the_heavy_libraries() -> None:
    program = (
        "import sys, tap_service.commands, tap_service.app\n"
        "heavy = ('torch', 'gaiaxpy', 'dask', 'distributed', 'sklearn', 'pandas', 'healpy', 'matplotlib')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert ran.stdout.strip() == "[]", ran.stderr
