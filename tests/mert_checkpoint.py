"""Random weights in the layout of the MERT releases: config.json and pytorch_model.bin.

Names and shapes are written down here as they were published and not taken from any model class, so
that a test which loads such a checkpoint tests the loader. `small` gives cheap shapes; the released
ones are in `mess_plugin.encoders.mert.releases`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from msgspec.structs import replace

from mess_plugin.encoders.base import EncoderOptions
from mess_plugin.encoders.mert import encoder
from mess_plugin.encoders.mert.releases import (
    MERT_95M,
    MERT_330M,
    RATE_HZ,
    Architecture,
    Release,
)
from mess_plugin.model import Float32

Shape = tuple[int, ...]


def small(*, pre_norm: bool, depth: int = 4) -> Release:
    """A release of MERT's kind with 64 channels, for tests of everything but size."""
    architecture = Architecture(
        dim=64, depth=depth, heads=4, feed_forward_dim=96, pre_norm=pre_norm, conv_dim=32
    )
    return fitted(MERT_330M if pre_norm else MERT_95M, architecture)


def fitted(like: Release, architecture: Architecture) -> Release:
    """`like` with another architecture, its counts adjusted and without a pinned checksum."""
    shapes = dict(released_shapes(architecture))
    return replace(
        like,
        architecture=architecture,
        n_tensors=len(shapes),
        n_values=sum(math.prod(shape) for shape in shapes.values()),
        default_layers=str(architecture.depth // 2),
        weight_bytes=None,
        weight_sha256=None,
    )


def released_shapes(architecture: Architecture) -> Iterator[tuple[str, Shape]]:
    """Name and shape of each tensor, in the spelling of the released files."""
    dim, inner, wide = architecture.dim, architecture.conv_dim, architecture.feed_forward_dim
    taps, groups = architecture.position_kernel, architecture.position_groups
    yield "masked_spec_embed", (dim,)
    for i, kernel in enumerate(architecture.conv_kernel):
        yield f"feature_extractor.conv_layers.{i}.conv.weight", (inner, inner if i else 1, kernel)
    for part in ("weight", "bias"):
        yield f"feature_extractor.conv_layers.0.layer_norm.{part}", (inner,)
        yield f"feature_projection.layer_norm.{part}", (inner,)
        yield f"encoder.layer_norm.{part}", (dim,)
    yield from _linear("feature_projection.projection", inner, dim)
    yield "encoder.pos_conv_embed.conv.bias", (dim,)
    yield "encoder.pos_conv_embed.conv.weight_g", (1, 1, taps)
    yield "encoder.pos_conv_embed.conv.weight_v", (dim, dim // groups, taps)
    for i in range(architecture.depth):
        layer = f"encoder.layers.{i}"
        for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
            yield from _linear(f"{layer}.attention.{name}", dim, dim)
        yield from _linear(f"{layer}.feed_forward.intermediate_dense", dim, wide)
        yield from _linear(f"{layer}.feed_forward.output_dense", wide, dim)
        for name in ("layer_norm", "final_layer_norm"):
            yield f"{layer}.{name}.weight", (dim,)
            yield f"{layer}.{name}.bias", (dim,)


def random_tensors(architecture: Architecture, seed: int = 0) -> dict[str, torch.Tensor]:
    """Weights of the size that trained ones have: activations neither vanish nor explode."""
    generator = torch.Generator().manual_seed(seed)
    return {name: _random(name, shape, generator) for name, shape in released_shapes(architecture)}


def write_checkpoint(
    directory: Path, release: Release, tensors: dict[str, torch.Tensor] | None = None
) -> dict[str, torch.Tensor]:
    """Write config.json and pytorch_model.bin into `directory`; the tensors that it holds."""
    tensors = random_tensors(release.architecture) if tensors is None else tensors
    directory.mkdir(parents=True, exist_ok=True)
    torch.save(tensors, directory / "pytorch_model.bin")
    (directory / "config.json").write_text(json.dumps(released_config(release.architecture)))
    return tensors


def released_config(architecture: Architecture) -> dict[str, object]:
    """The part of the released config.json that says what the model is."""
    n_convolutions = len(architecture.conv_kernel)
    return {
        "model_type": "mert_model",
        "architectures": ["MERTModel"],
        "auto_map": {
            "AutoConfig": "configuration_MERT.MERTConfig",
            "AutoModel": "modeling_MERT.MERTModel",
        },
        "hidden_size": architecture.dim,
        "num_hidden_layers": architecture.depth,
        "num_attention_heads": architecture.heads,
        "intermediate_size": architecture.feed_forward_dim,
        "do_stable_layer_norm": architecture.pre_norm,
        "conv_dim": [architecture.conv_dim] * n_convolutions,
        "conv_kernel": list(architecture.conv_kernel),
        "conv_stride": list(architecture.conv_stride),
        "conv_bias": False,
        "feat_extract_norm": "group",
        "feat_proj_layer_norm": True,
        "num_conv_pos_embeddings": architecture.position_kernel,
        "num_conv_pos_embedding_groups": architecture.position_groups,
        "feature_extractor_cqt": False,
        "feature_extractor_cqt_bins": 336,
        "deepnorm": False,
        "attention_relax": 32.0 if architecture.pre_norm else -1.0,
        "layer_norm_eps": 1e-5,
        "sample_rate": 24000,
        "vocab_size": 32,
    }


def music(seconds: float, n: int = 1, seed: int = 3) -> Float32:
    """Make (n, samples) of chords with vibrato over noise, each different, at uneven loudness."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    windows = []
    for i in range(n):
        pitches_hz = 110.0 * 2 ** (rng.integers(0, 36, 3) / 12)
        chord = sum(np.sin(2 * math.pi * f * time_s + np.sin(5 * time_s)) for f in pitches_hz)
        windows.append(0.1 * (i + 1) * chord + 0.02 * rng.standard_normal(len(time_s)))
    return np.asarray(windows, np.float32)


def load(release: Release, directory: Path, layers: str | None = None) -> encoder.MertEncoder:
    """Load the checkpoint in `directory` on the CPU."""
    return encoder.load(release, EncoderOptions(layers=layers, weights=directory))


def _linear(name: str, n_in: int, n_out: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (n_out, n_in)
    yield f"{name}.bias", (n_out,)


def _random(name: str, shape: Shape, generator: torch.Generator) -> torch.Tensor:
    noise = torch.randn(shape, generator=generator)
    if name.endswith("weight_g"):
        return 1.0 + 0.2 * noise.abs()
    if "norm.weight" in name:
        return 1.0 + 0.1 * noise
    if name.endswith("bias") or len(shape) == 1:
        return 0.1 * noise
    gain = 1.6 if "conv_layers" in name else 1.0
    return noise * gain / math.sqrt(math.prod(shape[1:]))
