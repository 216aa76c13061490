"""Loudness after EBU R128, metered on the undiminished channels.

Integrated loudness after ITU-R BS.1770-5, range after EBU Tech 3342: the power of K-weighted sound in
steps of 100 ms, and both measures from the powers of 400 ms and 3 s, gated.
"""

from __future__ import annotations

from array import array

import numpy as np
import numpy.typing as npt

from mess_plugin.audio.downmix import FrameFormat, Samples
from mess_plugin.facets.values import Loudness
from mess_plugin.features.k_weighting import GROUP_SAMPLES, LEAST_RATE_HZ, KWeighting

_STEPS_PER_S = 10
_BLOCK_STEPS, _RANGE_STEPS = 4, 30
_GATE_LUFS = -70.0  # nothing quieter counts
_GATE_LU, _RANGE_GATE_LU = -10.0, -20.0  # below the mean of what counts
_RANGE_PERCENTILES = (10, 95)
_OFFSET_DB = -0.691  # so that a sine of 997 Hz at full scale in one channel reads -3.01
_SILENT_CHANNELS = frozenset({"LFE", "LFE2"})
_BACK_CHANNELS = frozenset({"BL", "BR", "BC", "SL", "SR", "TBL", "TBC", "TBR", "SDL", "SDR"})
_BACK_WEIGHT = 1.41
_MOST_CHANNELS = 64

Float64 = npt.NDArray[np.float64]


class LoudnessMeter:
    """Takes decoded sound and reads the meter at the end.

    Sound of another format than the first (a stream that changes in the middle) is not metered, nor
    is any whose rate is too low for the filter, or that has more channels than there are places for.
    """

    def __init__(self) -> None:
        self._format: FrameFormat | None = None
        self._filter: KWeighting | None = None
        self._weights = np.empty(0)
        self._heard: list[int] = []
        self._rest: Samples = np.empty((0, 0), dtype=np.float32)  # less than a group of the filter
        self._powers = array("d")  # of whole steps
        self._open_power = 0.0  # of the step that has begun …
        self._open_samples = 0  # … and how much there is of it

    def push(self, samples: Samples, form: FrameFormat) -> None:
        """Take (n_channels, n) samples of one format."""
        if self._format is None:
            self._begin(form)
        if form != self._format or self._filter is None:
            return
        heard = samples if len(self._heard) == len(samples) else samples[self._heard]
        n_rest = self._rest.shape[1]
        n_groups = (n_rest + heard.shape[1]) // GROUP_SAMPLES
        n_taken = max(0, n_groups * GROUP_SAMPLES - n_rest)
        joined = np.concatenate((self._rest, heard[:, :n_taken]), axis=1)
        self._rest = heard[:, n_taken:].copy()
        if n_groups:
            self._meter(self._filter, joined, joined.shape[1])
        else:
            self._rest = np.concatenate((joined, self._rest), axis=1)

    def finish(self) -> Loudness:
        """Integrated loudness and range of all that was pushed; None for what is not to be told."""
        n_rest = self._rest.shape[1]
        if self._filter is not None and n_rest:
            padded = np.pad(self._rest, ((0, 0), (0, GROUP_SAMPLES - n_rest)))
            self._meter(self._filter, padded, n_rest)
            self._rest = self._rest[:, :0]
        powers = np.array(self._powers)
        if not np.isfinite(powers).all():
            return Loudness(None, None)
        integrated = _integrated_lufs(_moving_mean(powers, _BLOCK_STEPS))
        if integrated is None:
            return Loudness(None, None)
        return Loudness(integrated, _range_lu(_moving_mean(powers, _RANGE_STEPS)))

    def _begin(self, form: FrameFormat) -> None:
        self._format = form
        names = form.channel_names or ("",) * form.n_channels
        self._heard = [i for i, name in enumerate(names) if name not in _SILENT_CHANNELS]
        self._weights = np.array(
            [_BACK_WEIGHT if names[i] in _BACK_CHANNELS else 1.0 for i in self._heard]
        )
        self._rest = np.empty((len(self._heard), 0), dtype=np.float32)
        if form.rate_hz >= LEAST_RATE_HZ and 0 < len(self._heard) <= _MOST_CHANNELS:
            self._filter = KWeighting(form.rate_hz, len(self._heard))

    def _meter(self, weighting: KWeighting, samples: Samples, n_samples: int) -> None:
        """Add the power of the first n_samples, filtered, to the steps that they fall into."""
        assert self._format is not None
        step_samples = self._format.rate_hz // _STEPS_PER_S
        with np.errstate(invalid="ignore", over="ignore"):  # samples may be no numbers
            filtered = weighting(samples)
            start = 0
            while start < n_samples:
                stop = min(n_samples, start + step_samples - self._open_samples)
                part = filtered[:, start:stop]
                squares = [float(np.dot(channel, channel)) for channel in part]
                self._open_power += float(self._weights @ squares)
                self._open_samples += stop - start
                if self._open_samples == step_samples:
                    self._powers.append(self._open_power / step_samples)
                    self._open_power, self._open_samples = 0.0, 0
                start = stop


def _moving_mean(powers: Float64, n_steps: int) -> Float64:
    """Mean power of every n_steps successive steps: (n - n_steps + 1,), none where there are less."""
    if len(powers) < n_steps:
        return np.empty(0)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(powers, n_steps).mean(axis=1))


def _integrated_lufs(powers: Float64) -> float | None:
    """The gated mean; None where everything is silent."""
    counted = powers[_lufs(powers) > _GATE_LUFS]
    if not len(counted):
        return None
    gate_lufs = float(_lufs(counted.mean())) + _GATE_LU
    return float(_lufs(counted[_lufs(counted) > gate_lufs].mean()))


def _range_lu(powers: Float64) -> float:
    """How far the quiet and the loud parts lie apart; 0 for what is shorter than 3 s."""
    counted = powers[_lufs(powers) > _GATE_LUFS]
    if not len(counted):
        return 0.0
    gate_lufs = float(_lufs(counted.mean())) + _RANGE_GATE_LU
    levels = _lufs(counted[_lufs(counted) > gate_lufs])
    quiet, loud = np.percentile(levels, _RANGE_PERCENTILES, method="hazen")
    return float(loud - quiet)


def _lufs(power: npt.ArrayLike) -> Float64:
    return np.asarray(_OFFSET_DB + 10 * np.log10(np.maximum(power, 1e-30)))
