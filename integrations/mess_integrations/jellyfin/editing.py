"""What a listener changed by hand in a playlist since we wrote it.

What we wrote and the listener took out stays out; what the listener put in stays in. Taking out what
was put in, or the reverse, is the newer wish. An item that the server itself lost was not taken out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from mess_plugin.store.hosts import Edit, Kept

PINNED, REMOVED = "pinned", "removed"


def observe(
    kept: Kept,
    current: Sequence[str],
    before: Sequence[Edit],
    still_there: Callable[[Sequence[str]], Collection[str]],
    tracks: Mapping[str, int],
) -> list[Edit]:
    """All changes by hand, old and new: the pinned ones in the order of the playlist.

    current: what the playlist holds, without duplicates. still_there: which of some items the server
    still has. tracks: tracks of items, where known. While a write of ours was not seen to end, the
    playlist may hold any part of it, so what is not there was not taken out.
    """
    written = {*kept.written, *(kept.intended or ())}
    pinned = {edit.item: edit for edit in before if edit.edit == PINNED}
    removed = {edit.item: edit for edit in before if edit.edit == REMOVED}
    held = set(current)
    wrote = () if kept.intended is not None else (*kept.written, *pinned)
    lacking = [item for item in dict.fromkeys(wrote) if item not in held]
    taken_out = set(still_there(lacking)) if lacking else set()
    pins = [
        pinned.get(item) or Edit(item, tracks.get(item), PINNED)
        for item in current
        if item in pinned or item not in written
    ]
    pins += [edit for item, edit in pinned.items() if item not in held and item not in taken_out]
    outs = [edit for item, edit in removed.items() if item not in held]
    outs += [
        Edit(item, tracks.get(item), REMOVED)
        for item in lacking
        if item in taken_out and item not in removed
    ]
    return [*pins, *outs]
