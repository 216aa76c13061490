"""Changes that a listener made by hand to a playlist since MESS wrote it.

Tracks that the listener removed stay removed, tracks that the listener added stay ("pinned"); the
latest edit counts. An item that vanished from the server was not removed by the listener.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from mess_plugin.store.hosts import Kept, PlaylistEdit

PINNED, REMOVED = "pinned", "removed"


def manual_edits(
    kept: Kept,
    current: Sequence[str],
    before: Sequence[PlaylistEdit],
    still_there: Callable[[Sequence[str]], Collection[str]],
    tracks: Mapping[str, int],
) -> list[PlaylistEdit]:
    """All manual edits, old and new; the pinned ones in the order of the playlist.

    current: what the playlist holds, without duplicates. still_there: which of some items the server
    still has. tracks: track numbers by item, where known. After a write of ours that was not confirmed
    the playlist may hold any part of it, so a missing item does not count as removed.
    """
    written = {*kept.written, *(kept.intended or ())}
    pinned = {edit.item: edit for edit in before if edit.edit == PINNED}
    removed = {edit.item: edit for edit in before if edit.edit == REMOVED}
    held = set(current)
    wrote = () if kept.intended is not None else (*kept.written, *pinned)
    lacking = [item for item in dict.fromkeys(wrote) if item not in held]
    taken_out = set(still_there(lacking)) if lacking else set()
    pins = [
        pinned.get(item) or PlaylistEdit(item, tracks.get(item), PINNED)
        for item in current
        if item in pinned or item not in written
    ]
    pins += [edit for item, edit in pinned.items() if item not in held and item not in taken_out]
    outs = [edit for item, edit in removed.items() if item not in held]
    outs += [
        PlaylistEdit(item, tracks.get(item), REMOVED)
        for item in lacking
        if item in taken_out and item not in removed
    ]
    return [*pins, *outs]
