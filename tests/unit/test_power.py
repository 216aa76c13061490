"""Sums of squares beside the same in float64."""

from __future__ import annotations

import numpy as np
import pytest

from mess_plugin.features.power import energies, energy, mean_square


@pytest.mark.parametrize("n_samples", [0, 1, 8_192, 8_193, 240_000])
def test_energy_is_the_sum_of_squares(n_samples: int) -> None:
    samples = np.random.default_rng(n_samples).standard_normal(n_samples).astype(np.float32)
    assert energy(samples) == pytest.approx(np.square(samples, dtype=np.float64).sum(), rel=1e-6)


def test_loud_and_faint_samples_keep_their_energy() -> None:
    for level in (1e30, 1e-15):
        samples = np.full(10_000, level, np.float32)
        assert mean_square(samples) == pytest.approx(level**2, rel=1e-6)


def test_energies_lie_between_the_edges() -> None:
    samples = np.random.default_rng(0).standard_normal(1_000).astype(np.float32)
    found = energies(samples, np.array([0, 10, 10, 999, 1_000]))
    squares = np.square(samples, dtype=np.float64)
    expected = [squares[:10].sum(), 0.0, squares[10:999].sum(), squares[999]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
