"""What a stranger may not do to the OSC server, and what it says when something is away."""

from __future__ import annotations

import os
import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import psycopg
import pytest
from pythonosc import slip
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message_builder import build_msg

from mess_plugin.config import Settings
from mess_plugin.embedded import Endpoints
from mess_plugin.errors import UsageError
from tests.audio_files import music, write_audio
from tests.osc_library import ASYLUM
from tests.osc_peer import SAMPLES, Client, packet, rows, server, settings_for


def test_files_outside_the_library_are_refused(osc_client: Client, tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    write_audio(secret, music(6.0), 44100)
    traversal = f"{ASYLUM[0].parent}/../../{os.path.relpath(secret, SAMPLES.parent)}"
    for path in (str(secret), "/etc/passwd", "/nonexistent/x.wav", traversal, "/", "/dev/zero"):
        refusal = osc_client.ask("/mess/lookup/file", "x", path, 0.0, 5.0)[-1]
        assert refusal.params[2] == 403, path
        assert "outside" in str(refusal.params[3])
    for odd in ("relative.wav", "~root/x.wav", "file:///etc/passwd"):
        assert osc_client.ask("/mess/lookup/file", "x", odd, 0.0, 5.0)[-1].params[2] == 400
    refusal = osc_client.ask("/mess/lookup/track", "x", str(secret), 0.0, 5.0)[-1]
    assert refusal.params[2] == 404


def test_links_out_of_the_roots_are_refused(osc_settings: Settings, tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    write_audio(outside / "a.wav", music(6.0), 44100)
    (inside / "link.wav").symlink_to(outside / "a.wav")
    (inside / "folder").symlink_to(outside)
    (inside / "loop").symlink_to(inside / "loop")
    os.mkfifo(inside / "pipe.wav")
    (inside / "text.wav").write_text("no sound")
    with server(msgspec.structs.replace(osc_settings, roots=str(inside))) as address:
        client = Client(address)
        for name, code in (("link.wav", 403), ("folder/a.wav", 403), ("loop", 404),
                           ("pipe.wav", 404), ("gone.wav", 404), ("text.wav", 415)):  # fmt: skip
            found = client.ask("/mess/lookup/file", "x", str(inside / name), 0.0, 5.0)
            assert found[-1].params[2] == code, name
        client.close()


def test_an_indexed_file_may_be_asked_about_wherever_it_lies(
    osc_settings: Settings, tmp_path: Path
) -> None:
    with server(msgspec.structs.replace(osc_settings, roots=str(tmp_path))) as address:
        client = Client(address)
        assert rows(client.ask("/mess/lookup/file", "x", str(ASYLUM[0]), 0.0, 10.0, "k", 1))
        client.close()


def test_what_is_not_for_us_is_not_answered(osc_client: Client) -> None:
    osc_client.send_packet(b"")
    osc_client.send_packet(b"\0" * 64)
    osc_client.send_packet(b"GET / HTTP/1.1\r\n\r\n")
    osc_client.send("/live/song/get/tempo")
    osc_client.send("/mess/error", "", "/mess/ping", 500, "an echo")
    osc_client.send("/mess/lookup/match", "x")
    osc_client.send_packet(packet("/mess/lookup/data", "x", 0, b"z" * 60_000))
    assert osc_client.is_silent()
    osc_client.send("/mess/nothing")
    assert osc_client.receive().params[1:3] == ["/mess/nothing", 404]


def test_a_future_time_tag_is_not_waited_for(osc_client: Client) -> None:
    bundle = OscBundleBuilder(int(time.time()) + 3600)
    bundle.add_content(build_msg("/mess/ping"))
    started = time.monotonic()
    osc_client.send_packet(bundle.build().dgram)
    assert osc_client.receive().address == "/mess/pong"
    assert time.monotonic() - started < 5


def test_a_bundle_that_would_never_end(osc_client: Client) -> None:
    osc_client.send_packet(b"#bundle\0" + bytes(8) + struct.pack(">i", -4))
    osc_client.send("/mess/ping")
    assert osc_client.receive().address == "/mess/pong"


def test_fuzzed_datagrams_do_no_harm(osc_client: Client) -> None:
    rng = random.Random(5)
    seeds = [
        packet("/mess/lookup/file", "x", str(ASYLUM[0]), 1.0, 2.0, "k", 3),
        packet("/mess/lookup/begin", "x", 44100, 1, 8, "f32le"),
        packet("/mess/lookup/data", "x", 0, b"12345678"),
        packet("/mess/subscribe", 0),
        b"#bundle\0" + bytes(8) + struct.pack(">i", 12) + b"/mess/ping\0\0",
    ]
    for _ in range(3000):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        osc_client.send_packet(
            bytes(data[: rng.randint(0, len(data))] if rng.random() < 0.3 else data)
        )
    _drain(osc_client)
    time.sleep(2.0)
    osc_client.send("/mess/ping")
    assert osc_client.until("/mess/pong")


def _drain(client: Client) -> int:
    count = 0
    while not client.is_silent(0.5):
        count += 1
    return count


def test_a_flood_gets_few_answers_and_the_server_goes_on(osc_client: Client) -> None:
    for _ in range(5000):
        osc_client.send("/mess/lookup/file", "x", "/etc/passwd", 0.0, 1.0)
    assert _drain(osc_client) < 600
    time.sleep(3.0)
    assert rows(osc_client.ask("/mess/lookup/file", "x", str(ASYLUM[0]), 0.0, 10.0, "k", 1))


def test_many_connections_and_broken_streams(
    osc_client: Client, osc_address: tuple[str, int], eventually: Callable[..., None]
) -> None:
    links = [socket.create_connection(osc_address, timeout=5) for _ in range(60)]
    rng = random.Random(2)
    for link in links:
        try:
            link.sendall(rng.choice([b"\0", b"\xc0", b"GET /", b"\0\0\xff\xff", rng.randbytes(99)]))
        except OSError:
            continue
    osc_client.send("/mess/ping")
    assert osc_client.until("/mess/pong")
    for link in links:
        link.close()

    def is_answered() -> bool:
        try:
            with socket.create_connection(osc_address, timeout=2) as link:
                link.sendall(slip.encode(packet("/mess/ping")))
                return b"/mess/pong" in link.recv(1024)
        except OSError:
            return False

    eventually(is_answered)


def test_the_secret(osc_settings: Settings) -> None:
    with server(msgspec.structs.replace(osc_settings, osc_secret="ßecret")) as address:
        client = Client(address)
        client.send("/mess/ping")
        assert client.receive().address == "/mess/pong"
        client.send("/mess/status")
        assert client.receive().params[2] == 401
        client.send("/mess/auth", "wrong")
        assert client.receive().params[2] == 401
        client.send("/mess/status", "auth", "ßecret")
        assert client.receive().address == "/mess/library"
        client.send("/mess/status")
        assert client.receive().params[2] == 401
        client.send("/mess/auth", "ßecret")
        assert client.receive().address == "/mess/auth/ok"
        client.send("/mess/status")
        assert client.receive().address == "/mess/library"
        stranger = Client(address)
        stranger.send("/mess/status")
        assert stranger.receive().params[2] == 401
        client.close()
        stranger.close()


def test_other_machines_need_the_secret(osc_settings: Settings) -> None:
    with (
        pytest.raises(UsageError, match="MESS_OSC_SECRET"),
        server(msgspec.structs.replace(osc_settings, osc_host="0.0.0.0")),
    ):
        pass


def test_a_taken_port_is_told(osc_settings: Settings, osc_address: tuple[str, int]) -> None:
    with (
        pytest.raises(UsageError, match="running already"),
        server(msgspec.structs.replace(osc_settings, osc_port=osc_address[1])),
    ):
        pass


def test_a_database_that_is_gone_is_told_and_one_that_returns_is_used(
    osc_url: str, osc_settings: Settings, postgres_server: Endpoints
) -> None:
    with server(osc_settings) as address:
        client = Client(address)
        asked = ("/mess/lookup/file", "x", str(ASYLUM[0]), 0.0, 10.0, "k", 1)
        assert rows(client.ask(*asked))
        with psycopg.connect(postgres_server.database_url, autocommit=True) as admin:
            admin.execute("ALTER DATABASE mess_osc ALLOW_CONNECTIONS false")
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'mess_osc'"
            )
            try:
                assert client.ask(*asked)[-1].params[2] == 503
            finally:
                admin.execute("ALTER DATABASE mess_osc ALLOW_CONNECTIONS true")
        assert rows(client.ask(*asked))
        client.close()


def test_an_empty_library_is_told(database_url: str, tmp_path: Path) -> None:
    with server(settings_for(tmp_path, database_url)) as address:
        client = Client(address)
        found = client.ask("/mess/lookup/track", "x", "anything", 0.0, 0.0)
        assert found[-1].params[2] == 404
        client.close()


def test_library_lookups_do_not_wait_for_files_that_are_heard(
    osc_settings: Settings, tmp_path: Path
) -> None:
    long = tmp_path / "long.wav"
    write_audio(long, music(240.0), 44100)
    with server(msgspec.structs.replace(osc_settings, roots=str(tmp_path))) as address:
        slow, quick = Client(address), Client(address)
        order: list[str] = []
        for number in range(4):
            slow.send("/mess/lookup/file", str(number), str(long), 0.0, 0.0, "k", 1)

        def wait() -> None:
            for _ in range(4):
                slow.until("/mess/lookup/done")
                order.append("slow")

        thread = threading.Thread(target=wait)
        thread.start()
        assert rows(quick.ask("/mess/lookup/file", "q", str(ASYLUM[0]), 0.0, 10.0, "k", 1))
        order.append("quick")
        thread.join(60)
        assert order.index("quick") < 3
        slow.close()
        quick.close()
