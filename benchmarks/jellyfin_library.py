"""A Jellyfin of 100,000 tracks: reading the list, reading it cut short, and finding what changed.

    python -m benchmarks.jellyfin_library [--items 100000] [--url postgresql://…]

The tests' own Jellyfin serves made-up items over real HTTP; the library knows as many files. Measured
are the CPU seconds of MESS's thread (the server runs in another one), the wall clock, requests, and the
peak memory of the process, the server's items included. Then the server fails now and then, refuses
large pages, and the reading is cut short half-way: it must go on and end with the same matches. Exits
with 1 where it does not.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psycopg

from mess_integrations.jellyfin.accounts import JellyfinLink
from mess_integrations.jellyfin.api import JellyfinAccount, JellyfinApi
from mess_integrations.jellyfin.client import JellyfinClient, RetryPolicy
from mess_integrations.jellyfin.sync import SyncReport, refresh_items, rematch, sync
from mess_plugin.embedded import down, lease
from mess_plugin.store import Store, open_store
from tests.jellyfin_contract import Unjudged
from tests.jellyfin_host import SERVER, USER, FakeJellyfin, item_id, serving

T = TypeVar("T")

_FILES = """
WITH made AS (
    INSERT INTO tracks (identity, duration_s)
    SELECT 'made-up ' || n, 180 + n %% 60 FROM generate_series(1, %(n)s) AS n
    RETURNING id, identity
)
INSERT INTO files (path, size_bytes, mtime_ns, track_id)
SELECT convert_to(format('/music/%%s/%%s.flac', substring(identity FROM 9)::int / 12,
    substring(identity FROM 9)), 'UTF8'), 1, 1, id FROM made
"""


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--url", help="an empty database instead of the embedded one")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if asked.url:
            run(asked.url, asked.items)
            return
        with lease(Path(folder), timeout_s=120) as held:
            run(held.endpoints.database_url, asked.items)
        down(Path(folder))


def run(url: str, n: int) -> None:
    """All measurements."""
    fake = FakeJellyfin(Unjudged("12.0.0"))
    for number in range(1, n + 1):
        path = f"/media/{number // 12}/{number}.flac"
        fake.add(number, f"Song {number}", path, 180.0 + number % 60)
    with open_store(url), psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_FILES.encode(), {"n": n})
    with serving(fake), open_store(url) as store:
        account = _account(fake)
        whole = measured("read the whole list", fake, lambda: sync(store, (account,)))
        again = measured("read it again", fake, lambda: sync(store, (account,)))
        measured("match it without reading", fake, lambda: rematch(store, account.link))
        some = [item_id(number) for number in range(1, 101)]
        measured("look at 100 items", fake, lambda: refresh_items(store, (account,), some))
        broken = measured("read it cut short and failing", fake, lambda: stumbling(store, fake, n))
        wanted = {"path": n}
        if not whole.matched == again.matched == broken.matched == wanted:
            sys.exit(f"wanted {wanted}: {whole.matched}, {again.matched}, {broken.matched}")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this process, server and its items included: {peak_mb:.0f} MB")


def stumbling(store: Store, fake: FakeJellyfin, n: int) -> SyncReport:
    """A server that gives small pages only and fails every 40th request; a reading that dies."""
    account = _account(fake)
    fake.largest_page = 200

    def trouble(count: int) -> None:
        if len(fake.requests) % 40 == 0:
            fake.failures = [503, 429]
        if count > n / 2:
            raise KeyboardInterrupt

    try:
        sync(store, (account,), fresh=True, progress=trouble)
    except KeyboardInterrupt:
        pass
    else:
        sys.exit("the reading was not cut short")
    first = len(fake.requests)
    report = sync(store, (account,))
    starts = [int(q["startIndex"][0]) for _, _, q in fake.requests[first:] if "startIndex" in q]
    if starts[0] < n / 2 - 1000:
        sys.exit(f"it began anew, at {starts[0]}")
    return report


def measured(name: str, fake: FakeJellyfin, work: Callable[[], T]) -> T:
    """Run and print."""
    fake.requests.clear()
    began_s, cpu_s = time.perf_counter(), time.thread_time()
    result = work()
    cpu_s, wall_s = time.thread_time() - cpu_s, time.perf_counter() - began_s
    print(f"{name:32} {cpu_s:6.1f} s CPU  {wall_s:6.1f} s wall  {len(fake.requests):5} requests")
    return result


def _account(fake: FakeJellyfin) -> JellyfinAccount:
    link = JellyfinLink(
        url=fake.url, server=SERVER, version="12.0.0", user_id=USER, user="ann",
        device_id="d" * 32, token="token-of-ann", paths=("/media=/music",),
    )  # fmt: skip
    patience = RetryPolicy(answer_s=60.0, backoff_s=0.02)
    return JellyfinAccount(
        link, JellyfinApi(JellyfinClient(link.url, link.device_id, link.token, patience), USER)
    )


if __name__ == "__main__":
    main()
