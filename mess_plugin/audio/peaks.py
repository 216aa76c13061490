"""The waveform of a recording as a person sees it: a few hundred pairs of bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mess_plugin.audio.decoding import decode
from mess_plugin.model import Bytes, Float32, Peaks

N_PEAKS = 1000
"""Steps of a whole recording, fewer where it is shorter than so many moments."""
_RATE_HZ = 11_025  # a peak between two samples at this rate is missed by less than can be seen
_MOMENT_SAMPLES = 256  # 23 ms: what is kept while reading is 350 kB an hour


def peaks_of(path: Path, *, limit_s: float | None = None) -> Peaks:
    """Read a file once, block by block, and keep its peaks. Raises AudioError as `decode` does."""
    highest: list[Float32] = []
    power: list[Float32] = []
    rest = np.zeros(0, dtype=np.float32)
    with decode(path, _RATE_HZ, limit_s=limit_s) as decoding:
        for block in decoding:
            joined = np.concatenate([rest, block])
            whole = len(joined) // _MOMENT_SAMPLES * _MOMENT_SAMPLES
            _note(joined[:whole], highest, power)
            rest = joined[whole:].copy()
        if len(rest):
            _note(np.pad(rest, (0, _MOMENT_SAMPLES - len(rest))), highest, power)
        duration_s = decoding.duration_s
    n_moments = sum(map(len, highest))
    n = min(N_PEAKS, n_moments)
    starts = np.arange(n) * n_moments // n
    sizes = np.diff(np.append(starts, n_moments))
    tops = np.maximum.reduceat(np.concatenate(highest), starts)
    means = np.sqrt(np.add.reduceat(np.concatenate(power), starts) / sizes)
    return Peaks(duration_s, _as_bytes(tops), _as_bytes(means))


def _note(samples: Float32, highest: list[Float32], power: list[Float32]) -> None:
    moments = samples.reshape(-1, _MOMENT_SAMPLES)
    highest.append(np.abs(moments).max(axis=1))
    power.append(np.square(moments).mean(axis=1))


def _as_bytes(values: Float32) -> Bytes:
    return np.asarray(np.clip(np.round(values * 255), 0, 255), dtype=np.uint8)
