"""Rounded arithmetic is used only after it was seen to keep the neighbours of real music.

The raw cosine to float32 says nothing: all vectors of such a model point nearly the same way, and a
rounding that ruins the order of the neighbours still scores .99. So vectors are compared as retrieval
compares them, less the mean over many windows, and the ten nearest neighbours must stay the same.
Rounded vectors live in a space of their own with a mean of its own, so each set is centred by itself.
What passes is written down for this machine, these weights and these layers.
"""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import platformdirs
import torch

from mess_plugin.atomic_file import write_text
from mess_plugin.encoders.base import EncoderInfo
from mess_plugin.encoders.mert import linear
from mess_plugin.encoders.mert.linear import Products, everywhere
from mess_plugin.errors import ConfigError, EncoderError
from mess_plugin.model import Float32
from mess_plugin.private_folder import make_private

PRECISIONS = ("fp32", "bf16", "int8")
MIN_CENTRED_COSINE = 0.99
MIN_OVERLAP = 0.95
MIN_WINDOWS = 50
NEIGHBOURS = 10


class Agreement(msgspec.Struct, frozen=True):
    """How well rounded vectors keep the geometry of exact ones.

    centred_cosine: of the worst window, in [-1, 1]. overlap: mean share of the exact ten nearest
    neighbours that are still among the ten nearest, in [0, 1].
    """

    n_windows: int
    centred_cosine: float
    overlap: float

    @property
    def passes(self) -> bool:
        """Whether the rounding may be used."""
        return (
            self.n_windows >= MIN_WINDOWS
            and self.centred_cosine >= MIN_CENTRED_COSINE
            and self.overlap >= MIN_OVERLAP
        )

    def __str__(self) -> str:
        return (
            f"{self.n_windows} windows ({MIN_WINDOWS} needed), worst centred cosine "
            f"{self.centred_cosine:.4f} ({MIN_CENTRED_COSINE} needed), overlap of the "
            f"{NEIGHBOURS} nearest {self.overlap:.3f} ({MIN_OVERLAP} needed)"
        )


def agreement(exact: Float32, rounded: Float32) -> Agreement:
    """Compare pooled vectors of the same windows, both (n_windows, dim), n_windows > NEIGHBOURS.

    Raises ValueError for fewer windows or unequal shapes.
    """
    if exact.shape != rounded.shape or len(exact) <= NEIGHBOURS:
        raise ValueError(f"cannot compare {exact.shape} with {rounded.shape}")
    a, b = (_unit(vectors - vectors.mean(axis=0, dtype=np.float64)) for vectors in (exact, rounded))
    near_a, near_b = (_nearest(vectors) for vectors in (a, b))
    shared = [len(set(i) & set(j)) for i, j in zip(near_a.tolist(), near_b.tolist(), strict=True)]
    return Agreement(
        n_windows=len(exact),
        centred_cosine=float((a * b).sum(axis=1).min()),
        overlap=sum(shared) / (NEIGHBOURS * len(exact)),
    )


def check(encoder: str, precision: str, device: torch.device) -> None:
    """Raise ConfigError for an unknown precision, EncoderError for one the device lacks."""
    if precision not in PRECISIONS:
        raise ConfigError("precision", precision, f"choose one of {', '.join(PRECISIONS)}")
    on_cpu = device.type == "cpu"
    if precision == "bf16" and on_cpu and not torch.cpu._is_avx512_bf16_supported():
        raise EncoderError(
            encoder, "this processor does not multiply bfloat16, bf16 would be slower: choose fp32"
        )
    if precision != "fp32" and on_cpu and not torch._C._has_mkldnn:
        raise EncoderError(encoder, f"this build of torch has no oneDNN for {precision}: use fp32")
    if precision == "int8" and not on_cpu:
        raise EncoderError(encoder, "int8 is for the CPU: choose bf16 or fp32 on a GPU")


def products(precision: str) -> Products:
    """How matrices are multiplied on a CPU at one of PRECISIONS.

    What int8 does to a tile's mean differs from tile to tile, so that in the convolutions taking the
    mean out does harm: measured on music, it made the error of pooled vectors twice as large.
    """
    if precision == "int8":
        return Products(convolution=linear.int8, layer=linear.int8_about_mean)
    return everywhere(linear.bfloat16 if precision == "bf16" else linear.fastest_exact())


def record(info: EncoderInfo, device: torch.device, found: Agreement) -> Path:
    """Write a passed test of the rounded encoder `info` down. Raises EncoderError if it failed."""
    if not found.passes:
        raise EncoderError(info.name, f"{info.revision} does not agree with fp32: {found}")
    path = _record_path(info, device)
    make_private(path.parent)
    write_text(path, json.dumps(msgspec.to_builtins(found)))
    return path


def require_record(info: EncoderInfo, device: torch.device) -> None:
    """Raise EncoderError unless `info` has passed its test on this machine."""
    if not _record_path(info, device).is_file():
        precision = info.revision.rpartition("-")[2]
        raise EncoderError(
            info.name,
            f"{precision} was not tested with your music on this machine; run: "
            f"mess encoders test {info.name} --precision {precision} FILE...",
        )


def _record_path(info: EncoderInfo, device: torch.device) -> Path:
    """One file for each processor, version of torch, set of weights and choice of layers."""
    unit = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    parts = (platform.machine(), unit, torch.__version__, info.revision, info.layers)
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return platformdirs.user_state_path("mess") / "precision" / f"{info.name}-{key}.json"


def _processor() -> str:
    """Model and features: another machine with the same home directory is another machine."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags"))}))


def _unit(vectors: Float32) -> Float32:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), np.float32)


def _nearest(vectors: Float32) -> npt.NDArray[np.intp]:
    similarities = vectors @ vectors.T
    np.fill_diagonal(similarities, -np.inf)
    return np.argpartition(-similarities, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
