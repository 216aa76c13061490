"""How fast the web page is: from opening it to usable, from turning a dial to the new order, the map.

    python -m benchmarks.page_speed --tracks 1000 [--home HOME] [--runs 11]

A made-up library of so many tracks (kept in HOME, where one is given), a real `mess serve`, a headless
Chromium without a GPU. Times are those of the browser's own clock: usable is when the first answers
to a bookmarked question are drawn; a dial counts from the key press to the frame after the new rows.
The memory of the tab is what Chromium's JavaScript heap and typed arrays hold after a collection. A
frame is one zoom step of the map, drawn.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import median, quantiles

import psycopg
from pgvector.psycopg import register_vector
from playwright.sync_api import Page

from benchmarks.made_up_library import describe, make_library
from mess_plugin import embedded
from mess_plugin.config import Settings
from mess_plugin.services import connected
from mess_plugin.spaces.active_encoder import resolve_settings
from mess_plugin.store import open_store
from tests.page_host import Served, chromium, signed_in

_ROWS = "[...document.querySelectorAll('.matches > li')].map(row => row.dataset.id).join()"
_TURN = f"""async () => {{
  const before = {_ROWS};
  const dial = document.querySelector('.dial[aria-label=rhythm]');
  const began = performance.now();
  const key = +dial.ariaValueNow >= 3 ? 'Home' : 'PageUp';
  dial.dispatchEvent(new KeyboardEvent('keydown', {{ key, bubbles: true }}));
  while ({_ROWS} === before && performance.now() - began < 10000) {{
    await new Promise(done => setTimeout(done, 4));
  }}
  await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - began;
}}"""
_ZOOM = """async () => {
  const chart = document.querySelector('.chart canvas');
  const began = performance.now();
  for (let step = 0; step < 40; step++) {
    chart.dispatchEvent(new KeyboardEvent('keydown', { key: step < 20 ? '+' : '-', bubbles: true }));
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  }
  return (performance.now() - began) / 40;
}"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tracks", type=int, default=1000)
    parser.add_argument("--windows", type=int, default=24)
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        served = Served(options.home or Path(folder) / "home")
        _make(served.home, options.tracks, options.windows)
        served.start()
        try:
            with chromium() as browser:
                page = signed_in(browser, served).new_page()
                print(f"{options.tracks} tracks; median and 95th percentile of {options.runs}")
                _tell("open to usable", [_open(page, served, n + 1) for n in range(options.runs)])
                _tell("dial to new order", [page.evaluate(_TURN) for _ in range(options.runs)])
                _map(page, served)
        finally:
            served.stop()
            embedded.down(served.home)


def _open(page: Page, served: Served, track_id: int) -> float:
    page.goto("about:blank")
    page.goto(f"{served.url}/#/ask?ref={track_id}")
    page.wait_for_selector(".matches > li")
    took_ms: float = page.evaluate("performance.getEntriesByName('answered')[0].startTime"
        " + performance.getEntriesByName('answered')[0].duration")  # fmt: skip
    return took_ms


def _map(page: Page, served: Served) -> None:
    page.goto("about:blank")
    for when in ("first", "again"):
        page.goto("about:blank")
        page.goto(f"{served.url}/#/map")
        page.wait_for_selector(".clusters li", timeout=300_000)
        took_s = page.evaluate("performance.now()") / 1000
        print(f"map to drawn, {when}: {took_s:.1f} s")
    print(f"map, one frame: {page.evaluate(_ZOOM):.1f} ms")
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    heap = session.send("Runtime.getHeapUsage")
    held = heap["usedSize"] + heap.get("backingStorageSize", 0)
    print(f"memory of the tab with the map: {held / 1e6:.0f} MB")


def _tell(what: str, took_ms: list[float]) -> None:
    print(f"{what}: {median(took_ms):.0f} / {quantiles(took_ms, n=20)[-1]:.0f} ms")


def _make(home: Path, n_tracks: int, n_windows: int) -> None:
    """The library, unless HOME holds one of this size already."""
    with connected(Settings(home=home)) as settings:
        url = settings.database_url or ""
        with open_store(url) as store:
            if store.library.count()[0] == n_tracks:
                return
            settled = resolve_settings(store, settings)
        make_library(url, settled, n_tracks, n_windows, "/made-up")
        with psycopg.connect(url, autocommit=True) as admin:
            register_vector(admin)
            describe(admin, n_tracks)


if __name__ == "__main__":
    main()
