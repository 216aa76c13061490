"""Fetching MERT from a hub, with the real client and a server on loopback in the hub's place."""

from __future__ import annotations

import hashlib
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace

from mess_plugin.encoders.mert.releases import Release
from tests import mert_checkpoint

COMMIT = "c0ffee" * 6 + "c0ff"
CLIENT = """
import sys
from mess_plugin.encoders import mert
from mess_plugin.encoders.base import EncoderOptions
from mess_plugin.encoders.mert.releases import Architecture, Release
from mess_plugin.errors import MessError

release = eval(sys.argv[1])
row = mert.describe(release)
print("before", row.weights_state(None))
try:
    print("fetched", row.download())
    print("after", row.weights_state(None))
    if len(sys.argv) > 2:
        print("revision", row.load(EncoderOptions()).info.revision)
except MessError as error:
    print(type(error).__name__, error)
"""


@dataclass
class Hub:
    """A hub that has one repository; `files` by name."""

    files: dict[str, bytes]
    fetched: list[str] = field(default_factory=list)
    url: str = ""
    claimed_sha256: str | None = None

    def etag(self, name: str) -> str:
        if name.endswith(".bin") and self.claimed_sha256:
            return self.claimed_sha256
        return hashlib.sha256(self.files[name]).hexdigest()


@pytest.fixture
def release() -> Release:
    return replace(mert_checkpoint.small(pre_norm=False), commit=COMMIT)


@pytest.fixture
def hub(tmp_path: Path, release: Release) -> Iterator[Hub]:
    mert_checkpoint.write_checkpoint(tmp_path / "origin", release)
    served = Hub({path.name: path.read_bytes() for path in (tmp_path / "origin").iterdir()})

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def answer(self, *, with_body: bool) -> None:
            repository, _, rest = self.path.removeprefix("/").partition("/resolve/")
            commit, _, name = rest.partition("/")
            known = (repository, commit) == (release.repository, COMMIT) and name in served.files
            self.send_response(200 if known else 404)
            body = served.files[name] if known else b""
            if known:
                self.send_header("ETag", f'"{served.etag(name)}"')
                self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if with_body and known:
                served.fetched.append(name)
                self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        served.url = f"http://127.0.0.1:{server.server_port}"
        yield served
        server.shutdown()


def client(
    release: Release, hub_url: str, home: Path, *, load: bool = False, **settings: str
) -> dict[str, str]:
    """Ask, download, ask again (and load) in a fresh process; its lines by their first word."""
    environment = os.environ | {
        "HF_ENDPOINT": hub_url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
    }
    environment |= settings
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, repr(release), *(["load"] if load else [])],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def test_download_then_load_then_nothing_to_do(release: Release, hub: Hub, tmp_path: Path) -> None:
    sha256 = hashlib.sha256(hub.files["pytorch_model.bin"]).hexdigest()
    pinned = replace(release, weight_sha256=sha256)
    said = client(pinned, hub.url, tmp_path / "cache", load=True)
    assert "ready=False" in said["before"]
    assert "mess encoders download mert-95m" in said["before"]
    assert "ready=True" in said["after"]
    assert said["revision"] == sha256[:12]
    assert sorted(hub.fetched) == ["config.json", "pytorch_model.bin"]
    again = client(pinned, hub.url, tmp_path / "cache")
    assert "ready=True" in again["before"]
    assert len(hub.fetched) == 2


def test_a_file_that_differs_from_the_pinned_one(
    release: Release, hub: Hub, tmp_path: Path
) -> None:
    said = client(replace(release, weight_sha256="0" * 64), hub.url, tmp_path / "cache")
    assert "expected 0000" in said["WrongWeights"]


def test_without_a_pinned_checksum_the_hub_vouches(
    release: Release, hub: Hub, tmp_path: Path
) -> None:
    hub.claimed_sha256 = "1" * 64
    said = client(release, hub.url, tmp_path / "cache")
    assert "expected 1111" in said["WrongWeights"]


def test_no_network(release: Release, tmp_path: Path) -> None:
    said = client(release, "http://127.0.0.1:9", tmp_path / "cache", HF_HUB_OFFLINE="1")
    assert "could not download m-a-p/MERT-v1-95M" in said["MissingWeights"]
