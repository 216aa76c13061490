"""CLAP's text tower, and the maps of both towers into the space that they share.

Y. Wu et al., ICASSP 2023, as in `clap.py`. Text: RoBERTa's byte-level BPE, its transformer, and two
linear layers; sound: the mean of the stored states, and two linear layers. Cosines between the two are
what CLAP was trained for. The tower is transformers' own, loaded only where a text is asked for that
was not asked for before.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mess_plugin.encoders.clap import (
    COMMIT,
    CONSTANT,
    FILES,
    N_STATES,
    NAME,
    REPOSITORY,
    TEXT_FILES,
    fill,
    find_weights,
    read_tensors,
    require_libraries,
    verify,
)
from mess_plugin.errors import EncoderError, MissingWeights, WrongWeights
from mess_plugin.model import Float32

JOINT_DIM = 512
MOST_TOKENS = 77
"""CLAP was trained on captions of at most so many; what comes after them is not heard."""
_TEXT, _TEXT_MAP, _SOUND_MAP = "text_model.", "text_projection.", "audio_projection."


class SoundMap(NamedTuple):
    """Two linear layers with a rectifier between them: weights (d_out, d_in), biases (d_out,)."""

    first: Float32
    first_bias: Float32
    second: Float32
    second_bias: Float32

    def apply(self, songs: Float32) -> Float32:
        """Stored vectors of the raw space, (n, 769) of any length → (n, 512) of unit length.

        Rows whose last value, the constant of each frame, is not positive become zero.
        """
        constant = songs[:, -1:]
        states = songs[:, :N_STATES] * (CONSTANT / np.where(constant > 0, constant, np.inf))
        hidden = np.maximum(states @ self.first.T + self.first_bias, 0)
        return _unit((hidden @ self.second.T + self.second_bias) * (constant > 0))


class TextTower:
    """A loaded text tower."""

    def __init__(self, directory: Path | None, digest: str) -> None:
        """Load it. Raises EncoderError, MissingWeights or WrongWeights.

        directory: of the user's own; None looks where downloads are. digest: the beginning of the
        SHA-256 of the weights that the library was encoded with.
        """
        require_libraries()
        config, weights = find_weights(directory)
        vocabulary, merges = _tokenizer_files(directory)
        found = verify(weights, pinned=directory is None)
        if not found.startswith(digest):
            raise WrongWeights(
                NAME,
                f"{weights} is not what the library was encoded with: run `mess index --force`",
            )
        tensors = read_tensors(weights, _TEXT, _TEXT_MAP, _SOUND_MAP)
        self.sound_map = _sound_map(tensors, weights)
        self._model = _text_model(config, weights, tensors)
        self._tokenizer = _tokenizer(vocabulary, merges)

    def encode(self, text: str) -> Float32:
        """One text, any length → (512,) float32 of unit length."""
        import torch  # noqa: PLC0415  loaded only where a text is encoded

        tokens = self._tokenizer(text, return_tensors="pt", truncation=True, max_length=MOST_TOKENS)
        with torch.inference_mode():
            embedded = self._model(
                input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
            ).text_embeds
        found: Float32 = _unit(embedded.float().numpy())[0]
        if not np.isfinite(found).all():
            raise EncoderError(NAME, f"the text {text!r} gave values that are no numbers")
        return found


def _unit(vectors: Float32) -> Float32:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


def _sound_map(tensors: dict[str, Any], weights: Path) -> SoundMap:
    names = [
        f"{_SOUND_MAP}{layer}.{part}"
        for layer in ("linear1", "linear2")
        for part in ("weight", "bias")
    ]
    shapes = [(JOINT_DIM, N_STATES), (JOINT_DIM,), (JOINT_DIM, JOINT_DIM), (JOINT_DIM,)]
    found = []
    for name, shape in zip(names, shapes, strict=True):
        if name not in tensors or tuple(tensors[name].shape) != shape:
            raise WrongWeights(NAME, f"{weights}: {name} is missing or not {shape}")
        found.append(tensors[name].float().numpy())
    return SoundMap(*found)


def _text_model(config: Path, weights: Path, tensors: dict[str, Any]) -> Any:
    from transformers import ClapTextConfig, ClapTextModelWithProjection  # noqa: PLC0415

    try:
        says = json.loads(config.read_text(encoding="utf-8"))
        own = dict(says.get("text_config") or {})
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise WrongWeights(NAME, f"{config} is no configuration of a CLAP model") from error
    own["projection_dim"] = says.get("projection_dim", JOINT_DIM)
    for key, wanted in (("projection_dim", JOINT_DIM), ("projection_hidden_act", "relu")):
        if own.setdefault(key, wanted) != wanted:
            raise WrongWeights(NAME, f"{config} says {key} = {own[key]!r}, wanted {wanted!r}")
    model = ClapTextModelWithProjection(ClapTextConfig(**own))
    named = {name: one for name, one in tensors.items() if not name.startswith(_SOUND_MAP)}
    return fill(model, named, weights)


def _tokenizer_files(directory: Path | None) -> tuple[Path, Path]:
    if directory is not None:
        found = [directory / name for name in TEXT_FILES]
        if all(one.is_file() for one in found):
            return found[0], found[1]
        raise MissingWeights(
            NAME, f"{directory} must hold {', '.join((*FILES, *TEXT_FILES))} to ask by words"
        )
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415  as above

    cached = [try_to_load_from_cache(REPOSITORY, name, revision=COMMIT) for name in TEXT_FILES]
    if not all(isinstance(one, str) for one in cached):
        raise MissingWeights(
            NAME, f"its tokenizer is not on this machine; run: mess encoders download {NAME}"
        )
    return Path(str(cached[0])), Path(str(cached[1]))


def _tokenizer(vocabulary: Path, merges: Path) -> Any:
    from transformers import RobertaTokenizer  # noqa: PLC0415  as above

    try:
        words = json.loads(vocabulary.read_text(encoding="utf-8"))
        lines = merges.read_text(encoding="utf-8").splitlines()
        pairs = [tuple(line.split()) for line in lines if line and not line.startswith("#version")]
        return RobertaTokenizer(vocab=words, merges=pairs)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise WrongWeights(
            NAME, f"{vocabulary} and {merges} are no tokenizer ({type(error).__name__})"
        ) from error
