"""The page over the life of a library: empty, growing, with a hostile file, broken files, and down."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import mutagen
import pytest
from playwright.sync_api import Browser, expect

from mess_plugin import embedded
from mess_plugin.config import Settings
from mess_plugin.spaces.active_encoder import active_recipe
from mess_plugin.store import open_store
from mess_plugin.store.files import SeenFile
from tests.page_host import SAMPLES, Served, signed_in, tab_in

pytestmark = pytest.mark.timeout(900)

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


def is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_a_library_grows_under_ones_eyes(  # noqa: PLR0915  one story
    browser: Browser, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    music = tmp_path / "music"
    music.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    served = Served(tmp_path / "home", f"http://127.0.0.1:{port}")
    served.settings = {
        "MESS_LISTEN": f"127.0.0.1:{port}", "MESS_WATCH": str(music), "MESS_JOBS": "1",
        "MESS_SETTLE_S": "0.5",
    }  # fmt: skip
    said = served.mess("up")
    link = next(word for word in said.split() if word.startswith(f"{served.url}/#/in/"))
    context = browser.new_context()
    tab = tab_in(context, served)
    page = tab.page
    try:
        eventually(lambda: is_listening(port), 60)
        page.goto(link)
        expect(page.get_by_text("Your library is empty.")).to_be_visible(timeout=60_000)
        assert tab.violations() == []
        page.get_by_role("link", name="See how it goes").click()
        tracks = page.locator(".tile").first.locator("b")
        expect(tracks).to_have_text("0")

        names = ("kenta-cho-stage-0.opus", "kenta-cho-stage-1.opus", "kenta-cho-stage-3.mp3")
        for name in names:
            shutil.copy(SAMPLES / "noiz2sa" / name, tmp_path / name)
        tags = mutagen.File(tmp_path / names[0])
        tags["title"], tags["artist"] = HOSTILE, HOSTILE
        tags.save()
        for name in names:
            (tmp_path / name).rename(music / name)
        expect(tracks).to_have_text("3", timeout=120_000)
        expect(page.locator(".lines").get_by_text(names[2])).to_be_visible()
        (music / "broken.mp3").write_bytes(os.urandom(20_000))
        retry = page.get_by_role("button", name="Try broken.mp3 again")
        expect(retry).to_be_visible(timeout=60_000)
        assert tab.violations() == []
        retry.click()
        expect(page.get_by_text("1 file is tried again.")).to_be_visible()

        page.get_by_role("link", name="Ask").click()
        expect(page.locator(".cards li")).to_have_count(3)
        page.get_by_role("combobox").fill("onerror")
        expect(page.get_by_role("option").first.locator(".title")).to_have_text(HOSTILE)
        page.keyboard.press("Enter")
        expect(page.locator(".matches > li")).to_have_count(2)
        expect(page.locator(".asked .title")).to_have_text(HOSTILE)
        page.locator(".asked .title").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
        page.goto(f"{served.url}/#/map")
        expect(page.locator(".clusters li").first).to_be_visible()
        assert page.title() == "MESS"
        assert page.locator("img").count() == 0
        tab.check()

        (music / names[2]).rename(tmp_path / names[2])
        page.goto(f"{served.url}/#/status")
        expect(tracks).to_have_text("2", timeout=60_000)

        served.mess("down")
        expect(page.locator(".banner")).to_be_visible(timeout=30_000)
        page.evaluate("location.hash = '#/ask?ref=1'")
        expect(page.get_by_text("MESS does not answer.").first).to_be_visible()
        assert tab.foreign == []
    finally:
        context.close()
        embedded.down(served.home)


def test_no_worker_or_no_database_is_said_and_passes(
    browser: Browser, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    """Each state has a sentence and the next step, and goes when the fault does."""
    served = Served(tmp_path / "home")
    served.mess("index", SAMPLES / "noiz2sa", "--jobs", "1")
    served.start()
    context = signed_in(browser, served)
    tab = tab_in(context, served)
    page = tab.page
    state = embedded.state(served.home)
    assert state
    postgres = state.service("postgres")
    assert postgres
    assert postgres.pid
    try:
        new = next(SAMPLES.rglob("*ucky*"))
        with open_store(state.database_url or "") as store:
            file = SeenFile.of(str(new), new.stat())
            store.jobs.enqueue([file], active_recipe(store, Settings(home=served.home)))
        tab.open("#/status")
        expect(page.get_by_text("1 file waits, but no worker is running")).to_be_visible()
        assert tab.violations() == []

        os.kill(state.pid, signal.SIGSTOP)  # or it would start the database again at once
        os.kill(postgres.pid, signal.SIGQUIT)
        tab.open("#/ask?ref=1")
        expect(page.get_by_text("The database does not answer.")).to_be_visible(timeout=30_000)
        expect(page.locator(".state").get_by_text("mess doctor")).to_be_visible()
        assert tab.violations() == []
        tab.open("#/status")
        expect(page.get_by_text("The database is down")).to_be_visible(timeout=30_000)
        os.kill(state.pid, signal.SIGCONT)
        expect(page.locator(".tile").first).to_be_visible(timeout=60_000)
        tab.open("#/ask?ref=1")
        expect(page.locator(".matches > li").first).to_be_visible(timeout=30_000)
    finally:
        os.kill(state.pid, signal.SIGCONT)
        context.close()
        served.stop()
        embedded.down(served.home)
