"""A file as a stream of mono float32 blocks at one rate: bounded memory, damage counted.

Time runs by counted samples from the first decodable one. Where packets are damaged or missing,
the frame after them says how much is lost, and as much silence takes its place, so that every
later moment keeps its time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from mess_plugin.audio.container import Container, translated
from mess_plugin.audio.downmix import FrameFormat
from mess_plugin.audio.frames import FrameReader, TimedFrame
from mess_plugin.audio.resampling import BLOCK_SAMPLES, HIGHEST_RATE_HZ, LEAST_RATE_HZ
from mess_plugin.audio.runs import Run, Tap
from mess_plugin.errors import UsageError
from mess_plugin.model import Interval, Waveform

_PREROLL_S = 1.0  # decoded before an interval so that codecs with memory have settled
_RESAMPLER_MARGIN_S = 0.1  # of that, given to the resampler
_GAP_S = 0.1  # shorter jumps of the time stamps are jitter …
_GAP_AFTER_DAMAGE_S = 0.005  # … unless a packet has just failed
_NOTEWORTHY_LOSS_S = 0.5  # codec delays and rounded headers differ by less
_LEAST_DECODED_SHARE = 0.5


def decode(
    path: Path,
    rate_hz: int,
    *,
    interval: Interval | None = None,
    limit_s: float | None = None,
    tap: Tap | None = None,
) -> Decoding:
    """Open a file for decoding to mono float32 at `rate_hz`.

    interval: only this stretch, on the same sample grid as the whole: blocks hold the samples
    round(start_s * rate_hz) to round(end_s * rate_hz). It is reached by seeking. Containers that
    round their times to milliseconds (WMA, Matroska) place it to within a millisecond.
    limit_s: wall clock for opening and all iteration together.
    tap: is given what was decoded, all channels of it, before it is mixed and resampled; it must not
    change the samples.

    Raises UsageError for a bad rate or interval, and AudioError: missing, unreadable, empty,
    not-audio, protected, damaged, too-slow.
    """
    return Decoding(path, rate_hz, interval, limit_s, tap)


class Decoding:
    """An open file; iterate once over its blocks of (n,) float32, then read the results.

    Blocks are 65,536 samples long, or shorter next to a gap, a change of format and the ends. When
    under half of the stated duration can be decoded, the iteration ends in AudioError damaged; a
    smaller loss is told by `damage`. Files without a stated duration are taken as they come.
    """

    def __init__(
        self,
        path: Path,
        rate_hz: int,
        interval: Interval | None,
        limit_s: float | None,
        tap: Tap | None = None,
    ) -> None:
        if rate_hz <= 0:
            raise UsageError(f"sample rate {rate_hz} Hz: give a positive one")
        if interval is not None and not 0 <= interval.start_s < interval.end_s:
            raise UsageError(
                f"interval {interval.start_s:g} s to {interval.end_s:g} s: "
                "give a start of 0 or more and a later end"
            )
        self.rate_hz = rate_hz
        self._tap = tap
        self._interval = interval
        self._first = round(interval.start_s * rate_hz) if interval else 0
        self._end = round(interval.end_s * rate_hz) if interval else None
        self._emitted_samples = 0
        self._runs: list[Run] = []
        self._position = 0  # index of the next output sample, counted from the start of the file
        self._gap_s = 0.0
        self._container = Container(path, limit_s)
        with translated(self._container.source):
            self._reader = FrameReader(self._container)
            self._stated_s = self._container.stated_duration_s()

    @property
    def duration_s(self) -> float:
        """Seconds given out so far, silence in place of lost sound included."""
        return self._emitted_samples / self.rate_hz

    @property
    def damage(self) -> str | None:
        """What was lost or is wrong, as a sentence without a full stop; None for a sound file."""
        packets = self._reader.damaged_packets + self._container.demux_errors
        notes = []
        if packets:
            notes.append(f"{packets} damaged packet{'s' if packets > 1 else ''}")
        if self._lost_s() > _NOTEWORTHY_LOSS_S or (packets and self._lost_s() >= 0.05):
            of_all = f" of {self._wanted_s():.1f} s" if self._stated_s else ""
            notes.append(f"{self._lost_s():.1f} s{of_all} lost")
        if any(run.has_turned for run in self._runs):
            notes.append("channels that cancel each other")
        return ", ".join(notes) or None

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Waveform]:
        """Give the blocks in order, then close the file."""
        try:
            with translated(self._container.source):
                for block in self._cropped(self._timeline()):
                    self._emitted_samples += len(block)
                    yield block
                    if self._is_over():
                        break
                self._judge()
        finally:
            self.close()

    # -- what was lost -------------------------------------------------------------------------

    def _wanted_s(self) -> float:
        """Stated seconds of what was asked for; 0 where the file states nothing."""
        if self._stated_s is None:
            return 0.0
        if self._interval is None:
            return self._stated_s
        return max(0.0, min(self._interval.end_s, self._stated_s) - self._interval.start_s)

    def _lost_s(self) -> float:
        return self._gap_s + max(0.0, self._wanted_s() - self.duration_s)

    def _judge(self) -> None:
        """Raise damaged or empty if too little came out."""
        source = self._container.source
        wanted_s = self._wanted_s()
        decoded_s = self.duration_s - self._gap_s
        if wanted_s > _NOTEWORTHY_LOSS_S and decoded_s < _LEAST_DECODED_SHARE * wanted_s:
            raise source.error(
                "damaged", f"Only {decoded_s:.1f} s of {wanted_s:.1f} s could be decoded."
            )
        if self._emitted_samples == 0 and self._interval is None:
            if self._reader.damaged_packets + self._container.demux_errors:
                raise source.error("damaged", "None of its sound could be decoded.")
            raise source.error("empty", "The file has a header but no sound in it.")

    # -- output side: positions on the grid of rate_hz -----------------------------------------

    def _is_over(self) -> bool:
        return self._end is not None and self._position >= self._end

    def _cropped(self, blocks: Iterator[Waveform]) -> Iterator[Waveform]:
        """Count every block and give the part of it that was asked for."""
        for block in blocks:
            start = max(0, self._first - self._position)
            stop = len(block) if self._end is None else max(0, self._end - self._position)
            self._position += len(block)
            if start < min(stop, len(block)):
                yield block[start:stop]

    def _silence(self, gap_s: float, until: int) -> Iterator[Waveform]:
        """Fill up to the output sample `until`, and count what was asked for of it as lost."""
        heard = min(until, self._end or until) - max(self._position, self._first)
        self._gap_s += max(0, heard) / self.rate_hz if gap_s else 0.0
        if self._gap_s > (1 - _LEAST_DECODED_SHARE) * self._wanted_s():
            raise self._container.source.error(
                "damaged", "More than half of its sound is damaged or missing."
            )
        while self._position < until and not self._is_over():
            self._container.source.check()
            yield np.zeros(min(BLOCK_SAMPLES, until - self._position), dtype=np.float32)

    # -- input side: runs of frames without a gap ----------------------------------------------

    def _timeline(self) -> Iterator[Waveform]:
        """Blocks from `_position` on, with silence in the gaps."""
        run: Run | None = None
        step_s = 1.0  # the output grid meets any source's grid at whole seconds at the latest
        for timed in self._reader.frames(self._first / self.rate_hz, _PREROLL_S + step_s):
            frame = timed.frame
            form = run.form if run and run.form.is_of(frame) else FrameFormat.of(frame)
            gap_s = self._gap_before(timed, run) if run else 0.0
            if run is None:
                run = self._begin(form, timed.time_s or 0.0)
            elif gap_s or form != run.form:
                yield from run.finish()
                start_s = run.end_s + gap_s
                yield from self._silence(gap_s, round(start_s * self.rate_hz))
                run = self._begin(form, start_s)
            yield from run.push(frame)
        if run is not None:
            yield from run.finish()

    def _begin(self, form: FrameFormat, start_s: float) -> Run:
        """Start a run whose first frame begins at `start_s`, and set its position on the output."""
        if not LEAST_RATE_HZ <= form.rate_hz <= HIGHEST_RATE_HZ:
            raise self._container.source.error(
                "damaged",
                f"Its header states a sample rate of {form.rate_hz} Hz: that is no sound.",
            )
        wanted_s = self._first / self.rate_hz - _RESAMPLER_MARGIN_S
        run = Run(form, self.rate_hz, start_s=start_s, wanted_s=wanted_s, tap=self._tap)
        self._runs.append(run)
        self._position = run.position
        return run

    def _gap_before(self, timed: TimedFrame, run: Run) -> float:
        """Seconds missing between the run and the next frame; 0 where that cannot be known."""
        if timed.time_s is None or self._stated_s is None:
            return 0.0
        gap_s = timed.time_s - run.end_s
        least_s = _GAP_AFTER_DAMAGE_S if timed.after_damage else _GAP_S
        believable = timed.time_s <= self._stated_s + 1.0
        return gap_s if gap_s > least_s and believable else 0.0
