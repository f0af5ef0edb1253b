"""The command ``kiel``: maps the first word to its module, which is imported only when that word is used.

So ``kiel db`` never loads torch. Errors become one sentence and an exit code here: 0 done, 1 the data or the run failed,
2 wrong usage, 3 a passing fault (try again), 130 interrupted.
"""

import importlib
import json
import logging
import os
import subprocess
import sys
import traceback

import click

from catalog.errors import KielError, UsageError
from catalog.version import ROOT, code_version

WORDS = {
    "demo": ("kiel_flows", "Everything end to end, with what it did and where to ask."),
    "test": ("kiel_main", "The checks and tests of this checkout."),
    "db": ("catalog.commands", "The database server, and the schema in it."),
    "sky": ("ingest.sky.commands", "A simulated sky with known truth."),
    "ingest": ("ingest.commands", "Survey files into tables."),
    "model": ("models.commands", "Versions of the models: train, list, show, evaluate."),
    "run": ("models.running.commands", "Model runs: create, work, publish, withdraw."),
    "release": ("catalog.release_commands", "Data releases."),
    "tap": ("tap_service.commands", "The TAP service."),
}
"""Word -> the module that holds its click command, and one sentence. A word whose module is not there is not offered."""

CHECKS = {
    "ruff check": ["-m", "ruff", "check", "."],
    "ruff format": ["-m", "ruff", "format", "--check", "--quiet", "."],
    "mypy": ["-m", "mypy"],
    "lint-imports": ["-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
    "pytest": ["-m", "pytest"],
}
WHOLE_SUITE = ["-n", "logical", "--maxprocesses", "4", "--dist", "loadfile", "--no-loadscope-reorder"]
"""How pytest runs all tests: a file on one worker, so that what a module makes is made once; tests/conftest.py orders the files."""


class Words(click.Group):
    """The words of WORDS as commands, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: D102
        return [word for word, (module, _) in WORDS.items() if _is_there(module)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: D102
        if cmd_name == "test":
            return test
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(WORDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the words with their sentences, without importing their modules."""
        with formatter.section("Commands"):
            formatter.write_dl([(word, WORDS[word][1]) for word in self.list_commands(ctx)])


def _is_there(module: str) -> bool:
    return ROOT.joinpath(*module.split(".")).with_suffix(".py").is_file()


@click.command(cls=Words, epilog="Exit codes: 0 done, 1 the data or the run failed, 2 wrong usage, 3 a passing fault: try again.")
@click.version_option(code_version(), prog_name="kiel", message="%(prog)s %(version)s")
def kiel() -> None:
    """A catalogue of stellar labels from Gaia spectra: ingest, published models, and TAP."""


@click.command("test", context_settings={"ignore_unknown_options": True})
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def test(ctx: click.Context, pytest_arguments: tuple[str, ...]) -> None:
    """Run ruff, mypy, import-linter and pytest on this checkout; with PYTEST_ARGUMENTS, pytest alone with these, in one process."""
    failed = []
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # tests run side by side with others; more threads than cores are slower
    for name, words in CHECKS.items():
        if pytest_arguments and name != "pytest":
            continue
        click.echo(f"== {name}", err=True)
        how = () if name != "pytest" else pytest_arguments or WHOLE_SUITE
        if subprocess.run([sys.executable, *words, *how], cwd=ROOT, env=environment, check=False).returncode != 0:
            failed.append(name)
    if failed:
        click.echo(f"kiel test: failed: {', '.join(failed)} (see above).", err=True)
        ctx.exit(1)


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    logging.basicConfig(level=logging.WARNING, format="kiel: %(message)s")
    try:
        code = kiel.main(arguments, prog_name="kiel", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except KielError as error:
        click.echo(f"kiel: {error}", err=True)
        return _failed(arguments, str(error), type(error).__name__, error.exit_code)
    except click.ClickException as error:
        error.show()
        return _failed(arguments, error.format_message(), UsageError.__name__, error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("kiel: interrupted.", err=True)
        return _failed(arguments, "interrupted", KeyboardInterrupt.__name__, 130)
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if (told := _database_fault(error)) is not None:
            click.echo(f"kiel: {told}", err=True)
            return _failed(arguments, str(told), type(told).__name__, told.exit_code)
        traceback.print_exc()
        return _failed(arguments, str(error), type(error).__name__, 1)


def _database_fault(error: Exception) -> KielError | None:
    from catalog.database import fault_in_words  # only now: `kiel --version` and the like load no database driver

    return fault_in_words(error)


def _failed(arguments: list[str], message: str, kind: str, exit_code: int) -> int:
    """Tells programs what went wrong, as people have been told on stderr."""
    if "--json" in arguments:
        click.echo(json.dumps({"error": message, "kind": kind}))
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
