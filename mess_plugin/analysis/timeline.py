"""The frames of a recording's windows, joined into one timeline in bounded memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mess_plugin.analysis.windows import Window
from mess_plugin.features.power import energies
from mess_plugin.model import Float32, Timeline

TIMELINE_HZ = 4.0  # steps per second kept of a recording: fine enough for a beat at 120 bpm
MOST_STEPS = 48_000
"""Of a timeline: three hours and twenty minutes at TIMELINE_HZ. A longer recording is kept at half
that rate, and so on: twelve hours at 1 Hz."""

_FLOOR_POWER = 1e-12  # -120 dB re full scale
_CHUNK_STEPS = 1 << 12


class TimelineBuilder:
    """Joins the frames of (overlapping) windows into one even timeline.

    Each encoder frame is added to the step that its centre falls into; a step is the mean of all
    that fell into it. Steps are at most TIMELINE_HZ and never finer than the encoder's frames. A step
    that no frame fell into takes the frames of the nearest step that has some.
    """

    def __init__(self, rate_hz: int) -> None:
        """rate_hz: samples per second of the waveform."""
        self._rate_hz = rate_hz
        self._steps_hz = 0.0
        self._end_samples = 0
        # Steps that no further window can reach are means of 4 bytes, the others sums of 8.
        self._means = np.zeros((0, 0), dtype=np.float32)
        self._n_settled = 0
        self._sums = np.zeros((0, 0))
        self._counts = np.zeros(0, dtype=np.int64)
        self._power = np.zeros(0)
        self._power_counts = np.zeros(0, dtype=np.int64)

    def add(self, window: Window, frames: Float32) -> None:
        """Add one window with its frames, (n_frames, dim)."""
        window_s = len(window.waveform) / self._rate_hz
        start_s = window.start_samples / self._rate_hz
        if not self._steps_hz:
            self._steps_hz = min(TIMELINE_HZ, len(frames) / window_s)
            self._means = np.zeros((0, frames.shape[1]), dtype=np.float32)
            self._sums = np.zeros((0, frames.shape[1]))
        self._reach(start_s + window_s)
        centres_s = start_s + (np.arange(len(frames)) + 0.5) * (window_s / len(frames))
        steps = np.floor(centres_s * self._steps_hz).astype(np.int64)
        firsts = np.flatnonzero(np.diff(steps, prepend=-1))  # of the frames of each step, in order
        places = steps[firsts]
        self._sums[places - self._n_settled] += np.add.reduceat(
            frames, firsts, axis=0, dtype=np.float64
        )
        self._counts[places] += np.diff(firsts, append=len(steps))
        self._add_power(window)

    def skip(self, window: Window) -> None:
        """Add one window that the encoder did not hear, for its loudness and its place in time.

        Raises ValueError before any window was added with its frames.
        """
        if not self._steps_hz:
            raise ValueError("the first window must come with its frames")
        self._reach((window.start_samples + len(window.waveform)) / self._rate_hz)
        self._add_power(window)

    def settle(self, start_samples: int) -> None:
        """No window that starts before this will be added any more."""
        n_steps = (
            int(start_samples / self._rate_hz * self._steps_hz) // 2 * 2
        )  # pairs can be merged
        n_new = min(n_steps, self._n_settled + len(self._sums)) - self._n_settled
        if n_new <= 0:
            return
        last = self._n_settled + n_new
        if last > len(self._means):
            room = max(last, min(2 * len(self._means), MOST_STEPS))
            self._means = _grown(self._means, room)
        self._means[self._n_settled : last] = _mean(
            self._sums[:n_new], self._counts[self._n_settled : last]
        )
        self._sums = self._sums[n_new:].copy()
        self._n_settled = last

    def build(self) -> Timeline:
        """The timeline so far. Raises ValueError where no window was added."""
        if not self._end_samples:
            raise ValueError("no window was added")
        duration_s = self._end_samples / self._rate_hz
        n_steps = max(1, int(np.ceil(duration_s * self._steps_hz)))
        self._reach(duration_s)
        n_open = n_steps - self._n_settled
        if n_open > 0:
            if n_steps > len(self._means):
                self._means = _grown(self._means, n_steps)
            self._means[self._n_settled : n_steps] = _mean(
                self._sums[:n_open], self._counts[self._n_settled : n_steps]
            )
        counts = self._counts[:n_steps]
        frames = self._means[:n_steps]
        if not counts.all():
            frames = frames[_nearest(np.flatnonzero(counts), n_steps)]
        power = self._power[:n_steps] / np.maximum(self._power_counts[:n_steps], 1)
        loudness_db = 10.0 * np.log10(np.maximum(power, _FLOOR_POWER))
        return Timeline(frames, self._steps_hz, loudness_db.astype(np.float32), duration_s)

    def _add_power(self, window: Window) -> None:
        n_samples = len(window.waveform)
        ratio = self._steps_hz / self._rate_hz
        first, last = (
            int(np.floor(sample * ratio))
            for sample in (window.start_samples, window.start_samples + n_samples - 1)
        )
        edges = np.ceil(np.arange(first + 1, last + 1) / ratio).astype(np.int64)
        # A sample belongs to the step that its number times the ratio is rounded down to.
        edges -= np.floor((edges - 1) * ratio) >= np.arange(first + 1, last + 1)
        edges += np.floor(edges * ratio) < np.arange(first + 1, last + 1)
        edges = np.concatenate(([0], edges - window.start_samples, [n_samples]))
        self._power[first : last + 1] += energies(window.waveform, edges)
        self._power_counts[first : last + 1] += np.diff(edges)
        self._end_samples = max(self._end_samples, window.start_samples + n_samples)

    def _reach(self, end_s: float) -> None:
        """Make room up to this moment, at half the rate where there would be too many steps."""
        while (n_steps := int(np.ceil(end_s * self._steps_hz))) > MOST_STEPS:
            self._halve()
        if n_steps > len(self._counts):
            room = max(n_steps, 2 * len(self._counts))
            for name in ("_counts", "_power", "_power_counts"):
                setattr(self, name, _grown(getattr(self, name), room))
        if n_steps - self._n_settled > len(self._sums):
            self._sums = _grown(self._sums, n_steps - self._n_settled)

    def _halve(self) -> None:
        """Make one step of every two; `_n_settled` is even."""
        half = self._n_settled // 2
        for start in range(0, half, _CHUNK_STEPS):
            stop = min(start + _CHUNK_STEPS, half)
            pairs = slice(2 * start, 2 * stop)
            weights = self._counts[pairs, None]
            merged = _pairs_added(self._means[pairs] * weights.astype(np.float64))
            self._means[start:stop] = _mean(merged, _pairs_added(weights)[:, 0])
        self._means = self._means[:half].copy()
        self._n_settled = half
        self._sums = _pairs_added(self._sums)
        for name in ("_counts", "_power", "_power_counts"):
            setattr(self, name, _pairs_added(getattr(self, name)))
        self._steps_hz /= 2


def _grown(rows: npt.NDArray[Any], n_rows: int) -> npt.NDArray[Any]:
    """The same rows with zeros behind them."""
    grown = np.zeros((n_rows, *rows.shape[1:]), dtype=rows.dtype)
    kept = min(len(rows), n_rows)
    grown[:kept] = rows[:kept]
    return grown


def _pairs_added(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Each two rows as one; an odd one counts as if a row of zeros followed."""
    if len(rows) % 2:
        rows = _grown(rows, len(rows) + 1)
    return np.asarray(rows.reshape(-1, 2, *rows.shape[1:]).sum(axis=1))


def _mean(sums: npt.NDArray[np.float64], counts: npt.NDArray[np.int64]) -> Float32:
    """Sums over counts, zero where nothing was counted."""
    return (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)


def _nearest(known: npt.NDArray[np.intp], n_steps: int) -> npt.NDArray[np.intp]:
    """For each step the nearest of the known ones, which ascend; the earlier of two equally near."""
    steps = np.arange(n_steps)
    after = np.searchsorted(known, steps).clip(max=len(known) - 1)
    before = (after - 1).clip(min=0)
    earlier = np.abs(steps - known[before]) <= np.abs(known[after] - steps)
    nearest: npt.NDArray[np.intp] = np.where(earlier, known[before], known[after])
    return nearest
