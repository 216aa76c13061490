"""Fitting a head: ridge regression, then a logistic curve for each label (Platt scaling).

A. Hoerl and R. Kennard, "Ridge regression", Technometrics 12, 1970; J. Platt, "Probabilistic outputs
for support vector machines", 1999.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from mess_plugin.model import Float32

_ITERATIONS = 50
_PRIOR = 1e-3  # keeps the curve finite where one side is empty or the two do not overlap
Floats = npt.NDArray[np.float64]


class LinearMap(msgspec.Struct, frozen=True):
    """Vectors → values."""

    mean: Float32
    matrix: Float32
    offset: Float32

    def __call__(self, vectors: Float32) -> Float32:
        """(n, dim) → (n, n_values)."""
        return np.asarray((vectors - self.mean) @ self.matrix + self.offset, dtype=np.float32)


def ridge(vectors: Float32, values: Float32, strength: float) -> LinearMap:
    """The map with least squared error, (n, dim) → (n, n_values).

    strength: of the penalty, in units of the mean variance of a dimension times n.
    """
    mean, offset = vectors.mean(axis=0, dtype=np.float64), values.mean(axis=0, dtype=np.float64)
    centred = vectors.astype(np.float64) - mean
    covariance = centred.T @ centred
    penalty = strength * np.trace(covariance) / len(covariance)
    matrix = np.linalg.solve(
        covariance + penalty * np.eye(len(covariance)), centred.T @ (values - offset)
    )
    return LinearMap(*(np.asarray(x, dtype=np.float32) for x in (mean, matrix, offset)))


def calibrate(raw: Floats, truth: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """(slope, shift) of the logistic curve that makes raw values, (n,), probabilities of the truth."""
    middle, scale = float(raw.mean()), max(float(raw.std()), 1e-9)
    x = np.stack([(raw - middle) / scale, np.ones(len(raw))], axis=1)
    # Targets drawn in a little, after Platt, so that a curve never claims to be certain.
    n_true, n_false = int(truth.sum()), int((~truth).sum())
    target = np.where(truth, (n_true + 1) / (n_true + 2), 1 / (n_false + 2))
    curve = np.array([0.0, np.log((n_true + 1) / (n_false + 1))])
    loss = _loss(x @ curve, target)
    for _ in range(_ITERATIONS):  # Newton's method, each step made smaller until it helps
        probable = 1 / (1 + np.exp(-x @ curve))
        gradient = x.T @ (probable - target)
        hessian = (x * (probable * (1 - probable))[:, None]).T @ x + _PRIOR * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        while (after := _loss(x @ (curve - step), target)) > loss and np.abs(step).max() > 1e-9:
            step = step / 2
        curve, loss = curve - step, min(loss, after)
        if np.abs(step).max() < 1e-8:
            break
    slope = float(curve[0]) / scale
    return slope, float(curve[1]) - slope * middle


def _loss(logits: Floats, target: Floats) -> float:
    """The mean cross entropy."""
    return float(np.mean(np.logaddexp(0, logits) - target * logits))
