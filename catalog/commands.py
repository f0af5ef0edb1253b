"""The commands ``kiel db``: the embedded server or the one that KIEL_DATABASE_URL names, and the schema in it."""

from dataclasses import asdict

import click
from psycopg.conninfo import conninfo_to_dict

from catalog.command_output import json_option, report
from catalog.database import Database
from catalog.embedded_server import EmbeddedServer, embedded_server, open_database
from catalog.errors import UsageError
from catalog.settings import settings


@click.group("db")
def command() -> None:
    """The database: the embedded PostgreSQL server, or the one that KIEL_DATABASE_URL names."""


@command.command()
@json_option
def up(as_json: bool) -> None:
    """Start the embedded server; it runs on after this command."""
    if settings().database_url:
        _report_named_server(open_database(settings()), as_json)
        return
    server = embedded_server(settings())
    server.up()
    _report_embedded_server(server, as_json)


@command.command()
@json_option
def down(as_json: bool) -> None:
    """Stop the embedded server cleanly; its data stay."""
    if settings().database_url:
        raise UsageError("KIEL_DATABASE_URL names a server that kiel does not run; stop it where it is run, or unset the variable.")
    server = embedded_server(settings())
    stopped = server.down()
    report(
        {"stopped": stopped, "data": server.data},
        f"The server has stopped; its data stay in {server.data}." if stopped else "The server does not run.",
        as_json,
    )


@command.command()
@json_option
def status(as_json: bool) -> None:
    """Tell whether the server runs, and where."""
    if settings().database_url:
        _report_named_server(open_database(settings()), as_json)
    else:
        _report_embedded_server(embedded_server(settings()), as_json)


@command.command()
@json_option
def upgrade(as_json: bool) -> None:
    """Make or bring up to date roles, tables, functions and views."""
    from catalog import migrate  # alembic takes half a second, which up, down and status do not need

    revision = migrate.upgrade(open_database(settings()))
    report({"revision": revision}, f"The database is at revision {revision}.", as_json)


@command.command()
@json_option
def check(as_json: bool) -> None:
    """Compare the tables with their descriptions."""
    from catalog import migrate

    database = open_database(settings())
    migrate.check(database)
    revision = migrate.current_revision(database)
    report({"revision": revision, "agrees": True}, f"The tables are as they are described, at revision {revision}.", as_json)


def _report_embedded_server(server: EmbeddedServer, as_json: bool) -> None:
    found = server.status()
    if found.running:
        sentence = f"PostgreSQL {found.version} runs on 127.0.0.1, port {found.port} (process {found.pid}); its data are in {found.data}."
    elif found.data.exists():
        sentence = f"The server does not run; its data are in {found.data}. Start it with `kiel db up`."
    else:
        sentence = f"There is no server yet; `kiel db up` makes one in {found.data.parent}."
    report({"embedded": True, **asdict(found)}, sentence, as_json)


def _report_named_server(database: Database, as_json: bool) -> None:
    """Connects to the server of KIEL_DATABASE_URL, which is the only way to know whether it runs."""
    with database.connect(None) as connection:
        version = connection.info.parameter_status("server_version")
        where = {"host": connection.info.host, "port": connection.info.port, "database": connection.info.dbname}
    user = conninfo_to_dict(database.url).get("user")
    sentence = f"PostgreSQL {version} of KIEL_DATABASE_URL answers on {where['host']}, port {where['port']}, database {where['database']}."
    report({"embedded": False, "running": True, "version": version, **where, "user": user}, sentence, as_json)
