"""Pooled frames of a collection, plain and changed, as projections are fitted on them."""

from __future__ import annotations

import numpy as np
import torch

from mess_plugin.encoders.mini.encoder import describe
from mess_plugin.encoders.mini.network import MiniNet
from mess_plugin.encoders.mini.spectra import FRAME_SAMPLES, N_MELS, N_TONES, RATE_HZ, MiniSpectra
from mess_plugin.model import Float32
from mess_plugin.pretraining.augment import Augment, Batch, Strength
from mess_plugin.pretraining.data import Collection, Place
from mess_plugin.pretraining.projection import Samples

WINDOW_FRAMES = 10 * RATE_HZ // FRAME_SAMPLES
WINDOWS_PER_TRACK = 4
CHANGES = 2
LEAST_FRAMES = 12
OFTEN = 0.4  # how often each change touches a window here


def pool_collection(
    net: MiniNet, collection: Collection, tracks: list[int], unnamed: set[str], seed: int
) -> Samples:
    """Four windows of each recording, through the network as it will be shipped.

    unnamed: albums that say nothing of what belongs together.
    """
    generator = torch.Generator()
    augment = Augment(Strength(often=OFTEN), generator)
    clean, changed, numbers = [], [], []
    for track in tracks:
        places = _spread(collection, track)
        if not places:
            continue
        generator.manual_seed(seed * 1_000_003 + track)  # whichever recordings come before
        batch = collection.batch(places, places[0].n_source)
        clean.append(_pool(net, batch))
        changed.append(np.stack([_pool(net, augment(batch)) for _ in range(CHANGES)], axis=1))
        numbers += [track] * len(places)
    names = [collection.albums[track] for track in numbers]
    return Samples(
        clean=np.concatenate(clean),
        changed=np.concatenate(changed),
        albums=np.array(["" if name in unnamed else name for name in names]),
        blocks=(clean[0].shape[1] - 2 * N_MELS - N_TONES, N_MELS, N_MELS, N_TONES),
    )


def scaling(samples: Samples) -> tuple[Float32, Float32]:
    """Mean and inverse deviation of each dimension; one that never moves keeps its unit."""
    deviation = samples.clean.std(axis=0)
    moving = deviation > 1e-4
    factor = np.where(moving, 1 / np.where(moving, deviation, 1), 1)
    return samples.clean.mean(axis=0).astype(np.float32), factor.astype(np.float32)


def _spread(collection: Collection, track: int) -> list[Place]:
    """Up to four windows, evenly spread over a recording; none if it is too short."""
    first, end = (int(x) for x in collection.offsets[track : track + 2])
    length = end - first
    if length < LEAST_FRAMES:
        return []
    n = min(WINDOW_FRAMES, length)
    count = max(1, min(WINDOWS_PER_TRACK, length // WINDOW_FRAMES))
    shares = np.linspace(0.05, 0.95, count) if count > 1 else np.array([0.5])
    return [Place(track, first + int(share * (length - n)), n) for share in shares]


def _pool(net: MiniNet, batch: Batch) -> np.ndarray:
    frames = describe(net, MiniSpectra(batch.mel.numpy(), batch.tones.numpy()))
    return frames.mean(axis=1, dtype=np.float64)
