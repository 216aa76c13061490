"""A reference → a seed: vectors of the music that a question is about."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from msgspec.structs import replace

from mess_plugin.config import Settings
from mess_plugin.encoders.base import Encoder
from mess_plugin.errors import AudioError, UsageError
from mess_plugin.facets import TrackFacets
from mess_plugin.model import Float32, Interval, Level, LevelVectors, Space, Track
from mess_plugin.search.alignment import Hear
from mess_plugin.search.references import (
    Recording,
    Ref,
    Reference,
    check_interval,
    find_track,
)
from mess_plugin.spaces.active_encoder import resolve_settings
from mess_plugin.spaces.recipe import Recipe, load_encoder
from mess_plugin.store import Store

if TYPE_CHECKING:
    from mess_plugin.analysis.hierarchy import Analysis
    from mess_plugin.library.hearing import Heard

_IDENTIFIED_BYTES = 200_000_000  # reading all packets of a larger file would outlast its hearing
_ENDLESS_S = 1e6


class Seed(msgspec.Struct, frozen=True):
    """Music that a question is about."""

    ref: str
    """As it was asked."""
    path: str | None
    """None for sound that lies in no file."""
    track: Track | None
    """None for what is not in the library."""
    duration_s: float
    levels: Mapping[Level, LevelVectors]
    """Its vectors in the space that is searched."""
    hear: Hear | None = None
    """Window vectors of any stretch; None where only the stored windows are at hand."""
    heard: TrackFacets | None = None
    """Facets of what is not in the library; None where it was not heard as a whole."""
    sound: Recording | None = None
    """The sound itself where it lies in no file."""

    @property
    def name(self) -> str:
        """For people."""
        return self.track.describe() if self.track else self.path or self.ref

    @property
    def excluded(self) -> tuple[int, ...]:
        """Tracks that must not answer: the seed itself."""
        return (self.track.id,) if self.track else ()


def resolve(
    store: Store,
    settings: Settings,
    space: Space,
    ref: Ref,
    interval: Interval | None = None,
) -> Seed:
    """Find the seed. Raises UsageError, with suggestions where words name no or several tracks.

    interval: the stretch that the question is about. Of a file that is not in the library only this
    stretch is heard (extended to one window where it is shorter); times stay those of the file.
    """
    if interval is not None:
        check_interval(interval)
    settings = resolve_settings(store, settings)
    if isinstance(ref, Recording):
        return _from_recording(store, settings, space, ref, interval)
    if isinstance(ref, Reference):
        return replace(resolve(store, settings, space, ref.target, interval), ref=ref.text)
    path = Path(os.path.expanduser(ref))  # noqa: PTH111  never raises
    if _is_there(path):
        return _from_file(store, settings, space, ref, path.absolute(), interval)
    return seed_of_track(store, space, ref, find_track(store, ref), None)


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def seed_of_track(store: Store, space: Space, ref: str, track_id: int, path: str | None) -> Seed:
    """A seed of a track of the library. Raises UsageError where it has no vectors in the space."""
    track = store.library.get([track_id]).get(track_id)
    if track is None:
        raise UsageError(f"there is no track {track_id} in the library")
    found = store.embeddings.levels(space, tuple(Level), [track_id])
    levels = {level: tracks[track_id] for level, tracks in found.items()}
    if not len(levels[Level.SONG].vectors):
        raise UsageError(
            f"{track.describe()} is not indexed with the encoder {space.encoder} yet: "
            f"run `mess index --encoder {space.encoder} {track.path}`"
        )
    return Seed(ref, path or track.path, track, track.duration_s, levels)


def _from_file(
    store: Store, settings: Settings, space: Space, ref: str, path: Path, interval: Interval | None
) -> Seed:
    known = store.library.find_path(str(path))
    if known is not None and known[0] is not None:
        return seed_of_track(store, space, ref, known[0], str(path))
    if known is not None and known[1]:
        raise UsageError(f"{path} could not be indexed: {known[1]}")
    return _heard_now(store, settings, space, ref, path, interval)


def _heard_now(
    store: Store, settings: Settings, space: Space, ref: str, path: Path, interval: Interval | None
) -> Seed:
    """Hear a file that the library does not know by this path; the same audio may be known."""
    from mess_plugin import audio  # noqa: PLC0415  a question about a known track needs neither
    from mess_plugin.library.hearing import hear  # noqa: PLC0415

    if interval is None or path.stat().st_size <= _IDENTIFIED_BYTES:
        track_id = store.library.find_identity(audio.identify(path))
        if track_id is not None and store.embeddings.has(space, track_id):
            return seed_of_track(store, space, ref, track_id, str(path))
    encoder, recipe = _encoder(settings), Recipe.of(settings)
    if interval is None:
        found = path.stat()
        whole = _heard_whole(path, (found.st_size, found.st_mtime_ns, found.st_ino), settings)
        seed = seed_of(store, encoder, space, whole.analysis, ref, str(path))
        return replace(seed, heard=whole.facets)
    part = _at_least(interval, settings.window_s)
    try:
        analysis = hear(path, encoder, recipe, settings.file_limit_s, part).analysis
    except AudioError as error:
        if error.kind != "empty":
            raise
        raise UsageError(f"{path} ends before {part.start_s:g} s") from error
    return seed_of(store, encoder, space, analysis, ref, str(path), part.start_s)


@lru_cache(maxsize=8)
def _heard_whole(path: Path, _version: tuple[int, int, int], settings: Settings) -> Heard:
    """Whoever steers asks about the same file again and again; hearing it takes seconds.

    Kept: 15 MB per hour of music, with mess-mini.
    """
    from mess_plugin.library.hearing import hear_whole  # noqa: PLC0415  as above

    return hear_whole(path, _encoder(settings), Recipe.of(settings), settings.file_limit_s)


def _from_recording(
    store: Store, settings: Settings, space: Space, sound: Recording, interval: Interval | None
) -> Seed:
    from mess_plugin.analysis.hierarchy import analyse  # noqa: PLC0415  as above
    from mess_plugin.audio.resampling import resample  # noqa: PLC0415
    from mess_plugin.facets.extract import hear_sound  # noqa: PLC0415

    encoder = _encoder(settings)
    analysis = analyse(
        resample(sound.waveform, sound.rate_hz, encoder.info.rate_hz),
        encoder,
        window_s=settings.window_s,
        hop_s=settings.hop_s,
        source=sound.name,
        coverage=settings.coverage,
    )
    seed = replace(seed_of(store, encoder, space, analysis, sound.name, None), sound=sound)
    if interval is not None:
        return seed
    return replace(seed, heard=hear_sound(sound.waveform, sound.rate_hz))


def seed_of(
    store: Store,
    encoder: Encoder,
    space: Space,
    analysis: Analysis,
    ref: str,
    path: str | None,
    start_s: float = 0.0,
) -> Seed:
    """A seed of what was just heard, with times that count from start_s before it began."""
    from mess_plugin.analysis.hierarchy import embed  # noqa: PLC0415  as above
    from mess_plugin.analysis.pooling import pool, project  # noqa: PLC0415
    from mess_plugin.spaces.vectors import project_into  # noqa: PLC0415

    shift_s = np.float32(start_s)
    shipped = encoder.projections.get(Level.WINDOW)
    fitted = store.spaces.projections(space).get(Level.WINDOW)

    def hear(intervals: Float32) -> Float32:
        pooled = pool(analysis.timeline, intervals - shift_s, encoder.info.pooling)
        raw = project(pooled, shipped)
        return raw if space.base_id is None else project(raw, fitted)

    levels = {level: embed(analysis, level, encoder.projections) for level in Level}
    if space.base_id is not None:
        levels = project_into(store, space, levels)
    moved = {
        level: replace(heard, intervals=heard.intervals + shift_s)
        for level, heard in levels.items()
    }
    return Seed(ref, path, None, start_s + analysis.duration_s, moved, hear)


def _at_least(interval: Interval, window_s: float) -> Interval:
    """A shorter stretch grows to the length of a stored window: the library has nothing shorter."""
    lacking_s = window_s - interval.duration_s
    if not 0 < lacking_s < window_s or interval.start_s < 0:
        return Interval(interval.start_s, min(interval.end_s, interval.start_s + _ENDLESS_S))
    start_s = max(0.0, interval.start_s - lacking_s / 2)
    return Interval(start_s, start_s + window_s)


def _encoder(settings: Settings) -> Encoder:
    return _loaded(Recipe.of(settings), settings)


@lru_cache(maxsize=1)
def _loaded(recipe: Recipe, settings: Settings) -> Encoder:
    """A server asks many questions with one encoder; loading it takes longer than most of them."""
    return load_encoder(recipe, settings)


def make_ready(settings: Settings) -> None:
    """Load the encoder now rather than at the first question. Raises EncoderError."""
    _encoder(settings)
