"""`mess doctor jellyfin`: whether Jellyfin is linked and known, and whether mixes are MESS's own."""

from __future__ import annotations

from collections.abc import Iterator

import click
import msgspec

from mess_integrations.jellyfin.accounts import JellyfinLink, load
from mess_integrations.jellyfin.client import authorization
from mess_integrations.jellyfin.upstream import ClientRequest, Upstream
from mess_plugin.cli.doctor import Check, print_checks
from mess_plugin.cli.output import json_option
from mess_plugin.config import Settings, load_settings
from mess_plugin.errors import MessError
from mess_plugin.services import connected
from mess_plugin.store import Store, open_store

_SIZE = 20


@click.command("jellyfin")
@click.argument("url", required=False)
@json_option
def jellyfin_doctor(url: str | None, as_json: bool) -> None:
    """Check the map of Jellyfin's items, and ask for a mix at URL as a client does.

    URL is the address that clients use: that of your reverse proxy.
    """
    print_checks(_checks(load_settings(), url), as_json=as_json)


def _checks(settings: Settings, url: str | None) -> Iterator[Check]:
    try:
        links = load(settings.home)
    except MessError as error:
        yield Check("linked", False, str(error))
        return
    yield Check("linked", True, ", ".join(link.address for link in links))
    try:
        with connected(settings) as ready, open_store(ready.database_url or "") as store:
            for server in dict.fromkeys(link.server for link in links):
                yield _items(store, next(link for link in links if link.server == server))
            yield from _mix(store, settings, links, url)
    except MessError as error:
        yield Check("database", False, str(error))


def _items(store: Store, link: JellyfinLink) -> Check:
    known = store.hosts.items(link.server)
    n_tracks = sum(one.track_id is not None for one in known)
    told = f"{n_tracks} of {len(known)} items of Jellyfin are tracks"
    if n_tracks:
        return Check("items", True, told)
    return Check("items", False, f"{told}: run `mess jellyfin sync`, which says why")


def _mix(
    store: Store, settings: Settings, links: tuple[JellyfinLink, ...], url: str | None
) -> Iterator[Check]:
    if settings.instant_mix is None:
        yield Check("mix", None, "off: set `instant_mix` to Jellyfin's address (docs/jellyfin.md)")
        return
    if url is None:
        yield Check("mix", None, "not asked for: give the address that clients use")
        return
    for link in links:
        known = [one for one in store.hosts.items(link.server) if one.track_id is not None]
        if known:
            yield _ask(url, link, known[len(known) // 2].item.id, known[len(known) // 2].item.name)
            return
    yield Check("mix", False, "no item to ask with: run `mess jellyfin sync`")


def _ask(url: str, link: JellyfinLink, item: str, name: str) -> Check:
    """Ask for a mix as the linked user, at the address that clients use."""
    label = f"mix through {url}"
    headers = (("Authorization", authorization(link.device_id, link.token)),)
    query = (("userId", link.user_id), ("limit", str(_SIZE)))
    asked = ClientRequest(f"/Items/{item}/InstantMix", query, headers)
    proxy = Upstream(url)
    try:
        answer = proxy.pass_on(asked)
    except MessError as error:
        return Check(label, False, str(error))
    finally:
        proxy.close()
    if answer.status != 200:
        return Check(label, False, f"answered {answer.status} for {name}: see Jellyfin's log")
    who = answer.header("X-MESS")
    if who is None:
        why = "it is Jellyfin's: the proxy's rule does not send it to MESS, or MESS is down"
        return Check(label, False, why)
    if who != "mix":
        return Check(label, False, f"MESS {who}")
    n = len(msgspec.json.decode(answer.body)["Items"])
    return Check(label, True, f"it is MESS's own ({n} tracks like {name})")
