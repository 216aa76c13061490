"""Packets from strangers are read or refused; what is sent can be read by everybody."""

from __future__ import annotations

import asyncio
import os
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pythonosc import slip
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import build_msg

from mess_integrations.osc.framing import STREAM_LIMIT_BYTES, Framing, detect, packets
from mess_integrations.osc.wire import (
    MAX_PACKET_BYTES,
    Message,
    read_packet,
    shorten,
    shorten_path,
    write_message,
)


def test_reads_a_message_with_all_four_types() -> None:
    packet = build_msg("/mess/x", [1, 2.5, "drei", b"\0\1"]).dgram
    assert read_packet(packet) == [Message("/mess/x", (1, 2.5, "drei", b"\0\1"))]


def test_reads_a_message_without_type_tags() -> None:
    assert read_packet(b"/mess/ping\0\0") == [Message("/mess/ping")]


def test_reads_nested_bundles_in_order_whatever_their_time_tag() -> None:
    inner = OscBundleBuilder(2_080_000_000)  # in some years
    inner.add_content(build_msg("/b"))
    outer = OscBundleBuilder(0)
    for content in (build_msg("/a"), inner.build(), build_msg("/c")):
        outer.add_content(content)
    assert [m.address for m in read_packet(outer.build().dgram)] == ["/a", "/b", "/c"]


@pytest.mark.parametrize("size", [-4, -16, 0, 3, 1 << 30])
def test_refuses_a_bundle_with_an_element_of_impossible_size(size: int) -> None:
    bundle = b"#bundle\0" + bytes(8) + struct.pack(">i", size) + b"/a\0\0,\0\0\0"
    with pytest.raises(ValueError, match="bundle"):
        read_packet(bundle)


def test_refuses_a_bundle_of_very_many_messages() -> None:
    element = struct.pack(">i", 8) + b"/a\0\0,\0\0\0"
    with pytest.raises(ValueError, match="messages"):
        read_packet(b"#bundle\0" + bytes(8) + element * 65)


def test_refuses_bundles_nested_very_deeply() -> None:
    packet = b"/a\0\0,\0\0\0"
    for _ in range(600):
        packet = b"#bundle\0" + bytes(8) + struct.pack(">i", len(packet)) + packet
    if len(packet) <= MAX_PACKET_BYTES:
        assert [m.address for m in read_packet(packet)] == ["/a"]
    with pytest.raises(ValueError, match="bytes"):
        read_packet(packet + bytes(MAX_PACKET_BYTES))


@pytest.mark.parametrize("value", [True, None, 1 << 40, [1, 2]])
def test_tells_the_types_that_it_does_not_take(value: object) -> None:
    (message,) = read_packet(build_msg("/mess/x", [value]).dgram)
    assert message.problem is not None
    assert "type tag" in message.problem


def test_tells_that_there_are_too_many_arguments() -> None:
    (message,) = read_packet(build_msg("/mess/x", [1] * 65).dgram)
    assert message.problem == "more than 64 arguments"


@pytest.mark.parametrize(
    "packet",
    [b"", b"x", b"/", b"\xff" * 100, b"/a\0\0,s\0\0", b"/a\0\0x\0\0\0", b"/\xff\0\0,\0\0\0",
     b"/a\0\0,s\0\0\xff\xfe\x01\x02", b"/a\0\0,b\0\0\xff\xff\xff\xff",
     b"/a\0\0,b\0\0\x7f\xff\xff\xff", b"#bundle\0\0"],
)  # fmt: skip
def test_refuses_what_is_no_osc(packet: bytes) -> None:
    if packet == b"#bundle\0\0":
        assert read_packet(packet) == []
        return
    with pytest.raises(ValueError):  # noqa: PT011  many kinds of nonsense, one kind of answer
        read_packet(packet)


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", b"/mess/ping\0\0", b"#bundle\0", b"/a\0\0,"]))
def test_any_bytes_are_read_or_refused(noise: bytes, head: bytes) -> None:
    try:
        messages = read_packet(head + noise)
    except ValueError:
        return
    assert all(isinstance(message, Message) for message in messages)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_request_is_read_or_refused(data: st.DataObject) -> None:
    packet = bytearray(build_msg("/mess/lookup/file", ["1", "/a.wav", 1.0, 2.0, "k", 3]).dgram)
    for _ in range(data.draw(st.integers(1, 6))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_packet(bytes(packet))
    except ValueError:
        return


def test_writes_only_the_types_that_everybody_reads() -> None:
    packet = write_message("/mess/x", "a", 1 << 40, 0.5)
    assert b",sif\0" in packet
    assert OscMessage(packet).params == ["a", 2**31 - 1, 0.5]


def test_writes_odd_bytes_as_escapes() -> None:
    odd = b"caf\xe9\0.wav".decode("utf-8", "surrogateescape")
    assert OscMessage(write_message("/mess/x", odd)).params == ["caf\\udce9 .wav"]


@given(st.text(max_size=80), st.integers(3, 60))
def test_shortened_text_fits_and_keeps_its_beginning(text: str, most: int) -> None:
    short = shorten(text, most)
    assert len(short.encode()) <= most
    if short.strip("…") and "\\" not in short and "\0" not in text:
        assert text.startswith(short.removesuffix("…"))


@given(st.binary(max_size=80), st.integers(3, 60))
def test_a_shortened_path_fits_and_keeps_its_end(name: bytes, most: int) -> None:
    name = name.replace(b"\0", b"")
    short = shorten_path(os.fsdecode(name), most)
    assert len(short) <= most
    assert name.endswith(short.removeprefix("…".encode()))
    if len(name) <= most:
        assert short == name


def test_a_string_that_is_no_text_arrives_and_leaves_as_it_is() -> None:
    packet = b"/mess/x\0,sf\0caf\xe9.wav\0\0\0\0" + struct.pack(">f", 1.5)
    (message,) = read_packet(packet)
    assert message.arguments == ("caf\udce9.wav", 1.5)
    assert write_message("/mess/x", os.fsencode("caf\udce9.wav"), 1.5) == packet


@given(st.lists(
    st.integers(1 - 2**31, 2**31 - 1) | st.floats(width=32, allow_nan=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
    | st.binary(min_size=1, max_size=12),
    min_size=1, max_size=12,
))  # fmt: skip
def test_messages_are_read_as_python_osc_writes_them(
    values: list[int | float | str | bytes],
) -> None:
    assert read_packet(build_msg("/mess/x", values).dgram)[0].arguments == tuple(values)
    plain = [value for value in values if not isinstance(value, bytes)]
    if plain:
        assert OscMessage(write_message("/mess/x", *plain)).params == plain


def _stream(data: bytes) -> list[bytes]:
    async def read() -> list[bytes]:
        reader = asyncio.StreamReader(limit=STREAM_LIMIT_BYTES)
        reader.feed_data(data)
        reader.feed_eof()
        framing = await detect(reader)
        return [packet async for packet in packets(reader, framing)]

    return asyncio.run(read())


PACKETS = [build_msg("/a", [1]).dgram, build_msg("/b", [b"\xc0\xdb\xdc\xdd"]).dgram]


@pytest.mark.parametrize("framing", list(Framing))
def test_both_framings_come_back_as_they_went(framing: Framing) -> None:
    assert _stream(b"".join(map(framing.frame, PACKETS))) == PACKETS


def test_slip_with_single_ends_is_read_too() -> None:
    assert (
        _stream(
            slip.END + slip.END.join(slip.encode(p).strip(slip.END) for p in PACKETS) + slip.END
        )
        == PACKETS
    )


@pytest.mark.parametrize(
    "data",
    [b"", b"GET / HTTP/1.1\r\n\r\n", b"\0", b"\0\0\0\0", b"\0\1\0\0abc", b"\0\0\0\x08/a\0\0",
     b"\xc0" + b"a" * (STREAM_LIMIT_BYTES + 1), b"\xc0/a\0\0\xdb\xc0", b"\xc0abc"],
)  # fmt: skip
def test_a_broken_stream_ends_in_an_error(data: bytes) -> None:
    with pytest.raises((ValueError, EOFError)):
        _stream(data)
