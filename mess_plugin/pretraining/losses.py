"""The terms of the loss, and the heads that only training needs."""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from mess_plugin.encoders.mini.spectra import FRAME_SAMPLES, N_TONES, RATE_HZ, TONES_PER_FRAME
from mess_plugin.pretraining.augment import Batch

TEMPERATURE = 0.1
FRAMES_PER_S = RATE_HZ // FRAME_SAMPLES
LOCAL_FRAMES = 8  # of a part, which the local term tells from other parts of its recording
LOCAL_WIDTH = 64


class LossWeights(msgspec.Struct, frozen=True):
    """The total is masked * L_H + tones * L_CQT + contrast * L_C + local * L_W + distil * L_D.

    0 leaves a term out.

    album: how much another recording of the same album counts as belonging together (1 would be as
    much as the recording itself, 0 makes it a hard negative).
    """

    masked: float = 0.5
    tones: float = 0.5
    contrast: float = 1.0
    local: float = 0.3
    distil: float = 1.0
    album: float = 0.25


class Heads(nn.Module):
    """Linear read-outs of the trunk for each kind of target."""

    def __init__(self, width: int, teacher_width: int, n_labels: int) -> None:
        """n_labels: of all codebooks together."""
        super().__init__()
        self.labels = nn.Linear(width, n_labels)
        self.tones = nn.Linear(width, N_TONES)
        self.teacher = nn.Linear(width, teacher_width)
        self.local = nn.Linear(width, LOCAL_WIDTH)

    def masked_loss(self, trunk: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
        """Cross-entropy of the hidden frames' pseudo-labels, averaged over the codebooks.

        labels: (n, frames, codebooks), see `targets.Codebooks`.
        """
        wanted = labels[mask]
        logits = self.labels(trunk[mask]).unflatten(1, (wanted.shape[1], -1))
        return functional.cross_entropy(logits.flatten(0, 1), wanted.flatten())

    def tones_loss(self, trunk: Tensor, clean: Batch, mask: Tensor) -> Tensor:
        """Squared error of the hidden frames' semitone spectra."""
        wanted = clean.tones.unflatten(1, (-1, TONES_PER_FRAME)).mean(2)
        return functional.mse_loss(self.tones(trunk[mask]), wanted[mask])

    def distil_loss(self, trunk: Tensor, taught: Tensor) -> Tensor:
        """Squared error towards the teacher's standardised features, a second at a time."""
        said = self.teacher(_parts(trunk, FRAMES_PER_S))
        return functional.smooth_l1_loss(said, _parts(taught, FRAMES_PER_S))

    def local_loss(self, here: Tensor, again: Tensor, far: Tensor) -> Tensor:
        """Each part of a window finds itself after other changes, among parts of its recording.

        here, again: (n, frames, width), the same windows changed differently; far: windows of the
        same recordings further away, which with the rest of `here` are the negatives.
        """
        query, right, wrong = (
            functional.normalize(self.local(_parts(x, LOCAL_FRAMES)), dim=2)
            for x in (again, here, far)
        )
        logits = query @ torch.cat([right, wrong], 1).transpose(1, 2) / TEMPERATURE
        wanted = torch.arange(query.shape[1]).expand(len(query), -1)
        return functional.cross_entropy(logits.flatten(0, 1), wanted.flatten())


def _parts(frames: Tensor, n: int) -> Tensor:
    """Means over n frames each: (windows, frames, width) → (windows, frames // n, width)."""
    whole = frames.shape[1] // n * n
    return frames[:, :whole].unflatten(1, (-1, n)).mean(2)


def contrast_loss(views: Tensor, albums: list[str], album_weight: float) -> Tensor:
    """InfoNCE over pooled windows, every way; see `Weights.album` for soft positives.

    views: (n_views, n, width): windows of recording i at [:, i].
    """
    n_views, n, _ = views.shape
    pooled = functional.normalize(views.flatten(0, 1), dim=1)
    index = {name: i for i, name in enumerate(dict.fromkeys(albums))}
    album = torch.tensor([index[a] for a in albums]).repeat(n_views)
    track = torch.arange(n).repeat(n_views)
    wanted = album_weight * (album[:, None] == album).float()
    wanted = torch.where(track[:, None] == track, torch.ones(()), wanted)
    itself = torch.eye(n_views * n, dtype=torch.bool)
    wanted = wanted.masked_fill(itself, 0)
    logits = (pooled @ pooled.T / TEMPERATURE).masked_fill(itself, -1e4)
    share = wanted / wanted.sum(1, keepdim=True)
    return -(share * logits.log_softmax(1)).sum(1).mean()
