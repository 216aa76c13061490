"""`mess serve`."""

from __future__ import annotations

import click

from mess_plugin.config import load_settings


@click.command()
@click.option("--listen", metavar="HOST:PORT", help="Instead of the address in the settings.")
def serve(listen: str | None) -> None:
    """Answer HTTP requests, in the foreground, until Ctrl-C.

    `mess up` does it in the background.
    """
    from mess_integrations.http.serving import serve_http  # noqa: PLC0415  not to list commands

    serve_http(load_settings(listen=listen))
