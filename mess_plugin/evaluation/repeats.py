"""Finds repeats within a recording: finding another repeat of a loop is not a wrong answer."""

from __future__ import annotations

import msgspec
import numpy as np

from mess_plugin.features.spectra import (
    FFT_SAMPLES,
    HOP_SAMPLES,
    RATE_HZ,
    loudness_normalised,
    spectra,
)
from mess_plugin.model import Float32, Waveform

SAME_SOUND = 0.9  # correlation of mel spectrograms above which an excerpt repeats
_FRAMES_PER_S = 8.0


class Repeats(msgspec.Struct, frozen=True):
    """Finds where an excerpt of a recording is repeated, note for note.

    Compares mel spectrograms at 8 frames per second; no encoder under test takes part.
    """

    mel_db: Float32
    """(n_frames, bands) of the whole recording."""

    @classmethod
    def of(cls, waveform: Waveform) -> Repeats:
        """From a recording: mono at 24 kHz, at least 0.1 s."""
        fine = spectra(loudness_normalised(waveform)).mel_db
        per_frame = round(RATE_HZ / HOP_SAMPLES / _FRAMES_PER_S)
        n_frames = max(1, len(fine) // per_frame)
        whole = fine[: n_frames * per_frame]
        return cls(whole.reshape(n_frames, -1, fine.shape[1]).mean(axis=1))

    def starts_s(self, start_s: float, length_s: float) -> Float32:
        """Where the excerpt begins, and all places at which it sounds the same: (n,) seconds.

        The same: the correlation over time and frequency, after subtracting the recording's mean
        spectrum, is at least SAME_SOUND.
        """
        shift = FFT_SAMPLES / 2 / RATE_HZ
        first = max(0, round((start_s - shift) * _FRAMES_PER_S))
        length = max(1, round(length_s * _FRAMES_PER_S))
        movement = self.mel_db - self.mel_db.mean(axis=0)
        excerpt = movement[first : first + length]
        n_places = len(movement) - len(excerpt) + 1
        places = np.lib.stride_tricks.sliding_window_view(movement, len(excerpt), axis=0)
        products = np.einsum("pbt,tb->p", places, excerpt)
        energy = np.concatenate([[0.0], np.cumsum(np.square(movement).sum(axis=1))])
        energies = energy[len(excerpt) :][:n_places] - energy[:n_places]
        length_product = np.sqrt(np.maximum(energies, 0) * np.square(excerpt).sum())
        alike = products >= SAME_SOUND * np.maximum(length_product, 1e-9)
        return np.append(np.flatnonzero(alike) / _FRAMES_PER_S, start_s).astype(np.float32)
