"""`mess open` and `mess sessions`."""

from __future__ import annotations

import datetime
import webbrowser

import click

from mess_integrations.web.sessions import Sessions
from mess_plugin.cli.output import print_json, print_table, say, table_options
from mess_plugin.config import Settings, load_settings
from mess_plugin.errors import ServiceError

_ANY = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  what is listened at, not listened here


@click.command(name="open")
@click.option("--print", "print_only", is_flag=True, help="Print the link; open no browser.")
@click.option("--url", metavar="URL", help="Where the page is, behind a reverse proxy.")
def open_page(print_only: bool, url: str | None) -> None:
    """Open the web page in the browser, signed in.

    The link works once, within ten minutes, in any browser that reaches this machine.
    """
    settings = load_settings()
    if url is None and not _answers(page_address(settings)):
        raise ServiceError(
            "http",
            f"nothing answers at {page_address(settings)}: `mess up` or `mess serve` starts it",
        )
    link = link_to(settings, url)
    say(link)
    if not print_only and not webbrowser.open(link):
        say("no browser could be started here: open this link in one")


def _answers(address: str) -> bool:
    """Whether the service is there; one that was just started gets a moment."""
    from urllib3 import PoolManager, Retry  # noqa: PLC0415  not to list commands
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    patience = Retry(total=6, backoff_factor=0.1)
    try:
        PoolManager(retries=patience, timeout=2.0).request("GET", f"{address}/healthz")
    except HTTPError:
        return False
    return True


def link_to(settings: Settings, url: str | None = None) -> str:
    """A link that signs one browser in. The code follows `#`, so no server's log holds it."""
    base = (url or page_address(settings)).rstrip("/")
    return f"{base}/#/in/{Sessions(settings.home).make_link()}"


def page_address(settings: Settings) -> str:
    """Where a browser on this machine finds the page."""
    host, _, port = settings.listen.rpartition(":")
    return f"http://{_ANY.get(host.strip('[]'), host)}:{port}"


def greet(settings: Settings) -> str:
    """What `mess up` says of the page."""
    return f"the page: {link_to(settings)} (once, within ten minutes; later: `mess open`)"


@click.command()
@click.option("--end", metavar="NAME", help="Sign this browser out; `all` for every one.")
@table_options
def sessions(end: str | None, as_json: bool) -> None:
    """List the browsers that are signed in to the web page, and sign them out."""
    known = Sessions(load_settings().home)
    if end is not None:
        ended = known.end(end)
        if as_json:
            print_json({"ended": [one.name for one in ended]})
        else:
            say(f"{len(ended)} signed out")
        return
    found = known.all()
    if as_json:
        print_json(
            [
                {
                    "name": one.name,
                    "browser": one.browser,
                    "since": _moment(one.made_at).isoformat(),
                    "last_used": _moment(one.seen_at).isoformat(),
                }
                for one in found
            ]
        )
    elif found:
        minute = "%Y-%m-%d %H:%M"
        rows = [
            [
                one.name,
                *(f"{_moment(at):{minute}}" for at in (one.made_at, one.seen_at)),
                one.browser,
            ]
            for one in found
        ]
        print_table(["session", "since", "last used", "browser"], rows)
    else:
        say("no browser is signed in: `mess open`")


def _moment(at_s: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at_s, datetime.UTC)
