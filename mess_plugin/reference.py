"""What a person means: a path, a track id, or words that name one track → a seed with vectors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mess_plugin.config import Settings
from mess_plugin.encoders.base import EncoderOptions
from mess_plugin.errors import AmbiguousReference, UsageError
from mess_plugin.model import Level, LevelVectors, Space, Track
from mess_plugin.recipe import Recipe
from mess_plugin.store import Store


@dataclass(frozen=True, slots=True)
class Seed:
    """What a question is about. track: None for a file that is not in the library.

    levels: its vectors in the search space.
    """

    ref: str
    path: str | None
    track: Track | None
    duration_s: float
    levels: Mapping[Level, LevelVectors]

    @property
    def name(self) -> str:
        """For people."""
        return self.track.describe() if self.track else str(self.path)

    @property
    def excluded(self) -> tuple[int, ...]:
        """Tracks that must not answer: the seed itself."""
        return (self.track.id,) if self.track else ()


def resolve(store: Store, settings: Settings, space: Space, ref: str) -> Seed:
    """Find the seed. Raises UsageError, with suggestions where words name no or several tracks."""
    path = Path(ref).expanduser()
    if _is_there(path):
        return _from_file(store, settings, space, ref, path.absolute())
    track_id = find_track(store, ref)
    return _from_library(store, space, ref, track_id, None)


def find_track(store: Store, ref: str) -> int:
    """The id of the track in the library that a reference names; errors as for `resolve`."""
    known = store.library.find_path(os.path.abspath(os.path.expanduser(ref)))  # noqa: PTH100, PTH111
    if known is not None and known[0] is not None:
        return known[0]
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
    if len(exact) == 1 and total <= len(found):
        return exact[0]
    more = [f"… and {total - len(found)} more"] if total > len(found) else []
    lines = [f"{i}  {tracks[i].describe()}" for i in candidates if i in tracks]
    if not found:
        raise UsageError(
            f"nothing is called {ref!r}; did you mean …?" + "".join(f"\n  {x}" for x in lines)
        )
    raise AmbiguousReference(ref, lines + more)


def _is_title(ref: str, track: Track) -> bool:
    return (track.tags.title or "").casefold() == ref.strip().casefold()


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _from_library(store: Store, space: Space, ref: str, track_id: int, path: str | None) -> Seed:
    track = store.library.get([track_id]).get(track_id)
    if track is None:
        raise UsageError(f"there is no track {track_id} in the library")
    levels = {level: store.embeddings.of_track(space, level, track_id) for level in Level}
    if not len(levels[Level.SONG].vectors):
        raise UsageError(
            f"{track.describe()} is not indexed with the encoder {space.encoder} yet: "
            f"run `mess index --encoder {space.encoder} {track.path}`"
        )
    return Seed(ref, path or track.path, track, track.duration_s, levels)


def _from_file(store: Store, settings: Settings, space: Space, ref: str, path: Path) -> Seed:
    known = store.library.find_path(str(path))
    if known is not None and known[0] is not None:
        return _from_library(store, space, ref, known[0], str(path))
    if known is not None and known[1]:
        raise UsageError(f"{path} could not be indexed: {known[1]}")
    return _heard_now(store, settings, space, ref, path)


def _heard_now(store: Store, settings: Settings, space: Space, ref: str, path: Path) -> Seed:
    """Hear a file that the library does not know by this path; the same audio may be known."""
    from mess_plugin import audio, encoders  # noqa: PLC0415  a question about a known track needs neither
    from mess_plugin.analysis import embed  # noqa: PLC0415
    from mess_plugin.indexing import hear, project_into  # noqa: PLC0415

    track_id = store.library.find_identity(audio.identify(path))
    if track_id is not None and store.embeddings.has(space, track_id):
        return _from_library(store, space, ref, track_id, str(path))
    options = EncoderOptions(layers=settings.layers, device=settings.device)
    encoder = encoders.load(settings.encoder, options)
    analysis = hear(path, encoder, Recipe.of(settings), settings.file_limit_s).analysis
    levels = {level: embed(analysis, level, encoder.projections) for level in Level}
    if space.base_id is not None:
        levels = project_into(store, space, levels)
    return Seed(ref, str(path), None, analysis.duration_s, levels)
