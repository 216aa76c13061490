"""A request → matches, by the core's use case."""

from __future__ import annotations

import os

import msgspec
from msgspec.structs import replace

from mess_integrations.allowed_folders import AllowedFolders
from mess_integrations.osc.requests import (
    MAX_K,
    BadRequest,
    Excerpt,
    FileLookup,
    Options,
    TrackLookup,
)
from mess_plugin.config import Settings
from mess_plugin.errors import (
    AmbiguousReference,
    AudioError,
    EncoderError,
    MessError,
    ServiceError,
    StoreError,
    UsageError,
)
from mess_plugin.library.pathmap import PathMap
from mess_plugin.model import Interval, Level, Match
from mess_plugin.search import parsing, search
from mess_plugin.search.excerpts import write_one
from mess_plugin.search.references import Recording, find_track
from mess_plugin.search.seeds import Seed
from mess_plugin.store import Store
from mess_plugin.store.hosts import normalise_id

MOST_EXCERPTS = 200  # at most a minute each
HEARING_LIMIT_S = 30.0  # for a file that is not in the library
_JELLYFIN, _BEETS = "jellyfin:", "beets:"


class LookupTarget(msgspec.Struct, frozen=True):
    """What is looked up. is_known: the library can answer without hearing anything."""

    ref: str | Recording
    interval: Interval | None
    is_known: bool


def hurried(settings: Settings) -> Settings:
    """The settings with the time limit of an interactive lookup."""
    limit_s = min(settings.file_limit_s, HEARING_LIMIT_S)
    return msgspec.structs.replace(settings, file_limit_s=limit_s)


def locate(store: Store, roots: AllowedFolders, lookup: FileLookup | TrackLookup) -> LookupTarget:
    """Find what a lookup is about, opening nothing. Raises BadRequest 403, 404, 409."""
    if isinstance(lookup, TrackLookup):
        return LookupTarget(f"mess:{_track(store, lookup.ref)}", lookup.interval, is_known=True)
    if not lookup.path.startswith(os.sep):
        raise BadRequest(400, "the path must be absolute")
    path = os.path.normpath(lookup.path)
    if _is_indexed(store, path):
        return LookupTarget(path, lookup.interval, is_known=True)
    real = roots.find(store, path)
    if real is None:  # whether it exists is not told
        raise BadRequest(
            403, "this file is outside the folders that may be opened: see the setting roots"
        )
    if not real.is_file():
        raise BadRequest(404, f"no such file: {path}")
    return LookupTarget(str(real), lookup.interval, is_known=_is_indexed(store, str(real)))


def of_recording(sound: Recording) -> LookupTarget:
    """All of an upload."""
    duration_s = len(sound.waveform) / sound.rate_hz
    return LookupTarget(sound, Interval(0.0, duration_s), is_known=False)


def answer(
    store: Store, settings: Settings, question: LookupTarget, options: Options
) -> tuple[Match, ...]:
    """The matches, best first, at most k.

    What is excluded is left out after ranking, so as many more are asked for as it takes.
    """
    if question.interval is not None and options.scope is Level.SONG:
        raise BadRequest(400, "scope is song, but a stretch was given: leave one out")
    asked, query = options.k, parsing.query(options.words, remote=True)
    while True:
        found = search(
            store,
            settings,
            question.ref,
            query,
            k=asked,
            scope=options.scope,
            interval=question.interval,
        )
        seed = found.seeds[0].seed
        kept = [one for one in found.matches if _is_wanted(seed, one, options)]
        if len(kept) >= options.k or len(found.matches) < asked or asked >= MAX_K * 10:
            break
        asked = min(4 * asked, MAX_K * 10)
    return tuple(replace(one, rank=rank) for rank, one in enumerate(kept[: options.k], start=1))


def excerpt_of(store: Store, settings: Settings, asked: Excerpt) -> str:
    """Write a stretch of a track into the home's folder of excerpts; the path of the file.

    The folder keeps the newest MOST_EXCERPTS. Raises BadRequest 404, AudioError, UsageError.
    """
    track = store.library.get([number := _track(store, asked.ref)]).get(number)
    if track is None:
        raise BadRequest(404, f"no file of track {number} is there now")
    folder = settings.home / "excerpts"
    path = write_one(track, asked.interval, folder, PathMap.parse(settings.path_map))
    kept = sorted(folder.glob("*.wav"), key=lambda one: one.stat().st_mtime_ns)
    for old in kept[:-MOST_EXCERPTS]:
        old.unlink(missing_ok=True)
    return str(path)


def code_of(error: MessError) -> int:
    """The number that goes with an error, as HTTP has it."""
    if isinstance(error, BadRequest):
        return error.code
    if isinstance(error, AmbiguousReference):
        return 409
    if isinstance(error, AudioError):
        return 404 if error.kind == "missing" else 415
    if isinstance(error, UsageError):
        return 400
    if isinstance(error, StoreError | ServiceError | EncoderError):
        return 503
    return 500


def _track(store: Store, ref: str) -> int:
    """A track by the library's own number, by Jellyfin's id of an item, or by words."""
    if ref.startswith(_BEETS):
        raise BadRequest(404, "ids of beets are known to beets alone: send the path")
    if ref.startswith(_JELLYFIN):
        return _track_of_item(store, ref.removeprefix(_JELLYFIN))
    try:
        return find_track(store, ref)
    except AmbiguousReference:
        raise
    except UsageError as error:
        raise BadRequest(404, str(error)) from error


def _track_of_item(store: Store, item: str) -> int:
    """Ids come with or without dashes. Raises BadRequest saying what to do."""
    found = store.hosts.find_item(normalise_id(item))
    if found is None:
        raise BadRequest(
            404,
            f"no linked Jellyfin has an item {item}: run `mess jellyfin sync`, or send the path",
        )
    track_id, unmatched = found
    if track_id is None:
        reason = unmatched or "not-indexed: it is not matched yet"
        raise BadRequest(404, f"item {item} of Jellyfin is no track ({reason})")
    return track_id


def _is_indexed(store: Store, path: str) -> bool:
    known = store.library.find_path(path)
    return known is not None and known[0] is not None


def _is_wanted(seed: Seed, one: Match, options: Options) -> bool:
    if one.score < options.min_score:
        return False
    if seed.track is None or options.exclude == "self":
        return True
    own, other = seed.track.tags, one.track.tags
    if options.exclude == "artist":
        return not own.artist or own.artist != other.artist
    return not own.album or (own.album, own.album_artist) != (other.album, other.album_artist)
