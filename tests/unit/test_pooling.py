"""Pooling against computations by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mess_plugin.analysis.pooling import POOLINGS, audible, pool, project, unit
from mess_plugin.model import Float32, Projection, Timeline

LOUD, QUIET = -20.0, -90.0


def timeline(frames: list[list[float]], loudness_db: list[float] | None = None) -> Timeline:
    """At two steps per second."""
    levels = loudness_db if loudness_db is not None else [LOUD] * len(frames)
    rows = np.array(frames, dtype=np.float32)
    return Timeline(rows, 2.0, np.array(levels, dtype=np.float32), len(frames) / 2)


def intervals(*pairs: tuple[float, float]) -> Float32:
    return np.array(pairs, dtype=np.float32).reshape(-1, 2)


def test_a_step_belongs_where_its_centre_lies() -> None:
    line = timeline([[1], [2], [3], [4]])  # centres at 0.25, 0.75, 1.25, 1.75 s
    pooled = pool(line, intervals((0, 1), (0, 2), (0.5, 1.5), (0.3, 1.3)), "mean")
    np.testing.assert_allclose(pooled[:, 0], [1.5, 2.5, 2.5, 2.5])


def test_an_interval_without_a_centre_takes_the_nearest_step() -> None:
    line = timeline([[1], [2], [3], [4]])
    pooled = pool(line, intervals((0.8, 0.9), (1.9, 2.0), (7, 8)), "mean")
    np.testing.assert_allclose(pooled[:, 0], [2, 4, 4])


def test_mean_and_deviation() -> None:
    line = timeline([[0, 5], [2, 5]])
    np.testing.assert_allclose(pool(line, intervals((0, 1)), "mean+std"), [[1, 5, 1, 0]])


def test_silence_does_not_count_unless_all_is_silent() -> None:
    line = timeline([[1], [9], [9], [9]], [LOUD, QUIET, QUIET, QUIET])
    pooled = pool(line, intervals((0, 1), (1, 2)), "mean")
    np.testing.assert_allclose(pooled[:, 0], [1, 9])
    assert audible(line, intervals((0, 1), (1, 2))).tolist() == [True, False]


@pytest.mark.parametrize("pooling", sorted(POOLINGS))
def test_no_intervals_give_an_empty_array_of_the_right_width(pooling: str) -> None:
    line = timeline([[1, 2, 3]])
    assert pool(line, intervals(), pooling).shape == (0, POOLINGS[pooling](3))
    assert audible(line, intervals()).shape == (0,)


def test_an_unknown_pooling_is_refused() -> None:
    with pytest.raises(KeyError, match="median"):
        pool(timeline([[1]]), intervals((0, 1)), "median")


def test_the_whole_is_the_mean_of_equal_parts() -> None:
    rows = np.random.default_rng(0).standard_normal((24, 5)).astype(np.float32)
    line = timeline(rows.tolist())
    parts = pool(line, intervals((0, 4), (4, 8), (8, 12)), "mean")
    whole = pool(line, intervals((0, 12)), "mean")
    np.testing.assert_allclose(parts.mean(axis=0), whole[0], rtol=1e-5, atol=1e-6)


@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3))
def test_unit_vectors_ignore_scale(seed: int, scale: float) -> None:
    rows = np.random.default_rng(seed).standard_normal((4, 7)).astype(np.float32)
    scaled = (rows * np.float32(scale)).astype(np.float32)
    np.testing.assert_allclose(unit(scaled), unit(rows), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(unit(rows), axis=1), 1.0, rtol=1e-5)
    assert unit(rows).dtype == np.float32


def test_a_vector_of_no_length_stays_zero() -> None:
    np.testing.assert_array_equal(unit(np.zeros((2, 3), dtype=np.float32)), np.zeros((2, 3)))


def test_project_centres_turns_and_scales() -> None:
    turn = np.array([[0, 1], [1, 0], [0, 0]], dtype=np.float32)
    projection = Projection(np.array([1, 1, 1], dtype=np.float32), turn, "test")
    rows = np.array([[4, 5, 1], [1, 1, 1]], dtype=np.float32)
    wanted = np.array([[0.8, 0.6], [0.0, 0.0]])
    np.testing.assert_allclose(project(rows, projection), wanted, rtol=1e-6)
    np.testing.assert_allclose(project(rows, None), unit(rows))
