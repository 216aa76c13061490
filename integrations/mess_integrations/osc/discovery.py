"""Being found: zeroconf says where the server is, OSCQuery says which addresses it has.

OSCQuery is a JSON document over HTTP (https://github.com/Vidvox/OSCQueryProposal). It says nothing
about the library and needs no secret. zeroconf comes with the extra `osc-discovery`.
"""

from __future__ import annotations

import ipaddress
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from mess_integrations.osc.requests import ADDRESSES
from mess_plugin.errors import UsageError

_WRITE_ONLY = 2
_NAME = "MESS"
Node = dict[str, Any]


def tree() -> Node:
    """The addresses that are listened to, as OSCQuery's nodes."""
    root: Node = {"FULL_PATH": "/", "ACCESS": 0, "CONTENTS": {}}
    for address, (types, description) in ADDRESSES.items():
        node = root
        for depth, part in enumerate(parts := address.strip("/").split("/"), start=1):
            path = "/" + "/".join(parts[:depth])
            contents = node.setdefault("CONTENTS", {})
            node = contents.setdefault(part, {"FULL_PATH": path, "ACCESS": 0})
        node |= {"ACCESS": _WRITE_ONLY, "TYPE": types, "DESCRIPTION": description}
    return root


def find(root: Node, path: str) -> Node | None:
    """The node of an address, None where there is none."""
    node = root
    for part in path.strip("/").split("/") if path.strip("/") else ():
        if part not in node.get("CONTENTS", {}):
            return None
        node = node["CONTENTS"][part]
    return node


@asynccontextmanager
async def announced(host: str, port: int) -> AsyncIterator[int]:
    """Be found at an IPv4 address while inside; gives the HTTP port of OSCQuery.

    An address of 0.0.0.0 stands for all but loopback; a single one is announced there only.

    Raises UsageError where zeroconf is not installed or finds no network.
    """
    try:
        from ifaddr import get_adapters  # noqa: PLC0415  zeroconf's own dependency
        from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(
            "announcing needs zeroconf: pip install 'mess-plugin[osc-discovery]'"
        ) from error
    own = [host]
    if ipaddress.ip_address(host).is_unspecified:
        found_here = [ip for adapter in get_adapters() for ip in adapter.ips if ip.is_IPv4]
        own = [str(ip.ip) for ip in found_here if ip.ip != "127.0.0.1"]
    try:
        http = _http_server(host, port)
    except OSError as error:
        raise UsageError(f"announcing works at IPv4 addresses, not at {host}") from error
    services = [("_osc._udp", port), ("_osc._tcp", port), ("_oscjson._tcp", http.server_port)]
    try:
        found = AsyncZeroconf(interfaces=own)
    except OSError as error:
        http.server_close()
        raise UsageError(f"cannot announce on {host}: {error.strerror}") from error
    threading.Thread(target=http.serve_forever, name="oscquery", daemon=True).start()
    try:
        for kind, its_port in services:
            name = f"{_NAME} {port}.{kind}.local."
            info = AsyncServiceInfo(
                f"{kind}.local.", name, port=its_port, parsed_addresses=own, server="mess.local."
            )
            await found.async_register_service(info, allow_name_change=True)
        yield http.server_port
    finally:
        await found.async_close()
        http.shutdown()
        http.server_close()


def _http_server(host: str, port: int) -> ThreadingHTTPServer:
    root = tree()
    about = {
        "NAME": _NAME,
        "OSC_PORT": port,
        "OSC_TRANSPORT": "UDP",
        "EXTENSIONS": {"ACCESS": True, "TYPE": True, "DESCRIPTION": True, "VALUE": False},
    }

    class Handler(BaseHTTPRequestHandler):
        """One GET."""

        timeout = 5.0

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            node = find(root, unquote(asked.path))
            if asked.query == "HOST_INFO":
                self._answer(200, about)
            elif node is None:
                self._answer(404, {})
            elif asked.query and asked.query not in node:
                self._answer(204, None)
            else:
                self._answer(200, {asked.query: node[asked.query]} if asked.query else node)

        def _answer(self, code: int, document: object) -> None:
            body = b"" if document is None else json.dumps(document).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
            """Say nothing."""

    return ThreadingHTTPServer((host, 0), Handler)
