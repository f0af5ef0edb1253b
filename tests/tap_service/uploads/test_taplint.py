"""The validator's stage of uploads: a table of every type it knows, as TABLEDATA and as BINARY, up and back through jobs."""

import re
import shutil
import subprocess
from typing import Any

import pytest


def test_taplint_finds_no_fault_with_uploads(async_service: Any) -> None:
    stilts = shutil.which("stilts")
    if stilts is None:
        pytest.skip("needs STILTS (Debian package stilts)")
    words = [stilts, "taplint", f"tapurl={async_service.url}", "stages=CAP UPL", "report=EWFS"]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert "Totals:" in ran.stdout, ran.stderr
    assert "Section UPL" in ran.stdout
    of_uploads = ran.stdout.partition("Section UPL")[2]
    assert not re.findall(r"^[EWF]-.*$", of_uploads, re.MULTILINE), of_uploads
