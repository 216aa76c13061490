"""Recordings → the spectra that training reads, and what the teacher hears in them."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from mess_plugin.audio import decode
from mess_plugin.encoders.mini.spectra import (
    FRAME_SAMPLES,
    LEVEL_RMS,
    MAX_GAIN,
    RATE_HZ,
    level_gain,
    scaled_spectra,
)
from mess_plugin.errors import AudioError
from mess_plugin.model import Float32
from mess_plugin.pretraining.data import Collection
from mess_plugin.pretraining.musicnn import MusiCNN

PART_FRAMES = 240  # a minute at a time bounds the memory
TAUGHT_FRAMES = 80  # the teacher hears twenty seconds at one level …
CONTEXT_FRAMES = 4  # … and a second on each side

log = logging.getLogger(__name__)


def prepare(paths: Sequence[Path], albums: Sequence[str], folder: Path) -> None:
    """Writes a collection (see `data`). A file that cannot be decoded is empty there, and logged.

    Does nothing where the collection is complete.
    """
    if (folder / "albums.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    offsets, energies = [0], [np.zeros(0, np.float32)]
    with (folder / "mel.f16").open("wb") as mel, (folder / "tones.f16").open("wb") as tones:
        for path in paths:
            waveform = _waveform(path)
            n = len(waveform) // FRAME_SAMPLES
            offsets.append(offsets[-1] + n)
            if n == 0:
                continue
            waveform = waveform[: n * FRAME_SAMPLES]
            waveform = waveform * np.float32(level_gain(waveform))
            energies.append(np.square(waveform).reshape(n, -1).mean(axis=1))
            for start in range(0, len(waveform), PART_FRAMES * FRAME_SAMPLES):
                seen = scaled_spectra(waveform[start : start + PART_FRAMES * FRAME_SAMPLES])
                seen.mel.astype(np.float16).tofile(mel)
                seen.tones.astype(np.float16).tofile(tones)
    np.save(folder / "energy.npy", np.concatenate(energies))
    np.save(folder / "offsets.npy", np.array(offsets))
    (folder / "albums.json").write_text(json.dumps(list(albums)), "utf-8")


def _waveform(path: Path) -> Float32:
    try:
        blocks = list(decode(path, RATE_HZ))
    except AudioError as error:
        log.warning("left out: %s", error)
        return np.zeros(0, np.float32)
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


@torch.no_grad()
def teach(teacher: MusiCNN, folder: Path) -> None:
    """Writes teacher.npy: the features that move, averaged within each frame. Skips what exists."""
    path = folder / "teacher.npy"
    if path.exists():
        return
    collection = Collection(folder)
    alive = teacher.alive
    taught = np.zeros((len(collection.energy), len(alive)), np.float16)
    for first, end in zip(collection.offsets, collection.offsets[1:], strict=False):
        for start in range(first, end, TAUGHT_FRAMES):
            stop = min(start + TAUGHT_FRAMES, end)
            low, high = max(first, start - CONTEXT_FRAMES), min(end, stop + CONTEXT_FRAMES)
            heard = teacher(torch.from_numpy(_levelled(collection, low, high))[None])[0]
            frames = heard.unflatten(0, (high - low, -1)).mean(1)[:, alive]
            taught[start:stop] = frames[start - low : stop - low].numpy()
    partial = folder / "teacher.partial.npy"
    np.save(partial, taught)
    partial.replace(path)


def _levelled(collection: Collection, low: int, high: int) -> Float32:
    """Log-mel spectra of a stretch of a recording at the common level."""
    energy = max(float(collection.energy[low:high].mean()), 1e-24)
    gain = np.float32(min(LEVEL_RMS**2 / energy, MAX_GAIN**2))
    mel = collection.mel[low:high].astype(np.float32).reshape(-1, collection.mel.shape[2])
    return np.log10(1 + (np.power(np.float32(10), mel) - 1) * gain)
