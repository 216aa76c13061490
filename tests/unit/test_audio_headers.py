"""Headers that contradict the sound behind them: the sound is heard, or an AudioError says why not."""

from __future__ import annotations

import os
import struct
import subprocess
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mess_plugin.audio import Decoding, decode, identify, probe
from mess_plugin.errors import AudioError
from mess_plugin.facets.extract import hear_facets
from mess_plugin.library.tags import read_tags
from mess_plugin.model import Interval, Waveform
from tests.audio_files import music, noise, write_audio

RATE_HZ = 24_000
EXAMPLES = int(os.environ.get("MESS_EXAMPLES", "200"))
PCM_SUBFORMAT = bytes.fromhex("0100000000001000800000aa00389b71")
SOUND = (music(4.0) + noise(4.0, amplitude=0.01))[:2]
WHOLE = (SOUND * 2**31).clip(-(2**31), 2**31 - 1).astype("<i4")  # (2, n)


def wav(path: Path, fmt: bytes, data: bytes, before: bytes = b"") -> Path:
    body = b"WAVE" + b"fmt " + struct.pack("<I", len(fmt)) + fmt + before
    body += b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


def fmt_chunk(
    channels: int = 2,
    rate_hz: int = 44_100,
    bits: int = 16,
    *,
    tag: int = 1,
    byte_rate: int | None = None,
    block_bytes: int | None = None,
    valid_bits: int | None = None,
) -> bytes:
    block = channels * bits // 8 if block_bytes is None else block_bytes
    rate = rate_hz * block if byte_rate is None else byte_rate
    if valid_bits is not None:
        tag = 0xFFFE
    plain = struct.pack("<HHIIHH", tag, channels, rate_hz, rate, block, bits)
    if valid_bits is None:
        return plain
    return plain + struct.pack("<HHI", 22, valid_bits, 3) + PCM_SUBFORMAT


def pcm(bits: int, samples: np.ndarray = WHOLE) -> bytes:
    """Interleaved, the highest bits of each sample."""
    octets = np.ascontiguousarray(samples.T).view(np.uint8).reshape(-1, 4)
    return octets[:, 4 - bits // 8 :].tobytes()


def sound(decoding: Decoding) -> Waveform:
    return np.concatenate(list(decoding))


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Waveform:
    path = tmp_path_factory.mktemp("reference") / "a.wav"
    return sound(decode(wav(path, fmt_chunk(), pcm(16)), RATE_HZ))


def assert_is(decoding: Decoding, expected: Waveform, tolerance: float = 1e-4) -> None:
    found = sound(decoding)
    assert len(found) == len(expected)
    np.testing.assert_allclose(found, expected, atol=tolerance)
    assert decoding.damage is None


@pytest.mark.parametrize(
    ("valid", "bits"),
    [(24, 32), (20, 32), (16, 32), (16, 24), (20, 24), (24, 24), (32, 32), (32, 24), (0, 16)],
)
def test_fewer_valid_bits_than_the_container_has(
    valid: int, bits: int, tmp_path: Path, reference: Waveform
) -> None:
    path = wav(tmp_path / "a.wav", fmt_chunk(bits=bits, valid_bits=valid), pcm(bits))
    assert_is(decode(path, RATE_HZ), reference)


def test_samples_of_24_bits_in_blocks_of_32(tmp_path: Path, reference: Waveform) -> None:
    """Two fields say that a sample takes four bytes, one says that three of them count."""
    path = wav(tmp_path / "a.wav", fmt_chunk(bits=24, block_bytes=8), pcm(32))
    assert_is(decode(path, RATE_HZ), reference)


@pytest.mark.parametrize("byte_rate", [0, 1, 44_100, 58_800, 88_200, 352_800, 2**32 - 1])
@pytest.mark.parametrize("interval", [None, Interval(2.5, 3.0)])
def test_a_wrong_byte_rate(
    byte_rate: int, interval: Interval | None, tmp_path: Path, reference: Waveform
) -> None:
    path = wav(tmp_path / "a.wav", fmt_chunk(byte_rate=byte_rate), pcm(16))
    expected = reference if interval is None else reference[60_000:72_000]
    assert_is(decode(path, RATE_HZ, interval=interval), expected)
    right = wav(tmp_path / "b.wav", fmt_chunk(), pcm(16))
    assert identify(path) == identify(right)
    assert probe(path).duration_s == pytest.approx(4.0)


@pytest.mark.parametrize("block_bytes", [0, 1, 2, 3, 6, 1000])
def test_a_wrong_size_of_blocks(block_bytes: int, tmp_path: Path, reference: Waveform) -> None:
    fmt = fmt_chunk(block_bytes=block_bytes, byte_rate=176_400)
    assert_is(decode(wav(tmp_path / "a.wav", fmt, pcm(16)), RATE_HZ), reference)


@pytest.mark.parametrize("padding", [b"\0", b""])
@pytest.mark.parametrize("name", [b"LIST", b"bext", b"JUNK", b"xyzw"])
def test_a_chunk_of_odd_length_with_and_without_its_padding(
    name: bytes, padding: bytes, tmp_path: Path, reference: Waveform
) -> None:
    text = b"INFOINAM" + struct.pack("<I", 15) + b"a title of odd."
    before = name + struct.pack("<I", len(text)) + text + padding
    assert_is(decode(wav(tmp_path / "a.wav", fmt_chunk(), pcm(16), before), RATE_HZ), reference)


@pytest.mark.parametrize("kind", ["w64", "caf"])
def test_the_other_containers_of_uncompressed_sound(
    kind: str, tmp_path: Path, reference: Waveform
) -> None:
    path = write_audio(tmp_path / f"a.{kind}", SOUND, codec="pcm_s32le", container=kind)
    data = bytearray(path.read_bytes())
    if kind == "w64":
        at = data.index(b"fmt \xf3\xac") + 24
        data[at + 8 : at + 12] = struct.pack("<I", 44_100)  # bytes a second
    else:
        data[48:52] = struct.pack(">I", 24)  # valid bits
    path.write_bytes(data)
    assert_is(decode(path, RATE_HZ), reference)
    part = sound(decode(path, RATE_HZ, interval=Interval(2.5, 3.0)))
    np.testing.assert_allclose(part, reference[60_000:72_000], atol=1e-4)


@pytest.mark.parametrize("channels", [9, 16, 64, 65, 96, 128])
def test_many_channels(channels: int, tmp_path: Path) -> None:
    reference = sound(decode(wav(tmp_path / "b.wav", fmt_chunk(1), pcm(16, WHOLE[:1])), RATE_HZ))
    data = pcm(16, np.repeat(WHOLE[:1], channels, axis=0))
    path = wav(tmp_path / "a.wav", fmt_chunk(channels, valid_bits=16), data)
    assert_is(decode(path, RATE_HZ), reference)
    heard = hear_facets(path)
    assert heard is not None
    assert (heard.measures.loudness.integrated_lufs is not None) == (channels <= 64)


@pytest.mark.parametrize("channels", [7, 8, 9, 12])
def test_many_channels_in_planes(channels: int, tmp_path: Path) -> None:
    """PyAV counts the planes of more than seven channels wrongly, and reads behind them."""
    samples = np.repeat(music(2.0, 48_000, channels=1), channels, axis=0)
    plain = write_audio(tmp_path / "a.opus", samples[:1], 48_000)
    path = tmp_path / "b.opus"
    wide = wav(
        tmp_path / "b.wav", fmt_chunk(channels, 48_000), pcm(16, (samples * 2**31).astype("<i4"))
    )
    subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-i", wide, "-c:a", "libopus", "-mapping_family",
         "255", "-b:a", "1500k", path],
        check=True,
    )  # fmt: skip
    found, expected = sound(decode(path, RATE_HZ)), sound(decode(plain, RATE_HZ))
    assert len(found) == len(expected)
    assert np.corrcoef(found, expected)[0, 1] > 0.98


@pytest.mark.parametrize("rate_hz", [1, 7, 99, 75_304_841, 500_000_000])
def test_a_rate_that_cannot_be(rate_hz: int, tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav", fmt_chunk(rate_hz=rate_hz), pcm(16))
    with pytest.raises(AudioError, match=f"rate of {rate_hz} Hz") as caught:
        list(decode(path, RATE_HZ))
    assert caught.value.kind == "damaged"


def test_a_name_of_the_codec_that_is_no_text(tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav", fmt_chunk(tag=0xFF), pcm(16))  # AAC by its number
    with suppress(AudioError):
        list(decode(path, RATE_HZ))


def uneven(tmp_path: Path) -> np.ndarray:
    """Noise, then a tone: a variable bit rate makes estimates of the length wrong."""
    time_s = np.arange(12 * 44_100) / 44_100
    tone = 0.1 * np.sin(2 * np.pi * 300 * time_s)
    tone[: 3 * 44_100] = noise(3.0, channels=1, amplitude=0.3)[0]
    return np.tile(tone.astype(np.float32), (2, 1))


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("flac", "-f flac -c:a flac"), ("wv", "-f wv -c:a wavpack -sample_fmt s16p"),
        ("mka", "-f matroska -c:a libmp3lame -q:a 2"), ("mka", "-f matroska -c:a ac3"),
        ("mka", "-f matroska -c:a pcm_s16le"), ("mka", "-f matroska -c:a libvorbis"),
        ("weba", "-f webm -c:a libopus"), ("wma", "-f asf -c:a wmav2"), ("au", "-f au"),
        ("caf", "-f caf"), ("mp3", "-f mp3 -q:a 2"), ("aac", "-f adts -c:a aac -q:a 2"),
        ("ac3", "-f ac3"), ("eac3", "-f eac3"), ("wav", "-f wav"), ("wav", "-f wav -c:a adpcm_ms"),
        ("wav", "-f wav -c:a libmp3lame -q:a 2"), ("wav", "-f wav -c:a pcm_alaw"),
        ("tta", "-f tta"), ("ogg", "-f ogg -c:a libvorbis"), ("spx", "-f ogg -c:a libspeex"),
        ("m4a", "-f mp4 -c:a aac -movflags frag_keyframe+empty_moov"), ("mp2", "-f mp2"),
    ],
)  # fmt: skip
def test_a_length_that_is_only_estimated_is_no_loss(
    suffix: str, options: str, tmp_path: Path
) -> None:
    """Streams written without going back to the header, where most formats keep the length."""
    source = write_audio(tmp_path / "source.wav", uneven(tmp_path))
    path = tmp_path / f"a.{suffix}"
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(source), *options.split(), "-"]
    path.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
    decoding = decode(path, RATE_HZ)
    assert sum(map(len, decoding)) / RATE_HZ == pytest.approx(12.0, abs=0.1)
    assert decoding.damage is None


@pytest.mark.parametrize("codec", ["adpcm_ms", "adpcm_ima_wav", "pcm_alaw"])
def test_a_compressed_wav_that_is_cut_off_is_noted(codec: str, tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.wav", music(20.0), codec=codec, container="wav")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 7 // 10])
    decoding = decode(path, RATE_HZ)
    assert sum(map(len, decoding)) / RATE_HZ == pytest.approx(14.0, abs=0.2)
    assert decoding.damage is not None
    assert "s of 20.0 s lost" in decoding.damage


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    tag=st.sampled_from([1, 1, 1, 3, 2, 6, 7, 0x11, 0x31, 0x55, 0xFF, 0x2000])
    | st.integers(0, 65_535),
    channels=st.integers(0, 8) | st.integers(0, 65_535),
    rate_hz=st.sampled_from([8000, 44_100, 48_000]) | st.integers(0, 2**32 - 1),
    byte_rate=st.integers(0, 2**32 - 1),
    block_bytes=st.integers(0, 16) | st.integers(0, 65_535),
    bits=st.sampled_from([8, 16, 24, 32, 64]) | st.integers(0, 65_535),
    valid_bits=st.none() | st.integers(0, 64),
    interval=st.sampled_from([None, Interval(5.0, 5.5)]),
)
def test_no_header_ends_in_an_error_of_another_kind(
    tag: int,
    channels: int,
    rate_hz: int,
    byte_rate: int,
    block_bytes: int,
    bits: int,
    valid_bits: int | None,
    interval: Interval | None,
    tmp_path: Path,
) -> None:
    fmt = fmt_chunk(
        channels, rate_hz, bits, tag=tag, byte_rate=byte_rate, block_bytes=block_bytes,
        valid_bits=valid_bits,
    )  # fmt: skip
    path = wav(tmp_path / "a.wav", fmt, pcm(16)[:40_000])
    for use in (
        lambda: list(decode(path, RATE_HZ, interval=interval, limit_s=30)),
        lambda: hear_facets(path, 30),
        lambda: identify(path, limit_s=30),
        lambda: probe(path),
    ):
        with suppress(AudioError):
            use()
    read_tags(path)
