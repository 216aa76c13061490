"""The stem's first layer as matrix products: each filter's maximum over its positions.

A filter slides over time and frequency by two steps at a time; only its largest answer over the
bands counts. Products of a matrix of patches with a matrix of filters do most of it. Multiplying
every patch with every filter would waste half of the work on zeros, so positions that lie near each
other share a product over the bands they need (tall filters), and so do steps that follow each
other (long ones).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mess_plugin.encoders.mini.spectra import N_MELS
from mess_plugin.model import Float32

STRIDE = 2
POSITIONS = 5  # of a tall filter, computed in one product
STEPS = 8  # of a long filter, computed in one product; divides the steps of a frame


class Front:
    """All kinds of filters with their normalisation: the whole first layer."""

    def __init__(self, tensors: Mapping[str, Float32]) -> None:
        """tensors: the weights, under the names that the training network gives them."""
        names = [f"stem.front.{i}" for i in range(len(tensors))]
        names = [name for name in names if f"{name}.factor" in tensors]
        self.scale = tensors["stem.scale"]
        bias, factor, offset = (
            np.concatenate([tensors[f"{name}.{part}"] for name in names])[:, None]
            for part in ("conv.bias", "factor", "offset")
        )
        # A negative factor makes the maximum a minimum: such filters are turned over.
        self.sign = np.where(factor < 0, np.float32(-1), np.float32(1))
        self.bias, self.factor, self.offset = self.sign * bias, factor, offset
        kernels, start = [], 0
        for name in names:
            kernel = tensors[f"{name}.conv.weight"][:, 0]
            kernels.append(kernel * self.sign[start : start + len(kernel), :, None])
            start += len(kernel)
        self.tall = TallFilters([kernel for kernel in kernels if kernel.shape[2] > 1])
        self.long = [LongFilters(kernel[:, :, 0]) for kernel in kernels if kernel.shape[2] == 1]

    def __len__(self) -> int:
        """Number of filters."""
        return len(self.factor)

    def __call__(self, mel: Float32) -> Float32:
        """(n, steps, 96) log-mel spectra of n windows → (filters, n, steps / 2)."""
        scaled = mel * self.scale[0] + self.scale[1]
        x = np.ascontiguousarray(scaled.transpose(2, 0, 1))
        halved = np.ascontiguousarray(x[::STRIDE])
        peaks = np.concatenate([self.tall(x), *(filters(halved) for filters in self.long)])
        flat = peaks.reshape(len(peaks), -1)
        flat += self.bias
        flat *= self.sign
        np.maximum(flat, 0, out=flat)
        flat *= self.factor
        flat += self.offset
        return peaks


class TallFilters:
    """Kinds of filters of one length, each as high as many bands."""

    def __init__(self, kernels: Sequence[Float32]) -> None:
        """kernels: (n, length, height) for each kind."""
        self.length = kernels[0].shape[1]
        self.kinds = [_grouped(kernel) for kernel in kernels]

    def __call__(self, x: Float32) -> Float32:
        """(bands, windows, steps) → (filters of all kinds, windows, steps / 2)."""
        bands, n, steps = x.shape
        padded = _padded(x, self.length)
        patches = np.empty((bands, self.length, n, steps // STRIDE), np.float32)
        for tap in range(self.length):
            patches[:, tap] = padded[:, :, tap : tap + steps : STRIDE]
        rows = patches.reshape(bands * self.length, -1)
        return np.concatenate([self._peaks(rows, groups) for groups in self.kinds]).reshape(
            -1, n, steps // STRIDE
        )

    def _peaks(self, rows: Float32, groups: list[tuple[int, Float32]]) -> Float32:
        peaks: Float32 | None = None
        for band, matrix in groups:
            first = band * self.length
            found = matrix.reshape(-1, matrix.shape[2]) @ rows[first : first + matrix.shape[2]]
            found = found.reshape(*matrix.shape[:2], -1)
            for position in found:
                peaks = position if peaks is None else np.maximum(peaks, position, out=peaks)
        assert peaks is not None
        return peaks


def _grouped(kernel: Float32) -> list[tuple[int, Float32]]:
    """First band and (positions, filters, bands of the group * length) for neighbouring positions.

    The same filters at each position, zero at the bands that only the others need.
    """
    n, length, height = kernel.shape
    turned = kernel.transpose(0, 2, 1)  # bands first, as the rows of patches
    last = (N_MELS - height) // STRIDE + 1
    groups = []
    for start in range(0, last, POSITIONS):
        count = min(POSITIONS, last - start)
        matrix = np.zeros((count, n, height + STRIDE * (count - 1), length), np.float32)
        for p in range(count):
            matrix[p, :, p * STRIDE : p * STRIDE + height] = turned
        groups.append((start * STRIDE, matrix.reshape(count, n, -1)))
    return groups


class LongFilters:
    """Filters of one length, one band high; their positions are bands."""

    def __init__(self, kernel: Float32) -> None:
        """kernel: (n, length)."""
        n, self.length = kernel.shape
        reach = self.length + STRIDE * (STEPS - 1)
        matrix = np.zeros((n, STEPS, reach), np.float32)
        for step in range(STEPS):
            matrix[:, step, step * STRIDE : step * STRIDE + self.length] = kernel
        self.matrix = np.ascontiguousarray(matrix.reshape(n * STEPS, reach).T)

    def __call__(self, x: Float32) -> Float32:
        """(bands, windows, steps) → (filters, windows, steps / 2)."""
        bands, n, steps = x.shape
        padded = _padded(x, self.length)
        reach, hop = len(self.matrix), STRIDE * STEPS
        blocks = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=2)[:, :, ::hop]
        n_blocks = steps // hop
        # A row for each block, as it lies in memory: to turn them over would take as long again.
        rows = np.ascontiguousarray(blocks[:, :, :n_blocks]).reshape(-1, reach)
        found = (rows @ self.matrix).reshape(bands, n * n_blocks, -1)
        peaks = found.max(axis=0).reshape(n, n_blocks, -1, STEPS)
        result: Float32 = peaks.transpose(2, 0, 1, 3).reshape(-1, n, steps // STRIDE)
        return result


def _padded(x: Float32, length: int) -> Float32:
    """Silence on both sides, so that a filter of this length is centred on each step."""
    return np.pad(x, ((0, 0), (0, 0), ((length - 1) // 2, (length - 2) // 2 + 1)))
