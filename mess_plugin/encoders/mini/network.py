"""The network of mess-mini in NumPy: spectra of some windows in, features of every frame out.

The same arithmetic as `pretraining/network.py`, arranged so that nearly all of it is matrix
products of a good shape; the stem's first layer is in `filters.py`. Activations of the stem are
(channels, windows, steps), those of the trunk (windows, tokens, width).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mess_plugin.encoders.mini.filters import STRIDE, Front
from mess_plugin.encoders.mini.spectra import (
    FRAME_SAMPLES,
    MEL_HOP,
    MELS_PER_FRAME,
    TONES_PER_FRAME,
    MiniSpectra,
)
from mess_plugin.model import Float32

N_MIDDLE = 3
STEPS_PER_FRAME = MELS_PER_FRAME // STRIDE
HEADS = 6
TONES_OFFSET = 1.5  # about the mean of the semitone spectra
EPSILON = 1e-5  # of layer normalisation

assert FRAME_SAMPLES == MELS_PER_FRAME * MEL_HOP


class MiniNet:
    """The network with its weights; see `__call__`."""

    def __init__(self, tensors: Mapping[str, Float32]) -> None:
        """tensors: the weights, under the names that the training network gives them."""
        self.tensors = tensors
        self.layers = sum(name.endswith(".attend.weight") for name in tensors)
        self.front = Front(tensors)
        self.middle = [_Middle(tensors, f"stem.middle.{i}") for i in range(N_MIDDLE)]

    def __call__(self, seen: MiniSpectra) -> Float32:
        """Spectra of n windows → (n, n_frames, width): stem features, then the trunk's.

        A single window without the first axis gives (n_frames, width).
        """
        if seen.mel.ndim == 2:
            single: Float32 = self(MiniSpectra(seen.mel[None], seen.tones[None]))[0]
            return single
        n, n_frames = len(seen.mel), seen.mel.shape[1] // MELS_PER_FRAME
        steps = self.stem(seen.mel).reshape(-1, n, n_frames, STEPS_PER_FRAME)
        mean: Float32 = np.ascontiguousarray(steps.mean(axis=3).transpose(1, 2, 0))
        if not self.layers:
            return mean
        peak = steps[: len(self.front)].max(axis=3).transpose(1, 2, 0)
        heard = np.concatenate([mean, peak], axis=2)
        heard = (heard - self.tensors["stem_mean"]) * self.tensors["stem_scale"]
        assert seen.tones.shape[1] == n_frames * TONES_PER_FRAME
        harmony = seen.tones.reshape(n, n_frames, -1) - np.float32(TONES_OFFSET)
        trunk = self._trunk(np.concatenate([heard, harmony], axis=2))
        return np.concatenate([mean, trunk], axis=2)

    def stem(self, mel: Float32) -> Float32:
        """(n, steps, 96) log-mel spectra → (features, n, steps / 2) of the convolutional stem."""
        outputs = [self.front(mel)]
        for i, middle in enumerate(self.middle):
            result = middle(outputs[-1])
            outputs.append(result + outputs[-1] if i else result)
        return np.concatenate(outputs)

    def _trunk(self, tokens: Float32) -> Float32:
        x = self._linear(tokens, "embed")
        x = x + np.maximum(self._place(x), 0)
        for i in range(self.layers):
            x += self._attend(self._norm(x, f"blocks.{i}.norm1"), f"blocks.{i}")
            wide = self._linear(self._norm(x, f"blocks.{i}.norm2"), f"blocks.{i}.widen")
            np.maximum(wide, 0, out=wide)
            x += self._linear(wide, f"blocks.{i}.narrow")
        return self._norm(x, "norm")

    def _place(self, x: Float32) -> Float32:
        """Tells each token its surroundings: one short filter over time per channel."""
        weight = self.tensors["place.weight"][:, 0]  # (width, taps)
        taps = weight.shape[1]
        padded = np.pad(x, ((0, 0), (taps // 2, taps // 2), (0, 0)))
        found = sum(padded[:, tap : tap + x.shape[1]] * weight[:, tap] for tap in range(taps))
        result: Float32 = found + self.tensors["place.bias"]
        return result

    def _attend(self, x: Float32, name: str) -> Float32:
        """Softmax attention of every token to every token of its window."""
        n, tokens, width = x.shape
        parts = self._linear(x, f"{name}.attend").reshape(n, tokens, 3, HEADS, width // HEADS)
        query, key, value = parts.transpose(2, 0, 3, 1, 4)
        logits = query @ key.transpose(0, 1, 3, 2)
        logits *= np.float32((width // HEADS) ** -0.5)
        logits -= logits.max(axis=-1, keepdims=True)
        shares = np.exp(logits, out=logits)
        seen = (shares @ value) / shares.sum(axis=-1, keepdims=True)
        return self._linear(seen.transpose(0, 2, 1, 3).reshape(n, tokens, width), f"{name}.join")

    def _linear(self, x: Float32, name: str) -> Float32:
        flat = x.reshape(-1, x.shape[-1]) @ self.tensors[f"{name}.weight"].T
        flat += self.tensors[f"{name}.bias"]
        return flat.reshape(*x.shape[:-1], -1)

    def _norm(self, x: Float32, name: str) -> Float32:
        centred: Float32 = x - x.mean(axis=-1, keepdims=True)
        scale = 1 / np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + np.float32(EPSILON))
        centred *= scale
        centred *= self.tensors[f"{name}.weight"]
        centred += self.tensors[f"{name}.bias"]
        return centred


class _Middle:
    """One of the stem's middle layers: three taps among all channels, ReLU, normalisation."""

    def __init__(self, tensors: Mapping[str, Float32], name: str) -> None:
        weight = tensors[f"{name}.conv.weight"]  # (out, in, taps)
        self.weight = np.ascontiguousarray(weight.transpose(0, 2, 1).reshape(len(weight), -1))
        self.bias = tensors[f"{name}.conv.bias"][:, None]
        self.factor = tensors[f"{name}.factor"][:, None]
        self.offset = tensors[f"{name}.offset"][:, None]

    def __call__(self, x: Float32) -> Float32:
        """(channels, n, steps), both ways."""
        taps = np.zeros((3, *x.shape), np.float32)
        taps[0, :, :, 1:] = x[:, :, :-1]
        taps[1] = x
        taps[2, :, :, :-1] = x[:, :, 1:]
        found = self.weight @ taps.reshape(3 * len(x), -1)
        found += self.bias
        np.maximum(found, 0, out=found)
        found *= self.factor
        found += self.offset
        return found.reshape(-1, *x.shape[1:])
