"""The command ``kiel``: words, exit codes, and one sentence or one JSON object for every outcome."""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import click
import pytest
from click.testing import CliRunner
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import kiel_main
from catalog.database import Database
from catalog.errors import DataError, KielError, RunError, TransientError, UsageError
from catalog.version import ROOT, VERSION


def kiel(*words: str, environment: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
    return subprocess.run([sys.executable, "-m", "kiel_main", *words], env=variables, capture_output=True, text=True, check=False)


def test_version_is_printed_without_any_part_being_loaded() -> None:
    assert kiel("--version").stdout.startswith(f"kiel {VERSION}")


@pytest.mark.parametrize("word", [word for word, (module, _) in kiel_main.WORDS.items() if kiel_main._is_there(module)])
def test_every_word_is_listed_and_explains_itself(word: str) -> None:
    listed = CliRunner().invoke(kiel_main.kiel, ["--help"]).output
    assert word in listed.split("Commands:")[1]
    explained = CliRunner().invoke(kiel_main.kiel, [word, "--help"])
    assert explained.exit_code == 0, explained.output
    assert len(explained.output.splitlines()) > 3


def test_words_whose_module_is_not_there_are_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kiel_main.WORDS, "nowhere", ("catalog.nowhere", "Not there."))
    assert "nowhere" not in CliRunner().invoke(kiel_main.kiel, ["--help"]).output
    assert kiel_main.main(["nowhere"]) == 2


OUTCOMES: dict[str, tuple[BaseException | None, int]] = {
    "done": (None, 0),
    "wrong usage": (UsageError("There is no release dr9."), 2),
    "bad data": (DataError("The file ends early."), 1),
    "failed run": (RunError("The loss is not finite."), 1),
    "passing fault": (TransientError("The server is away."), 3),
    "wrong option": (click.NoSuchOption("--colour"), 2),
    "interrupted": (KeyboardInterrupt(), 130),
    "our own mistake": (ZeroDivisionError("division by zero"), 1),
}


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("as_json", [False, True], ids=["for people", "for programs"])
def test_every_outcome_has_its_exit_code_and_is_told(
    outcome: str, as_json: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error, exit_code = OUTCOMES[outcome]

    @click.command()
    @click.option("--json", "as_json", is_flag=True)
    def word(as_json: bool) -> None:
        if error is not None:
            raise error

    monkeypatch.setattr(kiel_main.Words, "get_command", lambda *_: word)
    assert kiel_main.main(["word", *(["--json"] if as_json else [])]) == exit_code
    printed = capsys.readouterr()
    if error is None:
        assert (printed.out, printed.err) == ("", "")
        return
    if isinstance(error, KielError):
        assert printed.err == f"kiel: {error}\n"
    assert ("Traceback" in printed.err) == (outcome == "our own mistake")
    if as_json:
        told = json.loads(printed.out)
        assert set(told) == {"error", "kind"}
        assert told["kind"] == ("UsageError" if exit_code == 2 else type(error).__name__)
    else:
        assert printed.out == ""


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "kiel_main", "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)


def test_db_commands_work_on_a_named_server_and_are_safe_to_repeat(empty_database: Database, tmp_path: Path) -> None:
    environment = {"KIEL_DATABASE_URL": empty_database.url, "KIEL_HOME": str(tmp_path / "home")}
    for word in ("up", "status", "upgrade", "upgrade", "check"):
        done = kiel("db", word, "--json", environment=environment)
        assert done.returncode == 0, done.stderr
        assert isinstance(json.loads(done.stdout), dict)
    refused = kiel("db", "down", "--json", environment=environment)
    assert refused.returncode == 2
    assert json.loads(refused.stdout)["kind"] == "UsageError"
    assert not (tmp_path / "home").exists()


READING = [("db", "check"), ("release", "list"), ("run", "status")]


@pytest.mark.parametrize("words", READING, ids=" ".join)
@pytest.mark.parametrize("roles", ["without roles", "with the roles of another database"])
def test_an_empty_database_says_what_to_do(words: tuple[str, ...], roles: str, empty_database: Database) -> None:
    # The roles belong to the whole server; a login of the same name as none of them stands for a server without them.
    environment = {"KIEL_DATABASE_URL": empty_database.url}
    with empty_database.connect(None) as connection:
        if roles == "without roles":
            connection.execute("DROP ROLE IF EXISTS stranger")
            connection.execute("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
            environment["KIEL_DATABASE_URL"] = make_conninfo(empty_database.url, user="stranger", password="stranger")
        else:
            connection.execute((ROOT / "sql" / "roles" / "roles.sql").read_text())
            connection.execute("DROP SCHEMA store CASCADE")
    done = kiel(*words, "--json", environment=environment)
    assert done.returncode == 1, done.stderr
    assert "kiel db upgrade" in json.loads(done.stdout)["error"]
    assert "Traceback" not in done.stderr


def test_an_upgrade_by_a_login_that_may_not_says_what_the_login_needs(empty_database: Database) -> None:
    with empty_database.connect(None) as connection:
        connection.execute("DROP ROLE IF EXISTS stranger")
        connection.execute("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
    done = kiel("db", "upgrade", environment={"KIEL_DATABASE_URL": make_conninfo(empty_database.url, user="stranger", password="stranger")})
    assert done.returncode == 1
    assert "CREATEROLE" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("dsn", ["postgresql://me:hush@[broken", "hush"], ids=["URL", "words"])
@pytest.mark.parametrize("name", ["KIEL_DATABASE_URL", "KIEL_TAP_DATABASE_URL"])
def test_a_dsn_that_cannot_be_read_is_told_without_its_password(name: str, dsn: str) -> None:
    done = kiel("db", "status", "--json", environment={"KIEL_DATABASE_URL": "postgresql://127.0.0.1:1/none", name: dsn})
    assert done.returncode == 2
    assert f"{name} cannot be read" in json.loads(done.stdout)["error"]
    assert "hush" not in done.stdout + done.stderr and "Traceback" not in done.stderr


def test_a_database_whose_name_user_and_password_have_special_characters(empty_database: Database) -> None:
    name, user, password = "sky & 'stars'", 'o"brien %', "p@ss:w/rd?#% é"
    with empty_database.connect(None, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD {}").format(sql.Identifier(user), sql.Literal(password)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        where = conninfo_to_dict(empty_database.url)
        url = f"postgresql://{quote(user, '')}:{quote(password, '')}@{where['host']}:{where['port']}/{quote(name, '')}"
        for words in (("db", "upgrade"), ("release", "add", "gaia_dr3"), ("db", "check"), ("db", "status")):
            done = kiel(*words, environment={"KIEL_DATABASE_URL": url})
            assert done.returncode == 0, done.stderr
    finally:
        with empty_database.connect(None, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(user)))


def test_a_database_that_goes_in_the_middle_is_a_passing_fault(
    database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    @click.option("--json", "as_json", is_flag=True)
    def word(as_json: bool) -> None:
        with database.connect(None) as connection, database.connect(None, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
            connection.execute("SELECT 1")

    monkeypatch.setattr(kiel_main.Words, "get_command", lambda *_: word)
    assert kiel_main.main(["word", "--json"]) == 3
    printed = capsys.readouterr()
    assert json.loads(printed.out)["kind"] == "TransientError"
    assert "same command again" in printed.err and "Traceback" not in printed.err


def test_a_server_that_is_away_is_a_passing_fault() -> None:
    done = kiel("db", "status", "--json", environment={"KIEL_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none?connect_timeout=2"})
    assert done.returncode == 3
    assert json.loads(done.stdout)["kind"] == "TransientError"


def test_kiel_test_with_arguments_runs_pytest_alone_and_its_counts_come_last(tmp_path: Path) -> None:
    (tmp_path / "test_two.py").write_text("def test_good(): pass\ndef test_bad(): assert False\n")
    done = kiel("test", "-q", "--noconftest", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(tmp_path / "test_two.py"))
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout.splitlines()[-1]
    assert "== mypy" not in done.stderr
    assert done.stderr.rstrip().endswith("failed: pytest (see above).")


def test_the_whole_suite_runs_on_workers_which_give_each_file_to_one_of_them(tmp_path: Path) -> None:
    for name in ("one", "two"):
        tests = "".join(f"def test_{number}(): print('worker', os.environ['PYTEST_XDIST_WORKER'], '{name}')\n" for number in range(4))
        (tmp_path / f"test_{name}.py").write_text(f"import os\n\n{tests}")
    done = kiel(
        "test", *kiel_main.WHOLE_SUITE, "-q", "-rP", "--noconftest", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(tmp_path)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed" in done.stdout.splitlines()[-1]
    workers = {line for line in done.stdout.splitlines() if line.startswith("worker ")}
    assert len(workers) == 2, "each file ran on one worker alone"
