"""Decoded frames of any format → mono float32 at one rate, through one fixed FFmpeg filter graph.

Mixing comes first, so that one channel is resampled instead of many. Its gains are written out
(`pan`), since FFmpeg's own stereo to mono is 3 dB louder than the mean. The resampler's length,
cutoff and taper are written out as well: at 44.1 to 24 kHz it passes 11 kHz within 0.1 dB and
rejects what would fold to below 11.5 kHz by over 100 dB, for the processor time of soxr's HQ; the
defaults lose 1.7 dB at 11 kHz and let 12.5 kHz through at -20 dB.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Self

import msgspec
import numpy as np
from av.audio.frame import AudioFrame
from av.filter import Graph

from mess_plugin.model import Waveform

DECODER_REVISION = "ffmpeg-mono-1"
"""Changes whenever the samples that decoding gives change: vectors depend on it."""

BLOCK_SAMPLES = 1 << 16
_RESAMPLER = "filter_size=96:cutoff=0.96:filter_type=kaiser:kaiser_beta=10"
_LOW_FREQUENCY_CHANNELS = frozenset({"LFE", "LFE2"})


class FrameFormat(msgspec.Struct, frozen=True):
    """What may change between two decoded frames and then needs a new graph."""

    rate_hz: int
    sample_format: str
    layout: str
    channel_names: tuple[str, ...]

    @classmethod
    def of(cls, frame: AudioFrame) -> Self:
        """Give the format of a decoded frame."""
        layout = frame.layout
        names = tuple(channel.name for channel in layout.channels)
        name = layout.name if names else f"{layout.nb_channels}C"
        return cls(frame.sample_rate, frame.format.name, name, names)

    def mono_gains(self) -> dict[int, Fraction]:
        """Gain per channel index: the mean of all channels but the low-frequency effects."""
        heard = [
            index
            for index, name in enumerate(self.channel_names)
            if name not in _LOW_FREQUENCY_CHANNELS
        ] or list(range(len(self.channel_names)))
        return dict.fromkeys(heard, Fraction(1, len(heard)))


class MonoResampler:
    """One run of equally formatted frames, from its first sample on.

    skip_samples: source samples to pass over at the start; a caller that wants the output grid of
    another start passes over what lies before a common multiple (see `grid_step`).
    """

    def __init__(self, source: FrameFormat, rate_hz: int, skip_samples: int = 0) -> None:
        self._graph = Graph()
        node = self._graph.add_abuffer(
            sample_rate=source.rate_hz,
            format=source.sample_format,
            layout=source.layout,
            time_base=Fraction(1, source.rate_hz),
        )
        gains = "+".join(f"{float(gain)!r}*c{i}" for i, gain in source.mono_gains().items())
        for name, arguments in (
            ("atrim", f"start_sample={skip_samples}"),
            ("aformat", "sample_fmts=fltp"),
            ("pan", f"mono|c0={gains}"),
            ("aresample", f"{rate_hz}:{_RESAMPLER}"),
            ("aformat", f"sample_fmts=flt:sample_rates={rate_hz}:channel_layouts=mono"),
            ("asetnsamples", f"n={BLOCK_SAMPLES}:p=0"),
            ("abuffersink", None),
        ):
            following = self._graph.add(name, arguments)
            node.link_to(following)
            node = following
        self._graph.configure()
        self._pull_samples = math.ceil(BLOCK_SAMPLES * source.rate_hz / rate_hz)
        self._samples_until_pull = self._pull_samples
        self._time_base = Fraction(1, source.rate_hz)
        self._pushed_samples = 0

    @staticmethod
    def grid_step(source_rate_hz: int, rate_hz: int) -> int:
        """Source samples between two moments at which source and output samples coincide."""
        return source_rate_hz // math.gcd(source_rate_hz, rate_hz)

    def push(self, frame: AudioFrame) -> Iterator[Waveform]:
        """Take a frame; give every block that is complete by now."""
        frame.time_base = self._time_base
        frame.pts = self._pushed_samples
        self._pushed_samples += frame.samples
        self._samples_until_pull -= frame.samples
        self._graph.push(frame)
        if self._samples_until_pull <= 0:
            self._samples_until_pull = self._pull_samples
            yield from self._pull()

    def finish(self) -> Iterator[Waveform]:
        """Give what is left, resampler tail included."""
        self._graph.push(None)
        yield from self._pull()

    def _pull(self) -> Iterator[Waveform]:
        while True:
            try:
                block = self._graph.pull()
            except (BlockingIOError, EOFError):
                return
            assert isinstance(block, AudioFrame)
            yield np.ascontiguousarray(block.to_ndarray()[0], dtype=np.float32)


def resample(waveform: Waveform, source_rate_hz: int, rate_hz: int) -> Iterator[Waveform]:
    """Bare sound at another rate, by the same signal path as files: (n_samples,) in, blocks out."""
    form = FrameFormat(source_rate_hz, "flt", "mono", ("FC",))
    resampler = MonoResampler(form, rate_hz)
    for start in range(0, len(waveform), BLOCK_SAMPLES):
        block = np.ascontiguousarray(waveform[None, start : start + BLOCK_SAMPLES])
        frame = AudioFrame.from_ndarray(block, format="flt", layout="mono")
        frame.sample_rate = source_rate_hz
        yield from resampler.push(frame)
    yield from resampler.finish()
