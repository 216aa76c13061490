"""Mono float32 sound → another rate, through one fixed FFmpeg filter graph.

The resampler's length, cutoff and taper are written out: at 44.1 to 24 kHz it passes 11 kHz within
0.1 dB and rejects what would fold to below 11.5 kHz by over 100 dB, for the processor time of soxr's
HQ; the defaults lose 1.7 dB at 11 kHz and let 12.5 kHz through at -20 dB.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from av.audio.frame import AudioFrame
from av.filter import Graph

from mess_plugin.errors import UsageError
from mess_plugin.model import Waveform

DECODER_REVISION = "ffmpeg-mono-1"
"""Changes whenever the samples that decoding gives change: vectors depend on it."""

BLOCK_SAMPLES = 1 << 16
LEAST_RATE_HZ, HIGHEST_RATE_HZ = 100, 6_000_000
"""Of the source. A second of less has hardly a wave; more than the fastest one-bit converter gives
would need filters as large as the memory."""
_RESAMPLER = "filter_size=96:cutoff=0.96:filter_type=kaiser:kaiser_beta=10"


class MonoResampler:
    """One run of sound, from its first sample on.

    skip_samples: source samples to pass over at the start; a caller that wants the output grid of
    another start passes over what lies before a common multiple (see `grid_step`).
    """

    def __init__(self, source_rate_hz: int, rate_hz: int, skip_samples: int = 0) -> None:
        self._graph = Graph()
        self._rate_hz = source_rate_hz
        self._time_base = Fraction(1, source_rate_hz)
        node = self._graph.add_abuffer(
            sample_rate=source_rate_hz, format="flt", layout="mono", time_base=self._time_base
        )
        for name, arguments in (
            ("atrim", f"start_sample={skip_samples}"),
            ("aresample", f"{rate_hz}:{_RESAMPLER}"),
            ("aformat", f"sample_fmts=flt:sample_rates={rate_hz}:channel_layouts=mono"),
            ("asetnsamples", f"n={BLOCK_SAMPLES}:p=0"),
            ("abuffersink", None),
        ):
            following = self._graph.add(name, arguments)
            node.link_to(following)
            node = following
        self._graph.configure()
        self._pull_samples = math.ceil(BLOCK_SAMPLES * source_rate_hz / rate_hz)
        self._samples_until_pull = self._pull_samples
        self._pushed_samples = 0

    @staticmethod
    def grid_step(source_rate_hz: int, rate_hz: int) -> int:
        """Source samples between two moments at which source and output samples coincide."""
        return source_rate_hz // math.gcd(source_rate_hz, rate_hz)

    def push(self, samples: Waveform) -> Iterator[Waveform]:
        """Take (n,) samples; give every block that is complete by now."""
        frame = AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.sample_rate = self._rate_hz
        frame.time_base = self._time_base
        frame.pts = self._pushed_samples
        self._pushed_samples += len(samples)
        self._samples_until_pull -= len(samples)
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
    """Bare sound at another rate, by the same signal path as files: (n_samples,) in, blocks out.

    Raises UsageError for a source rate outside LEAST_RATE_HZ and HIGHEST_RATE_HZ.
    """
    if not LEAST_RATE_HZ <= source_rate_hz <= HIGHEST_RATE_HZ:
        raise UsageError(
            f"sample rate {source_rate_hz} Hz: give one from {LEAST_RATE_HZ} to {HIGHEST_RATE_HZ}"
        )
    resampler = MonoResampler(source_rate_hz, rate_hz)
    for start in range(0, len(waveform), BLOCK_SAMPLES):
        block = np.ascontiguousarray(waveform[start : start + BLOCK_SAMPLES], dtype=np.float32)
        yield from resampler.push(block)
    yield from resampler.finish()
