"""Waveform → windows with times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
import numpy as np

from mess_plugin.features.power import mean_square
from mess_plugin.model import Float32, Waveform

SILENCE_DB = -60.0  # RMS re full scale; below it there is nothing to hear
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
        silent = coverage < 1 and due and mean_square(window.waveform) < _SILENT_POWER
        heard = due and (first or not silent)
        first = False
        yield window, heard
        spent = 1.0 if heard and not silent else 0.0
        credit = min(1.0 + coverage, credit - spent + coverage)


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
