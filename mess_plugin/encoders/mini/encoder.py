"""Windows → frames of mess-mini.

A frame is a quarter of a second: the stem's and the trunk's features, then means of the log-mel
bands, of their movement and of the semitones, each brought to a common scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from mess_plugin.encoders.base import EncoderInfo, EncoderOptions
from mess_plugin.encoders.mini import DIM, FILE_NAME, LICENCE, NAME, RATE_HZ, SHIPPED
from mess_plugin.encoders.mini.network import MiniNet
from mess_plugin.encoders.mini.spectra import FRAME_SAMPLES, MiniSpectra, spectra
from mess_plugin.errors import ConfigError, MissingWeights, WrongWeights
from mess_plugin.model import Float32, Level, Projection

WINDOW_S = 10.0
BATCH = 4  # windows at a time: more would leave the cache of the processor


class Mini:
    """The encoder, ready: see `encoders.base.Encoder`."""

    def __init__(self, tensors: Mapping[str, Float32], notes: Mapping[str, str]) -> None:
        """tensors, notes: contents of a weights file. Raises KeyError for what it lacks."""
        self._net = MiniNet(tensors)
        self._mean, self._scale = tensors["frame.mean"], tensors["frame.scale"]
        self.projections: Mapping[Level, Projection] = {
            level: Projection(
                tensors[f"projection.{level}.mean"],
                tensors[f"projection.{level}.matrix"],
                notes["projection"],
            )
            for level in Level
        }
        self.info = EncoderInfo(
            name=NAME,
            revision=notes["revision"],
            rate_hz=RATE_HZ,
            window_s=WINDOW_S,
            hop_s=WINDOW_S,
            min_s=FRAME_SAMPLES / RATE_HZ,
            dim=len(self._mean),
            layers="none",
            pooling="mean",
            licence=LICENCE,
        )

    def encode(self, windows: Float32) -> Float32:
        """(n_windows, n_samples) at 24 kHz → (n_windows, n_frames, dim), four frames a second.

        The gain of a window does not matter. Silence gives the same finite frames everywhere.
        Raises ValueError where windows are shorter than `info.min_s`.
        """
        if len(windows) == 0:
            return np.zeros((0, 0, self.info.dim), np.float32)
        if windows.shape[1] < FRAME_SAMPLES:
            raise ValueError(f"windows of {windows.shape[1]} samples are under {FRAME_SAMPLES}")
        frames = [
            self.frames(stacked([spectra(window) for window in windows[i : i + BATCH]]))
            for i in range(0, len(windows), BATCH)
        ]
        return np.concatenate(frames)

    def frames(self, seen: MiniSpectra) -> Float32:
        """Spectra of n windows → (n, n_frames, dim): what `encode` makes of them."""
        heard = describe(self._net, seen)
        heard -= self._mean
        heard *= self._scale
        return heard


def stacked(seen: Sequence[MiniSpectra]) -> MiniSpectra:
    """Spectra of equally long windows as one."""
    return MiniSpectra(np.stack([one.mel for one in seen]), np.stack([one.tones for one in seen]))


def describe(net: MiniNet, seen: MiniSpectra) -> Float32:
    """Spectra of n windows → (n, n_frames, width) features in their own units, block by block."""
    learnt = net(seen)
    movement = np.abs(np.diff(seen.mel, axis=1, prepend=seen.mel[:, :1]))
    plain = [
        x.reshape(*learnt.shape[:2], -1, x.shape[2]).mean(axis=2)
        for x in (seen.mel, movement, seen.tones)
    ]
    return np.concatenate([learnt, *plain], axis=2)


def load(options: EncoderOptions) -> Mini:
    """Reads the weights. MissingWeights, WrongWeights; ConfigError for what it cannot do."""
    if options.layers is not None:
        raise ConfigError("layers", options.layers, f"{NAME} has no choice of layers")
    if options.device == "cuda":
        raise ConfigError("device", options.device, f"{NAME} runs on the CPU")
    path = (options.weights or SHIPPED) / FILE_NAME
    if not path.is_file():
        raise MissingWeights(NAME, f"there is no {path}: reinstall mess-plugin")
    tensors, notes = _read(path)
    try:
        encoder = Mini(tensors, notes)
        encoder.encode(np.zeros((1, FRAME_SAMPLES), np.float32))
    except (KeyError, ValueError, IndexError) as error:
        raise WrongWeights(NAME, f"{path} lacks or misshapes something: {error}") from error
    if encoder.info.dim != DIM:
        raise WrongWeights(NAME, f"{path} makes frames {encoder.info.dim} wide instead of {DIM}")
    return encoder


def _read(path: Path) -> tuple[dict[str, Float32], dict[str, str]]:
    try:
        with safe_open(path, framework="numpy") as file:
            names = list(file.keys())
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise WrongWeights(NAME, f"{path} cannot be read: {error}") from error
