"""Real audio files for tests, written with PyAV: any codec by suffix, any rate and channels."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.audio.format import AudioFormat
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet

Samples = npt.NDArray[np.float32]

CODECS: dict[str, tuple[str, str]] = {
    ".mp3": ("mp3", "libmp3lame"),
    ".flac": ("flac", "flac"),
    ".ogg": ("ogg", "vorbis"),
    ".opus": ("opus", "libopus"),
    ".m4a": ("ipod", "aac"),
    ".alac.m4a": ("ipod", "alac"),
    ".aac": ("adts", "aac"),
    ".wav": ("wav", "pcm_s16le"),
    ".aiff": ("aiff", "pcm_s16be"),
    ".wma": ("asf", "wmav2"),
    ".wv": ("wv", "wavpack"),
    ".mka": ("matroska", "libopus"),
    ".ac3": ("ac3", "ac3"),
    ".tta": ("tta", "tta"),
}
"""Name ending → container and encoder."""

SAMPLE_FORMATS = {"wavpack": "s16p", "tta": "s16"}
"""For encoders whose first choice is 8 bits."""

LOSSLESS = (".flac", ".alac.m4a", ".wav", ".aiff", ".wv", ".tta")
LAYOUTS = {1: "mono", 2: "stereo", 4: "quad", 6: "5.1", 8: "7.1"}


def tone(
    duration_s: float,
    rate_hz: int = 44100,
    *,
    frequency_hz: float = 440.0,
    amplitude: float = 0.5,
    channels: int = 2,
) -> Samples:
    """(channels, n) of one sine in every channel."""
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    wave = amplitude * np.sin(2 * np.pi * frequency_hz * time_s)
    return np.tile(wave.astype(np.float32), (channels, 1))


def noise(
    duration_s: float,
    rate_hz: int = 44100,
    *,
    channels: int = 2,
    amplitude: float = 0.1,
    seed: int = 0,
) -> Samples:
    """(channels, n) of independent white noise."""
    generator = np.random.default_rng(seed)
    shape = (channels, round(duration_s * rate_hz))
    return (amplitude * generator.standard_normal(shape)).astype(np.float32)


def music(
    duration_s: float,
    rate_hz: int = 44100,
    *,
    channels: int = 2,
    seed: int = 0,
    tempo_bpm: float = 110.0,
) -> Samples:
    """(channels, n) of decaying chords on a beat with a noisy off-beat, different for each seed."""
    generator = np.random.default_rng(seed)
    n_samples = round(duration_s * rate_hz)
    beat = round(60.0 / tempo_bpm * rate_hz)
    wave = np.zeros(n_samples, dtype=np.float64)
    for start in range(0, n_samples, beat):
        length = min(beat, n_samples - start)
        time_s = np.arange(length) / rate_hz
        decay = np.exp(-4.0 * time_s)
        for step in generator.choice([0, 3, 5, 7, 10, 12], size=3, replace=False):
            pitch_hz = 110.0 * 2 ** (step / 12)
            for partial in range(1, 6):
                wave[start : start + length] += (
                    decay * np.sin(2 * np.pi * pitch_hz * partial * time_s) / partial
                )
        half = start + beat // 2
        hit = generator.standard_normal(max(0, min(beat // 8, n_samples - half)))
        wave[half : half + len(hit)] += hit * np.exp(-np.arange(len(hit)) / (0.01 * rate_hz))
    wave *= 0.5 / max(1e-9, float(np.abs(wave).max()))
    return np.tile(wave.astype(np.float32), (channels, 1))


def write_audio(
    path: Path,
    samples: Samples,
    rate_hz: int = 44100,
    *,
    codec: str | None = None,
    container: str | None = None,
    layout: str | None = None,
    options: dict[str, str] | None = None,
    bit_rate: int | None = None,
) -> Path:
    """Write (channels, n) float32 samples; container and codec follow from the name's ending.

    `.alac.m4a` means ALAC. Sample rates that the encoder does not know raise av.FFmpegError.
    Returns the path.
    """
    ending = (
        next(
            key for key in sorted(CODECS, key=len, reverse=True) if path.name.lower().endswith(key)
        )
        if codec is None or container is None
        else ""
    )
    default_container, default_codec = CODECS.get(ending, ("", ""))
    with av.open(
        str(path), "w", format=container or default_container, options=options or {}
    ) as out:
        stream = out.add_stream(
            codec or default_codec, rate=rate_hz, layout=layout or LAYOUTS[len(samples)]
        )
        assert isinstance(stream, AudioStream)
        stream.bit_rate = bit_rate or 128_000
        if stream.codec_context.name == "vorbis":
            stream.codec_context.options = {"strict": "experimental"}
        if sample_format := SAMPLE_FORMATS.get(stream.codec_context.name):
            stream.codec_context.format = AudioFormat(sample_format)
        stream.codec_context.thread_count = 1
        for packet in _encoded(stream, samples, rate_hz):
            out.mux(packet)
    return path


def _encoded(stream: AudioStream, samples: Samples, rate_hz: int) -> Iterator[Packet[AudioStream]]:
    resampler = av.AudioResampler(
        format=stream.format.name,
        layout=stream.layout.name,
        rate=rate_hz,
        frame_size=stream.codec_context.frame_size or 4096,
    )
    for start in range(0, samples.shape[1], 65536):
        block = np.ascontiguousarray(samples[:, start : start + 65536].T).reshape(1, -1)
        frame = AudioFrame.from_ndarray(block, format="flt", layout=stream.layout.name)
        frame.sample_rate = rate_hz
        frame.pts = start
        frame.time_base = Fraction(1, rate_hz)
        for piece in resampler.resample(frame):
            yield from stream.encode(piece)
    for piece in resampler.resample(None):
        yield from stream.encode(piece)
    yield from stream.encode(None)
