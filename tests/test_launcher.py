"""The launcher ``kiel``: tried on copies of itself with pins of their own, so that nothing is downloaded.

The copies hold a command of the test's own, which prints how it was started.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.version import ROOT

COMMAND = """
import importlib.util, json, os, sys
print(json.dumps({
    "arguments": sys.argv[1:], "python": sys.executable, "prefix": sys.prefix, "cwd": os.getcwd(),
    "tiny": importlib.util.find_spec("tiny") is not None, "main": __file__,
}))
sys.exit(7 if "--fail" in sys.argv else 0)
"""
ORDINARY_USER: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}


def make_checkout(folder: Path) -> Path:
    """A checkout with the real launcher, a command that reports, and no packages to install."""
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "kiel", folder / "kiel")
    (folder / "kiel_main.py").write_text(COMMAND)
    (folder / "requirements.txt").write_text("# none\n")
    (folder / "constraints.txt").write_text("# none\n")
    return folder


def make_wheel(folder: Path, name: str = "tiny") -> Path:
    """A package of one empty module, for pip to find without an index."""
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        wheel.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{name}-1.0.dist-info/RECORD", f"{name}.py,,\n{name}-1.0.dist-info/RECORD,,\n")
    return folder


def start(
    launcher: Path, *arguments: str, cwd: Path | str = "/", home: Path | None = None, **run: Any
) -> "subprocess.CompletedProcess[str]":
    """Starts the launcher; pip has no index here, so an attempt to download fails at once."""
    environment = {
        "PATH": os.pathsep.join([str(Path(sys._base_executable).parent), os.environ["PATH"]]),  # type: ignore[attr-defined]
        "HOME": str(home or launcher.parent), "PIP_NO_INDEX": "1", **run.pop("environment", {}),
    }  # fmt: skip
    command = [*run.pop("through", []), launcher, *arguments]
    return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=False, timeout=300, **run)


def reported(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    """What the command printed."""
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that an ordinary user may enter, unlike pytest's own when root runs the tests."""
    path = Path(tempfile.mkdtemp(prefix="kiel-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout, in a path with spaces, after its first start."""
    checkout = make_checkout(tmp_path_factory.mktemp("with spaces") / "a checkout")
    done = start(checkout / "kiel")
    assert "installing the pinned packages" in done.stderr
    assert reported(done)["prefix"] == str(checkout / ".venv")
    return checkout


def test_a_second_start_installs_nothing(installed: Path) -> None:
    stamp = (installed / ".venv" / "kiel-pins.txt").stat().st_mtime_ns
    done = start(installed / "kiel")
    assert reported(done)["prefix"] == str(installed / ".venv")
    assert done.stderr == ""
    assert (installed / ".venv" / "kiel-pins.txt").stat().st_mtime_ns == stamp


def test_arguments_exit_code_and_working_folder_are_the_callers(installed: Path, tmp_path: Path) -> None:
    done = start(installed / "kiel", "run", "two words", "*", "", "--fail", cwd=tmp_path)
    assert done.returncode == 7
    told = json.loads(done.stdout)
    assert told["arguments"] == ["run", "two words", "*", "", "--fail"]
    assert told["cwd"] == str(tmp_path)


def test_links_to_the_launcher_lead_to_its_checkout(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "absolute").symlink_to(installed / "kiel")
    (tmp_path / "relative").symlink_to("absolute")
    for link in ("absolute", "relative"):
        assert reported(start(tmp_path / link, cwd=tmp_path))["main"] == str(installed / "kiel_main.py")


def test_modules_of_the_working_folder_and_of_pythonpath_do_not_come_in(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "kiel_main.py").write_text("raise SystemExit('the wrong one')")
    done = start(installed / "kiel", cwd=tmp_path, environment={"PYTHONPATH": str(tmp_path), "PYTHONHOME": str(tmp_path)})
    assert reported(done)["main"] == str(installed / "kiel_main.py")


def test_an_installation_that_fails_is_told_and_tried_again_and_changed_pins_are_installed(installed: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(installed, checkout, symlinks=True)
    assert reported(start(checkout / "kiel"))["tiny"] is False
    (checkout / "requirements.txt").write_text("tiny\n")
    (checkout / "constraints.txt").write_text("tiny==1.0\n")
    failed = start(checkout / "kiel")
    assert failed.returncode == 3
    assert "the packages could not be installed" in failed.stderr
    assert failed.stdout == ""
    wheels = {"PIP_FIND_LINKS": str(make_wheel(tmp_path / "wheels")), "PIP_USER": "1"}
    assert reported(start(checkout / "kiel", environment=wheels))["tiny"] is True
    assert start(checkout / "kiel").stderr == ""


def test_a_checkout_that_was_moved_runs_its_own_modules(installed: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(installed, moved, symlinks=True)
    assert reported(start(moved / "kiel"))["main"] == str(moved / "kiel_main.py")


@pytest.mark.parametrize("damage", ["pip is missing", "Python is gone"])
def test_a_half_made_environment_is_made_anew(installed: Path, tmp_path: Path, damage: str) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(installed, checkout, symlinks=True)
    venv = checkout / ".venv"
    if damage == "pip is missing":
        (venv / "kiel-pins.txt").unlink()
        for pip in venv.glob("lib/*/site-packages/pip"):
            shutil.rmtree(pip)
    else:
        for python in venv.glob("bin/python*"):
            python.unlink()
            python.symlink_to("/nonexistent/python")
    assert reported(start(checkout / "kiel"))["prefix"] == str(venv)
    assert start(checkout / "kiel").stderr == ""


def test_two_first_starts_at_once_install_once(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "checkout")
    (checkout / ".venv").mkdir()  # what a start leaves that was interrupted in its first moment
    environment = {**os.environ, "PIP_NO_INDEX": "1"}
    starts = [
        subprocess.Popen([checkout / "kiel"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    told = [process.communicate(timeout=300)[1] for process in starts]
    assert [process.returncode for process in starts] == [0, 0], told
    assert sum("installing the pinned packages" in text for text in told) == 1


def test_an_ordinary_user_works_in_a_checkout_that_is_read_only_to_him(open_folder: Path) -> None:
    home = open_folder / "home"
    home.mkdir()
    checkout = make_checkout(open_folder / "read only")
    checkout.chmod(0o555)
    if ORDINARY_USER:
        os.chown(home, ORDINARY_USER["user"], ORDINARY_USER["group"])
    for attempt in ("first", "second"):
        done = start(checkout / "kiel", home=home, environment={"PATH": os.environ["PATH"]}, **ORDINARY_USER)
        if "could not make a virtual environment" in done.stderr or "needs Python 3.11" in done.stderr:
            pytest.skip(f"needs a Python with venv that an ordinary user may run: {done.stderr.strip().splitlines()[-1]}")
        assert Path(reported(done)["prefix"]).is_relative_to(home / ".cache" / "kiel")
        assert ("installing" in done.stderr) == (attempt == "first")


def test_a_named_environment_is_used_and_a_folder_of_something_else_is_left_alone(installed: Path, tmp_path: Path) -> None:
    shutil.copytree(installed / ".venv", tmp_path / "named", symlinks=True)
    done = start(installed / "kiel", environment={"KIEL_VENV": str(tmp_path / "named")})
    assert reported(done)["prefix"] == str(tmp_path / "named")
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis").write_text("x")
    refused = start(installed / "kiel", environment={"KIEL_VENV": str(tmp_path / "precious")})
    assert refused.returncode == 2
    assert "holds something else" in refused.stderr
    assert [path.name for path in (tmp_path / "precious").iterdir()] == ["thesis"]


def test_a_machine_without_a_new_enough_python_is_told_what_to_install(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "checkout")
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("sh", "cat", "dirname", "readlink", "mkdir", "ls", "rm"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    (tools / "python3").write_text("#!/bin/sh\nexit 1\n")  # as Python 3.10 answers the question for its version
    (tools / "python3").chmod(0o755)
    for environment, sentence in (
        ({"PATH": str(tools)}, "needs Python 3.11 or newer and found none"),
        ({"PATH": str(tools), "KIEL_PYTHON": str(tools / "python3")}, "is no Python 3.11 or newer"),
    ):
        done = start(checkout / "kiel", environment=environment)
        assert (done.returncode, done.stdout) == (2, "")
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert not (checkout / ".venv").exists()


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root and unshare, to hide Python's ensurepip")
def test_a_python_without_venv_is_told_what_to_install(tmp_path: Path) -> None:
    import ensurepip

    checkout = make_checkout(tmp_path / "checkout")
    hide = f"mount -t tmpfs none '{Path(ensurepip.__file__).parent}'; exec \"$@\""
    done = start(checkout / "kiel", through=["unshare", "--mount", "sh", "-ec", hide, "sh"])
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"needs the right to mount: {done.stderr.strip()}")
    assert done.returncode == 1
    assert "install the package python3-venv" in done.stderr.splitlines()[-1]
