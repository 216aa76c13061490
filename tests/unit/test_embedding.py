"""Recordings to song and window vectors, and maps fitted on a library."""

from __future__ import annotations

import numpy as np
import pytest

from mess_plugin import encoders
from mess_plugin.analysis.pooling import project
from mess_plugin.evaluation.embedding import (
    embed_recording,
    fit_centring,
    fit_whitening,
    fit_zscore,
)
from mess_plugin.model import Float32

RATE_HZ = 24_000


def noise(duration_s: float, seed: int = 0) -> Float32:
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(round(duration_s * RATE_HZ))).astype(np.float32)


@pytest.mark.parametrize(
    ("duration_s", "starts_s"),
    [
        (10.0, [0, 2.5, 5]),
        (5.0, [0]),
        (2.0, [0]),
        (12.0, [0, 2.5, 5, 7]),
        (11.0, [0, 2.5, 6]),  # no two almost equal windows
    ],
)
def test_windows_cover_the_recording(duration_s: float, starts_s: list[float]) -> None:
    encoder = encoders.load("descriptors")
    embedded = embed_recording(encoder, noise(duration_s))
    np.testing.assert_allclose(embedded.intervals[:, 0], starts_s, atol=1e-5)
    assert embedded.intervals[-1, 1] <= duration_s + 1e-4
    assert embedded.windows.shape == (len(starts_s), 2 * encoder.info.dim)
    np.testing.assert_allclose(np.linalg.norm(embedded.windows, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(embedded.song), 1, rtol=1e-5)


def test_a_window_is_closest_to_its_own_sound() -> None:
    encoder = encoders.load("descriptors")
    time_s = np.arange(5 * RATE_HZ) / RATE_HZ
    tone = (0.1 * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32)
    both = embed_recording(encoder, np.concatenate([noise(5), tone]), hop_s=5)
    alone = embed_recording(encoder, tone).song
    assert both.windows[1] @ alone > 0.99 > both.windows[0] @ alone


def library(n: int = 400) -> Float32:
    """Correlated vectors far from the origin."""
    rng = np.random.default_rng(3)
    mixed = rng.standard_normal((n, 6)) @ rng.standard_normal((6, 6))
    return (mixed + 5).astype(np.float32)


def test_centring_and_zscore() -> None:
    vectors = library()
    for projection in (fit_centring(vectors), fit_zscore(vectors)):
        projected = (vectors - projection.mean) @ projection.matrix
        np.testing.assert_allclose(projected.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(projected.std(axis=0), 1, rtol=1e-4)


def test_whitening_decorrelates_and_full_shrinkage_only_centres() -> None:
    vectors = library()
    white = fit_whitening(vectors, 0.0)
    covariance = np.cov(((vectors - white.mean) @ white.matrix).T, bias=True)
    np.testing.assert_allclose(covariance, np.eye(6), atol=1e-2)
    centred, shrunk = (
        project(vectors, fit_centring(vectors)),
        project(vectors, fit_whitening(vectors, 1)),
    )
    np.testing.assert_allclose(shrunk @ shrunk.T, centred @ centred.T, atol=1e-4)


def test_without_a_projection_scales_and_keeps_zero() -> None:
    vectors = np.array([[3, 4], [0, 0]], np.float32)
    expected = np.array([[0.6, 0.8], [0, 0]])
    np.testing.assert_allclose(project(vectors, None), expected, rtol=1e-6)
