"""Made-up tracks that are clustered as music is: around centres, in a subspace, drifting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mess_plugin.analysis.pooling import unit
from mess_plugin.model import Float32, Level, LevelVectors

CLUSTERS, SUBSPACE = 2000, 32
HOP_S, WINDOW_S = 2.5, 5.0


@dataclass(frozen=True, slots=True)
class Music:
    """Synthetic tracks: songs (n, dim); windows of one at a time, always the same ones."""

    songs: Float32
    n_windows: int
    seed: int

    @classmethod
    def make(cls, n_tracks: int, n_windows: int, dim: int, seed: int) -> Music:
        """Draw n tracks around the clusters."""
        rng = np.random.default_rng(seed)
        basis = rng.standard_normal((SUBSPACE, dim)) / np.sqrt(SUBSPACE)
        centres = rng.standard_normal((CLUSTERS, dim))
        own = rng.standard_normal((n_tracks, SUBSPACE)) @ basis * 0.7
        spread = rng.standard_normal((n_tracks, dim)) * 0.35
        songs = centres[rng.integers(CLUSTERS, size=n_tracks)] + own + spread
        return cls(unit(songs.astype(np.float32)), n_windows, seed)

    def windows(self, track: int) -> Float32:
        """The windows of a track drift around its song vector."""
        rng = np.random.default_rng([self.seed, track])
        drift = rng.standard_normal((self.n_windows, self.songs.shape[1])).astype(np.float32)
        smooth = np.cumsum(drift, axis=0) / np.sqrt(np.arange(1, len(drift) + 1))[:, None]
        return unit(self.songs[track] + 0.035 * (smooth + drift))

    @property
    def length_s(self) -> float:
        """Of every track."""
        return WINDOW_S + HOP_S * max(0, self.n_windows - 1)

    def levels(self, track: int) -> dict[Level, LevelVectors]:
        """All vectors of a track: the song, three sections, the windows."""
        whole = np.array([[0.0, self.length_s]], dtype=np.float32)
        levels = {Level.SONG: LevelVectors(whole, self.songs[track : track + 1])}
        if not self.n_windows:
            return levels
        windows = self.windows(track)
        starts_s = np.arange(self.n_windows, dtype=np.float32) * HOP_S
        grid = np.stack((starts_s, starts_s + WINDOW_S), axis=1)
        edges = np.linspace(0, self.length_s, 4, dtype=np.float32)
        thirds = np.stack([third.mean(axis=0) for third in np.array_split(windows, 3)])
        parts = LevelVectors(
            np.stack((edges[:-1], edges[1:]), axis=1), unit(thirds), ("A", "B", "C")
        )
        return levels | {Level.WINDOW: LevelVectors(grid, windows), Level.SECTION: parts}
