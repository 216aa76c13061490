"""Form: synthetic songs whose boundaries are known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mess_plugin.analysis.pooling import unit
from mess_plugin.analysis.sections import MIN_SECTION_S, find_sections, letter, novelty, sloped
from mess_plugin.model import Float32, Timeline

RATE_HZ = 4.0
DIM = 24


def song(form: str, lengths_s: list[float], seed: int = 0, noise: float = 0.3) -> Timeline:
    """A timeline in which each letter has a sound of its own, with noise on it."""
    generator = np.random.default_rng(seed)
    sounds = {name: generator.standard_normal(DIM) for name in sorted(set(form))}
    parts: list[npt.NDArray[np.float64]] = []
    for name, length_s in zip(form, lengths_s, strict=True):
        n = round(length_s * RATE_HZ)
        parts.append(sounds[name] + noise * generator.standard_normal((n, DIM)))
    frames = np.concatenate(parts).astype(np.float32)
    loudness_db = np.full(len(frames), -20.0, dtype=np.float32)
    return Timeline(frames, RATE_HZ, loudness_db, len(frames) / RATE_HZ)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("form", "lengths_s"),
    [
        ("ABAC", [30, 25, 30, 20]),
        ("ABCABC", [20, 20, 20, 20, 20, 20]),
        ("AB", [40, 41.5]),
        ("ABABCB", [22, 31, 18, 31, 16, 31]),
    ],
)
def test_boundaries_within_a_second_and_repeats_by_the_same_letter(
    form: str, lengths_s: list[float], seed: int
) -> None:
    found = find_sections(song(form, lengths_s, seed))
    edges_s = np.concatenate(([0.0], np.cumsum(lengths_s)))
    assert len(found.intervals) == len(form)
    np.testing.assert_allclose(found.intervals[:, 0], edges_s[:-1], atol=1.0)
    np.testing.assert_allclose(found.intervals[:, 1], edges_s[1:], atol=1.0)
    assert "".join(found.labels) == form


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 500), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_any_recording_is_cut_into_contiguous_named_sections(
    n_frames: int, dim: int, seed: int
) -> None:
    frames = np.random.default_rng(seed).standard_normal((n_frames, dim)).astype(np.float32)
    duration_s = n_frames / RATE_HZ - 0.1
    loudness_db = np.full(n_frames, -20.0, dtype=np.float32)
    found = find_sections(Timeline(frames, RATE_HZ, loudness_db, duration_s))
    assert found.intervals[0, 0] == 0
    assert found.intervals[-1, 1] == pytest.approx(duration_s)
    np.testing.assert_array_equal(found.intervals[1:, 0], found.intervals[:-1, 1])
    if len(found.intervals) > 1:
        lengths_s = found.intervals[:, 1] - found.intervals[:, 0]
        assert (lengths_s >= MIN_SECTION_S - 1e-3).all()
    assert len(found.labels) == len(found.intervals)
    assert found.labels[0] == "A"
    assert list(dict.fromkeys(found.labels)) == [letter(i) for i in range(len(set(found.labels)))]
    assert np.isfinite(found.novelty).all()
    assert found.novelty.min() >= 0
    assert found.novelty.max() <= 1


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, 12345.678])
def test_what_never_changes_is_one_section(value: float) -> None:
    frames = np.full((400, DIM), value, dtype=np.float32) * np.linspace(0.3, 1.7, DIM)
    line = Timeline(frames.astype(np.float32), RATE_HZ, np.full(400, -9.0, dtype=np.float32), 100.0)
    found = find_sections(line)
    assert found.labels == ("A",)
    np.testing.assert_array_equal(found.intervals, [[0, 100]])


def test_a_short_recording_is_one_section() -> None:
    found = find_sections(song("AB", [5.5, 5.5]))
    assert found.labels == ("A",)


def test_novelty_equals_the_checkerboard_correlation() -> None:
    """Foote's kernel laid along the diagonal of the whole matrix, element by element."""
    rows: Float32 = np.random.default_rng(3).standard_normal((80, 6)).astype(np.float32)
    frames = unit(rows)
    rate_hz = 2.0
    half = 16
    offsets = np.arange(-half, half) + 0.5
    taper = np.exp(-0.5 * (offsets / (0.5 * half)) ** 2)
    signed = np.sign(offsets) * taper
    kernel = np.outer(signed, signed)
    padded = np.pad(frames.astype(np.float64) @ frames.T, half)
    wanted = np.array(
        [(kernel * padded[i : i + 2 * half, i : i + 2 * half]).sum() for i in range(80)]
    )
    edge = np.minimum(np.arange(80), 80 - np.arange(80))
    wanted[edge < half // 2] = 0
    np.testing.assert_allclose(novelty(frames, rate_hz), wanted / wanted.max(), atol=1e-5)


def test_letters() -> None:
    assert [letter(i) for i in (0, 1, 25, 26, 51, 52)] == ["A", "B", "Z", "A1", "Z1", "A2"]


def test_stairs_of_the_encoders_own_windows_are_no_boundaries() -> None:
    rng = np.random.default_rng(0)
    n_steps, per_window = 240, 20
    music = rng.standard_normal((n_steps, 6)) * 0.3
    music[136:, 0] += 3.0  # the one change, at 34 s, off the grid of 5 s
    stairs = np.repeat(rng.standard_normal((n_steps // per_window, 6)), per_window, axis=0)
    frames = np.hstack((music, stairs)).astype(np.float32)
    loudness_db = np.full(n_steps, -20.0, dtype=np.float32)
    found = find_sections(Timeline(frames, 4.0, loudness_db, n_steps / 4))
    nearest_s = found.intervals[np.argmin(np.abs(found.intervals[:, 0] - 34.0)), 0]
    assert nearest_s == pytest.approx(34.0, abs=0.5)


def test_only_stairs_are_sloped() -> None:
    moving = np.arange(12, dtype=np.float32)
    stairs = np.repeat(np.array([0.0, 4.0, 2.0], dtype=np.float32), 4)
    out = sloped(np.stack((moving, stairs), axis=1))
    np.testing.assert_array_equal(out[:, 0], moving)
    np.testing.assert_allclose(out[:, 1], np.interp(moving, [1.5, 5.5, 9.5], [0, 4, 2]))
    still = np.ones((5, 2), dtype=np.float32)
    np.testing.assert_array_equal(sloped(still), still)
