"""Self-similarity → novelty → section boundaries and labels.

Boundaries: correlation of the self-similarity matrix with a checkerboard kernel tapered by a
Gaussian (J. Foote, "Automatic audio segmentation using a measure of audio novelty", ICME 2000).
Only the band of the matrix under the kernel is ever computed, so that hours of music need memory
in proportion to their length. Labels: sections that sound alike share a letter, given in order of
first appearance (the usual notation of musical form).
"""

from __future__ import annotations

from bisect import bisect

import msgspec
import numpy as np
import numpy.typing as npt

from mess_plugin.analysis.pooling import unit
from mess_plugin.model import Float32, Timeline

KERNEL_S = 16.0  # the checkerboard looks this far: half to each side
MIN_SECTION_S = 6.0
PEAK_DEVIATIONS = 0.75  # a boundary stands this many standard deviations above the mean novelty
SAME_LABEL = 0.45  # cosine of two sections, in the track's own centred space, that share a letter
_MAX_RATE_HZ = 2.0  # boundaries are not heard finer than this
_CHUNK_FRAMES = 1 << 12
_CHUNK_COLUMNS = 64


class Sections(msgspec.Struct, frozen=True):
    """The form of one recording."""

    intervals: Float32
    """(n, 2) seconds, contiguous from 0 to the end, n >= 1."""
    labels: tuple[str, ...]
    """A letter for each."""
    novelty: Float32
    """(n_frames,) in [0, 1], at most at 2 Hz."""


def find_sections(timeline: Timeline) -> Sections:
    """Cut a recording at its most novel moments and name the parts.

    A recording shorter than two sections is one section, "A".
    """
    frames, rate_hz = _standardised(timeline)
    curve = novelty(frames, rate_hz)
    cuts_s = [index / rate_hz for index in _peaks(curve, rate_hz, timeline.duration_s)]
    edges = np.array([0.0, *cuts_s, timeline.duration_s])
    intervals = np.stack((edges[:-1], edges[1:]), axis=1).astype(np.float32)
    return Sections(intervals, _labels(frames, rate_hz, intervals), curve)


def novelty(frames: Float32, rate_hz: float) -> Float32:
    """Novelty of each moment: how unlike the past the future is, each being like itself.

    frames: (n_frames, dim), rows of unit length. Returns (n_frames,) float32, scaled to [0, 1];
    all zero for fewer than four frames. Near the ends, where the kernel would reach outside, the
    missing frames count as similar to nothing.
    """
    n_frames = len(frames)
    half = min(int(KERNEL_S / 2 * rate_hz), n_frames // 2)
    if half < 2:
        return np.zeros(n_frames, dtype=np.float32)
    offsets = np.arange(-half, half) + 0.5
    taper = np.exp(-0.5 * (offsets / (0.5 * half)) ** 2)
    # With rows f and signed taper g, sum_ij g_i g_j <f_i, f_j> = |sum_i g_i f_i|²: the whole
    # correlation along the diagonal is one convolution of the frames.
    weights = np.sign(offsets) * taper
    raw = np.empty(n_frames)
    for start in range(0, n_frames, _CHUNK_FRAMES):
        stop = min(start + _CHUNK_FRAMES, n_frames)
        raw[start:stop] = _contrast(frames, weights, start, stop)
    edge = np.minimum(np.arange(n_frames), n_frames - np.arange(n_frames))
    raw[edge < half // 2] = 0.0
    top = raw.max()
    return np.asarray(raw / top if top > 0 else raw, dtype=np.float32)


def _contrast(
    frames: Float32, weights: npt.NDArray[np.float64], start: int, stop: int
) -> npt.NDArray[np.float64]:
    """Squared length of the weighted sum of frames around each of some: (stop - start,)."""
    half = len(weights) // 2
    first, last = start - half, stop + half - 1
    around = frames[max(0, first) : last].astype(np.float64)
    padded = np.pad(around, ((max(0, -first), max(0, last - len(frames))), (0, 0)))
    found = np.zeros((stop - start, frames.shape[1]))
    for k, weight in enumerate(weights):
        found += weight * padded[k : k + stop - start]
    squares: npt.NDArray[np.float64] = (found**2).sum(axis=1)
    return squares


def _standardised(timeline: Timeline) -> tuple[Float32, float]:
    """The track's frames at most at _MAX_RATE_HZ, centred and scaled by the track itself."""
    step = max(1, round(timeline.rate_hz / _MAX_RATE_HZ))
    n = len(timeline.frames) // step
    if n < 1:
        step, n = 1, len(timeline.frames)
    frames = sloped(timeline.frames)
    if step == 1 and frames is not timeline.frames:
        coarse = frames  # of hours, another copy would be a hundred megabytes
    else:
        coarse = frames[: n * step].reshape(n, step, -1).mean(axis=1)
    spread = np.concatenate([part.std(axis=0) for part in _columns(coarse)])
    coarse -= coarse.mean(axis=0)
    coarse /= np.maximum(spread, 1e-3 * max(spread.max(), 1e-9))
    for start in range(0, n, _CHUNK_FRAMES):
        coarse[start : start + _CHUNK_FRAMES] = unit(coarse[start : start + _CHUNK_FRAMES])
    return coarse, timeline.rate_hz / step


def _columns(rows: Float32) -> list[Float32]:
    """Columns in groups: what is computed of them needs little memory beside."""
    return [rows[:, i : i + _CHUNK_COLUMNS] for i in range(0, rows.shape[1], _CHUNK_COLUMNS)]


def sloped(frames: Float32) -> Float32:
    """Frames whose step-like columns are made to slope. (n_frames, dim) → the same shape.

    Some columns describe a whole window of the encoder and repeat in all its frames. They jump where
    the windows meet, which says nothing about the music; so each goes in straight lines from the
    middle of one stair to the middle of the next. A column is a stair if it stands still in more
    than half of its steps.
    """
    if len(frames) < 3:
        return frames
    stands = [(np.diff(part, axis=0) == 0).mean(axis=0) for part in _columns(frames)]
    stairs = np.flatnonzero(np.concatenate(stands) > 0.5)
    if not len(stairs):
        return frames
    out = frames.copy()
    places = np.arange(len(frames))
    for column in stairs:
        moves = np.diff(frames[:, column]) != 0
        edges = np.concatenate(([0], np.flatnonzero(moves) + 1, [len(frames)]))
        middles = (edges[:-1] + edges[1:] - 1) / 2
        out[:, column] = np.interp(places, middles, frames[edges[:-1], column])
    return out


def _peaks(curve: Float32, rate_hz: float, duration_s: float) -> list[int]:
    """Strongest peaks first, each at least MIN_SECTION_S from the others and from the ends."""
    if duration_s < 2 * MIN_SECTION_S:
        return []
    threshold = curve.mean() + PEAK_DEVIATIONS * curve.std()
    inner = curve[1:-1]
    is_peak = (inner >= curve[:-2]) & (inner > curve[2:]) & (inner > threshold)
    candidates = np.flatnonzero(is_peak) + 1
    apart = MIN_SECTION_S * rate_hz
    chosen: list[float] = [0, duration_s * rate_hz]
    for index in candidates[np.argsort(-curve[candidates], kind="stable")].tolist():
        place = bisect(chosen, index)
        if all(abs(index - other) >= apart for other in chosen[max(0, place - 1) : place + 1]):
            chosen.insert(place, index)
    return [int(index) for index in chosen[1:-1]]


def _labels(frames: Float32, rate_hz: float, intervals: Float32) -> tuple[str, ...]:
    """Each section joins the letter it is most like, or opens the next one."""
    centres = np.empty((len(intervals), frames.shape[1]))
    lengths = np.empty(len(intervals))
    labels: list[str] = []
    n = 0
    for start_s, end_s in intervals:
        first = int(start_s * rate_hz)
        part = frames[first : max(first + 1, int(end_s * rate_hz))].mean(axis=0, dtype=np.float64)
        length = float(np.linalg.norm(part))
        similarities = centres[:n] @ part / np.maximum(lengths[:n] * length, 1e-12)
        best = int(np.argmax(similarities)) if n else -1
        if best < 0 or similarities[best] < SAME_LABEL:
            centres[n], lengths[n] = part, length
            best, n = n, n + 1
        labels.append(letter(best))
    return tuple(labels)


def letter(index: int) -> str:
    """0 → "A", 25 → "Z", 26 → "A1", 52 → "A2" …"""
    turn, place = divmod(index, 26)
    return chr(ord("A") + place) + (str(turn) if turn else "")
