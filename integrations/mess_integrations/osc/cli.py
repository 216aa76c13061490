"""`mess osc`."""

from __future__ import annotations

import asyncio

import click

from mess_integrations.osc.server import serve
from mess_plugin.cli.output import say
from mess_plugin.config import load_settings
from mess_plugin.readiness import announce_ready
from mess_plugin.services import connected
from mess_plugin.store import open_store


@click.command()
@click.option("--host", metavar="ADDRESS", help="Where to listen (default: 127.0.0.1).")
@click.option("--port", type=int, metavar="N", help="UDP and TCP port (default: 7770).")
@click.option(
    "--reply-port", type=int, metavar="N", help="Answer there, not at the port asked from."
)
@click.option("--announce", is_flag=True, default=None, help="Be found by zeroconf and OSCQuery.")
def osc(host: str | None, port: int | None, reply_port: int | None, announce: bool | None) -> None:
    """Answer lookups of DAWs over Open Sound Control, until interrupted."""
    settings = load_settings(
        osc_host=host, osc_port=port, osc_reply_port=reply_port, osc_announce=announce
    )
    with connected(settings) as ready:
        with open_store(ready.database_url or ""):
            pass  # the schema is brought up to date before anybody asks
        asyncio.run(serve(ready, _say_where))


def _say_where(host: str, port: int) -> None:
    announce_ready(f"{host}:{port} (UDP and TCP)")
    say(f"listening at {host}:{port} (UDP and TCP); Ctrl-C ends it")
