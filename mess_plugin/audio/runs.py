"""A run: frames of one format that follow each other without a gap → mono blocks at one rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from av.audio.frame import AudioFrame

from mess_plugin.audio.downmix import Downmix, FrameFormat, FrameJoiner, Samples
from mess_plugin.audio.resampling import MonoResampler
from mess_plugin.model import Waveform

Tap = Callable[[Samples, FrameFormat], None]
"""Is given the sound of all channels as it was decoded, about a second at a time."""


class Run:
    """Takes frames and gives blocks; `start_s` and `end_s` are its place in the file."""

    def __init__(
        self,
        form: FrameFormat,
        rate_hz: int,
        *,
        start_s: float,
        wanted_s: float,
        tap: Tap | None = None,
    ) -> None:
        """Begin at the first frame.

        rate_hz: of the output. start_s: of the first frame. wanted_s: what lies before it is passed
        over, up to a moment on the output grid, so that an interval has the samples of the whole.
        """
        self.form = form
        start = round(start_s * form.rate_hz)
        step = MonoResampler.grid_step(form.rate_hz, rate_hz)
        heard_from = max(start, math.floor(wanted_s * form.rate_hz / step) * step)
        self.position = round(heard_from * rate_hz / form.rate_hz)
        """Index of the first sample that it gives, on the output grid from the start of the file."""
        self._start_s = start / form.rate_hz
        self._next_sample = start  # on the grid of the source, from the start of the file
        self._n_samples = 0
        self._tap = tap
        self._joiner = FrameJoiner(form)
        self._downmix = Downmix(form)
        self._resampler = MonoResampler(form.rate_hz, rate_hz, skip_samples=heard_from - start)

    @property
    def has_turned(self) -> bool:
        """Whether the channels cancelled anywhere, so that some were turned."""
        return self._downmix.has_turned

    @property
    def end_s(self) -> float:
        """Where the next frame begins, in seconds from the start of the file."""
        return self._start_s + self._n_samples / self.form.rate_hz

    def push(self, frame: AudioFrame) -> Iterator[Waveform]:
        """Take a frame; give the blocks that are complete by now."""
        self._joiner.add(frame)
        self._n_samples += frame.samples
        # Mixed by whole seconds of the file, wherever the run began.
        if self._joiner.n_samples >= self.form.rate_hz - self._next_sample % self.form.rate_hz:
            yield from self._flush()

    def finish(self) -> Iterator[Waveform]:
        """Give what is left."""
        if self._joiner.n_samples:
            yield from self._flush()
        yield from self._resampler.finish()

    def _flush(self) -> Iterator[Waveform]:
        samples = self._joiner.take()
        if not samples.size:
            return
        self._next_sample += samples.shape[1]
        if self._tap is not None:
            self._tap(samples, self.form)
        yield from self._resampler.push(self._downmix.mix(samples))
