"""The network of mess-mini in NumPy: spectra of one window in, features of every frame out.

The same arithmetic as `pretraining/network.py`, arranged so that nearly all of it is matrix
products: the first layer's convolutions become one product with a banded matrix.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mess_plugin.encoders.mini.spectra import (
    FRAME_SAMPLES,
    MEL_HOP,
    MELS_PER_FRAME,
    N_MELS,
    TONES_PER_FRAME,
    Spectra,
)
from mess_plugin.model import Float32

N_TALL = 2  # kinds of tall filters; the other kinds are long and one band high
STRIDE = 2  # of the first layer, in time and in frequency
STEPS_PER_FRAME = MELS_PER_FRAME // STRIDE
HEADS = 6
TONES_OFFSET = 1.5  # about the mean of the semitone spectra
EPSILON = 1e-5  # of layer normalisation

assert FRAME_SAMPLES == MELS_PER_FRAME * MEL_HOP


class MiniNet:
    """The network with its weights; a call takes spectra and returns (n_frames, width) float32."""

    def __init__(self, tensors: Mapping[str, Float32]) -> None:
        """tensors: the weights, under the names that the training network gives them."""
        self.tensors = tensors
        self.layers = sum(name.endswith(".attend.weight") for name in tensors)
        n_kinds = sum(name.startswith("stem.front.") for name in tensors) // 4
        kinds = [
            {name: tensors[f"stem.front.{i}.{name}"]
             for name in ("conv.weight", "conv.bias", "factor", "offset")}
            for i in range(n_kinds)
        ]  # fmt: skip
        self.tall = [_tall_matrix(kind) for kind in kinds[:N_TALL]]
        self.long = _long_matrix(kinds[N_TALL:])
        self.front = {name: np.concatenate([k[name] for k in kinds]) for name in kinds[0]
                      if name != "conv.weight"}  # fmt: skip

    def stem(self, mel: Float32) -> Float32:
        """(steps, 96) log-mel spectra → (steps / 2, features) of the convolutional stem."""
        scale = self.tensors["stem.scale"]
        x = mel * scale[0] + scale[1]
        signed = np.concatenate([self._tall_peaks(x), self._long_peaks(x)], axis=1)
        sign = np.where(self.front["factor"] < 0, np.float32(-1), np.float32(1))
        found = (signed + sign * self.front["conv.bias"]) * sign
        outputs = [np.maximum(found, 0) * self.front["factor"] + self.front["offset"]]
        for i in range(3):
            result = self._middle(outputs[-1], i)
            outputs.append(result + outputs[-1] if i else result)
        return np.concatenate(outputs, axis=1)

    def _tall_peaks(self, x: Float32) -> Float32:
        """(steps / 2, filters): each tall filter's maximum over its positions, times its sign."""
        length = self.tall[0].shape[0] // N_MELS
        patches = _patches(x, length).reshape(len(x) // STRIDE, -1)
        kernels = [matrix.reshape(len(matrix), -1) for matrix in self.tall]
        found = np.split(patches @ np.concatenate(kernels, axis=1), [kernels[0].shape[1]], axis=1)
        peaks = [
            f.reshape(len(f), *matrix.shape[1:]).max(axis=1)
            for f, matrix in zip(found, self.tall, strict=True)
        ]
        return np.concatenate(peaks, axis=1)

    def _long_peaks(self, x: Float32) -> Float32:
        """(steps / 2, filters): the same for the long filters, whose positions are bands."""
        patches = _patches(x[:, ::STRIDE], len(self.long))  # (steps / 2, length, bands)
        bands = np.ascontiguousarray(patches.transpose(2, 0, 1))
        peaks: Float32 = (bands @ self.long).max(axis=0)
        return peaks

    def _middle(self, x: Float32, i: int) -> Float32:
        """(steps, channels) both ways: three taps, ReLU, normalisation."""
        name = f"stem.middle.{i}"
        weight = self.tensors[f"{name}.conv.weight"]  # (out, in, taps)
        padded = np.pad(x, ((1, 1), (0, 0)))
        n = len(x)
        found = sum(padded[tap : tap + n] @ weight[:, :, tap].T for tap in range(3))
        found = np.maximum(found + self.tensors[f"{name}.conv.bias"], 0)
        found = found * self.tensors[f"{name}.factor"]
        result: Float32 = found + self.tensors[f"{name}.offset"]
        return result

    def __call__(self, spectra: Spectra) -> Float32:
        """Stem features, then the trunk's, averaged within each frame."""
        steps = self.stem(spectra.mel).reshape(
            len(spectra.mel) // MELS_PER_FRAME, STEPS_PER_FRAME, -1
        )
        mean: Float32 = steps.mean(axis=1)
        if not self.layers:
            return mean
        n_front = len(self.front["factor"])
        seen = np.concatenate([mean, steps[:, :, :n_front].max(axis=1)], axis=1)
        seen = (seen - self.tensors["stem_mean"]) * self.tensors["stem_scale"]
        harmony = spectra.tones.reshape(len(mean), -1) - np.float32(TONES_OFFSET)
        assert spectra.tones.shape[0] == len(mean) * TONES_PER_FRAME
        return np.concatenate([mean, self._trunk(np.concatenate([seen, harmony], axis=1))], axis=1)

    def _trunk(self, tokens: Float32) -> Float32:
        x = self._linear(tokens, "embed")
        x = x + np.maximum(self._place(x), 0)
        for i in range(self.layers):
            x = x + self._attend(self._norm(x, f"blocks.{i}.norm1"), f"blocks.{i}")
            wide = np.maximum(
                self._linear(self._norm(x, f"blocks.{i}.norm2"), f"blocks.{i}.widen"), 0
            )
            x = x + self._linear(wide, f"blocks.{i}.narrow")
        return self._norm(x, "norm")

    def _place(self, x: Float32) -> Float32:
        """Tells each token its surroundings: one short filter over time per channel."""
        weight = self.tensors["place.weight"][:, 0]  # (width, taps)
        taps = weight.shape[1]
        padded = np.pad(x, ((taps // 2, taps // 2), (0, 0)))
        found = sum(padded[tap : tap + len(x)] * weight[:, tap] for tap in range(taps))
        result: Float32 = found + self.tensors["place.bias"]
        return result

    def _attend(self, x: Float32, name: str) -> Float32:
        """Softmax attention of every token to every token of the window."""
        n, width = x.shape
        parts = self._linear(x, f"{name}.attend").reshape(n, 3, HEADS, width // HEADS)
        query, key, value = parts.transpose(1, 2, 0, 3)
        logits = query @ key.transpose(0, 2, 1) * np.float32((width // HEADS) ** -0.5)
        shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
        seen = (shares @ value) / shares.sum(axis=-1, keepdims=True)
        return self._linear(seen.transpose(1, 0, 2).reshape(n, width), f"{name}.join")

    def _linear(self, x: Float32, name: str) -> Float32:
        result: Float32 = x @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]
        return result

    def _norm(self, x: Float32, name: str) -> Float32:
        centred = x - x.mean(axis=1, keepdims=True)
        scale = 1 / np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + np.float32(EPSILON))
        result: Float32 = centred * scale * self.tensors[f"{name}.weight"]
        return result + self.tensors[f"{name}.bias"]


def _patches(x: Float32, length: int) -> Float32:
    """(steps, bands) → (steps / 2, length, bands): every second excerpt of the padded input."""
    padded = np.pad(x, (((length - 1) // 2, (length - 2) // 2), (0, 0)))
    views = np.lib.stride_tricks.sliding_window_view(padded, length, axis=0)[::STRIDE]
    return views.transpose(0, 2, 1)


def _signs(kind: Mapping[str, Float32]) -> Float32:
    """A negative factor turns a maximum into a minimum, so such filters are turned over."""
    return np.where(kind["factor"] < 0, np.float32(-1), np.float32(1))


def _tall_matrix(kind: Mapping[str, Float32]) -> Float32:
    """(length * 96, positions, filters): the filters at every second band."""
    kernel = kind["conv.weight"][:, 0] * _signs(kind)[:, None, None]
    n, length, height = kernel.shape
    positions = (N_MELS - height) // STRIDE + 1
    matrix = np.zeros((length, N_MELS, positions, n), np.float32)
    for p in range(positions):
        matrix[:, p * STRIDE : p * STRIDE + height, p] = kernel.transpose(1, 2, 0)
    return matrix.reshape(length * N_MELS, positions, n)


def _long_matrix(kinds: list[dict[str, Float32]]) -> Float32:
    """(longest, filters): all long filters, centred in the length of the longest."""
    longest = max(kind["conv.weight"].shape[2] for kind in kinds)
    columns = []
    for kind in kinds:
        kernel = kind["conv.weight"][:, 0, :, 0] * _signs(kind)[:, None]
        before = (longest - 1) // 2 - (kernel.shape[1] - 1) // 2
        after = longest - kernel.shape[1] - before
        columns.append(np.pad(kernel, ((0, 0), (before, after))).T)
    return np.ascontiguousarray(np.concatenate(columns, axis=1))
