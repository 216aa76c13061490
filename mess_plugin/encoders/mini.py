"""mess-mini: the small encoder that MESS trains itself and ships. NumPy alone, no network needed.

A frame is a quarter of a second: what the convolutional stem and the transformer trunk make of it,
then plain statistics of its spectra (log-mel bands, their movement, semitones). The projections
that come with the weights bring pooled frames to the space in which tracks are compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mess_plugin.encoders.base import (
    EncoderDescription,
    EncoderInfo,
    EncoderOptions,
    WeightsState,
)
from mess_plugin.errors import ConfigError, MissingWeights, WrongWeights
from mess_plugin.model import Float32, Level, Projection

if TYPE_CHECKING:
    from mess_plugin.encoders.mini_features import Spectra
    from mess_plugin.encoders.mini_net import MiniNet

NAME = "mess-mini"
RATE_HZ = 24_000
WINDOW_S = 10.0
MIN_S = 0.25  # one frame
FILE_NAME = "mess-mini.safetensors"
SHIPPED = Path(__file__).parents[1] / "weights" / "mini"
LICENCE = "Apache-2.0"
DIM = 736


class Mini:
    """The encoder, ready: see `encoders.base.Encoder`."""

    def __init__(
        self, info: EncoderInfo, net: MiniNet, projections: Mapping[Level, Projection]
    ) -> None:
        self._info, self._net, self._projections = info, net, projections

    @property
    def info(self) -> EncoderInfo:
        """The label."""
        return self._info

    @property
    def projections(self) -> Mapping[Level, Projection]:
        """Fitted with the weights: one for each level."""
        return self._projections

    def encode(self, windows: Float32) -> Float32:
        """(n_windows, n_samples) at 24 kHz → (n_windows, n_frames, dim), four frames a second.

        The gain of a window does not matter. Silence gives the same finite frames everywhere.
        """
        from mess_plugin.encoders.mini_features import FRAME_SAMPLES, spectra

        if len(windows) == 0:
            return np.zeros((0, 0, self._info.dim), np.float32)
        if windows.shape[1] < FRAME_SAMPLES:
            raise ConfigError("window", f"{windows.shape[1]} samples", f"at least {FRAME_SAMPLES}")
        return np.stack([self._frames(spectra(window)) for window in windows])

    def _frames(self, seen: Spectra) -> Float32:
        learnt = self._net(seen)
        return np.concatenate([learnt, *statistics(seen, len(learnt))], axis=1).astype(np.float32)


def statistics(seen: Spectra, n_frames: int) -> tuple[Float32, Float32, Float32]:
    """Means of the log-mel bands, of their movement and of the semitones: (n_frames, 96) each."""
    movement = np.abs(np.diff(seen.mel, axis=0, prepend=seen.mel[:1]))
    mel, moved, tones = (
        x.reshape(n_frames, -1, x.shape[1]).mean(axis=1) for x in (seen.mel, movement, seen.tones)
    )
    return mel, moved, tones


def load(options: EncoderOptions) -> Mini:
    """Reads the weights. MissingWeights, WrongWeights; ConfigError for what it cannot do."""
    if options.layers is not None:
        raise ConfigError("layers", options.layers, f"{NAME} has no choice of layers")
    if options.device == "cuda":
        raise ConfigError("device", options.device, f"{NAME} runs on the CPU")
    path = (options.weights or SHIPPED) / FILE_NAME
    if not path.is_file():
        raise MissingWeights(NAME, f"there is no {path}: reinstall mess-plugin")
    from mess_plugin.encoders.mini_net import MiniNet

    tensors, notes = _read(path)
    try:
        net = MiniNet(tensors)
        projections = {
            level: Projection(
                tensors[f"projection.{level}.mean"],
                tensors[f"projection.{level}.matrix"],
                notes["projection"],
            )
            for level in Level
        }
        dim = len(projections[Level.SONG].mean)
        info = EncoderInfo(
            NAME, notes["revision"], RATE_HZ, WINDOW_S, WINDOW_S, MIN_S, dim, "", "mean", LICENCE
        )
    except (KeyError, ValueError, IndexError) as error:
        raise WrongWeights(NAME, f"{path} lacks or misshapes {error}") from error
    return Mini(info, net, projections)


def _read(path: Path) -> tuple[dict[str, Float32], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WrongWeights(NAME, f"{path} cannot be read: {error}") from error


def _weights_state() -> WeightsState:
    path = SHIPPED / FILE_NAME
    if path.is_file():
        return WeightsState(True, "comes with mess-plugin")
    return WeightsState(False, f"there is no {path}: reinstall mess-plugin")


DESCRIPTIONS = (
    EncoderDescription(
        name=NAME,
        summary="small trained encoder of timbre, harmony and movement; works everywhere",
        licence=LICENCE,
        weights_mb=8.5,
        dim=DIM,
        rate_hz=RATE_HZ,
        speed="about 400 times real time on one core",
        extra=None,
        weights_state=_weights_state,
        load=load,
    ),
)
