"""What a job costs: from its creation with PHASE=RUN until its result is fetched, one after the other and eight at once.

    .venv/bin/python -m benchmarks.tap_jobs            best and median of 20 rounds
    .venv/bin/python -m benchmarks.tap_jobs --rounds 50

Makes a server (with fsync, as in production), a catalogue and a service with its two workers of its own. The same query goes
to PostgreSQL through a kept psycopg connection in the same rounds, and to /sync: the ratios stay what they are on a busy machine.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

from catalog.database import Database, Role
from catalog.embedded_server import EmbeddedServer
from catalog.migrate import upgrade
from catalog.releases import add_release

ADQL = "SELECT TOP 1 table_name, description FROM tap_schema.tables"
SQL = "SELECT table_name, description FROM tap_schema.tables LIMIT 1"
AT_ONCE = 8


@contextmanager
def served(database: Database, home: Path) -> Iterator[str]:
    """The service with its workers; its URL."""
    settings = {"KIEL_DATABASE_URL": database.url, "KIEL_TAP_DATABASE_URL": database.tap_url, "KIEL_HOME": str(home)}
    words = [sys.executable, "-m", "kiel_main", "tap", "serve", "--port", "0"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, **settings})
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+/tap", process.stdout.readline())
        assert found is not None
        yield found[0]
    finally:
        process.terminate()
        process.wait(20)


def job(client: httpx.Client, url: str) -> None:
    """A job from its creation to its result, waited for as TOPCAT and pyvo do."""
    address = client.post(f"{url}/async", data={"LANG": "ADQL", "QUERY": ADQL, "PHASE": "RUN"}).headers["location"]
    phase = ""
    while phase not in ("COMPLETED", "ERROR", "ABORTED"):
        document = client.get(address, params={"WAIT": "-1", **({"PHASE": phase} if phase else {})}).text
        found = re.search(r"<uws:phase>(\w+)<", document)
        assert found is not None
        phase = found[1]
    result = client.get(f"{address}/results/result")
    assert phase == "COMPLETED" and result.status_code == 200 and b'value="OK"' in result.content, result.text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="kiel-bench-"))
    home.chmod(0o711)
    server = EmbeddedServer(home / "server")
    try:
        database = server.up()
        upgrade(database)
        add_release(database, "gaia_dr3")
        with (
            served(database, home) as url,
            httpx.Client(timeout=60) as client,
            ThreadPoolExecutor(AT_ONCE) as clients,
            database.connect(Role.TAP_READER, autocommit=True) as connection,
        ):
            each = [httpx.Client(timeout=60) for _ in range(AT_ONCE)]
            ways: dict[str, Callable[[], object]] = {
                "psycopg, kept connection": lambda: connection.execute(SQL).fetchall(),
                "/sync": lambda: client.get(f"{url}/sync", params={"LANG": "ADQL", "QUERY": ADQL}).raise_for_status(),
                "one job": lambda: job(client, url),
                f"{AT_ONCE} jobs at once": lambda: list(clients.map(lambda own: job(own, url), each)),
            }
            for way in ways.values():  # connections are made, tables read
                way()
            seconds: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(arguments.rounds):
                for name, way in ways.items():
                    began = time.perf_counter()
                    way()
                    seconds[name].append(time.perf_counter() - began)
    finally:
        server.down()
        shutil.rmtree(home, ignore_errors=True)
    floor = statistics.median(seconds["psycopg, kept connection"])
    print(f"{arguments.rounds} rounds, all ways in turn; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for name, took in seconds.items():
        median = statistics.median(took)
        print(f"{name:26} best {1000 * min(took):7.1f} ms   median {1000 * median:7.1f} ms   {median / floor:7.1f} of psycopg")


if __name__ == "__main__":
    main()
