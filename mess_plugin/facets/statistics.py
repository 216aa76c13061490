"""Blocks of sound → the statistics that all facets are computed from, in one pass.

Sound is taken in blocks of 5 s whose level is evened out, so that gain does not matter. What is
kept grows by about 3 kB per second of music: ten hours fit into 110 MB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
import numpy as np
import numpy.typing as npt

from mess_plugin.analysis.windows import SILENCE_DB
from mess_plugin.features import harmony, rhythm, timbre
from mess_plugin.features.power import energies
from mess_plugin.features.spectra import (
    HOP_SAMPLES,
    RATE_HZ,
    SPECTRA_PER_S,
    loudness_normalised,
    spectra,
)
from mess_plugin.model import Float32, Waveform

FACET_RATE_HZ = RATE_HZ
BLOCK_S = 5
ONSETS_HZ = SPECTRA_PER_S  # 48
CHROMA_HZ = RATE_HZ / harmony.HOP_SAMPLES  # 8
COURSE_HZ = 4
_BLOCK_SAMPLES = BLOCK_S * RATE_HZ
_OVERLAP_SAMPLES = harmony.FFT_SAMPLES - harmony.HOP_SAMPLES  # the longest spectrum reaches over
_SHORTEST_SAMPLES = RATE_HZ // 2
_SPECTRA = _BLOCK_SAMPLES // HOP_SAMPLES
_CHROMA = _BLOCK_SAMPLES // harmony.HOP_SAMPLES
_COURSE = BLOCK_S * COURSE_HZ
SHAPES = timbre.CEPSTRA + len(timbre.CONTRAST_EDGES_HZ) - 1 + 2
"""Cepstra, contrast, centroid and flatness: what a spectrum looks like apart from its level."""


class Sketch(msgspec.Struct, frozen=True):
    """What was heard of a recording; courses cover all of it, the rest what sounds of it."""

    shape_mean: Float32
    """(SHAPES,), of the spectra whose step of the course sounds."""
    periods: Float32
    """(n, 18), a row for each block that sounds: see `features.rhythm.periodicity`."""
    modulations: Float32
    """(n, 30), likewise: see `features.rhythm.modulation`."""
    onsets: Float32
    """(n,) onset strength at ONSETS_HZ, 0 in silent blocks."""
    chroma: Float32
    """(n, 12) at CHROMA_HZ, C first, of unit length or zero."""
    tonalness: Float32
    """(n,) in dB, at CHROMA_HZ."""
    course: Float32
    """(n, SHAPES + 12) at COURSE_HZ: shapes and chroma."""
    level_db: Float32
    """(n,) RMS level re full scale at COURSE_HZ."""
    duration_s: float

    def sounding(self, n_rows: int, rate_hz: float) -> npt.NDArray[np.bool_]:
        """Which of n_rows at this rate lie in a step of the course above SILENCE_DB: (n_rows,)."""
        steps = (np.arange(n_rows) * (COURSE_HZ / rate_hz)).astype(int)
        steps = np.minimum(steps, len(self.level_db) - 1)
        return np.asarray(self.level_db[steps] >= SILENCE_DB)


class Sketcher:
    """Takes sound at RATE_HZ and gives a sketch of it."""

    def __init__(self) -> None:
        self._buffer = np.empty(0, dtype=np.float32)
        self._n_samples = 0
        self._count = 0
        self._sum = np.zeros(SHAPES)
        self._rows: dict[str, list[Float32]] = {
            name: []
            for name in (
                "periods",
                "modulations",
                "onsets",
                "chroma",
                "tonalness",
                "course",
                "level",
            )
        }

    def overhear(self, blocks: Iterable[Waveform]) -> Iterator[Waveform]:
        """Pass a stream on unchanged, and take it in by the way."""
        for block in blocks:
            self.add(block)
            yield block

    def add(self, block: Waveform) -> None:
        """Take (n,) float32 samples."""
        self._n_samples += len(block)
        self._buffer = np.concatenate((self._buffer, block))
        while len(self._buffer) >= _BLOCK_SAMPLES + _OVERLAP_SAMPLES:
            self._describe(self._buffer[: _BLOCK_SAMPLES + _OVERLAP_SAMPLES])
            self._buffer = self._buffer[_BLOCK_SAMPLES:]

    def finish(self) -> Sketch | None:
        """The sketch; None where there was less than half a second of sound, or only silence."""
        if len(self._buffer) >= _SHORTEST_SAMPLES:
            self._describe(self._buffer)
        self._buffer = np.empty(0, dtype=np.float32)
        if not self._count:
            return None
        return Sketch(
            shape_mean=(self._sum / self._count).astype(np.float32),
            # Taken out one by one: of hours, all rows twice would be a hundred megabytes.
            periods=np.stack(self._rows.pop("periods")),
            modulations=np.stack(self._rows.pop("modulations")),
            onsets=np.concatenate(self._rows.pop("onsets")),
            chroma=np.concatenate(self._rows.pop("chroma")),
            tonalness=np.concatenate(self._rows.pop("tonalness")),
            course=np.concatenate(self._rows.pop("course")),
            level_db=np.concatenate(self._rows.pop("level")),
            duration_s=self._n_samples / RATE_HZ,
        )

    def _describe(self, samples: Waveform) -> None:
        n_core = min(len(samples), _BLOCK_SAMPLES)
        share = n_core / _BLOCK_SAMPLES
        n_spectra, n_chroma, n_course = (
            max(1, round(n * share)) for n in (_SPECTRA, _CHROMA, _COURSE)
        )
        level_db = _levels_db(samples[:n_core], n_course)
        self._rows["level"].append(level_db)
        normalised = loudness_normalised(samples)
        spectrum = spectra(normalised)
        harmonies, _times = harmony.harmony(normalised)
        harmonies = _fit(harmonies, n_chroma)
        shapes = np.hstack(
            [timbre.cepstra(spectrum), timbre.contrast(spectrum), timbre.shape(spectrum)[:, 1:]]
        )
        onsets = _fit(rhythm.onset_strength(spectrum), n_spectra)
        if level_db.max() >= SILENCE_DB:
            steps = np.minimum((spectrum.times_s * COURSE_HZ).astype(int), n_course - 1)
            sounding = shapes[level_db[steps] >= SILENCE_DB]
            self._count += len(sounding)
            self._sum += sounding.sum(axis=0, dtype=np.float64)
            self._rows["periods"].append(rhythm.periodicity(onsets))
            self._rows["modulations"].append(rhythm.modulation(spectrum))
        else:
            harmonies, onsets, shapes = (np.zeros_like(x) for x in (harmonies, onsets, shapes))
        self._rows["onsets"].append(onsets.mean(axis=1))
        self._rows["chroma"].append(np.roll(harmonies[:, :12], -3, axis=1))  # from A to C first
        self._rows["tonalness"].append(harmonies[:, 18].copy())
        course = np.hstack([_averaged(shapes, n_course), _averaged(harmonies[:, :12], n_course)])
        self._rows["course"].append(course)


def _fit(rows: Float32, n_rows: int) -> Float32:
    """Exactly n_rows rows: the surplus at the end is cut, the last one repeated if too few."""
    if len(rows) >= n_rows:
        return rows[:n_rows]
    return np.concatenate([rows, np.repeat(rows[-1:], n_rows - len(rows), axis=0)])


def _averaged(rows: Float32, n_rows: int) -> Float32:
    """Rows averaged in n_rows even stretches; a stretch without a row takes the one before."""
    edges = np.linspace(0, len(rows), n_rows + 1).astype(int)
    # A stretch without a row begins where the next one does, and takes the row that lies there.
    sums = np.add.reduceat(rows, edges[:-1], axis=0)
    return np.asarray(sums / np.maximum(np.diff(edges), 1)[:, None], dtype=np.float32)


def _levels_db(samples: Waveform, n_steps: int) -> Float32:
    edges = np.linspace(0, len(samples), n_steps + 1).astype(int)
    mean = energies(samples, edges) / np.maximum(np.diff(edges), 1)
    return (10 * np.log10(np.maximum(mean, 1e-12))).astype(np.float32)
