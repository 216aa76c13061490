"""Recordings → the spectra that training reads."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mess_plugin.audio import decode, probe
from mess_plugin.encoders.mini.spectra import (
    FRAME_SAMPLES,
    RATE_HZ,
    level_gain,
    scaled_spectra,
)
from mess_plugin.errors import AudioError
from mess_plugin.model import Float32, Interval

PART_FRAMES = 240  # a minute at a time bounds the memory

log = logging.getLogger(__name__)


def prepare(
    paths: Iterable[Path], albums: Sequence[str], folder: Path, longest_s: float = math.inf
) -> None:
    """Writes a collection (see `data`). A file that cannot be decoded is empty there, and logged.

    longest_s: how much of each recording, from its middle. Does nothing where the collection is
    complete.
    """
    if (folder / "albums.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    offsets, energies = [0], [np.zeros(0, np.float32)]
    with (folder / "mel.f16").open("wb") as mel, (folder / "tones.f16").open("wb") as tones:
        for path in paths:
            waveform = load_waveform(path, longest_s)
            n = len(waveform) // FRAME_SAMPLES
            offsets.append(offsets[-1] + n)
            if n == 0:
                continue
            waveform = waveform[: n * FRAME_SAMPLES]
            waveform = waveform * np.float32(level_gain(waveform))
            energies.append(np.square(waveform).reshape(n, -1).mean(axis=1))
            write_spectra(waveform, mel, tones)
    np.save(folder / "energy.npy", np.concatenate(energies))
    np.save(folder / "offsets.npy", np.array(offsets))
    (folder / "albums.json").write_text(json.dumps(list(albums)), "utf-8")


def write_spectra(waveform: Float32, mel: BinaryIO, tones: BinaryIO) -> None:
    """Appends the spectra of a recording, whole frames at its common level, to both files."""
    for start in range(0, len(waveform), PART_FRAMES * FRAME_SAMPLES):
        seen = scaled_spectra(waveform[start : start + PART_FRAMES * FRAME_SAMPLES])
        mel.write(seen.mel.astype(np.float16).tobytes())
        tones.write(seen.tones.astype(np.float16).tobytes())


def load_waveform(path: Path, longest_s: float) -> Float32:
    """The middle of a recording; nothing, and a line in the log, where it cannot be decoded."""
    try:
        with decode(path, RATE_HZ, interval=middle(path, longest_s)) as decoding:
            blocks = list(decoding)
    except AudioError as error:
        log.warning("left out: %s", error)
        return np.zeros(0, np.float32)
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def middle(path: Path, longest_s: float) -> Interval | None:
    """The stretch of a longer recording that is used; None for all of it."""
    duration_s = probe(path).duration_s if math.isfinite(longest_s) else None
    if duration_s is None or duration_s <= longest_s:
        return None
    start_s = (duration_s - longest_s) / 2
    return Interval(start_s, start_s + longest_s)
