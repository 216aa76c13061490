"""How often a client may ask: token buckets, and tables that cannot grow without end.

HTTP and OSC share both.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_MOST_CLIENTS = 4096
_V6_NETWORK_BITS = 64  # the smallest network that one customer is given


class ExpiringTable(Generic[K, V]):
    """A mapping that drops its least recently used entry when full, and entries that are too old."""

    def __init__(self, most: int, lifetime_s: float = float("inf")) -> None:
        self._most = most
        self._lifetime_s = lifetime_s
        self._values: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        """How many entries there are, expired ones that nobody asked for included."""
        return len(self._values)

    def get(self, key: K) -> V | None:
        """The value, None where there is none (any more)."""
        found = self._values.get(key)
        if found is None:
            return None
        if time.monotonic() - found[0] > self._lifetime_s:
            del self._values[key]
            return None
        self._values.move_to_end(key)
        return found[1]

    def put(self, key: K, value: V) -> None:
        """Set a value; its time starts anew."""
        self._values[key] = (time.monotonic(), value)
        self._values.move_to_end(key)
        while len(self._values) > self._most:
            self._values.popitem(last=False)

    def drop(self, key: K) -> V | None:
        """Remove and return a value, None where there is none."""
        found = self._values.pop(key, None)
        return found[1] if found else None

    def values(self) -> list[V]:
        """All that are not too old."""
        oldest = time.monotonic() - self._lifetime_s
        return [value for at, value in self._values.values() if at >= oldest]

    def live_keys(self) -> list[K]:
        """The keys of all that are not too old."""
        oldest = time.monotonic() - self._lifetime_s
        return [key for key, (at, _) in self._values.items() if at >= oldest]

    def expire(self) -> None:
        """Remove what is too old."""
        kept = set(self.live_keys())
        for key in [key for key in self._values if key not in kept]:
            del self._values[key]


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at_s: float


class RateLimit:
    """A token bucket a client: rate_hz on average, `burst` at once after a pause."""

    def __init__(self, rate_hz: float, burst: float, *, most_clients: int = _MOST_CLIENTS) -> None:
        self._rate_hz = rate_hz
        self._burst = burst
        self._buckets: ExpiringTable[Hashable, _Bucket] = ExpiringTable(most_clients)

    def admits(self, client: Hashable, *, cost: float = 1.0, now_s: float | None = None) -> bool:
        """Take `cost` tokens (at most `burst`); False, and none taken, where there are too few.

        now_s: a monotonic time, by default that of the clock.
        """
        now_s = time.monotonic() if now_s is None else now_s
        bucket = self._buckets.get(client)
        if bucket is None:
            bucket = _Bucket(self._burst, now_s)
            self._buckets.put(client, bucket)
        gained = (now_s - bucket.filled_at_s) * self._rate_hz
        bucket.tokens = min(self._burst, bucket.tokens + gained)
        bucket.filled_at_s = now_s
        if bucket.tokens < cost:
            return False
        bucket.tokens -= cost
        return True

    def forgive(self, client: Hashable) -> None:
        """Give a client its full burst again."""
        self._buckets.drop(client)


def client_of(host: str) -> str:
    """Whom an address belongs to: an IPv4 address, or the /64 network of an IPv6 one.

    Whoever has one IPv6 address has 2^64, so a limit by address would be none. Text that is no
    address is returned as it is.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), _V6_NETWORK_BITS), strict=False))
