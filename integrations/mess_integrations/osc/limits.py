"""How much one address may ask for: token buckets, and tables that cannot grow without end."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Table(Generic[K, V]):
    """A mapping that forgets what was not used for longest when it is full, and what is too old."""

    def __init__(self, most: int, lifetime_s: float = float("inf")) -> None:
        self._most = most
        self._lifetime_s = lifetime_s
        self._values: OrderedDict[K, tuple[float, V]] = OrderedDict()

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


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class Allowance:
    """So many a second for each address, and so many at once after a pause."""

    def __init__(self, per_second: float, at_once: int, *, addresses: int = 1024) -> None:
        self._per_second = per_second
        self._at_once = at_once
        self._buckets: Table[str, _Bucket] = Table(addresses)

    def take(self, address: str) -> bool:
        """Use one up; False where none is left."""
        now = time.monotonic()
        bucket = self._buckets.get(address)
        if bucket is None:
            bucket = _Bucket(float(self._at_once), now)
            self._buckets.put(address, bucket)
        gained = (now - bucket.filled_at) * self._per_second
        bucket.tokens = min(self._at_once, bucket.tokens + gained)
        bucket.filled_at = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True
