"""The trunk of mess-mini in torch, for training; `encoders/mini/network.py` runs it in NumPy.

A convolutional stem with the filter shapes of MusiCNN (tall timbral and long temporal filters, Pons
et al., 2016) at half its resolution in time and frequency, and above it a narrow pre-LN transformer
over four tokens per second that also sees the semitone spectra.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mess_plugin.encoders.mini.filters import Front
from mess_plugin.encoders.mini.spectra import MELS_PER_FRAME, N_TONES, TONES_PER_FRAME
from mess_plugin.pretraining.musicnn import TEMPORAL_STEPS, MusiCNN, MusicnnLayer

FILTERS = (23, 14, 3, 7, 17)  # of the five kinds of first-layer filters: those alive in MusiCNN
HEIGHTS = (38, 67, 1, 1, 1)
LENGTHS = (7, 7, *TEMPORAL_STEPS)
N_FRONT = sum(FILTERS)
N_STEM = 4 * N_FRONT  # first layer and three middle ones
STEPS_PER_FRAME = MELS_PER_FRAME // 2
WINDOWS_AT_ONCE = 6  # through the frozen first layer: more would leave the processor's cache


class Filters(nn.Module):
    """Convolution at every second step and band, ReLU, normalisation, maximum over the bands."""

    def __init__(self, n: int, length: int, height: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, n, (length, height), stride=2)
        self.factor = nn.Parameter(torch.ones(n))
        self.offset = nn.Parameter(torch.zeros(n))
        self.padding = (0, 0, (length - 1) // 2, (length - 2) // 2)

    def forward(self, x: Tensor) -> Tensor:
        """(n, steps, bands) → (n, filters, steps / 2)."""
        found = self.conv(functional.pad(x, self.padding)[:, None])
        # The factor's sign decides which end of the range the maximum comes from.
        sign = torch.where(self.factor < 0, -1.0, 1.0)[:, None]
        peak = (found * sign[..., None]).amax(-1) * sign
        return peak.relu() * self.factor[:, None] + self.offset[:, None]


class Middle(nn.Module):
    """Convolution over time among the channels, ReLU, normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(N_FRONT, N_FRONT, 3, padding=1)
        self.factor = nn.Parameter(torch.ones(N_FRONT))
        self.offset = nn.Parameter(torch.zeros(N_FRONT))

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, steps), both ways."""
        return self.conv(x).relu() * self.factor[:, None] + self.offset[:, None]


class Stem(nn.Module):
    """Log-mel spectra → N_STEM features, STEPS_PER_FRAME times per frame."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([0.55, -0.75]))
        self.front = nn.ModuleList(
            Filters(*shape) for shape in zip(FILTERS, LENGTHS, HEIGHTS, strict=True)
        )
        self.middle = nn.ModuleList(Middle() for _ in range(3))
        self.frozen: Front | None = None

    def freeze_front(self) -> None:
        """The first layer stays as it is, and is computed as the encoder does: twice as fast."""
        self.front.requires_grad_(False)
        self.scale.requires_grad_(False)
        named = {f"stem.{k}": v.numpy() for k, v in self.state_dict().items()}
        self.frozen = Front(named)

    def first(self, mel: Tensor) -> Tensor:
        """(n, steps, 96) → (n, N_FRONT, steps / 2)."""
        if self.frozen is not None:
            parts = [self.frozen(part.numpy()) for part in mel.split(WINDOWS_AT_ONCE)]
            return torch.from_numpy(np.concatenate(parts, axis=1)).transpose(0, 1)
        x = mel * self.scale[0] + self.scale[1]
        return torch.cat([filters(x) for filters in self.front], 1)

    def forward(self, mel: Tensor) -> Tensor:
        """(n, steps, 96) → (n, N_STEM, steps / 2)."""
        front = self.first(mel)
        first = self.middle[0](front)
        second = self.middle[1](first) + first
        third = self.middle[2](second) + second
        return torch.cat([front, first, second, third], 1)

    @torch.no_grad()
    def inherit(self, teacher: MusiCNN) -> None:
        """Starts from the teacher's living filters, as distilled networks often do."""
        self.scale.copy_(torch.stack([teacher.factor.squeeze(), teacher.offset.squeeze()]))
        for filters, layer in zip(self.front, teacher.layers[:5], strict=True):
            assert isinstance(filters, Filters)
            alive, bias = layer.alive, filters.conv.bias
            assert bias is not None
            filters.conv.weight.copy_(layer.kernel[alive])
            bias.copy_(layer.bias[alive])
            filters.factor.copy_(layer.factor[alive])
            filters.offset.copy_(layer.offset[alive])
        first = teacher.layers[5]
        kernel = first.kernel[:, 0].transpose(1, 2)  # (filters, channels, 7 steps)
        constant = torch.cat([x.bias.relu() * x.factor + x.offset for x in teacher.layers[:5]])
        sizes = [len(x.bias) for x in teacher.layers[:5]]
        starts = [sum(sizes[:i]) for i in range(5)]
        alive = torch.cat([s + x.alive for s, x in zip(starts, teacher.layers[:5], strict=True)])
        constant[alive] = 0
        folded = first.bias + kernel.sum(-1) @ constant
        _inherit_middle(self.middle[0], first, kernel[:, alive], folded)
        for middle, layer in zip(self.middle[1:], teacher.layers[6:], strict=True):
            _inherit_middle(middle, layer, layer.kernel[:, 0].transpose(1, 2), layer.bias)


def _inherit_middle(middle: nn.Module, layer: MusicnnLayer, kernel: Tensor, bias: Tensor) -> None:
    """Seven taps become three, twice as far apart."""
    assert isinstance(middle, Middle)
    assert middle.conv.bias is not None
    half = 0.5 * kernel
    merged = [
        kernel[..., 0] + kernel[..., 1] + half[..., 2],
        half[..., 2] + kernel[..., 3] + half[..., 4],
        half[..., 4] + kernel[..., 5] + kernel[..., 6],
    ]
    middle.conv.weight.copy_(torch.stack(merged, -1))
    middle.conv.bias.copy_(bias)
    middle.factor.copy_(layer.factor)
    middle.offset.copy_(layer.offset)


class Block(nn.Module):
    """Pre-LN attention and feed-forward (Xiong et al., 2020), ReLU because NumPy likes it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend, self.join = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(n, tokens, width), both ways."""
        n, tokens, width = x.shape
        parts = self.attend(self.norm1(x)).view(n, tokens, 3, self.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value)
        x = x + self.join(seen.transpose(1, 2).reshape(n, tokens, width))
        narrowed: Tensor = self.narrow(self.widen(self.norm2(x)).relu())
        return x + narrowed


class TrainableMiniNet(nn.Module):
    """Spectra → stem and trunk features of every frame."""

    stem_mean: Tensor
    stem_scale: Tensor

    def __init__(self, width: int = 192, layers: int = 3, heads: int = 6) -> None:
        super().__init__()
        self.stem = Stem()
        self.embed = nn.Linear(N_STEM + N_FRONT + TONES_PER_FRAME * N_TONES, width)
        self.place = nn.Conv1d(width, width, 9, padding=4, groups=width)
        self.masked = nn.Parameter(torch.zeros(width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.register_buffer("stem_mean", torch.zeros(N_STEM + N_FRONT))
        self.register_buffer("stem_scale", torch.ones(N_STEM + N_FRONT))

    def stem_frames(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Means of all stem features and maxima of the first layer within each frame."""
        steps = self.stem(mel).unflatten(2, (-1, STEPS_PER_FRAME))
        return steps.mean(3).transpose(1, 2), steps[:, :N_FRONT].amax(3).transpose(1, 2)

    def forward(
        self, mel: Tensor, tones: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """mel: (n, 16 t, 96), tones: (n, 4 t, 96), mask: (n, t) bool, hidden frames.

        Returns stem features (n, t, N_STEM) and trunk features (n, t, width).
        """
        mean, peak = self.stem_frames(mel)
        seen = (torch.cat([mean, peak], 2) - self.stem_mean) * self.stem_scale
        harmony = tones.unflatten(1, (-1, TONES_PER_FRAME)).flatten(2) - 1.5
        x = self.embed(torch.cat([seen, harmony], 2))
        if mask is not None:
            x = torch.where(mask[..., None], self.masked, x)
        x = x + self.place(x.transpose(1, 2)).relu().transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return mean, self.norm(x)
