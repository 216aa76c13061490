"""What a question is about: a path, a track id, words, or bare sound → a seed with vectors."""

from __future__ import annotations

import math
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
from mess_plugin.errors import AmbiguousReference, AudioError, UsageError
from mess_plugin.facets import TrackFacets
from mess_plugin.folding import fold, same
from mess_plugin.model import Float32, Interval, Level, LevelVectors, Space, Track, Waveform
from mess_plugin.search.alignment import Hear
from mess_plugin.spaces.recipe import Recipe, load_encoder
from mess_plugin.store import Store

if TYPE_CHECKING:
    from mess_plugin.analysis.hierarchy import Analysis

_IDENTIFIED_BYTES = 200_000_000  # reading all packets of a larger file would outlast its hearing
_ENDLESS_S = 1e6


class Recording(msgspec.Struct, frozen=True):
    """Sound that lies in no file: (n_samples,) mono at `rate_hz`, and a name for people."""

    name: str
    waveform: Waveform
    rate_hz: int


class Seed(msgspec.Struct, frozen=True):
    """What a question is about. track, path: None for what is not in the library, in no file.

    levels: its vectors in the search space. heard: facets of what is not in the library, None where it
    was not heard as a whole. hear: window vectors of any of its stretches; None where
    only the stored windows are at hand.
    """

    ref: str
    path: str | None
    track: Track | None
    duration_s: float
    levels: Mapping[Level, LevelVectors]
    hear: Hear | None = None
    heard: TrackFacets | None = None

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
    ref: str | Recording,
    interval: Interval | None = None,
) -> Seed:
    """Find the seed. Raises UsageError, with suggestions where words name no or several tracks.

    interval: the stretch that the question is about. Of a file that is not in the library only this
    stretch is heard (with what it lacks of one window around it); times stay those of the file.
    """
    if interval is not None:
        _check(interval)
    if isinstance(ref, Recording):
        return _from_recording(store, settings, space, ref, interval)
    path = Path(os.path.expanduser(ref))  # noqa: PTH111  never raises
    if _is_there(path):
        return _from_file(store, settings, space, ref, path.absolute(), interval)
    track_id = find_track(store, ref)
    return seed_of_track(store, space, ref, track_id, None)


def _check(interval: Interval) -> None:
    """Raise UsageError for a stretch that no recording has, before anything is heard."""
    start_s, end_s = interval.start_s, interval.end_s
    for name, value_s in (("start", start_s), ("end", end_s)):
        if math.isnan(value_s):
            raise UsageError(f"the {name} of the section is {value_s}: wanted a number of seconds")
    if start_s >= end_s:
        raise UsageError(f"the section ends ({end_s:g} s) before it starts ({start_s:g} s)")
    if start_s < 0:
        raise UsageError(f"the section starts at {start_s:g} s: wanted 0 or more")


def find_track(store: Store, ref: str) -> int:
    """The id of the track in the library that a reference names; errors as for `resolve`."""
    if not fold(ref):
        raise UsageError(f"{ref!r} names nothing: give a path, a track id or a title")
    known = store.library.find_path(os.path.abspath(os.path.expanduser(ref)))  # noqa: PTH100, PTH111
    if known is not None and known[0] is not None:
        return known[0]
    if known is not None and known[1]:
        raise UsageError(f"{ref} could not be indexed: {known[1]}")
    number = ref.removeprefix("mess:")
    if (
        number.isascii()
        and number.isdigit()
        and len(number) < 19
        and store.library.get([int(number)])
    ):
        return int(number)
    if os.sep in ref and known is None and Path(ref).suffix:
        raise UsageError(f"no such file: {ref}, neither on disk nor in the library")
    found, total = store.library.find_words(ref)
    if total == 1:
        return found[0]
    candidates = found or store.library.find_resembling(ref)
    if not candidates:
        raise UsageError(
            f"nothing in the library is called {ref!r}: give a path, a track id or a title"
        )
    tracks = store.library.get(candidates)
    exact = [i for i in found if _is_title(ref, tracks[i])]
    if len(exact) == 1:  # titles come first, so there is no other among those left out
        return exact[0]
    more = [f"… and {total - len(found)} more"] if total > len(found) else []
    lines = [f"{i}  {tracks[i].describe()}" for i in candidates if i in tracks]
    if not found:
        raise UsageError(
            f"nothing is called {ref!r}; did you mean …?" + "".join(f"\n  {x}" for x in lines)
        )
    raise AmbiguousReference(ref, lines + more)


def find_pair(store: Store, ref: str, other: str) -> tuple[int, int]:
    """The ids of two different tracks; errors as for `resolve`, and where both are the same."""
    pair = find_track(store, ref), find_track(store, other)
    if pair[0] == pair[1]:
        raise UsageError(f"{ref!r} and {other!r} are the same track")
    return pair


def _is_title(ref: str, track: Track) -> bool:
    return same(track.tags.title, ref)


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
    from mess_plugin.library.index import hear, hear_whole  # noqa: PLC0415

    if interval is None or path.stat().st_size <= _IDENTIFIED_BYTES:
        track_id = store.library.find_identity(audio.identify(path))
        if track_id is not None and store.embeddings.has(space, track_id):
            return seed_of_track(store, space, ref, track_id, str(path))
    encoder, recipe = _encoder(settings), Recipe.of(settings)
    if interval is None:
        whole = hear_whole(path, encoder, recipe, settings.file_limit_s)
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
    seed = seed_of(store, encoder, space, analysis, sound.name, None)
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
    from mess_plugin.library.index import project_into  # noqa: PLC0415

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
