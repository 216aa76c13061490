"""From an empty library to the right tracks in a playlist of Jellyfin: `mess up` does it all."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

from mess_integrations.jellyfin.accounts import links_file
from tests.beets_host import SAMPLES, environment
from tests.jellyfin_contract import contract
from tests.jellyfin_host import PASSWORD, FakeJellyfin, serving

ALBUMS = ("noiz2sa", "widelands")  # three tracks of one artist each


class Mess:
    """The `mess` of this checkout in a home of its own."""

    def __init__(self, home: Path) -> None:
        self.variables = environment(MESS_HOME=str(home), MESS_JOBS="1")

    def __call__(self, *words: str, code: int = 0, **variables: str) -> tuple[str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "mess_plugin", *words],
            env={**self.variables, **variables},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout, done.stderr


def stock(fake: FakeJellyfin) -> dict[str, str]:
    """The albums as a Jellyfin in a container sees them. Returns name → item."""
    found = {}
    paths = sorted(path for album in ALBUMS for path in (SAMPLES / album).iterdir())
    for number, path in enumerate(paths, start=1):
        inside = f"/media/{path.relative_to(SAMPLES)}"
        found[path.stem] = fake.add(number, path.stem, inside, 30.0)
    return found


def test_a_playlist_made_in_a_client_is_filled_and_mess_stopped_is_one_message(
    embedded_home: Path, eventually: Callable[..., None]
) -> None:
    mess = Mess(embedded_home)
    with serving(FakeJellyfin(contract("12.0.0"))) as fake:
        items = stock(fake)
        _, said = mess("jellyfin", "sync", code=2)
        assert said == "mess: no Jellyfin is linked: run `mess jellyfin link URL` first\n"
        mess(
            "jellyfin", "link", fake.url, "--user", "ann", "--path", f"/media={SAMPLES}",
            MESS_JELLYFIN_PASSWORD=PASSWORD,
        )  # fmt: skip
        name = "MESS: like stage 0 · 2 tracks"
        fake.make_playlist(name)
        mess("up")
        try:
            mess("index", *(str(SAMPLES / album) for album in ALBUMS))
            wanted = {items["kenta-cho-stage-1"], items["kenta-cho-stage-3"]}
            # Idle: asking costs more than waiting.
            pause = threading.Event()
            eventually(lambda: pause.wait(1) or set(fake.named(name).items) == wanted, 200)
            report = json.loads(mess("jellyfin", "sync", "--json")[0])
            assert report["matched"] == {"path": 6}
        finally:
            mess("down")
        # The host goes on without MESS, and whoever asks MESS for an unreachable part gets a line.
        request = urllib.request.Request(fake.url + "/System/Info/Public")
        request.add_header("Authorization", 'MediaBrowser JellyfinClient="x", DeviceId="x"')
        assert urllib.request.urlopen(request).status == 200
        assert set(fake.named(name).items) == wanted
        _, said = mess(
            "jellyfin", "playlists", code=1, MESS_DATABASE_URL="postgresql://x@127.0.0.1:1/x"
        )
        assert said.startswith("mess: the database at 127.0.0.1:1 does not answer")
        assert len(said.splitlines()) == 1
    _, said = mess("jellyfin", "sync", code=1)
    assert said == f"mess: Jellyfin at {fake.url}: it does not answer (no connection)\n"
    assert links_file(embedded_home).stat().st_mode & 0o777 == 0o600
