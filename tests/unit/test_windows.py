"""Cutting and joining, against direct computations over generated streams."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mess_plugin.analysis import timeline as timelines
from mess_plugin.analysis.timeline import TIMELINE_HZ, TimelineBuilder
from mess_plugin.analysis.windows import SILENCE_DB, Window, grid, slide, spread
from mess_plugin.model import Float32

RATE_HZ = 100

spans = st.integers(1, 40).flatmap(
    lambda window: st.tuples(st.just(window), st.integers(1, window))
)


def in_blocks(stream: Float32, sizes: list[int]) -> list[Float32]:
    """The stream cut into blocks of the given sizes, over and over."""
    blocks: list[Float32] = []
    at = 0
    while at < len(stream):
        size = sizes[len(blocks) % len(sizes)]
        blocks.append(stream[at : at + size])
        at += size
    return blocks


@given(st.integers(0, 300), spans, st.lists(st.integers(1, 120), min_size=1, max_size=5))
def test_slide_covers_everything_and_never_pads(
    n_samples: int, span: tuple[int, int], sizes: list[int]
) -> None:
    window_samples, hop_samples = span
    stream = np.arange(1, n_samples + 1, dtype=np.float32)
    windows = list(slide(in_blocks(stream, sizes), window_samples, hop_samples))
    covered = np.zeros(n_samples, dtype=bool)
    for window in windows:
        end = window.start_samples + len(window.waveform)
        np.testing.assert_array_equal(window.waveform, stream[window.start_samples : end])
        covered[window.start_samples : end] = True
    assert covered.all()
    assert all(len(one.waveform) == min(window_samples, n_samples) for one in windows)
    starts = [window.start_samples for window in windows]
    assert starts == sorted(set(starts))
    assert all(start == n * hop_samples for n, start in enumerate(starts[:-1]))


def test_slide_takes_an_empty_stream_and_empty_blocks() -> None:
    empty = np.zeros(0, dtype=np.float32)
    assert list(slide([], 4, 2)) == []
    assert list(slide([empty, empty], 4, 2)) == []
    one = np.ones(4, dtype=np.float32)
    assert [window.start_samples for window in slide([empty, one, empty], 4, 2)] == [0]


@pytest.mark.parametrize("hop_samples", [0, -1, 5])
def test_slide_refuses_a_hop_that_leaves_gaps(hop_samples: int) -> None:
    with pytest.raises(ValueError, match=r"must be in 1\.\.4"):
        list(slide([], 4, hop_samples))


def test_slide_keeps_little_of_a_long_stream() -> None:
    import tracemalloc

    blocks = (np.zeros(1000, dtype=np.float32) for _ in range(5000))
    tracemalloc.start()
    count = sum(1 for _ in slide(blocks, 2000, 1000))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 4999
    assert peak_bytes < 200_000  # the stream has 20 million bytes


@given(
    st.floats(0.1, 200.0, allow_nan=False),
    st.floats(0.5, 20.0, allow_nan=False),
    st.floats(0.05, 1.0, allow_nan=False),
)
def test_grid_covers_a_recording_evenly(duration_s: float, window_s: float, share: float) -> None:
    hop_s = window_s * share
    intervals = grid(duration_s, window_s, hop_s).astype(np.float64)
    starts, ends = intervals[:, 0], intervals[:, 1]
    assert starts[0] == 0
    assert ends[-1] == pytest.approx(duration_s, rel=1e-5)
    if duration_s <= window_s:
        assert len(intervals) == 1
        return
    np.testing.assert_allclose(ends - starts, window_s, rtol=1e-3, atol=1e-4)
    gaps = np.diff(starts)
    np.testing.assert_allclose(gaps[:-1], hop_s, rtol=1e-3, atol=1e-4)
    assert (starts[1:] <= ends[:-1] + 1e-3).all()  # nothing is left out between two windows
    if len(gaps) > 1 and hop_s <= window_s / 2:
        assert gaps[-1] >= hop_s / 2 - 1e-3  # no two windows are almost the same


def direct(windows: list[Window], frames: list[Float32], steps_hz: float, n_steps: int) -> Float32:
    """Every step as the plain mean of the frames whose centres fall into it, else the nearest step."""
    bins: list[list[Float32]] = [[] for _ in range(n_steps)]
    for window, rows in zip(windows, frames, strict=True):
        frame_s = len(window.waveform) / RATE_HZ / len(rows)
        for i, row in enumerate(rows):
            centre_s = window.start_samples / RATE_HZ + (i + 0.5) * frame_s
            bins[int(np.floor(centre_s * steps_hz))].append(row)
    means = [np.mean(rows, axis=0) if rows else None for rows in bins]
    known = [i for i, mean in enumerate(means) if mean is not None]
    nearest = [min(known, key=lambda j: (abs(i - j), j)) for i in range(n_steps)]
    return np.array([means[j] for j in nearest], dtype=np.float32)


@settings(deadline=None)
@given(
    st.integers(60, 900),
    st.sampled_from([(100, 50), (100, 100), (120, 30)]),
    st.integers(1, 12),
    st.integers(0, 2**32 - 1),
)
def test_the_timeline_equals_a_direct_computation(
    n_samples: int, span: tuple[int, int], n_frames: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    stream = generator.standard_normal(n_samples).astype(np.float32)
    windows = list(slide([stream], *span))
    frames = [generator.standard_normal((n_frames, 3)).astype(np.float32) for _ in windows]
    builder = TimelineBuilder(RATE_HZ)
    for window, rows in zip(windows, frames, strict=True):
        builder.add(window, rows)
    timeline = builder.build()
    assert timeline.duration_s == n_samples / RATE_HZ
    expected_hz = min(TIMELINE_HZ, n_frames * RATE_HZ / len(windows[0].waveform))
    assert timeline.rate_hz == pytest.approx(expected_hz, rel=1e-12)
    wanted = direct(windows, frames, timeline.rate_hz, len(timeline.frames))
    np.testing.assert_allclose(timeline.frames, wanted, rtol=1e-4, atol=1e-5)
    assert len(timeline.frames) == len(timeline.loudness_db)
    assert len(timeline.frames) >= timeline.duration_s * timeline.rate_hz


@settings(max_examples=60, deadline=None)
@given(st.integers(40, 3000), spans, st.integers(0, 2**32 - 1))
def test_settled_steps_and_halved_rates_change_no_mean(
    n_samples: int, span: tuple[int, int], seed: int
) -> None:
    """At most 32 steps, and every window settles what lies before it."""
    generator = np.random.default_rng(seed)
    windows = list(slide([generator.standard_normal(n_samples).astype(np.float32)], *span))
    frames = [generator.standard_normal((4, 3)).astype(np.float32) for _ in windows]
    builder = TimelineBuilder(RATE_HZ)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timelines, "MOST_STEPS", 32)
        for window, rows in zip(windows, frames, strict=True):
            builder.add(window, rows)
            builder.settle(window.start_samples)
        timeline = builder.build()
    assert len(timeline.frames) <= 32
    plain_hz = min(TIMELINE_HZ, 4 * RATE_HZ / len(windows[0].waveform))
    halvings = round(np.log2(plain_hz / timeline.rate_hz))
    assert timeline.rate_hz == pytest.approx(plain_hz / 2**halvings)
    assert n_samples / RATE_HZ * timeline.rate_hz > (16 if halvings else 0)
    wanted = direct(windows, frames, timeline.rate_hz, len(timeline.frames))
    np.testing.assert_allclose(timeline.frames, wanted, rtol=1e-4, atol=1e-5)
    whole = TimelineBuilder(RATE_HZ)
    for window, rows in zip(windows, frames, strict=True):
        whole.add(window, rows)
    if not halvings:
        np.testing.assert_array_equal(whole.build().frames, timeline.frames)


def test_loudness_is_in_decibels_of_full_scale_and_has_a_floor() -> None:
    builder = TimelineBuilder(RATE_HZ)
    stream = np.concatenate((np.full(100, 0.1), np.zeros(100))).astype(np.float32)
    for window in slide([stream], 100, 100):
        builder.add(window, np.ones((4, 2), dtype=np.float32))
    loudness_db = builder.build().loudness_db
    np.testing.assert_allclose(loudness_db[:4], -20.0, atol=1e-3)
    np.testing.assert_allclose(loudness_db[4:], -120.0, atol=1e-3)
    assert loudness_db[4:].max() < SILENCE_DB


def test_a_timeline_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no window"):
        TimelineBuilder(RATE_HZ).build()


def heard(windows: list[Window], coverage: float) -> list[int]:
    return [i for i, (_, is_heard) in enumerate(spread(windows, coverage)) if is_heard]


@given(st.integers(1, 300), st.floats(0.01, 1.0))
def test_a_share_of_the_windows_is_heard_evenly_spread(n: int, coverage: float) -> None:
    windows = [Window(i, np.ones(4, dtype=np.float32)) for i in range(n)]
    chosen = heard(windows, coverage)
    assert chosen[0] == 0
    assert abs(len(chosen) - n * coverage) <= 1
    gaps = np.diff(chosen)
    assert not len(gaps) or gaps.max() - gaps.min() <= 1


def test_silence_is_passed_over_for_the_next_window() -> None:
    silent, loud = np.zeros(4, dtype=np.float32), np.ones(4, dtype=np.float32)
    windows = [Window(i, silent if i in (0, 1, 5) else loud) for i in range(12)]
    assert heard(windows, 0.25) == [0, 2, 6, 9]


@pytest.mark.parametrize("coverage", [0.0, -1.0, 1.1, float("nan")])
def test_a_share_that_is_none(coverage: float) -> None:
    with pytest.raises(ValueError, match="coverage"):
        list(spread([], coverage))


def test_unheard_windows_take_the_nearest_frames_and_keep_their_own_loudness() -> None:
    stream = np.repeat([1.0, 0.1, 0.01, 1.0], 100).astype(np.float32)
    windows = list(slide([stream], 100, 100))
    builder = TimelineBuilder(RATE_HZ)
    with pytest.raises(ValueError, match="first window"):
        builder.skip(windows[0])
    builder.add(windows[0], np.full((4, 1), 10, dtype=np.float32))
    builder.skip(windows[1])
    builder.skip(windows[2])
    builder.add(windows[3], np.full((4, 1), 20, dtype=np.float32))
    timeline = builder.build()
    np.testing.assert_array_equal(timeline.frames[:, 0], [10] * 8 + [20] * 8)
    np.testing.assert_allclose(timeline.loudness_db[[0, 4, 8, 12]], [0, -20, -40, 0], atol=1e-3)
