"""kiel tap: serve the catalogue, run jobs, remove old ones, or show what a query becomes."""

import dataclasses
import errno
import json
import logging
import os
import signal
import socket
import sys
from dataclasses import asdict, replace

import click
import uvicorn
from rich.console import Console
from rich.table import Table
from rich.text import Text

from catalog.command_output import json_option, report
from catalog.database import Role
from catalog.embedded_server import open_database
from catalog.errors import TransientError, UsageError
from catalog.publish import pinned_publication
from catalog.settings import Settings, settings
from tap_service.address import TAP
from tap_service.adql import parse, translate
from tap_service.app import make_app
from tap_service.connections import Connections
from tap_service.jobs.expiry import expire as expire_jobs
from tap_service.jobs.job_table import JobTable
from tap_service.jobs.results import JobFiles
from tap_service.jobs.worker import Worker
from tap_service.jobs.worker_processes import WorkerProcesses
from tap_service.limits import Limits
from tap_service.publication_tables import TableCache

_SHUTDOWN_SECONDS = 3
"""How long running queries may go on after the service was told to stop."""


@click.group("tap")
def command() -> None:
    """The TAP service: queries in ADQL over HTTP."""


@command.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for every network.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="TCP port; 0 takes a free one.")
@click.option(
    "--workers", default=2, show_default=True, type=click.IntRange(0), help="Processes that run jobs; 0 where `kiel tap work` runs."
)
@click.option("--threads", default=4, show_default=True, type=click.IntRange(1), help="Jobs that each worker runs at the same time.")
def serve(host: str, port: int, workers: int, threads: int) -> None:
    """Serve the published catalogue until told to stop (Ctrl-C or SIGTERM)."""
    _log()
    database = open_database(settings())
    # A service without its database would listen in vain: say so now.
    database.connect(Role.TAP_SERVICE).close()
    files = JobFiles(settings().results_folder)
    files.prepare()
    proxies = settings().tap_trusted_proxies
    app = make_app(database, _limits(settings()), files, public_url=settings().public_url, trusts_proxies=bool(proxies))
    listener = _listen(host, port)
    address = f"[{host}]" if ":" in host else host
    config = uvicorn.Config(
        app,
        log_level="warning",
        server_header=False,
        access_log=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    # uvicorn hands a signal on to whoever had it before, after its own clean end; there is nothing left to do then.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    with listener, WorkerProcesses(workers, threads):
        _AnnouncingServer(config, f"http://{address}:{listener.getsockname()[1]}{TAP}").run([listener])


def _log() -> None:
    # The command line has set up logging for people at a terminal.
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)


def _limits(found: Settings) -> Limits:
    """The limits that the environment sets; defaults give way where the hard ones are lower."""
    limits = Limits()
    retention = int(found.job_retention_days * 86_400)
    return replace(
        limits,
        seconds=found.statement_timeout_seconds,
        job_seconds=min(limits.job_seconds, found.job_timeout_seconds),
        job_hard_seconds=found.job_timeout_seconds,
        retention_seconds=min(limits.retention_seconds, retention),
        retention_hard_seconds=retention,
        list_jobs=found.tap_list_jobs,
        upload_hosts=frozenset(host.strip().lower() for host in found.tap_upload_hosts.split(",") if host.strip()),
    )


class _AnnouncingServer(uvicorn.Server):
    """Says its address once it really answers there."""

    def __init__(self, config: uvicorn.Config, url: str) -> None:
        super().__init__(config)
        self._url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            click.echo(f"TAP service at {self._url}")


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens there, or a sentence why not."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    except socket.gaierror as error:
        raise UsageError(f"{host} is no address of this machine; use 127.0.0.1, or 0.0.0.0 for every network.") from error
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except PermissionError as error:
        raise UsageError(f"Port {port} may only be used by root; choose one from 1024 on with --port.") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise TransientError(
                f"Port {port} on {host} is taken by another program; stop it, or choose another with --port (0 takes a free one)."
            ) from error
        raise UsageError(f"Cannot listen on {host}, port {port}: {os.strerror(error.errno or 0)}.") from error


@command.command()
@click.option("--threads", default=4, show_default=True, type=click.IntRange(1), help="Jobs that run at the same time.")
@click.option("--until-stdin-ends", is_flag=True, help="Stop also when standard input comes to its end, as a service's own workers do.")
def work(threads: int, until_stdin_ends: bool) -> None:
    """Run asynchronous jobs until told to stop (Ctrl-C or SIGTERM): running ones go back to the queue."""
    _log()
    database = open_database(settings())
    files = JobFiles(settings().results_folder)
    files.prepare()
    worker = Worker(database, _limits(settings()), files, threads)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.run(sys.stdin.fileno() if until_stdin_ends else None)


@command.command()
@json_option
def expire(as_json: bool) -> None:
    """Remove jobs past their time of destruction, with their files, and folders that belong to no job. Workers do so every minute."""
    connections = Connections(open_database(settings()), keep=1)
    try:
        gone = expire_jobs(JobTable(connections, _limits(settings())), JobFiles(settings().results_folder))
    finally:
        connections.close()
    report(asdict(gone), f"{gone.jobs} jobs removed, and {gone.orphans} folders that belonged to no job.", as_json)


@command.command()
@click.argument("query")
@click.option("--lang", type=click.Choice(["2.0", "2.1"]), default="2.1", show_default=True, help="Version of ADQL.")
@json_option
def check(query: str, lang: str, as_json: bool) -> None:
    """Show the columns that QUERY (- for standard input) gives and the SQL that it becomes, without running it.

    A query that is wrong ends with exit code 2, its line, its column and a caret under the place.
    """
    text = sys.stdin.read() if query == "-" else query
    parse(text, lang)  # what is no ADQL is told without a database
    limits = Limits()
    with open_database(settings()).connect(Role.TAP_SERVICE, autocommit=True) as connection, pinned_publication(connection) as publication:
        table_set, _ = TableCache().table_set(connection, publication)
        translation = translate(text, table_set, lang, limits.default_rows + 1)
        statement = translation.statement.as_string(connection)
    if as_json:
        columns = [
            {name: value for name, value in dataclasses.asdict(column).items() if name != "type" and value is not None}
            for column in translation.columns
        ]
        click.echo(json.dumps({"publication": publication.serial, "columns": columns, "sql": statement}))
        return
    table = Table(title=f"Columns, publication {publication.serial}", title_justify="left")
    for heading in ("name", "type", "unit", "UCD", "description"):
        table.add_column(heading, overflow="fold")
    for column in translation.columns:
        kind = f"{column.datatype}[{column.arraysize}]" if column.arraysize else column.datatype
        kind += f" ({column.xtype})" if column.xtype else ""
        table.add_row(*map(Text, (column.name, kind, column.unit or "", column.ucd or "", column.description or "")))
    Console().print(table)
    click.echo(statement)
