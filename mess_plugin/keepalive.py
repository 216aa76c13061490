"""How soon a connection that went silent counts as gone, on every kind of connection.

A cable that is pulled, a firewall that forgets or a machine that freezes ends no connection: nothing
more arrives, and the system would wait for two hours (idle) or fifteen minutes (sending) before it
says so. Nothing here touches Unix sockets.
"""

from __future__ import annotations

import socket

SILENT_S = 60
"""A peer that is not heard of for so long is gone."""

_IDLE_S, _INTERVAL_S, _COUNT = SILENT_S // 2, SILENT_S // 6, 3

LIBPQ = {
    "keepalives": 1,
    "keepalives_idle": _IDLE_S,
    "keepalives_interval": _INTERVAL_S,
    "keepalives_count": _COUNT,
    "tcp_user_timeout": SILENT_S * 1000,
}
"""For a connection to Postgres."""

POSTGRES = {
    "tcp_keepalives_idle": str(_IDLE_S),
    "tcp_keepalives_interval": str(_INTERVAL_S),
    "tcp_keepalives_count": str(_COUNT),
    "tcp_user_timeout": str(SILENT_S * 1000),
}
"""For the server's end of a session: so do the locks of a machine go that has vanished."""


def socket_options() -> dict[int, int]:
    """Options of the level IPPROTO_TCP, as far as this system has them, beside SO_KEEPALIVE."""
    wanted = {
        "TCP_KEEPIDLE": _IDLE_S,
        "TCP_KEEPALIVE": _IDLE_S,  # what macOS calls it
        "TCP_KEEPINTVL": _INTERVAL_S,
        "TCP_KEEPCNT": _COUNT,
        "TCP_USER_TIMEOUT": SILENT_S * 1000,
    }
    return {getattr(socket, name): value for name, value in wanted.items() if hasattr(socket, name)}
