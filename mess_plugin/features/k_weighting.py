"""K-weighting: the filter that loudness is measured through (ITU-R BS.1770), as matrix products.

Two filters of second order in a row: a shelf for the head, and a high-pass. The standard gives their
coefficients at 48 kHz; for other rates they come from the analogue filters behind them (B. De Man,
"Evaluation of implementations of the EBU R128 loudness measurement", AES 145, 2018).

A recursive filter goes from sample to sample, which NumPy cannot. What it does to a block is linear in
the block and in its state before, though: the response to the block alone is one matrix product for
all blocks, and the states are a recursion over blocks, solved the same way over groups of blocks.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from mess_plugin.model import Float32

LEAST_RATE_HZ = 8_000
"""Below it the shelf would lie above all sound there is."""

_SHELF_HZ, _SHELF_DB, _SHELF_Q = 1681.974450955533, 3.999843853973347, 0.7071752369554196
_SHELF_MIDDLE = 0.4996667741545416  # exponent of the gain where the shelf begins to rise
_HIGH_PASS_HZ, _HIGH_PASS_Q = 38.13547087602444, 0.5003270373238773
_ORDER = 4
_BLOCK = 64  # samples
_GROUP = 32  # blocks
_GROUPS = 32  # whose states are found at a time
GROUP_SAMPLES = _BLOCK * _GROUP

Float64 = npt.NDArray[np.float64]


class KWeighting:
    """Filters sound of some channels that comes piece by piece."""

    def __init__(self, rate_hz: int, n_channels: int) -> None:
        """Raises ValueError for a rate under LEAST_RATE_HZ."""
        if rate_hz < LEAST_RATE_HZ:
            raise ValueError(f"{rate_hz} Hz is under {LEAST_RATE_HZ} Hz")
        self._within, self._entering, self._leaving = _over_block(rate_hz)
        self._between, self._carried = _over_group(rate_hz)
        self._between_groups, self._carried_on = _over_groups(rate_hz)
        self._state = np.zeros((n_channels, _ORDER))

    def __call__(self, samples: Float32) -> Float32:
        """(n_channels, n) → the same, filtered; n must be a multiple of GROUP_SAMPLES."""
        n_channels, n_samples = samples.shape
        blocks = samples.reshape(-1, _BLOCK)
        groups = (blocks @ self._entering).reshape(n_channels, -1, _GROUP * _ORDER)
        # The states before each block of a group and behind the last, as if it began in silence …
        states = groups.astype(np.float64) @ self._between
        for first in range(0, states.shape[1], _GROUPS):  # … and with what lies before it.
            some = states[:, first : first + _GROUPS]
            some += self._starts(some[:, :, -_ORDER:]) @ self._carried
        before = states[:, :, :-_ORDER].reshape(-1, _ORDER).astype(np.float32)
        filtered = blocks @ self._within
        filtered += before @ self._leaving
        return filtered.reshape(n_channels, n_samples)

    def _starts(self, ends: Float64) -> Float64:
        """The state that each of some groups begins in, from those that they leave by themselves.

        Both (n_channels, n, _ORDER), n at most _GROUPS. Goes on to the state behind them all.
        """
        n_channels, n, _ = ends.shape
        width = (n + 1) * _ORDER
        starts = ends.reshape(n_channels, -1) @ self._between_groups[: n * _ORDER, :width]
        starts += self._state @ self._carried_on[:, :width]
        self._state = starts[:, -_ORDER:]
        return starts[:, :-_ORDER].reshape(n_channels, n, _ORDER)


def biquads(rate_hz: int) -> tuple[tuple[Float64, Float64], tuple[Float64, Float64]]:
    """Numerator and denominator, (3,) each, of the shelf and of the high-pass at a sample rate."""
    warped = math.tan(math.pi * _SHELF_HZ / rate_hz)
    top = 10 ** (_SHELF_DB / 20)
    middle = top**_SHELF_MIDDLE
    a0 = 1 + warped / _SHELF_Q + warped**2
    shelf = np.array(
        [
            top + middle * warped / _SHELF_Q + warped**2,
            2 * (warped**2 - top),
            top - middle * warped / _SHELF_Q + warped**2,
        ]
    )
    shelf_poles = np.array([a0, 2 * (warped**2 - 1), 1 - warped / _SHELF_Q + warped**2])
    warped = math.tan(math.pi * _HIGH_PASS_HZ / rate_hz)
    b0 = 1 + warped / _HIGH_PASS_Q + warped**2
    poles = np.array([b0, 2 * (warped**2 - 1), 1 - warped / _HIGH_PASS_Q + warped**2])
    return (shelf / a0, shelf_poles / a0), (np.array([1.0, -2.0, 1.0]), poles / b0)


def _state_space(rate_hz: int) -> tuple[Float64, Float64, Float64, float]:
    """Both filters as one: state → next state, input → state, state → output, input → output.

    The states are those of the transposed direct form, which stay as small as the sound.
    """
    (b1, a1), (b2, a2) = biquads(rate_hz)
    step = np.zeros((_ORDER, _ORDER))
    step[:2, :2] = [[-a1[1], 1], [-a1[2], 0]]
    step[2:, 2:] = [[-a2[1], 1], [-a2[2], 0]]
    first, second = b1[1:] - a1[1:] * b1[0], b2[1:] - a2[1:] * b2[0]
    step[2:, 0] = second
    leave = np.array([b2[0], 0.0, 1.0, 0.0])
    return step, np.concatenate([first, second * b1[0]]), leave, float(b1[0] * b2[0])


@lru_cache(maxsize=8)
def _over_block(rate_hz: int) -> tuple[Float32, Float32, Float32]:
    """Block → its filtered self, block → state behind it, state → what it adds to the block after it.

    (_BLOCK, _BLOCK), (_BLOCK, _ORDER) and (_ORDER, _BLOCK), to be multiplied by rows from the left.
    """
    step, enter, leave, direct = _state_space(rate_hz)
    powers = [np.linalg.matrix_power(step, n) for n in range(_BLOCK)]
    answer = [direct, *(leave @ power @ enter for power in powers[:-1])]
    within = np.zeros((_BLOCK, _BLOCK))
    for i in range(_BLOCK):
        within[i, i:] = answer[: _BLOCK - i]
    entering = np.stack([power @ enter for power in reversed(powers)])
    leaving = np.stack([leave @ power for power in powers], axis=1)
    return within.astype(np.float32), entering.astype(np.float32), leaving.astype(np.float32)


@lru_cache(maxsize=8)
def _over_group(rate_hz: int) -> tuple[Float64, Float64]:
    """What makes the states before each block of a group and behind the last one.

    From the states that the blocks leave by themselves, (_GROUP * _ORDER, (_GROUP + 1) * _ORDER), and
    from a state at the start, (_ORDER, the same); both to be multiplied by rows from the left.
    """
    return _recursion(np.linalg.matrix_power(_state_space(rate_hz)[0], _BLOCK), _GROUP)


@lru_cache(maxsize=8)
def _over_groups(rate_hz: int) -> tuple[Float64, Float64]:
    """The same for the groups of some, in place of the blocks of a group."""
    return _recursion(np.linalg.matrix_power(_state_space(rate_hz)[0], GROUP_SAMPLES), _GROUPS)


def _recursion(step: Float64, n: int) -> tuple[Float64, Float64]:
    """The states before each of n steps and behind the last, of what each step adds and of the start.

    step: state → next state.
    """
    powers = [np.linalg.matrix_power(step, k).T for k in range(n + 1)]
    between = np.zeros((n, _ORDER, n + 1, _ORDER))
    for place in range(n + 1):
        for k in range(place):
            between[k, :, place] = powers[place - 1 - k]
    return between.reshape(n * _ORDER, -1), np.concatenate(powers, axis=1)
