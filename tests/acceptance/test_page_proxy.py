"""The page below a base path of a reverse proxy: the rules of docs/page.md in a real nginx."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.test_page import id_of, wait_until_it_plays
from tests.page_host import ROOT, Served, tab_in
from tests.programs import program

pytestmark = pytest.mark.timeout(600)


def documented() -> str:
    """The block for nginx in docs/page.md."""
    text = (ROOT / "docs" / "page.md").read_text(encoding="utf-8")
    found = re.search(r"```nginx\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


def test_it_works_below_a_path_of_nginx(browser: Browser, served: Served, tmp_path: Path) -> None:
    nginx = program("nginx", "nginx-light")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    rules = documented().replace("http://127.0.0.1:8765", served.url)
    assert served.url in rules
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {tmp_path}/body; "
        f"proxy_temp_path {tmp_path}/proxy; fastcgi_temp_path {tmp_path}/f; "
        f"uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s;\n"
        f"server {{ listen 127.0.0.1:{port};\n{rules}\n}} }}\n"
    )
    process = subprocess.Popen([nginx, "-c", tmp_path / "nginx.conf", "-p", tmp_path])
    context = browser.new_context()
    try:
        deadline_s = time.monotonic() + 20
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        base = f"http://127.0.0.1:{port}/mess"
        link = served.mess("open", "--print", "--url", base).split()[0]
        tab = tab_in(context, Served(served.home, f"http://127.0.0.1:{port}"))
        page = tab.page
        page.goto(link)
        expect(page.locator(".cards li").first).to_be_visible()
        page.goto(f"{base}/#/ask?ref={id_of(served, 'nebula')}")
        expect(page.locator(".matches .part").first).to_be_visible()
        page.keyboard.press("p")
        wait_until_it_plays(page, "match", 0.2)
        page.locator(".matches > li button[aria-label^='Like ']").first.click()
        expect(page.locator(".matches > li").first).to_have_class(re.compile("like"))
        page.goto(f"{base}/#/status")
        expect(page.locator(".tile").first).to_be_visible()
        tab.check()
    finally:
        context.close()
        process.terminate()
        process.wait(20)
