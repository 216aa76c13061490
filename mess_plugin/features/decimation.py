"""Every second or fourth sample of low-passed sound, by matrix products."""

from __future__ import annotations

import numpy as np

from mess_plugin.model import Float32, Waveform

_BLOCK = 16  # samples of the output that one row of a product makes: more would waste it on zeros


class Decimator:
    """A low-pass that gives one sample in some."""

    def __init__(self, taps: Float32, factor: int) -> None:
        """taps: the low-pass, (n_taps,). factor: samples of the input for one of the output."""
        self._factor = factor
        reach = factor * (_BLOCK - 1) + len(taps)
        self._matrix = np.zeros((reach, _BLOCK), np.float32)
        for i in range(_BLOCK):
            self._matrix[i * factor : i * factor + len(taps), i] = taps

    def __call__(self, sound: Waveform, n: int) -> Waveform:
        """The first n samples of the output.

        Sample i is the sum of taps[k] * sound[i * factor + k]; what would lie behind the sound is 0.
        """
        reach, hop = len(self._matrix), _BLOCK * self._factor
        n_blocks = -(-n // _BLOCK)
        padded = np.pad(sound, (0, max(0, (n_blocks - 1) * hop + reach - len(sound))))
        blocks = np.lib.stride_tricks.sliding_window_view(padded, reach)[::hop][:n_blocks]
        return np.asarray((np.ascontiguousarray(blocks) @ self._matrix).ravel()[:n])
