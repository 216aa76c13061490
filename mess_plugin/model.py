"""The values that MESS passes around: frozen, with units in their names."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec
import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]
Waveform = Float32
"""(n_samples,) mono, nominally in [-1, 1], at the encoder's rate."""


class Level(StrEnum):
    """A level of the hierarchy. Vectors of two levels are never compared."""

    SONG = "song"
    SECTION = "section"
    WINDOW = "window"


class Interval(msgspec.Struct, frozen=True):
    """A stretch of a track, half open: start_s <= t < end_s, in seconds."""

    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s

    def overlap_s(self, other: Interval) -> float:
        """Seconds shared with another stretch, 0 where they do not meet."""
        return max(0.0, min(self.end_s, other.end_s) - max(self.start_s, other.start_s))


class Tags(msgspec.Struct, frozen=True):
    """What a file says about itself. Every field may be missing. rating: in stars, 0 to 5."""

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    album_artist: str | None = None
    genre: str | None = None
    year: int | None = None
    track_number: int | None = None
    bpm: float | None = None
    key: str | None = None
    musicbrainz_recording: str | None = None
    musicbrainz_release: str | None = None
    language: str | None = None
    rating: float | None = None


class Timeline(msgspec.Struct, frozen=True):
    """The joined frames of a whole recording at a low, even rate.

    frames: (n_frames, dim) float32, as the encoder gave them, averaged within each step.
    rate_hz: steps per second.
    loudness_db: (n_frames,) float32, RMS level in dB relative to full scale, for silence and energy.
    duration_s: of the recording; the last step may reach beyond it.
    """

    frames: Float32
    rate_hz: float
    loudness_db: Float32
    duration_s: float


class Projection(msgspec.Struct, frozen=True):
    """An affine map of pooled vectors followed by scaling to unit length.

    mean: (d_in,) float32, subtracted first; matrix: (d_in, d_out) float32; version: a name that
    changes whenever the numbers do.
    """

    mean: Float32
    matrix: Float32
    version: str


class Peaks(msgspec.Struct, frozen=True):
    """The waveform of a recording as a person sees it: an even division of its time."""

    duration_s: float
    highest: Bytes
    """(n,) the highest absolute sample of each step: 0 is silence, 255 full scale or more."""
    level: Bytes
    """(n,) the root of the mean square of each step, on the same scale."""


class LevelVectors(msgspec.Struct, frozen=True):
    """The vectors of one level of one recording.

    intervals: (n, 2) float32 in seconds; vectors: (n, dim) float32, unit length;
    labels: n strings for sections ("A", "B", …), empty strings elsewhere.
    """

    intervals: Float32
    vectors: Float32
    labels: Sequence[str] = msgspec.field(default=())


class Space(msgspec.Struct, frozen=True):
    """Where vectors live. Vectors of two spaces are never compared.

    `base_id` names the raw space that a projected space was computed from; None for a raw one.
    """

    id: int
    encoder: str
    revision: str
    layers: str
    pooling: str
    window_s: float
    hop_s: float
    dim: int
    projection: str = "none"
    base_id: int | None = None

    @property
    def name(self) -> str:
        """One line that identifies the space to people and in JSON."""
        windows = f"{self.window_s:g}s/{self.hop_s:g}s"
        return (
            f"{self.encoder}@{self.revision}:{self.layers}:{self.pooling}:{windows}"
            f":{self.projection}"
        )

    def searched_every(self, level: Level) -> int:
        """Every how many-th vector of a track looks for candidates and is in the index.

        Windows overlap; those that only touch each other hold the whole recording, in half as many
        vectors at the usual window of two hops. The closer look takes all of them.
        """
        touching = max(1, int(self.window_s / self.hop_s + 1e-9))
        return touching if level is Level.WINDOW else 1


class Track(msgspec.Struct, frozen=True):
    """One recording in the library: its audio, wherever it lies.

    `paths` are its locations that are there now, as text (surrogate escapes for odd bytes).
    """

    id: int
    duration_s: float
    tags: Tags
    paths: tuple[str, ...] = ()
    damage: str | None = None
    """What was wrong with its sound when it was indexed, None for nothing."""

    @property
    def path(self) -> str | None:
        """The first location, None where every location has vanished."""
        return self.paths[0] if self.paths else None

    @property
    def title(self) -> str:
        """The title, else the file's name; never a whole path."""
        return self.tags.title or (self.path or "").rpartition("/")[2] or f"track {self.id}"

    def describe(self) -> str:
        """ "Artist – Title (Album)", with the file's name in place of a missing title."""
        artist = f"{self.tags.artist} – " if self.tags.artist else ""
        album = f" ({self.tags.album})" if self.tags.album else ""
        return f"{artist}{self.title}{album}"


class Reason(msgspec.Struct, frozen=True):
    """Why a match matched, from the computation itself.

    kind: a stable word; value: the number behind it; text: the same for people.
    """

    kind: str
    value: float
    text: str
    likeness: float | None = None
    """Of a part of the score: how alike the two are in it, at most 1. Of tempo and key: 1 where they go
    together, else 0. None for other reasons."""


class Match(msgspec.Struct, frozen=True):
    """One answer. score in [0, 1]; intervals are the best-matching pair of stretches.

    likeness: the share of random pairs of the library that are less alike, in [0, 1]; None where the
    library is too small to say. confidence: how far the answer stands out, in [0, 1]; None where that
    is not asked. repeats: other stretches of the same track that sound the same as match_section.
    """

    rank: int
    score: float
    track: Track
    query_section: Interval | None
    match_section: Interval | None
    reasons: tuple[Reason, ...] = ()
    confidence: float | None = None
    repeats: tuple[Interval, ...] = ()
    likeness: float | None = None
