"""A real `mess serve` over the sample library, and a real Chromium that looks at it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "samples"
TOKEN = "a-token-for-tests-only"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--autoplay-policy=no-user-gesture-required", "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)  # fmt: skip


@dataclass
class Served:
    """`mess serve` in a process of its own."""

    home: Path
    url: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "MESS_HOME": str(self.home),
            "MESS_TOKEN": TOKEN,
            "MESS_HTTP_RATE_HZ": "10000",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("", "workers", "integrations")),
            **self.settings,
        }  # fmt: skip

    def mess(self, *words: str | Path) -> str:
        """Run a command to its end and return what it printed."""
        done = subprocess.run(
            [*_MESS, *map(str, words)], env=self.environment, capture_output=True, text=True,
            timeout=400, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start(self, port: int = 0) -> None:
        """Serve, at a free port unless one is given."""
        self.process = subprocess.Popen(
            [*_MESS, "serve", "--listen", f"127.0.0.1:{port}"], env=self.environment,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stderr is not None
        lines = self.process.stderr
        for line in lines:
            if found := re.search(r"listening on (http://\S+)", line):
                self.url = found[1]
                break
        assert self.url, "it never listened"
        # What it logs must go somewhere, or a full pipe would stop it.
        threading.Thread(target=lambda: [None for _ in lines], daemon=True).start()

    def stop(self) -> None:
        """End it as Ctrl-C would, by its own id."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None


_MESS = [sys.executable, "-c", "from mess_plugin.cli.main import main; main()"]


@dataclass
class Tab:
    """A page of a browser, with what went wrong in it."""

    page: Page
    served: Served
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def open(self, hash_: str = "#/ask") -> Page:
        """Go to a view, as by typing its address."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.served.url}/{hash_}")
        return self.page

    def violations(self) -> list[str]:
        """What axe-core finds on what is shown now."""
        self.page.wait_for_function(
            "document.getAnimations().every((one) => one.playState !== 'running')"
        )
        self.page.evaluate(_axe())
        found: Any = self.page.evaluate("axe.run()")
        return [
            f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]}"
            for one in found["violations"]
        ]

    def check(self) -> None:
        """No error on the console, and no request to another host."""
        assert self.errors == [], self.errors
        assert self.foreign == [], self.foreign


def _axe() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
        yield browser
        browser.close()


def signed_in(
    browser: Browser,
    served: Served,
    *,
    scheme: Literal["light", "dark"] = "dark",
    size: tuple[int, int] = (1440, 900),
    **options: Any,
) -> BrowserContext:
    """A fresh profile of the browser that is signed in by a link, as `mess open` gives it."""
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": size[0], "height": size[1]}, **options
    )
    link = served.mess("open", "--print", "--url", served.url).split()[0]
    page = context.new_page()
    page.goto(link)
    page.wait_for_selector("nav")
    page.close()
    return context


def tab_in(context: BrowserContext, served: Served) -> Tab:
    """A new page whose failures are noted."""
    tab = Tab(context.new_page(), served)
    host = urlsplit(served.url).netloc
    tab.page.on(
        "console", lambda line: tab.errors.append(line.text) if line.type == "error" else None
    )
    tab.page.on("pageerror", lambda error: tab.errors.append(str(error)))
    tab.page.on(
        "request",
        lambda request: (
            tab.foreign.append(request.url)
            if urlsplit(request.url).netloc not in {host, ""}
            else None
        ),
    )
    return tab
