"""What a stranger may not do to the OSC server, and what it says when something is away."""

from __future__ import annotations

import os
import random
import shutil
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import psycopg
import pytest
from pythonosc import slip
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message_builder import build_msg

from mess_integrations.osc.wire import write_message
from mess_plugin.config import Settings
from mess_plugin.embedded import Endpoints
from mess_plugin.errors import UsageError
from mess_plugin.store import open_store
from tests.audio_files import music, write_audio
from tests.osc_library import ASYLUM
from tests.osc_peer import (
    SAMPLES,
    Client,
    index_files,
    packet,
    rows,
    server,
    settings_for,
)


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


def test_idle_connections_shut_nobody_out(osc_address: tuple[str, int]) -> None:
    framed = slip.encode(packet("/mess/ping"))
    links = [socket.create_connection(osc_address, timeout=20) for _ in range(100)]
    for link in links[:50]:
        with suppress(OSError):  # those that were silent longest have made room
            link.sendall(framed)
    with socket.create_connection(osc_address, timeout=20) as link:
        link.sendall(framed)
        assert b"/mess/pong" in link.recv(1024)
    for link in links:
        link.close()


def test_impossible_commits_and_tiny_blocks_are_refused_at_once(
    osc_client: Client, osc_address: tuple[str, int]
) -> None:
    osc_client.send("/mess/lookup/begin", "u", 44100, 1, 16_000_000, "f32le")
    osc_client.until("/mess/lookup/ready")
    time.sleep(2.0)  # so that none of the errors below is held back
    for _ in range(5):
        osc_client.send("/mess/lookup/commit", "u", 16_000_000)
    refusal = osc_client.until("/mess/error")[-1].params
    assert refusal[1:3] == ["/mess/lookup/commit", 400]
    stranger = Client(osc_address)
    codes = []
    for number in range(8):
        stranger.send("/mess/lookup/begin", str(number), 44100, 1, 8, "f32le")
        codes.append(stranger.receive().params[2:3])
    assert [429] in codes  # all from this address count together …
    osc_client.send("/mess/lookup/data", "u", 0, bytes(1024))
    osc_client.send("/mess/cancel", "u")
    assert osc_client.until("/mess/lookup/cancelled")  # … and the first upload is still there
    for number in range(8):
        stranger.send("/mess/cancel", str(number))
    stranger.close()


def test_a_path_in_raw_bytes_gets_its_matches_and_they_come_in_raw_bytes(
    database_url: str, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path / "home", database_url)
    names = (b"caf\xe9.ogg", b"\xff\xfe.ogg")
    songs = [tmp_path / os.fsdecode(name) for name in names]
    for song, sample in zip(songs, ASYLUM, strict=False):
        shutil.copy(sample, song)
    with open_store(database_url) as store:
        index_files(store, settings, songs)
    with server(settings) as address, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.bind(("127.0.0.1", 0))
        link.settimeout(20)
        asked = write_message("/mess/lookup/file", "a", os.fsencode(songs[0]), 0.0, 0.0)
        link.sendto(asked, address)
        received: list[bytes] = []
        while not received or b"/mess/lookup/done" not in received[-1][:20]:
            received.append(link.recv(4096))
            assert not received[-1].startswith(b"/mess/error"), received[-1]
        (row,) = [one for one in received if one.startswith(b"/mess/lookup/match")]
        assert os.fsencode(songs[1]) in row
        link.sendto(write_message("/mess/lookup/track", "a", b"caf\xe9", 0.0, 0.0), address)
        assert b"ref is not UTF-8" in link.recv(4096)


def test_errors_go_to_the_port_that_was_asked_for(
    osc_client: Client, osc_address: tuple[str, int]
) -> None:
    other = Client(osc_address)
    for arguments in (("x", "/etc/passwd", 0.0, 1.0), ("x", "relative", "wrong", 0.0)):
        osc_client.send("/mess/lookup/file", *arguments, "port", other.port)
        assert other.until("/mess/error")[-1].params[1] == "/mess/lookup/file"
    assert osc_client.is_silent()
    other.close()


def test_a_secret_that_can_be_guessed_is_refused(osc_settings: Settings) -> None:
    with (
        pytest.raises(UsageError, match="12 characters or more") as refusal,
        server(msgspec.structs.replace(osc_settings, osc_secret="ab")),
    ):
        pass
    assert "'ab'" not in str(refusal.value)


def test_secrets_cannot_be_tried_one_after_another(osc_settings: Settings) -> None:
    with server(
        msgspec.structs.replace(osc_settings, osc_secret="a-secret-of-the-house")
    ) as address:
        guesser = Client(address)
        codes = set()
        for number in range(40):
            guesser.send("/mess/auth", f"guess {number}")
            with suppress(TimeoutError):
                codes.add(guesser.receive(0.3).params[2])
        assert codes == {401, 429}
        guesser.close()


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
    with server(msgspec.structs.replace(osc_settings, osc_secret="ßecret-of-the-house")) as address:
        client = Client(address)
        client.send("/mess/ping")
        assert client.receive().address == "/mess/pong"
        client.send("/mess/status")
        assert client.receive().params[2] == 401
        client.send("/mess/auth", "wrong")
        assert client.receive().params[2] == 401
        client.send("/mess/status", "auth", "ßecret-of-the-house")
        assert client.receive().address == "/mess/library"
        client.send("/mess/status")
        assert client.receive().params[2] == 401
        client.send("/mess/auth", "ßecret-of-the-house")
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
