"""What was released as MERT: shapes, places, sizes and checksums, as plain numbers.

MERT-v1 (Li et al., "MERT: Acoustic Music Understanding Model with Large-Scale Self-supervised
Training", ICLR 2024) is HuBERT in shape: with the constant-Q input and DeepNorm switched off, as in
both releases, its own model code adds nothing to it. The weights are CC BY-NC 4.0.

Default layers. The states in the middle serve similarity best and the last one serves it worst: for
the 95M model the authors' own probes choose state 6 for mood and top-50 tags and 7 for genre
(Music-Descriptor demo, MARBLE tasks), and a retrieval study on 621 tracks found a plateau over
states 4 to 10, its best result at 6, and the last state worst of 13. No such table was published
for the 330M model; its default is the same relative depth, half of its 24 layers.
"""

from __future__ import annotations

import msgspec

RATE_HZ = 24_000
WINDOW_S = 5.0
MIN_S = 0.5
LICENCE = "CC-BY-NC-4.0"
CONFIG_FILE = "config.json"
WEIGHT_FILES = ("pytorch_model.bin", "model.safetensors")
"""In order of preference: the first is the file that was released."""
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
"""What `mess tune` puts beside them."""


class Architecture(msgspec.Struct, frozen=True):
    """The shape of a HuBERT encoder.

    pre_norm: layer normalisation before each block (HuBERT's "stable layer norm"), else after it.
    conv_*: the strided convolutions from samples to frames; the first is followed by group
    normalisation of each channel over time. position_kernel: taps of the convolutional position
    embedding, in `position_groups` groups.
    """

    dim: int
    depth: int
    heads: int
    feed_forward_dim: int
    pre_norm: bool
    conv_dim: int = 512
    conv_kernel: tuple[int, ...] = (10, 3, 3, 3, 3, 2, 2)
    conv_stride: tuple[int, ...] = (5, 2, 2, 2, 2, 2, 2)
    position_kernel: int = 128
    position_groups: int = 16
    norm_eps: float = 1e-5

    def n_frames(self, n_samples: int) -> int:
        """Frames of a window: 374 for 5 s at 24 kHz, 0 where it is shorter than one frame."""
        n = n_samples
        for kernel, stride in zip(self.conv_kernel, self.conv_stride, strict=True):
            n = max(0, (n - kernel) // stride + 1)
        return n


class Release(msgspec.Struct, frozen=True):
    """One published checkpoint.

    repository, commit: where it lies on the Hugging Face hub. weight_bytes, weight_sha256: of
    `pytorch_model.bin`, None where no trustworthy value was published. n_tensors, n_values: of its
    state dictionary. default_layers: see the module's text.
    """

    name: str
    repository: str
    commit: str
    architecture: Architecture
    n_tensors: int
    n_values: int
    weights_mb: float
    default_layers: str
    speed: str
    weight_bytes: int | None = None
    weight_sha256: str | None = None


MERT_95M = Release(
    name="mert-95m",
    repository="m-a-p/MERT-v1-95M",
    commit="12af15fef9d0ac838c3f475bfbbf26d2060dd4f5",
    architecture=Architecture(dim=768, depth=12, heads=12, feed_forward_dim=3072, pre_norm=False),
    n_tensors=211,
    n_values=94_371_712,
    weights_mb=377.6,
    default_layers="6",
    speed="slow on a CPU",
    weight_bytes=377_552_987,
    weight_sha256="a2b8b747f72c06e0595aeae41ae5473f4364938c6b39b2c58be38c48e6bd3fcd",
)

MERT_330M = Release(
    name="mert-330m",
    repository="m-a-p/MERT-v1-330M",
    commit="0e06c986db0527c0fd1b47181c40f006805e3de0",
    architecture=Architecture(dim=1024, depth=24, heads=16, feed_forward_dim=4096, pre_norm=True),
    n_tensors=403,
    n_values=315_428_992,
    weights_mb=1262.0,
    default_layers="12",
    speed="very slow on a CPU",
)

RELEASES = (MERT_95M, MERT_330M)
