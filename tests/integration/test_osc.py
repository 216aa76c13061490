"""The OSC server over real sockets, with a real database and real music."""

from __future__ import annotations

import os
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import psycopg
import pytest
from pythonosc import slip
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import build_msg

from mess_integrations.osc.wire import MAX_REPLY_BYTES
from mess_plugin import audio
from mess_plugin.config import Settings
from mess_plugin.embedded import Endpoints
from mess_plugin.errors import UsageError
from mess_plugin.store import open_store
from tests.audio_files import music, write_audio
from tests.osc_peer import SAMPLES, Client, index_files, packet, rows, server, settings_for

ASYLUM = sorted((SAMPLES / "angelic-asylum").glob("*.o*"))
NOIZ = sorted((SAMPLES / "noiz2sa").glob("*.*"))
INDEXED = [*ASYLUM, *NOIZ]


@pytest.fixture(scope="module")
def library_url(postgres_server: Endpoints, template_database: str) -> Iterator[str]:
    """A database with seven indexed tracks, for all tests of this file."""
    name = "mess_osc"
    with psycopg.connect(postgres_server.database_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template_database}")
        yield postgres_server.database_url.replace("/mess?", f"/{name}?", 1)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def settings(library_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    found = settings_for(tmp_path_factory.mktemp("osc"), library_url)
    with open_store(library_url) as store:
        index_files(store, found, INDEXED)
    return found


@pytest.fixture(scope="module")
def address(settings: Settings) -> Iterator[tuple[str, int]]:
    with server(settings) as where:
        yield where


@pytest.fixture
def client(address: tuple[str, int]) -> Iterator[Client]:
    time.sleep(0.2)  # the allowances of this address fill up between tests
    one = Client(address)
    yield one
    one.close()
    assert all(len(data) <= MAX_REPLY_BYTES for data in one.packets)


def _track_ref(client: Client, path: Path) -> str:
    found = rows(client.ask("/mess/lookup/track", "r", "mess:1", 0.0, 0.0, "k", 20))
    for row in found:
        if row[9] == str(path):
            return str(row[6])
    return "mess:1"


def test_ping(client: Client) -> None:
    client.send("/mess/ping")
    pong = client.receive()
    assert pong.address == "/mess/pong"
    assert pong.params[1] == 1


def test_a_stretch_of_an_indexed_file(client: Client) -> None:
    path = str(ASYLUM[0])
    found = client.ask("/mess/lookup/file", "x", path, 5.0, 15.0, "k", 4)
    assert [one.address for one in found] == [
        "/mess/lookup/ack", *["/mess/lookup/match"] * 4, "/mess/lookup/done",
    ]  # fmt: skip
    matches = rows(found)
    assert [row[1] for row in matches] == [1, 2, 3, 4]
    scores = [float(str(row[3])) for row in matches]
    assert scores == sorted(scores, reverse=True)
    for row in matches:
        assert row[0] == "x"
        assert row[2] == 4
        assert 9.0 < float(str(row[5])) - float(str(row[4])) < 11.0
        assert row[9] != path
        assert Path(str(row[9])) in INDEXED
    assert found[-1].params[:2] == ["x", 4]


def test_a_track_by_id_and_by_words(client: Client) -> None:
    by_words = client.ask("/mess/lookup/track", "w", "farewell obsidian", 0.0, 0.0, "k", 3)
    assert len(rows(by_words)) == 3
    ref = _track_ref(client, ASYLUM[1])
    assert rows(client.ask("/mess/lookup/track", "i", ref, 0.0, 0.0, "k", 3))


def test_the_whole_song_and_its_sections(client: Client) -> None:
    path = str(NOIZ[0])
    songs = rows(client.ask("/mess/lookup/file", "a", path, 0.0, 0.0))
    sections = rows(client.ask("/mess/lookup/file", "a", path, 0.0, 0.0, "scope", "section"))
    assert len(songs) == len(sections) == len(INDEXED) - 1
    refused = client.ask("/mess/lookup/file", "a", path, 1.0, 9.0, "scope", "song")
    assert refused[-1].params[2] == 400


def test_excluded_artists_and_albums_and_low_scores_stay_away(client: Client) -> None:
    path = str(ASYLUM[0])
    plain = rows(client.ask("/mess/lookup/file", "a", path, 0.0, 0.0, "k", 20))
    own_artist = next(str(row[7]) for row in plain if "angelic" in str(row[9]))
    others = rows(client.ask("/mess/lookup/file", "a", path, 0.0, 0.0, "k", 3, "exclude", "artist"))
    assert len(others) == 3
    assert own_artist not in {row[7] for row in others}
    best = float(str(plain[0][3]))
    few = rows(client.ask("/mess/lookup/file", "a", path, 0.0, 0.0, "minscore", best - 1e-4))
    assert [row[6] for row in few] == [plain[0][6]]


@pytest.fixture(scope="module")
def excerpt(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, Path]:
    """Ten seconds from the middle of an indexed file as they are, and slightly noisy in a file.

    The file lies where only the setting roots allows it to be opened.
    """
    with audio.decode(ASYLUM[0], 44100) as decoding:
        sound = np.concatenate(list(decoding))
    rng = np.random.default_rng(1)
    noisy = sound + rng.normal(0, 1e-3, len(sound)).astype(np.float32)
    path = tmp_path_factory.mktemp("projects") / "mix.wav"
    write_audio(path, noisy[None], 44100)
    return sound[44100 * 10 : 44100 * 20], path


def test_a_stretch_of_an_unindexed_file_finds_its_origin(
    settings: Settings,
    excerpt: tuple[np.ndarray, Path],
) -> None:
    path = excerpt[1]
    with server(msgspec.structs.replace(settings, roots=str(path.parent))) as address:
        client = Client(address)
        found = client.ask("/mess/lookup/file", "x", str(path), 10.0, 20.0, "k", 3)
        best = rows(found)[0]
        assert best[9] == str(ASYLUM[0])
        assert float(str(best[3])) > 0.9
        assert abs(float(str(best[4])) - 10.0) < 1.5
        short = client.ask("/mess/lookup/file", "s", str(path), 10.0, 10.5, "k", 3)
        assert rows(short)
        beyond = client.ask("/mess/lookup/file", "s", str(path), 500.0, 510.0)
        assert beyond[-1].params[2] == 400
        assert "ends before" in str(beyond[-1].params[3])
        client.close()


def test_an_upload_finds_its_origin(
    client: Client,
    excerpt: tuple[np.ndarray, Path],
) -> None:
    sound = excerpt[0].astype("<f4").tobytes()
    client.send("/mess/lookup/begin", "u", 44100, 1, len(sound), "f32le")
    size = int(client.until("/mess/lookup/ready")[-1].params[1])
    blocks = [sound[at : at + size] for at in range(0, len(sound), size)]
    for number, block in enumerate(blocks):
        if number != 7:
            client.send("/mess/lookup/data", "u", number, block)
        if number % 50 == 0:
            time.sleep(0.005)
    found = client.ask("/mess/lookup/commit", "u", len(blocks), "k", 2)
    assert found[-1].params[2] == 409
    for missing in map(int, str(found[-1].params[3]).rpartition(": ")[2].split()):
        client.send("/mess/lookup/data", "u", missing, blocks[missing])
    best = rows(client.ask("/mess/lookup/commit", "u", len(blocks), "k", 2))[0]
    assert best[9] == str(ASYLUM[0])
    assert abs(float(str(best[4])) - 10.0) < 1.5


def test_a_new_request_replaces_the_one_with_its_id(client: Client) -> None:
    for number in range(20):
        client.send("/mess/lookup/file", "same", str(INDEXED[number % 7]), 0.0, 10.0, "k", 2)
    seen = client.until("/mess/lookup/done")
    time.sleep(0.5)
    last = str(INDEXED[19 % 7])
    while not client.is_silent(0.3):
        pass
    done = [one for one in seen if one.address == "/mess/lookup/done"]
    assert len(done) == 1
    assert seen[-1].address == "/mess/lookup/done"
    assert last not in {row[9] for row in rows(seen)}
    assert all(row[1] in (1, 2) for row in rows(seen))


def test_two_ids_are_answered_both(client: Client) -> None:
    client.send("/mess/lookup/file", "a", str(ASYLUM[0]), 0.0, 10.0, "k", 2)
    client.send("/mess/lookup/file", "b", str(ASYLUM[1]), 0.0, 10.0, "k", 2)
    found = client.until("/mess/lookup/done") + client.until("/mess/lookup/done")
    assert {row[0] for row in rows(found)} == {"a", "b"}


def test_cancel(client: Client) -> None:
    client.send("/mess/lookup/file", "c", str(ASYLUM[0]), 0.0, 10.0)
    client.send("/mess/cancel", "c")
    found = client.until("/mess/lookup/cancelled")
    assert not rows(found)
    assert client.is_silent(1.0)
    client.send("/mess/cancel", "c")
    assert client.receive().params[2] == 404


def test_status_and_cancelled_nothing(client: Client) -> None:
    client.send("/mess/status")
    library = client.until("/mess/library")[-1].params
    assert library[:2] == [len(INDEXED), len(INDEXED)]
    assert library[3] == "descriptors" or library[3]


def test_answers_go_where_they_are_wanted(client: Client, address: tuple[str, int]) -> None:
    other = Client(address)
    client.send("/mess/lookup/file", "p", str(ASYLUM[0]), 0.0, 10.0, "k", 1, "port", other.port)
    assert other.until("/mess/lookup/done")
    assert client.is_silent()
    client.send("/mess/client/port", other.port)
    assert other.receive().address == "/mess/client/ok"
    client.send("/mess/ping")
    assert other.receive().address == "/mess/pong"
    client.send("/mess/client/port", 0)
    assert client.receive().params == [0]
    other.send("/mess/client/port", 0)
    assert other.receive().params == [0]
    other.close()


@pytest.mark.parametrize("framing", ["size", "slip"])
def test_tcp_in_both_framings(address: tuple[str, int], framing: str) -> None:
    def framed(data: bytes) -> bytes:
        return slip.encode(data) if framing == "slip" else struct.pack(">I", len(data)) + data

    request = packet("/mess/lookup/file", "t", str(ASYLUM[0]), 0.0, 10.0, "k", 3)
    with socket.create_connection(address, timeout=20) as link:
        data = framed(packet("/mess/ping")) + framed(request)
        for at in range(0, len(data), 7):  # in small pieces
            link.sendall(data[at : at + 7])
        received = b""
        while b"/mess/lookup/done" not in received:
            received += link.recv(4096)
    addresses = [OscMessage(one).address for one in _unframed(received, framing)]
    assert addresses[:2] == ["/mess/pong", "/mess/lookup/ack"]
    assert addresses[2:5] == ["/mess/lookup/match"] * 3


def _unframed(data: bytes, framing: str) -> list[bytes]:
    if framing == "slip":
        return [slip.decode(part) for part in data.split(slip.END_END)]
    found = []
    while len(data) >= 4:
        size = int.from_bytes(data[:4], "big")
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return found


def test_news_of_new_tracks(database_url: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, database_url)
    with open_store(database_url) as store, server(settings) as address:
        index_files(store, settings, ASYLUM[:1])
        client = Client(address)
        client.send("/mess/subscribe", 1)
        assert client.receive().params == [1]
        time.sleep(2.5)
        index_files(store, settings, NOIZ[:1])
        event = client.receive(20)
        assert event.address == "/mess/event/indexed"
        assert event.params[3] == str(NOIZ[0])
        assert client.is_silent(2.5)
        client.send("/mess/subscribe", 0)
        assert client.receive().params == [0]
        index_files(store, settings, NOIZ[1:2])
        assert client.is_silent(2.5)
        client.close()


# -- what a stranger may not do ------------------------------------------------------------------


def test_files_outside_the_library_are_refused(client: Client, tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    write_audio(secret, music(6.0), 44100)
    traversal = f"{ASYLUM[0].parent}/../../{os.path.relpath(secret, SAMPLES.parent)}"
    for path in (str(secret), "/etc/passwd", "/nonexistent/x.wav", traversal, "/", "/dev/zero"):
        refusal = client.ask("/mess/lookup/file", "x", path, 0.0, 5.0)[-1]
        assert refusal.params[2] == 403, path
        assert "outside" in str(refusal.params[3])
    for odd in ("relative.wav", "~root/x.wav", "file:///etc/passwd"):
        assert client.ask("/mess/lookup/file", "x", odd, 0.0, 5.0)[-1].params[2] == 400
    refusal = client.ask("/mess/lookup/track", "x", str(secret), 0.0, 5.0)[-1]
    assert refusal.params[2] == 404


def test_links_out_of_the_roots_are_refused(settings: Settings, tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    write_audio(outside / "a.wav", music(6.0), 44100)
    (inside / "link.wav").symlink_to(outside / "a.wav")
    (inside / "folder").symlink_to(outside)
    (inside / "loop").symlink_to(inside / "loop")
    os.mkfifo(inside / "pipe.wav")
    (inside / "text.wav").write_text("no sound")
    with server(msgspec.structs.replace(settings, roots=str(inside))) as address:
        client = Client(address)
        for name, code in (("link.wav", 403), ("folder/a.wav", 403), ("loop", 404),
                           ("pipe.wav", 404), ("gone.wav", 404), ("text.wav", 415)):  # fmt: skip
            found = client.ask("/mess/lookup/file", "x", str(inside / name), 0.0, 5.0)
            assert found[-1].params[2] == code, name
        client.close()


def test_an_indexed_file_may_be_asked_about_wherever_it_lies(
    settings: Settings, tmp_path: Path
) -> None:
    with server(msgspec.structs.replace(settings, roots=str(tmp_path))) as address:
        client = Client(address)
        assert rows(client.ask("/mess/lookup/file", "x", str(ASYLUM[0]), 0.0, 10.0, "k", 1))
        client.close()


def test_what_is_not_for_us_is_not_answered(client: Client) -> None:
    client.send_packet(b"")
    client.send_packet(b"\0" * 64)
    client.send_packet(b"GET / HTTP/1.1\r\n\r\n")
    client.send("/live/song/get/tempo")
    client.send("/mess/error", "", "/mess/ping", 500, "an echo")
    client.send("/mess/lookup/match", "x")
    client.send_packet(packet("/mess/lookup/data", "x", 0, b"z" * 60_000))
    assert client.is_silent()
    client.send("/mess/nothing")
    assert client.receive().params[1:3] == ["/mess/nothing", 404]


def test_a_future_time_tag_is_not_waited_for(client: Client) -> None:
    bundle = OscBundleBuilder(int(time.time()) + 3600)
    bundle.add_content(build_msg("/mess/ping"))
    started = time.monotonic()
    client.send_packet(bundle.build().dgram)
    assert client.receive().address == "/mess/pong"
    assert time.monotonic() - started < 5


def test_a_bundle_that_would_never_end(client: Client) -> None:
    client.send_packet(b"#bundle\0" + bytes(8) + struct.pack(">i", -4))
    client.send("/mess/ping")
    assert client.receive().address == "/mess/pong"


def test_fuzzed_datagrams_do_no_harm(client: Client) -> None:
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
        client.send_packet(bytes(data[: rng.randint(0, len(data))] if rng.random() < 0.3 else data))
    _drain(client)
    time.sleep(2.0)
    client.send("/mess/ping")
    assert client.until("/mess/pong")


def _drain(client: Client) -> int:
    count = 0
    while not client.is_silent(0.5):
        count += 1
    return count


def test_a_flood_gets_few_answers_and_the_server_goes_on(client: Client) -> None:
    for _ in range(5000):
        client.send("/mess/lookup/file", "x", "/etc/passwd", 0.0, 1.0)
    assert _drain(client) < 600
    time.sleep(3.0)
    assert rows(client.ask("/mess/lookup/file", "x", str(ASYLUM[0]), 0.0, 10.0, "k", 1))


def test_many_connections_and_broken_streams(
    client: Client, address: tuple[str, int], eventually: Callable[..., None]
) -> None:
    links = [socket.create_connection(address, timeout=5) for _ in range(60)]
    rng = random.Random(2)
    for link in links:
        try:
            link.sendall(rng.choice([b"\0", b"\xc0", b"GET /", b"\0\0\xff\xff", rng.randbytes(99)]))
        except OSError:
            continue
    client.send("/mess/ping")
    assert client.until("/mess/pong")
    for link in links:
        link.close()

    def is_answered() -> bool:
        try:
            with socket.create_connection(address, timeout=2) as link:
                link.sendall(slip.encode(packet("/mess/ping")))
                return b"/mess/pong" in link.recv(1024)
        except OSError:
            return False

    eventually(is_answered)


def test_the_secret(settings: Settings) -> None:
    with server(msgspec.structs.replace(settings, osc_secret="ßecret")) as address:
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


def test_other_machines_need_the_secret(settings: Settings) -> None:
    with (
        pytest.raises(UsageError, match="MESS_OSC_SECRET"),
        server(msgspec.structs.replace(settings, osc_host="0.0.0.0")),
    ):
        pass


def test_a_taken_port_is_told(settings: Settings, address: tuple[str, int]) -> None:
    with (
        pytest.raises(UsageError, match="running already"),
        server(msgspec.structs.replace(settings, osc_port=address[1])),
    ):
        pass


def test_a_database_that_is_gone_is_told_and_one_that_returns_is_used(
    library_url: str, settings: Settings, postgres_server: Endpoints
) -> None:
    with server(settings) as address:
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
    settings: Settings, tmp_path: Path
) -> None:
    long = tmp_path / "long.wav"
    write_audio(long, music(240.0), 44100)
    with server(msgspec.structs.replace(settings, roots=str(tmp_path))) as address:
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
