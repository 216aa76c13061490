"""MERT on a CPU: the same numbers as HubertModel, with fewer passes over memory.

What is different, and exact up to float32 rounding:
- Convolutions are matrix products over [time, channel] rows, done in tiles of frames that stay in
  the cache; their output needs no transposition before the transformer.
- The group normalisation behind the first convolution scales and shifts each channel by its mean
  and variance over time. Both follow from the mean and the covariance of the 10-sample frames of
  the input, so the whole is one product whose weights are computed for each window.
- The position embedding is computed in the frequency domain.
- Query, key and value are one product; nothing above the highest state in use is computed.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import torch
import torch.nn.functional as F  # noqa: N812

from mess_plugin.encoders.mert.linear import Linear, MakeLinear, Products
from mess_plugin.encoders.mert.positions import PositionEmbedding, position_embedding
from mess_plugin.encoders.mert.releases import RATE_HZ, WINDOW_S, Architecture

Tensors = Mapping[str, torch.Tensor]

TILE_FRAMES = 32
_GROUP_NORM_EPS = 1e-5
_CONVOLUTIONS = "feature_extractor.conv_layers"
_POSITIONS = "encoder.pos_conv_embed.conv"


class Norm(msgspec.Struct, frozen=True):
    """Layer normalisation over the last axis."""

    weight: torch.Tensor
    bias: torch.Tensor
    eps: float

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(…, dim) → (…, dim)."""
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


class FrontEnd(msgspec.Struct, frozen=True):
    """Samples → rows of the last convolution's channels, before any layer normalisation."""

    architecture: Architecture
    first: torch.Tensor  # (conv_dim, kernel)
    norm_weight: torch.Tensor
    norm_bias: torch.Tensor
    others: tuple[Linear, ...]

    def __call__(self, waveform: torch.Tensor) -> torch.Tensor:
        """(n_samples,) → (n_frames, conv_dim)."""
        shape = self.architecture
        samples = waveform.unfold(0, shape.conv_kernel[0], shape.conv_stride[0]).contiguous()
        weight, bias = self._normalised_first(samples)
        n_frames = shape.n_frames(len(waveform))
        out = torch.empty(n_frames, shape.conv_dim)
        for start in range(0, n_frames, TILE_FRAMES):
            stop = min(start + TILE_FRAMES, n_frames)
            first, last = self._reach(start, stop)
            out[start:stop] = self._tile(F.linear(samples[first:last], weight, bias))
        return out

    def _normalised_first(self, samples: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Weight and bias of the first convolution with the normalisation over time in them."""
        wide, weight = samples.double(), self.first.double()
        mean = wide.mean(dim=0)
        centred = wide - mean
        covariance = centred.T @ centred / len(wide)
        variance = ((weight @ covariance) * weight).sum(dim=1)
        gain = self.norm_weight.double() / (variance + _GROUP_NORM_EPS).sqrt()
        bias = self.norm_bias.double() - gain * (weight @ mean)
        return (weight * gain[:, None]).float(), bias.float()

    def _reach(self, start: int, stop: int) -> tuple[int, int]:
        """Rows of the first convolution's output that frames start to stop depend on."""
        shape = self.architecture
        later = zip(shape.conv_kernel[:0:-1], shape.conv_stride[:0:-1], strict=True)
        for kernel, stride in later:
            start, stop = start * stride, (stop - 1) * stride + kernel
        return start, stop

    def _tile(self, x: torch.Tensor) -> torch.Tensor:
        shape = self.architecture
        x = torch.ops.aten.gelu_(x)
        later = zip(self.others, shape.conv_kernel[1:], shape.conv_stride[1:], strict=True)
        for convolve, kernel, stride in later:
            width = x.shape[1]
            rows = (len(x) - kernel) // stride + 1
            x = convolve(x.as_strided((rows, kernel * width), (stride * width, 1)))
            x = torch.ops.aten.gelu_(x)
        return x


class TransformerLayer(msgspec.Struct, frozen=True):
    """One transformer layer."""

    heads: int
    pre_norm: bool
    query_key_value: Linear
    out: Linear
    widen: Linear
    narrow: Linear
    attention_norm: Norm
    feed_forward_norm: Norm

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(n_frames, dim) → (n_frames, dim)."""
        if self.pre_norm:
            x = x + self._attention(self.attention_norm(x))
            return x + self._feed_forward(self.feed_forward_norm(x))
        x = self.attention_norm(x + self._attention(x))
        return self.feed_forward_norm(x + self._feed_forward(x))

    def _attention(self, x: torch.Tensor) -> torch.Tensor:
        n_frames, dim = x.shape
        parts = self.query_key_value(x).view(1, n_frames, 3, self.heads, dim // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(query, key, value)
        return self.out(attended[0].transpose(0, 1).reshape(n_frames, dim))

    def _feed_forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.narrow(torch.ops.aten.gelu_(self.widen(x)))


class FastStates(msgspec.Struct, frozen=True):
    """The mean of some hidden states, one window at a time."""

    architecture: Architecture
    states: tuple[int, ...]
    front_end: FrontEnd
    input_norm: Norm
    projection: Linear
    positions: PositionEmbedding
    layers: tuple[TransformerLayer, ...]
    encoder_norm: Norm

    @torch.inference_mode()
    def __call__(self, waveforms: torch.Tensor) -> torch.Tensor:
        """(n, n_samples) normalised waveforms → (n, n_frames, dim)."""
        return torch.stack([self._mean_state(waveform) for waveform in waveforms])

    def _mean_state(self, waveform: torch.Tensor) -> torch.Tensor:
        x = self._embed(waveform)
        total = torch.zeros_like(x)
        for state in range(self.states[-1] + 1):
            if state:
                x = self.layers[state - 1](x)
            if state in self.states:
                total += self._as_state(x, state)
        return total / len(self.states)

    def _embed(self, waveform: torch.Tensor) -> torch.Tensor:
        """State 0, (n_frames, dim)."""
        x = self.projection(self.input_norm(self.front_end(waveform)))
        x = x + self.positions(x)
        return x if self.architecture.pre_norm else self.encoder_norm(x)

    def _as_state(self, x: torch.Tensor, state: int) -> torch.Tensor:
        last = state == self.architecture.depth
        return self.encoder_norm(x) if self.architecture.pre_norm and last else x


def build(
    architecture: Architecture, tensors: Tensors, states: tuple[int, ...], products: Products
) -> FastStates:
    """The encoder from checked float32 tensors under HubertModel's names."""
    rows = architecture.n_frames(round(WINDOW_S * RATE_HZ))

    def linear(*names: str) -> Linear:
        weight = torch.cat([tensors[f"{name}.weight"] for name in names])
        bias = torch.cat([tensors[f"{name}.bias"] for name in names])
        return products.layer(weight, bias, rows)

    def norm(name: str) -> Norm:
        return Norm(tensors[f"{name}.weight"], tensors[f"{name}.bias"], architecture.norm_eps)

    def layer(name: str) -> TransformerLayer:
        return TransformerLayer(
            heads=architecture.heads,
            pre_norm=architecture.pre_norm,
            query_key_value=linear(*(f"{name}.attention.{part}_proj" for part in "qkv")),
            out=linear(f"{name}.attention.out_proj"),
            widen=linear(f"{name}.feed_forward.intermediate_dense"),
            narrow=linear(f"{name}.feed_forward.output_dense"),
            attention_norm=norm(f"{name}.layer_norm"),
            feed_forward_norm=norm(f"{name}.final_layer_norm"),
        )

    return FastStates(
        architecture=architecture,
        states=states,
        front_end=_front_end(architecture, tensors, products.convolution),
        input_norm=norm("feature_projection.layer_norm"),
        projection=linear("feature_projection.projection"),
        positions=position_embedding(
            tensors[f"{_POSITIONS}.parametrizations.weight.original0"],
            tensors[f"{_POSITIONS}.parametrizations.weight.original1"],
            tensors[f"{_POSITIONS}.bias"],
            architecture.position_groups,
        ),
        layers=tuple(layer(f"encoder.layers.{i}") for i in range(states[-1])),
        encoder_norm=norm("encoder.layer_norm"),
    )


def _front_end(architecture: Architecture, tensors: Tensors, make: MakeLinear) -> FrontEnd:
    others = []
    rows = TILE_FRAMES
    for i in range(len(architecture.conv_kernel) - 1, 0, -1):
        weight = tensors[f"{_CONVOLUTIONS}.{i}.conv.weight"]  # (out, in, kernel)
        others.append(make(weight.transpose(1, 2).flatten(1).contiguous(), None, rows))
        rows *= architecture.conv_stride[i]
    return FrontEnd(
        architecture=architecture,
        first=tensors[f"{_CONVOLUTIONS}.0.conv.weight"][:, 0],
        norm_weight=tensors[f"{_CONVOLUTIONS}.0.layer_norm.weight"],
        norm_bias=tensors[f"{_CONVOLUTIONS}.0.layer_norm.bias"],
        others=tuple(reversed(others)),
    )
