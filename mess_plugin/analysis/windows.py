"""Waveform → windows with times, and the frames of windows joined back into one timeline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec
import numpy as np
import numpy.typing as npt

from mess_plugin.model import Float32, Timeline, Waveform

TIMELINE_HZ = 4.0  # steps per second kept of a recording: fine enough for a beat at 120 bpm
SILENCE_DB = -60.0  # RMS re full scale; below it there is nothing to hear
_FLOOR_DB = -120.0
_FLOOR_POWER = 10.0 ** (_FLOOR_DB / 10)
_SILENT_POWER = 10.0 ** (SILENCE_DB / 10)
_ROUNDING = 1e-9  # a third and a third and a third is a whole


class Window(msgspec.Struct, frozen=True):
    """An excerpt for the encoder. start_samples counts from the start of the recording."""

    start_samples: int
    waveform: Waveform


def slide(blocks: Iterable[Waveform], window_samples: int, hop_samples: int) -> Iterator[Window]:
    """Cut a stream into equally long windows, hop_samples apart, in bounded memory.

    The last window ends at the end of the stream, so it may overlap its neighbour by more than the
    others do; nothing is padded. A stream shorter than one window yields one shorter window; an
    empty stream yields none.

    blocks: (n,) float32 each. Raises ValueError unless 0 < hop_samples <= window_samples.
    """
    if not 0 < hop_samples <= window_samples:
        raise ValueError(f"hop {hop_samples} must be in 1..{window_samples} (the window)")
    buffer = np.empty(0, dtype=np.float32)
    start = 0  # of the buffer, in samples of the stream
    next_start = 0
    for block in blocks:
        buffer = np.concatenate((buffer, block))
        while next_start + window_samples <= start + len(buffer):
            at = next_start - start
            yield Window(next_start, buffer[at : at + window_samples].copy())
            next_start += hop_samples
        # Keep one window of the past: the last window may have to reach back.
        spare = min(next_start, start + len(buffer)) - window_samples - start
        if spare > 0:
            buffer = buffer[spare:]
            start += spare
    end = start + len(buffer)
    covered = next_start - hop_samples + window_samples if next_start else 0
    if end > covered:
        at = max(0, end - window_samples)
        yield Window(at, buffer[at - start :].copy())


def spread(windows: Iterable[Window], coverage: float) -> Iterator[tuple[Window, bool]]:
    """Each window with whether the encoder is to hear it: a share of them, evenly spread.

    The first one is always heard. Silence is passed over, and the next window heard in its place.
    coverage: the share, in (0, 1]; 1 hears every window. Raises ValueError outside of that.
    """
    if not 0 < coverage <= 1:
        raise ValueError(f"coverage {coverage} must be above 0 and at most 1")
    credit = 1.0
    first = True
    for window in windows:
        due = credit >= 1.0 - _ROUNDING
        silent = coverage < 1 and due and _power(window.waveform) < _SILENT_POWER
        heard = due and (first or not silent)
        first = False
        yield window, heard
        spent = 1.0 if heard and not silent else 0.0
        credit = min(1.0 + coverage, credit - spent + coverage)


def _power(waveform: Waveform) -> float:
    return float(np.mean(np.square(waveform, dtype=np.float64)))


@dataclass(slots=True)
class TimelineBuilder:
    """Joins the frames of (overlapping) windows into one even timeline.

    Each encoder frame is added to the step that its centre falls into; a step is the mean of all
    that fell into it. Steps are at most TIMELINE_HZ and never finer than the encoder's frames. A step
    that no frame fell into takes the frames of the nearest step that has some.
    """

    rate_hz: int  # samples per second of the waveform
    _steps_hz: float = 0.0
    _sums: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    _counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    _power: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    _power_counts: npt.NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(0, dtype=np.int64)
    )
    _end_samples: int = 0

    def add(self, window: Window, frames: Float32) -> None:
        """Add one window with its frames, (n_frames, dim)."""
        n_samples = len(window.waveform)
        window_s = n_samples / self.rate_hz
        if not self._steps_hz:
            self._steps_hz = min(TIMELINE_HZ, len(frames) / window_s)
        start_s = window.start_samples / self.rate_hz
        centres_s = start_s + (np.arange(len(frames)) + 0.5) * (window_s / len(frames))
        steps = np.floor(centres_s * self._steps_hz).astype(np.int64)
        self._grow(int(np.ceil((start_s + window_s) * self._steps_hz)), frames.shape[1])
        np.add.at(self._sums, steps, frames)
        np.add.at(self._counts, steps, 1)
        self._add_power(window)

    def skip(self, window: Window) -> None:
        """Add one window that the encoder did not hear, for its loudness and its place in time.

        Raises ValueError before any window was added with its frames.
        """
        if not self._steps_hz:
            raise ValueError("the first window must come with its frames")
        end_s = (window.start_samples + len(window.waveform)) / self.rate_hz
        self._grow(int(np.ceil(end_s * self._steps_hz)), self._sums.shape[1])
        self._add_power(window)

    def _add_power(self, window: Window) -> None:
        n_samples = len(window.waveform)
        sample_steps = np.floor(
            (window.start_samples + np.arange(n_samples)) * (self._steps_hz / self.rate_hz)
        ).astype(np.int64)
        power = np.bincount(sample_steps, weights=window.waveform.astype(np.float64) ** 2)
        samples = np.bincount(sample_steps)
        self._power[: len(power)] += power
        self._power_counts[: len(samples)] += samples
        self._end_samples = max(self._end_samples, window.start_samples + n_samples)

    def _grow(self, n_steps: int, dim: int) -> None:
        if n_steps <= len(self._counts):
            return
        room = max(n_steps, 2 * len(self._counts))
        sums = np.zeros((room, dim))
        if len(self._sums):
            sums[: len(self._sums)] = self._sums
        self._sums = sums
        for name in ("_counts", "_power", "_power_counts"):
            old = getattr(self, name)
            new = np.zeros(room, dtype=old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)

    def build(self) -> Timeline:
        """The timeline so far. Raises ValueError where no window was added."""
        if not self._end_samples:
            raise ValueError("no window was added")
        duration_s = self._end_samples / self.rate_hz
        n_steps = max(1, int(np.ceil(duration_s * self._steps_hz)))
        counts = self._counts[:n_steps]
        source = _nearest(np.flatnonzero(counts), n_steps)
        frames = self._sums[source] / counts[source, None]
        power = self._power[:n_steps] / np.maximum(self._power_counts[:n_steps], 1)
        loudness_db = 10.0 * np.log10(np.maximum(power, _FLOOR_POWER))
        return Timeline(
            frames.astype(np.float32), self._steps_hz, loudness_db.astype(np.float32), duration_s
        )


def _nearest(known: npt.NDArray[np.intp], n_steps: int) -> npt.NDArray[np.intp]:
    """For each step the nearest of the known ones, which ascend; the earlier of two equally near."""
    steps = np.arange(n_steps)
    after = np.searchsorted(known, steps).clip(max=len(known) - 1)
    before = (after - 1).clip(min=0)
    earlier = np.abs(steps - known[before]) <= np.abs(known[after] - steps)
    nearest: npt.NDArray[np.intp] = np.where(earlier, known[before], known[after])
    return nearest


def grid(duration_s: float, window_s: float, hop_s: float) -> Float32:
    """The intervals of the stored windows of a recording: (n, 2) float32 in seconds.

    They start every hop_s and leave no gap; the last one ends at the end. A recording shorter than
    one window has one window, as long as the recording.
    """
    if duration_s <= window_s:
        return np.array([[0.0, duration_s]], dtype=np.float32)
    last = duration_s - window_s
    starts = np.arange(0.0, last, hop_s)
    nearly_equal = last - starts[-1] < hop_s / 2
    if nearly_equal and len(starts) > 1 and last - starts[-2] <= window_s:
        starts = starts[:-1]  # the last one takes its place
    starts = np.append(starts, last)
    return np.stack((starts, starts + window_s), axis=1).astype(np.float32)
