"""Who listens to the recordings before training: its features are what the trunk learns to say.

A teacher writes `teacher-LABEL.npy` beside the spectra, one row for each frame of the collection.
`MusiCNNTeacher` is the one of the shipped weights; `EncoderTeacher` makes one of any encoder that
MESS can load, MERT among them. Another kind of teacher is another class with `label` and `listen`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from mess_plugin.analysis.hierarchy import listen
from mess_plugin.audio import decode
from mess_plugin.encoders.base import Encoder
from mess_plugin.encoders.mini.spectra import FRAME_SAMPLES, LEVEL_RMS, MAX_GAIN, RATE_HZ
from mess_plugin.errors import AudioError
from mess_plugin.model import Float32
from mess_plugin.pretraining.data import Collection, teacher_file
from mess_plugin.pretraining.musicnn import MusiCNN
from mess_plugin.pretraining.network import N_STEM, Stem
from mess_plugin.pretraining.prepare import middle

PART_FRAMES = 80  # MusiCNN hears twenty seconds at one level …
CONTEXT_FRAMES = 4  # … and a second on each side

log = logging.getLogger(__name__)


class Teacher(Protocol):
    """Features of whole recordings."""

    @property
    def label(self) -> str:
        """Names the features; other weights or layers are another label."""
        ...

    def listen(self, collection: Collection, track: int, path: Path) -> Float32:
        """(n_frames, width): features of the stretch of a recording that the collection holds."""
        ...


class MusiCNNTeacher:
    """MusiCNN's living filters at half of their resolution, as the stem that starts from them.

    That costs a sixth of the whole network.
    """

    label = "musicnn"

    def __init__(self, musicnn: MusiCNN) -> None:
        self.stem = Stem()
        self.stem.inherit(musicnn)
        self.stem.freeze_front()

    @torch.no_grad()
    def listen(self, collection: Collection, track: int, path: Path) -> Float32:  # noqa: ARG002
        """See `Teacher`. The spectra are enough; the file is not opened."""
        first, end = (int(x) for x in collection.offsets[track : track + 2])
        parts = [np.zeros((0, N_STEM), np.float32)]
        for start in range(first, end, PART_FRAMES):
            stop = min(start + PART_FRAMES, end)
            low, high = max(first, start - CONTEXT_FRAMES), min(end, stop + CONTEXT_FRAMES)
            heard = self.stem(torch.from_numpy(_levelled(collection, low, high))[None])[0]
            frames = heard.unflatten(1, (high - low, -1)).mean(2).T
            parts.append(frames[start - low : stop - low].numpy())
        return np.concatenate(parts)


class EncoderTeacher:
    """Any encoder of MESS, heard as indexing hears it."""

    def __init__(self, encoder: Encoder, longest_s: float = math.inf) -> None:
        """longest_s: as the collection was prepared with."""
        self.encoder, self.longest_s = encoder, longest_s
        info = encoder.info
        self.label = f"{info.name}-{info.revision}-{info.layers}"

    def listen(self, collection: Collection, track: int, path: Path) -> Float32:
        """See `Teacher`. A recording that the encoder refuses, such as silence, teaches nothing."""
        n_frames = int(collection.offsets[track + 1] - collection.offsets[track])
        if n_frames == 0:
            return np.zeros((0, self.encoder.info.dim), np.float32)
        try:
            interval = middle(path, self.longest_s)
            with decode(path, self.encoder.info.rate_hz, interval=interval) as blocks:
                timeline = listen(blocks, self.encoder, str(path))
        except AudioError as error:
            log.warning("teaches nothing: %s", error)
            return np.zeros((n_frames, self.encoder.info.dim), np.float32)
        at_s = (np.arange(n_frames) + 0.5) * FRAME_SAMPLES / RATE_HZ
        steps = np.minimum((at_s * timeline.rate_hz).astype(np.int64), len(timeline.frames) - 1)
        return timeline.frames[steps]


def teach(teacher: Teacher, paths: Sequence[Path], folder: Path) -> None:
    """Lets a teacher listen to every recording of a collection, once. Skips what exists."""
    file = teacher_file(folder, teacher.label)
    if file.exists():
        return
    collection = Collection(folder)
    taught = [
        teacher.listen(collection, track, path).astype(np.float16)
        for track, path in enumerate(paths)
    ]
    partial = file.with_suffix(".partial.npy")
    np.save(partial, np.concatenate(taught))
    partial.replace(file)


def _levelled(collection: Collection, low: int, high: int) -> Float32:
    """Log-mel spectra of a stretch of a recording at the common level."""
    energy = max(float(collection.energy[low:high].mean()), 1e-24)
    gain = np.float32(min(LEVEL_RMS**2 / energy, MAX_GAIN**2))
    mel = collection.mel[low:high].astype(np.float32).reshape(-1, collection.mel.shape[2])
    return np.log10(1 + (np.power(np.float32(10), mel) - 1) * gain)
