"""MERT as what it is: transformers' HubertModel, cut off above the highest state in use."""

from __future__ import annotations

import msgspec
import torch
from torch import nn
from transformers import HubertConfig, HubertModel

from mess_plugin.encoders.mert import checkpoint
from mess_plugin.encoders.mert.checkpoint import Shapes, Tensors
from mess_plugin.encoders.mert.releases import Architecture, Release


class HubertStates(msgspec.Struct, frozen=True):
    """The mean of some hidden states of a HuBERT encoder.

    model: cut off after `states[-1]` layers. states: ascending, 0 is the first layer's input.
    """

    model: HubertModel
    states: tuple[int, ...]

    @torch.inference_mode()
    def __call__(self, waveforms: torch.Tensor) -> torch.Tensor:
        """(n, n_samples) normalised waveforms → (n, n_frames, dim), on the model's device."""
        below = self.states[:-1]
        output = self.model(waveforms, output_hidden_states=bool(below))
        # The highest state is taken from here and not from `hidden_states`, whose last entry is
        # before the final normalisation in some versions of transformers and after it in others.
        chosen: torch.Tensor = output.last_hidden_state
        for state in below:
            chosen = chosen + output.hidden_states[state]
        return chosen / len(self.states) if below else chosen


def expected_shapes(architecture: Architecture) -> Shapes:
    """Name and shape of every tensor that a whole checkpoint must have."""
    state = _empty_model(architecture).state_dict()
    return {name: tensor.shape for name, tensor in state.items()}


def checked(release: Release, tensors: Tensors) -> Tensors:
    """A whole checkpoint's tensors under HubertModel's names, in float32.

    Raises WrongWeights unless they are exactly those of the release.
    """
    renamed = checkpoint.rename(tensors)
    checkpoint.check_tensors(release, renamed, expected_shapes(release.architecture))
    return {name: tensor.float() for name, tensor in renamed.items()}


def build(architecture: Architecture, tensors: Tensors, states: tuple[int, ...]) -> HubertStates:
    """The encoder from checked tensors, which it shares, on the CPU."""
    model = _empty_model(architecture)
    _cut(model, architecture, states[-1])
    kept = {name: tensors[name] for name in model.state_dict()}
    model.load_state_dict(kept, strict=True, assign=True)
    model.train(mode=False)
    return HubertStates(model, states)


def _cut(model: HubertModel, architecture: Architecture, depth: int) -> None:
    """Remove the layers above state `depth`, so that it becomes the model's output."""
    model.encoder.layers = model.encoder.layers[:depth]
    if architecture.pre_norm and depth < architecture.depth:
        # States below the last are the residual stream itself; only the last one is normalised.
        model.encoder.register_module("layer_norm", nn.Identity())


def _empty_model(architecture: Architecture) -> HubertModel:
    """A model without memory behind its tensors, to take names and shapes from and be filled."""
    n_convolutions = len(architecture.conv_kernel)
    config = HubertConfig(
        hidden_size=architecture.dim,
        num_hidden_layers=architecture.depth,
        num_attention_heads=architecture.heads,
        intermediate_size=architecture.feed_forward_dim,
        do_stable_layer_norm=architecture.pre_norm,
        conv_dim=(architecture.conv_dim,) * n_convolutions,
        conv_kernel=architecture.conv_kernel,
        conv_stride=architecture.conv_stride,
        conv_bias=False,
        feat_extract_norm="group",
        feat_proj_layer_norm=True,
        num_conv_pos_embeddings=architecture.position_kernel,
        num_conv_pos_embedding_groups=architecture.position_groups,
        layer_norm_eps=architecture.norm_eps,
    )
    with torch.device("meta"):
        return HubertModel(config)  # attends with sdpa, transformers' default
