"""What clients and the supervisor say to each other: one line of JSON each way, on a Unix socket.

    {"ask": "lease", "broker": bool}       -> {"database_url": text, "broker_url": text | null}
    {"ask": "up", "programs": [...]}       -> the same, once the home is pinned and its programs run
    {"ask": "down"}                        -> nothing: the connection ends when everything has ended
    a request that cannot be granted       -> {"error": [service, reason]}

A lease is the open connection itself. The kernel closes it when its holder ends, however it ends,
so there is nothing to clean up, nothing to poll, and an idle disk sleeps on. (A lock on a file
would need both a poll and a second channel for answers and errors.)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

LONGEST_LINE_BYTES = 2**20


def encode(message: Mapping[str, Any]) -> bytes:
    """One message as a line."""
    return json.dumps(message).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """Return the message in a line; ValueError when it is none."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError(f"not a message: {line[:80]!r}")  # noqa: TRY004 - as for all bad JSON
    return message
