"""Plans which files get which tags and why others do not; carries a plan out and undoes it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from mess_plugin import audio
from mess_plugin.errors import AudioError, UsageError
from mess_plugin.facets import Measures
from mess_plugin.library.pathmap import PathMap
from mess_plugin.library.tags import read_tags
from mess_plugin.search.references import find_track
from mess_plugin.store import Store
from mess_plugin.tagging.atomic_write import replace_tags
from mess_plugin.tagging.tag_file import TagFile
from mess_plugin.tagging.undo import Entry, Journal, Values
from mess_plugin.tagging.values import value_of


class Change(msgspec.Struct, frozen=True):
    """One field of one file."""

    field: str
    """bpm, key or replaygain."""
    name: str
    """Of the tag in this file, such as `TBPM`."""
    before: Values
    after: Values
    """None where nothing is to be written."""
    note: str = ""
    """Why nothing is to be written."""


class FilePlan(msgspec.Struct, frozen=True):
    """The changes of one file."""

    path: str
    """In the library."""
    here: Path
    """On this machine."""
    track_id: int
    changes: tuple[Change, ...] = ()
    problem: str | None = None
    """Why none of them can be made."""

    @property
    def writes(self) -> dict[str, Values]:
        """Name of a tag → the values it is to get."""
        return {one.name: one.after for one in self.changes if one.after is not None}


def chosen_paths(store: Store, named: Iterable[str]) -> list[str]:
    """The library's files at or below paths, or of the tracks that references name, in order.

    Raises UsageError (and its kinds) for what names nothing in the library.
    """
    found: dict[str, None] = {}
    for name in named:
        root = os.path.abspath(os.path.expanduser(name))  # noqa: PTH100, PTH111  odd bytes
        below = store.files.known_paths([root], with_missing=False)
        if below:
            found |= dict.fromkeys(sorted(below))
        elif os.path.isdir(root):  # noqa: PTH112
            raise UsageError(
                f"the library knows no file below {name}: run `mess index {name}` first"
            )
        else:
            track_id = find_track(store, name)
            found |= dict.fromkeys(store.library.get([track_id])[track_id].paths)
    return list(found)


def plan(
    store: Store,
    paths: Sequence[str],
    fields: Sequence[str],
    *,
    overwrite: bool,
    least_confidence: float,
    path_map: PathMap,
) -> Iterator[FilePlan]:
    """What would be written to each file; a file without a track, which failed, is left out."""
    for path in paths:
        known = store.library.find_path(path)
        if known is None or known[0] is None:
            continue
        here, track_id = Path(path_map.local(path)), known[0]
        measured = store.facets.measures([track_id])
        if track_id not in measured:
            yield FilePlan(path, here, track_id, problem="not heard yet: run `mess facets`")
            continue
        try:
            changes = _changes(here, measured[track_id][0], fields, overwrite, least_confidence)
        except AudioError as error:
            yield FilePlan(path, here, track_id, problem=error.reason)
        else:
            yield FilePlan(path, here, track_id, tuple(changes))


def _changes(
    here: Path, measures: Measures, fields: Sequence[str], overwrite: bool, least_confidence: float
) -> Iterator[Change]:
    tag_file = TagFile(here)
    for field in fields:
        text, why_not = value_of(field, measures, tag_file.family, least_confidence)
        for name in tag_file.names(field):
            before = tag_file.get(name)
            there = before is not None and before != ("0",)  # a tempo of 0 says that there is none
            after = None if text is None else (text,)
            if after is not None and after == before:
                yield Change(field, name, before, None, "is so already")
            elif after is not None and there and not overwrite:
                yield Change(field, name, before, None, "kept (--overwrite replaces it)")
            else:
                yield Change(field, name, before, after, why_not)


def carry_out(store: Store, one: FilePlan, journal: Journal) -> None:
    """Write the tags of a file and let the library know them. Raises AudioError and OSError."""
    identity = audio.identify(one.here)
    if store.library.find_identity(identity) != one.track_id:
        raise AudioError(
            str(one.here), "unreadable", "left as it is: it changed since it was indexed: index it"
        )
    before = {change.name: change.before for change in one.changes if change.name in one.writes}
    entry = Entry(str(one.here), identity, before, one.writes)
    replace_tags(one.here, one.writes, identity, lambda: journal.write(entry))
    note_tags(store, one.path, one.here, one.track_id)


def take_back(store: Store, entry: Entry, path_map: PathMap, *, apply: bool) -> dict[str, Values]:
    """Put back what an entry says; returns name → values of what is (or would be) put back.

    Tags that somebody changed since are left alone. Raises AudioError and OSError.
    """
    here = Path(entry.path)
    tag_file = TagFile(here)
    back = {
        name: entry.before.get(name)
        for name, after in entry.after.items()
        if tag_file.get(name) == after and after != entry.before.get(name)
    }
    if not back or not apply:
        return back
    if audio.identify(here) != entry.identity:
        raise AudioError(str(here), "unreadable", "left as it is: it holds other audio now")
    replace_tags(here, back, entry.identity, lambda: None)
    path = path_map.library(str(here))
    known = store.library.find_path(path)
    if known is not None and known[0] is not None:
        note_tags(store, path, here, known[0])
    return back


def note_tags(store: Store, path: str, here: Path, track_id: int) -> None:
    """What a file says about itself now, in the library at once; nothing is encoded."""
    file_id = store.files.known_paths([path]).get(path)
    if file_id is not None:
        store.files.locate(file_id, path, track_id, read_tags(here))
