"""Pictures of each view of the web page, light, dark and on a phone.

    python -m benchmarks.page_pictures OUT [--home HOME]

Makes a library of the sample music in HOME (a temporary one by default), serves it, and writes PNG
files into OUT. Needs Chromium and the extra `dev`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.request import Request, urlopen

from playwright.sync_api import Page

from mess_plugin import embedded
from tests.page_host import SAMPLES, TOKEN, Served, chromium, signed_in

SIZES: dict[str, tuple[Literal["light", "dark"], tuple[int, int]]] = {
    "dark": ("dark", (1440, 900)),
    "light": ("light", (1440, 900)),
    "phone": ("dark", (390, 844)),
}


def main() -> None:
    """Make them all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with _served(options.home) as served, chromium() as browser:
        for name, (scheme, size) in SIZES.items():
            context = signed_in(browser, served, scheme=scheme, size=size)
            page = context.new_page()
            for view, hash_, shown, act in _views(served):
                page.goto("about:blank")
                page.goto(f"{served.url}/{hash_}")
                page.wait_for_selector(shown)
                page.wait_for_timeout(400)
                if act is not None:
                    act(page)
                    page.wait_for_timeout(1500)
                path = options.out / f"{view}-{name}.png"
                page.screenshot(path=path)
                print(path)
            context.close()
        page = browser.new_page()
        page.goto(served.url)
        page.wait_for_selector("form")
        page.screenshot(path=options.out / "signed-out-light.png")


def _views(served: Served) -> Iterator[tuple[str, str, str, Callable[[Page], object] | None]]:
    """(name, address, what must be seen, what is done then)."""
    seed, other, journey = (_id(served, words) for words in ("lucky", "nebula", "stage%203"))
    yield "start", "#/ask", ".cards li", None
    yield "suggest", "#/ask", ".cards li", lambda page: page.get_by_role("combobox").fill("ma")
    yield "ask", f"#/ask?ref={seed}&rhythm=0.5", ".matches .part", _play
    yield "stretch", f"#/ask?ref={other}&start=10&end=20", ".matches .part", None
    yield "nothing", f"#/ask?ref={other}&tempo=20-21", ".state", None
    yield "track", f"#/track/{seed}", ".sections li", None
    yield "journey", f"#/lists/journey?ref={other}&ref={journey}&n=10", ".order li", None
    yield "arc", "#/lists/arc?curve=0.1,0.3,0.9,0.6,0.8,0.2&n=10", ".order li", None
    yield "map", "#/map", ".clusters li", None
    yield "status", "#/status", ".tile", None


def _play(page: Page) -> None:
    page.locator(".matches .round").nth(1).click()


def _id(served: Served, words: str) -> int:
    asked = Request(
        f"{served.url}/v1/suggest?q={words}", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    with urlopen(asked, timeout=60) as answer:
        return int(json.load(answer)["tracks"][0]["id"])


@contextmanager
def _served(home: Path | None) -> Iterator[Served]:
    with tempfile.TemporaryDirectory(prefix="mess-") as folder:
        served = Served(home or Path(folder) / "home")
        music = Path(folder) / "Music"  # a page shows where a file lies
        shutil.copytree(SAMPLES, music)
        served.mess("index", music, "--jobs", "2")
        served.start()
        try:
            yield served
        finally:
            served.stop()
            embedded.down(served.home)


if __name__ == "__main__":
    main()
