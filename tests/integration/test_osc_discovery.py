"""The server can be found: by zeroconf on this machine, and read by OSCQuery."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from mess_integrations.osc import requests
from mess_integrations.osc.discovery import announced, find, tree
from mess_integrations.osc.wire import Argument, Message


def _get(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return json.loads(answer.read() or b"null")


def test_the_tree_holds_every_address_with_its_types() -> None:
    root = tree()
    for address, (types, description) in requests.ADDRESSES.items():
        node = find(root, address)
        assert node is not None
        assert (node["FULL_PATH"], node["TYPE"]) == (address, types)
        assert node["DESCRIPTION"] == description
    assert find(root, "/mess/nothing") is None


def test_the_stated_types_are_those_that_are_read() -> None:
    sample: dict[str, Argument] = {"s": "f32le", "i": 4096, "f": 1.0, "b": b"x"}
    for address, (types, _) in requests.ADDRESSES.items():
        values = [sample[tag] for tag in types]
        if address == "/mess/lookup/begin":
            values[2] = 2
        if address == "/mess/subscribe":
            values[0] = 1
        requests.parse(Message(address, tuple(values)))


def test_it_is_found_and_read() -> None:
    async def look() -> tuple[AsyncServiceInfo, AsyncServiceInfo, int]:
        async with announced("127.0.0.1", 7777) as http_port:
            browser = AsyncZeroconf(interfaces=["127.0.0.1"])
            osc = AsyncServiceInfo("_osc._udp.local.", "MESS 7777._osc._udp.local.")
            query = AsyncServiceInfo("_oscjson._tcp.local.", "MESS 7777._oscjson._tcp.local.")
            assert await osc.async_request(browser.zeroconf, 5000)
            assert await query.async_request(browser.zeroconf, 5000)
            await browser.async_close()
            about = await asyncio.to_thread(_get, http_port, "/?HOST_INFO")
            assert about["OSC_PORT"] == 7777
            whole = await asyncio.to_thread(_get, http_port, "/")
            assert whole == tree()
            types = await asyncio.to_thread(_get, http_port, "/mess/lookup/file?TYPE")
            assert types == {"TYPE": "ssff"}
            with pytest.raises(urllib.error.HTTPError, match="404"):
                await asyncio.to_thread(_get, http_port, "/nothing")
            return osc, query, http_port

    osc, query, http_port = asyncio.run(look())
    assert (osc.port, query.port) == (7777, http_port)
    assert osc.parsed_addresses() == ["127.0.0.1"]
