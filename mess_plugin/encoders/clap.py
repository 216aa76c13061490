"""CLAP's audio tower: log-mel spectrogram → Swin transformer (HTSAT), from transformers' own classes.

Y. Wu et al., "Large-scale Contrastive Language-Audio Pretraining with Feature Fusion and
Keyword-to-Caption Augmentation", ICASSP 2023. The checkpoint is LAION's without fusion. What is
stored are the last hidden states, averaged over frequency: 32 frames in 10 s whose mean is exactly
what CLAP projects into the space that it shares with text. The length of that mean, which stored
vectors lose, is kept by a constant beside the states. The text tower is not loaded: see `clap_text.py`.

Its habits, and what is done about them:
- It wants 10 s, whatever the length of the sound. A shorter recording is repeated to fill them, and
  only the frames of its first pass are kept; the original pads with zeros after the repetitions.
- A longer clip would be cropped at random; windows of exactly 10 s are all it is given here.
- Without fusion the filter bank is Slaney's; with fusion it would be HTK's.
- Unlike MERT's, its input is not normalised, so that loudness is part of what it hears.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mess_plugin.encoders.base import (
    Encoder,
    EncoderDescription,
    EncoderInfo,
    EncoderOptions,
    WeightsState,
)
from mess_plugin.errors import ConfigError, EncoderError, MissingWeights, WrongWeights
from mess_plugin.model import Float32, Level, Projection

if TYPE_CHECKING:
    import torch

NAME = "clap-htsat"
LICENCE = "Apache-2.0"
REPOSITORY = "laion/clap-htsat-unfused"
COMMIT = "8fa0f1c6d0433df6e97c127f64b2a1d6c0dcda8a"
SHA256 = "1cd3c601bc4afe0fa87be3de4c13dd2cfadd249fac1e29acf74a9b296c3219bb"
FILES = ("config.json", "pytorch_model.bin")
TEXT_FILES = ("vocab.json", "merges.txt")
"""Of RoBERTa's tokenizer: needed where words are asked for."""

RATE_HZ = 48_000
WINDOW_S = 10.0
MIN_S = 0.5
N_SAMPLES = 480_000  # of a window
N_STATES = 768
DIM = N_STATES + 1
CONSTANT = 0.0625
"""Beside the states of each frame. A stored vector is the mean frame at unit length; divided by its
last value and multiplied by this it is the mean again. So small that angles do not change."""
_REVISION = "2"  # of what is done with the states
N_FRAMES = 32  # of a window: 1024 columns of the picture, in patches of 4, halved three times
_FFT_SAMPLES, _HOP_SAMPLES, _N_MELS = 1024, 480, 64
_LOWEST_HZ, _HIGHEST_HZ = 50.0, 14_000.0
_FLOOR_POWER = 1e-10
_PREFIX = "audio_model."
# Index tables and counters, computed or unused, are not in every release of the file.
_COMPUTED = ("num_batches_tracked", "relative_position_index", "position_ids", "token_type_ids")
_CONFIG = {
    "enable_fusion": False,
    "hidden_size": N_STATES,
    "num_mel_bins": _N_MELS,
    "spec_size": 256,
}
_LIBRARIES = ("torch", "transformers", "huggingface_hub")


@dataclass
class ClapEncoder:
    """A loaded audio tower. filters: (513, 64), power spectrum → mel bands."""

    info: EncoderInfo
    model: Any
    device: torch.device
    filters: torch.Tensor
    projections: Mapping[Level, Projection] = field(default_factory=dict)

    def encode(self, windows: Float32) -> Float32:
        """(n, n_samples) at 48 kHz, at most 10 s → (n, n_frames, 769) float32, 3.2 frames a second.

        Each frame is the 768 states and `CONSTANT`.
        """
        import torch  # noqa: PLC0415  the list of encoders is shown without it

        if windows.ndim != 2 or not MIN_S * RATE_HZ <= windows.shape[1] <= N_SAMPLES:
            raise EncoderError(
                NAME, f"windows are {windows.shape}: wanted (n, samples) of {MIN_S:g} to 10 s"
            )
        if len(windows) == 0:
            return np.zeros((0, 0, DIM), np.float32)
        kept = max(1, round(N_FRAMES * windows.shape[1] / N_SAMPLES))
        frames = []
        with torch.inference_mode():
            for window in windows:  # one by one: the same numbers in every batch
                full = torch.from_numpy(np.resize(window, N_SAMPLES)).to(self.device)
                states = self.model(input_features=self.log_mel(full)[None, None])
                frames.append(states.last_hidden_state[0].mean(1).T[:kept].float().cpu().numpy())
        return np.pad(np.stack(frames), ((0, 0), (0, 0), (0, 1)), constant_values=CONSTANT)

    def log_mel(self, waveform: torch.Tensor) -> torch.Tensor:
        """(480000,) → (1001, 64) decibels, as ClapFeatureExtractor computes them without fusion."""
        import torch  # noqa: PLC0415  as above

        taper = torch.hann_window(_FFT_SAMPLES, device=waveform.device)
        spectrum = torch.stft(
            waveform, _FFT_SAMPLES, _HOP_SAMPLES, window=taper, center=True, return_complex=True
        )
        power = spectrum.abs().square().T @ self.filters
        return 10.0 * torch.log10(power.clamp(min=_FLOOR_POWER))


def _load(options: EncoderOptions) -> Encoder:
    """The audio tower, ready. Raises ConfigError, EncoderError, MissingWeights or WrongWeights."""
    if options.layers is not None:
        raise ConfigError("layers", options.layers, f"{NAME} has no choice of layers: leave it out")
    if options.precision != "fp32":
        raise ConfigError("precision", options.precision, f"{NAME} knows only fp32")
    require_libraries()
    import torch  # noqa: PLC0415  the list of encoders is shown without it
    from transformers.audio_utils import mel_filter_bank  # noqa: PLC0415

    wanted = options.device
    if wanted == "cuda" and not torch.cuda.is_available():
        raise EncoderError(NAME, "device is 'cuda', but torch finds no CUDA GPU here: choose cpu")
    usable = wanted == "cuda" or (wanted == "auto" and torch.cuda.is_available())
    device = torch.device("cuda" if usable else "cpu")
    config, weights = find_weights(options.weights)
    digest = verify(weights, pinned=options.weights is None)
    torch.set_num_threads(options.threads)
    model = _build(config, weights).to(device)
    filters = mel_filter_bank(
        _FFT_SAMPLES // 2 + 1, _N_MELS, _LOWEST_HZ, _HIGHEST_HZ, RATE_HZ, "slaney", "slaney"
    )
    info = EncoderInfo(
        NAME,
        f"{digest[:12]}.{_REVISION}",
        RATE_HZ,
        WINDOW_S,
        WINDOW_S,
        MIN_S,
        DIM,
        "last",
        "mean",
        LICENCE,
    )
    return ClapEncoder(info, model, device, torch.from_numpy(filters).float().to(device))


def _build(config: Path, weights: Path) -> Any:
    """Transformers' audio tower with the tensors of the file, all of them and no others."""
    from transformers import ClapAudioConfig, ClapAudioModel  # noqa: PLC0415  as above

    model = ClapAudioModel(ClapAudioConfig(**_audio_settings(config)))
    own = {
        name.removeprefix(_PREFIX): tensor
        for name, tensor in read_tensors(weights, _PREFIX).items()
    }
    return fill(model, own, weights)


def read_tensors(weights: Path, *prefixes: str) -> dict[str, torch.Tensor]:
    """The tensors of a file whose names begin so. Raises WrongWeights."""
    import torch  # noqa: PLC0415  as above

    try:
        found = torch.load(weights, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WrongWeights(NAME, f"{weights} is no plain file of tensors: not loaded") from error
    except (OSError, RuntimeError, EOFError, KeyError, ValueError) as error:
        raise WrongWeights(
            NAME, f"{weights} cannot be read ({type(error).__name__}); download it again"
        ) from error
    if not isinstance(found, Mapping):
        raise WrongWeights(NAME, f"{weights} holds something else than named tensors")
    own = {name: tensor for name, tensor in found.items() if str(name).startswith(prefixes)}
    if not all(
        isinstance(one, torch.Tensor) and bool(one.isfinite().all()) for one in own.values()
    ):
        raise WrongWeights(NAME, f"{weights} holds values that are not finite")
    return own


def fill(model: Any, own: Mapping[str, torch.Tensor], weights: Path) -> Any:
    """The model for inference with these tensors, all of them and no others. Raises WrongWeights."""
    model.train(False)
    try:
        missing, unexpected = model.load_state_dict(own, strict=False)
    except RuntimeError as error:
        line = str(error).splitlines()[-1].strip()
        raise WrongWeights(NAME, f"{weights}: {line}") from error
    lacking = [name for name in missing if not name.endswith(_COMPUTED)]
    foreign = [name for name in unexpected if not name.endswith(_COMPUTED)]
    if lacking or foreign:
        raise WrongWeights(
            NAME, f"{weights}: {len(lacking)} tensors are missing, {len(foreign)} are unexpected, "
            f"the first is {(lacking + foreign)[0]}"
        )  # fmt: skip
    return model


def _audio_settings(config: Path) -> dict[str, Any]:
    try:
        says = json.loads(config.read_text(encoding="utf-8"))["audio_config"]
        settings = dict(says)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WrongWeights(NAME, f"{config} is no configuration of a CLAP model") from error
    for key, wanted in _CONFIG.items():
        if settings.get(key, wanted) != wanted:
            raise WrongWeights(NAME, f"{config} says {key} = {settings[key]!r}, wanted {wanted!r}")
    return settings


def find_weights(directory: Path | None) -> tuple[Path, Path]:
    """config.json and the weights: in a directory of the user's own, else in the cache."""
    if directory is not None:
        config, weights = (directory / name for name in FILES)
        if config.is_file() and weights.is_file():
            return config, weights
        raise MissingWeights(NAME, f"{directory} must hold {' and '.join(FILES)}")
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415  as above

    cached = [try_to_load_from_cache(REPOSITORY, name, revision=COMMIT) for name in FILES]
    if all(isinstance(one, str) for one in cached):
        return Path(str(cached[0])), Path(str(cached[1]))
    raise MissingWeights(
        NAME,
        f"its weights are not on this machine; run: mess encoders download {NAME}, or put "
        f"{' and '.join(FILES)} of https://huggingface.co/{REPOSITORY} into a directory and name it "
        "in MESS_WEIGHTS",
    )


def verify(weights: Path, *, pinned: bool) -> str:
    """SHA-256 of the weights. Raises WrongWeights where they should be the pinned ones and are not."""
    with weights.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if pinned and digest != SHA256:
        raise WrongWeights(
            NAME, f"{weights} has SHA-256 {digest}, expected {SHA256}: delete and download it again"
        )
    return digest


def require_libraries() -> None:
    """Raise EncoderError where the extra is not installed."""
    if any(importlib.util.find_spec(library) is None for library in _LIBRARIES):
        raise EncoderError(NAME, "it needs the extra 'mert': pip install 'mess-plugin[mert]'")


def _weights_state(directory: Path | None) -> WeightsState:
    try:
        require_libraries()
        return WeightsState(ready=True, detail=str(find_weights(directory)[1]))
    except EncoderError as error:
        return WeightsState(ready=False, detail=str(error.args[1]))


def _download() -> Path:
    require_libraries()
    from huggingface_hub import errors, hf_hub_download  # noqa: PLC0415  as above

    try:
        for name in (*FILES, *TEXT_FILES):
            hf_hub_download(REPOSITORY, name, revision=COMMIT)
    except (OSError, errors.HTTPError) as error:  # type: ignore[attr-defined]
        raise MissingWeights(
            NAME, f"could not download {REPOSITORY} ({type(error).__name__}): check the network"
        ) from error
    weights = find_weights(None)[1]
    verify(weights, pinned=True)
    return weights


DESCRIPTIONS = (
    EncoderDescription(
        name=NAME,
        summary="CLAP's audio tower (HTSAT), trained on sounds with captions",
        licence=LICENCE,
        weights_mb=614.5,
        dim=DIM,
        rate_hz=RATE_HZ,
        speed="slow on a CPU",
        extra="mert",
        runs_on_gpu=True,
        weights_state=_weights_state,
        load=_load,
        download=_download,
    ),
)
