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


def test_rejects_are_chosen_by_file_reason_and_number(kiel: Any, archive: Any, tmp_path: Path) -> None:
    for name, ids in (("a.csv", (GOOD, 0, -1)), ("b.csv", (GOOD + 128, 0))):
        archive.csv(tmp_path / name, [archive.source(source_id) for source_id in ids])
    assert kiel("add", tmp_path, "--work").returncode == 0

    def chosen(*words: str) -> list[tuple[str, int]]:
        rows = json.loads(kiel("rejects", "--json", *words).stdout)["rejects"]
        return [(Path(row["file"]).name, row["row_number"]) for row in rows]

    assert chosen() == [("a.csv", 2), ("a.csv", 3), ("b.csv", 2)]
    assert chosen("--file", "b.csv") == [("b.csv", 2)]
    assert chosen("--limit", "1") == [("a.csv", 2)]
    assert chosen("--reason", "no_such_reason") == []
    assert kiel("rejects", "--file", "b.csv").stdout.startswith(f"{tmp_path / 'b.csv'}  row 2  -  source_id_not_positive: source_id 0")


def test_status_tells_sums_contract_and_states(kiel: Any, archive: Any, tmp_path: Path) -> None:
    archive.csv(tmp_path / "a.csv", [archive.source(GOOD, own=1)])
    worked = kiel("add", tmp_path, "--work", "--workers", "2")
    assert worked.returncode == 0
    note = "note: gaia_source, 1 file: 1 columns that are unknown and were not read: own\n"
    assert worked.stdout.count(note) == 1
    assert kiel("status").stdout.count(note) == 1
    told = json.loads(kiel("status", "--json").stdout)
    (file,) = told["files"]
    assert (file["contract"]["unknown_columns"], file["contract"]["nulls"]["ra"], file["loader"]) == (["own"], 0, None)
    (total,) = told["totals"]
    assert (total["product"], total["state"], total["files"], total["rows_kept"]) == ("gaia_source", "loaded", 1, 1)


def test_verify_ends_with_code_1_and_what_differs(kiel: Any, archive: Any, tmp_path: Path) -> None:
    path = archive.csv(tmp_path / "a.csv", [archive.source(GOOD)])
    assert kiel("add", tmp_path, "--work").returncode == 0
    good = kiel("verify")
    assert (good.returncode, good.stdout) == (0, "1 loaded files, 1 rows in their tables, 0 rejects: all as the ledger says.\n")
    hashes = json.loads(kiel("verify", "--content", "--json").stdout)["content"]
    assert len(hashes["gaia_source"]) == 64
    path.write_text("other")
    assert kiel("verify", "--no-hash").returncode == 0
    bad = kiel("verify")
    assert bad.returncode == 1
    assert f"differs: {path} has other bytes" in bad.stdout
    path.unlink()
    assert kiel("verify").returncode == 0
    assert kiel("verify", "--strict").returncode == 1


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
    assert kiel("work").returncode == 3
