"""A trained network and its projections → the one file that mess-mini reads."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

from mess_plugin.encoders.mini import FILE_NAME
from mess_plugin.model import Float32, Level, Projection
from mess_plugin.pretraining.network import TrainableMiniNet

WITHOUT = ("masked",)  # tensors that only training needs


@torch.no_grad()
def network_tensors(net: TrainableMiniNet) -> dict[str, Float32]:
    """The network's weights as float32 arrays, under their names."""
    return {k: v.float().numpy() for k, v in net.state_dict().items() if k not in WITHOUT}


def export(
    network: Mapping[str, Float32],
    scaling: tuple[Float32, Float32],
    projections: Mapping[Level, Projection],
    folder: Path,
) -> Path:
    """Writes the weights; returns the file. The revision is a digest of all numbers.

    scaling: what is subtracted from each dimension of a frame, and the factor that follows.
    """
    tensors = dict(network)
    tensors["frame.mean"], tensors["frame.scale"] = scaling
    for level, projection in projections.items():
        tensors[f"projection.{level}.mean"] = projection.mean
        tensors[f"projection.{level}.matrix"] = projection.matrix
    tensors = {name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}
    digest = hashlib.sha256()
    for name, tensor in tensors.items():
        digest.update(name.encode() + tensor.tobytes())
    versions = " ".join(projections[level].version for level in Level)
    notes = {
        "revision": digest.hexdigest()[:8],
        "projection": f"wccn-{hashlib.sha256(versions.encode()).hexdigest()[:8]}",
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE_NAME
    save_file(tensors, path, metadata=notes)
    return path
