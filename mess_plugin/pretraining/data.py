"""Spectra of a music collection on disk, and windows drawn from them.

A folder holds `mel.f16` and `tones.f16` (all recordings end to end, as encoded, every recording at
one level), `energy.npy` (mean square of each frame), `offsets.npy` (first frame of each recording,
then the end), `albums.json` (a name per recording) and, once a teacher has listened,
`teacher-LABEL.npy` (its features of each frame). `mel-coded.f16` and `tones-coded.f16` are the same
recordings after a lossy codec, where such were made (`coded`).
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import torch

from mess_plugin.encoders.mini.spectra import (
    LEVEL_RMS,
    MAX_GAIN,
    MELS_PER_FRAME,
    N_MELS,
    N_TONES,
    TONES_PER_FRAME,
)
from mess_plugin.pretraining.augment import Batch

FAR_DRAWS = 4  # tries to find a place far from another


class Place(msgspec.Struct, frozen=True):
    """n_source frames of the whole collection from `start` on, all of one recording."""

    track: int
    start: int
    n_source: int


class Collection:
    """Memory-mapped spectra, and what one teacher said of them."""

    def __init__(self, folder: Path, teacher: str | None = None) -> None:
        """teacher: its label; without one there are no features."""
        self.offsets = np.load(folder / "offsets.npy")
        self.energy = np.load(folder / "energy.npy")
        self.albums: list[str] = json.loads((folder / "albums.json").read_text("utf-8"))
        self.mel, self.tones = _mapped(folder / "mel.f16", folder / "tones.f16")
        files = coded_files(folder)
        self.coded = _mapped(*files) if files[0].exists() else None
        self.teacher_label = teacher
        self.teacher: np.ndarray | None = None
        if teacher is not None:
            self.teacher = np.load(teacher_file(folder, teacher), mmap_mode="r")

    def window(
        self, place: Place, n_frames: int, *, coded: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mel (16 n, 96) and tones (4 n, 96) at the common level, stretched to n_frames.

        coded: as a lossy codec left them. ValueError where no such copies were made.
        """
        if coded and self.coded is None:
            raise ValueError("the collection has no coded copies")
        mel, tones = self.coded if coded and self.coded else (self.mel, self.tones)
        frames = slice(place.start, place.start + place.n_source)
        gain = min(LEVEL_RMS**2 / max(float(self.energy[frames].mean()), 1e-24), MAX_GAIN**2)
        return (
            _stretched(mel[frames], n_frames, gain),
            _stretched(tones[frames], n_frames, gain),
        )

    def taught(self, place: Place, n_frames: int) -> np.ndarray:
        """The teacher's features of the same frames: (n_frames, width)."""
        if self.teacher is None:
            raise ValueError("the collection has no teacher's features")
        at = place.start + np.arange(n_frames) * place.n_source // n_frames
        return self.teacher[at].astype(np.float32)

    def batch(self, places: list[Place], n_frames: int, *, coded: bool = False) -> Batch:
        """Windows of several places."""
        pairs = [self.window(place, n_frames, coded=coded) for place in places]
        mel, tones = (np.stack(x) for x in zip(*pairs, strict=True))
        return Batch(torch.from_numpy(mel), torch.from_numpy(tones))


def teacher_file(folder: Path, label: str) -> Path:
    """Where the features of a teacher lie."""
    return folder / f"teacher-{label.replace('/', '-')}.npy"


def coded_files(folder: Path) -> tuple[Path, Path]:
    """Where the spectra of the coded copies lie: mel and tones."""
    return folder / "mel-coded.f16", folder / "tones-coded.f16"


def _mapped(mel: Path, tones: Path) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.memmap(mel, np.float16, "r").reshape(-1, MELS_PER_FRAME, N_MELS),
        np.memmap(tones, np.float16, "r").reshape(-1, TONES_PER_FRAME, N_TONES),
    )


def _stretched(spectra: np.ndarray, n_frames: int, gain: float) -> np.ndarray:
    """(frames, per frame, bands) → (n_frames * per frame, bands), nearest in time."""
    n_source, per_frame, bands = spectra.shape
    at = (np.arange(n_frames * per_frame) + 0.5) * n_source / n_frames
    chosen = spectra.reshape(-1, bands)[at.astype(np.int64)].astype(np.float32)
    chosen *= np.float32(np.log(10))
    np.exp(chosen, out=chosen)  # vector instructions, unlike 10 ** x and log10
    chosen *= np.float32(gain)
    chosen += np.float32(1 - gain)
    np.log(np.maximum(chosen, 1, out=chosen), out=chosen)
    chosen *= np.float32(1 / np.log(10))
    return chosen


class Sampler:
    """Draws batches: pairs of windows of one recording, some recordings of one album."""

    def __init__(self, collection: Collection, tracks: list[int], n_frames: int, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.collection, self.n_frames = collection, n_frames
        lengths = np.diff(collection.offsets)
        self.albums: dict[str, list[int]] = {}
        for track in tracks:
            if lengths[track] >= 2 * n_frames:
                self.albums.setdefault(collection.albums[track], []).append(track)
        self.names = sorted(self.albums)
        sizes = np.sqrt([len(self.albums[name]) for name in self.names])
        self.chances = sizes / sizes.sum()

    def tracks(self, n: int) -> list[int]:
        """Draw n recordings, two of each album where it has two."""
        chosen: list[int] = []
        for name in self.rng.choice(len(self.names), n, p=self.chances):
            album = self.albums[self.names[name]]
            picked = self.rng.choice(album, min(2, len(album)), replace=False)
            chosen.extend(int(t) for t in picked if t not in chosen)
        return chosen[:n]

    def place(self, track: int, tempo: float) -> Place:
        """Somewhere in a recording. tempo: above 1 plays faster."""
        first, end = self.collection.offsets[track : track + 2]
        n_source = min(round(self.n_frames * tempo), int(end - first))
        return Place(track, int(self.rng.integers(first, end - n_source + 1)), n_source)

    def far(self, place: Place, tempo: float) -> Place:
        """Another place of the recording, where it can be at least a window's length away."""
        others = [self.place(place.track, tempo) for _ in range(FAR_DRAWS)]
        gaps = [abs(other.start - place.start) for other in others]
        return next(
            (o for o, gap in zip(others, gaps, strict=True) if gap >= 2 * self.n_frames),
            others[int(np.argmax(gaps))],
        )

    def draw(self, n: int, tempo: float) -> tuple[list[Place], list[Place]]:
        """Two places far from each other in each of n recordings, each at its own tempo.

        tempo: the tempo is drawn within 1 ± this.
        """
        chosen = self.tracks(n)
        draws = 1 + self.rng.uniform(-tempo, tempo, (2, len(chosen)))
        first = [self.place(t, d) for t, d in zip(chosen, draws[0], strict=True)]
        return first, [self.far(p, d) for p, d in zip(first, draws[1], strict=True)]
