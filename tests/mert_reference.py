"""MERT-v1's forward pass written out from its description, over a released state dictionary.

Independent of transformers and of the code under test: every step is spelled with plain tensor
arithmetic (HuBERT: Hsu et al. 2021; wav2vec 2.0: Baevski et al. 2020). Slow, and in float64 where
the caller passes float64 tensors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F  # noqa: N812

from mess_plugin.encoders.mert.releases import Architecture

Weights = Mapping[str, torch.Tensor]


def hidden_states(w: Weights, shape: Architecture, waveform: torch.Tensor) -> list[torch.Tensor]:
    """All states of one window, (n_samples,) → depth + 1 times (n_frames, dim).

    State 0 is what enters the first layer. For a pre-norm model the states between are the residual
    stream, and the last one has been through the final normalisation.
    """
    x = _positions(w, shape, _features(w, shape, (waveform - waveform.mean()) / _std(waveform)))
    if not shape.pre_norm:
        x = _norm(w, "encoder.layer_norm", x, shape)
    states = [x]
    for i in range(shape.depth):
        x = _layer(w, f"encoder.layers.{i}", x, shape)
        states.append(x)
    if shape.pre_norm:
        states[-1] = _norm(w, "encoder.layer_norm", x, shape)
    return states


def _std(waveform: torch.Tensor) -> torch.Tensor:
    return (((waveform - waveform.mean()) ** 2).mean() + 1e-7).sqrt()


def _features(w: Weights, shape: Architecture, waveform: torch.Tensor) -> torch.Tensor:
    """(n_samples,) → (n_frames, dim): strided convolutions, normalisation, projection."""
    x = waveform[None, :]
    for i, (kernel, stride) in enumerate(zip(shape.conv_kernel, shape.conv_stride, strict=True)):
        taps = w[f"feature_extractor.conv_layers.{i}.conv.weight"]
        frames = x.unfold(1, kernel, stride)
        x = torch.einsum("oik,itk->ot", taps, frames)
        if i == 0:
            name = "feature_extractor.conv_layers.0.layer_norm"
            centred = x - x.mean(dim=1, keepdim=True)
            x = centred / ((centred**2).mean(dim=1, keepdim=True) + 1e-5).sqrt()
            x = x * w[f"{name}.weight"][:, None] + w[f"{name}.bias"][:, None]
        x = _gelu(x)
    x = _norm(w, "feature_projection.layer_norm", x.T, shape)
    return _linear(w, "feature_projection.projection", x)


def _positions(w: Weights, shape: Architecture, x: torch.Tensor) -> torch.Tensor:
    """Add the convolutional position embedding: weight-normalised per tap, grouped, same length."""
    name = "encoder.pos_conv_embed.conv"
    direction, gain = w[f"{name}.weight_v"], w[f"{name}.weight_g"]
    taps = gain * direction / (direction**2).sum(dim=(0, 1), keepdim=True).sqrt()
    half = shape.position_kernel // 2
    padded = F.pad(x.T, (half, half))
    n_groups = shape.position_groups
    n_inputs = shape.dim // n_groups
    parts = []
    for group in range(n_groups):
        rows = slice(group * n_inputs, (group + 1) * n_inputs)
        frames = padded[rows].unfold(1, shape.position_kernel, 1)[:, : len(x)]
        parts.append(torch.einsum("oik,itk->ot", taps[rows], frames))
    embedding = torch.cat(parts) + w[f"{name}.bias"][:, None]
    return x + _gelu(embedding).T


def _layer(w: Weights, name: str, x: torch.Tensor, shape: Architecture) -> torch.Tensor:
    if shape.pre_norm:
        x = x + _attention(w, name, _norm(w, f"{name}.layer_norm", x, shape), shape)
        return x + _feed_forward(w, name, _norm(w, f"{name}.final_layer_norm", x, shape))
    x = _norm(w, f"{name}.layer_norm", x + _attention(w, name, x, shape), shape)
    return _norm(w, f"{name}.final_layer_norm", x + _feed_forward(w, name, x), shape)


def _attention(w: Weights, name: str, x: torch.Tensor, shape: Architecture) -> torch.Tensor:
    width = shape.dim // shape.heads
    heads = []
    query, key, value = (_linear(w, f"{name}.attention.{part}_proj", x) for part in ("q", "k", "v"))
    for head in range(shape.heads):
        columns = slice(head * width, (head + 1) * width)
        scores = query[:, columns] @ key[:, columns].T / math.sqrt(width)
        weights = (scores - scores.max(dim=1, keepdim=True).values).exp()
        heads.append(weights / weights.sum(dim=1, keepdim=True) @ value[:, columns])
    return _linear(w, f"{name}.attention.out_proj", torch.cat(heads, dim=1))


def _feed_forward(w: Weights, name: str, x: torch.Tensor) -> torch.Tensor:
    hidden = _gelu(_linear(w, f"{name}.feed_forward.intermediate_dense", x))
    return _linear(w, f"{name}.feed_forward.output_dense", hidden)


def _linear(w: Weights, name: str, x: torch.Tensor) -> torch.Tensor:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def _norm(w: Weights, name: str, x: torch.Tensor, shape: Architecture) -> torch.Tensor:
    centred = x - x.mean(dim=1, keepdim=True)
    scaled = centred / ((centred**2).mean(dim=1, keepdim=True) + shape.norm_eps).sqrt()
    return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]


def _gelu(x: torch.Tensor) -> torch.Tensor:
    return 0.5 * x * (1.0 + torch.erf(x / math.sqrt(2.0)))
