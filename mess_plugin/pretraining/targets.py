"""Acoustic pseudo-labels: what the trunk has to guess of hidden frames.

`KMeans` is the k-means variant of MERT's acoustic teacher (Li et al., 2023), at small scale: one
codebook each over log-mel, its movement, and chroma. A neural codec such as EnCodec would be another
`Codebooks`: it knows from `places` which frames are wanted, and can look its codes up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from mess_plugin.encoders.mini.spectra import MELS_PER_FRAME, TONES_PER_FRAME
from mess_plugin.pretraining.augment import Batch
from mess_plugin.pretraining.data import Place

CODEBOOK_SIZE = 128
CODEBOOKS = ("timbre", "movement", "chroma")
ITERATIONS = 12


class Codebooks(Protocol):
    """Gives every frame a label in each of some codebooks, all of one size."""

    count: int
    size: int

    def labels(self, clean: Batch, places: Sequence[Place]) -> Tensor:
        """(n, frames, count) int64 in 0 … size - 1, of the unchanged windows at n places."""
        ...


class KMeans(nn.Module):
    """Clusters of this collection; the same seed finds the same ones again."""

    count = len(CODEBOOKS)
    size = CODEBOOK_SIZE

    def __init__(self, windows: Sequence[Batch], generator: torch.Generator) -> None:
        """windows: what the clusters are found in."""
        super().__init__()
        points = [torch.cat(x) for x in zip(*map(descriptions, windows), strict=True)]
        for name, kind in zip(CODEBOOKS, points, strict=True):
            self.register_buffer(name, cluster(kind.flatten(0, 1), CODEBOOK_SIZE, generator))

    def labels(self, clean: Batch, places: Sequence[Place]) -> Tensor:  # noqa: ARG002
        """See `Codebooks`. The spectra are enough."""
        found = [
            assign(x, getattr(self, name))
            for name, x in zip(CODEBOOKS, descriptions(clean), strict=True)
        ]
        return torch.stack(found, -1)


def descriptions(batch: Batch) -> list[Tensor]:
    """What each codebook is over: (n, frames, width) for each of CODEBOOKS."""
    mel = batch.mel.unflatten(1, (-1, MELS_PER_FRAME))
    tones = batch.tones.unflatten(1, (-1, TONES_PER_FRAME)).mean(2)
    rhythm = (mel - mel.mean(2, keepdim=True)).unflatten(3, (8, -1)).mean(4)
    chroma = tones.unflatten(2, (-1, 12)).sum(2)
    chroma = chroma - chroma.mean(2, keepdim=True)
    chroma = chroma / (chroma.norm(dim=2, keepdim=True) + 1.0)
    return [mel.mean(2), rhythm.flatten(2), chroma]


def cluster(points: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Lloyd's algorithm: (n, width) → (size, width). Empty clusters restart at random points."""
    centres = points[torch.randperm(len(points), generator=generator)[:size]].clone()
    for _ in range(ITERATIONS):
        nearest = assign(points, centres)
        counts = torch.bincount(nearest, minlength=size)
        sums = torch.zeros_like(centres).index_add_(0, nearest, points)
        centres = sums / counts.clamp_min(1)[:, None]
        empty = (counts == 0).nonzero().squeeze(1)
        again = torch.randint(len(points), (len(empty),), generator=generator)
        centres[empty] = points[again]
    return centres


def assign(points: Tensor, centres: Tensor) -> Tensor:
    """Number of the nearest centre: (..., width) → (...)."""
    return (points @ centres.T - 0.5 * centres.square().sum(1)).argmax(-1)
