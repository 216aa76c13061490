"""Every ending that a walk takes for audio can be heard, or the refusal says clearly why not."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from mess_plugin import audio
from mess_plugin.errors import AudioError
from mess_plugin.library.tags import read_tags
from tests.audio_files import music, write_audio


def write_dsdiff(path: Path, seconds: int = 2) -> Path:
    """A tone as one bit, 2,822,400 times a second, by a modulator of first order."""
    t = np.arange(seconds * 2_822_400) / 2_822_400
    bits = np.diff(np.floor(np.cumsum((0.4 * np.sin(2 * np.pi * 440 * t) + 1) / 2)), prepend=0) > 0
    packed = np.packbits(bits)

    def chunk(name: bytes, body: bytes) -> bytes:
        return name + struct.pack(">Q", len(body)) + body + b"\0" * (len(body) % 2)

    properties = (
        chunk(b"FS  ", struct.pack(">I", 2_822_400))
        + chunk(b"CHNL", struct.pack(">H", 2) + b"SLFTSRGT")
        + chunk(b"CMPR", b"DSD \x0enot compressed\0")
    )
    body = b"DSD " + chunk(b"FVER", struct.pack(">I", 0x01050000))
    body += chunk(b"PROP", b"SND " + properties)
    body += chunk(b"DSD ", np.repeat(packed, 2).tobytes())
    path.write_bytes(b"FRM8" + struct.pack(">Q", len(body)) + body)
    return path


@pytest.mark.parametrize(
    ("ending", "container", "codec"),
    [
        (".webm", "webm", "libopus"),
        (".mkv", "matroska", "flac"),
        (".mka", "matroska", "flac"),
        (".m4r", "ipod", "aac"),
        (".bwf", "wav", "pcm_s16le"),
        (".mpga", "mp3", "libmp3lame"),
        (".3gp", "3gp", "aac"),
    ],
)
def test_less_common_endings(tmp_path: Path, ending: str, container: str, codec: str) -> None:
    path = tmp_path / f"a{ending}"
    write_audio(path, music(4.0, 48000, seed=1), 48000, container=container, codec=codec)
    check(path, 4.0)


def test_dsdiff(tmp_path: Path) -> None:
    check(write_dsdiff(tmp_path / "a.dff"), 2.0)


def check(path: Path, seconds: float) -> None:
    assert audio.is_audio(path)
    with audio.decode(path, 24000) as decoding:
        samples = np.concatenate(list(decoding))
        assert decoding.damage is None
    assert len(samples) / 24000 == pytest.approx(seconds, abs=0.1)
    assert np.abs(samples).max() > 0.1
    assert audio.identify(path)
    read_tags(path)


def test_a_film_without_sound_is_refused_with_a_clear_line(tmp_path: Path) -> None:
    import av

    path = tmp_path / "a.mkv"
    with av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream("mpeg4", rate=5, width=64, height=64)
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(AudioError, match="no sound"):
        audio.identify(path)
