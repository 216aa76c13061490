"""Copies of the recordings that went through a lossy codec, as spectra that training reads.

What a codec takes away depends on what masks what, which holes in a spectrum only imitate
(`augment.Augment.codec`). Each recording is encoded once, by a codec and at a bit rate drawn for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mess_plugin.encoders.mini.spectra import FRAME_SAMPLES, RATE_HZ, level_gain
from mess_plugin.evaluation.codec import through_codec
from mess_plugin.model import Waveform
from mess_plugin.pretraining.data import Collection, coded_files
from mess_plugin.pretraining.prepare import load_waveform, write_spectra

BIT_RATES = {"mp3": (24_000, 96_000), "opus": (12_000, 48_000)}


def prepare_coded(
    paths: Iterable[Path], folder: Path, longest_s: float = math.inf, seed: int = 0
) -> None:
    """Writes the coded copies beside a collection of the same recordings. Skips what exists.

    longest_s: as the collection was prepared with.
    """
    mel_file, tones_file = coded_files(folder)
    if mel_file.exists():
        return
    n_frames = np.diff(Collection(folder).offsets)
    partial = [file.with_suffix(".partial") for file in (mel_file, tones_file)]
    with partial[0].open("wb") as mel, partial[1].open("wb") as tones:
        for number, (path, n) in enumerate(zip(paths, n_frames, strict=True)):
            if n == 0:  # it could not be decoded
                continue
            waveform = load_waveform(path, longest_s)[: n * FRAME_SAMPLES]
            coded = worn(waveform, np.random.default_rng((seed, number)))
            write_spectra(coded * np.float32(level_gain(waveform)), mel, tones)
    partial[1].replace(tones_file)
    partial[0].replace(mel_file)  # last, since it tells that both are complete


def worn(waveform: Waveform, rng: np.random.Generator) -> Waveform:
    """Through a codec and at a bit rate of BIT_RATES by chance, even in octaves."""
    name = str(rng.choice(sorted(BIT_RATES)))
    low, high = np.log(BIT_RATES[name])
    return through_codec(waveform, RATE_HZ, name, round(math.exp(rng.uniform(low, high))))
