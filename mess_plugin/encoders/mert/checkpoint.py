"""A checkpoint file → tensors under the names that HubertModel uses, or WrongWeights.

Loading is safe: safetensors, or a pickle that may hold tensors and nothing else. No code of the
checkpoint's repository is run.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from mess_plugin.encoders.mert.releases import Release
from mess_plugin.errors import WrongWeights

Tensors = Mapping[str, torch.Tensor]
Shapes = Mapping[str, torch.Size]

_PREFIXES = ("module.", "model.", "mert.", "hubert.")
_RENAMED = {
    "encoder.pos_conv_embed.conv.weight_g": (
        "encoder.pos_conv_embed.conv.parametrizations.weight.original0"
    ),
    "encoder.pos_conv_embed.conv.weight_v": (
        "encoder.pos_conv_embed.conv.parametrizations.weight.original1"
    ),
}
"""Weight normalisation, as torch spelled it before 2.0 and as it does since."""


def read_tensors(release: Release, path: Path) -> Tensors:
    """All tensors of a .safetensors or .bin file, by the names in the file."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WrongWeights(
            release.name, f"{path} is not a plain file of tensors, so it was not loaded"
        ) from error
    except (SafetensorError, OSError, RuntimeError, EOFError, KeyError, ValueError) as error:
        raise WrongWeights(
            release.name, f"{path} cannot be read ({type(error).__name__}); download it again"
        ) from error
    if not isinstance(found, Mapping) or not all(
        isinstance(tensor, torch.Tensor) for tensor in found.values()
    ):
        raise WrongWeights(release.name, f"{path} holds something else than named tensors")
    return found


def rename(tensors: Tensors) -> dict[str, torch.Tensor]:
    """The same tensors under the names of today's HubertModel.

    Prefixes that wrappers put before every name are dropped; both spellings of weight
    normalisation are understood.
    """
    renamed = dict(tensors)
    stripping = True
    while stripping:
        stripping = False
        for prefix in _PREFIXES:
            if renamed and all(name.startswith(prefix) for name in renamed):
                renamed = {name.removeprefix(prefix): value for name, value in renamed.items()}
                stripping = True
    return {_RENAMED.get(name, name): tensor for name, tensor in renamed.items()}


def check_tensors(release: Release, tensors: Tensors, expected: Shapes) -> None:
    """Raise WrongWeights, naming the first difference, unless names, shapes and values will do."""
    problem = _first_difference(tensors, expected)
    if problem:
        raise WrongWeights(
            release.name, f"{problem} ({len(tensors)} tensors, {release.name} has {len(expected)})"
        )
    n_values = sum(tensor.numel() for tensor in tensors.values())
    if (len(tensors), n_values) != (release.n_tensors, release.n_values):
        raise WrongWeights(
            release.name,
            f"{len(tensors)} tensors with {n_values} values, the release has "
            f"{release.n_tensors} with {release.n_values}",
        )
    for name, tensor in tensors.items():
        if not tensor.is_meta and not bool(torch.isfinite(tensor).all()):
            raise WrongWeights(release.name, f"tensor {name} holds values that are not finite")


def _first_difference(tensors: Tensors, expected: Shapes) -> str | None:
    for name, shape in expected.items():
        if name not in tensors:
            return f"tensor {name} is missing"
        if tensors[name].shape != shape:
            return f"tensor {name} is {tuple(tensors[name].shape)}, expected {tuple(shape)}"
        if not tensors[name].is_floating_point():
            return f"tensor {name} holds {tensors[name].dtype}, expected floating point"
    unexpected = next((name for name in tensors if name not in expected), None)
    return f"tensor {unexpected} is unexpected" if unexpected else None
