"""Decoding: length, pitch, gain, intervals, resampling quality and damage, on every codec."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mess_plugin.audio import decode, probe
from mess_plugin.audio.resampling import BLOCK_SAMPLES
from mess_plugin.errors import AudioError, UsageError
from mess_plugin.model import Interval, Waveform
from tests.audio_files import CODECS, LOSSLESS, music, noise, tone, write_audio

RATE_HZ = 24_000
LOSSY_DELAY_S = 0.07
"""Most that an encoder was seen to add or cut at the ends."""

# Their decoders fill bands with noise from a generator whose state depends on where they started.
NOISE_FILLING = (".aac", ".m4a", ".ac3")


def source_rate_hz(ending: str) -> int:
    return 48_000 if CODECS[ending][1] == "libopus" else 44_100


def whole(path: Path, rate_hz: int = RATE_HZ, interval: Interval | None = None) -> Waveform:
    blocks = list(decode(path, rate_hz, interval=interval))
    return np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.float32)


def level(wave: Waveform) -> float:
    """RMS without the ends, where codecs fade."""
    return float(np.sqrt(np.mean(np.square(wave[2400:-2400], dtype=np.float64))))


@pytest.mark.parametrize("ending", CODECS)
def test_every_codec_keeps_length_pitch_and_level(ending: str, tmp_path: Path) -> None:
    rate_hz = source_rate_hz(ending)
    path = write_audio(tmp_path / f"a{ending}", tone(3, rate_hz, frequency_hz=1000), rate_hz)
    wave = whole(path)
    assert wave.dtype == np.float32
    assert abs(len(wave) - 3 * RATE_HZ) <= (0 if ending in LOSSLESS else LOSSY_DELAY_S * RATE_HZ)
    spectrum = np.abs(np.fft.rfft(wave[RATE_HZ : 2 * RATE_HZ]))
    assert np.argmax(spectrum) == 1000
    tolerance = 1e-4 if ending in LOSSLESS else 0.05
    assert level(wave) == pytest.approx(0.5 / np.sqrt(2), rel=tolerance)


@pytest.mark.parametrize(("left", "right", "gain"), [(1, 1, 1.0), (1, 0, 0.5), (1, -0.5, 0.25)])
def test_mono_is_the_mean_of_left_and_right(
    left: int, right: int, gain: float, tmp_path: Path
) -> None:
    samples = tone(2) * np.array([[left], [right]], dtype=np.float32)
    wave = whole(write_audio(tmp_path / "a.wav", samples))
    assert level(wave) == pytest.approx(gain * 0.5 / np.sqrt(2), abs=1e-4)


def _two(first: Waveform, second: Waveform, folder: Path, name: str) -> Path:
    return write_audio(folder / name, np.stack([first, second]).astype(np.float32))


def test_channels_of_opposite_sign_are_turned_the_same_way(tmp_path: Path) -> None:
    """A wrong cable, a widening effect: loud to every listener, nothing in the mean."""
    song, faint = music(6.0, channels=1)[0], music(6.0, channels=1, seed=9)[0]
    plain = whole(_two(song, song, tmp_path, "plain.flac"))
    for name, channels in {
        "opposite": (song, -song),
        "a faint other song in phase": (song + 0.05 * faint, 0.05 * faint - song),
        "one louder": (song, -0.8 * song),
    }.items():
        file = _two(*channels, tmp_path, f"{name}.flac")
        found = whole(file)
        with decode(file, 24000) as decoding:
            assert list(decoding)
            assert decoding.damage == "channels that cancel each other"
        assert len(found) == len(plain)
        assert np.corrcoef(found, plain)[0, 1] > 0.999, name
        assert level(found) == pytest.approx(level(plain), rel=0.12), name


def test_a_stretch_of_opposite_sign_is_heard_and_the_rest_stays_as_it_is(tmp_path: Path) -> None:
    song = music(12.0, channels=1)[0]
    turned = song.copy()
    turned[4 * 44_100 : 8 * 44_100] *= -1
    found = whole(_two(song, turned, tmp_path, "a.flac"))
    plain = whole(_two(song, song, tmp_path, "b.flac"))
    np.testing.assert_array_equal(found[: 4 * RATE_HZ - 200], plain[: 4 * RATE_HZ - 200])
    np.testing.assert_array_equal(found[9 * RATE_HZ :], plain[9 * RATE_HZ :])
    for second in range(12):
        part = slice(second * RATE_HZ, (second + 1) * RATE_HZ)
        if second not in (4, 8):  # within these the change is faded, at the next packet's end
            assert level(found[part]) == pytest.approx(level(plain[part]), rel=0.01), second
    assert np.abs(np.diff(found)).max() < 1.5 * np.abs(np.diff(plain)).max()


def test_wide_stereo_is_mixed_as_ever(tmp_path: Path) -> None:
    """Independent channels, and ones that cancel in part: the plain mean, to the last bit."""
    one, other = music(5.0, channels=1)[0], music(5.0, channels=1, seed=3)[0]
    for index, (left, right) in enumerate([(one, other), (one, one * 0), (one, other - 0.5 * one)]):
        samples = np.stack([left, right]).astype(np.float32)
        stereo = write_audio(
            tmp_path / f"s{index}.wav", samples, codec="pcm_f32le", container="wav"
        )
        mean = (samples[:1] * np.float32(0.5)) + (samples[1:] * np.float32(0.5))
        mono = write_audio(tmp_path / f"m{index}.wav", mean, codec="pcm_f32le", container="wav")
        np.testing.assert_array_equal(whole(stereo), whole(mono))


def test_surround_that_cancels_is_heard(tmp_path: Path) -> None:
    song = music(4.0, channels=1)[0]
    signs = np.array([1, -1, 0, 0, 1, -1], dtype=np.float32)
    found = whole(write_audio(tmp_path / "a.flac", signs[:, None] * song))
    alone = whole(write_audio(tmp_path / "b.flac", song[None]))
    assert np.corrcoef(found, alone)[0, 1] > 0.999
    assert level(found) == pytest.approx(0.8 * level(alone), rel=1e-3)


def test_surround_is_the_mean_without_low_frequency_effects(tmp_path: Path) -> None:
    samples = np.zeros((6, 192_000), dtype=np.float32)
    pitches_hz = (1000, 2000, 3000, 50, 4000, 5000)  # FL FR FC LFE BL BR
    for channel, pitch_hz in enumerate(pitches_hz):
        samples[channel] = tone(1, 192_000, frequency_hz=pitch_hz, channels=1)[0]
    wave = whole(write_audio(tmp_path / "a.flac", samples, 192_000))
    assert len(wave) == RATE_HZ
    amplitudes = np.abs(np.fft.rfft(wave)) * 2 / RATE_HZ
    heard = [amplitudes[pitch_hz] for pitch_hz in (1000, 2000, 3000, 4000, 5000)]
    assert heard == pytest.approx([0.1] * 5, abs=1e-3)
    assert amplitudes[50] < 1e-3


@pytest.mark.parametrize("channels", [3, 11, 40])
def test_channels_without_a_layout_are_averaged(channels: int, tmp_path: Path) -> None:
    import wave as wave_module

    path = tmp_path / "a.wav"
    with wave_module.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(44_100)
        pcm = (tone(1, channels=channels).T * 32767).astype("<i2")
        file.writeframes(pcm.tobytes())
    assert level(whole(path)) == pytest.approx(0.5 / np.sqrt(2), rel=1e-3)


@pytest.mark.parametrize("rate_hz", [8000, 11_025, 44_101, 96_000, 192_000])
def test_any_source_rate(rate_hz: int, tmp_path: Path) -> None:
    wave = whole(write_audio(tmp_path / "a.wav", tone(2, rate_hz, channels=1), rate_hz))
    assert len(wave) == 2 * RATE_HZ
    expected = tone(2, RATE_HZ, channels=1)[0]
    assert np.abs(wave - expected)[2400:-2400].max() < 1e-3


@pytest.mark.parametrize(("pitch_hz", "most_db"), [(12_500, -100), (14_000, -100), (20_000, -100)])
def test_what_lies_above_the_band_does_not_fold_into_it(
    pitch_hz: int, most_db: float, tmp_path: Path
) -> None:
    samples = tone(2, frequency_hz=pitch_hz, channels=1)
    path = write_audio(tmp_path / "a.wav", samples, codec="pcm_f32le", container="wav")
    assert 20 * np.log10(level(whole(path)) / level(samples[0])) < most_db


def test_the_band_is_flat(tmp_path: Path) -> None:
    for pitch_hz in (30, 1000, 8000, 11_000):
        samples = tone(2, frequency_hz=pitch_hz, channels=1)
        path = write_audio(tmp_path / "a.wav", samples, codec="pcm_f32le", container="wav")
        assert abs(20 * np.log10(level(whole(path)) / level(samples[0]))) < 0.15


@pytest.mark.parametrize("ending", CODECS)
def test_an_interval_holds_the_samples_of_the_whole(ending: str, tmp_path: Path) -> None:
    rate_hz = source_rate_hz(ending)
    samples = music(24, rate_hz) + noise(24, rate_hz, amplitude=0.02)[:1]
    path = write_audio(tmp_path / f"a{ending}", samples, rate_hz)
    full = whole(path)
    for start_s, end_s in ((0.0, 1.0), (1.5, 4.0), (13.123, 17.4), (20.0, 23.5)):
        part = whole(path, interval=Interval(start_s, end_s))
        expected = full[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)]
        assert len(part) == len(expected)
        assert _lag(part, expected) <= (RATE_HZ // 1000 if ending in (".wma", ".mka") else 0)
        if ending not in (*NOISE_FILLING, ".wma", ".mka"):
            np.testing.assert_allclose(part, expected, atol=1e-6)


def _lag(part: Waveform, expected: Waveform) -> int:
    """Samples by which the best alignment of the two is off."""
    size = 2 * len(part)
    product = np.fft.rfft(part, size) * np.conj(np.fft.rfft(expected, size))
    best = int(np.argmax(np.fft.irfft(product, size)))
    return min(best, size - best)


def test_an_interval_past_the_end_is_cut_or_nothing(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.flac", tone(10))
    assert len(whole(path, interval=Interval(8.0, 20.0))) == 2 * RATE_HZ
    assert len(whole(path, interval=Interval(30.0, 40.0))) == 0


@pytest.mark.parametrize("interval", [Interval(-1, 2), Interval(3, 3), Interval(3, 2)])
def test_an_impossible_interval_is_refused(interval: Interval, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="interval"):
        decode(tmp_path / "a.flac", RATE_HZ, interval=interval)


def test_a_long_mix_comes_in_bounded_blocks_and_whole(tmp_path: Path) -> None:
    samples = np.tile(tone(60, 8000, channels=1), (1, 15))
    path = write_audio(tmp_path / "mix.flac", samples, 8000)
    with decode(path, 8000) as decoding:
        sizes = [len(block) for block in decoding]
    assert max(sizes) <= BLOCK_SAMPLES
    assert sum(sizes) == 15 * 60 * 8000
    assert decoding.duration_s == 900.0
    assert decoding.damage is None


def test_one_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.flac", noise(20))
    with pytest.raises(AudioError, match="longer than 0 s") as caught:
        list(decode(path, RATE_HZ, limit_s=0.0))
    assert caught.value.kind == "too-slow"


def test_probe_reads_the_header(tmp_path: Path) -> None:
    info = probe(write_audio(tmp_path / "a.flac", tone(2, 48_000, channels=6), 48_000))
    assert (info.codec, info.rate_hz, info.channels) == ("flac", 48_000, 6)
    assert info.duration_s == pytest.approx(2.0)


@pytest.mark.parametrize("ending", [".mp3", ".flac", ".wav", ".aiff", ".wma", ".wv", ".mka"])
@pytest.mark.parametrize("tenths", range(1, 10))
def test_a_file_cut_short_is_noted_or_refused(ending: str, tenths: int, tmp_path: Path) -> None:
    rate_hz = source_rate_hz(ending)
    path = write_audio(tmp_path / f"a{ending}", music(20, rate_hz), rate_hz)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * tenths // 10])
    decoding = decode(path, RATE_HZ)
    if tenths < 5:
        with pytest.raises(AudioError, match="could be decoded") as caught:
            list(decoding)
        assert caught.value.kind == "damaged"
    elif tenths > 5:
        decoded = sum(len(block) for block in decoding) / RATE_HZ
        assert 9.5 < decoded < 19.5
        assert decoding.damage is not None
        assert "s of 20.0 s lost" in decoding.damage


@pytest.mark.parametrize("ending", [".flac", ".m4a", ".ogg", ".opus", ".wma", ".mka"])
def test_a_hole_becomes_silence_of_its_length(ending: str, tmp_path: Path) -> None:
    rate_hz = source_rate_hz(ending)
    path = write_audio(tmp_path / f"a{ending}", music(30, rate_hz), rate_hz)
    intact = whole(path)
    data = bytearray(path.read_bytes())
    hole = slice(len(data) * 4 // 10, len(data) * 5 // 10)
    data[hole] = bytes(hole.stop - hole.start)
    path.write_bytes(data)
    decoding = decode(path, RATE_HZ)
    wave = np.concatenate(list(decoding))
    assert decoding.damage is not None
    assert "lost" in decoding.damage
    assert len(wave) == pytest.approx(len(intact), abs=RATE_HZ // 100)
    after = slice(25 * RATE_HZ, 27 * RATE_HZ)
    assert _lag(wave[after], intact[after]) <= RATE_HZ // 500


def test_mp3_without_a_count_of_frames_promises_nothing(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.mp3", music(20), options={"write_xing": "0"})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 4])
    decoding = decode(path, RATE_HZ)
    assert sum(len(block) for block in decoding) / RATE_HZ == pytest.approx(5.0, abs=0.1)
    assert decoding.damage is None


def test_a_change_of_rate_and_channels_inside_a_file(tmp_path: Path) -> None:
    first = write_audio(tmp_path / "1.mp3", tone(4, 44_100), 44_100).read_bytes()
    second = write_audio(tmp_path / "2.mp3", tone(4, 48_000, channels=1), 48_000).read_bytes()
    path = tmp_path / "both.mp3"
    path.write_bytes(first + second)
    wave = whole(path)
    assert len(wave) == pytest.approx(8 * RATE_HZ, abs=0.15 * RATE_HZ)
    assert level(wave[: 3 * RATE_HZ]) == pytest.approx(level(wave[5 * RATE_HZ :]), rel=0.02)
