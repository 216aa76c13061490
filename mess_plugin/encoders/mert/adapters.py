"""Low-rank adapters beside a checkpoint, as `peft` writes them: added to the weights at loading.

E. J. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022: a weight W becomes
W + (alpha / rank) · B A. The file of the weights stays as it is, and encoding costs nothing more.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from mess_plugin.encoders.mert.checkpoint import Tensors
from mess_plugin.encoders.mert.releases import ADAPTER_FILES, Release
from mess_plugin.errors import WrongWeights

_PREFIX = "base_model.model."
_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"
_PLAIN = {"peft_type": "LORA", "bias": "none", "use_rslora": False, "use_dora": False}


def merged(release: Release, tensors: Tensors, folder: Path) -> tuple[Tensors, str]:
    """(checked tensors with the adapters of a folder added to copies, SHA-256 of the adapters).

    Raises WrongWeights where the files cannot be read or do not belong to these tensors.
    """
    config, file = (folder / name for name in ADAPTER_FILES)
    try:
        says: dict[str, Any] = json.loads(config.read_text(encoding="utf-8"))
        scale = float(says["lora_alpha"]) / int(says["r"])
        adapters = load_file(file)
        digest = hashlib.sha256(config.read_bytes() + file.read_bytes()).hexdigest()
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError, SafetensorError) as error:
        raise WrongWeights(
            release.name, f"{file} is no adapter ({type(error).__name__}): tune again"
        ) from error
    for key, wanted in _PLAIN.items():
        if says.get(key, wanted) != wanted:
            raise WrongWeights(release.name, f"{config} says {key} = {says[key]!r}: not supported")
    found = dict(tensors)
    for name in sorted({one.removesuffix(_DOWN).removesuffix(_UP) for one in adapters}):
        target = name.removeprefix(_PREFIX) + ".weight"
        down, up = adapters.get(name + _DOWN), adapters.get(name + _UP)
        if target not in tensors or down is None or up is None:
            raise WrongWeights(release.name, f"{file}: {name} does not belong to this encoder")
        shape = (up.shape[0], down.shape[1])
        if up.shape[1] != down.shape[0] or shape != tuple(tensors[target].shape):
            raise WrongWeights(release.name, f"{file}: {name} has the shape {shape}")
        change = scale * (up.float() @ down.float())
        if not bool(change.isfinite().all()):
            raise WrongWeights(release.name, f"{file}: {name} holds values that are not finite")
        found[target] = tensors[target] + change
    return found, digest
