"""Whether a request comes from our own page: the Host header, and what browsers say of the origin.

A foreign page can make a browser send requests here, with the cookie where both are one site (another
port of the same host is), and can point a name of its own at this machine, after which the browser
takes both for one origin.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from mess_plugin.config import Settings

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Origins:
    """The names that this service goes by: addresses, localhost, this host, the setting `hosts`."""

    def __init__(self, settings: Settings) -> None:
        listening = settings.listen.rpartition(":")[0].strip("[]")
        own = {"localhost", socket.gethostname(), listening, *settings.hosts}
        self._names = frozenset(name.casefold().rstrip(".") for name in own if name)

    def is_ours(self, host: str) -> bool:
        """Whether a Host header names this service. An address cannot be pointed elsewhere."""
        name = _name(host)
        return _is_address(name) or name in self._names or name.endswith(".localhost")

    def is_same(self, method: str, headers: Mapping[str, str]) -> bool:
        """Whether a request that has the cookie was made by our page, or typed by a person.

        Browsers say so themselves on secure origins and on loopback; elsewhere reading is left to
        the cookie, which goes to no other site, and changes need our own Origin.
        """
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site == "same-origin" or (site == "none" and method in _SAFE)
        origin = headers.get("origin")
        if origin is None:
            return method in _SAFE
        return urlsplit(origin).netloc.casefold() == headers.get("host", "").casefold()


def _name(host: str) -> str:
    name = host.partition("]")[0][1:] if host.startswith("[") else host.partition(":")[0]
    return name.casefold().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
