"""Low-passing by matrix products, beside a plain convolution."""

from __future__ import annotations

import numpy as np
import pytest

from mess_plugin.features import harmony
from mess_plugin.features.decimation import Decimator
from mess_plugin.features.spectra import short_time_power
from mess_plugin.model import Float32


def noise(n_samples: int) -> Float32:
    return np.random.default_rng(n_samples).standard_normal(n_samples).astype(np.float32)


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("n_samples", [40, 1_000, 24_001])
def test_it_is_every_second_or_fourth_sample_of_a_convolution(factor: int, n_samples: int) -> None:
    taps, sound = noise(31), noise(n_samples)
    n = n_samples // factor
    padded = np.concatenate([sound, np.zeros(31, np.float32)]).astype(np.float64)
    expected = np.correlate(padded, taps.astype(np.float64), "valid")[::factor][:n]
    np.testing.assert_allclose(Decimator(taps, factor)(sound, n), expected, atol=1e-4)


def test_pitches_are_as_strong_at_half_the_rate() -> None:
    """Beside a tone near the limit and one that would fold onto a pitch, 20 dB above everything."""
    times_s = np.arange(5 * 24_000 + 5_192) / 24_000
    tones = [np.sin(2 * np.pi * hz * times_s) for hz in (131.0, 3_400.0, 9_000.0)]
    sound = (noise(len(times_s)) * 0.1 + np.sum(tones, axis=0)).astype(np.float32)
    filters = harmony._pitch_filters()
    direct = short_time_power(sound, harmony.FFT_SAMPLES, harmony.HOP_SAMPLES, len(filters))
    halved = harmony._low_power(sound, len(filters))
    assert halved.shape == direct.shape
    levels_db = [10 * np.log10(power @ filters + harmony.FLOOR) for power in (direct, halved)]
    np.testing.assert_allclose(levels_db[1], levels_db[0], atol=0.01)
