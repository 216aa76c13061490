"""The MERT encoder: windows in, frames out, in batches that fit the device."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from msgspec.structs import replace

from mess_plugin.encoders.base import EncoderInfo, EncoderOptions
from mess_plugin.encoders.mert import adapters, checkpoint, fast, hubert, precision, weights
from mess_plugin.encoders.mert.layers import parse_layers, spell_layers
from mess_plugin.encoders.mert.releases import LICENCE, MIN_S, RATE_HZ, WINDOW_S, Release
from mess_plugin.errors import ConfigError, EncoderError
from mess_plugin.model import Float32, Level, Projection

logger = logging.getLogger(__name__)

Forward = Callable[[torch.Tensor], torch.Tensor]
"""(n, n_samples) normalised waveforms → (n, n_frames, dim), on the device of its weights."""

CPU_BATCH = 1  # larger batches measured no faster on a CPU, and take more memory
GPU_BATCH = 64
_NORMALISE_EPS = 1e-7


@dataclass
class MertEncoder:
    """A loaded MERT. `batch_size` shrinks, for good, when the device runs out of memory."""

    info: EncoderInfo
    forward: Forward
    device: torch.device
    batch_size: int
    projections: Mapping[Level, Projection] = field(default_factory=dict)

    def encode(self, windows: Float32) -> Float32:
        """(n, n_samples) at 24 kHz → (n, n_frames, dim) float32, 75 frames per second less edges.

        Raises EncoderError for windows that are too short or not two-dimensional.
        """
        if windows.ndim != 2:
            raise EncoderError(self.info.name, f"windows must be 2-d, not {windows.shape}")
        if len(windows) == 0:
            return np.zeros((0, 0, self.info.dim), np.float32)
        shortest = round(self.info.min_s * self.info.rate_hz)
        if windows.shape[1] < shortest:
            raise EncoderError(
                self.info.name, f"windows of {windows.shape[1]} samples: {shortest} are needed"
            )
        done: list[Float32] = []
        start = 0
        while start < len(windows):
            stop = min(start + self.batch_size, len(windows))
            frames = self._encode_batch(windows[start:stop])
            if frames is not None:
                done.append(frames)
                start = stop
        return np.concatenate(done)

    def _encode_batch(self, windows: Float32) -> Float32 | None:
        """Frames of one batch, or None after a lack of memory has halved the batch size."""
        try:
            waveforms = torch.from_numpy(windows)
            if self.device.type == "cuda":
                waveforms = waveforms.pin_memory().to(self.device, non_blocking=True)
            frames: Float32 = self.forward(normalise(waveforms)).float().cpu().numpy()
        except torch.OutOfMemoryError as error:
            self._halve_batch(len(windows), error)
            return None
        return frames

    def _halve_batch(self, n_windows: int, error: torch.OutOfMemoryError) -> None:
        if n_windows == 1:
            raise EncoderError(
                self.info.name,
                f"{self.device} has too little memory for one window of {self.info.window_s:g} s; "
                "free it or use device 'cpu'",
            ) from error
        self.batch_size = n_windows // 2
        torch.cuda.empty_cache()
        logger.warning(
            "%s: %s is out of memory with %d windows at a time; going on with %d",
            self.info.name,
            self.device,
            n_windows,
            self.batch_size,
        )


def normalise(windows: torch.Tensor) -> torch.Tensor:
    """Each window with zero mean and unit variance, as Wav2Vec2FeatureExtractor's do_normalize."""
    centred = windows.double()
    centred -= centred.mean(dim=1, keepdim=True)
    variance = centred.square().mean(dim=1, keepdim=True)
    return (centred / (variance + _NORMALISE_EPS).sqrt()).float()


def load(release: Release, options: EncoderOptions) -> MertEncoder:
    """Load `release` from options.weights or the Hugging Face cache, ready to encode.

    Sets torch's number of threads for the whole process. Raises ConfigError for layers or a
    precision that do not exist, EncoderError for a device that is not there or a precision that was
    not tested on it, MissingWeights and WrongWeights.
    """
    encoder = _load(release, options)
    if options.precision != "fp32":
        precision.require_record(encoder.info, encoder.device)
    return encoder


def test_precision(release: Release, options: EncoderOptions, windows: Float32) -> str:
    """Compare options.precision with fp32 on (n, n_samples) windows and allow it if they agree.

    The result, in words. Raises EncoderError where it fails, and as `load`.
    """
    if options.precision == "fp32":
        raise ConfigError("precision", "fp32", "it is exact; test bf16 or int8")
    if len(windows) < precision.MIN_WINDOWS:
        raise EncoderError(
            release.name, f"{len(windows)} windows are too few: {precision.MIN_WINDOWS} are needed"
        )
    rounded = _load(release, options)
    exact = _load(release, replace(options, precision="fp32"))
    found = precision.agreement(_pooled(exact, windows), _pooled(rounded, windows))
    precision.record(rounded.info, rounded.device, found)
    return f"{rounded.info.name} {options.precision}: {found}"


def _load(release: Release, options: EncoderOptions) -> MertEncoder:
    states = parse_layers(options.layers or release.default_layers, release.architecture.depth)
    device = choose_device(release, options.device)
    precision.check(release.name, options.precision, device)
    files = weights.find(release, options.weights)
    weights.check_config(release, files.config)
    digest = weights.verify(release, files)
    torch.set_num_threads(options.threads)
    tensors: checkpoint.Tensors = hubert.checked(
        release, checkpoint.read_tensors(release, files.weights)
    )
    tuned = ""
    if files.adapters is not None:
        tensors, adapted = adapters.merged(release, tensors, files.adapters)
        tuned = f".lora-{adapted[:8]}"
    info = EncoderInfo(
        name=release.name,
        revision=digest[:12]
        + tuned
        + ("" if options.precision == "fp32" else f"-{options.precision}"),
        rate_hz=RATE_HZ,
        window_s=WINDOW_S,
        hop_s=WINDOW_S,
        min_s=MIN_S,
        dim=release.architecture.dim,
        layers=spell_layers(states),
        pooling="mean",
        licence=LICENCE,
    )
    if device.type == "cuda":
        forward = _on_gpu(hubert.build(release.architecture, tensors, states), options.precision)
        return MertEncoder(info, forward, device, GPU_BATCH)
    products = precision.products(options.precision)
    return MertEncoder(
        info, fast.build(release.architecture, tensors, states, products), device, CPU_BATCH
    )


def _on_gpu(model: hubert.HubertStates, chosen: str) -> Forward:
    model.model.to(torch.device("cuda"))
    if chosen == "bf16":
        return _in_bfloat16(model)
    torch.backends.cudnn.allow_tf32 = False  # convolutions would be rounded otherwise
    return model


def _pooled(encoder: MertEncoder, windows: Float32) -> Float32:
    """Mean frames, one window at a time: (n, dim)."""
    means = [encoder.encode(window[None]).mean(axis=1) for window in windows]
    return np.concatenate(means)


def choose_device(release: Release, wanted: str) -> torch.device:
    """The device for "cpu", "cuda" or "auto" (a GPU where there is one). Raises EncoderError."""
    if wanted not in ("cpu", "cuda", "auto"):
        raise EncoderError(release.name, f"device is {wanted!r}: choose cpu, cuda or auto")
    if wanted == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    if wanted == "auto":
        return torch.device("cpu")
    raise EncoderError(
        release.name,
        "device is 'cuda', but torch finds no CUDA GPU here: install a driver and a CUDA build of "
        "torch, or choose cpu or auto",
    )


def _in_bfloat16(forward: Forward) -> Forward:
    """Matrix products in bfloat16, normalisations in float32, as autocast decides."""

    def autocast(waveforms: torch.Tensor) -> torch.Tensor:
        with torch.autocast(waveforms.device.type, dtype=torch.bfloat16):
            return forward(waveforms)

    return autocast
