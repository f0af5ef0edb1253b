"""kiel ingest: exit codes, JSON, one line a step."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from catalog.settings import settings
from kiel_main import main

GOOD = 4295806720


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def kiel(database_url_env: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*words: str | Path) -> Done:
        for name, value in database_url_env.items():
            if name.startswith("KIEL_"):
                monkeypatch.setenv(name, value)
        settings.cache_clear()
        capsys.readouterr()
        code = main(["ingest", *map(str, words)])
        return Done(code, *capsys.readouterr())

    yield run
    settings.cache_clear()


def test_add_work_status_and_rejects(kiel: Any, archive: Any, tmp_path: Path) -> None:
    archive.csv(tmp_path / "a.csv", [archive.spectrum(GOOD), archive.spectrum(GOOD, "err"), archive.spectrum(0)])
    added = kiel("add", tmp_path)
    assert (added.returncode, added.stdout) == (0, "1 new; 1 files (1 planned); 0 rows read, 0 in the catalogue, 0 rejected.\n")
    worked = kiel("work")
    assert worked.returncode == 0
    assert "step=loaded" in worked.stderr
    assert "rows_in=3 rows_loaded=1 rows_rejected=2" in worked.stderr
    (file,) = json.loads(kiel("status", "--json").stdout)["files"]
    assert (file["state"], file["product"], file["rows_loaded"]) == ("loaded", "xp_continuous", 1)
    rejects = json.loads(kiel("rejects", "--json").stdout)["rejects"]
    assert [(row["row_number"], row["reason"]) for row in rejects] == [(2, "duplicate_source"), (3, "source_id_not_positive")]
    assert rejects[0]["winner"] == str(tmp_path / "a.csv")
    assert kiel("rejects").stdout.count("\n") == 2


def test_a_failed_file_gives_exit_code_1_and_its_reason(kiel: Any, archive: Any, tmp_path: Path) -> None:
    archive.csv(tmp_path / "good.csv", [archive.source(GOOD)])
    (tmp_path / "bad.csv").write_text('source_id,ra,dec\n1,2,"3')
    done = kiel("add", tmp_path, "--work")
    assert done.returncode == 1
    assert "truncated" in done.stdout
    assert "1 loaded, 1 failed" in done.stdout
    again = kiel("add", tmp_path, "--work", "--json")
    assert again.returncode == 1
    assert json.loads(again.stdout)["added"] == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [(["add", "/nowhere/at/all"], "no file or folder"), (["work", "--release", "gaia_dr9"], "gaia_dr9"), (["add"], "PATHS")],
)
def test_wrong_usage_gives_exit_code_2(words: list[str], told: str, kiel: Any) -> None:
    done = kiel(*words)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_does_not_answer_gives_exit_code_3(kiel: Any, database_url_env: dict[str, str], tmp_path: Path) -> None:
    database_url_env["KIEL_DATABASE_URL"] = "postgresql://kiel@127.0.0.1:1/kiel"
    (tmp_path / "file").write_text("")
    done = kiel("add", tmp_path)
    assert done.returncode == 3
    assert "does not answer" in done.stderr
