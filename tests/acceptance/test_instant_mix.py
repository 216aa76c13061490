"""Instant Mix through a real nginx with the documented rule, asked by real clients of Jellyfin.

nginx, and Node with npm for `@jellyfin/sdk`, come from the operating system; where one is missing its
test is skipped, and fails in CI. The configuration is the one in docs/jellyfin.md, with other ports.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jellyfin_apiclient_python import JellyfinClient
from msgspec.structs import replace

from mess_integrations.jellyfin import accounts
from mess_integrations.jellyfin.doctor import jellyfin_doctor
from tests.http_client import serving as serving_http
from tests.jellyfin_bench import Bench, N, both, fake
from tests.jellyfin_host import USER, item_id
from tests.programs import program

__all__ = ["both", "fake"]

ROOT = Path(__file__).resolve().parents[2]
SDK = ("@jellyfin/sdk@1.0.0", "axios@1.12.2")
FIRST = item_id(1)
ALL = {item_id(n) for n in range(1, N + 1)}
_SCRIPT = """
import { Jellyfin } from '@jellyfin/sdk';
import { getInstantMixApi } from '@jellyfin/sdk/lib/utils/api/instant-mix-api.js';
import { getLibraryApi } from '@jellyfin/sdk/lib/utils/api/library-api.js';
const [url, token, userId, itemId, albumId] = process.argv.slice(2);
const jellyfin = new Jellyfin({
  clientInfo: { name: 'tests', version: '1' }, deviceInfo: { name: 'tests', id: 'tests' } });
const api = jellyfin.createApi(url, token);
const mixes = getInstantMixApi(api), library = getLibraryApi(api);
const fields = ['Genres', 'MediaSources'];
const answers = {
  item: await mixes.getInstantMixFromItem({ itemId, userId, limit: 5, fields }),
  song: await mixes.getInstantMixFromSong({ itemId, userId }),
  album: await mixes.getInstantMixFromAlbum({ itemId: albumId, userId }),
  similar: await library.getSimilarItems({ itemId, userId, limit: 4 }),
  albums: await library.getSimilarAlbums({ itemId: albumId, userId }),
};
console.log(JSON.stringify(Object.fromEntries(Object.entries(answers).map(
  ([name, { data, headers }]) => [name, { data, who: headers['x-mess'] ?? null }]))));
"""


@dataclass
class Proxied:
    """Jellyfin behind nginx, with MESS beside it."""

    url: str
    bench: Bench
    stop_mess: Callable[[], None]


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def documented(mess: str, jellyfin: str, port: int) -> str:
    """The rule of docs/jellyfin.md with these addresses."""
    text = (ROOT / "docs" / "jellyfin.md").read_text(encoding="utf-8")
    found = re.search(r"### nginx\n\n```nginx\n(.*?)```", text, re.DOTALL)
    assert found
    said = {
        "127.0.0.1:8765": mess,
        "127.0.0.1:8096": jellyfin,
        "listen 80;": f"listen 127.0.0.1:{port};",
    }
    rule = found[1]
    for old, new in said.items():
        assert rule.count(old) == 1, old
        rule = rule.replace(old, new)
    return rule


@pytest.fixture
def proxied(both: Bench, eventually: Callable[..., None], tmp_path: Path) -> Iterator[Proxied]:
    nginx = program("nginx", "nginx")
    for number in range(1, N + 1):
        both.fake.put(item_id(number), number % 4, 1 + (number % 4) // 2)
    both.sync()
    running = serving_http(replace(both.settings, instant_mix=both.fake.url), eventually)
    client, port = next(running), free_port()
    rule = documented(
        client.url.removeprefix("http://"), both.fake.url.removeprefix("http://"), port
    )
    folders = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"{user} daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log; events {{}}\n"
        f"http {{ access_log off; {folders}\n{rule}}}\n"
    )
    process = subprocess.Popen(
        [nginx, "-c", str(config), "-p", str(tmp_path)], stderr=subprocess.DEVNULL
    )

    def is_up() -> bool:
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        eventually(is_up, 20)
        yield Proxied(f"http://127.0.0.1:{port}", both, running.close)
    finally:
        process.terminate()
        process.wait(timeout=20)
        running.close()


@pytest.fixture(scope="session")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `@jellyfin/sdk` and the script that asks with it."""
    npm = program("npm", "npm")
    folder = tmp_path_factory.mktemp("sdk")
    (folder / "package.json").write_text('{"type": "module", "private": true}')
    (folder / "ask.js").write_text(_SCRIPT)
    command = [npm, "install", "--no-audit", "--no-fund", "--silent", *SDK]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def ids(document: Any) -> list[str]:
    return [one["Id"].replace("-", "") for one in document["Items"]]


def ask(sdk: Path, proxied: Proxied) -> dict[str, Any]:
    command = [
        program("node", "nodejs"),
        "ask.js",
        proxied.url,
        "token-of-ann",
        USER,
        FIRST,
        item_id(0xB001),
    ]
    done = subprocess.run(
        command, cwd=sdk, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


def test_the_sdk_of_the_web_client(sdk: Path, proxied: Proxied) -> None:
    answers = ask(sdk, proxied)
    assert {one["who"] for one in answers.values()} == {"mix"}
    found = {name: ids(one["data"]) for name, one in answers.items()}
    assert found["item"][0] == found["song"][0] == FIRST
    assert len(found["item"]) == 5
    assert answers["item"]["data"]["TotalRecordCount"] == N
    assert set(found["song"]) == ALL
    assert set(found["album"]) == {item_id(n) for n in range(1, N + 1) if n % 4 != 1}
    assert found["similar"] == proxied.bench.best(0, 4)
    assert set(found["albums"]) == {item_id(0xB000), item_id(0xB002), item_id(0xB003)}
    assert proxied.bench.fake.mixes == 0
    proxied.stop_mess()
    answers = ask(sdk, proxied)
    assert {one["who"] for one in answers.values()} == {None}
    assert all(one["data"]["Items"] for one in answers.values())
    assert proxied.bench.fake.mixes == len(answers)


def test_the_python_client(proxied: Proxied) -> None:
    client = JellyfinClient()
    client.config.app("tests", "1", "tests", "tests")
    client.config.auth(proxied.url, USER, "token-of-ann", ssl=True)
    mix = client.jellyfin.get_instant_mix(FIRST, fields="Genres,MediaSources")
    assert ids(mix)[0] == FIRST
    assert set(ids(mix)) == ALL
    assert proxied.bench.fake.mixes == 0


def test_doctor_says_whose_mix_it_is(proxied: Proxied, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = proxied.bench
    accounts.add(bench.settings.home, bench.link)
    monkeypatch.setenv("MESS_HOME", str(bench.settings.home))
    monkeypatch.setenv("MESS_DATABASE_URL", bench.settings.database_url or "")

    def doctor(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(jellyfin_doctor, [*words, "--json"])
        checks = json.loads(result.stdout)["checks"]
        return result.exit_code, checks[-1]["detail"]

    assert doctor(proxied.url)[1].startswith("off: set `instant_mix`")
    monkeypatch.setenv("MESS_INSTANT_MIX", bench.fake.url)
    code, said = doctor(proxied.url)
    assert (code, said) == (0, "it is MESS's own (12 tracks like Song 06)")
    code, said = doctor(bench.fake.url)
    assert code == 1
    assert said.startswith("it is Jellyfin's: the proxy's rule does not send it to MESS")
    proxied.stop_mess()
    assert doctor(proxied.url)[0] == 1
