"""Requests are checked to the last argument; replies fit into 1,024 bytes; limits hold."""

from __future__ import annotations

import math
import time
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import build_msg

from mess_integrations.osc import replies, requests
from mess_integrations.osc.peers import Ports, Sender
from mess_integrations.osc.requests import (
    BadRequest,
    Begin,
    Commit,
    Data,
    FileLookup,
    Options,
    id_of,
    port_of,
)
from mess_integrations.osc.uploads import MAX_BYTES, MAX_UPLOAD_BYTES, Uploads
from mess_integrations.osc.wire import MAX_REPLY_BYTES, Argument, Message, read_packet
from mess_integrations.rate_limit import ExpiringTable, RateLimit
from mess_plugin.model import Interval, Level, Match, Tags, Track


def _parse(address: str, *arguments: Argument) -> tuple[requests.Request, Options]:
    return requests.parse(Message(address, arguments))


def test_a_lookup_with_every_key() -> None:
    request, options = _parse(
        "/mess/lookup/file", "a", "/m.wav", 1.5, 3.0, "k", 5, "scope", "section",
        "exclude", "artist", "minscore", 0.25, "port", 9000, "auth", "x",
    )  # fmt: skip
    assert request == FileLookup("a", "/m.wav", Interval(1.5, 3.0))
    assert options == Options(5, Level.SECTION, "artist", 0.25, 9000, "x")


def test_numbers_of_either_kind_are_taken() -> None:
    request, options = _parse("/mess/lookup/file", 7.0, "/m.wav", 1, 3, "k", 5.0)
    assert request == FileLookup("7", "/m.wav", Interval(1.0, 3.0))
    assert options.k == 5


def test_times_may_be_texts() -> None:
    request, _ = _parse("/mess/lookup/file", "a", "/m.wav", "0:34", "1:02.5")
    assert request == FileLookup("a", "/m.wav", Interval(34.0, 62.5))


@pytest.mark.parametrize("times", [(0.0, 0.0), (5.0, 2.0), (-3.0, -1.0)])
def test_an_end_that_is_not_behind_the_start_means_everything(times: tuple[float, float]) -> None:
    request, _ = _parse("/mess/lookup/track", "a", "mess:1", *times)
    assert isinstance(request, requests.TrackLookup)
    assert request.interval is None


@pytest.mark.parametrize(
    ("address", "arguments", "code", "text"),
    [
        ("/mess/nothing", (), 404, "no address /mess/nothing"),
        ("/mess/lookup/file", (), 400, "argument 1 (id) is missing"),
        ("/mess/lookup/file", ("",), 400, "the id must be"),
        ("/mess/lookup/file", ("x" * 65,), 400, "the id must be"),
        ("/mess/lookup/file", ("a", 3.0), 400, "path) must be a string"),
        ("/mess/lookup/file", ("a", "/" + "x" * 5000, 0.0, 0.0), 400, "bytes long"),
        ("/mess/lookup/file", ("a", "/m", math.nan, 1.0), 400, "start is nan"),
        ("/mess/lookup/file", ("a", "/m", 1.0, math.inf), 400, "end is inf"),
        (
            "/mess/lookup/file",
            ("a", "/m", 0.0, "x"),
            400,
            "end 'x': wanted seconds, or minutes and seconds",
        ),
        ("/mess/lookup/file", ("a", "/m", 0.0, 1.0, "k", 101), 400, "k is 101"),
        ("/mess/lookup/file", ("a", "/m", 0.0, 1.0, "k", 0), 400, "k is 0"),
        ("/mess/lookup/file", ("a", "/m", 0.0, 1.0, "k", 2.5), 400, "whole number"),
        ("/mess/lookup/file", ("a", "/m", 0.0, 1.0, "k"), 400, "(k) is missing"),
        ("/mess/lookup/file", ("a", "/m", 0.0, 1.0, "kk", 1), 400, "unknown key 'kk'"),
        ("/mess/lookup/file", ("a", "/m", 0.0, 1.0, 5, 1), 400, "unknown key 5"),
        ("/mess/lookup/file", ("a", "/m", 0.0, 1.0, "scope", "window"), 400, "scope is"),
        ("/mess/lookup/file", ("a", "/m", 0.0, 1.0, "port", 80), 400, "port is 80"),
        ("/mess/lookup/begin", ("a", 10, 2, 8, "f32le"), 400, "rate is 10"),
        ("/mess/lookup/begin", ("a", 44100, 2, 8, "mp3"), 400, "format is"),
        ("/mess/lookup/data", ("a", 0, "text"), 400, "must be a blob"),
        ("/mess/client/port", (80,), 400, "port is 80"),
        ("/mess/subscribe", (7,), 400, "on is 7"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(
    address: str, arguments: tuple[Argument, ...], code: int, text: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        _parse(address, *arguments)
    assert caught.value.code == code
    assert text in str(caught.value)


@given(
    st.sampled_from(sorted(requests.ADDRESSES)),
    st.lists(
        st.one_of(st.integers(-(2**31), 2**31 - 1), st.floats(width=32), st.text(max_size=20),
                  st.binary(max_size=20), st.sampled_from(["k", "port", "scope", "auth"])),
        max_size=10,
    ),
)  # fmt: skip
def test_any_arguments_are_taken_or_refused(address: str, arguments: list[Argument]) -> None:
    code = 0
    try:
        requests.parse(Message(address, tuple(arguments)))
    except BadRequest as error:
        code = error.code
    assert code in (0, 400)


_PACKETS = [
    build_msg(address, [{"s": "f32le", "i": 2, "f": 1.5, "b": b"x"}[tag] for tag in types]).dgram
    if types
    else build_msg(address).dgram
    for address, (types, _) in requests.ADDRESSES.items()
]


@given(st.data())
def test_any_datagram_is_a_request_or_refused_and_can_be_answered(data: st.DataObject) -> None:
    packet = bytearray(data.draw(st.sampled_from(_PACKETS) | st.binary(max_size=120)))
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, len(packet)))
        packet[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    try:
        messages = read_packet(bytes(packet))
    except ValueError:
        return
    for message in messages:
        assert port_of(message) in (0, *range(1024, 65536))
        with suppress(BadRequest):
            requests.parse(message)
        assert len(replies.error(id_of(message), message.address, 400, "no")) <= MAX_REPLY_BYTES


def _track(path: str, **tags: str) -> Track:
    return Track(12, 61.5, Tags(**tags), (path,))  # type: ignore[arg-type]


def test_a_match_row() -> None:
    track = _track("/music/a.flac", artist="Ann", title="Song")
    one = Match(2, 0.75, track, Interval(0.0, 4.0), Interval(8.5, 12.5))
    message = OscMessage(replies.match("id", one, 10))
    assert message.address == "/mess/lookup/match"
    expected = ["id", 2, 10, 0.75, 8.5, 12.5, "mess:12", "Ann", "Song", "/music/a.flac"]
    assert message.params == expected


def test_a_match_without_a_stretch_is_the_whole_track() -> None:
    message = OscMessage(replies.match("id", Match(1, 1.0, _track("/a"), None, None), 1))
    assert message.params[4:6] == [0.0, 61.5]


@given(st.text(max_size=400), st.text(max_size=400), st.text(max_size=1500))
def test_every_row_fits_and_keeps_the_end_of_the_path(artist: str, title: str, path: str) -> None:
    track = _track("/" + path, artist=artist, title=title)
    for packet in (replies.match("x" * 64, Match(1, 1.0, track, None, None), 1),
                   replies.indexed(track)):  # fmt: skip
        assert len(packet) <= MAX_REPLY_BYTES
        sent = OscMessage(packet).params[-1]
        assert sent.startswith(("/", "…"))


def test_the_path_is_cut_first() -> None:
    track = _track("/" + "deep/" * 300 + "song.wav", artist="A" * 150, title="T" * 150)
    artist, title, path = OscMessage(
        replies.match("a", Match(1, 1.0, track, None, None), 1)
    ).params[-3:]
    assert (artist, title) == ("A" * 150, "T" * 150)
    assert path.startswith("…")
    assert path.endswith("/song.wav")


def test_every_reply_is_of_the_types_that_are_stated() -> None:
    track = _track("/a")
    packets = [
        replies.pong("1"), replies.auth_ok(), replies.client_ok(9), replies.ack("a", "queued", 1.0),
        replies.ready("a", 1), replies.match("a", Match(1, 1.0, track, None, None), 1),
        replies.done("a", 1, 1.0), replies.cancelled("a"), replies.subscribed(True),
        replies.library(1, 2, 3.0, "e", 0, 0), replies.indexed(track),
        replies.error("a", "/x", 400, "x" * 5000), replies.excerpt_ready("a", "/" + "x" * 2000),
    ]  # fmt: skip
    seen = {}
    for packet in packets:
        address = OscMessage(packet).address
        tags_at = (len(address) // 4 + 1) * 4
        seen[address] = packet[tags_at + 1 : packet.index(b"\0", tags_at)].decode()
        assert len(packet) <= MAX_REPLY_BYTES
    assert seen == {address: tags for address, (tags, _) in replies.ADDRESSES.items()}


def test_an_allowance_runs_out_for_one_address_and_fills_again() -> None:
    allowance = RateLimit(50, 3)
    assert [allowance.admits("a") for _ in range(5)] == [True, True, True, False, False]
    assert allowance.admits("b")
    time.sleep(0.05)
    assert allowance.admits("a")


def test_a_table_forgets_what_was_not_used_for_longest() -> None:
    table: ExpiringTable[str, int] = ExpiringTable(2)
    table.put("a", 1)
    table.put("b", 2)
    assert table.get("a") == 1
    table.put("c", 3)
    assert (table.get("a"), table.get("b"), table.get("c")) == (1, None, 3)


def test_a_table_forgets_what_is_too_old() -> None:
    table: ExpiringTable[str, int] = ExpiringTable(2, lifetime_s=0.01)
    table.put("a", 1)
    time.sleep(0.02)
    assert table.values() == []
    assert table.get("a") is None


def test_where_answers_go() -> None:
    ports = Ports(fixed=9999)
    daw, tool = Sender("1.2.3.4", 500), Sender("1.2.3.4", 600)
    assert ports.of(daw, 0) == 9999
    ports.note(daw, 7000)
    assert (ports.of(daw, 0), ports.of(tool, 0), ports.of(tool, 8000)) == (7000, 7000, 8000)
    ports.note(tool, 0)
    assert (ports.of(daw, 0), ports.of(tool, 0)) == (7000, 600)
    assert ports.of(Sender("5.6.7.8", 500), 0) == 9999


def _begin(n_bytes: int, sample_format: str = "f32le", channels: int = 2) -> Begin:
    return Begin("u", 8000, channels, n_bytes, sample_format)


def test_an_upload_in_any_order_with_doubles() -> None:
    frames = np.random.default_rng(0).uniform(-1, 1, (500, 2)).astype("<f4")
    sound = frames.tobytes()
    blocks = [Data("u", i, sound[at : at + 1024]) for i, at in enumerate(range(0, 4000, 1024))]
    uploads = Uploads()
    uploads.begin(("me", "u"), _begin(4000))
    for block in (*reversed(blocks), blocks[1]):
        uploads.add(("me", "u"), block)
    recording = uploads.commit(("me", "u"), Commit("u", 4)).recording()
    np.testing.assert_allclose(recording.waveform, frames.mean(axis=1), atol=1e-7)
    assert recording.rate_hz == 8000


def test_whole_numbers_are_scaled() -> None:
    uploads = Uploads()
    uploads.begin("k", _begin(4, "s16le", 1))  # type: ignore[arg-type]
    uploads.add("k", Data("u", 0, np.array([-32768, 16384], "<i2").tobytes()))  # type: ignore[arg-type]
    upload = uploads.commit("k", Commit("u", 1))  # type: ignore[arg-type]
    assert upload.recording().waveform.tolist() == [-1.0, 0.5]


def test_missing_blocks_are_named_and_may_follow() -> None:
    uploads = Uploads()
    key = ("me", "u")
    uploads.begin(key, _begin(24))
    uploads.add(key, Data("u", 1, bytes(8)))
    with pytest.raises(BadRequest, match="2 blocks are missing: 0 2"):
        uploads.commit(key, Commit("u", 3))
    uploads.add(key, Data("u", 0, bytes(8)))
    uploads.add(key, Data("u", 2, bytes(8)))
    assert len(uploads.commit(key, Commit("u", 3)).recording().waveform) == 3


@pytest.mark.parametrize(
    ("begin", "blocks", "n_blocks", "text"),
    [
        (_begin(MAX_UPLOAD_BYTES + 8), [], 0, "at most"),
        (_begin(12), [], 0, "multiple of 8"),
        (_begin(8), [bytes(16)], 1, "more than the 8 bytes"),
        (_begin(8), [b""], 1, "a block of 0 bytes"),
        (_begin(80_000), [bytes(9000)], 1, "a block of 9000 bytes"),
        (_begin(16), [bytes(8)], 1, "8 bytes came"),
        (_begin(16), [bytes(8)], 99, "99 blocks cannot"),
        (_begin(8), [np.array([1, np.nan], "<f4").tobytes()], 1, "not sound"),
        (_begin(8), [np.array([1, 1e30], "<f4").tobytes()], 1, "not sound"),
    ],
)
def test_a_wrong_upload_is_refused(
    begin: Begin, blocks: list[bytes], n_blocks: int, text: str
) -> None:
    with pytest.raises(BadRequest, match=text):
        _upload(begin, blocks, n_blocks)


def _upload(begin: Begin, blocks: list[bytes], n_blocks: int) -> None:
    uploads = Uploads()
    uploads.begin(("me", "u"), begin)
    for number, block in enumerate(blocks):
        uploads.add(("me", "u"), Data("u", number, block))
    uploads.commit(("me", "u"), Commit("u", n_blocks)).recording()


def test_small_blocks_and_impossible_numbers_cost_nothing() -> None:
    uploads = Uploads()
    key = ("me", "u")
    uploads.begin(key, _begin(MAX_UPLOAD_BYTES))
    with pytest.raises(BadRequest, match="16000000 blocks cannot make"):
        uploads.commit(key, Commit("u", 16_000_000))
    with pytest.raises(BadRequest, match="so send larger ones"):
        uploads.add(key, Data("u", 2**31 - 1, b"x"))
    most = MAX_UPLOAD_BYTES // 500
    for number in range(most):
        with suppress(BadRequest):
            uploads.add(key, Data("u", number, b"x"))
    with pytest.raises(BadRequest, match="so send larger ones"):
        uploads.add(key, Data("u", most, b"x"))


def test_nobody_ends_the_upload_of_another() -> None:
    uploads = Uploads()
    uploads.begin(("me", "u"), _begin(8), "me")
    refused = 0
    for stranger in range(4):
        for number in range(8):
            try:
                uploads.begin((stranger, str(number)), _begin(8), stranger)
            except BadRequest as error:
                refused += error.code in (429, 503)
    assert refused > 0
    uploads.add(("me", "u"), Data("u", 0, bytes(8)))
    assert len(uploads.commit(("me", "u"), Commit("u", 1)).recording().waveform) == 1


def test_what_is_announced_is_bounded_altogether() -> None:
    uploads = Uploads()
    announced = 0
    for client in range(8):
        with suppress(BadRequest):
            uploads.begin((client, "u"), _begin(MAX_UPLOAD_BYTES), client)
            announced += MAX_UPLOAD_BYTES
    assert announced == MAX_BYTES


def test_a_path_may_be_bytes_that_are_no_text_and_nothing_else_may() -> None:
    odd = "/music/caf\udce9.flac"
    request, _ = _parse("/mess/lookup/file", "a", odd, 0.0, 0.0)
    assert request == FileLookup("a", odd, None)
    for address, arguments in (
        ("/mess/lookup/file", ("a\udce9", "/m", 0.0, 0.0)),
        ("/mess/lookup/file", ("a", "/m", 0.0, 0.0, "scope", "s\udce9")),
        ("/mess/lookup/file", ("a", "/m", 0.0, 0.0, "\udce9", 1)),
        ("/mess/lookup/track", ("a", "caf\udce9", 0.0, 0.0)),
        ("/mess/auth", ("\udce9",)),
    ):
        with pytest.raises(BadRequest) as refusal:
            _parse(address, *arguments)
        assert refusal.value.code == 400


def test_the_port_of_a_wrong_request_is_found() -> None:
    assert port_of(Message("/mess/lookup/file", ("a", "/m", "x", "port", 9000))) == 9000
    assert port_of(Message("/mess/lookup/file", ("a", "port", 80))) == 0
    assert port_of(Message("/mess/lookup/file", ("port",))) == 0


def test_an_upload_belongs_to_who_began_it() -> None:
    uploads = Uploads()
    uploads.begin(("me", "u"), _begin(8))
    with pytest.raises(BadRequest, match="no such upload"):
        uploads.add(("you", "u"), Data("u", 0, bytes(8)))
