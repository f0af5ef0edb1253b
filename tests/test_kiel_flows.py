"""The demonstration's service lives as long as the demonstration."""

import os
import signal
import subprocess
import sys
import urllib.request
from urllib.error import URLError

import pytest

from catalog.version import ROOT

SERVE = """
import signal
from kiel_flows import served
with served(0) as url:
    print(url, flush=True)
    signal.pause()
"""


@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_the_service_ends_with_the_demonstration(ended_by: signal.Signals, database_url_env: dict[str, str]) -> None:
    environment = {**os.environ, **database_url_env, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", SERVE], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with urllib.request.urlopen(f"{url}/availability", timeout=10) as answer:
            assert b"<avail:available>true" in answer.read()
        process.send_signal(ended_by)
        try:
            process.wait(timeout=30)
        finally:
            process.kill()  # where it goes on, the test fails and does not wait for it
        with pytest.raises(URLError):
            urllib.request.urlopen(f"{url}/availability", timeout=10)
