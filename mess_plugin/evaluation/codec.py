"""Lossy codecs and FFmpeg filters on a mono waveform in memory."""

from __future__ import annotations

from io import BytesIO

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.filter import Graph

from mess_plugin.model import Waveform

_BLOCK_SAMPLES = 65_536

CODECS = {
    "mp3": ("mp3", "libmp3lame", "fltp"),
    "opus": ("ogg", "libopus", "flt"),
}
"""Name → FFmpeg's container, encoder and sample format."""


def through_mp3(waveform: Waveform, rate_hz: int, bit_rate: int) -> Waveform:
    """Encode as MP3 and decode again; see `through_codec`."""
    return through_codec(waveform, rate_hz, "mp3", bit_rate)


def through_codec(waveform: Waveform, rate_hz: int, name: str, bit_rate: int) -> Waveform:
    """Encode with one of CODECS and decode again; the length and the timing stay.

    rate_hz: one that the codec knows; Opus needs 8, 12, 16, 24 or 48 kHz. bit_rate: in bit/s. What
    exceeds full scale is clipped, as an encoder would.
    """
    container_format, encoder, sample_format = CODECS[name]
    buffer = BytesIO()
    with av.open(buffer, "w", format=container_format) as container:
        stream = container.add_stream(encoder, rate=rate_hz, layout="mono")
        assert isinstance(stream, AudioStream)
        stream.bit_rate = bit_rate
        stream.format = sample_format
        for frame in _frames(np.clip(waveform, -1, 1), rate_hz):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer, "r", format=container_format) as container:
        resampler = AudioResampler("flt", "mono", rate_hz)  # Opus decodes at 48 kHz
        decoded = [
            part.to_ndarray()[0]
            for frame in (*container.decode(audio=0), None)
            for part in resampler.resample(frame)
        ]
    return _of_length(np.concatenate(decoded), len(waveform))


def through_filters(waveform: Waveform, rate_hz: int, *filters: tuple[str, str]) -> Waveform:
    """Send a waveform through a chain of FFmpeg audio filters: (name, arguments) each.

    The result is mono float32 at the rate that the chain ends with.
    """
    graph = Graph()
    source = graph.add_abuffer(sample_rate=rate_hz, format="fltp", layout="mono")
    chain = [graph.add(name, arguments) for name, arguments in filters]
    plain = graph.add("aformat", "sample_fmts=flt:channel_layouts=mono")
    graph.link_nodes(source, *chain, plain, graph.add("abuffersink")).configure()
    out: list[Waveform] = []
    for frame in _frames(waveform, rate_hz):
        graph.push(frame)
        _drain(graph, out)
    graph.push(None)
    _drain(graph, out)
    return np.concatenate(out) if out else np.zeros(0, np.float32)


def _drain(graph: Graph, out: list[Waveform]) -> None:
    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        assert isinstance(frame, AudioFrame)
        out.append(frame.to_ndarray()[0].astype(np.float32))


def _frames(waveform: Waveform, rate_hz: int) -> list[AudioFrame]:
    frames = []
    for start in range(0, len(waveform), _BLOCK_SAMPLES):
        block = np.ascontiguousarray(waveform[None, start : start + _BLOCK_SAMPLES], np.float32)
        frame = AudioFrame.from_ndarray(block, format="fltp", layout="mono")
        frame.sample_rate = rate_hz
        frame.pts = start
        frames.append(frame)
    return frames


def _of_length(waveform: Waveform, n_samples: int) -> Waveform:
    missing = max(0, n_samples - len(waveform))
    return np.pad(waveform[:n_samples], (0, missing)).astype(np.float32)
