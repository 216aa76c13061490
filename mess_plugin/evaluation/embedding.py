"""A waveform through an encoder to unit vectors, and maps that are fitted on a library."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mess_plugin.encoders.base import Encoder
from mess_plugin.model import Float32, Level, Projection, Waveform

STEPS_PER_S = 4.0


@dataclass(frozen=True, slots=True)
class Embedded:
    """song: (dim,); windows: (n, dim); intervals: (n, 2) float32 seconds. Unit length each."""

    song: Float32
    windows: Float32
    intervals: Float32


def embed_recording(
    encoder: Encoder, waveform: Waveform, *, window_s: float = 5.0, hop_s: float = 2.5
) -> Embedded:
    """Encode a recording and pool its frames to one song vector and to window vectors.

    waveform: mono at the encoder's rate, at least info.min_s long. window_s, hop_s: of the pooled
    windows; the last one ends at the end of the recording.
    """
    frames, rate_hz = _joined_frames(encoder, waveform)
    length_s = len(waveform) / encoder.info.rate_hz
    starts = np.arange(0, max(0.0, length_s - window_s) + 1e-6, hop_s)
    if starts[-1] + window_s < length_s - hop_s / 2:
        starts = np.append(starts, length_s - window_s)
    intervals = np.stack([starts, np.minimum(starts + window_s, length_s)], axis=1)
    edges = np.round(intervals * rate_hz).astype(int)
    windows = np.stack([_pool(frames[a : max(b, a + 1)], encoder.info.pooling) for a, b in edges])
    song = _pool(frames, encoder.info.pooling)[None]
    return Embedded(
        song=apply(encoder.projections.get(Level.SONG), song)[0],
        windows=apply(encoder.projections.get(Level.WINDOW), windows),
        intervals=intervals.astype(np.float32),
    )


def apply(projection: Projection | None, vectors: Float32) -> Float32:
    """Project vectors (n, d), if there is a projection, and scale them to unit length."""
    if projection is not None:
        vectors = np.asarray((vectors - projection.mean) @ projection.matrix, np.float32)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12), np.float32)


def fit_centring(vectors: Float32) -> Projection:
    """Subtract the library's mean vector."""
    identity = np.eye(vectors.shape[1], dtype=np.float32)
    return Projection(vectors.mean(axis=0), identity, "centred")


def fit_zscore(vectors: Float32) -> Projection:
    """Subtract the mean and divide each dimension by its standard deviation."""
    deviation = np.maximum(vectors.std(axis=0), 1e-6)
    return Projection(vectors.mean(axis=0), np.diag(1 / deviation).astype(np.float32), "z-score")


def fit_whitening(vectors: Float32, shrinkage: float) -> Projection:
    """Whiten with the covariance shrunk towards a multiple of the identity.

    shrinkage: 0 is full PCA whitening, 1 is centring. Ledoit & Wolf, A well-conditioned estimator
    for large-dimensional covariance matrices, J. Multivariate Analysis 88 (2004).
    """
    mean = vectors.mean(axis=0)
    centred = (vectors - mean).astype(np.float64)
    variance, axes = np.linalg.eigh(centred.T @ centred / len(vectors))
    shrunk = (1 - shrinkage) * np.maximum(variance, 0) + shrinkage * variance.mean()
    scale = 1 / np.sqrt(np.maximum(shrunk, 1e-12))
    return Projection(mean, (axes * scale).astype(np.float32), f"whitened {shrinkage:g}")


def _joined_frames(encoder: Encoder, waveform: Waveform) -> tuple[Float32, float]:
    """Frames of a whole recording at an even rate: steps (n, dim) and steps per second."""
    info = encoder.info
    length = min(len(waveform), round(info.window_s * info.rate_hz))
    last = len(waveform) - length
    starts = np.arange(0, last + 1, round(info.hop_s * info.rate_hz))
    if starts[-1] < last:
        starts = np.append(starts, last)
    batches = np.array_split(starts, -(-len(starts) // 16))
    coded = [encoder.encode(np.stack([waveform[s : s + length] for s in b])) for b in batches]
    frames = np.concatenate(coded)
    frame_s = length / info.rate_hz / frames.shape[1]
    rate_hz = min(STEPS_PER_S, 1 / frame_s)
    centres_s = starts[:, None] / info.rate_hz + (np.arange(frames.shape[1]) + 0.5) * frame_s
    step = np.floor(centres_s * rate_hz).astype(int).ravel()
    sums = np.zeros((step.max() + 1, frames.shape[2]))
    np.add.at(sums, step, frames.reshape(len(step), -1))
    counts = np.bincount(step)
    filled = counts > 0
    return (sums[filled] / counts[filled, None]).astype(np.float32), rate_hz


def _pool(frames: Float32, pooling: str) -> Float32:
    mean: Float32 = frames.mean(axis=0)
    if pooling == "mean":
        return mean
    if pooling == "mean+std":
        return np.concatenate([mean, frames.std(axis=0)])
    raise ValueError(f"unknown pooling {pooling!r}")
