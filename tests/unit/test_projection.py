"""Fitting: what centring and whitening promise, on vectors with a known covariance."""

from __future__ import annotations

import numpy as np
import pytest

from mess_plugin.analysis.pooling import project, unit
from mess_plugin.analysis.projection import CENTRE_FROM, MAX_DIM, WHITEN_FROM, fit
from mess_plugin.model import Float32


def cone(n: int, dim: int, seed: int = 0) -> Float32:
    """Unit vectors crowded around one direction, stretched along a few axes."""
    generator = np.random.default_rng(seed)
    spread = generator.standard_normal((n, dim)) * np.linspace(1.0, 0.05, dim)
    return unit((spread + 8.0 * np.ones(dim)).astype(np.float32))


def test_a_small_library_gets_none() -> None:
    assert fit(cone(CENTRE_FROM - 1, 8), CENTRE_FROM - 1, "v") is None
    assert fit(np.zeros((0, 8), np.float32), 0, "v") is None


def test_a_middling_library_is_only_centred() -> None:
    vectors = cone(CENTRE_FROM, 8)
    fitted = fit(vectors, CENTRE_FROM, "v")
    assert fitted is not None
    np.testing.assert_array_equal(fitted.matrix, np.eye(8, dtype=np.float32))
    np.testing.assert_allclose(fitted.mean, vectors.mean(axis=0), rtol=1e-5)
    cosines = project(vectors, fitted) @ project(vectors, fitted).T
    assert abs(cosines[np.triu_indices(len(vectors), 1)].mean()) < 0.05
    assert (vectors @ vectors.T).min() > 0.8  # what it was before


@pytest.mark.parametrize("dim", [16, MAX_DIM + 44])
def test_a_large_library_is_evened_out(dim: int) -> None:
    vectors = cone(3000, dim)
    fitted = fit(vectors, 3000, "v")
    assert fitted is not None
    assert fitted.version == "v"
    assert fitted.matrix.shape == (dim, min(dim, MAX_DIM))
    assert fitted.matrix.dtype == fitted.mean.dtype == np.float32
    mapped = (vectors - fitted.mean) @ fitted.matrix
    variances = mapped.var(axis=0)
    raw = np.sort(np.linalg.eigvalsh(np.cov(vectors.T)))[::-1][: fitted.matrix.shape[1]]
    assert variances.max() / variances.min() < 0.2 * raw.max() / raw.min()
    off_diagonal = np.corrcoef(mapped.T) - np.eye(mapped.shape[1])
    assert np.abs(off_diagonal).max() < 0.02


def test_wide_vectors_of_a_middling_library_are_cut_but_not_whitened() -> None:
    vectors = cone(WHITEN_FROM - 1, MAX_DIM + 10)
    fitted = fit(vectors, WHITEN_FROM - 1, "v")
    assert fitted is not None
    gram = fitted.matrix.T @ fitted.matrix
    np.testing.assert_allclose(gram, np.eye(MAX_DIM), atol=1e-5)


def test_vectors_without_any_spread_do_no_harm() -> None:
    vectors = np.tile(unit(np.ones((1, 6), np.float32)), (500, 1))
    fitted = fit(vectors, 500, "v")
    assert fitted is not None
    assert np.isfinite(fitted.matrix).all()
    assert np.isfinite(project(vectors, fitted)).all()


def test_the_same_vectors_give_the_same_projection() -> None:
    first, second = (fit(cone(400, 12), 400, "v") for _ in range(2))
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.matrix, second.matrix)
