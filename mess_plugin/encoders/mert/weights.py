"""Where a release's files are on this machine, and how they get there. Loads no torch."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from mess_plugin.encoders.base import WeightsState
from mess_plugin.encoders.mert.releases import (
    ADAPTER_FILES,
    CONFIG_FILE,
    RATE_HZ,
    WEIGHT_FILES,
    Architecture,
    Release,
)
from mess_plugin.errors import EncoderError, MissingWeights, WrongWeights

_LIBRARIES = ("torch", "transformers", "huggingface_hub", "safetensors")
_EXTRA_HINT = (
    "it needs the extra 'mert': pip install 'mess-plugin[mert]'; on a machine without an NVIDIA "
    "GPU first run: pip install torch --index-url https://download.pytorch.org/whl/cpu, "
    "which saves several gigabytes of CUDA libraries"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")


class WeightFiles(msgspec.Struct, frozen=True):
    """A checkpoint on disk. expected_sha256: None where nothing vouches for the weights."""

    config: Path
    weights: Path
    expected_sha256: str | None
    adapters: Path | None = None
    """The folder of `ADAPTER_FILES`, where there are any."""


def require_libraries(release: Release) -> None:
    """Raise EncoderError with the command to run where the optional libraries are missing."""
    if any(importlib.util.find_spec(library) is None for library in _LIBRARIES):
        raise EncoderError(release.name, _EXTRA_HINT)


def weights_state(release: Release, directory: Path | None = None) -> WeightsState:
    """Whether the release could be loaded, from where `find` looks. Hashes nothing."""
    try:
        require_libraries(release)
        return WeightsState(ready=True, detail=str(find(release, directory).weights))
    except EncoderError as error:
        return WeightsState(ready=False, detail=str(error.args[1]))


def find(release: Release, directory: Path | None = None) -> WeightFiles:
    """The files of `release`: in `directory` where one is given, else in the Hugging Face cache.

    A directory may hold other weights of the same shape (fine-tuned, say), so no checksum is
    expected of it. The cache must hold what was released: the pinned checksum, or, where none was
    published, the one under which the cache filed it. Raises MissingWeights.
    """
    if directory is not None:
        return _in_directory(release, directory)
    for revision in (release.commit, "main"):
        config = _cached(release, CONFIG_FILE, revision)
        weights = _cached(release, WEIGHT_FILES[0], revision)
        if config and weights:
            return WeightFiles(config, weights, release.weight_sha256 or _blob_name(weights))
    raise MissingWeights(
        release.name,
        f"its weights are not on this machine; run: mess encoders download {release.name}, or put "
        f"{CONFIG_FILE} and {WEIGHT_FILES[0]} of https://huggingface.co/{release.repository} "
        "into a directory and name it in MESS_WEIGHTS",
    )


def download(release: Release) -> Path:
    """Fetch the pinned commit into the Hugging Face cache and check it; the weight file's path.

    Asks nothing: whoever calls has shown the licence. What is there already is not fetched again.
    Raises MissingWeights where the hub cannot be reached, WrongWeights where the file differs.
    """
    require_libraries(release)
    from huggingface_hub import errors, hf_hub_download  # noqa: PLC0415

    try:
        for name in (CONFIG_FILE, WEIGHT_FILES[0]):
            hf_hub_download(release.repository, name, revision=release.commit)
    except (OSError, errors.HTTPError) as error:  # type: ignore[attr-defined]
        raise MissingWeights(
            release.name,
            f"could not download {release.repository} from the Hugging Face hub "
            f"({_first_line(error)}); check the network and run the same command again",
        ) from error
    files = find(release)
    verify(release, files)
    return files.weights


def verify(release: Release, files: WeightFiles) -> str:
    """Check the weight file against its expected checksum; its SHA-256. Raises WrongWeights."""
    size = files.weights.stat().st_size
    wanted_size = release.weight_bytes if files.expected_sha256 == release.weight_sha256 else None
    if files.expected_sha256 and wanted_size not in (None, size):
        raise WrongWeights(
            release.name,
            f"{files.weights} has {size} bytes, the release has {wanted_size}: "
            "delete the file and download it again",
        )
    with files.weights.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if files.expected_sha256 not in (None, digest):
        raise WrongWeights(
            release.name,
            f"{files.weights} has SHA-256 {digest}, expected {files.expected_sha256}: "
            "delete the file and download it again",
        )
    return digest


def check_config(release: Release, config: Path) -> None:
    """Raise WrongWeights for a config.json that describes another model than `release`."""
    try:
        says = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WrongWeights(release.name, f"{config} cannot be read: {error}") from error
    if not isinstance(says, dict):
        raise WrongWeights(release.name, f"{config} is not a JSON object")
    for key, wanted in wanted_config(release.architecture).items():
        if key in says and says[key] != wanted:
            raise WrongWeights(
                release.name, f"{config} says {key} = {says[key]!r}, {release.name} has {wanted!r}"
            )


def wanted_config(architecture: Architecture) -> Mapping[str, Any]:
    """The settings of config.json that change the computation, in the released spelling."""
    n_convolutions = len(architecture.conv_kernel)
    return {
        "feature_extractor_cqt": False,
        "deepnorm": False,
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
        "feat_extract_activation": "gelu",
        "hidden_act": "gelu",
        "num_conv_pos_embeddings": architecture.position_kernel,
        "num_conv_pos_embedding_groups": architecture.position_groups,
        "layer_norm_eps": architecture.norm_eps,
        "sample_rate": RATE_HZ,
    }


def _in_directory(release: Release, directory: Path) -> WeightFiles:
    config = directory / CONFIG_FILE
    present = [directory / name for name in WEIGHT_FILES if (directory / name).is_file()]
    if not config.is_file() or not present:
        raise MissingWeights(
            release.name,
            f"{directory} must hold {CONFIG_FILE} and {' or '.join(WEIGHT_FILES)}, "
            f"as at https://huggingface.co/{release.repository}",
        )
    is_tuned = any((directory / name).is_file() for name in ADAPTER_FILES)
    return WeightFiles(config, present[0], None, directory if is_tuned else None)


def _cached(release: Release, name: str, revision: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415

    found = try_to_load_from_cache(release.repository, name, revision=revision)
    return Path(found) if isinstance(found, str) else None


def _blob_name(path: Path) -> str | None:
    """The cache files a large file under its SHA-256 and links to it."""
    name = path.resolve().name
    return name if _SHA256.fullmatch(name) else None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
