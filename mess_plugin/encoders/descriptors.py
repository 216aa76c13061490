"""The classical baseline: timbre, harmony and rhythm descriptors, without weights.

It needs nothing but numpy, ignores gain by normalising the loudness of each window, and is the
yardstick that a learned encoder has to beat.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files

import numpy as np

from mess_plugin.encoders.base import (
    EncoderDescription,
    EncoderInfo,
    WeightsState,
)
from mess_plugin.features import harmony, rhythm, timbre
from mess_plugin.features.spectra import (
    RATE_HZ,
    loudness_normalised,
    spectra,
)
from mess_plugin.model import Float32, Level, Projection, Waveform

FRAMES_PER_S = 4
WIDTHS = {
    "cepstra": timbre.CEPSTRA,
    "cepstra movement": timbre.MOVING_CEPSTRA,
    "contrast": len(timbre.CONTRAST_EDGES_HZ) - 1,
    "level, centroid, flatness": 3,
    "chroma": 12,
    "interval content": 6,
    "tonalness": 1,
    "onset strength": rhythm.ONSET_BANDS,
    "periodicity": rhythm.PERIODICITY_DIMS,
    "modulation": rhythm.MODULATION_DIMS,
}
"""The descriptors in a frame, in order, with their widths."""

INFO = EncoderInfo(
    name="descriptors",
    revision="1",
    rate_hz=RATE_HZ,
    window_s=5.0,
    hop_s=5.0,
    min_s=0.5,
    dim=sum(WIDTHS.values()),
    layers="none",
    pooling="mean+std",
    licence="Apache-2.0",
)


class Descriptors:
    """The encoder; holds nothing but its label."""

    @property
    def info(self) -> EncoderInfo:
        """The label."""
        return INFO

    @property
    def projections(self) -> Mapping[Level, Projection]:
        """None: the library's own are fitted."""
        return {}

    def encode(self, windows: Float32) -> Float32:
        """(n_windows, n_samples) → (n_windows, n_frames, dim), four frames per second.

        Raises ValueError where windows are shorter than `info.min_s`.
        """
        if len(windows) == 0:
            return np.zeros((0, 0, INFO.dim), np.float32)
        if windows.shape[1] < INFO.min_s * INFO.rate_hz:
            raise ValueError(f"windows of {windows.shape[1]} samples are under {INFO.min_s} s")
        mean, scale = _scale()
        return np.stack([(describe_window(window) - mean) / scale for window in windows])


def describe_window(window: Waveform) -> Float32:
    """One window → (n_frames, dim) descriptors in their own units, in the order of WIDTHS.

    Periodicity and modulation need seconds: they describe the window and repeat in its frames.
    """
    normalised = loudness_normalised(window)
    spectrum = spectra(normalised)
    harmonies, harmony_times_s = harmony.harmony(normalised)
    cepstra = timbre.cepstra(spectrum)
    onsets = rhythm.onset_strength(spectrum)
    n_frames = max(1, round(len(window) / RATE_HZ * FRAMES_PER_S))
    fine = _averaging(n_frames, tuple(spectrum.times_s.tolist()))
    coarse = _averaging(n_frames, tuple(harmony_times_s.tolist()))
    whole = np.concatenate([rhythm.periodicity(onsets), rhythm.modulation(spectrum)])
    means = fine @ cepstra
    squares = fine @ np.square(cepstra)
    movement = np.sqrt(np.maximum(0, squares - np.square(means)))
    parts = [
        means,
        movement[:, : timbre.MOVING_CEPSTRA],
        fine @ timbre.contrast(spectrum),
        fine @ timbre.shape(spectrum),
        coarse @ harmonies,
        fine @ onsets,
        np.broadcast_to(whole, (n_frames, len(whole))),
    ]
    return np.hstack(parts).astype(np.float32)


@lru_cache(maxsize=16)
def _averaging(n_frames: int, times_s: tuple[float, ...]) -> Float32:
    """Weights (n_frames, n_spectra): the spectra centred in a frame, or else the nearest one."""
    times = np.array(times_s)
    frame_of = np.minimum(n_frames - 1, (times * FRAMES_PER_S).astype(int))
    weights = (frame_of == np.arange(n_frames)[:, None]).astype(np.float64)
    for frame in np.flatnonzero(weights.sum(axis=1) == 0):
        centre_s = (frame + 0.5) / FRAMES_PER_S
        weights[frame, np.argmin(np.abs(times - centre_s))] = 1
    averaging: Float32 = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return averaging


@cache
def _scale() -> tuple[Float32, Float32]:
    """Typical value and spread of each descriptor, so that no unit outweighs the others."""
    with (
        (files("mess_plugin.features") / "descriptors_scale.npz").open("rb") as file,
        np.load(file) as arrays,
    ):
        return arrays["mean"], arrays["scale"]


DESCRIPTIONS = (
    EncoderDescription(
        name=INFO.name,
        summary="Classical timbre, harmony and rhythm descriptors; the yardstick",
        licence=INFO.licence,
        weights_mb=0.0,
        dim=INFO.dim,
        rate_hz=INFO.rate_hz,
        speed="~500 x real time per core",
        extra=None,
        weights_state=lambda _directory: WeightsState(ready=True, detail="needs none"),
        load=lambda _options: Descriptors(),
    ),
)
