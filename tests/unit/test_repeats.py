"""Repeats of a loop are recognised; other music, even of the same kind, is not."""

from __future__ import annotations

import numpy as np

from mess_plugin.evaluation.repeats import Repeats
from mess_plugin.model import Waveform

RATE_HZ = 24_000


def phrase(seed: int, duration_s: float = 8.0) -> Waveform:
    """Random decaying notes, four a second."""
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    notes = 220 * 2 ** (np.random.default_rng(seed).integers(0, 24, len(time_s) // 6000 + 1) / 12)
    phase = 2 * np.pi * np.cumsum(notes[np.arange(len(time_s)) // 6000]) / RATE_HZ
    tone = sum(np.sin(k * phase) / k for k in range(1, 9))
    return (0.15 * tone * np.exp(-6 * (time_s % 0.25))).astype(np.float32)


def test_finds_the_second_time_around_and_nothing_else() -> None:
    a, b, c = phrase(1), phrase(2), phrase(3)
    repeats = Repeats.of(np.concatenate([a, b, 0.7 * a, c]).astype(np.float32))
    starts_s = repeats.starts_s(1.0, 6.0)
    assert all(min(abs(s - 1), abs(s - 17)) < 0.5 for s in starts_s)
    assert min(abs(starts_s - 17)) < 0.5


def test_music_without_repeats_has_one_place() -> None:
    repeats = Repeats.of(np.concatenate([phrase(seed) for seed in range(4)]))
    assert (np.abs(repeats.starts_s(9.0, 6.0) - 9) < 0.5).all()


def test_excerpt_as_long_as_the_recording() -> None:
    np.testing.assert_allclose(Repeats.of(phrase(1)).starts_s(0.0, 60.0), 0, atol=0.2)
