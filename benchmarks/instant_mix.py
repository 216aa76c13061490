"""Instant Mix of a Jellyfin of 100,000 items: what MESS adds to Jellyfin's own time.

    python -m benchmarks.instant_mix [--items 100000] [--home FOLDER] [--mixes 60] [--clients 50]

The tests' Jellyfin serves made-up items over real HTTP; `mess serve` runs as a process of its own over
a made-up library of the same tracks. In turns, a client asks MESS for a mix of 200, and Jellyfin for
the same 200 items (`GET /Items?ids=`, 100 at a time); the difference is what MESS costs. Then many
clients ask at once, and again while the database hangs: every answer must be there
within 2 s and hold items. Exits with 1 where it is not, or where the difference is above 300 ms (p95).
With --home the library is kept for the next run.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from pgvector.psycopg import register_vector

from benchmarks.made_up_library import describe, make_library
from mess_integrations.jellyfin.accounts import JellyfinLink
from mess_integrations.jellyfin.api import JellyfinAccount
from mess_integrations.jellyfin.sync import sync
from mess_plugin import embedded
from mess_plugin.config import Settings
from mess_plugin.model import Level
from mess_plugin.spaces.active_encoder import resolve_settings
from mess_plugin.store import open_store
from tests.jellyfin_contract import Unjudged
from tests.jellyfin_host import SERVER, USER, FakeJellyfin, item_id, serving

SIZE = 200
MOST_MS, WITHIN_S = 300.0, 2.0
_WINDOWS = 8
_PORT = 18765
_HEADERS = {
    "Authorization": 'MediaBrowser Client="b", Device="b", DeviceId="b", Version="1", '
    'Token="token-of-ann"'
}


def main() -> None:
    """Build, measure, print, judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--home", type=Path, help="where the library is kept for the next run")
    parser.add_argument("--mixes", type=int, default=60)
    parser.add_argument("--clients", type=int, default=50)
    asked = parser.parse_args()
    kept = nullcontext(str(asked.home)) if asked.home else tempfile.TemporaryDirectory()
    with kept as folder:
        home = Path(folder)
        with embedded.lease(home, broker=True, timeout_s=300) as held:
            url = held.endpoints.database_url
            assert url is not None
            with serving(jellyfin(asked.items)) as fake:
                build(home, url, fake, asked.items)
                service = serve(home, url, held.endpoints.broker_url or "", fake.url)
                try:
                    good = measure(fake, asked.items, asked.mixes)
                    good &= crowd("at once", asked.items, asked.clients)
                    good &= without_database(home, asked.items, asked.clients)
                finally:
                    service.terminate()
                    service.wait()
        embedded.down(home)
    sys.exit(0 if good else 1)


def jellyfin(n: int) -> FakeJellyfin:
    """A Jellyfin with the made-up tracks."""
    fake = FakeJellyfin(Unjudged("12.0.0"))
    for number in range(1, n + 1):
        fake.add(number, f"Song {number}", f"/made-up/{number // 12}/{number}.flac", 60.0)
    return fake


def build(home: Path, url: str, fake: FakeJellyfin, n: int) -> None:
    """The library, and the map of items, where they are not there yet."""
    with open_store(url) as store:
        settings = resolve_settings(store, Settings(home=home))
        built = store.library.count()[0] == n
    if not built:
        began_s = time.perf_counter()
        make_library(url, settings, n, _WINDOWS, "/made-up", (Level.SONG,))
        with psycopg.connect(url, autocommit=True) as admin:
            register_vector(admin)
            describe(admin, n)
        print(f"library built in {time.perf_counter() - began_s:.0f} s", flush=True)
    link = JellyfinLink(
        url=fake.url, server=SERVER, version="12.0.0", user_id=USER, user="ann",
        device_id="d" * 32, token="token-of-ann",
    )  # fmt: skip
    account = JellyfinAccount.of(link)
    with open_store(url) as store:
        known = sum(one.track_id is not None for one in store.hosts.items(SERVER))
        if known != n:
            report = sync(store, (account,), fresh=True)
            known = sum(report.matched.values())
    account.api.close()
    if known != n:
        sys.exit(f"{known} of {n} items are known")


def serve(home: Path, database: str, broker: str, jellyfin_url: str) -> subprocess.Popen[bytes]:
    """`mess serve`, ready."""
    environment = {
        **os.environ,
        "MESS_HOME": str(home),
        "MESS_DATABASE_URL": database,
        "MESS_BROKER_URL": broker,
        "MESS_INSTANT_MIX": jellyfin_url,
        "MESS_LISTEN": f"127.0.0.1:{_PORT}",
    }
    process = subprocess.Popen([sys.executable, "-m", "mess_plugin", "serve"], env=environment)
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{_PORT}/healthz", timeout=1).read()
        except OSError:
            time.sleep(0.2)
        else:
            return process
    sys.exit("the service does not answer")


def get(url: str) -> tuple[float, str | None, Any]:
    """Milliseconds, who answered, and the document."""
    began_s = time.perf_counter()
    with urllib.request.urlopen(
        urllib.request.Request(url, headers=_HEADERS), timeout=60
    ) as answer:
        body = answer.read()
    return (time.perf_counter() - began_s) * 1000, answer.headers["X-MESS"], json.loads(body)


def mix(number: int) -> tuple[float, str | None, Any]:
    """A mix of SIZE, from MESS."""
    path = f"/Items/{item_id(number)}/InstantMix?userId={USER}&limit={SIZE}"
    return get(f"http://127.0.0.1:{_PORT}{path}")


def measure(fake: FakeJellyfin, n: int, mixes: int) -> bool:
    """Mixes and the same items of Jellyfin alone, in turns."""
    rng = np.random.default_rng(4)
    for number in rng.integers(1, n, 5).tolist():
        mix(number)
    ours, own = [], []
    for number in rng.integers(1, n, mixes).tolist():
        took_ms, who, document = mix(number)
        ids = [one["Id"] for one in document["Items"]]
        if who != "mix" or len(ids) != SIZE:
            sys.exit(f"item {number}: {who}, {len(ids)} items")
        ours.append(took_ms)
        own.append(0.0)
        for start in range(0, SIZE, 100):
            query = "".join(f"&ids={one}" for one in ids[start : start + 100])
            own[-1] += get(f"{fake.url}/Items?userId={USER}{query}")[0]
    more = np.array(ours) - np.array(own)
    for name, values in (("mix", ours), ("Jellyfin's items", own), ("more", more)):
        p50, p95 = np.percentile(values, (50, 95))
        print(f"{name:18} p50 {p50:6.0f} ms   p95 {p95:6.0f} ms", flush=True)
    print(f"load average {os.getloadavg()[0]:.1f}")
    return bool(np.percentile(more, 95) <= MOST_MS)


def crowd(name: str, n: int, clients: int) -> bool:
    """All clients ask at the same time."""
    numbers = np.random.default_rng(5).integers(1, n, clients).tolist()
    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(mix, numbers))
    times = [took_ms for took_ms, _, _ in answers]
    n_own = sum(who == "mix" for _, who, _ in answers)
    print(
        f"{clients} clients {name}: slowest {max(times):.0f} ms, {n_own} by MESS, the others by "
        "Jellyfin",
        flush=True,
    )
    if not all(document["Items"] for _, _, document in answers):
        sys.exit("an answer is empty")
    return max(times) <= WITHIN_S * 1000


def without_database(home: Path, n: int, clients: int) -> bool:
    """While the database does not react."""
    pid = int((home / "postgres" / "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    servers = [pid, *map(int, children)]
    for one in servers:
        os.kill(one, signal.SIGSTOP)  # connections are accepted, and nothing is answered
    try:
        good = crowd("while the database hangs", n, clients)
    finally:
        for one in servers:
            os.kill(one, signal.SIGCONT)
    return good


if __name__ == "__main__":
    main()
