"""`mess osc`."""

from __future__ import annotations

import asyncio
import shutil
from importlib.resources import as_file, files
from pathlib import Path

import click

from mess_integrations.osc.server import serve
from mess_plugin.cli.output import say
from mess_plugin.cli.shared_options import grouped
from mess_plugin.config import load_settings
from mess_plugin.errors import UsageError
from mess_plugin.readiness import announce_ready
from mess_plugin.services import connected
from mess_plugin.store import open_store

DOCS = "docs/osc.md"
_CLIENT_FILES = {".lua", ".pd", ".py", ".scd"}


@click.group(invoke_without_command=True)
@click.option("--host", metavar="ADDRESS", help="Where to listen (default: 127.0.0.1).")
@click.option("--port", type=int, metavar="N", help="UDP and TCP port (default: 7770).")
@click.option(
    "--reply-port", type=int, metavar="N", help="Answer there, not at the port asked from."
)
@click.option("--announce", is_flag=True, default=None, help="Be found by zeroconf and OSCQuery.")
@click.pass_context
def osc(
    context: click.Context,
    host: str | None,
    port: int | None,
    reply_port: int | None,
    announce: bool | None,
) -> None:
    """Answer lookups of DAWs over Open Sound Control, until interrupted."""
    if context.invoked_subcommand is not None:
        return
    settings = load_settings(
        osc_host=host, osc_port=port, osc_reply_port=reply_port, osc_announce=announce
    )
    with connected(settings) as ready:
        with open_store(ready.database_url or ""):
            pass  # the schema is brought up to date before anybody asks
        asyncio.run(serve(ready, _say_where))


@osc.command()
@grouped(
    "",
    "-o",
    "--out",
    "folder",
    old=("--to",),
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="FOLDER",
    help="Where to write them.",
)
def clients(folder: Path) -> None:
    """Write out the clients for REAPER, Live, SuperCollider, Pure Data and Ardour.

    Files of the same names are replaced.
    """
    try:
        written = write_clients(folder)
    except OSError as error:
        raise UsageError(f"cannot write into {folder}: {error.strerror or error}") from error
    for path in written:
        click.echo(path)
    say(f"how to use them: {DOCS}")


def write_clients(folder: Path) -> list[Path]:
    """Copy the clients, a folder for each program; the paths of the copies. Raises OSError."""
    written = []
    with as_file(files("mess_integrations.osc") / "clients") as source:
        for path in sorted(source.rglob("*")):
            if path.is_file() and path.suffix in _CLIENT_FILES:
                copy = folder / path.relative_to(source)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
                written.append(copy)
    return written


def _say_where(host: str, port: int) -> None:
    announce_ready(f"{host}:{port} (UDP and TCP)")
    say(f"listening at {host}:{port} (UDP and TCP); Ctrl-C ends it")
