"""What a person types to name music: a path, a track id, words, or bare sound."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Protocol, TypeAlias

import msgspec

from mess_plugin.errors import AmbiguousReference, UsageError
from mess_plugin.folding import fold, same
from mess_plugin.model import Interval, Track, Waveform
from mess_plugin.store import Store

_LOOKED_AT, _SHOWN = 200, 8  # tracks that contain all the words: looked at for exact names, told


class Recording(msgspec.Struct, frozen=True):
    """Sound that lies in no file."""

    name: str
    """For people."""
    waveform: Waveform
    """(n_samples,) float32, mono."""
    rate_hz: int


class Reference(msgspec.Struct, frozen=True):
    """A reference that was resolved in part, such as by a server that confines paths."""

    text: str
    """As it was asked; answers show this."""
    target: str
    """What is looked up instead: a path or `mess:ID`."""


Ref: TypeAlias = str | Reference | Recording


class FileAccess(Protocol):
    """Which files may be opened for whoever asks."""

    def find(self, store: Store, path: str) -> Path | None:
        """The real path of a file that may be opened, there or not; None for any other."""


def confined(store: Store, access: FileAccess, ref: str) -> Reference:
    """A reference by which no file is opened that may not be.

    Only absolute paths name files: a path relative to the folder of the client means nothing here.
    Raises UsageError for a file that may not be opened, in the same words whether or not it exists.
    """
    if "\0" in ref:
        raise UsageError("the reference contains a NUL byte")
    if not os.path.isabs(ref):  # noqa: PTH117
        return Reference(ref, f"mess:{find_track(store, ref)}")
    try:
        os.fsencode(ref)
    except UnicodeEncodeError as error:
        raise UsageError(f"no such file: {ref!r} contains what no file name can") from error
    known = store.library.find_path(ref)
    if known is not None and known[0] is not None:
        return Reference(ref, f"mess:{known[0]}")
    real = access.find(store, ref)
    if real is not None and real.is_file():
        return Reference(ref, ref)
    raise UsageError(f"no such file in the library or in its folders: {ref}")


def interval_of(start_s: float | None, end_s: float | None) -> Interval | None:
    """The stretch between two times, either of which may be open; None where both are."""
    if start_s is None and end_s is None:
        return None
    return Interval(start_s or 0.0, float("inf") if end_s is None else end_s)


def check_interval(interval: Interval) -> None:
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
    return _track_called(store, ref)


def _track_called(store: Store, ref: str) -> int:
    """The track that words name; a title or file name that is exactly these goes before all others."""
    found, total = store.library.find_words(ref, _LOOKED_AT)
    if total == 1:
        return found[0]
    # The ending of a file's name is not among the words that are looked up.
    named = found or store.library.find_words(os.path.splitext(ref)[0], _LOOKED_AT)[0]  # noqa: PTH122
    candidates = found or store.library.find_resembling(ref) or named
    if not candidates:
        raise UsageError(
            f"nothing in the library is called {ref!r}: give a path, a track id or a title"
        )
    tracks = store.library.get([*named, *candidates])
    for is_called in (_is_title, _is_file_name, _is_shown_as):
        exact = [i for i in named if i in tracks and is_called(ref, tracks[i])]
        if len(exact) == 1:
            return exact[0]
    lines = [f"{i}  {tracks[i].describe()}" for i in candidates if i in tracks][:_SHOWN]
    if not found:
        raise UsageError(
            f"nothing is called {ref!r}; did you mean …?" + "".join(f"\n  {x}" for x in lines)
        )
    more = [f"… and {total - len(lines)} more"] if total > len(lines) else []
    raise AmbiguousReference(ref, lines + more)


def find_pair(store: Store, ref: str, other: str) -> tuple[int, int]:
    """The ids of two different tracks; errors as for `resolve`, and where both are the same."""
    pair = find_track(store, ref), find_track(store, other)
    if pair[0] == pair[1]:
        raise UsageError(f"{ref!r} and {other!r} are the same track")
    return pair


def _is_title(ref: str, track: Track) -> bool:
    return same(track.tags.title, ref)


def _is_file_name(ref: str, track: Track) -> bool:
    """Whether a file of the track is called so, with or without the ending."""
    names = [os.path.basename(path) for path in track.paths]  # noqa: PTH119  text keeps odd bytes
    return any(same(form, ref) for name in names for form in (name, os.path.splitext(name)[0]))  # noqa: PTH122


def _is_shown_as(ref: str, track: Track) -> bool:
    """Whether tables show the track so."""
    artist = f"{track.tags.artist or ''} - {track.title}"
    return same(track.describe(), ref) or same(artist, ref)
