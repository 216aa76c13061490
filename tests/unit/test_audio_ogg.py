"""Ogg files put together from several, and Vorbis files with their headers said twice."""

from __future__ import annotations

import struct
from pathlib import Path

import mutagen
import numpy as np
import pytest

from mess_plugin.audio import decode, identify, probe
from mess_plugin.errors import AudioError
from mess_plugin.library.tags import read_tags
from mess_plugin.model import Interval, Waveform
from tests.audio_files import music, write_audio

RATE_HZ = 24_000


def whole(path: Path, interval: Interval | None = None) -> Waveform:
    return np.concatenate(list(decode(path, RATE_HZ, interval=interval)))


def joined(path: Path, *parts: Path) -> Path:
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


@pytest.fixture
def parts(tmp_path: Path) -> dict[str, Path]:
    """Short songs that differ in rate, channels and codec."""
    songs = {
        "stereo.opus": (music(5.0, 48_000), 48_000),
        "mono.opus": (music(4.0, 48_000, channels=1, seed=1), 48_000),
        "44.ogg": (music(5.0, seed=2), 44_100),
        "22.ogg": (music(6.0, 22_050, seed=3), 22_050),
    }
    return {
        name: write_audio(tmp_path / name, samples, rate_hz)
        for name, (samples, rate_hz) in songs.items()
    }


CHAINS = [
    ("stereo.opus", "stereo.opus"),
    ("stereo.opus", "mono.opus", "stereo.opus"),
    ("44.ogg", "22.ogg"),
    ("22.ogg", "44.ogg", "22.ogg"),
    ("44.ogg", "stereo.opus", "mono.opus"),
]


@pytest.mark.parametrize("names", CHAINS)
def test_every_part_of_a_chain_is_heard_in_its_place(
    names: tuple[str, ...], parts: dict[str, Path], tmp_path: Path
) -> None:
    path = joined(tmp_path / "chain.ogg", *(parts[name] for name in names))
    decoding = decode(path, RATE_HZ)
    found = np.concatenate(list(decoding))
    expected = np.concatenate([whole(parts[name]) for name in names])
    assert decoding.damage is None
    assert len(found) == pytest.approx(len(expected), abs=2 * len(names))
    at = 0
    for name in names:
        part = whole(parts[name])
        middle = found[at + 1000 : at + len(part) - 1000]
        assert np.corrcoef(middle, part[1000:-1000][: len(middle)])[0, 1] > 0.99, name
        at += len(part)
    assert probe(path).duration_s == pytest.approx(len(expected) / RATE_HZ, abs=0.02)
    interval = Interval(4.0, 7.5)
    np.testing.assert_allclose(
        whole(path, interval), found[4 * RATE_HZ : round(7.5 * RATE_HZ)], atol=1e-6
    )


def test_a_chain_is_another_recording_than_its_parts(
    parts: dict[str, Path], tmp_path: Path
) -> None:
    chains = [
        joined(tmp_path / f"{i}.ogg", *(parts[name] for name in names))
        for i, names in enumerate(CHAINS)
    ]
    identities = {identify(path) for path in (*parts.values(), *chains)}
    assert len(identities) == len(parts) + len(chains)


def test_a_part_that_is_damaged_or_cut_is_told(parts: dict[str, Path], tmp_path: Path) -> None:
    first, second, third = (parts[name].read_bytes() for name in CHAINS[1])
    path = tmp_path / "a.opus"
    path.write_bytes(first + second[:28] + bytes(len(second) - 28) + third)
    decoding = decode(path, RATE_HZ)
    assert sum(map(len, decoding)) / RATE_HZ == pytest.approx(10.0, abs=0.1)
    assert decoding.damage == "1 damaged packet"
    hole = bytearray(second)
    hole[len(hole) // 3 : len(hole) * 2 // 3] = bytes(len(hole) * 2 // 3 - len(hole) // 3)
    path.write_bytes(first + hole + third)
    decoding = decode(path, RATE_HZ)
    assert sum(map(len, decoding)) / RATE_HZ == pytest.approx(14.0, abs=0.1)
    assert decoding.damage is not None
    assert "of 14.0 s lost" in decoding.damage


def test_a_chain_of_nothing_but_damage_is_refused(parts: dict[str, Path], tmp_path: Path) -> None:
    head = parts["stereo.opus"].read_bytes()[:47]
    path = tmp_path / "a.opus"
    path.write_bytes((head + bytes(1000)) * 3)
    for use in (lambda: whole(path), lambda: identify(path)):
        with pytest.raises(AudioError) as caught:
            use()
        assert caught.value.kind == "damaged"


def pages(data: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """(header, lacing, body) of each page."""
    found, at = [], 0
    while at < len(data):
        assert data[at : at + 4] == b"OggS"
        lacing = data[at + 27 : at + 27 + data[at + 26]]
        body_at = at + 27 + len(lacing)
        at_end = body_at + sum(lacing)
        found.append((data[at : at + 27], lacing, data[body_at:at_end]))
        at = at_end
    return found


def page(header: bytes, packets: list[bytes]) -> bytes:
    lacing = b"".join(bytes([255] * (len(p) // 255) + [len(p) % 255]) for p in packets)
    raw = header[:22] + bytes(4) + bytes([len(lacing)]) + lacing + b"".join(packets)
    register = 0
    for byte in raw:
        register ^= byte << 24
        for _ in range(8):
            register = (register << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if register >> 31 else 0)
    return raw[:22] + struct.pack("<I", register) + raw[26:]


def packets_of(lacing: bytes, body: bytes) -> list[bytes]:
    packets, at, size = [], 0, 0
    for value in lacing:
        size += value
        if value < 255:
            packets.append(body[at : at + size])
            at, size = at + size, 0
    assert at == len(body), "the last packet goes on in the next page"
    return packets


def with_headers_again(data: bytes) -> bytes:
    """The headers once more in front of the first sound, as some taggers leave the old ones behind.

    That is how three files of Debian's hyperrogue-music are: libvorbis passes over the packets.
    """
    all_pages = pages(data)
    headers: list[bytes] = []
    index = -1
    while len(headers) < 3:
        index += 1
        headers += packets_of(*all_pages[index][1:])
    header, lacing, body = all_pages[index + 1]
    old = headers[1].replace(b"new title", b"old title")
    sound = packets_of(lacing, body)
    at_start = header[:6] + bytes(8) + header[14:]  # the first packet gives no samples yet
    doubled = page(at_start, [headers[0], old, headers[2], sound[0]])
    rest = [(header, sound[1:])]
    rest += [(header, packets_of(lacing, body)) for header, lacing, body in all_pages[index + 2 :]]
    numbered = [
        page(header[:18] + struct.pack("<I", number) + header[22:], packets)
        for number, (header, packets) in enumerate(rest, start=index + 2)
    ]
    before = [header + lacing + body for header, lacing, body in all_pages[: index + 1]]
    return b"".join([*before, doubled, *numbered])


@pytest.fixture
def repeated(tmp_path: Path) -> tuple[Path, Path]:
    """A Vorbis file, and the same with its headers said twice."""
    plain = write_audio(tmp_path / "plain.ogg", music(8.0))
    file = mutagen.File(plain)
    file["title"] = "new title"
    file.save()
    path = tmp_path / "repeated.ogg"
    path.write_bytes(with_headers_again(plain.read_bytes()))
    return plain, path


def test_headers_that_come_again_are_passed_over(repeated: tuple[Path, Path]) -> None:
    plain, path = repeated
    decoding = decode(path, RATE_HZ)
    np.testing.assert_array_equal(np.concatenate(list(decoding)), whole(plain))
    assert decoding.damage is None
    assert identify(path) == identify(plain)
    assert read_tags(path).title == "new title"


def test_such_a_file_within_a_chain(repeated: tuple[Path, Path], tmp_path: Path) -> None:
    plain, path = repeated
    chain = joined(tmp_path / "chain.ogg", plain, path)
    assert len(whole(chain)) == pytest.approx(2 * len(whole(plain)), abs=4)
