"""Transformations do to the sound what their names say, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from mess_plugin.evaluation.transforms import (
    SEMITONE,
    TRANSFORMS,
    add_noise,
    degrade,
    gain,
    low_pass,
    stretch,
    transpose,
)
from mess_plugin.model import Float32, Waveform

RATE_HZ = 24_000


def sine(frequency_hz: float, duration_s: float = 4.0) -> Waveform:
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    return (0.3 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def music(duration_s: float = 6.0) -> Waveform:
    """Decaying notes, four a second, over a wide band."""
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    notes = 220 * 2 ** (np.random.default_rng(5).integers(0, 24, len(time_s) // 6000 + 1) / 12)
    phase = 2 * np.pi * np.cumsum(notes[np.arange(len(time_s)) // 6000]) / RATE_HZ
    tone = sum(np.sin(k * phase) / k for k in range(1, 9))
    return (0.15 * tone * np.exp(-6 * (time_s % 0.25))).astype(np.float32)


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def level_db(waveform: Float32) -> float:
    return float(10 * np.log10(np.mean(np.square(waveform, dtype=np.float64))))


def loudest_hz(waveform: Waveform) -> float:
    middle = waveform[len(waveform) // 4 : 3 * len(waveform) // 4]
    power = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    return float(np.argmax(power) * RATE_HZ / len(middle))


def lag_samples(one: Waveform, other: Waveform) -> int:
    """By how much `other` comes later."""
    size = 1 << (len(one) + len(other)).bit_length()
    product = np.fft.irfft(np.fft.rfft(other, size) * np.conj(np.fft.rfft(one, size)))
    peak = int(np.argmax(product))
    return peak - size if peak > size // 2 else peak


@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_transform_is_deterministic_finite_and_does_something(name: str) -> None:
    before = music()
    kept = before.copy()
    after = TRANSFORMS[name](before, RATE_HZ, rng())
    assert after.dtype == np.float32
    assert np.isfinite(after).all()
    np.testing.assert_array_equal(before, kept)
    np.testing.assert_array_equal(after, TRANSFORMS[name](before, RATE_HZ, rng()))
    shared = min(len(before), len(after))
    assert np.abs(after[:shared] - before[:shared]).max() > 1e-3


def test_mp3_keeps_length_timing_and_most_of_the_sound() -> None:
    before = music()
    after = TRANSFORMS["mp3"](before, RATE_HZ, rng())
    assert len(after) == len(before)
    assert lag_samples(before, after) == 0
    assert 0.9 < np.corrcoef(before, after)[0, 1] < 1


def test_transpose_moves_pitch_and_keeps_duration() -> None:
    before = sine(440)
    after = transpose(before, RATE_HZ, SEMITONE)
    assert loudest_hz(after) == pytest.approx(440 * SEMITONE, rel=0.003)
    assert len(after) == pytest.approx(len(before), rel=0.02)


@pytest.mark.parametrize("factor", [1.06, 0.94])
def test_stretch_moves_tempo_and_keeps_pitch(factor: float) -> None:
    before = sine(440)
    after = stretch(before, RATE_HZ, factor)
    assert loudest_hz(after) == pytest.approx(440, rel=0.003)
    assert len(after) == pytest.approx(len(before) / factor, rel=0.02)


@pytest.mark.parametrize(("below_db", "pink"), [(10, True), (25, False)])
def test_noise_has_the_level_asked_for(below_db: float, pink: bool) -> None:
    before = music()
    noise = add_noise(before, rng(), below_db=below_db, pink=pink) - before
    assert level_db(before) - level_db(noise) == pytest.approx(below_db, abs=0.05)


def test_pink_noise_has_equal_power_in_every_octave() -> None:
    noise = add_noise(sine(440, 30), rng(), below_db=0, pink=True) - sine(440, 30)
    power = np.square(np.abs(np.fft.rfft(noise)))
    hz = np.fft.rfftfreq(len(noise), 1 / RATE_HZ)
    octaves = [power[(hz >= f) & (hz < 2 * f)].sum() for f in (100, 200, 400, 800, 1600, 3200)]
    assert max(octaves) / min(octaves) < 1.2


def test_noise_on_silence_is_silence() -> None:
    silence = np.zeros(RATE_HZ, np.float32)
    np.testing.assert_array_equal(add_noise(silence, rng(), below_db=10, pink=True), silence)


def test_low_pass_is_six_poles_at_4_khz() -> None:
    loss = {f: level_db(sine(f)) - level_db(low_pass(sine(f), RATE_HZ)) for f in (1000, 4000, 8000)}
    assert loss[1000] < 0.2
    assert loss[4000] == pytest.approx(9, abs=0.5)  # 3 dB each
    assert loss[8000] > 36


def test_gain_in_db() -> None:
    assert level_db(music()) - level_db(gain(music(), -12)) == pytest.approx(12, abs=1e-3)


def test_degraded_is_quieter_and_stays_in_time() -> None:
    before = music()
    after = degrade(before, RATE_HZ, rng())
    assert level_db(before) - level_db(after) == pytest.approx(6, abs=1)
    assert lag_samples(before, after) == 0
