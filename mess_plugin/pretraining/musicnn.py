"""MusiCNN in torch: the tag-knowledge teacher (Pons and Serra, "musicnn", 2019; weights ISC).

Only what distillation needs: the features of every time step that the published network averages
before its dense layers ("mean_pool", `WIDTH` wide). Its checkpoints come in the PyPI package
`musicnn` and are read without TensorFlow.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import torch
from torch import Tensor
from torch.nn import functional

from mess_plugin.pretraining.checkpoint import read_checkpoint

WIDTH = 753  # 2 * 204 timbral, 3 * 51 temporal, 3 * 64 of the middle layers
TEMPORAL_STEPS = (128, 64, 32)  # lengths of the temporal filters, in spectra
BATCH_NORM_EPSILON = 1e-3
DEAD_NORM = 1e-3  # a filter with a smaller norm is a constant


class MusicnnLayer(msgspec.Struct, frozen=True):
    """Convolution, ReLU, then a factor and an offset per filter (batch normalisation).

    kernel: (filters, 1, steps, bands); the others (filters,). alive: numbers of the filters that
    respond to anything.
    """

    kernel: Tensor
    bias: Tensor
    factor: Tensor
    offset: Tensor
    alive: Tensor

    def __call__(self, x: Tensor, before: int, after: int) -> Tensor:
        """(n, steps, bands), padded in time → (n, filters, steps): the maximum over positions."""
        padded = functional.pad(x, (0, 0, before, after))[:, None]
        found = functional.conv2d(padded, self.kernel[self.alive], self.bias[self.alive])
        constant = (self.bias.relu() * self.factor + self.offset)[None, :, None]
        result = constant.expand(len(x), -1, x.shape[1]).clone()
        factor, offset = self.factor[self.alive, None, None], self.offset[self.alive, None, None]
        result[:, self.alive] = (found.relu() * factor + offset).amax(-1).to(result.dtype)
        return result


class MusiCNN:
    """(batch, n_spectra, 96) log-mel spectra at 62.5 per second → (batch, n_spectra, WIDTH).

    Training drove nine tenths of the first layers' filters to zero, which makes their outputs
    constants. Those are filled in instead of computed, at a tenth of the cost.
    """

    def __init__(self, folder: Path) -> None:
        """folder: one of the package's model folders, for instance ".../musicnn/MSD_musicnn"."""
        tensors = {k: torch.from_numpy(v.copy()) for k, v in read_checkpoint(folder).items()}
        self.factor, self.offset = _normalisation(tensors, 0)
        self.layers = [_layer(tensors, i) for i in range(8)]

    @property
    def alive(self) -> Tensor:
        """Numbers of the features that move: of the living filters and of what is added to them."""
        starts = torch.tensor([len(layer.bias) for layer in self.layers]).cumsum(0)
        first = [layer.alive + start for layer, start in
                 zip(self.layers[:6], [0, *starts.tolist()], strict=False)]  # fmt: skip
        return torch.cat([*first, torch.arange(int(starts[5]), WIDTH)])

    def __call__(self, mel: Tensor) -> Tensor:
        """Features of every time step."""
        x = mel * self.factor + self.offset
        front = [layer(x, 3, 3) for layer in self.layers[:2]]
        for layer, steps in zip(self.layers[2:5], TEMPORAL_STEPS, strict=True):
            front.append(layer(x, steps // 2 - 1, steps // 2))
        joined = torch.cat(front, 1)
        first = self.layers[5](joined.transpose(1, 2), 3, 3)
        second = self.layers[6](first.transpose(1, 2), 3, 3) + first
        third = self.layers[7](second.transpose(1, 2), 3, 3) + second
        return torch.cat([joined, first, second, third], 1).transpose(1, 2)


def _layer(tensors: dict[str, Tensor], i: int) -> MusicnnLayer:
    name = f"conv2d_{i}" if i else "conv2d"
    # TensorFlow keeps (steps, bands, 1, filters); the middle layers see channels as bands.
    kernel = tensors[f"{name}/kernel"].permute(3, 2, 0, 1).contiguous()
    alive = (kernel.flatten(1).norm(dim=1) > DEAD_NORM).nonzero().squeeze(1)
    return MusicnnLayer(kernel, tensors[f"{name}/bias"], *_normalisation(tensors, i + 1), alive)


def _normalisation(tensors: dict[str, Tensor], i: int) -> tuple[Tensor, Tensor]:
    name = f"batch_normalization_{i}" if i else "batch_normalization"
    deviation = (tensors[f"{name}/moving_variance"] + BATCH_NORM_EPSILON).sqrt()
    factor = tensors[f"{name}/gamma"] / deviation
    return factor, tensors[f"{name}/beta"] - factor * tensors[f"{name}/moving_mean"]
